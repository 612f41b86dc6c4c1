"""Do words and picture belong together? Pairs from the web are scored by a CLIP, and the irrelevant ones left out."""

from loupe.relevance.run import Scorer, Settings, run

__all__ = ["Scorer", "Settings", "run"]
