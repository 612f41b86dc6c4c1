"""A contact sheet: pictures of the world with some of their expressions drawn."""

from __future__ import annotations

from pathlib import Path

from PIL import Image as Pillow

from loupe.drawing import PALETTE, Mark, draw, save
from loupe.record import Record
from loupe.world.annotation import records
from loupe.world.spec import WORLDS

TILE, ACROSS, GAP = 384, 5, 6  # pixels, tiles, pixels


def preview(out: Path, seed: int, size: int | None = None, count: int = 20, world: str = "wide") -> Path:
    """Draw the first `count` training pictures, two expressions each; returns `out`."""
    down, size = -(-count // ACROSS), size or WORLDS[world].size
    sheet = Pillow.new("RGB", (ACROSS * (TILE + GAP) + GAP, down * (TILE + GAP) + GAP), "white")
    for k, record in enumerate(records(count, seed, size=size, world=world)):
        tile = draw(record.image, _marks(record), enlarge=max(1, TILE // size)).resize((TILE, TILE))
        sheet.paste(tile, (GAP + (k % ACROSS) * (TILE + GAP), GAP + (k // ACROSS) * (TILE + GAP)))
    return save(sheet, out)


def _marks(record: Record) -> list[Mark]:
    """A different kind of expression for each of at most two objects."""
    whole = [o.id for o in record.objects if o.part_of is None][:2]
    out = []
    for k, name in enumerate(whole):
        said = [p for p in record.phrases if p.refers and p.object == name]
        if said:
            phrase = said[min(len(said) - 1, 2 * k + 1)]
            out.append(Mark(phrase.region, phrase.text, PALETTE[k]))
    return out
