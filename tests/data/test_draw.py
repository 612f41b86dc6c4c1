"""What comes when: epochs, weights, curriculum, shared pictures, drops; all a function of (seed, index)."""

import json
from collections import Counter
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image as Pillow

import loupe.data.overlap as module
from loupe.config import from_json, to_json
from loupe.data.draw import Groups, Records, easy_first, open_mixture, open_sources, place
from loupe.data.mixture import Curriculum, HeldOut, Mixture, Source
from loupe.data.overlap import all_keys, keys, overlap
from loupe.errors import ConfigError, FileError, ImageError
from loupe.image import Image
from tests.handmade import kitchen, scattered

ALL = (("counting", 1.0), ("detection", 1.0), ("coarse-position", 2.0), ("relation", 1.0))


def source(name="a", **fields) -> Source:
    return Source(name, "coco", name, **{"tasks": ALL, **fields})


def many(count: int, start: int = 0) -> list:
    return [replace(scattered(np.random.default_rng(start + k)), id=str(start + k)) for k in range(count)]


def groups(sources_and_records, seed=0, pairs=3, curriculum=None, **how) -> Groups:
    mixture = Mixture(tuple(s for s, _ in sources_and_records), pairs, curriculum)
    opened = [Records(s, records, k, seed) for k, (s, records) in enumerate(sources_and_records)]
    if curriculum:
        for each in opened:
            each.count_objects()
    return Groups(mixture, opened, seed, **how)


def visits(made: Groups) -> Counter:
    return Counter(map(tuple, made.order.tolist()))


def test_same_seed_and_index_same_samples():
    made, again = (groups([(source(), many(20))], seed=5, epochs=2) for _ in range(2))
    backwards = [again[k] for k in reversed(range(len(again)))][::-1]
    assert [made[k] for k in range(len(made))] == backwards  # order of reading does not matter
    assert made.drops == again.drops
    other = groups([(source(), many(20))], seed=6, epochs=2)
    assert [g[0].turns for g in made] != [g[0].turns for g in other]


def test_a_group_shares_one_picture_and_asks_nothing_twice():
    made = groups([(source(), many(30))], pairs=4, epochs=3)
    ids = [s.id for group in made for s in group]
    assert len(ids) == len(set(ids))
    for group in made:
        assert 1 <= len(group) <= 4 and len({s.record for s in group}) == 1
        assert len({s.id for s in group}) == len(group)
        assert all(s.images == group[0].images for s in group)


def test_every_picture_once_an_epoch_times_its_weight():
    sources = [(source("a"), many(10)), (source("b", weight=2.0), many(5)), (source("c", weight=0.5), many(8))]
    made = groups(sources, epochs=2)
    assert len(made) == 2 * (10 + 10 + 4)
    first, second = visits_of(made, 0, 24), visits_of(made, 24, 48)
    for epoch in (first, second):
        assert [epoch[0, k] for k in range(10)] == [1] * 10 and [epoch[1, k] for k in range(5)] == [2] * 5
    assert {k for n, k in first if n == 2}.isdisjoint({k for n, k in second if n == 2})  # halves take turns
    assert (first + second) == visits(made) and made.order[:24].tolist() != made.order[24:].tolist()


def visits_of(made: Groups, first: int, last: int) -> Counter:
    return Counter(map(tuple, made.order[first:last].tolist()))


@settings(max_examples=40, deadline=None)
@given(st.floats(0.05, 3), st.integers(1, 30), st.integers(1, 80))
def test_visits_stay_even_for_any_weight(weight, count, total):
    made = groups([(source(weight=weight), [kitchen()] * count)], groups=total)
    counts = [visits(made)[0, k] for k in range(count)]
    assert len(made) == total and sum(counts) == total
    assert max(counts) - min(counts) <= 1 + int(weight) + (weight % 1 > 0)  # the last epoch may be cut


def test_groups_or_epochs_say_how_long():
    assert len(groups([(source(), many(10))])) == 10
    assert len(groups([(source(), many(10))], epochs=0.5)) == 5
    assert len(groups([(source(), many(10))], groups=37)) == 37
    with pytest.raises(ConfigError, match="drawn from at least once"):
        groups([(source(), many(10))], groups=0)


