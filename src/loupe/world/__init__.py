"""The miniature world: small deterministic pictures whose every pixel, word and relation is known."""

from loupe.world.annotation import VOCABULARY, record, records
from loupe.world.layout import write
from loupe.world.scene import Scene, make

__all__ = ["VOCABULARY", "Scene", "make", "record", "records", "write"]
