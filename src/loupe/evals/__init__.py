"""Benchmarks, predictions on disk, metrics and tables. No torch."""

from loupe.evals.benchmark import BENCHMARKS, Benchmark, CountError, Questions, benchmark, open_questions
from loupe.evals.metrics import METRICS, Figure, Scores, measure
from loupe.evals.predictions import Prediction
from loupe.evals.predictions import read as read_predictions
from loupe.evals.runner import Result, answer_part, evaluate, rescore
from loupe.evals.table import table

__all__ = ["BENCHMARKS", "METRICS", "Benchmark", "CountError", "Figure", "Prediction", "Questions", "Result", "Scores",
           "answer_part", "benchmark", "evaluate", "measure", "open_questions", "read_predictions", "rescore", "table"]
