"""Caption shards: pairs by name, in any order, past what is damaged; everything lost is counted."""

from __future__ import annotations

import json
import pickle
import tarfile

import numpy as np
import pytest
from instruction_layouts import caption, pixels, shard, shards

from loupe.errors import FileError, ImageError, LoupeError
from loupe.readers import reader
from loupe.readers.shards import Shards, members, stem
from loupe.record import Phrase, Sentence
from loupe.regions import Box
from loupe.tasks import task


def test_pairs_in_any_order_and_what_stands_in_them(tmp_path):
    records = reader("webdataset")(shards(tmp_path))
    assert [r.id for r in records] == ["00000/000000000", "00000/000000001", "00001/000010000"]
    assert [r.captions for r in records] == [("A cup",), ("Ein Café",), ("A dog in a field",)]
    assert records[2] == list(records)[2] == pickle.loads(pickle.dumps(records))[-1]
    assert records[0].image.size == (40, 30) == (records[0].width, records[0].height)
    assert records[0].extra == {"similarity": 0.31} and not records.problems and hash(records[1].image)
    for wrong in (3, -4):
        with pytest.raises(IndexError):
            records[wrong]


def test_spans_with_boxes_are_phrases(tmp_path):
    """0.25, 0.2, 0.5, 0.6 of 40 x 30 pixels; the same box twice, so the expression with one box refers."""
    made = Shards(shards(tmp_path))[2]
    box = Box(10.0, 6.0, 20.0, 18.0)
    assert made.phrases == (Phrase("A dog", box, False, None, "0", "chunk"),
                            Phrase("A dog in a field", box, True, None, "1", "expression"))
    assert [s.extra["truth"] for s in task("grounding", phrases="refers").every(made)] == [box]
    assert made.sentences == (Sentence((("A dog", (box,)), (" in a field", ()))),)
    twice = [[0, 5, 0.0, 0.0, 0.5, 0.5, 0.9], [0, 5, 0.5, 0.5, 1.0, 1.0, 0.9], ["x", 5, 0, 0, 1, 1, 1],
             [0, 99, 0, 0, 1, 1]]
    records = Shards(shard(tmp_path / "b/0.tar", caption("a", "A dog", ref_exps=twice)).parent)
    assert [p.refers for p in records[0].phrases] == [False, False] and records.problems == {
        "ref_exps of another form": 1}


def test_chunks_of_a_caption_make_a_sentence(tmp_path):
    """In any order; several boxes of one chunk; what overlaps an earlier one, and boxes that are none, are left out."""
    chunks = [[11, 16, 0, 0, 0.5, 0.5, 1], [0, 6, 0, 0, 0.25, 1, 1], [0, 6, 0.5, 0, 1, 1, 1], [4, 8, 0, 0, 1, 1, 1],
              [7, 10, 0.5, 0.5, 0.5, 1, 1]]
    made = Shards(shard(tmp_path / "0.tar", caption("a", "Two men and a dog", noun_chunks=chunks)).parent)[0]
    (sentence,) = made.sentences
    assert sentence.text == "Two men and a dog" and sentence.pieces == (
        ("Two me", (Box(0, 0, 10, 30), Box(20, 0, 40, 30))), ("n and", ()), (" a do", (Box(0, 0, 20, 15),)), ("g", ()))
    bare = Shards(shard(tmp_path / "b/0.tar", caption("a", "A dog", noun_chunks=[7, None])).parent)[0]
    assert bare.sentences == () and bare.phrases == ()


def test_real_grit_line(shared_data, tmp_path):
    facts = json.loads((shared_data / "formats/grit/grit_sample1.jsonl").read_text().splitlines()[0])
    root = shard(tmp_path / "0.tar", [("0.png", pixels()), ("0.json", json.dumps(facts).encode())]).parent
    (sentence,) = Shards(root)[0].sentences
    assert [text for text, boxes in sentence.pieces if boxes] == ["a wire hanger", "a paper cover"]
    assert sentence.text == facts["caption"]


@pytest.mark.parametrize("kind", [tarfile.GNU_FORMAT, tarfile.PAX_FORMAT, tarfile.USTAR_FORMAT])
def test_long_names_and_folders(tmp_path, kind):
    long = "folder/" + "é" * (40 if kind == tarfile.USTAR_FORMAT else 90)
    records = Shards(shard(tmp_path / "0.tar", [*caption(long, "one"), *caption("b", "two")], kind).parent)
    assert [r.id for r in records] == [f"0/{long}", "0/b"] and [r.captions for r in records] == [("one",), ("two",)]
    assert stem("a/b.c.Seg.PNG") == ("a/b", ".c.seg.png")


