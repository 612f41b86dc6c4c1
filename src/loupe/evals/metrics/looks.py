"""Words about regions of a picture whose objects are known: descriptions, relations, captions with boxes.

The questions carry their scene (`extra["scene"]`); it judges what was read and never helps to read it.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from loupe.evals.description import fit, parse
from loupe.evals.metrics.exact import tidy
from loupe.evals.metrics.figures import Scores, counted, mean, resampled, share
from loupe.evals.predictions import Prediction
from loupe.evals.things import Scene, Thing, rivalled
from loupe.regions import Box, Region, iou
from loupe.sample import Regions
from loupe.world.paint import COLOURS
from loupe.world.predicates import PREDICATES, Predicate

LEAST = 0.5  # IoU from which a box is an object's


def described(predictions: Sequence[Prediction]) -> Scores:
    """unique: what is said is proven to mean the object asked about and no other (loupe.evals.description)."""
    unique, true, exact, remarks = [], [], [], []
    for p in predictions:
        scene, words = Scene(p.extra["scene"]), p.answer.text
        fitting = fit(words, scene)
        meant = p.extra.get("object") or _object(scene, asked_regions(p))
        same = tidy(words) in {tidy(t) for t in p.texts}
        exact.append(same)
        unique.append(same or (fitting is not None and fitting.only(meant)))
        true.append(same or (fitting is not None and meant in fitting.loose))
        if fitting is None and not same and words:
            remarks.append("words outside the world's grammar, counted wrong")
    figures = (share("unique", unique), share("exact", exact), share("true of the object, perhaps of others", true),
               share("unique, another of its class in the picture",
                     (u for u, p in zip(unique, predictions) if rivalled(p.extra))))
    return Scores("descriptions", len(predictions), figures, _empty(predictions), counted(remarks))


def predicates(predictions: Sequence[Prediction]) -> Scores:
    """holds: the relation named is annotated, or holds between the two boxes by the world's strict reading."""
    holds, exact, unknown = [], [], []
    for p in predictions:
        words, known = tidy(p.answer.text), {tidy(t) for t in p.texts}
        exact.append(words in known)
        predicate = _predicate(words)
        holds.append(words in known or (predicate is not None and _holds(predicate, words, p)))
        if predicate is None and words not in known and words:
            unknown.append("no relation of the world, counted wrong")
    return Scores("relations", len(predictions), (share("holds", holds), share("as annotated", exact)),
                  _empty(predictions), counted(unknown))


def captions(predictions: Sequence[Prediction]) -> Scores:
    """Words tied to boxes: a pair agrees when the words fit an object with which the box has IoU >= 0.5.

    recall: objects that some agreeing pair names. F1 over all pairs and objects of all pictures.
    """
    rows, whole = [], []  # [agreeing pairs, pairs, objects named, objects]
    for p in predictions:
        scene = Scene(p.extra["scene"])
        named, said = set(), pairs(p)
        agreeing = 0
        for words, box in said:
            thing = max(scene.things, key=lambda t: iou(t.box, box), default=None)
            fitting = fit(words, scene) if thing is not None and iou(thing.box, box) >= LEAST else None
            if fitting is not None and thing.id in fitting.loose:
                agreeing += 1
                named.add(thing.id)
        rows.append((agreeing, len(said), len(named), len(scene.things)))
        whole.append(bool(said) and agreeing == len(said) and len(named) == len(scene.things))
    figures = (resampled("F1 of phrases with boxes", rows, _f1),
               resampled("pairs that agree", rows, lambda agreeing, said, *_: agreeing / said if said else 0.0),
               resampled("objects named", rows, lambda *sums: sums[2] / sums[3] if sums[3] else 0.0),
               share("all right and complete", whole), mean("pairs a picture", (row[1] for row in rows)))
    return Scores("captions", len(predictions), figures, _empty(predictions))


def pairs(prediction: Prediction) -> list[tuple[str, Box]]:
    """(words, box) in the order of the answer: the phrase the box is tied to, else the words before it."""
    out, before = [], ""
    for part in prediction.answer.parts:
        if isinstance(part, str):
            before = part
            continue
        region = getattr(part, "region", None)
        if isinstance(region, Box):
            out.append((part.phrase or _last_noun(before), region))
        before = ""
    return out


def _last_noun(text: str) -> str:
    """The longest end of the words that is a noun with its attributes: "above a red star" -> "a red star"."""
    words = text.split()
    return next((" ".join(words[k:]) for k in range(len(words)) if parse(" ".join(words[k:]))), text.strip())


def _f1(agreeing: float, said: float, named: float, there: float) -> float:
    precision, recall = agreeing / said if said else 0.0, named / there if there else 0.0
    return 2 * precision * recall / (precision + recall) if precision + recall else 0.0


def _predicate(words: str) -> Predicate | None:
    words = re.sub(rf"^as (?:{'|'.join(COLOURS)}) as$", "as {colour} as", words)
    return next((predicate for predicate in PREDICATES if words in predicate.forms), None)


def _holds(predicate: Predicate, said: str, p: Prediction) -> bool:
    scene = Scene(p.extra["scene"])
    ends = [_thing(scene, region) for region in asked_regions(p)][:2]
    if len(ends) < 2 or None in ends or ends[0] is ends[1]:
        return False
    if said not in predicate.forms and said != f"as {ends[0].colour} as":  # the colour of something else
        return False
    stated = {words for s, words, o in scene.stated if (s, o) == (ends[0].id, ends[1].id)}
    return predicate.strict(scene.pair(*ends)) or any(words in predicate.forms for words in stated)


def _thing(scene: Scene, region: Region) -> Thing | None:
    return next((t for t in scene.things if t.box == region.box), None)


def _object(scene: Scene, regions: Sequence[Region]) -> str:
    thing = _thing(scene, regions[0]) if regions else None
    return thing.id if thing else ""


def _empty(predictions: Sequence[Prediction]) -> tuple[tuple[str, int], ...]:
    return counted("picture" if any(q.kind == "picture" for q in p.answer.problems) else "empty"
                   for p in predictions if not p.answer.text)


def asked_regions(p: Prediction) -> list[Region]:
    """Regions in the question, in order."""
    return [region for part in p.question if isinstance(part, Regions) for region in part.regions]
