"""Questions about documents, charts and photos that everybody asks: DocVQA, ChartQA, GQA."""

from __future__ import annotations

from loupe.evals.spec import Benchmark

SHORT = {"style": "short"}  # a request for a short answer stands behind every question


def _asked(name: str, reader: str, split: str, metric: str, count: int, **options) -> Benchmark:
    return Benchmark(name, reader, reader, split, options, task="question", metric=metric, count=count,
                     task_options=SHORT, answer=48)


PRINTED: tuple[Benchmark, ...] = (
    _asked("docvqa-val", "docvqa", "val", "anls", 5349),
    _asked("chartqa-human-test", "chartqa", "test", "relaxed", 1250, by="human"),
    _asked("chartqa-augmented-test", "chartqa", "test", "relaxed", 1250, by="augmented"),
    _asked("gqa-testdev", "gqa", "testdev_balanced", "words", 12578),
)