def test_where_the_words_stand(tmp_path):
    def facts(key, **said):
        return [(f"{key}.png", pixels()), (f"{key}.json", json.dumps(said).encode())]

    root = shard(tmp_path / "train/0.tar", [
        *facts("a", caption="one"), *facts("b", captions=["two", " ", "two", "three"]), *facts("c", other=1),
        ("d.jpg", pixels()), ("e.txt", b"alone"), ("f.jpg", pixels()), ("f.txt", b"caf\xe9"), ("g.webp", pixels()),
        ("g.cls", b"7"), ("h.jpg", pixels()), ("h.txt", b"h"), ("h.json", b"{")]).parents[1]
    records = Shards(root, "train")
    assert [r.captions for r in records] == [("one",), ("two", "three"), (), ("caf\N{REPLACEMENT CHARACTER}",), ("h",)]
    assert records.problems == {"pair without words": 3, "pair without a picture": 1, "text is not UTF-8": 1,
                                ".json is no JSON": 1}


def test_splits_and_patterns(tmp_path):
    for name in ("val/0.tar", "train-0.tar", "other.tar"):
        shard(tmp_path / name, caption("a", name))
    assert [Shards(tmp_path, split)[0].captions[0] for split in ("val", "train")] == ["val/0.tar", "train-0.tar"]
    assert len(Shards(tmp_path)) == 2 and len(Shards(tmp_path, files="**/*.tar")) == 3
    with pytest.raises(FileError, match="does not exist"):
        Shards(tmp_path, "test")


def test_stated_similarity_below_what_is_asked_for(tmp_path):
    shard(tmp_path / "0.tar", [*caption("a", "a", similarity=0.2), *caption("b", "b", clip_similarity_vitb32=0.3),
                               *caption("c", "c")])
    records = Shards(tmp_path, least=0.25)
    assert [r.captions[0] for r in records] == ["b", "c"] and records.problems == {"less similar than asked for": 1}


def test_the_hash_is_of_names_sizes_and_texts(tmp_path):
    made = {name: Shards(shard(tmp_path / name / "0.tar", caption("a", text, url=url)).parent).hash
            for name, text, url in (("1", "A cup", "x"), ("2", "A cap", "x"), ("3", "A cup", "x"), ("4", "A cup", "y"))}
    assert made["1"] == made["3"] and len(set(made.values())) == 3


def test_a_picture_that_does_not_decode_is_counted_when_it_is_read(tmp_path):
    shard(tmp_path / "0.tar", [("a.jpg", b"no picture"), ("a.txt", b"words"), *caption("b", "two")])
    records = Shards(tmp_path)
    assert [r.captions for r in records] == [("two",)] and records.problems == {"picture does not decode": 1}
    with pytest.raises(ImageError):
        records[0]


def test_a_damaged_header_costs_its_member_alone(tmp_path):
    path = shard(tmp_path / "0.tar", [m for key in "abc" for m in caption(key, key)])
    data = bytearray(path.read_bytes())
    with open(path, "rb") as file:
        at = next(m.at for m in members(file, "", print) if m.name == "b.txt") - 512
    data[at] ^= 0x80
    path.write_bytes(data)
    records = Shards(tmp_path)
    assert [r.captions for r in records] == [("a",), ("b",), ("c",)], "b's .json says it too"
    assert records.problems == {"member is damaged": 1}


def test_shards_joined_by_cat(tmp_path):
    first, second = (shard(tmp_path / f"x/{k}.tar", caption(str(k), str(k))) for k in (1, 2))
    (tmp_path / "both.tar").write_bytes(first.read_bytes() + second.read_bytes())
    records = Shards(tmp_path)
    assert [r.captions for r in records] == [("1",), ("2",)] and not records.problems


@pytest.mark.parametrize("content", [b"", b"nonsense", b"\x1f\x8b" + b"\0" * 600, b"[" * 200_000])
def test_what_is_no_shard(tmp_path, content):
    (tmp_path / "0.tar").write_bytes(content)
    with pytest.raises(FileError, match="no pair in any shard"):
        Shards(tmp_path)
    shard(tmp_path / "1.tar", caption("a", "one"))
    records = Shards(tmp_path)
    assert len(records) == 1 and sum(records.problems.values()) >= 1, "the other shard is read"


def test_damaged_bytes_lose_nothing_silently(tmp_path):
    """Cuts anywhere, flipped bits anywhere: fewer pairs or words, and then a reason; never another exception."""
    path = shard(tmp_path / "0.tar", [m for key in "abcd" for m in caption(key, f"words of {key}", similarity=0.3)])
    whole, rng = path.read_bytes(), np.random.default_rng(5)
    for k in range(80):
        data = bytearray(whole)
        if k % 2:
            del data[int(rng.integers(len(data))):]
        else:
            for _ in range(1 + k % 5):
                data[int(rng.integers(len(data)))] ^= 1 << int(rng.integers(8))
        path.write_bytes(data)
        try:
            records = Shards(tmp_path)
            said = [r.captions for r in records]
        except LoupeError as error:
            assert "no pair in any shard" in str(error) and error.got
            continue
        assert len(said) == 4 or records.problems, k
        assert all(said) or records.problems, k


def test_a_shard_that_changes_while_it_is_read(tmp_path):
    records = Shards(shards(tmp_path))
    (tmp_path / "00001.tar").write_bytes(b"")
    with pytest.raises(FileError, match="changed while it was in use"):
        records[2]
    (tmp_path / "00001.tar").unlink()
    with pytest.raises(FileError, match="cannot read shard"):
        records[2]
