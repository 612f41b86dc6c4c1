"""Caption shards as img2dataset and webdataset write them: .tar files of a picture, its words and what is known of it.

A pair is the neighbouring members of one name: 000000012.jpg, 000000012.txt, 000000012.json. The shards stay closed:
only where each member lies is kept (44 bytes a pair), so pairs are read in any order.
"""

from __future__ import annotations

import hashlib
import json
import tarfile
from array import array
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import BinaryIO, NamedTuple

import numpy as np
from tqdm import tqdm

from loupe.errors import FileError
from loupe.image import MAX_BYTES, Image
from loupe.readers.base import Note, Reader, clipped_box, is_number, silent, words
from loupe.readers.pictures import ENDINGS
from loupe.readers.stream import missing_file
from loupe.record import Phrase, Record, Sentence
from loupe.regions import Box

BLOCK = 512  # bytes: of a header, and what members are filled up to
LONGEST = 1 << 20  # bytes a text member may take
TEXTS = (".txt", ".json")
SAID = ("caption", "captions", "text", "TEXT")  # where a .json says what a .txt would
KEPT = ("similarity", "clip_similarity_vitb32", "clip_similarity_vitl14", "sha256", "url")  # into Record.extra


class Member(NamedTuple):
    name: str
    at: int  # of its bytes in the file
    size: int


class Pair(NamedTuple):
    """Members of one name; those that are not there are None."""

    name: str
    picture: Member | None
    text: Member | None
    facts: Member | None


class Shards(Reader):
    """`Shards(root)`: every pair of root/*.tar; with a split, of root/<split>/*.tar or root/<split>*.tar.

    Damaged members, and pairs without picture or words, are counted and left out; the rest of their shard is read.
    GRIT's chunks and expressions (`noun_chunks`, `ref_exps`: span, box in shares of the picture, score) become phrases;
    an expression with one box refers; the caption with its chunks' boxes is a sentence. extra: the similarity that
    stands in the file. hash: of names, sizes and texts.
    """

    source = "webdataset"
    sized = False

    def __init__(self, root, split: str = "", *, files: str = "", least: float = 0.0, images=None,
                 missing: str = "drop"):
        """files: a pattern of other names below the root. least: pairs whose stated similarity is lower are counted and
        left out; those that state none stay."""
        super().__init__(root, split, images=images, missing=missing)
        self.least = least
        self.shards = self._found(files)
        self._at = {name: array("q") for name in ("shard", "picture", "text", "facts")}
        self._sizes = {name: array("i") for name in ("picture", "text", "facts")}
        usable = 0
        for number, path in enumerate(tqdm(self.shards, desc=f"shards of {self.root.name}", unit="shard", delay=2,
                                           disable=None, leave=False)):
            usable += self._scan(number, path)
        if not usable and self.problems:
            reason = next(iter(self.problems))
            raise FileError("no pair in any shard", got=f"{reason}: {self.examples[reason][0]}", where=self.root,
                            expected="tar files of NAME.jpg with NAME.txt or NAME.json", do="fetch the shards again")
        self._at = {name: np.array(places, np.int64) for name, places in self._at.items()}
        self._sizes = {name: np.array(sizes, np.int32) for name, sizes in self._sizes.items()}
        self._ready(len(self._at["shard"]))

    def _folders(self) -> list[Path]:
        return []

    def _found(self, files: str) -> list[Path]:
        patterns = [files] if files else [f"{self.split}/*.tar", f"{self.split}*.tar"] if self.split else ["*.tar"]
        if self.split == "train" and not files:
            patterns.append("*.tar")  # img2dataset names no split
        for pattern in patterns:
            found = sorted(path for path in self.root.glob(pattern) if path.is_file())
            if found:
                return found
        raise missing_file(self.root / patterns[0])

    def _scan(self, number: int, path: Path) -> int:
        """Note where the pairs of a shard lie; returns how many there were, usable or not."""
        digest, seen = hashlib.sha256(), set()
        try:
            with open(path, "rb") as file:
                for pair in pairs(members(file, path.name, self.note)):
                    where = f"{path.name}: {pair.name}"
                    if pair.name in seen:
                        self.note("name given twice in a shard", where)
                        continue
                    seen.add(pair.name)
                    if self._usable(pair, where, file, digest):
                        self._add(number, pair)
        except OSError as error:
            raise FileError("cannot read shard", got=error.strerror or error, where=path) from None
        self._digests[str(path.relative_to(self.root))] = digest.hexdigest()
        return len(seen)

    def _usable(self, pair: Pair, where: str, file: BinaryIO, digest) -> bool:
        if pair.picture is None:
            self.note("pair without a picture", where)
            return False
        if pair.picture.size > MAX_BYTES:
            self.note("picture file is too large", where)
            return False
        digest.update(f"{pair.name} {pair.picture.size}\n".encode())
        said = False
        for member in (pair.text, pair.facts):
            if member is not None and member.size <= LONGEST:
                text = _bytes(file, member.at, member.size)
                digest.update(text)
                said = said or bool(text.strip())
        if not said:
            self.note("pair without words", where)
            return False
        if self.least and pair.facts is not None and pair.facts.size <= LONGEST:
            score = similarity(_facts(_bytes(file, pair.facts.at, pair.facts.size), silent, where))
            if score is not None and score < self.least:
                self.note("less similar than asked for", f"{where}: {score:.3f}")
                return False
        return True

    def _add(self, number: int, pair: Pair) -> None:
        self._at["shard"].append(number)
        for name, member in (("picture", pair.picture), ("text", pair.text), ("facts", pair.facts)):
            there = member is not None and (name == "picture" or member.size <= LONGEST)
            self._at[name].append(member.at if there else 0)
            self._sizes[name].append(member.size if there else -1)

    def things(self, i: int) -> int:
        return 0

    def _record(self, i: int, note: Note) -> Record:
        path = self.shards[int(self._at["shard"][i])]
        try:
            with open(path, "rb") as file:
                picture, text, facts = (self._member(file, name, i) for name in ("picture", "text", "facts"))
                name = self._name(file, i)
        except OSError as error:
            raise FileError("cannot read shard", got=error.strerror or error, where=path) from None
        if picture is None:
            raise FileError("shard changed while it was in use", got="the end of the file", where=path,
                            do="open the reader again")
        where = f"{path.name}: {name}"
        image = Image(data=picture)
        width, height = image.size
        known = _facts(facts, note, where) if facts is not None else {}
        captions = _captions(text, known, note, where)
        shard = path.relative_to(self.root).with_suffix("").as_posix()
        return Record(image, width, height, f"{shard}/{name}", self.source, self.split, captions=captions,
                      phrases=phrases(known, width, height, note, where), sentences=sentences(known, width, height),
                      extra={key: known[key] for key in KEPT if key in known})

    def _member(self, file: BinaryIO, name: str, i: int) -> bytes | None:
        size = int(self._sizes[name][i])
        found = _bytes(file, int(self._at[name][i]), size) if size >= 0 else None
        return found if found is not None and len(found) == size else None

    def _name(self, file: BinaryIO, i: int) -> str:
        """From the picture's own header; a long name stands before it."""
        at = int(self._at["picture"][i])
        return next((stem(found.name)[0] for found in members(file, "", silent, max(0, at - 8 * BLOCK), at + 1)
                     if found.at == at), str(i))


