"""Training files of other toolkits: conversations whose regions stand in the words, or in a list beside them.

Each entry is {"image" or "images", "conversations": [{"from", "value"}, ...]} (LLaVA, LLaMA-Factory's sharegpt) or
{"images", "messages": [{"role", "content"}, ...]} (ms-swift, `loupe export --form messages`); with ms-swift's
"objects": {"ref": [...], "bbox": [...], "bbox_type"} for the "<ref-object>" and "<bbox>" in its words.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from loupe.codec import codec as codec_of
from loupe.errors import ConfigError, RegionError
from loupe.frame import Frame
from loupe.framing import WHOLE, Framing
from loupe.readers.base import MOST_PIXELS, Note, clipped_box, clipped_ring, is_number
from loupe.readers.entries import Entries, key_text, value_of
from loupe.readers.llava import handle, same_picture, texts_of
from loupe.readers.pictures import COCO_FOLDERS, coco_names, usual_folders
from loupe.readers.stream import Piece
from loupe.record import Record, Turns
from loupe.regions import Box, Point, Region
from loupe.sample import Colour, Found

_fence = re.compile(r"```(?:json)?\s*(.*?)\s*```", re.DOTALL)
_bare = re.compile(r"<\|object_ref_start\|>([^<]*)<\|object_ref_end\|>(?!<\|box_start)"
                   r"|<ref>([^<]*)</ref>(?!\s*<box>)|<p>([^<]*)</p>(?!\s*\{)")  # a name without its region is words
_placeholder = re.compile(r"(<ref-object>|<bbox>)")
OUT = "dialogue with a region that is none, left out"


@dataclass
class _Talk:
    """The texts of one dialogue while its regions become handles."""

    texts: tuple[str, ...]
    width: int
    height: int
    key: str
    note: Note
    known: dict[Region, str] = field(default_factory=dict)
    tied: dict[tuple[str, str], None] = field(default_factory=dict)

    def handle(self, region: Region | None) -> str | None:
        """The handle of a region, cut to the picture; None where nothing of it is there."""
        if region is None:
            return None
        if region not in self.known:
            self.known[region] = handle(len(self.known) + 1, self.texts)
        return self.known[region]

    def out(self, reason: str, example: object) -> None:
        self.note(f"{OUT}: {reason}", f"entry {self.key}: {example}")


class Conversations(Entries):
    """`Conversations(root, file="train.json", codec="qwen2.5-vl")`: a JSON list, or lines if it ends in .jsonl.

    codec: how regions stand in the words (a name in CODECS); "": they do not. frame: what the coordinates are of, one
    of FRAMES or "whole", by default the codec family's own; min_pixels and max_pixels: of "smart-resize", the settings
    the file was made for. picture: the key that says which picture where it is neither "image" nor "images" ("id" in
    MiniGPT-v2's multi-task conversations). A tied name ("label") stands before its region, and `Turns.tied` says so. A
    dialogue with a coordinate that cannot be read is left out whole and counted: nothing is guessed.
    """

    source = "conversations"
    sized = False
    arrays = ("data",)
    layout = ('entries {"image" or "images", "conversations": [{"from", "value"}, ...] or '
              '"messages": [{"role", "content"}, ...]}, a JSON list or (.jsonl) one a line')

    def __init__(self, root, split: str = "", *, codec: str = "", frame: str = "", min_pixels: int = Framing.least,
                 max_pixels: int = Framing.most, picture: str = "", **options):
        self.key = picture
        self.codec = codec_of(codec) if codec else None
        if not codec and frame:
            raise ConfigError("a frame without a codec means nothing", got=f"frame={frame!r}", do="give codec=, too")
        self.framing = Framing(frame or (self.codec and self.codec.frame) or WHOLE, least=min_pixels, most=max_pixels)
        super().__init__(root, split, **options)

    def _usual_files(self) -> list[Path]:
        return [self.root / f"{self.split or 'train'}.{ending}" for ending in ("jsonl", "json")]

    def _folders(self) -> list[Path]:
        return [*usual_folders(self.root, (self.split, *COCO_FOLDERS), ("coco",)), Path("/")]  # for whole paths

    def _picture(self, piece: Piece) -> str | None:
        entry = value_of(piece)
        if not isinstance(entry, dict) or not isinstance(entry.get("conversations", entry.get("messages")), list):
            self._odd(piece)
            return None
        named = entry.get("images", entry.get("image")) or key_text(entry.get(self.key))
        named = [named] if isinstance(named, str) and named else named or []
        if len(named) != 1 or not isinstance(named[0], str) or not named[0]:
            self.note("entry with several pictures" if named else "entry without a picture", f"byte {piece.at}")
            return None
        return named[0]

    def _names(self, picture: str) -> tuple[str, ...]:
        return coco_names(picture)

    def _ids(self, picture: str) -> dict[str, int]:
        return same_picture(picture)

    def _record(self, i: int, note: Note) -> Record:
        number, picture, image = self._opened(i)
        width, height = image.size
        said = [self._turns(entry, str(entry.get("id", k)), width, height, note)
                for k, entry in enumerate(self.entries(number))]
        return Record(image, width, height, picture, self.source, self.split, extra=same_picture(picture),
                      dialogues=tuple(turns for turns in said if turns))

    def _turns(self, entry: dict, key: str, width: int, height: int, note: Note) -> Turns | None:
        talk = _Talk(texts_of(as_llava(entry, note), note), width, height, key, note)
        texts = self._listed(talk, entry["objects"]) if talk.texts and entry.get("objects") else talk.texts
        if self.codec is not None and texts:
            texts = self._spelled(talk, texts)
        regions = tuple((name, region) for region, name in talk.known.items())
        return Turns(texts, key, regions, tuple(talk.tied)) if texts else None

    # -- regions in the words

    def _spelled(self, talk: _Talk, texts: tuple[str, ...]) -> tuple[str, ...]:
        """The texts with handles for what the codec reads; () where it cannot read all."""
        try:
            frame = self.framing.frame(talk.width, talk.height)
        except RegionError as error:
            talk.out("picture has no such frame", error)
            return ()
        read = [self._said(talk, text, frame) for text in texts]
        return tuple(text for text in read if text is not None) if None not in read else ()

    def _said(self, talk: _Talk, text: str, frame: Frame) -> str | None:
        text = _bare.sub(lambda m: next(name for name in m.groups() if name is not None), _fence.sub(r"\1", text))
        parsed = self.codec.parse(text, frame)
        if parsed.problems:
            talk.out(parsed.problems[0].kind, parsed.problems[0].text)
            return None
        out, phrase, spans = "", None, iter(parsed.spans)
        for part in parsed.parts:
            if isinstance(part, str):
                out, phrase = out + part, phrase if not part else None  # "": groups that touch
                continue
            start, end = next(spans)
            if isinstance(part, Colour):
                out, phrase = out + text[start:end], None
                continue
            name = talk.handle(inside(part.region, talk, text[start:end]))
            if name is None:
                talk.out("nothing of it in the picture", text[start:end])
                return None
            out, phrase = out + _between(phrase, part) + name, part.phrase
            if phrase:
                talk.tied[name, phrase] = None
        return out

    # -- regions in a list

    def _listed(self, talk: _Talk, objects) -> tuple[str, ...]:
        """The texts with ms-swift's placeholders filled in order of their lists; () where these do not fit."""
        refs, boxes, kind = ((objects.get("ref") or [], objects.get("bbox") or [], objects.get("bbox_type") or "real")
                             if isinstance(objects, dict) else ([], None, ""))
        marks = [mark for text in talk.texts for mark in _placeholder.findall(text)]
        if (not isinstance(boxes, list) or not isinstance(refs, list) or kind not in ("real", "norm1")
                or marks.count("<bbox>") != len(boxes) or marks.count("<ref-object>") > len(refs)):
            talk.out("objects do not fit the words", str(objects)[:80])
            return ()
        scale = (talk.width, talk.height) if kind == "norm1" else (1, 1)
        names = [talk.handle(listed(box, scale, talk)) for box in boxes]
        if None in names:
            talk.out("box of objects is none in the picture", str(boxes)[:80])
            return ()
        fill = {"<bbox>": iter(names), "<ref-object>": map(str, refs)}
        return tuple("".join(self._filled(talk, _placeholder.split(text), fill)) for text in talk.texts)

    @staticmethod
    def _filled(talk: _Talk, pieces: list[str], fill: Mapping[str, Iterator[str]]) -> list[str]:
        """Words, mark, words, ..., words with what the marks stand for; a name right before its box is tied to it."""
        out = [next(fill[piece]) if k % 2 else piece for k, piece in enumerate(pieces)]
        for k in range(3, len(pieces), 2):
            if (pieces[k - 2], pieces[k - 1].strip(), pieces[k]) == ("<ref-object>", "", "<bbox>"):
                out[k - 1] = " "
                talk.tied[out[k], out[k - 2]] = None
        return out


def as_llava(entry: dict, note: Note) -> dict:
    """The entry with LLaVA's keys; a system message is counted and left out."""
    said = entry.get("conversations", entry.get("messages"))
    turns = [{"from": t.get("from", t.get("role")), "value": t.get("value", t.get("content"))} if isinstance(t, dict)
             else t for t in said]
    if turns and isinstance(turns[0], dict) and turns[0]["from"] == "system":
        note("system message left out", f"entry {entry.get('id')}")
        turns = turns[1:]
    return {"id": entry.get("id"), "conversations": turns}


def inside(region: Region, talk: _Talk, example: str) -> Region | None:
    """The region cut to the picture; None, counted, where nothing is left."""
    if isinstance(region, Point):
        return region if 0 <= region.x <= talk.width and 0 <= region.y <= talk.height else None
    if isinstance(region, Box):
        return clipped_box(region.x1, region.y1, region.width, region.height, talk.width, talk.height, talk.note,
                           f"entry {talk.key}: {example}")
    return clipped_ring([list(p) for p in region.points], talk.width, talk.height, talk.note, f"entry {talk.key}")


def listed(numbers, scale: tuple[int, int], talk: _Talk) -> Region | None:
    """Two numbers as a point, four as a box, multiplied by `scale`."""
    if not isinstance(numbers, list) or len(numbers) not in (2, 4) or not all(map(is_number, numbers)):
        return None
    flat = [v * scale[k % 2] for k, v in enumerate(numbers)]
    if max(map(abs, flat)) > MOST_PIXELS or (len(flat) == 4 and (flat[0] > flat[2] or flat[1] > flat[3])):
        return None
    return inside(Point(*flat) if len(flat) == 2 else Box(*flat), talk, str(numbers))


def _between(phrase: str | None, found: Found) -> str:
    """What stands before a region: its name, once for neighbours that share it; `phrase` None: none stands before."""
    if phrase is None:
        return f"{found.phrase} " if found.phrase else ""
    return " " if phrase == found.phrase else f", {found.phrase} " if found.phrase else ", "
