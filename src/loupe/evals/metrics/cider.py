"""CIDEr-D of captions (Vedantam et al., 2015, §3 and the robust form used in COCO's leaderboard).

Words are letters and digits in lower case, or with `tokens="treebank"` Penn Treebank's without its punctuation, which
published scores are counted in: they part clitics ("dog 's", "do n't") and keep hyphens. How common an n-gram is, is
counted over the references of the questions asked. Values are as they are printed (times 10; often shown times 100).
"""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Callable, Sequence

from loupe.errors import unknown_name
from loupe.evals.metrics.figures import Figure, Scores, mean, resampled
from loupe.evals.predictions import Prediction

LONGEST = 4  # words of an n-gram
SIGMA = 6.0  # words: how much a length may differ
_word = re.compile(r"[^\W_]+(?:'[^\W_]+)?")
# numbers with their points, abbreviations (u.s.), clitics that stand apart (man 's), words with hyphens and
# apostrophes, and signs that count as words
_token = re.compile(r"\d+(?:[.,:/-]\d+)+|(?:[^\W\d_]\.){2,}|(?<!\w)'(?:s|re|ve|ll|d|m)(?![\w'])|"
                    r"[^\W_]+(?:[-'_/]?[^\W_]+)*'?(?=\W|$)|[&$%#@]")
_clitic = re.compile(r"n't$|'(?:s|re|ve|ll|d|m)?$")
JOINED = {"cannot": 3, "gonna": 3, "gotta": 3, "wanna": 3, "lemme": 3, "gimme": 3}  # two words in the treebank


def score(predictions: Sequence[Prediction], tokens: str = "plain") -> Scores:
    """References are every wording that is right (`Prediction.texts`). tokens: of TOKENS."""
    if tokens not in TOKENS:
        raise unknown_name("way to count words", tokens, TOKENS, "metric cider")
    values = cider([p.answer.text for p in predictions], [p.texts for p in predictions], TOKENS[tokens])
    figures: list[Figure] = [resampled("CIDEr", [[value, 1.0] for value in values], lambda s, n: s / n if n else 0.0)]
    figures.append(mean("words", (len(words(p.answer.text)) for p in predictions)))
    empty = sum(not words(p.answer.text) for p in predictions)
    return Scores("cider", len(predictions), tuple(figures), (("no words", empty),) if empty else ())


def cider(said: Sequence[str], references: Sequence[Sequence[str]],
          cut: Callable[[str], list[str]] | None = None) -> list[float]:
    """CIDEr-D of each text against its references, 0 to 10. cut: text -> words (`words`)."""
    known = [[grams(text, cut) for text in some] for some in references]
    common = Counter(gram for some in known for gram in {gram for each in some for gram in each})
    total = math.log(max(len(references), 1))
    out = []
    for text, some in zip(said, known, strict=True):
        mine = weighed(grams(text, cut), common, total)
        found = [_alike(mine, weighed(each, common, total)) for each in some]
        out.append(10.0 * sum(found) / len(found) if found else 0.0)
    return out


def words(text: str) -> list[str]:
    return _word.findall(text.lower())


def treebank(text: str) -> list[str]:
    """Penn Treebank's tokens in lower case, without punctuation; its marks of quotation and rarer forms left out."""
    return [part for token in _token.findall(text.lower().replace("\u2019", "'")) for part in _parted(token)]


def _parted(token: str) -> list[str]:
    if token in JOINED:
        return [token[:JOINED[token]], token[JOINED[token]:]]
    clitic = _clitic.search(token)
    return [part for part in (token[:clitic.start()], clitic[0]) if part not in ("", "'")] if clitic else [token]


TOKENS = {"plain": words, "treebank": treebank}


def grams(text: str, cut: Callable[[str], list[str]] | None = None) -> Counter:
    """Every n-gram of up to LONGEST words with how often it stands there."""
    known = (cut or words)(text)
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
