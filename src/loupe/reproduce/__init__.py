"""The papers' tables in miniature: rows trained with equal steps over seeds, judged by one rule, kept as small logs."""

from __future__ import annotations

from loupe.named import named
from loupe.reproduce.experiment import Bootstrap, Claim, Column, Experiment, Pairs, Row, Table, World

EXPERIMENTS = {
    "pink": "loupe.reproduce.pink:PINK",
    "chatspot": "loupe.reproduce.chatspot:CHATSPOT",
    "lyrics": "loupe.reproduce.lyrics:LYRICS",
    "pae": "loupe.reproduce.pae:PAE",
}


def experiment(name: str) -> Experiment:
    """The experiment of that name; torch is not loaded."""
    return named("paper", name, EXPERIMENTS)


__all__ = ["EXPERIMENTS", "Bootstrap", "Claim", "Column", "Experiment", "Pairs", "Row", "Table", "World", "experiment"]
