"""The world as a folder of data sets in their published layouts, written in parts, so that a stop loses little."""

from __future__ import annotations

import json
import multiprocessing
import os
import shutil
import threading
from collections import Counter
from collections.abc import Iterator, Mapping
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from dataclasses import asdict, dataclass
from multiprocessing import connection
from pathlib import Path

from tqdm import tqdm

from loupe.errors import ConfigError, FileError, unknown_name
from loupe.record import Record
from loupe.world import chatspot, lyrics
from loupe.world.annotation import records
from loupe.world.kinds import KINDS
from loupe.world.spec import WORLDS, WorldSpec, drawable
from loupe.world.spec import world as named_world
from loupe.writers import files
from loupe.writers.coco import Coco, CocoCaptions, Objects365, categories_of, file_name
from loupe.writers.llava import Llava
from loupe.writers.oddities import Oddities
from loupe.writers.records import Records
from loupe.writers.refer import DATASETS, SPLITS, Refer
from loupe.writers.visual_genome import VisualGenome

RELEASE = 3  # raised whenever the same settings would give other files
PART = 100  # pictures made and written at a time
SETTINGS, COUNTS, README, PARTS = "world.json", "counts.json", "README.txt", ".parts"
FOLDERS = {"train": "train2017", "val": "val2017"}
ALSO = {"": "", "chatspot": """ocr_vqa/, st_vqa/, docvqa/, textvqa/      questions that a printed word answers
coco_text/, hiertext/, art/    printed words and their places (coco_text's pictures lie in coco/)
pointqa/                       how many of these, by box and point; test: the held-out pictures
regionchat/records/train.jsonl rule-written dialogues about regions (reader "records")
llava_cc3m/, llava_665k/       captions as conversations; dialogues with boxes
vizwiz_grounding/              val_grounding.json: for evaluation only
""", "lyrics": """laion/, cc3m/, grit/           captions in tar files; a few of laion's are wrong, grit's have boxes
vqav2/, gqa/, dvqa/, chartqa/  open questions (vqav2's pictures lie in coco/)
scienceqa/                     questions with answers to choose from
docvqa/, textvqa/              questions that a printed word answers
"""}  # further layouts: name -> what README.txt says of them
BY = {"refcoco": "unc", "refcoco+": "unc", "refcocog": "umd"}


@dataclass(frozen=True)
class Settings:
    """What decides every byte of the folder."""

    images: int
    val: int
    seed: int
    size: int = 96
    oddities: float = 0.02
    world: str = "wide"  # name in WORLDS
    release: int = RELEASE
    also: str = ""  # name in ALSO: further layouts

    def __post_init__(self):
        if self.images < 1 or self.val < 0 or self.seed < 0:
            raise ConfigError("the world needs pictures", got=f"{self.images} to train, {self.val} held out, "
                              f"seed {self.seed}", expected="1 or more, 0 or more, 0 or more")
        drawable((self.size,), self.spec.objects, f"world {self.world}")
        if not 0 <= self.oddities <= 1:
            raise ConfigError("oddities is no share", got=self.oddities, expected="0 to 1")
        if self.also not in ALSO:
            raise unknown_name("set of further layouts", self.also, ALSO)

    @property
    def spec(self) -> WorldSpec:
        return named_world(self.world)


# What miniatures are judged on, fixed before the first was trained: a seed that no training uses. Goals are stated for
# the first; the training pictures are for baselines that are fitted.
JUDGING: tuple[Settings, ...] = tuple(Settings(400, val, 777, WORLDS[name].size, world=name) for name, val in (
    ("mini", 2000), ("mini-128", 2000), ("shifted", 2000), ("unread", 1200)))


