"""Ways to say which object is meant inside a sentence: by a noun that fits it alone, or by its box."""

from __future__ import annotations

import numpy as np

from loupe.record import Object
from loupe.sample import Part, Regions
from loupe.tasks.view import View


def said(known: View, o: Object, rng: np.random.Generator, by_box: float, without: str = "") -> tuple[Part, ...] | None:
    """"the red star", or "the star at" and its box; None where neither means this object alone.

    by_box: share of boxes where there is a choice. without: a sort of look the words must not give away.
    """
    noun = known.noun(o, rng, without)
    if noun and (rng.random() >= by_box or not known.alone(o)):
        return (f"the {noun}",)
    return (f"the {o.name} at ", Regions((o.box,))) if known.alone(o) else None
