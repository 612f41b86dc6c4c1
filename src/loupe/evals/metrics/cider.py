"""CIDEr-D of captions (Vedantam et al., 2015, §3 and the robust form used in COCO's leaderboard).

Words are letters and digits in lower case; Penn Treebank's tokens, which others use, differ in clitics and hyphens
alone. How common an n-gram is, is counted over the references of the questions asked. Values are as they are printed
(times 10; often shown times 100).
"""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Sequence

from loupe.evals.metrics.figures import Figure, Scores, mean, resampled
from loupe.evals.predictions import Prediction

LONGEST = 4  # words of an n-gram
SIGMA = 6.0  # words: how much a length may differ
_word = re.compile(r"[^\W_]+(?:'[^\W_]+)?")


def score(predictions: Sequence[Prediction]) -> Scores:
    """References are every wording that is right (`Prediction.texts`)."""
    values = cider([p.answer.text for p in predictions], [p.texts for p in predictions])
    figures: list[Figure] = [resampled("CIDEr", [[value, 1.0] for value in values], lambda s, n: s / n if n else 0.0)]
    figures.append(mean("words", (len(words(p.answer.text)) for p in predictions)))
    empty = sum(not words(p.answer.text) for p in predictions)
    return Scores("cider", len(predictions), tuple(figures), (("no words", empty),) if empty else ())


def cider(said: Sequence[str], references: Sequence[Sequence[str]]) -> list[float]:
    """CIDEr-D of each text against its references, 0 to 10."""
    known = [[grams(text) for text in some] for some in references]
    common = Counter(gram for some in known for gram in {gram for each in some for gram in each})
    total = math.log(max(len(references), 1))
    out = []
    for text, some in zip(said, known, strict=True):
        mine = weighed(grams(text), common, total)
        found = [_alike(mine, weighed(each, common, total)) for each in some]
        out.append(10.0 * sum(found) / len(found) if found else 0.0)
    return out


def words(text: str) -> list[str]:
    return _word.findall(text.lower())


def grams(text: str) -> Counter:
    """Every n-gram of up to LONGEST words with how often it stands there."""
    known = words(text)
    return Counter(tuple(known[k:k + n]) for n in range(1, LONGEST + 1) for k in range(len(known) - n + 1))


def weighed(found: Counter, common: Counter, total: float) -> tuple[list[dict], list[float], int]:
    """(weights by length of n-gram, their norms, number of words): counts times log(N / pictures it stands in)."""
    weights: list[dict] = [{} for _ in range(LONGEST)]
    for gram, count in found.items():
        weights[len(gram) - 1][gram] = count * (total - math.log(max(1, common[gram])))
    norms = [math.sqrt(sum(value * value for value in some.values())) for some in weights]
    return weights, norms, sum(count for gram, count in found.items() if len(gram) == 1)


def _alike(mine, other) -> float:
    """Mean over lengths of n-grams of the cosine, a count never above the reference's, times a bell over lengths."""
    bell = math.exp(-((mine[2] - other[2]) ** 2) / (2 * SIGMA**2))
    sums = 0.0
    for a, b, length, width in zip(mine[0], other[0], mine[1], other[1]):
        if length and width:
            sums += bell * sum(min(value, b.get(gram, 0.0)) * b.get(gram, 0.0) for gram, value in a.items()) / (
                length * width)
    return sums / LONGEST
