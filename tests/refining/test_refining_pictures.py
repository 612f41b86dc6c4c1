"""The pipeline in miniature, its views, its cache and what a run leaves."""

from __future__ import annotations

import json
import re
from dataclasses import replace

import numpy as np
import pytest

from loupe import augment, world
from loupe.codec import codec
from loupe.errors import ConfigError, FileError
from loupe.frame import Frame, squash
from loupe.image import Image
from loupe.models.refined import Refined, Tag, Thing
from loupe.models.refined import refine as whole_look
from loupe.models.spec import RefinerSpec
from loupe.readers.records import Records
from loupe.recipes.lyrics import SMALL_FORMER
from loupe.refining.cache import Cache
from loupe.refining.cached import Cached
from loupe.refining.finder import Finder
from loupe.refining.loading import chosen, effective, listed, load
from loupe.refining.output import Outputs
from loupe.refining.parts import Thresholds
from loupe.refining.pipeline import checked
from loupe.refining.run import Settings, run
from loupe.refining.spatial import spatial
from loupe.refining.views import Views, through
from loupe.regions import Box, Mask, Point, iou
from loupe.sample import Found

BLANK = np.full((40, 60, 3), 128, np.uint8)


@pytest.fixture(scope="module")
def mini():
    return load()


@pytest.fixture(scope="module")
def pictures():
    return [record.image for record in world.records(3, seed=11, world="mini")] + [Image.of(BLANK)]


@pytest.fixture(scope="module")
def found(mini, pictures):
    return mini.refine(pictures)


@pytest.fixture
def folder(tmp_path, pictures):
    place = tmp_path / "pictures"
    place.mkdir()
    for k, picture in enumerate(pictures):
        (place / f"{k}.png").write_bytes(picture.bytes())
    (place / "torn.jpg").write_bytes(b"\xff\xd8\xff\xe0 no picture")
    return [Image(path=path) for path in sorted(place.iterdir())]


def test_parts_find_what_the_one_look_finds(mini, pictures, found):
    for whole, refined in zip(whole_look(mini.tagger.mini.model, pictures), found):
        words = {tag.word for tag in whole.tags}
        assert refined.tags == whole.tags
        if {thing.name for thing in whole.things} <= words:
            assert [(t.name, t.attributes, t.mask) for t in refined.things] == [
                (t.name, t.attributes, t.mask) for t in whole.things]
            assert refined.outlines == pytest.approx(whole.outlines, abs=1e-4)
    assert sum(len(refined.things) for refined in found) >= 5
    assert not found[-1].things and found[-1].outlines.shape == (0, mini.segmenter.width)


def test_detector_looks_for_its_words_alone(mini, pictures, found):
    names = [thing.name for thing in found[0].things]
    (some,) = mini.detector.detect(pictures[:1], [[names[0], "zebra"]])
    assert set(some.names) == {names[0]}
    (none,) = mini.detector.detect(pictures[:1], [["zebra"]])
    assert none.queries.shape == (0, mini.detector.width + 4)


def test_thresholds():
    assert Thresholds.parsed("tag=0.5, box=0.3") == Thresholds(0.5, 0.3)
    for wrong in ("tag", "tag=2", "box=x", "boxes=0.5"):
        with pytest.raises(ConfigError):
            Thresholds.parsed(wrong)
    assert load(thresholds=Thresholds(box=1.0)).identity != load().identity


def test_thresholds_are_told_without_loading(mini):
    config = mini.tagger.mini.model.config
    assert effective(RefinerSpec("mini")) == Thresholds(config.tag_threshold, config.threshold, config.overlap)
    assert effective(RefinerSpec("lyrics", box=0.5)) == Thresholds(None, 0.5, 0.6)
    assert effective(RefinerSpec("a,b,c")) == Thresholds(None, 0.35, 0.7)
    assert chosen("lyrics", None) == Thresholds(box=0.25, overlap=0.6) and chosen("mini", None) == Thresholds()


