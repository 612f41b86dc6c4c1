"""The miniature world: small deterministic pictures whose every pixel, word and relation is known."""

from loupe.world.annotation import VOCABULARY, record, records
from loupe.world.layout import JUDGING, worlds, write, write_judging
from loupe.world.scene import Scene, make
from loupe.world.spec import WORLDS, WorldSpec

__all__ = ["JUDGING", "VOCABULARY", "WORLDS", "Scene", "WorldSpec", "make", "record", "records", "worlds", "write",
           "write_judging"]
