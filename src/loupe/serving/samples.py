"""Sample pictures, drawn by the world: what the shipped miniature knows."""

from __future__ import annotations

from functools import cache

COUNT, SEED, SIZE = 12, 7, 96


@cache
def samples() -> dict[str, bytes]:
    """Name -> file, JPEG or PNG as the world writes it."""
    from loupe.world import records

    drawn = records(COUNT, SEED, "val", size=SIZE, world="mini")
    return {f"sample-{k + 1}": record.image.bytes() for k, record in enumerate(drawn)}