def test_views_are_seeded_and_move_what_is_known(mini, pictures, found):
    views = Views(3, seed=5)
    content, size = pictures[0].content_hash, pictures[0].size
    assert views.frame(content, *size, 0) is None and views.frame(content, *size, 1) == Views(2, 5).frame(
        content, *size, 1)
    assert views.frame(content, *size, 1) != views.frame(content, *size, 2)
    assert sorted(views.drawn(content, epoch) for epoch in range(3)) == [0, 1, 2]
    mirror = augment.flip(*size)
    tags, things = through(found[0], mirror)
    assert tags == found[0].tags and len(things) == len(found[0].things)
    for old, new in zip(found[0].things, things):
        assert new.box.x1 == pytest.approx(size[0] - old.box.x2) and new.mask.area == old.mask.area
    (shown,) = mini.views(pictures[:1], found[:1], [mirror])
    assert shown.outlines.shape == (len(things), mini.segmenter.width) and len(shown.scores) == len(shown.queries)
    with pytest.raises(ConfigError, match="no such view"):
        views.key(3)
    with pytest.raises(ConfigError):
        Views(0)


def test_what_leaves_the_view_leaves_with_its_tag():
    def thing(name, box):
        inside = np.zeros((100, 100), bool)
        inside[int(box.y1):int(box.y2), int(box.x1):int(box.x2)] = True
        return Thing(name, (), box, Mask.from_array(inside), 0.9)

    whole = Refined(100, 100, (Tag("cup", 0.9), Tag("red", 0.8), Tag("plate", 0.7)),
                    (thing("cup", Box(0, 0, 20, 20)), thing("plate", Box(40, 40, 60, 80))), np.zeros(0),
                    np.zeros((0, 4)), np.zeros((0, 1)))
    tags, things = through(whole, Frame(100, 100, 50, 50, Box(50, 50, 100, 100)))
    assert [tag.word for tag in tags] == ["red", "plate"]
    (plate,) = things
    assert plate.box == Box(0, 0, 10, 30) and plate.mask.area == 300  # 10 x 30 of 20 x 40: more than 0.3
    corner = replace(whole, things=(thing("cup", Box(20, 20, 56, 56)),))  # 6 x 6 of 36 x 36, four times as large
    assert through(corner, Frame(100, 100, 200, 200, Box(50, 50, 100, 100)))[1] == ()
    assert through(whole, Frame(100, 100, 50, 50, Box(50, 70, 100, 100)))[1] == ()


def test_cache_gives_back_what_was_put(mini, pictures, found, tmp_path):
    cache = Cache(tmp_path, mini.identity)
    for picture, refined in zip(pictures, found):
        cache.put(picture.content_hash, [0], refined)
        again = cache.get(picture.content_hash, [0])
        assert [(t.name, t.box, t.mask) for t in again.things] == [(t.name, t.box, t.mask) for t in refined.things]
        assert np.array_equal(again.scores, refined.scores)
        for name in ("queries", "outlines"):
            old, new = getattr(refined, name), getattr(again, name)
            assert new.shape == old.shape and np.allclose(new, old, rtol=1e-3, atol=1e-3)
    assert cache.get(pictures[0].content_hash, [1, 0, 0.5]) is None
    assert Cache(tmp_path, {**mini.identity, "tagger": {}}).get(pictures[0].content_hash, [0]) is None
    few = Cache(tmp_path, mini.identity, "found", mini.detector.threshold)
    few.put("00", [0], found[0])
    assert len(found[0].things) <= len(few.get("00", [0]).scores) < len(found[0].scores)
    path = cache.path(pictures[0].content_hash, [0])
    path.write_bytes(path.read_bytes()[:100])
    assert cache.get(pictures[0].content_hash, [0]) is None


