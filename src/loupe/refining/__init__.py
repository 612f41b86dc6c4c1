"""The visual refiner: tagger -> open-set detector -> segmenter, and what it found kept on disk (Lyrics §3.1)."""

from loupe.refining.parts import Detection, Detector, Outlines, Segmenter, Tagger

__all__ = ["Detection", "Detector", "Outlines", "Segmenter", "Tagger"]
