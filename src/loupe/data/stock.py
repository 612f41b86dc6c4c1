"""What of a mixture's data lies in a folder: pictures, pairs and dialogues of each source, and what is missing."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field, replace

import numpy as np
from tqdm import tqdm

from loupe.data.draw import place
from loupe.data.mixture import HeldOut, Mixture, Source
from loupe.data.refusal import check_allowed, check_made_of
from loupe.errors import FileError, ImageError, LoupeError
from loupe.plain import Roots
from loupe.readers import reader
from loupe.record import Record
from loupe.tasks import task

LOOKED_AT = 400  # records of a source whose pairs are counted; the rest is reckoned from their mean
OPENED = 40  # about so many pictures of a source are opened, to see whether they are pictures
PAIRS: dict[str, Callable[[Record], int]] = {  # task -> question-answer pairs a record holds for it
    "caption": lambda r: len(r.captions),
    "question": lambda r: sum(q.region is None for q in r.questions),
    "region-question": lambda r: sum(q.region is not None for q in r.questions),
    "reading": lambda r: len(r.words),
    "region": lambda r: sum(bool(o.name) and not o.crowd for o in r.objects),
    "description": lambda r: len(r.phrases),
    "grounding": lambda r: len(r.phrases),
    "grounded-caption": lambda r: len(r.sentences) or min(1, len(r.objects)),
    "dialogue": lambda r: sum(len(d.texts) // 2 for d in r.dialogues),
}


@dataclass(frozen=True)
class Stock:
    """One source as it lies there; `missing` says why nothing of it can be used."""

    source: Source
    pictures: int = 0
    pairs: int = 0
    dialogues: int = 0
    exact: bool = True  # pairs and dialogues counted in every record
    left_out: Counter = field(default_factory=Counter)
    examples: dict[str, str] = field(default_factory=dict)  # the first of each reason
    missing: str = ""
    shows: bool = True  # its records have pictures; else `pictures` counts its entries


def stocks(sources: Iterable[tuple[Mixture, Source]], roots: Roots, looked_at: int | None = LOOKED_AT
           ) -> Iterator[Stock]:
    """Each source once, whatever its name and weight; `looked_at` None counts every record."""
    seen: list[Source] = []
    for mixture, source in sources:
        same = replace(source, name="", weight=1.0)
        if same in seen:
            continue
        seen.append(same)
        try:
            check_allowed(mixture, source)
            records = reader(source.reader)(place(roots, source.folder), source.split, **source.options)
            check_made_of(mixture, source, records)
            stock = counted(source, records, looked_at)
            yield stock if stock.pictures else replace(
                stock, missing=f"no {'picture' if stock.shows else 'instruction'} of it is there")
        except LoupeError as error:
            yield Stock(source, missing=str(error))


def counted(source: Source, records, looked_at: int | None) -> Stock:
    pictures = min(len(records), source.limit or len(records))
    known = pictures if looked_at is None else min(pictures, looked_at)
    picks = np.unique(np.linspace(0, len(records) - 1, known).astype(int)) if known else np.zeros(0, int)
    asked = [(name, task(name, **source.task_options.get(name, {}))) for name, _ in source.tasks]
    opened = set(picks[::max(1, len(picks) // OPENED)].tolist())
    pairs, dialogues, read = 0, 0, 0
    for k in tqdm(picks, desc=source.name, unit="picture", delay=2, disable=None, leave=False):
        try:
            record = records[int(k)]
        except (ImageError, FileError) as error:
            records.note("record cannot be read", error)
            continue
        if k in opened and record.image is not None:
            try:
                _ = record.image.size
            except (ImageError, FileError) as error:
                records.note("picture does not decode (of those opened)", f"{record.image.name}: {error}")
        read += 1
        pairs += sum(PAIRS[name](record) if name in PAIRS else len(made.every(record)) for name, made in asked)
        dialogues += len(record.dialogues) * any(name == "dialogue" for name, _ in asked)
    scale = pictures / read if read else 0
    return Stock(source, pictures, round(pairs * scale), round(dialogues * scale), read == pictures,
                 Counter(records.problems), {reason: some[0] for reason, some in records.examples.items() if some},
                 shows=records.shows)


def held_out(held: HeldOut, roots: Roots) -> str:
    """Why an evaluation split cannot be kept out of training; "" if it can."""
    try:
        made = reader(held.reader)(place(roots, held.folder), held.split, **held.options)
        return "" if len(made) else "no pictures"
    except LoupeError as error:
        return str(error)
