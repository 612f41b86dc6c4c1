"""Photos of the user's own: rows learn from some of them, columns ask about others, and both are left out without them.

Any source or benchmark of the folder "photos" means them. DATA/photos.json says where they lie, so that every process
and every later command means the same ones.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from pathlib import Path

from loupe.errors import ConfigError, FileError
from loupe.readers import reader
from loupe.reproduce.experiment import Column
from loupe.training.recipe import Recipe
from loupe.writers.files import atomic

FOLDER, FILE = "photos", "photos.json"
LEAST = 10  # photos


def give(folder: Path, data: Path) -> str:
    """Keeps which photos these are; what to say of them. Others than those known to DATA are refused."""
    records = reader("pictures")(Path(folder).expanduser().resolve())
    if len(records) < LEAST:
        raise ConfigError("too few photos to learn from some and ask about others", got=len(records),
                          expected=f"{LEAST} or more", where=folder)
    known = _known(data)
    if known and known["hash"] != records.hash:
        raise ConfigError("these are not the photos this data was made with", got=folder, expected=known["folder"],
                          where=data / FILE, do="give another --data and --work, or those photos")
    data.mkdir(parents=True, exist_ok=True)
    with atomic(data / FILE) as file:
        file.write(json.dumps({"folder": str(records.root), "photos": len(records), "hash": records.hash}).encode())
    return f"{len(records)} photos in {records.root}"


def roots(data: Path) -> dict[str, Path]:
    """{"photos": the folder}, empty where none was given."""
    known = _known(data)
    return {FOLDER: Path(known["folder"])} if known else {}


def missing(columns: Iterable[Column], data: Path) -> str:
    """Why these cannot be measured here; "" where they can."""
    wanted = any(getattr(column.benchmark, "folder", "") == FOLDER for column in columns)
    if not wanted or _known(data):
        return ""
    return str(ConfigError("photos are learnt from and asked about", got="no photos", do="give some: --photos DIR"))


def drawn(recipe: Recipe, where: Mapping[str, Path], pictures: int) -> tuple[Recipe, dict]:
    """A source of photos is drawn `weight` times as often as one of so many pictures, however few they are. The second
    is what the log says of them."""
    facts = {}
    for stage in recipe.stages:
        for source in stage.mixture.sources:
            if source.folder != FOLDER:
                continue
            if FOLDER not in where:
                raise FileError("a row learns from photos and there are none", got="no --photos", where=recipe.name)
            records = reader(source.reader)(where[FOLDER], source.split, **source.options)
            weight = source.weight * pictures / len(records)
            recipe = recipe.change(f"stages.{stage.name}.mixture.sources.{source.name}.weight={weight:.9g}")
            facts = {"photos": {"pictures": len(records), "hash": records.hash}}
    return recipe, facts


def _known(data: Path) -> dict | None:
    try:
        known = json.loads((data / FILE).read_text("utf-8"))
    except FileNotFoundError:
        return None
    except ValueError as error:
        raise FileError("cannot read which photos were given", got=error, where=data / FILE,
                        do="delete it and give --photos again") from None
    return known