def test_a_whole_file_of_the_cache_that_says_something_else_counts_as_none(mini, pictures, found, tmp_path):
    cache = Cache(tmp_path, mini.identity)
    cache.put("00", [0], found[0])
    with np.load(cache.path("00", [0])) as file:
        arrays = dict(file)
    for meta in (b"{}", b"[]", b'{"size": [9, 9], "tags": [], "things": [{"name": "cup"}]}'):
        np.savez(cache.path("00", [0]), **arrays | {"meta": np.frombuffer(meta, np.uint8)})
        assert cache.get("00", [0]) is None


def test_cached_makes_what_is_missing_or_damaged(mini, pictures, tmp_path):
    cached = Cached(mini, tmp_path, Views(2), batch=2)
    first = cached.refine(pictures, 1)
    assert cached.fill(pictures, (0, 1)) == 0
    path = cached.cache.path(pictures[1].content_hash, cached.views.key(1))
    path.write_bytes(b"torn")
    again = cached.refine(pictures, 1)
    for a, b in zip(first, again):
        assert np.allclose(a.queries, b.queries, rtol=1e-2, atol=1e-2) and a.things == b.things  # of another batch
    with pytest.raises(ConfigError, match="another size.*rows of"):
        checked(first[0], (9, 9))


def test_run_leaves_files_others_read(mini, folder, tmp_path):
    from pycocotools import mask as rle
    from pycocotools.coco import COCO

    out = tmp_path / "out"
    made = run(folder, out, mini, Settings(batch=2), Outputs(shown=2))
    assert made["counts"]["pictures"] == 4 and made["counts"]["unreadable"] == 1
    assert made["unreadable"][0][0].endswith("torn.jpg") and made["counts"]["with nothing found"] >= 1
    coco = COCO(str(out / "annotations/instances.json"))
    records = list(Records(out / "records", "train"))
    assert len(records) == len(coco.imgs) == 4
    for record, (id, image) in zip(records, sorted(coco.imgs.items())):
        entries = coco.loadAnns(coco.getAnnIds(imgIds=id))
        assert (out / image["file_name"]).is_file() and len(entries) == len(record.objects)
        for o, entry in zip(record.objects, entries):
            assert coco.cats[entry["category_id"]]["name"] == o.name and 0 <= entry["score"] <= 1
            assert np.array_equal(rle.decode(coco.annToRLE(entry)).astype(bool), o.shape.array())
    lines = (out / "spatial.txt").read_text().splitlines()
    reader = codec("lyrics")
    for record, line in zip(records, lines):
        parsed = reader.parse(line.partition("\t")[2], squash(*record.image.size, 224))
        regions = [part for part in parsed.parts if isinstance(part, Found)]
        assert not parsed.problems and len(regions) == len(record.objects)
        for region in regions:
            assert max(iou(region.region, o.box) for o in record.objects if o.name == region.phrase) > 0.9
    page = (out / "gallery.html").read_text()
    assert "nothing found" in page and "2 of 4" in page and made["parts"]["detector"] == "loupe/refiner"
    shown = records[0].objects
    assert all(f">{o.name} 0." in page and ", ".join(o.attributes) in page for o in shown), "names, scores, attributes"
    colours = set(re.findall(r'data-r="b\d+" title="[^"]*" style="background:(#\w+)', page))
    assert len(colours) >= min(len(shown), 3), "things of one picture have colours of their own"
    assert lines[0].partition("\t")[2].replace("<", "&lt;").replace(">", "&gt;") in page


