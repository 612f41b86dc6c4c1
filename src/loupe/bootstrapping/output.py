"""A finished run's files: all pairs, the records of those that are kept, and the manifest."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from tqdm import tqdm

from loupe.bootstrapping.filters import unreadable
from loupe.bootstrapping.pair import Candidate, Pair
from loupe.bootstrapping.rule import kept
from loupe.bootstrapping.settings import Rule
from loupe.bootstrapping.statistics import selection
from loupe.bootstrapping.stored import KIND, MANIFEST, PAIRS, RECORDS, VERSION, pairs_in, put, write_pairs
from loupe.errors import LoupeError
from loupe.origin import origin
from loupe.record import Phrase, Record
from loupe.writers import files
from loupe.writers.coco import file_name
from loupe.writers.records import Records

BOOTSTRAPPED = "bootstrapped"  # kind of the phrases written here
GONE = "record is not there any more"


def finish(out: Path, made: Mapping, rule: Rule, lines: Iterable[dict], reader: Sequence[Record]) -> None:
    """Write everything from the shards' lines; the manifest comes last, and one of another rule goes first."""
    (out / MANIFEST).unlink(missing_ok=True)
    counts = Counts()
    write_pairs(out / PAIRS, counts.pairs(lines))
    pairs = list(pairs_in(out / PAIRS))
    split = getattr(reader, "split", "") or "train"
    lost: Counter[str] = Counter()
    write_kept(out / RECORDS, split, reader, kept(pairs, rule), counts.positions, lost)
    put(out / MANIFEST, {"loupe": KIND, "version": VERSION, **made, **counts.plain(), **origin(),
                         "selection": selection(pairs, rule),
                         "records": {"folder": RECORDS, "split": split, "pairs left out": _sorted(lost)}})


class Counts:
    """Pictures and boxes by what became of them, summed while the pairs pass by."""

    def __init__(self):
        self.read = self.asked = self.boxes = self.described = 0
        self.pictures: Counter[str] = Counter()
        self.left_out: Counter[str] = Counter()
        self.unread: Counter[str] = Counter()
        self.positions: dict[str, int] = {}  # record id -> place in the reader

    def pairs(self, lines: Iterable[dict]) -> Iterator[dict]:
        for line in lines:
            self.read += 1
            self.boxes += line.get("boxes", 0)
            self.left_out.update(line.get("left_out", {}))
            if line.get("reason"):
                self.pictures[line["reason"]] += 1
            else:
                self.asked += 1
            for pair in line.get("pairs", ()):
                self.described += 1
                self.positions[pair["record"]] = line["picture"]
                first = pair["candidates"][0]
                if first.get("problem"):
                    self.unread[first["problem"]] += 1
                yield pair

    def plain(self) -> dict:
        return {"counts": {
            "pictures": {"read": self.read, "asked about": self.asked, "left out": _sorted(self.pictures)},
            "boxes": {"annotated": self.boxes, "described": self.described, "left out": _sorted(self.left_out),
                      "answers without a box": _sorted(self.unread)}}}


def _sorted(counter: Counter) -> dict[str, int]:
    return dict(sorted(counter.items()))


def write_kept(folder: Path, split: str, reader: Sequence[Record], pairs: Sequence[tuple[Pair, Candidate]],
               positions: Mapping[str, int], lost: Counter[str] | None = None) -> int:
    """folder/<split>.jsonl: whole records whose phrases are the kept descriptions; returns how many.

    Pictures stay where they are and are named relative to the folder; those that are no files are written. lost: counts
    the pairs whose record cannot be read any more, by reason.
    """
    lost = Counter() if lost is None else lost
    by_record: dict[str, list[tuple[Pair, Candidate]]] = {}
    for pair, candidate in pairs:
        by_record.setdefault(pair.record, []).append((pair, candidate))
    layout = Records(split, picture=lambda record: _place(record, folder))
    return files.write([layout], _records(by_record, reader, positions, folder, lost), folder, pictures=False)


def places(reader: Sequence[Record], wanted: set[str]) -> dict[str, int]:
    """{id of a record: its place in the reader}, of the wanted ones that can be read."""
    out = {}
    for place in range(len(reader)):  # iteration passes over what cannot be read, and places would shift
        try:
            id = reader[place].id
        except LoupeError:
            continue
        if id in wanted:
            out[id] = place
    return out


def _records(by_record: Mapping, reader: Sequence[Record], positions: Mapping[str, int], folder: Path,
             lost: Counter[str]) -> Iterator[Record]:
    for id, pairs in tqdm(by_record.items(), desc="records", unit="picture", delay=2, disable=None, leave=False):
        try:
            record = reader[positions[id]] if id in positions else None
        except LoupeError as error:  # it could be read when it was asked about
            lost[unreadable(error)] += len(pairs)
            continue
        if record is None or record.id != id:
            lost[GONE] += len(pairs)
            continue
        if record.image.path is None:
            files.picture(record, folder / _place(record, folder))
        yield replace(record, phrases=tuple(phrase(pair, candidate) for pair, candidate in pairs))


def phrase(pair: Pair, candidate: Candidate) -> Phrase:
    """The description with the annotated box, never the one that was found."""
    return Phrase(candidate.text, pair.box, True, pair.object, f"{pair.object}-b", BOOTSTRAPPED)


def _place(record: Record, folder: Path) -> str:
    if record.image.path is None:
        return f"images/{file_name(record)}"
    return Path(os.path.relpath(record.image.path, folder)).as_posix()
