"""RefCOCO, RefCOCO+ and RefCOCOg as REFER publishes them: refs(<by>).p beside instances.json.

One record a picture of the split: all its instances as objects, each sentence of the split's references as a Phrase
that refers. Phrase ids are "<ref id>:<sentence id>".
"""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import NamedTuple

from loupe.errors import FileError
from loupe.readers.base import Note, Pictured, Reader
from loupe.readers.instances import looked_for, objects_of, open_instances
from loupe.readers.pictures import COCO_FOLDERS, coco_names, usual_folders
from loupe.readers.plain_pickle import as_text, read_pickle
from loupe.record import Phrase, Record


class Ref(NamedTuple):
    annotation: str
    sentences: tuple[tuple[str, str], ...]  # (id, text)


class Refer(Reader):
    """`Refer(root, "val", dataset="refcocog", by="umd")`: files in root/<dataset> or in root itself.

    Splits: train, val, test (RefCOCOg by umd), testA, testB (RefCOCO, RefCOCO+ by unc); "" is all of them.
    """

    source = "refer"

    def __init__(self, root, split: str = "", *, dataset: str = "refcoco", by: str = "", images=None,
                 missing: str = "drop"):
        super().__init__(root, split, images=images, missing=missing)
        self.dataset = dataset
        self.by, path = self._refs_file(by)
        refs, self._digests[path.name] = read_pickle(path)
        self._refs = self._of_split(refs, path)
        instances = path.with_name("instances.json")
        self.instances = open_instances(instances, self.note, lambda name: self._has(coco_names(name)),
                                        only=self._refs)
        self._digests[instances.name] = self.instances.hash
        self._vocabulary = self.instances.vocabulary
        kept = set(self.instances.order.tolist())
        lost = set(self._refs) - kept
        for picture in lost:
            for _ in range(sum(len(ref.sentences) for ref in self._refs[picture])):
                self.note("expression without its picture", picture)
            del self._refs[picture]
        self._ready(len(self.instances.order))

    def _refs_file(self, by: str) -> tuple[str, Path]:
        folders = [f for f in (self.root / self.dataset, self.root) if f.is_dir()]
        there = {p.name[5:-3]: p for f in reversed(folders) for p in sorted(f.glob("refs(*).p"))}
        if not there or (by and by not in there):
            wanted = by or ("umd" if self.dataset == "refcocog" else "unc")
            raise FileError("references are not there", got=", ".join(p.name for p in there.values()) or "no refs(*).p",
                            expected=f"refs({wanted}).p", where=self.root / self.dataset,
                            do="check --root, dataset= and by=")
        if not by and len(there) > 1:
            by = "umd" if self.dataset == "refcocog" else "unc"  # the splits that papers report
        if by not in there:
            by = sorted(there)[0]
        return by, there[by]

    def _of_split(self, refs, path: Path) -> dict[int, list[Ref]]:
        """picture -> its references in this split, in file order."""
        if not isinstance(refs, list) or not all(isinstance(r, dict) for r in refs):
            raise FileError("references are of another layout", got=type(refs).__name__,
                            where=path,
                            expected="a list of dictionaries with ref_id, image_id, ann_id, split, sentences")
        out: dict[int, list[Ref]] = {}
        splits: Counter[str] = Counter()
        for entry in refs:
            if type(entry.get("image_id")) is not int or not isinstance(entry.get("sentences"), list):
                self.note("reference without image_id or sentences", f"ref {entry.get('ref_id')}")
                continue
            splits[str(entry.get("split"))] += 1
            if self.split and entry.get("split") != self.split:
                continue
            sentences = self._sentences(entry)
            out.setdefault(entry["image_id"], []).append(Ref(str(entry.get("ann_id")), sentences))
        if self.split and refs and not out:
            raise FileError("split has no references", got=repr(self.split), where=path,
                            expected=", ".join(f"{k} ({v})" for k, v in sorted(splits.items())),
                            do="choose one of these splits")
        return out

    def _sentences(self, entry: dict) -> tuple[tuple[str, str], ...]:
        out = []
        for k, sentence in enumerate(entry["sentences"]):
            text = ""
            if isinstance(sentence, dict):
                tokens = sentence.get("tokens")
                text = as_text(sentence.get("sent")) or as_text(sentence.get("raw")) or (
                    as_text(" ".join(map(str, tokens))) if isinstance(tokens, list) else "")
            if not text:
                self.note("expression without text", f"ref {entry.get('ref_id')}")
                continue
            out.append((f"{entry.get('ref_id')}:{sentence.get('sent_id', k)}", text))
        return tuple(out)

    def _folders(self):
        year = ("train2014", *COCO_FOLDERS)
        return usual_folders(self.root, year, ("coco", "coco2014", "mscoco"))

    def pictured(self, i: int) -> Pictured:
        picture = int(self.instances.order[i])
        names = coco_names(self.instances.image(picture)["file_name"])
        return Pictured(self._image(names), {"coco_id": picture})

    def _record(self, i: int, note: Note) -> Record:
        picture = int(self.instances.order[i])
        entry = self.instances.image(picture)
        width, height = entry["width"], entry["height"]
        objects = objects_of(self.instances.annotated(picture), self.instances.categories, width, height, note)
        by_id = {o.id: o for o in objects}
        phrases = []
        for ref in self._refs[picture]:
            thing = by_id.get(ref.annotation)
            for key, text in ref.sentences:
                if thing is None:
                    note("expression without its object", f"{key}: annotation {ref.annotation}")
                else:
                    phrases.append(Phrase(text, thing.box, refers=True, object=thing.id, id=key))
        return Record(self._image(coco_names(entry["file_name"])), width, height, str(picture), self.source, self.split,
                      licence=self.instances.licence(entry), objects=objects,
                      phrases=tuple(phrases), vocabulary=looked_for(self._vocabulary, objects), exhaustive=True,
                      extra={"coco_id": picture})
