"""The streaming splitter against json.loads; damage; memory; the index."""

import json
import tracemalloc

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from loupe.errors import FileError
from loupe.readers.index import Collector
from loupe.readers.stream import Stream, read_json

numbers = st.integers(-10**12, 10**12) | st.floats(allow_nan=False, allow_infinity=False)
leaf = st.none() | st.booleans() | numbers | st.text(max_size=8)
values = st.recursive(leaf, lambda v: st.lists(v, max_size=4) | st.dictionaries(st.text(max_size=4), v, max_size=4))


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("stream")


@settings(max_examples=60, deadline=None)
@given(data=st.lists(values, max_size=6) | st.dictionaries(st.text(max_size=5), values, max_size=5),
       chunk=st.integers(1, 40), ascii_only=st.booleans(), indent=st.sampled_from([None, 1]))
def test_reads_what_json_reads_at_any_chunk_size(folder, data, chunk, ascii_only, indent):
    path = folder / "any.json"
    raw = json.dumps(data, ensure_ascii=ascii_only, indent=indent).encode("utf-8", "surrogatepass")
    path.write_bytes(raw)
    stream = Stream(path, chunk=chunk)
    got = [] if isinstance(data, list) else {}
    for piece in stream:
        assert raw[piece.at:piece.at + piece.size] == piece.raw.encode("latin-1")
        if isinstance(data, list):
            got.append(piece.read())
        elif stream.keys[piece.key] == "array":
            got.setdefault(piece.key, []).append(piece.read())
        else:
            got[piece.key] = piece.read()
    if isinstance(data, dict):
        got = {k: got.get(k, []) for k in data}
    assert got == data
    assert stream.top == ("array" if isinstance(data, list) else "object")


@settings(max_examples=60, deadline=None)
@given(cut=st.integers(0, 10**6), chunk=st.sampled_from([7, 64, 1 << 20]))
def test_any_truncation_is_one_clear_error(folder, cut, chunk):
    raw = json.dumps({"images": [{"id": k, "name": "ä\"]{"} for k in range(9)], "info": {"a": [1, 2]}}).encode()
    path = folder / "cut.json"
    path.write_bytes(raw[:cut % len(raw)])
    with pytest.raises(FileError) as error:
        list(Stream(path, chunk=chunk))
    assert "cut.json" in str(error.value)
    assert error.value.got is not None


@pytest.mark.parametrize("text, part", [
    ("", "empty"), ("   ", "empty"), ("hello", "no JSON array or object"), ('"text"', "no JSON array"),
    ("[1, 2] 3", "after its end"), ("[1 2]", "','"), ('{"a": 1,, "b": 2}', "not JSON"), ('{"a" 1}', "colon"),
    ("{1: 2}", "a name and a colon"), ("[{'a': 1}, " + "1, " * 3000 + "2]", "not JSON"), ("[1, 2", "cut off")])
def test_damage_is_named(folder, text, part):
    path = folder / "bad.json"
    path.write_text(text)
    with pytest.raises(FileError, match=part):
        list(Stream(path, chunk=64))


def test_missing_file_says_what_is_there(folder):
    (folder / "near.json").write_text("[]")
    with pytest.raises(FileError, match="near.json"):
        list(Stream(folder / "far.json"))


def test_byte_order_mark_and_empty_containers(folder):
    path = folder / "mark.json"
    path.write_bytes(b"\xef\xbb\xbf" + b'{"a": [], "b": {}, "c": [1]}')
    assert read_json(path)[0] == {"a": [], "b": {}, "c": [1]}
    path.write_text("[]")
    assert read_json(path)[0] == []
    path.write_text("{}")
    assert read_json(path)[0] == {}


def test_memory_stays_at_one_chunk(folder):
    path = folder / "large.json"
    element = {"image_id": 1, "objects": [{"object_id": k, "names": ["thing"], "x": k} for k in range(40)]}
    with open(path, "w") as file:
        file.write("[" + ",\n".join(json.dumps(element | {"image_id": k}) for k in range(1500)) + "]")
    size = path.stat().st_size
    assert size > 2_500_000
    tracemalloc.start()
    found, total = Collector(), 0
    for piece in Stream(path, chunk=1 << 16):
        found.add(piece.value["image_id"], piece.at, piece.size)
        total += 1
    index = found.index(path)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert total == 1500 and len(index) == 1500
    assert peak < 1_000_000, peak  # json.load of the same file takes over 10 MB
    assert index[1234][0]["image_id"] == 1234 and index[9999] == []


def test_index_joins_runs_and_keeps_file_order(tmp_path):
    path = tmp_path / "a.json"
    entries = [{"p": p, "k": k} for k, p in enumerate([5, 5, 3, 5, 3, 3])]
    path.write_text(json.dumps(entries))
    found = Collector()
    for piece in Stream(path):
        found.add(piece.value["p"], piece.at, piece.size)
    index = found.index(path)
    assert [e["k"] for e in index[5]] == [0, 1, 3] and [e["k"] for e in index[3]] == [2, 4, 5]
    assert 5 in index and 4 not in index and len(index._at) == 4
    path.write_text("[]")
    with pytest.raises(FileError, match="changed"):
        index[5]
