"""Tokenizers as they lie beside weights: a SentencePiece model alone, as Vicuna's, and none at all."""

from __future__ import annotations

import json
import struct
from pathlib import Path

import pytest

from loupe.errors import CheckpointError
from loupe.models.assembly import _installed, load_tokenizer

LETTERS = "▁abcdefghijklmnopqrstuvwxyz[].,:"
MERGED = ("▁t", "he", "▁the", "▁c", "at", "▁cat")
NORMAL, UNKNOWN, CONTROL, BYTE = 1, 2, 3, 6  # kinds of pieces
BPE = 2


def field(number: int, data: bytes) -> bytes:
    """A length-delimited field of a protocol buffer, shorter than 16 KiB."""
    size = bytes([len(data)]) if len(data) < 128 else bytes([len(data) & 127 | 128, len(data) >> 7])
    return bytes([number << 3 | 2]) + size + data


def sentencepiece_model() -> bytes:
    pieces = [("<unk>", UNKNOWN), ("<s>", CONTROL), ("</s>", CONTROL), *((f"<0x{b:02X}>", BYTE) for b in range(256))]
    pieces += [(text, NORMAL) for text in (*MERGED, *LETTERS)]
    told = (field(1, text.encode()) + b"\x15" + struct.pack("<f", -k) + bytes([0x18, kind])
            for k, (text, kind) in enumerate(pieces))
    return b"".join(field(1, piece) for piece in told) + field(2, bytes([0x18, BPE]))


def folder(place: Path) -> Path:
    (place / "config.json").write_text(json.dumps({"model_type": "llama", "vocab_size": 32000}))
    (place / "tokenizer_config.json").write_text(json.dumps({
        "tokenizer_class": "LlamaTokenizer", "bos_token": "<s>", "eos_token": "</s>", "unk_token": "<unk>"}))
    return place


def test_a_sentencepiece_model_alone(tmp_path):
    (folder(tmp_path) / "tokenizer.model").write_bytes(sentencepiece_model())
    if _installed("sentencepiece") and _installed("protobuf"):
        tokenizer = load_tokenizer(tmp_path)
        ids = tokenizer.encode("the cat:", add_special_tokens=False)
        assert tokenizer.convert_ids_to_tokens(ids) == ["▁the", "▁cat", ":"]
        assert tokenizer.backend_tokenizer.encode("a</s>", add_special_tokens=False).ids[-1] == 2
        return
    with pytest.raises(CheckpointError, match=r"SentencePiece.*no sentencepiece.*pip install 'loupe\[sentencepiece\]'"):
        load_tokenizer(tmp_path)


def test_no_vocabulary_at_all(tmp_path):
    """transformers makes a tokenizer of three entries then, to which every word is unknown."""
    with pytest.raises(CheckpointError, match="tokenizer"):
        load_tokenizer(folder(tmp_path))
