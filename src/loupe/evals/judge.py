"""A language model behind an endpoint judges open answers against what a good answer holds; verdicts are cached.

Only texts are sent: question, expected answer, given answer. MM-Vet's own judge was GPT-4 with worked examples; another
judge, or these words, is another scale, so reports name the judge.
"""

from __future__ import annotations

import asyncio
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from tqdm import tqdm

from loupe.endpoint import Budget, Cache, Client, EndpointError, Ledger, Settings, Spent
from loupe.evals.metrics.judged import AND, OR
from loupe.evals.predictions import Prediction
from loupe.sample import ImageMark, Regions

WORDS = """You grade an answer to a question about a picture you do not see. You are told what a right answer holds.
Say how much of that the answer holds, from 0.0 (nothing, or it contradicts it) to 1.0 (all of it), in steps of 0.1.
"and" joins what must all be there, "or" joins forms of which one is enough. Other words, more detail and another order
do not matter; a wrong number, name or place does. An answer that leaves the question open gets 0.0.

Question: What time does the clock show, and what colour is it?
Right: half past three or 3:30, and red
Answer: It is a red clock on a tower.
Grade: 0.5

Question: How many dogs are on the beach?
Right: 2
Answer: I can see two dogs running near the water.
Grade: 1.0

Question: What does the sign say?
Right: road closed
Answer: It is a stop sign.
Grade: 0.0"""
AGAIN = "Say nothing but the grade, a number from 0.0 to 1.0."
GRADE = re.compile(r"(?<![\d.])(?:[01](?:\.\d+)?|\.\d+)(?![\d.]*\d)")


@dataclass(frozen=True)
class Verdicts:
    """grades: by question id, 0 to 1. missing: why others have none, counted. about: who judged, at what cost."""

    grades: dict[str, float]
    missing: dict[str, int]
    about: dict


def judge(predictions: Sequence[Prediction], settings: Settings, cache: str | Path | None = None,
          ledger: str | Path | None = None, budget: Budget | None = None) -> Verdicts:
    """One verdict each; an empty answer is 0 and costs nothing. A reply without a grade is asked for once more.
    EndpointError where the endpoint is not there or gives no verdict at all: what was judged is in the cache."""
    kept, book = Cache(cache), Ledger(ledger, budget)
    grades, missing = {p.id: 0.0 for p in predictions if not p.answer.text}, Counter()
    left = [p for p in predictions if p.answer.text]
    try:
        asyncio.run(_all(left, Client(settings, kept, book), grades, missing))
    finally:
        kept.close()
    if missing and not any(p.id in grades for p in left):
        raise EndpointError("the judge gave no verdict", got=", ".join(f"{n} x {why}" for why, n in missing.items()),
                            where=settings.url, do="check --judge and --judge-model; the answers are kept, so "
                            "`loupe score` with the same options is enough")
    return Verdicts(grades, dict(missing), {"judge": settings.model, **book.summary()})


async def _all(left: Sequence[Prediction], client: Client, grades: dict, missing: Counter) -> None:
    with tqdm(total=len(left), desc=f"judged by {client.settings.model}", unit="answer", disable=None) as bar:
        async with client:
            async def one(p: Prediction) -> None:
                try:
                    grade = await _grade(p, client)
                except Spent:
                    missing["budget is spent"] += 1
                except EndpointError as error:
                    if error.final:
                        raise
                    missing["the endpoint did not answer"] += 1
                else:
                    if grade is None:
                        missing["no grade in the reply"] += 1
                    else:
                        grades[p.id] = grade
                bar.update()

            tasks = [asyncio.create_task(one(p)) for p in left]
            try:
                await asyncio.gather(*tasks)
            finally:
                for each in tasks:
                    each.cancel()


async def _grade(p: Prediction, client: Client) -> float | None:
    messages = [{"role": "system", "content": WORDS}, {"role": "user", "content": told(p)}]
    for _ in range(2):
        request = {"model": client.settings.model, "messages": messages, "temperature": 0.0, "max_tokens": 16}
        reply = await client.ask(request)
        found = read_grade(reply.text)
        if found is not None:
            return found
        messages = [*messages, {"role": "assistant", "content": reply.text}, {"role": "user", "content": AGAIN}]
    return None


def told(p: Prediction) -> str:
    question = "".join(part if isinstance(part, str) else "(a region)" if isinstance(part, Regions) else ""
                       for part in p.question if not isinstance(part, ImageMark))
    right = (p.texts[0] if p.texts else "").replace(AND, ", and ").replace(OR, " or ")
    return f"Question: {question}\nRight: {right}\nAnswer: {p.answer.text}\nGrade:"


def read_grade(text: str) -> float | None:
    """The one number from 0 to 1 that is said; None where there is none, or several different ones."""
    found = {float(m) for m in GRADE.findall(text)}
    grades = {v for v in found if 0 <= v <= 1}
    return grades.pop() if len(grades) == 1 and len(found) == 1 else None
