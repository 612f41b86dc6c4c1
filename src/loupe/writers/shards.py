"""Caption shards as img2dataset writes them: tar files of NAME.jpg, NAME.txt, NAME.json."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from pathlib import Path
from zlib import crc32

from loupe.record import Record
from loupe.regions import Box
from loupe.writers.files import Document, Entry, write
from loupe.writers.numbers import number

PNG = b"\x89PNG"  # how such a file begins
SHARDS = 4  # files one data set is dealt out to


class Shards:
    """A record's first caption with its picture; records without one are left out. The picture stands in the shard.

    spans: phrases that stand word for word in the caption are written too, as GRIT's expressions with their boxes.
    """

    def __init__(self, under: str = "", spans: bool = False, shards: int = SHARDS):
        self.under, self.spans = under, spans
        self.documents = tuple(Document(f"{under}{k:05d}.tar", tarred=True) for k in range(shards))

    def pictures(self, record: Record) -> Iterator[str]:
        return iter(())

    def entries(self, record: Record) -> Iterator[Entry]:
        if record.captions and record.captions[0].strip():
            path = self.documents[crc32(record.id.encode()) % len(self.documents)].path
            for pair in pair_of(record, record.captions[0], f"{number(record.id):09d}", self.spans):
                yield path, "", pair


def pair_of(record: Record, caption: str, key: str, spans: bool = False, **facts) -> Iterator[tuple[str, bytes]]:
    """The three members of a picture and its words; facts: what else the .json says."""
    data = record.image.bytes()
    known = {"caption": caption, "key": key, "status": "success", "width": record.width, "height": record.height,
             "original_width": record.width, "original_height": record.height, **facts}
    if spans:
        known |= {"noun_chunks": [], "ref_exps": spans_of(record, caption)}
    yield f"{key}.{'png' if data.startswith(PNG) else 'jpg'}", data
    yield f"{key}.txt", caption.encode()
    yield f"{key}.json", json.dumps(known, ensure_ascii=False).encode()


def spans_of(record: Record, caption: str) -> list[list[float]]:
    """[start, end, x1, y1, x2, y2, score], the box in shares of the picture."""
    out, w, h = [], record.width, record.height
    for phrase in record.phrases:
        at = caption.lower().find(phrase.text.lower())
        if at >= 0 and isinstance(phrase.region, Box):
            x1, y1, x2, y2 = phrase.region.xyxy
            out.append([at, at + len(phrase.text), x1 / w, y1 / h, x2 / w, y2 / h, 1.0])
    return out


def write_shards(records: Iterable[Record], root: Path | str, *, spans: bool = False, shards: int = SHARDS) -> int:
    """Write root/00000.tar and its neighbours; returns the number of records read."""
    return write([Shards(spans=spans, shards=shards)], records, root)
