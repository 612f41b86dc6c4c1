"""Multiple choice: asked once, or with CircularEval (MMBench): right only where every rotation of the options is."""

from __future__ import annotations

import re
from collections.abc import Sequence

from loupe.evals.metrics.exact import tidy
from loupe.evals.metrics.figures import Scores, counted, share
from loupe.evals.predictions import Prediction
from loupe.regions import iou

LETTERS = "ABCDEFGH"


def choice(text: str, options: Sequence[str]) -> str:
    """The letter that was chosen: said alone, marked as a letter, or by the option's own words; "" where unclear."""
    letters = LETTERS[:len(options)]
    plain = text.strip()
    if m := re.match(rf"[(\[]?([{letters}])(?:[)\].:,]|\s*$|\s*\n)", plain):
        return m[1]
    marked = {m for m in re.findall(rf"(?:answer|option|choice)\W+(?:is\W+)?[(\[]?([{letters}])\b", plain)}
    marked = marked or set(re.findall(rf"[(\[]([{letters}])[)\]]", plain))
    if len(marked) == 1:
        return marked.pop()
    words = [k for k, option in enumerate(options) if tidy(option) == tidy(plain)]
    words = words or [k for k, option in enumerate(options) if tidy(option) and re.search(
        rf"(?<!\w){re.escape(tidy(option))}(?!\w)", tidy(plain))]
    if len(words) == 1:
        return LETTERS[words[0]]
    loose = set(re.findall(rf"(?<![\w'])([{letters.replace('A', '')}])(?![\w'])", plain))
    return loose.pop() if len(loose) == 1 and not words else ""


def score(predictions: Sequence[Prediction]) -> Scores:
    """CircularEval over questions, then single passes: the options as written, and all rotations."""
    groups: dict[str, list[tuple[int, bool]]] = {}
    singles, unread = [], []
    for p in predictions:
        mine = choice(p.answer.text, p.extra.get("options", ()))
        right = bool(p.texts) and mine == p.texts[0]
        groups.setdefault(p.extra.get("unit", p.id), []).append((int(p.extra.get("shift", 0)), right))
        singles.append(right)
        if not mine:
            unread.append("picture" if any(q.kind == "picture" for q in p.answer.problems) else "no letter")
    figures = (share("right in every rotation", (all(right for _, right in g) for g in groups.values())),
               share("right as written", (right for g in groups.values() for shift, right in g if shift == 0)),
               share("right, all rotations alike", singles))
    return Scores("circular", len(predictions), figures, counted(unread))


def single(predictions: Sequence[Prediction]) -> Scores:
    """Questions asked once: the share of right letters. Where options are regions (extra["choices"]), an answer that
    is a region stands for the option it overlaps most."""
    mine = [pointed(p) or choice(p.answer.text, p.extra.get("options") or [""] * len(p.extra["choices"]))
            for p in predictions]
    unread = ("picture" if any(q.kind == "picture" for q in p.answer.problems) else "no letter"
              for p, letter in zip(predictions, mine) if not letter)
    right = (bool(p.texts) and letter == p.texts[0].strip("()").upper() for p, letter in zip(predictions, mine))
    return Scores("choice", len(predictions), (share("right", right),), counted(unread))


def pointed(p: Prediction) -> str:
    """The letter of the option that the first region of the answer overlaps most; "" where there is none."""
    options = p.extra.get("choices", ())
    if not options or not p.answer.regions:
        return ""
    most, k = max((iou(p.answer.regions[0], option), -k) for k, option in enumerate(options))
    return LETTERS[-k] if most > 0 else ""
