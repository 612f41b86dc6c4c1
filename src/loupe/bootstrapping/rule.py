"""Which pairs a Rule keeps, and why it does not keep the others."""

from __future__ import annotations

import zlib
from collections.abc import Sequence

from loupe.bootstrapping.pair import Candidate, Pair, best, score
from loupe.bootstrapping.settings import SCORES, Rule, unmeasured

UNKNOWN = "score not known"
UNREAD, ELSEWHERE, LOW, BEYOND = "no box came back", "found elsewhere", "score too low", "beyond the share kept"


def judged(pairs: Sequence[Pair], rule: Rule) -> list[tuple[Candidate, str]]:
    """(the description chosen, why its pair is left out; "" where it is kept) of each pair.

    The choice among a box's descriptions depends on `rule.by` alone, so what a stricter rule keeps a laxer one keeps.
    A score that no description knows is a ConfigError.
    """
    chosen = [best(pair, rule.by) for pair in pairs]
    scores = [score(pair, candidate, rule.by) for pair, candidate in zip(pairs, chosen)]
    if pairs and all(value is None for value in scores):
        raise unmeasured(rule.by, [name for name, count in known(pairs).items() if count])
    reasons = [_reason(candidate, value, rule) for candidate, value in zip(chosen, scores)]
    if rule.share is not None:
        passing = [k for k, reason in enumerate(reasons) if not reason]
        passing.sort(key=lambda k: (-scores[k], zlib.crc32(f"{pairs[k].record}/{pairs[k].object}".encode())))
        for k in passing[int(rule.share * len(pairs) + 1e-9):]:
            reasons[k] = BEYOND
    return list(zip(chosen, reasons))


def _reason(candidate: Candidate, value: float | None, rule: Rule) -> str:
    if candidate.iou < rule.iou:
        return ELSEWHERE if candidate.found is not None else UNREAD
    if value is None:
        return "" if rule.least is None and rule.share is None else UNKNOWN
    return LOW if rule.least is not None and value < rule.least else ""


def known(pairs: Sequence[Pair]) -> dict[str, int]:
    """Of how many described boxes each score is known, for any of their descriptions."""
    return {name: sum(any(score(pair, each, name) is not None for each in pair.candidates) for pair in pairs)
            for name in SCORES}


def kept(pairs: Sequence[Pair], rule: Rule) -> list[tuple[Pair, Candidate]]:
    return [(pair, candidate) for pair, (candidate, reason) in zip(pairs, judged(pairs, rule)) if not reason]
