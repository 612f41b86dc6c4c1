"""What holds of every reader in READERS: a new one joins by a line in tests/roots_of_readers.py."""

import hashlib
import json
import pickle
import subprocess
import sys

import pytest
from roots_of_readers import ROOTS

from loupe.errors import ConfigError, FileError
from loupe.image import Image
from loupe.readers import READERS, reader
from loupe.record import Record

APART = {"pictures", "webdataset"}  # neither has annotation files: test_folder.py, test_read_shards.py


@pytest.fixture(params=sorted(set(READERS) - APART))
def made(request, tmp_path):
    assert request.param in ROOTS, "give the new reader a folder in ROOTS"
    make, split, files = ROOTS[request.param]
    return request.param, make(tmp_path / "data"), split, files


def pictures_below(folder):
    return [path for path in sorted(folder.rglob("*")) if path.suffix in (".jpg", ".png")]


def test_a_sequence_of_records_the_same_every_time(made):
    name, root, split, _ = made
    records = reader(name)(root, split)
    assert len(records) > 0 and records.source == name
    once, twice = list(records), list(records)
    assert once == twice == [records[i] for i in range(len(records))] == records[:] == list(reader(name)(root, split))
    assert records[-1] == once[-1] and records[0:1] == once[:1]
    assert list(pickle.loads(pickle.dumps(records))) == once  # worker processes get a copy
    counted = dict(records.problems)
    list(records)
    assert dict(records.problems) == counted  # reading again counts nothing again
    for wrong in (len(records), -len(records) - 1):
        with pytest.raises(IndexError):
            records[wrong]


def test_records_are_whole(made):
    name, root, split, _ = made
    records = list(reader(name)(root, split))
    assert len({r.id for r in records}) == len(records)
    for record in records:
        assert isinstance(record, Record) and isinstance(record.id, str) and hash(record.image)
        assert record.source == name and record.split == split
        assert all(isinstance(image, Image) for image in record.images) and len(record.images) == reader(name).shows
        assert [image.size for image in record.images] == [(record.width, record.height)] * len(record.images)
        assert (record.objects or record.phrases or record.captions or record.dialogues or record.questions
                or record.words or record.exhaustive or record.steps)
        ids = record.object_by_id()
        assert len(ids) == len(record.objects)
        regions = [w.region for w in record.words] + [q.region for q in record.questions if q.region is not None]
        regions += [region for d in record.dialogues for _, region in d.regions]
        regions += [region for q in record.questions for region in q.choices]
        regions += [region for s in record.sentences for _, meant in s.pieces for region in meant]
        for region in [o.box for o in record.objects] + [p.region for p in record.phrases] + regions:
            box = region.box
            assert 0 <= box.x1 < box.x2 <= record.width and 0 <= box.y1 < box.y2 <= record.height
        assert all(r.subject in ids and r.object in ids and r.subject != r.object for r in record.relations)
        assert all(p.object in ids for p in record.phrases if p.object is not None)


def test_the_hash_is_that_of_the_annotation_files(made):
    name, root, split, files = made
    first = reader(name)(root, split).hash
    digests = sorted((f.rsplit("/", 1)[-1], hashlib.sha256((root / f).read_bytes()).hexdigest()) for f in files)
    assert first == hashlib.sha256("".join(f"{n} {d}\n" for n, d in digests).encode()).hexdigest()
    assert first == reader(name)(root, split).hash
    path = root / files[-1]
    path.write_bytes(path.read_bytes() + b"\n")
    assert reader(name)(root, split).hash != first


def test_an_empty_a_cut_and_a_missing_file_are_file_errors(made):
    name, root, split, files = made
    for file in files:
        path, whole = root / file, (root / file).read_bytes()
        for content in (b"", whole[:len(whole) // 2], b"nonsense"):
            path.write_bytes(content)
            with pytest.raises(FileError) as error:
                reader(name)(root, split)
            assert path.name in str(error.value) and error.value.got is not None
        path.write_bytes(whole)
    for file in files:
        (root / file).unlink()
    with pytest.raises(FileError):
        reader(name)(root, split)
    with pytest.raises(FileError, match="does not exist"):
        reader(name)(root / "nowhere", split)


def test_a_file_without_entries_gives_no_records(made):
    name, root, split, files = made
    if name == "refer":
        (root / files[0]).write_bytes(b"\x80\x02].")  # an empty list
    for file in files:
        path = root / file
        if name in ("records", "pope", "games", "m3it", "mmc4", "vsr", "hateful-memes",
                    "flickr30k-entities"):
            path.write_text("\n")
        elif name == "mmbench":
            path.write_bytes(path.read_bytes().partition(b"\n")[0] + b"\n")
        elif name != "refer" or path.suffix == ".json":
            data, nothing = json.loads(path.read_text()), {} if name in ("coco-text", "ai2d") else []
            path.write_text(json.dumps({k: nothing for k in data} if isinstance(data, dict) else []))
    records = reader(name)(root, split)
    assert len(records) == 0 and list(records) == [] and not records.problems


def test_no_pictures_at_all_is_an_error_that_says_where_it_looked(made, tmp_path):
    name, root, split, _ = made
    if name in ("mmbench", "m3it") or not reader(name).shows:
        pytest.skip("the pictures stand in the file itself, or there are none")
    for path in pictures_below(tmp_path):
        path.unlink()
    with pytest.raises(FileError, match="none of the .* pictures was found.*--root or images="):
        reader(name)(root, split)
    if reader(name).sized:  # the others' sizes come from the pictures
        kept = reader(name)(root, split, missing="keep")
        assert len(list(kept)) == len(kept) > 0
    with pytest.raises(ConfigError, match="'drop', 'raise' or 'keep'"):
        reader(name)(root, split, missing="ignore")


def test_pictures_may_lie_anywhere(made, tmp_path):
    name, root, split, _ = made
    if name in ("scienceqa", "iconqa"):
        pytest.skip("all files have one name, each in a folder of its own")
    here = [r.id for r in reader(name)(root, split)]
    elsewhere = tmp_path / "far" / "away"
    elsewhere.mkdir(parents=True)
    for path in pictures_below(tmp_path):
        path.rename(elsewhere / path.name)
    assert [r.id for r in reader(name)(root, split, images=str(elsewhere))] == here
    assert len(reader(name)(root, split, images=[elsewhere, root])) == len(here)


def test_unknown_names_are_told_the_nearest():
    with pytest.raises(ConfigError, match="did you mean 'visual-genome'"):
        reader("visual_genome")


def test_readers_load_no_torch_and_no_transformers():
    code = ("import sys\nfrom loupe.readers import READERS, reader\nfor name in READERS: reader(name)\n"
            "assert not {'torch', 'transformers', 'pandas', 'scipy'} & set(sys.modules), 'heavy'")
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
