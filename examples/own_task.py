"""A task of your own, here which corner of the picture a thing lies nearest to: shown, and measured as a benchmark.

    python examples/own_task.py demo/data mini

It may stand in a mixture, too: `loupe.data.draw.open_mixture` and `loupe.train` know it in this process.
"""

import sys
from dataclasses import dataclass

import loupe
from loupe.evals import Benchmark
from loupe.sample import Regions
from loupe.tasks import TASKS
from loupe.tasks.base import Case, Task


@dataclass(frozen=True, kw_only=True)
class Corner(Task):
    """Words and truth; no files, no digits."""

    name = "corner"
    needs = frozenset({"objects"})

    def cases(self, record):
        for thing in record.objects:
            x, y = (thing.box.x1 + thing.box.x2) / 2, (thing.box.y1 + thing.box.y2) / 2
            corner = f"{'top' if y < record.height / 2 else 'bottom'} {'left' if x < record.width / 2 else 'right'}"
            yield Case(thing.id, {"region": thing.box}, (corner,), corner)

    def worded(self, kind, fields, rng=None):
        return self.styled(("Which corner is nearest to ", Regions((fields["region"],)), "?"), rng)


TASKS["corner"] = f"{__name__}:Corner"

if __name__ == "__main__":
    data, model = sys.argv[1:]
    what = Benchmark("corner", "records", "records", "val", task="corner", metric="words", draw=1)
    result = loupe.evaluate(model, what, root=data, limit=20)
    for each in result.predictions[:3]:
        print(each.id, "truth:", each.truth, "- said:", each.answer.text)
    print(result)