def test_run_goes_on_where_it_was_killed(mini, folder, tmp_path, monkeypatch):
    out, seen = tmp_path / "out", []
    real = type(mini).refine

    def counted(self, images):
        if len(seen) >= 2:
            raise KeyboardInterrupt
        seen.extend(images)
        return real(self, images)

    monkeypatch.setattr(type(mini), "refine", counted)
    with pytest.raises(KeyboardInterrupt):
        run(folder, out, mini, Settings(batch=2))
    assert len(seen) == 2 and not (out / "manifest.json").exists()
    later = []
    monkeypatch.setattr(type(mini), "refine", lambda self, images: later.extend(images) or real(self, images))
    assert run(folder, out, mini, Settings(batch=2))["counts"]["pictures"] == 4
    assert len(later) == 2  # the other two
    with pytest.raises(FileError, match="another refining"):
        run(folder, out, load(thresholds=Thresholds(box=0.9)), Settings(batch=2))
    stranger = tmp_path / "stranger"
    stranger.mkdir()
    (stranger / "notes.txt").write_text("mine")
    with pytest.raises(FileError, match="other files"):
        run(folder, stranger, mini)
    with pytest.raises(FileError, match="no picture"):
        run([], tmp_path / "none", mini)
    with pytest.raises(FileError, match="no picture can be read.*torn.jpg"):
        run(folder[-1:], tmp_path / "torn", mini)
    assert json.loads((out / "manifest.json").read_text())["widths"] == list(mini.widths)


def test_a_cache_of_other_thresholds_is_refused(folder, tmp_path):
    """Before training, not when the trained model is asked."""
    box = 0.5
    run(folder[:2], tmp_path / "out", load(thresholds=Thresholds(box=box)), Settings(rows="found"))

    def finder(spec):
        return Finder(spec, SMALL_FORMER, tmp_path / "out", "cached")

    with pytest.raises(ConfigError, match=r"another threshold: got box=0.5, expected box=0.76.*model.refiner.box=0.5"):
        finder(RefinerSpec("mini")).refine(folder[:2])
    assert len(finder(RefinerSpec("mini", box=box)).refine(folder[:2])) == 2
    with pytest.raises(ConfigError, match="overlap=0.6, expected overlap=0.9"):
        finder(RefinerSpec("mini", box=box, overlap=0.9)).identity  # noqa: B018 (asks)


@pytest.mark.parametrize("rows, elsewhere", [("found", False), ("all", True), ("none", False)])
def test_a_model_reads_what_the_command_found(mini, folder, tmp_path, monkeypatch, rows, elsewhere):
    """`--refined` of training, chat and evaluation is the --out of `loupe refine`: nothing is found twice."""
    run(folder[:2], tmp_path / "out", mini, Settings(rows=rows), cache=tmp_path / "kept" if elsewhere else None)
    calls, real = [], type(mini).refine
    monkeypatch.setattr(type(mini), "refine", lambda self, images: calls.extend(images) or real(self, images))
    seen = Finder(RefinerSpec("mini"), SMALL_FORMER, tmp_path / "out", "filled").refine(folder[:2])
    assert len(calls) == (2 if rows == "none" else 0) and all(len(each.queries) == len(each.scores) for each in seen)
    if rows != "none":
        stored = Finder(RefinerSpec("mini"), SMALL_FORMER, tmp_path / "out", "cached").refine(folder[:2])
        assert all(np.array_equal(a.queries, b.queries) for a, b in zip(seen, stored)) and not calls
    own = Finder(RefinerSpec("mini"), SMALL_FORMER, tmp_path / "own", "filled")
    assert len(own.refine(folder[:1])[0].things) == len(seen[0].things) and list((tmp_path / "own").glob("*/*.npz"))


def test_listed_words(tmp_path):
    words = tmp_path / "words.txt"
    words.write_text("cup\nred plate\t0.3\n\ncup\t0.5\n")
    assert listed(words) == (("cup", 0.5), ("red plate", 0.3)) and listed(None) is None
    for wrong in ("1.7", "nan", "x"):
        words.write_text(f"cup\nplate\t{wrong}\n")
        with pytest.raises(FileError, match=f"no threshold: got '{wrong}'.*words.txt:2"):
            listed(words)


