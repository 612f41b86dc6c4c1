"""Spatial text and captions as ids for the MQ-Former: which marks begin them, which object each token belongs to."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, fields

import torch
from torch import Tensor

from loupe.errors import CheckpointError
from loupe.models.tokenizer import train_tokenizer

ADDED = ("[DEC]", "[BOS]", "[MLM]")  # in BLIP-2's place the first, then ours
KNOWN = ("[PAD]", "[CLS]", "[SEP]", "[MASK]")  # BERT's own


@dataclass(frozen=True)
class Marks:
    """Ids of the marks: a caption is [CLS] words [SEP], a spatial text [BOS] objects; [DEC] and [MLM] take the place
    of the first mark in ICG and MSP (§3.2)."""

    pad: int
    cls: int
    sep: int
    mask: int
    dec: int
    bos: int
    mlm: int

    @classmethod
    def of(cls, tokenizer) -> Marks:
        """Adds [DEC], [BOS] and [MLM] to a BERT tokenizer that lacks them."""
        tokenizer.add_special_tokens({"additional_special_tokens": list(ADDED)})
        ids = tokenizer.convert_tokens_to_ids([*KNOWN, *ADDED])
        unknown = [t for t, k in zip(KNOWN, ids) if k is None or tokenizer.convert_ids_to_tokens(k) != t]
        if unknown:
            raise CheckpointError("the MQ-Former reads with a BERT tokenizer", got=f"none of {', '.join(unknown)}",
                                  expected=", ".join(KNOWN), do="name bert-base-uncased or one made like it")
        return cls(*ids)


def learnt(texts: Iterable[str], size: int, tokens: Sequence[str] = ()):
    """A tokenizer with BERT's marks of at most `size` entries, the added ones included; `tokens` are never split."""
    return train_tokenizer(texts, size - len(ADDED), (*KNOWN, *tokens))


@dataclass(frozen=True)
class Texts:
    """Of n pictures; padded behind."""

    spatial: Tensor  # [n, S] int64, from [BOS]
    spatial_real: Tensor  # [n, S] bool
    owner: Tensor  # [n, S] int64: number of the object whose tag or numbers a token is of, else -1
    caption: Tensor  # [n, C] int64, from [CLS] to [SEP]
    caption_real: Tensor  # [n, C] bool
    spatial_key: Tensor  # [n] int64: equal for equal texts
    caption_key: Tensor  # [n] int64

    def to(self, device) -> Texts:
        return Texts(*(getattr(self, f.name).to(device, non_blocking=True) for f in fields(self)))


def read(tokenizer, marks: Marks, objects: Sequence[Sequence[str]], captions: Sequence[str], syntax: Sequence[str] = (),
         longest: int = 512) -> tuple[Texts, int]:
    """(texts, how many objects and captions did not fit). `objects`: each picture's, each written by the codec;
    `syntax`: its marks (codec.marks), which belong to no object. Objects that do not fit are left out whole."""
    spatial, owner, said, lost = [], [], [], 0
    for things in objects:
        ids, whose = [marks.bos], [-1]
        for number, thing in enumerate(things):
            more, mine = _thing(tokenizer, thing, syntax)
            if len(ids) + len(more) > longest:
                lost += len(things) - number
                break
            ids += more
            whose += [number if m else -1 for m in mine]
        spatial.append(ids)
        owner.append(whose)
    for text in captions:
        ids = tokenizer.encode(text, add_special_tokens=False)
        lost += len(ids) > longest - 2
        said.append([marks.cls, *ids[:longest - 2], marks.sep])
    rows, real = _padded(spatial, marks.pad)
    words, said_real = _padded(said, marks.pad)
    keys = [torch.tensor([_key(row) for row in table]) for table in (spatial, said)]
    return Texts(rows, real, _padded(owner, -1)[0], words, said_real, *keys), lost


def _thing(tokenizer, text: str, syntax: Sequence[str]) -> tuple[list[int], list[bool]]:
    """(ids, is it of tag or numbers?)."""
    pieces = re.split(f"({'|'.join(map(re.escape, syntax))})", text) if syntax else [text]
    ids, mine = [], []
    for piece in pieces:
        more = tokenizer.encode(piece, add_special_tokens=False) if piece.strip() else []
        ids += more
        mine += [piece not in syntax] * len(more)
    return ids, mine


def _padded(rows: list[list[int]], fill: int) -> tuple[Tensor, Tensor]:
    """([n, longest], which are real)."""
    longest = max(map(len, rows), default=0)
    real = torch.arange(longest) < torch.tensor([len(row) for row in rows])[:, None]
    return torch.tensor([[*row, *[fill] * (longest - len(row))] for row in rows], dtype=torch.int64), real


def _key(ids: list[int]) -> int:
    """Of 63 bits, the same in every process."""
    return int.from_bytes(hashlib.sha256(str(ids).encode()).digest()[:8], "big") >> 1
