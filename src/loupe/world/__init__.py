"""The miniature world: small deterministic pictures whose every pixel, word and relation is known."""

from loupe.world.annotation import VOCABULARY, record, records
from loupe.world.layout import write
from loupe.world.scene import Scene, make
from loupe.world.spec import WORLDS, WorldSpec

__all__ = ["VOCABULARY", "WORLDS", "Scene", "WorldSpec", "make", "record", "records", "write"]