def test_spatial_text():
    mask = Mask(100, 100, (10000,))
    things = [Thing("cup", (), Box(0, 0, 50, 50), mask, 0.9), Thing("plate", (), Box(10, 20, 30, 40), mask, 0.8),
              Thing("cup", (), Box(50, 50, 100, 100), mask, 0.7)]
    place = squash(100, 100, 100)
    assert spatial(things, codec("lyrics"), place) == (
        "<br><T>cup</T><Bbox>(0.000,0.000),(0.500,0.500)</Box><Bbox>(0.500,0.500),(1.000,1.000)</Box></br> "
        "<br><T>plate</T><Bbox>(0.100,0.200),(0.300,0.400)</Box></br>")
    assert spatial(things[1:2], codec("shikra"), place).startswith("plate [")
    assert spatial([], codec("lyrics"), place) == ""


def test_command(folder, tmp_path, capsys):
    from loupe.cli import main

    assert main(["refine", str(folder[0].path.parent), "--out", str(tmp_path / "out"), "--features", "found"]) == 0
    said = capsys.readouterr().out
    assert "torn.jpg" in said and "4 pictures" in said
    empty = tmp_path / "words.txt"
    empty.write_text("\n\n")
    for wrong, why in ((["--refiner", "mono"], "unknown refiner"), (["--tags", str(empty)], "list of tags is empty"),
                       (["--thresholds", "boxx=1"], "unknown threshold"), (["--codec", "lyric"], "unknown codec"),
                       (["--views", "0"], "cannot be shown"), (["--features", "some"], "choice of rows")):
        assert main(["refine", str(folder[0].path), "--out", str(tmp_path / "no"), *wrong]) == 2
        assert why in capsys.readouterr().err
    assert main(["refine", str(tmp_path / "gone.jpg"), "--out", str(tmp_path / "no")]) == 2
    assert not (tmp_path / "no").exists()


def test_record_moves_as_its_picture_does():
    (record,) = world.records(1, seed=4, world="mini")
    mirror = augment.flip(record.width, record.height)
    there = augment.shown(record, mirror)
    assert [o.id for o in there.objects] == [o.id for o in record.objects] and there.exhaustive == record.exhaustive
    assert np.array_equal(there.image.array(), record.image.array()[:, ::-1])
    assert [p.text for p in there.phrases] == [augment.mirrored(p.text) for p in record.phrases]
    back = augment.shown(there, mirror)
    for old, new in zip(record.objects, back.objects):
        assert new.box.xyxy == pytest.approx(old.box.xyxy) and new.shape == old.shape
    assert back.phrases == record.phrases or [p.text for p in back.phrases] == [p.text for p in record.phrases]
    crop = augment.resized_crop(record.width, record.height, np.random.default_rng(0), (0.3, 0.4))
    less = augment.shown(record, crop)
    assert not less.exhaustive and (less.width, less.height) == less.image.size == (crop.width, crop.height)
    ids = {o.id for o in less.objects}
    assert len(ids) < len(record.objects)
    assert all({r.subject, r.object} <= ids for r in less.relations)
    assert all(p.object in ids for p in less.phrases if p.object)
    for o in less.objects:
        assert 0 <= o.box.x1 < o.box.x2 <= crop.width and 0 <= o.box.y1 < o.box.y2 <= crop.height
    for q in less.questions:
        assert not isinstance(q.point, Point) or (0 <= q.point.x < crop.width and 0 <= q.point.y < crop.height)


def test_resized_crops_keep_to_their_area():
    for seed in range(50):
        crop = augment.resized_crop(200, 120, np.random.default_rng(seed), (0.5, 0.8))
        assert 0.48 < crop.view.area / (200 * 120) < 0.82
        assert crop.view.x1 >= 0 and crop.view.x2 <= 200 and crop.view.y1 >= 0 and crop.view.y2 <= 120
        assert (crop.width, crop.height) == (crop.view.width, crop.view.height)
