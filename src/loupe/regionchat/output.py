"""What a run leaves behind: dialogues joined to their records, and the manifest that counts everything."""

from __future__ import annotations

import json
import os
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from tqdm import tqdm

from loupe.errors import FileError, ImageError
from loupe.record import Record, Turns
from loupe.regionchat.checks import likeness
from loupe.regionchat.listing import listed
from loupe.regionchat.talk import HANDLE, Talk
from loupe.regionchat.writers import Outcome
from loupe.writers import files
from loupe.writers.coco import file_name
from loupe.writers.records import Records


def to_line(index: int, id: str, outcome: Outcome) -> str:
    data = {"index": index, "record": id, "dialogues": [talk.turns for talk in outcome.talks],
            "failed": outcome.failed, "lost": outcome.lost, "skipped": outcome.skipped}
    return json.dumps({k: v for k, v in data.items() if v or k in ("index", "record")}, ensure_ascii=False) + "\n"


def from_line(line: bytes, where: str) -> tuple[int, str, Outcome]:
    try:
        data = {"dialogues": [], "failed": [], "lost": 0, "skipped": "", **json.loads(line)}
        talks = [Talk(tuple((_as(str, q), _as(str, a)) for q, a in turns)) for turns in _as(list, data["dialogues"])]
        failed = [(_as(str, reason), _as(str, what), (1, 2)[_as(int, attempt) - 1])
                  for reason, what, attempt in _as(list, data["failed"])]
        outcome = Outcome(talks, failed, _as(int, data["lost"]), _as(str, data["skipped"]))
        if not (talks or failed or outcome.lost or outcome.skipped):
            raise ValueError("nothing came of it")
        return _as(int, data["index"]), _as(str, data["record"]), outcome
    except (ValueError, KeyError, TypeError, IndexError, RecursionError) as error:
        raise FileError("a line of the outcomes cannot be read", got=error, where=where,
                        do="delete that line; its picture is asked about again") from None


def _as(kind: type, value):
    if type(value) is not kind:
        raise TypeError(f"{str(value)[:40]!r} where {kind.__name__} belongs")
    if kind is str:
        value.encode()  # a ValueError of half a letter
    return value


class Outcomes:
    """OUT/outcomes.jsonl: a line a picture, in the order in which they were finished."""

    def __init__(self, path: Path):
        self.path, self.known = path, {}
        if path.exists():
            whole, _, torn = path.read_bytes().rpartition(b"\n")
            if torn:  # by a kill
                os.truncate(path, len(whole) + bool(whole))
            for number, line in enumerate(whole.split(b"\n") if whole else (), 1):
                index, id, outcome = from_line(line, f"{path}:{number}")
                self.known[index] = (id, outcome)

    def add(self, index: int, id: str, outcome: Outcome) -> None:
        with self.path.open("a", encoding="utf-8") as file:
            file.write(to_line(index, id, outcome))
        self.known[index] = (id, outcome)


def assembled(outcomes: Mapping[int, tuple[str, Outcome]], reader: Sequence[Record], out: Path, split: str,
              most_regions: int, once: bool) -> tuple[int, Counter[str]]:
    """OUT/records/<split>.jsonl: (dialogues written, those left out now by reason).

    once: a dialogue whose words stood in an earlier picture is left out.
    """
    counts, seen = Counter(), set()
    layout = Records(split, picture=lambda record: _place(record, out / "records"))
    rows = _records(outcomes, reader, most_regions, once, counts, seen, out / "records")
    (out / "records").mkdir(parents=True, exist_ok=True)
    files.write([layout], rows, out / "records", pictures=False)
    return counts.pop("written", 0), counts


def _records(outcomes, reader, most_regions: int, once: bool, counts: Counter, seen: set[str],
             folder: Path) -> Iterator[Record]:
    for index in tqdm(sorted(outcomes), desc="records", unit="picture", delay=2, disable=None, leave=False):
        id, outcome = outcomes[index]
        if not outcome.talks:
            continue
        try:
            record = reader[index]
        except ImageError:  # gone since it was asked about
            counts["picture is gone"] += len(outcome.talks)
            continue
        listing = listed(record, most_regions)
        dialogues = []
        for number, talk in enumerate(outcome.talks):
            words = likeness(talk, listing)
            if once and words in seen:
                counts["dialogue repeated"] += 1
                continue
            seen.add(words)
            regions = tuple((handle, listing.handles[handle].box) for handle in talk.handles)
            dialogues.append(Turns(talk.texts, f"{id}-r{number}", regions))
        if dialogues:
            counts["written"] += len(dialogues)
            if record.image.path is None:
                files.picture(record, folder / _place(record, folder))
            yield replace(record, dialogues=tuple(dialogues))


def counted(outcomes: Iterable[Outcome]) -> dict:
    """Numbers over all pictures: failures by reason and try, what was lost, why pictures were passed over."""
    tries = {1: Counter(), 2: Counter()}
    skipped, talks, turns, regions, lost, pictures = Counter(), 0, 0, 0, 0, 0
    for outcome in outcomes:
        pictures += 1
        for reason, _, attempt in outcome.failed:
            tries[attempt][reason] += 1
        if outcome.skipped:
            skipped[outcome.skipped] += 1
        lost += outcome.lost
        talks += len(outcome.talks)
        turns += sum(len(talk.turns) for talk in outcome.talks)
        regions += sum(len(HANDLE.findall(" ".join(talk.texts))) for talk in outcome.talks)
    return {"pictures": pictures, "dialogues that passed": talks, "questions": turns, "regions named": regions,
            "dialogues lost after two tries": lost, "failed at first": dict(tries[1].most_common()),
            "failed again": dict(tries[2].most_common()), "pictures passed over": dict(skipped.most_common())}


def put(path: Path, data: object) -> None:
    """JSON, whole or not at all."""
    with files.writing(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        part = path.with_name(path.name + ".part")
        part.write_text(json.dumps(data, indent=1, ensure_ascii=False) + "\n", "utf-8")
        os.replace(part, path)


def _place(record: Record, folder: Path) -> str:
    if record.image.path is None:
        return f"images/{file_name(record)}"
    return Path(os.path.relpath(record.image.path, folder)).as_posix()