def members(file: BinaryIO, shard: str, note: Note, begin: int = 0, end: int | None = None) -> Iterator[Member]:
    """Every whole file of a tar archive from byte `begin` on, past what is damaged; what was lost is noted."""
    size = file.seek(0, 2)
    at, long_name, lost, ended = begin, "", False, False
    while at + BLOCK <= size and (end is None or at < end):
        block = _bytes(file, at, BLOCK)
        if not block.strip(b"\0"):
            at, ended, lost = at + BLOCK, True, False
            continue
        info = _header(block)
        if info is None or info.size < 0 or at + BLOCK + info.size > size:
            if not lost:
                cut = info is not None and info.size > 0
                note("member is cut off" if cut else "member is damaged", f"{shard}: byte {at}")
            at, lost, long_name = at + BLOCK, True, ""
            continue
        lost = ended = False
        data, at = at + BLOCK, at + BLOCK + -(-info.size // BLOCK) * BLOCK
        if info.type in (tarfile.GNUTYPE_LONGNAME, tarfile.XHDTYPE):
            long_name = _long(info.type, _bytes(file, data, min(info.size, LONGEST))) or long_name
        elif info.isreg():
            yield Member(_plain(long_name or info.name), data, info.size)
            long_name = ""
        else:
            long_name = ""
    if end is None and not ended:
        note("shard without its end: something may be missing", f"{shard}: {size} bytes")


def pairs(found: Iterator[Member]) -> Iterator[Pair]:
    """Neighbours of one name. Of several pictures the first counts; other kinds of members are passed over."""
    name, have = None, {}
    for member in found:
        key, ending = stem(member.name)
        if key != name:
            if have:
                yield _pair(name, have)
            name, have = key, {}
        have.setdefault("picture" if ending in ENDINGS else ending, member)
    if have:
        yield _pair(name, have)


def _pair(name: str, have: dict[str, Member]) -> Pair:
    return Pair(name, have.get("picture"), *(have.get(ending) for ending in TEXTS))


def stem(name: str) -> tuple[str, str]:
    """("folder/000012", ".jpg"): the name ends at the first dot of its last part."""
    path = PurePosixPath(name)
    head, dot, ending = path.name.partition(".")
    return (path.parent / head).as_posix(), f"{dot}{ending}".lower()


def similarity(known: dict) -> float | None:
    """What the file says of how well words and picture fit."""
    found = (known.get(key) for key in KEPT[:3])
    return next((float(value) for value in found if type(value) in (int, float) and abs(value) <= 100), None)


def phrases(known: dict, width: int, height: int, note: Note, where: str) -> tuple[Phrase, ...]:
    """GRIT's spans of the caption with their boxes."""
    caption, out = known.get("caption"), []
    if not isinstance(caption, str):
        return ()
    for key, kind in (("noun_chunks", "chunk"), ("ref_exps", "expression")):
        lines = known.get(key)
        spans = [line for line in lines if _is_span(line, caption)] if isinstance(lines, list) else []
        if lines and len(spans) != len(lines if isinstance(lines, list) else [lines]):
            note(f"{key} of another form", where)
        of = [(int(line[0]), int(line[1])) for line in spans]
        for span, line in zip(of, spans):
            text, box = words(caption[slice(*span)]), _box(line, width, height, note, where)
            if text and box is not None:
                out.append(Phrase(text, box, kind == "expression" and of.count(span) == 1, id=str(len(out)), kind=kind))
    return tuple(out)


def sentences(known: dict, width: int, height: int) -> tuple[Sentence, ...]:
    """GRIT's caption with the boxes of its noun chunks, which phrases() counts; of chunks that overlap the first."""
    caption, lines = known.get("caption"), known.get("noun_chunks")
    meant: dict[tuple[int, int], tuple[Box, ...]] = {}
    for line in lines if isinstance(caption, str) and isinstance(lines, list) else ():
        if _is_span(line, caption) and (box := _box(line, width, height, silent, "")) is not None:
            meant[int(line[0]), int(line[1])] = (*meant.get((int(line[0]), int(line[1])), ()), box)
    pieces, at = [], 0
    for (start, end), boxes in sorted(meant.items()):
        if start >= at:
            pieces += [(caption[at:start], ()), (caption[start:end], boxes)]
            at = end
    pieces = [(_plain(text), boxes) for text, boxes in [*pieces, (caption[at:], ())] if text] if pieces else []
    return (Sentence(tuple(pieces)),) if pieces else ()


def _box(line: list, width: int, height: int, note: Note, where: str) -> Box | None:
    """Of [start, end, x1, y1, x2, y2, ...], the corners in shares of the picture."""
    x1, y1, x2, y2 = line[2] * width, line[3] * height, line[4] * width, line[5] * height
    return clipped_box(x1, y1, x2 - x1, y2 - y1, width, height, note, where)


def _is_span(line: object, caption: str) -> bool:
    return (isinstance(line, list) and len(line) >= 6 and all(map(is_number, line[:6]))
            and 0 <= line[0] < line[1] <= len(caption))


def _captions(text: bytes | None, known: dict, note: Note, where: str) -> tuple[str, ...]:
    said = text.decode("utf-8", "replace") if text is not None else ""
    if "\N{REPLACEMENT CHARACTER}" in said:
        note("text is not UTF-8", where)
    found = [said] if words(said) else next((known[key] for key in SAID if known.get(key)), [])
    lines = [words(line) for line in (found if isinstance(found, list) else [found])]
    if not any(lines):
        note("pair without words", where)
    return tuple(dict.fromkeys(_plain(line) for line in lines if line))


def _facts(data: bytes, note: Note, where: str) -> dict:
    try:
        known = json.loads(data)
    except (ValueError, RecursionError):
        note(".json is no JSON", where)
        return {}
    if not isinstance(known, dict):
        note(".json is no object", where)
        return {}
    return known


def _header(block: bytes) -> tarfile.TarInfo | None:
    """None of a block that is no header."""
    try:
        return tarfile.TarInfo.frombuf(block, "utf-8", "surrogateescape")
    except (tarfile.HeaderError, ValueError):
        return None


def _long(kind: bytes, data: bytes) -> str:
    """The name of the next member, from GNU's or pax's member that holds it."""
    if kind == tarfile.GNUTYPE_LONGNAME:
        return data.rstrip(b"\0").decode("utf-8", "replace")
    for line in data.split(b"\n"):
        _, _, fact = line.partition(b" ")
        if fact.startswith(b"path="):
            return fact[len(b"path="):].decode("utf-8", "replace")
    return ""


def _plain(text: str) -> str:
    """Without halves of letters, which no file could be written with."""
    return text.encode("utf-8", "replace").decode()


def _bytes(file: BinaryIO, at: int, size: int) -> bytes:
    file.seek(at)
    return file.read(size)
