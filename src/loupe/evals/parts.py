"""Questions shared out to several processes: each keeps its answers in a file of its own, beside the benchmark's, which
the next evaluation takes up."""

from __future__ import annotations

import heapq
from collections.abc import Sequence
from pathlib import Path

from loupe.evals.predictions import Writer, check_same, read
from loupe.sample import Sample


def part_file(path: Path, part: int, parts: int) -> Path:
    """Of part 1 .. parts of the answers in `path`."""
    return path.with_name(f"{path.name}.part{part}of{parts}")


def part_files(path: Path) -> list[Path]:
    return sorted(path.parent.glob(f"{path.name}.part*of*"))


def deal(samples: Sequence[Sample], part: int, parts: int) -> list[Sample]:
    """The questions of part 1 .. parts, in order. All about one picture come together, since they share a look; each
    picture goes where there are fewest questions."""
    pictures: dict[tuple, list[int]] = {}
    for k, sample in enumerate(samples):
        pictures.setdefault(tuple(str(image.path or image.name) for image in sample.images), []).append(k)
    loads, mine = [(0, number) for number in range(1, parts + 1)], []
    for asked in pictures.values():
        load, number = heapq.heappop(loads)
        heapq.heappush(loads, (load + len(asked), number))
        mine += asked if number == part else []
    return [samples[k] for k in sorted(mine)]


def gather(writer: Writer) -> None:
    """Take up what parts have answered, and remove their files. FileError where one is of another model or of other
    questions."""
    for path in part_files(writer.path):
        header, predictions = read(path)
        check_same(header, writer.header, path)
        for prediction in predictions:
            if prediction.id not in writer.done:
                writer.write(prediction)
        path.unlink()
