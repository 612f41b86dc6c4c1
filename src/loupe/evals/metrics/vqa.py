"""The soft accuracy of questions ten people answered (Antol et al., 2015, §3; its published scorer's tidying of words).

An answer is right by min(1, n / 3), n the number of people who said it, averaged over leaving each of the ten out.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence

from loupe.errors import ConfigError, unknown_name
from loupe.evals.metrics.exact import NUMBERS
from loupe.evals.metrics.figures import Scores, averaged, counted, share
from loupe.evals.predictions import Prediction

ENOUGH = 3  # people who say it: wholly right
ARTICLES = ("a", "an", "the")
DIGITS = {"none": "0", **{word: str(number) for number, word in enumerate(NUMBERS[:11])}}
PUNCTUATION = frozenset(";/[]\"{}()=+\\_-><@`,?!")  # apostrophes, colons and full stops are not among them
_thousands = re.compile(r"\d,\d")
_stop = re.compile(r"\.(?!\d)")
# A word with one of its apostrophes left out becomes the word; "lets" and "shes" stay as they are.
CONTRACTED = """ain't aren't can't could've couldn't couldn't've didn't doesn't don't hadn't hadn't've hasn't haven't
he'd he'd've he's how'd how'll how's isn't it'd it'd've it'll ma'am mightn't mightn't've might've mustn't must've
needn't not've o'clock oughtn't 'ow's'at shan't she'd've should've shouldn't shouldn't've somebody'd've somebody'll
somebody's someone'd someone'd've someone'll someone's something'd something'd've something'll that's there'd
there'd've there're there's they'd they'd've they'll they're they've 'twas wasn't we'd've we've weren't what'll what're
what's what've when's where'd where's where've who'd who'd've who'll who's who've why'll why're why's won't would've
wouldn't wouldn't've y'all y'all'll y'all'd've you'd you'd've you'll you're you've"""
CONTRACTIONS = {word[:k] + word[k + 1:]: word for word in CONTRACTED.split()
                for k, letter in enumerate(word) if letter == "'"}
CONTRACTIONS["somebody'd"] = "somebodyd"  # as published
TRUTHS = ("punctuation", "whole")


def score(predictions: Sequence[Prediction], truths: str = "punctuation") -> Scores:
    """accuracy: the published one. truths: how far the people's answers are tidied before they are compared.

    "punctuation" is VQA's scorer, which frees them of punctuation alone, and only where they differ (VQAv2, OK-VQA,
    VizWiz); "whole" tidies them as the answer (TextVQA's scorer). Beside it min(1, n / 3) over all ten with nothing
    tidied but case, and how often the answer most people gave was given.
    """
    if truths not in TRUTHS:
        raise unknown_name("tidying of true answers", truths, TRUTHS, "metric vqa")
    soft, plain, usual = [], [], []
    for p in predictions:
        said, votes = p.answer.text, votes_of(p)
        soft.append(accuracy(said, votes, truths))
        plain.append(min(1.0, sum(said.strip().lower() == vote.lower() for vote in votes) / ENOUGH))
        usual.append(tidied(said, truths) == tidied(Counter(votes).most_common(1)[0][0], truths))
    figures = (averaged("accuracy", soft), averaged("accuracy, untidied", plain), share("the usual answer", usual))
    empty = ("picture" if any(q.kind == "picture" for q in p.answer.problems) else "empty"
             for p in predictions if not p.answer.text)
    return Scores("vqa", len(predictions), figures, counted(empty))


def votes_of(p: Prediction) -> Sequence[str]:
    """What each of the people said; a ConfigError where only the different answers are known."""
    votes = p.extra.get("votes") or ()
    if not votes:
        raise ConfigError("this question has no answers of several people", got=p.id, where="metric vqa",
                          expected="votes, every annotator's answer", do="choose another metric: words, contains")
    return votes


def accuracy(said: str, votes: Sequence[str], truths: str = "punctuation") -> float:
    """0 to 1 for what was said, of everybody's answers with their repetitions."""
    mine = tidied(said, truths)
    if truths == "whole":
        votes = [tidied(vote, truths) for vote in votes]
    elif len(set(votes)) > 1:
        votes = [unpunctuated(vote) for vote in votes]
    same = sum(vote == mine for vote in votes)
    others = len(votes) - same
    return (same * min(1.0, (same - 1) / ENOUGH) + others * min(1.0, same / ENOUGH)) / len(votes)


def tidied(text: str, truths: str = "punctuation") -> str:
    """As the published scorers see an answer."""
    if truths == "whole":
        text = text.lower().replace(",", "").replace("?", "").replace("'s", " 's")
    return plain_words(unpunctuated(re.sub(r"[\n\t]", " ", text).strip()))


def unpunctuated(text: str) -> str:
    """A mark beside a space goes, one within a word becomes a space; all go where commas part thousands. Full stops go,
    but before digits."""
    close = _thousands.search(text) is not None
    marks = {mark: "" if close or f"{mark} " in text or f" {mark}" in text else " "
             for mark in PUNCTUATION.intersection(text)}
    return _stop.sub("", "".join(marks.get(letter, letter) for letter in text))


def plain_words(text: str) -> str:
    """Lower case, digits for "none" and "zero" to "ten", no articles, apostrophes where they were forgotten."""
    words = (DIGITS.get(word, word) for word in text.lower().split())
    return " ".join(CONTRACTIONS.get(word, word) for word in words if word not in ARTICLES)
