"""Dialogues about regions, written from annotations and never from pixels (ChatSpot §3.3). No torch."""

from loupe.regionchat.checks import REASONS, Bounds
from loupe.regionchat.run import Output, Settings, run

__all__ = ["REASONS", "Bounds", "Output", "Settings", "run"]
