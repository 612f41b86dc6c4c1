"""The text side of the shipped CLIP as an encoder of answers."""

import numpy as np

from loupe.evals.metrics import measure
from loupe.evals.predictions import Prediction
from loupe.predictors.clip_text import ClipText
from loupe.regions import Box
from loupe.sample import Answer


def test_answers_are_like_their_class():
    encoder = ClipText("loupe/vision")
    classes = ("circle", "cross", "heart", "moon", "star", "triangle")
    table = encoder.similarity([f"a large red {name}" for name in classes] + ["star"], classes)
    assert table.shape == (7, 6) and (np.abs(table) <= 1.0001).all()
    assert table[6].argmax() == 4 and table[6, 4] > 0.999  # the same words
    one = Prediction("q", ("What?",), "star", Answer(("star",)), (), {
        "picture": "a", "box": Box(0, 0, 9, 9), "own": 0, "classes": classes,
        "truths": ({"picture": "a", "things": [{"name": "star", "box": Box(0, 0, 9, 9), "area": 81.0}]},)})
    scores = measure("classes", [one], {"encoder": encoder})
    assert scores["accuracy"] == scores["AP"] == 1 and not scores.remarks
