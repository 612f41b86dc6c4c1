"""Pairs scored and sifted: by a made-up judge, by the shipped model; stops and other thresholds."""

from __future__ import annotations

import json
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import pytest
from instruction_layouts import caption, pixels, shard

from loupe import world
from loupe.cli import main
from loupe.errors import ConfigError, FileError
from loupe.readers import reader
from loupe.relevance import Settings, run
from loupe.relevance.scorer import ClipScorer
from loupe.world.lyrics import webbed
from loupe.writers import write_shards


class Judge:
    """The number a caption ends with is its score; counts what it is asked."""

    identity = {"name": "judge"}

    def __init__(self):
        self.asked, self.stop_at = 0, None

    def scores(self, images, texts):
        self.asked += len(images)
        if self.stop_at is not None and self.asked > self.stop_at:
            raise KeyboardInterrupt
        return [np.array([float(text.split()[-1]) for text in some]) for some in texts]


def data(root: Path, count: int = 10):
    pairs = [m for k in range(count) for m in caption(f"{k:03d}", f"picture {k} {k / 10}")]
    shard(root / "0.tar", [*pairs, ("bad.jpg", b"none"), ("bad.txt", b"broken 0.9"), ("mute.jpg", pixels()),
                           ("mute.json", b'{"caption": ""}')])
    return reader("webdataset")(root)


def test_kept_and_dropped_by_reason(tmp_path):
    judge = Judge()
    made = run(data(tmp_path / "data"), tmp_path / "out", lambda: judge, Settings(0.6, piece=5, batch=3))
    assert made["kept"] == 4 and made["pictures"] == 12 and judge.asked == 10
    assert made["dropped"] == {"picture does not decode": 1, "no caption": 1, "less relevant than the threshold": 6}
    assert sum(made["dropped"].values()) + made["kept"] == made["pictures"]
    assert made["scores"]["50 %"] == pytest.approx(0.45)
    kept = reader("webdataset")(tmp_path / "out")
    assert [r.captions[0] for r in kept] == [f"picture {k} {k / 10}" for k in (6, 7, 8, 9)]
    assert [r.extra["similarity"] for r in kept] == [0.6, 0.7, 0.8, 0.9] and kept[0].image.size == (40, 30)
    assert json.loads((tmp_path / "out/manifest.json").read_text()) == made


def test_the_best_caption_is_kept(tmp_path):
    records = list(data(tmp_path / "data", 2))
    records[0] = replace(records[0], captions=("low 0.1", "best 0.8", "also 0.7"))
    run(records[:2], tmp_path / "out", Judge, Settings(0.05))
    assert [r.captions for r in reader("webdataset")(tmp_path / "out")] == [("best 0.8",), ("picture 1 0.1",)]


def test_a_stop_loses_a_piece_at_most_and_another_threshold_asks_nobody(tmp_path):
    records, judge = data(tmp_path / "data"), Judge()
    judge.stop_at = 7
    with pytest.raises(KeyboardInterrupt):
        run(records, tmp_path / "out", lambda: judge, Settings(0.3, piece=4, batch=2))
    judge.stop_at, before = None, judge.asked
    made = run(records, tmp_path / "out", lambda: judge, Settings(0.3, piece=4, batch=2))
    assert made["kept"] == 7 and judge.asked - before <= 6
    asked = judge.asked
    again = run(records, tmp_path / "out", lambda: judge, Settings(0.8, piece=4, batch=2))
    assert again["kept"] == 2 == len(reader("webdataset")(tmp_path / "out")) and judge.asked == asked
    one = run(records, tmp_path / "one", Judge, Settings(0.8, piece=4, batch=64))
    assert one == again, "batches and stops change nothing"
    shards = {p.name: p.read_bytes() for p in (tmp_path / "one").glob("*.tar")}
    assert shards == {p.name: p.read_bytes() for p in (tmp_path / "out").glob("*.tar")}


def test_other_data_other_models_and_foreign_folders_are_refused(tmp_path):
    records = data(tmp_path / "data", 3)
    run(records, tmp_path / "out", Judge)
    other = Judge()
    other.identity = {"name": "another"}
    with pytest.raises(FileError, match="another model lie here"):
        run(records, tmp_path / "out", lambda: other)
    with pytest.raises(FileError, match="another model lie here"):
        run(data(tmp_path / "more", 4), tmp_path / "out", Judge)
    with pytest.raises(FileError, match="among other files"):
        run(records, tmp_path / "data", Judge)
    with pytest.raises(FileError, match="no picture to score"):
        run([], tmp_path / "none", Judge)
    with pytest.raises(ConfigError, match="nothing would be scored"):
        Settings(piece=0)
    (tmp_path / "out/scores/00000.jsonl").write_text("{")
    with pytest.raises(FileError, match="made again"):
        run(records, tmp_path / "out", Judge)


def test_the_shipped_model_tells_wrong_words_from_right_ones(tmp_path, capsys):
    """Some of the world's web pairs have another picture's words: they score lower than 90 % of the right ones do."""
    scenes = list(world.records(60, 7, "train", world="mini"))
    web = [webbed(record) for record in scenes]
    right = [made.captions[0] == given.captions[0] for made, given in zip(web, scenes)]
    write_shards(web, tmp_path / "web", shards=1)
    assert main(["relevance", str(tmp_path / "web"), "--out", str(tmp_path / "out"), "--threshold", "0.1"]) == 0
    said = capsys.readouterr().out
    assert " of 60 pictures kept at 0.1" in said
    lines = [json.loads(x) for x in (tmp_path / "out/scores/00000.jsonl").read_text().splitlines()]
    order = {f"{int(r.id):09d}": fine for r, fine in zip(scenes, right)}
    scores = {fine: [x["scores"][0] for x in lines if order[x["id"].split("/")[1]] == fine] for fine in (True, False)}
    assert len(scores[False]) >= 4
    above = np.mean([[a > b for b in scores[False]] for a in scores[True]])
    assert above > 0.85, "the share of right pairs above wrong ones; 0.5 is chance"


def test_one_picture_several_texts_by_another_way():
    """Scores are cosines of transformers' own features, of each picture with its own texts."""
    import torch

    scorer, (a, b) = ClipScorer(), list(world.records(2, 3, "val", world="mini"))
    found = scorer.scores([a.image, b.image], [a.captions[:3], b.captions[:1]])
    assert [len(some) for some in found] == [3, 1]
    alone = [scorer.scores([r.image], [[text]])[0][0] for r, text in ((a, a.captions[0]), (a, a.captions[2]),
                                                                      (b, b.captions[0]))]
    assert np.allclose([found[0][0], found[0][2], found[1][0]], alone, atol=1e-5)
    ids = scorer.tokenizer([b.captions[0]], return_tensors="pt").input_ids
    frame = torch.from_numpy(np.asarray(b.image.pillow(), np.float32) / 255)
    pixels = (frame - torch.tensor(scorer.pixels.mean)) / torch.tensor(scorer.pixels.std)
    with torch.no_grad():
        out = scorer.model(input_ids=ids, pixel_values=pixels.permute(2, 0, 1)[None])
    assert found[1][0] == pytest.approx(float((out.image_embeds * out.text_embeds).sum()), abs=1e-4)
    assert scorer.scores([], []) == []


@pytest.mark.parametrize("name, said", [("loupe/vison", "vision"), ("nowhere/at-all", "cannot find")])
def test_unknown_models(name, said):
    with pytest.raises(Exception, match=said):
        partial(ClipScorer, name)()
