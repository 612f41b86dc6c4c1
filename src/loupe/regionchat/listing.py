"""What a writer of dialogues is told of a picture: captions, regions by handles, relations; no pixels."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from loupe.errors import FileError
from loupe.record import Object, Phrase, Record
from loupe.regions import Box, iou

SAME = 0.7  # IoU from which two boxes of one name, or a phrase and an object, are about one thing
THOUSAND = 1000  # boxes are told in thousandths of the picture's sides


@dataclass(frozen=True)
class Entry:
    """A region: its handle, its box in pixels, and what is annotated of it."""

    handle: str
    box: Box
    name: str = ""
    looks: tuple[str, ...] = ()
    phrases: tuple[str, ...] = ()
    says: tuple[str, ...] = ()  # printed words

    @property
    def facts(self) -> tuple[str, ...]:
        return tuple(text for text in (self.name, *self.looks, *self.phrases, *self.says) if text)


@dataclass(frozen=True)
class Listing:
    """absent: classes that are known not to be there. counts: how many of a name there are, where all are known."""

    width: int
    height: int
    captions: tuple[str, ...]
    entries: tuple[Entry, ...]
    relations: tuple[tuple[str, str, str], ...]  # handle, predicate, handle
    absent: frozenset[str] = frozenset()
    counts: tuple[tuple[str, int], ...] = ()
    names: frozenset[str] = frozenset()  # of everything annotated, also of what has no handle

    @property
    def handles(self) -> dict[str, Entry]:
        return {entry.handle: entry for entry in self.entries}

    @property
    def facts(self) -> tuple[str, ...]:
        """Every annotated text."""
        return (*self.captions, *(text for e in self.entries for text in e.facts), *(r[1] for r in self.relations),
                *sorted(self.names))

    def text(self) -> str:
        """As it stands in a request."""
        lines = ["Captions:", *(f"- {text}" for text in self.captions or ("(none)",)),
                 "Regions (handle: what is known; left, top, right, bottom in thousandths of the picture):"]
        for e in self.entries:
            known = [e.name, ", ".join(e.looks), *e.phrases, *(f'it says "{text}"' for text in e.says)]
            at = (f"{round(THOUSAND * v / side)}" for v, side in zip(e.box.xyxy, 2 * (self.width, self.height)))
            lines.append(f"{e.handle}: {'; '.join(text for text in known if text)}; at {' '.join(at)}")
        lines += ["Relations:", *(" ".join(triplet) for triplet in self.relations or (("(none)",),))]
        if self.counts:
            lines.append("How many: " + ", ".join(f"{name} {number}" for name, number in self.counts))
        return "\n".join(lines)


def listed(record: Record, most: int = 15, phrases: int = 3) -> Listing:
    """The record's listing with at most `most` regions: those of which most is known, the larger first."""
    kept, same_as = _things(record)
    entries = [_entry(o, record, phrases) for o in kept]
    told = {text for entry in entries for text in entry.phrases}
    ids = [o.id for o in kept]
    for p in record.phrases:  # region descriptions that belong to no object stand for themselves
        if p.text.strip() not in told and _owner(p, kept) is None and p.region.box.area > 0:
            entries.append(Entry("", p.region.box, phrases=(p.text.strip(),)))
            ids.append("")
            told.add(p.text.strip())
    related = {same_as.get(id, id) for r in record.relations for id in (r.subject, r.object)}
    rank = sorted(range(len(entries)), key=lambda k: (-len(entries[k].facts) - 2 * (ids[k] in related),
                                                      -entries[k].box.area, k))
    chosen = sorted(rank[:most])
    handles = {ids[k]: f"<r{n}>" for n, k in enumerate(chosen, 1) if ids[k]}
    named = tuple(Entry(f"<r{n}>", *(getattr(entries[k], name) for name in ("box", "name", "looks", "phrases", "says")))
                  for n, k in enumerate(chosen, 1))
    whole = [o for o in record.objects if o.name.strip() and not o.crowd]
    counts, crowds = {}, {o.name for o in record.objects if o.crowd}
    for o in whole if record.exhaustive else ():
        if o.name not in crowds:
            counts[o.name] = counts.get(o.name, 0) + 1
    names = frozenset(name.lower() for o in record.objects for name in o.names)
    absent = frozenset(n.lower() for n in record.vocabulary) - names if record.exhaustive else frozenset()
    return Listing(record.width, record.height, _captions(record), named, _relations(record, handles, same_as), absent,
                   tuple(counts.items()), names)


def from_plain(data: Mapping, where: object) -> Listing:
    """A listing as a seed file says it; boxes in thousandths of the picture."""
    try:
        entries = tuple(Entry(_words([e["handle"]])[0], Box(*map(float, e["box"])), _words([e.get("name", "")])[0],
                              *(_words(e.get(kind, [])) for kind in ("looks", "phrases", "says")))
                        for e in data["regions"])
        relations = tuple((a, b, c) for a, b, c in map(_words, data.get("relations", [])))
        counts = tuple((name, int(number)) for name, number in dict(data.get("counts", {})).items())
        names = frozenset(e.name.lower() for e in entries if e.name)
        return Listing(THOUSAND, THOUSAND, _words(data.get("captions", [])), entries, relations,
                       frozenset(_words(data.get("absent", []))), counts, names)
    except (KeyError, TypeError, ValueError, AttributeError, OverflowError) as error:
        raise FileError("a seed's picture cannot be read", got=repr(error), where=where,
                        expected='{"captions": [...], "regions": [{"handle": "<r1>", "name": ..., "box": [x1, y1, x2, '
                        'y2]}], "relations": [["<r1>", "on", "<r2>"]]}') from None


def _words(value) -> tuple[str, ...]:
    if not isinstance(value, list) or not all(isinstance(word, str) for word in value):
        raise TypeError(f"{str(value)[:40]!r} where a list of words belongs")
    return tuple(value)


def _things(record: Record) -> tuple[list[Object], dict[str, str]]:
    """Objects one can name and point at, each once, and what the others are the same as."""
    kept: list[Object] = []
    same_as: dict[str, str] = {}
    for o in record.objects:
        if not o.name.strip() or o.crowd or o.box.area <= 0:
            continue
        twin = next((k for k in kept if k.name == o.name and iou(k.box, o.box) >= SAME), None)
        if twin is None:
            kept.append(o)
        else:
            same_as[o.id] = twin.id
    return kept, same_as


def _entry(o: Object, record: Record, phrases: int) -> Entry:
    about = [p.text.strip() for p in record.phrases if p.object == o.id or (
        p.object is None and iou(p.region.box, o.box) >= SAME)]
    says = tuple(dict.fromkeys(w.text.strip() for w in record.words if w.object == o.id and w.text.strip()))
    looks = tuple(dict.fromkeys(a.strip().lower() for a in o.attributes if a.strip()))
    return Entry("", o.box, o.name, looks, tuple(dict.fromkeys(filter(None, about)))[:phrases], says)


def _owner(p: Phrase, kept: Iterable[Object]) -> Object | None:
    return next((o for o in kept if o.id == p.object or iou(p.region.box, o.box) >= SAME), None)


def _captions(record: Record) -> tuple[str, ...]:
    return tuple(dict.fromkeys(text.strip() for text in record.captions if text.strip()))


def _relations(record: Record, handles: Mapping[str, str], same_as: Mapping[str, str]):
    found = {}
    for r in record.relations:
        subject, other = (handles.get(same_as.get(id, id)) for id in (r.subject, r.object))
        if subject and other and subject != other:
            found[subject, r.predicate, other] = None
    return tuple(found)
