"""Describe an annotated box, find the description again, keep the pair if it comes back (Pink §3.3)."""

from loupe.bootstrapping.pair import Candidate, Pair
from loupe.bootstrapping.rule import kept
from loupe.bootstrapping.run import run
from loupe.bootstrapping.settings import Rule, Settings
from loupe.bootstrapping.stored import read

__all__ = ["Candidate", "Pair", "Rule", "Settings", "kept", "read", "run"]
