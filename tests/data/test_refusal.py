"""What ChatSpot's mixtures may not train on, and what of its data a folder holds."""

from dataclasses import replace

import pytest

from loupe import world
from loupe.data.draw import open_mixture, open_sources
from loupe.data.mixture import Mixture, Refused, Source
from loupe.data.overlap import keys
from loupe.data.stock import stocks
from loupe.errors import ConfigError
from loupe.readers import reader
from loupe.recipes import recipe
from loupe.recipes.chatspot import CHATSPOT, HELD_OUT, REFUSED, REGION_LEVEL
from loupe.writers.records import write_records


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    out = tmp_path_factory.mktemp("chatspot") / "data"
    world.write(out, 12, seed=2, val=8, world="mini", also="chatspot", oddities=0.0)
    return out


@pytest.mark.parametrize("stage", ["align", "tune"])
@pytest.mark.parametrize("change, says", [
    ("reader=coco", "got reader coco.*Table 1.*in source {}; take the source out"),
    ("reader=coco-captions", "got reader coco-captions"),
    ("reader=vizwiz-grounding", "got reader vizwiz-grounding.*evaluation only.*in source {}"),
    ("reader=refer", "got reader refer, split val"), ("reader=coco-text", "got reader coco-text, split val.*expected "
                                                      "anything but its splits val, test.*training split"),
    ("reader=pointqa-looktwice", "got reader pointqa-looktwice, split val")])
def test_held_out_data_is_refused_whatever_is_changed(stage, change, says, tmp_path):
    name = {"align": "textvqa", "tune": "hiertext"}[stage]
    path = f"stages.{stage}.mixture.sources.{name}"
    changed = recipe("chatspot").change(f"{path}.{change}", f"{path}.split=val")
    mixture = next(s.mixture for s in changed.stages if s.name == stage)
    with pytest.raises(ConfigError, match=says.format(name)):
        open_sources(mixture, tmp_path, 0)  # nothing is opened before


def test_reading_all_splits_at_once_is_refused_too(tmp_path):
    changed = recipe("chatspot").change("stages.tune.mixture.sources.coco-text.split=")
    with pytest.raises(ConfigError, match="coco-text, all its splits"):
        open_sources(changed.stages[1].mixture, tmp_path, 0)
    for each in REGION_LEVEL:  # as the recipe has them they pass this door
        assert not any(r.reader == each.reader and each.split in r.splits for r in REFUSED)


def test_evaluation_data_is_refused_in_every_mixture(folder):
    source = Source("v", "vizwiz-grounding", "vizwiz_grounding", "val", (("region-question", 1.0),))
    with pytest.raises(ConfigError, match="evaluation only"):
        open_mixture(Mixture((source,)), folder, 0)


def test_records_made_of_refused_data_are_recognised(folder, tmp_path):
    made = [replace(r, source="coco", split="train2017") for r in world.records(4, 0, world="mini")]
    write_records(made, tmp_path / "boot", "train")
    source = Source("boot", "records", "boot", "train", (("region", 1.0),))
    with pytest.raises(ConfigError, match="records made from coco, split train2017.*in source boot"):
        open_mixture(Mixture((source,), refused=REFUSED), tmp_path, 0)
    write_records([replace(r, source="coco-text", split="train") for r in made], tmp_path / "fine", "train")
    fine = replace(source, folder="fine")
    assert len(open_mixture(Mixture((fine,), refused=REFUSED), tmp_path, 0)) > 0
    with pytest.raises(ConfigError, match="coco-text, split train"):
        open_mixture(Mixture((fine,), refused=(Refused("coco-text", ("train",)),)), tmp_path, 0)


def test_pictures_of_evaluated_splits_stay_out_by_id(folder, tmp_path):
    """A picture of PointQA's test set that region chat talks about, too."""
    test = reader("pointqa-looktwice")(folder / "pointqa", "test")
    assert keys(test[0]) == {("vg", int(test[0].id))}
    chats = list(world.records(3, 9, world="mini"))
    leak = replace(chats[1], extra={"vg_id": int(test[0].id)}, source="visual-genome")
    write_records([chats[0], leak, chats[2]], tmp_path / "chat", "train")
    source = Source("chat", "records", "chat", "train", (("region", 1.0),))
    roots = {"": folder, "chat": tmp_path / "chat"}
    opened = open_mixture(Mixture((source,), held_out=HELD_OUT[2:3]), roots, 0)
    assert opened.excluded == {"chat": {leak.id: f"vg {test[0].id}"}}


def test_stock_counts_what_is_there_and_says_what_is_not(folder, tmp_path):
    every = [(s.mixture, source) for s in CHATSPOT.stages for source in s.mixture.sources]
    found = list(stocks(every, folder))
    assert [s.missing for s in found] == [""] * 12 and all(s.exact for s in found)
    by_name = {s.source.name: s for s in found}
    chat = list(reader("records")(folder / "regionchat/records", "train"))
    assert by_name["region-chat"].dialogues == sum(len(r.dialogues) for r in chat)
    assert by_name["region-chat"].pairs == sum(len(d.texts) // 2 for r in chat for d in r.dialogues)
    assert by_name["cc595k"].pictures == by_name["cc595k"].pairs == 12 == len(chat)
    few = {s.source.name: s for s in stocks(every, folder, looked_at=3)}
    assert not few["region-chat"].exact and few["region-chat"].pictures == 12
    assert few["cc595k"].pairs == 12  # one a picture, so the mean is exact
    bare = list(stocks(every, tmp_path))
    assert all("does not exist" in s.missing and not s.pictures for s in bare)
