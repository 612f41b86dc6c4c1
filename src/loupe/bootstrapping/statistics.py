"""Counts of a run: the paper's Table 5 of what is kept, and everything that was left out by reason."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from loupe.bootstrapping.pair import Candidate, Pair
from loupe.bootstrapping.rule import judged, known
from loupe.bootstrapping.settings import Rule

# Pink Table 5; A.2 for what was described
PAPER = {"pictures": 1_063_034, "expressions": 2_433_203, "mean words": 3.6, "described": 4_961_822}


def table5(pairs: Sequence[tuple[Pair, Candidate]]) -> dict:
    """Pictures, expressions and their length in words, of kept pairs; and how many different words and texts."""
    texts = [candidate.text.split() for _, candidate in pairs]
    lengths = Counter(map(len, texts))
    return {
        "pictures": len({pair.record for pair, _ in pairs}),
        "expressions": len(texts),
        "mean words": round(sum(map(len, texts)) / len(texts), 3) if texts else 0.0,
        "lengths": {str(length): lengths[length] for length in sorted(lengths)},
        "different words": len({_bare(word) for words in texts for word in words} - {""}),
        "different expressions": len({" ".join(map(_bare, words)) for words in texts}),
    }


def selection(pairs: Sequence[Pair], rule: Rule) -> dict:
    """What a rule does to the described boxes: kept and left out by reason, how often scores are known, classes."""
    chosen = judged(pairs, rule)
    some = [(pair, candidate) for pair, (candidate, reason) in zip(pairs, chosen) if not reason]
    described, stayed = Counter(p.name for p in pairs), Counter(p.name for p, _ in some)
    return {
        "described": len(pairs),
        "kept": len(some),
        "share": round(len(some) / len(pairs), 6) if pairs else 0.0,
        "left out": dict(sorted(Counter(reason for _, reason in chosen if reason).items())),
        "score known of": known(pairs),
        "table 5": table5(some),
        "classes": {name: {"described": count, "kept": stayed[name]} for name, count in described.most_common()},
    }


def _bare(word: str) -> str:
    return word.lower().strip(".,;:!?\"'()[]")
