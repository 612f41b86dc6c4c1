"""The REFER layout of RefCOCO, RefCOCO+ and RefCOCOg: a pickle of references and COCO's instances.json."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import lru_cache
from pathlib import Path

from loupe.errors import ConfigError, unknown_name
from loupe.record import Phrase, Record
from loupe.writers.coco import Category, Coco, with_categories
from loupe.writers.files import Document, Entry, write
from loupe.writers.numbers import number
from loupe.writers.oddities import NONE

DATASETS = ("refcoco", "refcoco+", "refcocog")
SPLITS = {"unc": ("train", "val", "testA", "testB"), "umd": ("train", "val", "test"), "google": ("train", "val")}
# Words of place: RefCOCO+ was collected without them.
PLACES = frozenset((
    "nearest", "furthest", "left", "right", "top", "bottom", "above", "below", "under", "over", "beneath",
    "upper", "lower", "higher", "leftmost", "rightmost", "topmost", "lowest", "highest", "middle", "center",
    "centre", "corner", "side", "up", "down", "first", "second", "third", "fourth", "fifth", "sixth", "last",
    "front", "back", "behind", "near", "next", "far", "level", "straight", "close", "beside", "by"))
SHORT, LONG = 7, 6  # words: RefCOCO takes expressions up to SHORT, RefCOCOg from LONG on
PER_OBJECT = {"refcoco": 3, "refcoco+": 3, "refcocog": 2}


@lru_cache(maxsize=4096)
def tokens(text: str) -> tuple[str, ...]:
    """Lower-case words without punctuation."""
    return tuple(re.findall(r"[a-z0-9]+(?:'[a-z]+)?", text.lower()))


def suitable(phrases: Sequence[Phrase], dataset: str) -> list[Phrase]:
    """The phrases that a data set of this kind would hold: a spread from short to long, or the longest."""
    phrases = sorted(phrases, key=lambda phrase: len(tokens(phrase.text)))
    limit = PER_OBJECT[dataset]
    if dataset == "refcocog":
        return [phrase for phrase in phrases if len(tokens(phrase.text)) >= LONG][-limit:]
    phrases = [phrase for phrase in phrases if len(tokens(phrase.text)) <= SHORT]
    if dataset == "refcoco+":
        phrases = [phrase for phrase in phrases if not PLACES & set(tokens(phrase.text))]
    if len(phrases) <= limit:
        return phrases
    return [phrases[round(k * (len(phrases) - 1) / (limit - 1))] for k in range(limit)]


class Refer:
    """refs(BY).p and instances.json; `split_of` says which split a record's references belong to."""

    def __init__(self, categories: Sequence[Category], dataset: str = "refcoco", by: str = "unc",
                 split_of: Callable[[Record], str] = lambda record: record.split, under: str = ""):
        if dataset not in DATASETS:
            raise unknown_name("referring data set", dataset, DATASETS)
        if by not in SPLITS:
            raise unknown_name("division into splits", by, SPLITS)
        self.dataset, self.by, self.split_of, self.under = dataset, by, split_of, under
        self.instances = Coco("train2014", categories, NONE, under, path="instances.json", naming=self._name)
        self.path = f"{under}refs({by}).p"
        self.documents = (Document(self.path, pickled=True), *self.instances.documents)

    @staticmethod
    def _name(record: Record) -> str:
        return f"COCO_train2014_{number(record.id):012d}.jpg"

    def pictures(self, record: Record) -> Iterator[str]:
        return iter(())  # they lie in COCO's folders

    def entries(self, record: Record) -> Iterator[Entry]:
        refs = list(self.refs(record))
        if refs:
            yield from self.instances.entries(record)
        for ref in refs:
            yield self.path, "", ref

    def refs(self, record: Record) -> Iterator[dict]:
        split = self.split_of(record)
        if split not in SPLITS[self.by]:
            raise ConfigError(f"record {record.id} is in no split of refs({self.by}).p", got=repr(split),
                              expected=", ".join(SPLITS[self.by]), do="pass records by split")
        said: dict[str, list[Phrase]] = {}
        for phrase in record.phrases:
            if phrase.refers and phrase.object is not None:
                said.setdefault(phrase.object, []).append(phrase)
        for o in record.objects:
            phrases = suitable(said.get(o.id, ()), self.dataset)
            if not phrases or o.name not in self.instances.ids or o.crowd:
                continue
            ann = number(o.id)
            sentences = [{"tokens": list(tokens(phrase.text)), "raw": phrase.text, "sent_id": ann * 10 + k,
                          "sent": " ".join(tokens(phrase.text))} for k, phrase in enumerate(phrases)]
            yield {"sent_ids": [sentence["sent_id"] for sentence in sentences],
                   "file_name": f"COCO_train2014_{number(record.id):012d}_{ann}.jpg", "ann_id": ann, "ref_id": ann,
                   "image_id": number(record.id), "split": split, "sentences": sentences,
                   "category_id": self.instances.ids[o.name]}


def write_refer(records_by_split: Mapping[str, Iterable[Record]], root: Path | str, dataset: str = "refcoco",
                by: str = "unc", *, categories: Sequence[Category] | None = None) -> int:
    """Write refs(BY).p and instances.json under `root`; returns the number of images read."""
    where: dict[str, str] = {}

    def all_records():
        for split, records in records_by_split.items():
            for record in records:
                where[record.id] = split
                yield record
                del where[record.id]

    records, categories = with_categories(all_records(), categories)
    return write([Refer(categories, dataset, by, lambda record: where[record.id])], records, root)