def test_limit_keeps_some_records_of_the_seed():
    chosen = {tuple(sorted(visits(groups([(source(limit=4), many(20))], seed=seed)))) for seed in (1, 2, 3)}
    assert len(chosen) > 1 and all(len(c) == 4 for c in chosen)


def test_drops_are_counted_by_reason():
    sparse = [kitchen(objects=(), exhaustive=False, id=str(k)) for k in range(3)] + [kitchen(id="full")]
    made = groups([(source(tasks=(("counting", 1.0), ("question", 1.0))), [replace(r, questions=()) for r in sparse])],
                  pairs=2)
    found = [made[k] for k in range(len(made))]
    assert all(s.record == "full" and s.task == "counting" for group in found for s in group)
    assert made.drops["a: nothing to ask about the picture"] == 0 + sum(
        next(j for j in range(4) if made.order[(k + j) % 4][1] == 3) for k in range(4))
    assert made.drops["a: nothing to ask for question"] >= 4 and made.drops["a: nothing to ask for counting"] >= 3
    assert made.drops["a: question short of pairs_per_image"] == sum(2 - len(g) for g in found)
    again = sum((made.draw(k)[1] for k in range(4)), Counter())
    assert again == made.drops


class Broken(list):
    """Records of which the second has a picture that does not decode."""

    def __getitem__(self, k):
        if k == 1:
            raise ImageError("picture is corrupt")
        return super().__getitem__(k)


def test_pictures_that_do_not_decode_give_way():
    made = groups([(source(), Broken(many(3)))], epochs=4)
    assert all(list(made)) and made.drops["a: picture does not decode"] >= 4


def test_a_task_that_cannot_look_gives_way_too():
    bad = replace(kitchen(), image=Image(data=b"no picture"), id="bad")
    made = groups([(source(tasks=(("reconstruction", 1.0), ("counting", 1.0))), [kitchen(), bad])], epochs=6)
    assert all({s.record for s in group} == {"7"} for group in made) and made.drops["a: picture does not decode"] >= 1


def test_nothing_to_ask_at_all_is_an_error_that_names_the_needs():
    made = groups([(source(tasks=(("question", 1.0),)), many(3))])
    with pytest.raises(ConfigError, match="no task finds anything to ask.*question: questions.*source a"):
        made[0]


@settings(max_examples=60, deadline=None)
@given(st.lists(st.integers(0, 9), min_size=1, max_size=60), st.integers(1, 3), st.integers(0, 5),
       st.floats(0.0, 1.0))
def test_curriculum_is_a_permutation_with_few_objects_first(objects, start, more, share):
    objects, curriculum = np.array(objects), Curriculum(start, start + more, share)
    order = easy_first(objects, curriculum)
    assert sorted(order) == list(range(len(objects)))
    steps = min(len(objects), round(share * len(objects)))
    for i in range(steps):
        allowed = start + int((more + 1) * i / steps)
        left = objects[order[i:]]
        assert objects[order[i]] <= max(allowed, left.min())  # the limit holds wherever it can
    assert list(order[steps:]) == sorted(order[steps:])


def test_curriculum_in_groups():
    records = [kitchen(objects=kitchen().objects[:1 + k % 4], id=str(k)) for k in range(40)]
    made = groups([(source(tasks=(("counting", 1.0),)), records)], curriculum=Curriculum(1, 4, 0.4), epochs=2)
    counts = [1 + int(k) % 4 for _, k in made.order]
    assert counts[:8] == [1] * 8 and max(counts[8:16]) == 2 and max(counts[16:24]) <= 3  # 32 groups in four steps
    assert max(counts[24:32]) == 4  # the last step allows the most
    assert visits(made) == {(0, k): 2 for k in range(40)}


