"""What a mixture may not train on: data held out for evaluation, whichever source brings it in."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from loupe.data.mixture import Mixture, Refused, Source
from loupe.errors import ConfigError, ImageError
from loupe.readers import reader
from loupe.record import Record

LOOKED_AT = 16  # records of loupe's own layout that are asked what they were made from


def check_allowed(mixture: Mixture, source: Source) -> None:
    """Before anything is opened: the source's reader and split are not refused."""
    if reader(source.reader).evaluation_only:
        raise _refused(source, f"reader {source.reader}", Refused(source.reader, (), "it is for evaluation only"))
    for each in mixture.refused:
        if each.reader == source.reader and (not each.splits or source.split in ("", *each.splits)):
            split = f", split {source.split}" if source.split else ", all its splits" if each.splits else ""
            raise _refused(source, f"reader {source.reader}{split}", each)


def check_made_of(mixture: Mixture, source: Source, records: Sequence[Record]) -> None:
    """loupe's own records say what they were made from: a few, spread over the file, are looked at."""
    if source.reader != "records":
        return
    for k in sorted({int(k) for k in np.linspace(0, len(records) - 1, min(LOOKED_AT, len(records)))}):
        try:
            record = records[k]
        except ImageError:
            continue
        only = [each for each in mixture.refused if each.reader == record.source]
        for each in only:
            if not each.splits or record.split in each.splits:
                split = f", split {record.split}" if record.split else ""
                raise _refused(source, f"records made from {record.source}{split} (record {record.id})", each)


def _refused(source: Source, got: str, each: Refused) -> ConfigError:
    splits = f" but its splits {', '.join(each.splits)}" if each.splits else f" but {each.reader}"
    return ConfigError("this mixture may not train on that data", got=got + (f": {each.why}" if each.why else ""),
                       expected=f"anything{splits}", where=f"source {source.name}",
                       do="take the source out, or give it a training split" if each.splits else "take the source out")
