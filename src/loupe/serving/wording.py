"""Questions behind the region endpoints, in the fixed wordings of the tasks."""

from __future__ import annotations

from loupe.regions import Region
from loupe.sample import Sample, Turn
from loupe.serving.pictures import Picture
from loupe.tasks import question

STYLES = {"short": ("description", None), "full": ("region", "all"), "name": ("region", "name")}
ABOUT = {"name": ("region", "name"), "text": ("reading", "read"), "colour": ("region", "colour"),
         "size": ("region", "size"), "texture": ("region", "texture")}


def describe(picture: Picture, region: Region, style: str | None) -> Sample:
    return _asked(picture, *STYLES[style or "short"], region=region)


def about(picture: Picture, region: Region, what: str) -> Sample:
    return _asked(picture, *ABOUT[what], region=region)


def locate(picture: Picture, phrase: str) -> Sample:
    return _asked(picture, "grounding", None, phrase=phrase)


def present(picture: Picture, phrase: str) -> Sample:
    """Is it there at all?"""
    return _asked(picture, "presence", None, thing=phrase)


def _asked(picture: Picture, task: str, kind: str | None, **fields) -> Sample:
    turn: Turn = question(task, kind=kind, **fields)
    return Sample((picture.image,), (turn,), task)