def write(out: Path | str, images: int, seed: int = 0, val: int | None = None, *, size: int | None = None,
          oddities: float = 0.02, world: str = "wide", also: str = "", workers: int = 1) -> dict[str, int]:
    """Write `images` training and `val` held-out pictures (a tenth, where not said) with every annotation file.

    `world` names one of WORLDS; `size` is its own where not given. `also` names one of ALSO.

    Returns the number of expressions of each referring benchmark. The bytes depend on the settings alone, not on
    `workers`; a run that was stopped goes on where it was, one that is complete returns at once.
    """
    return written(Path(out), Settings(images, max(20, images // 10) if val is None else val, seed,
                                       named_world(world).size if size is None else size, oddities, world, also=also),
                   workers)


def write_judging(out: Path | str, workers: int = 1) -> list[Path]:
    """The worlds of JUDGING, each in a folder of its name below `out`; returns the folders."""
    folders = [Path(out) / settings.world for settings in JUDGING]
    for folder, settings in zip(folders, JUDGING):
        written(folder, settings, workers)
    return folders


def written(out: Path, settings: Settings, workers: int) -> dict[str, int]:
    """As `write`."""
    if workers < 1:
        raise ConfigError("a world is written by at least one process", got=workers, expected="1 or more",
                          where="workers")
    if _begin(out, settings):
        return json.loads((out / COUNTS).read_text("utf-8"))
    splits = (("train", settings.images), ("val", settings.val))
    jobs = [(split, start, min(PART, count - start)) for split, count in splits
            for start in range(0, count, PART)]
    folders = [out / PARTS / f"{split}-{start:09d}" for split, start, _ in jobs]
    with tqdm(total=settings.images + settings.val, unit="picture", desc="world", disable=None) as bar:
        for done in _run(out, settings, jobs, workers):
            bar.update(done)
    files.assemble(_documents(settings), folders, out)
    counts: Counter[str] = Counter({name: 0 for name in _benchmarks()})
    for folder in folders:
        counts.update(json.loads((folder / COUNTS).read_text("utf-8")))
    _finish(out, settings, dict(counts))
    return dict(counts)


def worlds(roots) -> dict[str, dict]:
    """Settings of the worlds among roots, a folder or folders by name, "" for the folder of all sources. Of a root that
    lies in a world's folder "inside" says where."""
    named = roots if isinstance(roots, Mapping) else {"": roots} if roots else {}
    found = {}
    for name, root in named.items():
        root = Path(root).expanduser().absolute()
        home = next((place for place in (root, root.parent) if (place / SETTINGS).is_file()), None)
        if home is not None:
            inside = {"inside": root.name} if home != root else {}
            found[name] = _stored(home / SETTINGS) | inside
    return found


def _stored(path: Path) -> dict:
    try:
        return json.loads(path.read_text("utf-8"))
    except ValueError as error:
        raise FileError("these are no settings of a world", got=error, where=path,
                        do="write the world again") from None


def _begin(out: Path, settings: Settings) -> bool:
    """Claim the folder; True when it already holds exactly this. A foreign folder is left alone."""
    stored = out / SETTINGS
    if stored.is_file():
        try:
            there = json.loads(stored.read_text("utf-8"))
        except ValueError:
            there = {}
        wanted = asdict(settings)
        there = {"also": "", **there} if there else there  # worlds written before there was a choice
        if there != wanted:
            differ = [key for key in wanted if there.get(key) != wanted[key]]
            raise FileError("another world lies here", got=", ".join(f"{key} {there.get(key)}" for key in differ),
                            expected=", ".join(f"{key} {wanted[key]}" for key in differ), where=stored,
                            do="choose another folder, or delete this one")
        return (out / COUNTS).is_file()
    with files.writing(out):
        if out.exists() and (not out.is_dir() or any(out.iterdir())):
            raise FileError("will not write among other files", got=f"{out}, which is not empty",
                            expected="a new or empty folder, or a world begun with the same settings",
                            do="choose another folder")
        out.mkdir(parents=True, exist_ok=True)
    with files.atomic(stored) as file:
        file.write(json.dumps(asdict(settings)).encode() + b"\n")
    return False


def _run(out: Path, settings: Settings, jobs: list, workers: int) -> Iterator[int]:
    """Make the parts that are not there; yields the number of pictures of each part as it is done."""
    if workers <= 1 or len(jobs) == 1:
        for job in jobs:
            yield _part(out, settings, *job)
        return
    pool = ProcessPoolExecutor(min(workers, len(jobs)), multiprocessing.get_context("spawn"), die_with_parent)
    try:
        waiting: set[Future] = set()
        for job in jobs:
            waiting.add(pool.submit(_part, out, settings, *job))
            if len(waiting) >= 2 * workers:
                done, waiting = wait(waiting, return_when=FIRST_COMPLETED)
                yield from (future.result() for future in done)
        done, _ = wait(waiting)
        yield from (future.result() for future in done)
    finally:
        pool.shutdown(cancel_futures=True)


def die_with_parent() -> None:
    """A worker whose parent was killed would wait for work for ever."""
    parent = multiprocessing.parent_process()

    def watch():
        connection.wait([parent.sentinel])
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()


def _part(out: Path, settings: Settings, split: str, start: int, count: int) -> int:
    """Pictures start .. start + count of a split, and their spools in a folder that appears when they are whole."""
    folder = out / PARTS / f"{split}-{start:09d}"
    if folder.is_dir():
        return count
    temporary = folder.with_name(f"{folder.name}.{os.getpid()}.tmp")
    layouts = _layouts(settings, split)
    spools, counts = files.Spools(_documents(settings), temporary), Counter()
    try:
        for record in records(count, settings.seed, split, start=start, size=settings.size,
                              world=settings.spec):
            first = None
            for layout in layouts:
                entries = list(layout.entries(record))
                spools.add(entries)
                counts.update(_expressions(layout, entries))
                for path in layout.pictures(record):
                    first = _picture(record, out / path, first)
    finally:
        spools.close()
    with files.writing(temporary):
        (temporary / COUNTS).write_text(json.dumps(counts), "utf-8")
        if not folder.is_dir():
            os.replace(temporary, folder)
    return count


def _picture(record: Record, path: Path, first: Path | None) -> Path:
    """The first place of a picture holds its bytes, the others are links to it."""
    if first is None:
        with files.writing(path):
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(record.image.bytes())
        return path
    if path != first:
        files.link(first, path)
    return first


def _layouts(settings: Settings, split: str) -> list[files.Layout]:
    flaws, folder = Oddities(settings.oddities, settings.seed), FOLDERS[split]
    groups = {name: KINDS[name].group for name in settings.spec.classes}
    categories = categories_of(settings.spec.classes, groups)
    layouts: list[files.Layout] = [
        Coco(folder, categories, flaws, under="coco/"), CocoCaptions(folder, under="coco/"),
        Objects365(split, categories, flaws, under="objects365/"),
        *(Refer(categories, name, BY[name], lambda record, by=BY[name]: refer_split(record, by),
                under=f"refer/{name}/") for name in DATASETS),
        Records(split, "records/", lambda record: f"../coco/{folder}/{file_name(record)}")]
    if split == "train":
        layouts += [VisualGenome("1.2", flaws, under="visual_genome/"), Chat(under="llava/")]
    if settings.also:
        layouts += lyrics.layouts(split) if settings.also == "lyrics" else chatspot.layouts(split, folder)
    return layouts


class Chat(Llava):
    """Conversations about COCO's training pictures, which stay where they are."""

    def pictures(self, record: Record) -> Iterator[str]:
        return iter(())


def _documents(settings: Settings) -> list[files.Document]:
    documents = [d for split in FOLDERS for layout in _layouts(settings, split) for d in layout.documents]
    return list({document.path: document for document in documents}.values())


def refer_split(record: Record, by: str) -> str:
    """Held-out pictures in turn: val, then test; among the tests of unc, A has composed things, B only shapes."""
    if record.split != "val":
        return "train"
    if record.extra["world"]["index"] % 2 == 0:
        return "val"
    if by != "unc":
        return "test"
    return "testA" if any(KINDS[o.name].group != "shape" for o in record.objects if o.part_of is None) else "testB"


def _benchmarks() -> list[str]:
    held_out = [f"{name}-{split}" for name in DATASETS for split in SPLITS[BY[name]] if split != "train"]
    return [*held_out, *(f"{name}-all" for name in DATASETS)]


def _expressions(layout: files.Layout, entries: list[files.Entry]) -> Counter[str]:
    """Expressions by benchmark among what a referring layout adds."""
    counts: Counter[str] = Counter()
    if isinstance(layout, Refer):
        for path, _, ref in entries:
            if path == layout.path:
                counts[f"{layout.dataset}-all"] += len(ref["sentences"])
                if ref["split"] != "train":
                    counts[f"{layout.dataset}-{ref['split']}"] += len(ref["sentences"])
    return counts


def _finish(out: Path, settings: Settings, counts: dict[str, int]) -> None:
    with files.atomic(out / README) as file:
        file.write(_readme(settings).encode())
    shutil.rmtree(out / PARTS, ignore_errors=True)
    with files.atomic(out / COUNTS) as file:
        file.write(json.dumps(counts, indent=1).encode() + b"\n")


def _readme(settings: Settings) -> str:
    pictures = (f"World {settings.world!r}: {settings.images} pictures to train on and {settings.val} held out, "
                f"{settings.size} pixels a side")
    return f"""A miniature world. {pictures},
drawn by `loupe world` from seed {settings.seed}. Every annotation is exact, but for a share of {settings.oddities}
of the entries, which carry the flaws of real files. All of it is free of rights (CC0).

coco/{{train2017,val2017}}       pictures; coco/annotations/ instances and captions of both
visual_genome/                 the training pictures with version 1.2's six files
objects365/                    zhiyuan_objv2_train.json, zhiyuan_objv2_val.json
refer/refcoco, refer/refcoco+  refs(unc).p: train, val, testA (with composed things), testB (shapes only)
refer/refcocog                 refs(umd).p: train, val, test; longer sentences. Pictures of refer/ lie in coco/
llava/chat.json                conversations about coco/train2017
records/train.jsonl, val.jsonl everything that is known, one picture a line (reader "records")
counts.json                    number of expressions of each referring benchmark
{ALSO[settings.also]}"""