def test_curriculum_of_some_records():
    """Objects are counted of the records that are drawn, wherever these stand in their file."""
    records = [kitchen(objects=kitchen().objects[:1 + k % 4], id=str(k)) for k in range(40)]
    made = groups([(source(tasks=(("counting", 1.0),), limit=12), records)], curriculum=Curriculum(1, 4, 1.0))
    counts = [1 + int(k) % 4 for _, k in made.order]
    drawn = sorted(counts)
    assert len(set(drawn)) > 1 and counts[0] == drawn[0] and all(
        n <= max(1 + 4 * i // 12, min(counts[i:])) for i, n in enumerate(counts))


def test_every_pass_and_every_source_is_shuffled_anew():
    made = groups([(source("a", weight=0.5), many(8)), (source("b", weight=0.5), many(8))], epochs=4)
    halves = [frozenset(k for (n, k) in visits_of(made, 8 * e, 8 * e + 8) if n == number)
              for number in (0, 1) for e in range(4)]
    assert all(len(half) == 4 for half in halves) and halves[0].isdisjoint(halves[1])
    assert len({frozenset(halves[k:k + 2]) for k in (0, 2, 4, 6)}) == 4


def test_weights_choose_tasks():
    tasks = (("counting", 3.0), ("detection", 1.0), ("relation", 0.0))
    made = groups([(source(tasks=tasks), [kitchen()] * 400)], pairs=1)
    drawn = Counter(s.task for group in made for s in group)
    assert set(drawn) == {"counting", "detection"} and drawn["counting"] == pytest.approx(300, abs=35)


def coco_folder(root, split, ids):
    (root / split).mkdir(parents=True)
    (root / "annotations").mkdir(exist_ok=True)
    images = [{"id": i, "file_name": f"{i:012}.jpg", "width": 20, "height": 10} for i in ids]
    boxes = [{"id": i * 10 + k, "image_id": i, "category_id": 1, "bbox": [k, 1, 5, 5], "area": 25, "iscrowd": 0,
              "segmentation": [[k, 1, k + 5, 1, k + 5, 6]]} for i in ids for k in range(1 + i % 3)]
    for i in ids:
        Pillow.new("RGB", (20, 10), (i % 256, 0, 0)).save(root / split / f"{i:012}.jpg")
    (root / "annotations" / f"instances_{split}.json").write_text(json.dumps(
        {"images": images, "annotations": boxes, "categories": [{"id": 1, "name": "cup"}, {"id": 2, "name": "dog"}]}))


def test_open_mixture_reads_folders_and_holds_out(tmp_path):
    coco_folder(tmp_path / "coco", "train2017", range(1, 13))
    coco_folder(tmp_path / "elsewhere", "val2017", [3, 7, 50])
    mixture = Mixture((source("coco", split="train2017", tasks=(("counting", 1.0), ("detection", 1.0))),), 2,
                      held_out=(HeldOut("coco", "test", "val2017"),))
    roots = {"": tmp_path, "test": tmp_path / "elsewhere"}
    made = open_mixture(mixture, roots, seed=1, epochs=2)
    assert len(made) == 20 and not {s.record for g in made for s in g} & {"3", "7"}
    assert made.excluded == {"coco": {"3": "coco 3", "7": "coco 7"}}
    assert made.drops["coco: held out for evaluation"] == 2 and len(made.hashes["coco"]) == 64
    assert from_json(Mixture, json.loads(json.dumps(to_json(mixture)))) == mixture
    assert made.about["mixture"] == to_json(mixture) and made.about["groups"] == 20
    whole = open_mixture(replace(mixture, held_out=()), roots, seed=1)
    assert len(whole) == 12 and not whole.excluded
    with pytest.raises(ConfigError, match="no picture to draw.*3 records, 3 of them held out"):
        open_mixture(Mixture((source("test", split="val2017", tasks=ALL[:1]),), held_out=mixture.held_out), roots, 0)


def test_several_held_out_sets_read_a_source_once(tmp_path, monkeypatch):
    coco_folder(tmp_path / "coco", "train2017", range(1, 13))
    for name, ids in (("one", [3, 7]), ("two", [7, 9])):
        coco_folder(tmp_path / name, "val2017", ids)
    known, seen = module.keys, Counter()

    def counted(record, *how):
        seen[record.image.path.parts[-3]] += 1
        return known(record, *how)

    monkeypatch.setattr(module, "keys", counted)
    mixture = Mixture((source("coco", split="train2017"),), held_out=(
        HeldOut("coco", "one", "val2017"), HeldOut("coco", "two", "val2017")))
    (opened,) = open_sources(mixture, tmp_path, seed=1)
    assert opened.excluded == {"3": "coco 3", "7": "coco 7", "9": "coco 9"} and len(opened.usable) == 9
    assert seen == {"coco": 12, "one": 2, "two": 2}


def test_overlap_by_id_name_and_bytes(tmp_path):
    Pillow.new("RGB", (4, 4)).save(tmp_path / "picture_0001.png")
    Pillow.new("RGB", (4, 4)).save(tmp_path / "12.png")
    coco = kitchen(extra={"coco_id": 9})
    named = kitchen(image=Image(path="x/COCO_val2014_000000000009.jpg"))
    assert keys(coco) == keys(named) == {("coco", 9)}
    long = kitchen(image=Image(path=tmp_path / "picture_0001.png"))
    short = kitchen(image=Image(path=tmp_path / "12.png"))
    assert keys(long) == {("file", "picture_0001.png")} and keys(short) == frozenset()
    assert overlap([coco, long, short], all_keys([named, long])) == {0: ("coco", 9), 1: ("file", "picture_0001.png")}
    same_bytes = overlap([short], all_keys([long], by_content=True), by_content=True)
    assert same_bytes == {0: ("bytes", long.image.content_hash)}


def test_a_broken_picture_ends_neither_overlap_nor_curriculum():
    coco = kitchen(extra={"coco_id": 9})
    assert overlap(Broken([coco, coco, coco]), all_keys([coco])) == {0: ("coco", 9), 2: ("coco", 9)}
    made = groups([(source(), Broken(many(3)))], epochs=2, curriculum=Curriculum(1, 6, 0.5))
    assert made.opened[0].objects[1] == 0 and all(list(made))


def test_places_of_sources(tmp_path):
    assert place(tmp_path, "coco") == tmp_path / "coco"
    assert place({"": tmp_path, "coco": "/data/c"}, "coco").as_posix() == "/data/c"
    with pytest.raises(FileError, match="--root coco=FOLDER"):
        place({"vg": "/x"}, "coco")
    with pytest.raises(FileError, match="no folder is given"):
        place(None, "coco")


def test_wrong_mixtures_are_named(tmp_path):
    coco_folder(tmp_path / "a", "train2017", [1])
    for mixture, says in ((Mixture(), "no sources"), (Mixture((source(), source())), "different names"),
                          (Mixture((source(),), 0), "too few questions"),
                          (Mixture((source(tasks=()),)), "draws nothing"),
                          (Mixture((source(tasks=(("countin", 1.0),)),)), "did you mean 'counting'"),
                          (Mixture((source(task_options={"caption": {}}),)), "options of a task that is not drawn"),
                          (Mixture((replace(source(), reader="cocoo"),)), "did you mean 'coco'")):
        with pytest.raises(ConfigError, match=says):
            open_mixture(mixture, tmp_path, 0)
    with pytest.raises(ConfigError, match="seed"):
        open_mixture(Mixture((source(),)), tmp_path, -1)


@pytest.mark.parametrize("follow", [0.0, 0.5, 0.9])
def test_questions_that_follow_others(follow):
    """The same questions and answers in the same order; in dialogues of at most four, so many of them behind another
    as is asked for. All but the first of a dialogue follow, and a fifth never does."""
    pairs = [(source(), many(40))]
    alone, together = groups(pairs, pairs=6), groups(pairs, pairs=6)
    together.mixture = replace(together.mixture, follow=follow)
    behind = questions = 0
    for k in range(40):
        said = [turn for sample in alone[k] for turn in sample.turns]
        assert [turn for sample in together[k] for turn in sample.turns] == said
        for sample in together[k]:
            count = len(sample.turns) // 2
            assert count <= 4 and (sample.task == "conversation") == (count > 1)
            behind, questions = behind + count - 1, questions + count
    ceiling = {0.0: 0.0, 0.5: 0.5, 0.9: 0.75}[follow]  # the first of a group follows nothing; every fifth begins anew
    assert ceiling - 0.2 <= behind / questions <= ceiling + 0.02


def test_a_share_that_cannot_be(tmp_path):
    with pytest.raises(ConfigError, match="no share.*mixture.follow"):
        open_mixture(Mixture((source(),), follow=1.0), tmp_path, 0)
