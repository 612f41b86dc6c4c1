"""Short questions about one picture: the dense engine against generation that carries the picture in every sequence.

The same weights and the same answers in one run, float32, seconds of processor time (so that a busy machine changes
little), with tokenising and the look itself.

    python benchmarks/dense_ratio.py [--model mini] [--size 64] [--grid 32] [--few 128]
    python benchmarks/dense_ratio.py --refinement [--pictures 8]

Five ways to ask for the colour of every pixel, and for yes or no at every place of a grid:
  engine    one look that all questions view (loupe.models.viewing)
  copied    one look whose keys and values every row copies; every token of an answer is a step
  batched   the picture in every sequence of a batch, as most tools have it: the tower sees it once a row
  seen      the same, but that the tower sees it once
  one       the same, one question at a time
All but the first answer FEW of the questions. Bounds are ratios of floating point operations counted by torch on both
paths; the quotient says how much of the bound the clock shows. Then what refinement asks, and where it errs.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable

import numpy as np
import torch
from torch.utils.flop_counter import FlopCounterMode

from loupe import predictors, world
from loupe.evals.grid import held
from loupe.models import dense, viewing
from loupe.models.decoding import Prefix, generate, see
from loupe.models.rail import Grammar, Held
from loupe.models.reading import pieces
from loupe.predictors.checkpoint import Model
from loupe.regions import Mask, Point, iou
from loupe.sample import Regions, Sample
from loupe.tasks import question

MOST = 32  # tokens of an answer


class Asking:
    """One kind of question about one picture: its samples and what an answer must be."""

    def __init__(self, model, picture, name: str, side: int, fields: dict, few: int, rows: int):
        self.model, self.picture, self.name, self.fields, self.rows = model, picture, name, fields, rows
        samples = self.samples = [self.asked(point) for point in dense.places(*picture.size, side)]
        look = Model(model).look(picture)
        if name == "reconstruction":
            self.rail = Grammar(model.encoder.codec, "colour", pieces(model))
        else:
            self.rail, _ = dense._words(look, (dense.YES, dense.NO), name)
        chosen = np.random.default_rng(0).choice(len(samples), min(few, len(samples)), replace=False)
        self.few = [samples[int(k)] for k in np.sort(chosen)]

    def engine(self, samples: list[Sample]) -> list[list[int]]:
        prefix = see(self.model, [[self.picture]])
        encoded = self.model.encoder.encode_at(self.asked, [self.point(s) for s in samples])
        bodies = [e.ids for e in encoded]
        out: list = [None] * len(bodies)
        for batch in viewing.ask(self.model, prefix, 0, bodies, MOST, rail=self.rail, rows=self.rows):
            for k, said in batch:
                out[k] = said.ids
        return out

    def asked(self, region: Point) -> Sample:
        return Sample((self.picture,), (question(self.name, region=region, **self.fields),), self.name)

    @staticmethod
    def point(sample: Sample) -> Point:
        return next(p for p in sample.turns[0].parts if isinstance(p, Regions)).regions[0]

    def copied(self, samples: list[Sample]) -> list[list[int]]:
        prefix = see(self.model, [[self.picture]])
        bodies = [e.ids for e in self.model.encoder.encode(samples)]
        return self._generated(bodies, lambda n: prefix, lambda n: [0] * n, self.rows)

    def batched(self, samples: list[Sample], rows: int | None = None) -> list[list[int]]:
        encoder = self.model.encoder
        bodies = [e.prefix + e.ids for e in encoder.encode(samples)]

        def bare(n: int) -> Prefix:
            pixels = torch.from_numpy(encoder.pixels([self.picture] * n)).to(self.model.device)
            with torch.inference_mode():
                return Prefix((), (), 0, self.model.see(pixels), 1)

        return self._generated(bodies, bare, lambda n: list(range(n)), rows or self.rows)

    def seen(self, samples: list[Sample]) -> list[list[int]]:
        bodies = [e.prefix + e.ids for e in self.model.encoder.encode(samples)]
        tokens = see(self.model, [[self.picture]]).seen
        return self._generated(bodies, lambda n: Prefix((), (), 0, tokens, 1), lambda n: [0] * n, self.rows)

    def one(self, samples: list[Sample]) -> list[list[int]]:
        return self.batched(samples, 1)

    def _generated(self, bodies, prefix: Callable, owners: Callable, rows: int) -> list[list[int]]:
        out = []
        for start in range(0, len(bodies), rows):
            some = bodies[start:start + rows]
            said, _ = generate(self.model, prefix(len(some)), owners(len(some)), some, [MOST] * len(some),
                               [Held(self.rail) for _ in some])
            out += [each.ids for each in said]
        return out


def measured(way: Callable, samples: list[Sample]) -> tuple[float, float, list[list[int]]]:
    """(milliseconds, million operations) a question, and the answers; the faster of two runs, warm."""
    way(samples[:8])
    times = []
    for _ in range(2):
        start = time.process_time()
        said = way(samples)
        times.append(time.process_time() - start)
    with FlopCounterMode(display=False) as counter:
        way(samples)
    return 1000 * min(times) / len(samples), counter.get_total_flops() / 1e6 / len(samples), said


def compare(asking: Asking, few_alone: int) -> None:
    print(f"\n{asking.name}: {len(asking.samples)} questions, {asking.rows} rows, {len(asking.few)} of them asked the "
          "slow ways")
    mine = measured(asking.engine, asking.samples)
    print(f"  {'engine':<10}{mine[0]:>10.3f} ms{mine[1]:>12.2f} MFLOP a question; all in "
          f"{mine[0] * len(asking.samples) / 1000:.2f} s")
    known = {s.turns: ids for s, ids in zip(asking.samples, mine[2])}
    for name in ("copied", "seen", "batched", "one"):
        samples = asking.few[:few_alone] if name == "one" else asking.few
        ms, flops, said = measured(getattr(asking, name), samples)
        other = sum(known[s.turns] != ids for s, ids in zip(samples, said))
        ratio, bound = ms / mine[0], flops / mine[1]
        print(f"  {name:<10}{ms:>10.3f} ms{flops:>12.2f} MFLOP; ratio {ratio:.1f}, bound {bound:.1f}, quotient "
              f"{ratio / bound:.2f}; {other} of {len(samples)} answers differ")


def refinement(model, records, grid: int) -> None:
    """Places asked, and what is lost, over referring expressions: everywhere, and inside the box the model says.

    A place's answer does not depend on what else is asked, so every refinement is read from the full grid's answers.
    """
    looks = [(r, Model(model).look(r.image), [p for p in r.phrases if p.refers][:2]) for r in records]
    inside = {"within": True, "boxed": True}
    for says, how in (("everywhere", {}), ("inside the said box, the thing meant by it", inside)):
        asked = [(truth_of(r, p), look.likely(p.text, grid, check=False, **how))
                 for r, look, phrases in looks for p in phrases]
        doubt = np.concatenate([np.maximum(f.probability, 1 - f.probability)[asked_about(f)] < dense.SURE
                                for _, f in asked])
        right = np.mean([iou(f.mask, truth) for truth, f in asked])
        print(f"\nrefinement to {grid} x {grid}, {says}, {len(asked)} phrases; less than {dense.SURE} sure of "
              f"{doubt.mean():.0%} of the places, mean IoU with the true mask {right:.3f}")
        for coarse in (grid // 2, grid // 4):
            for sure in (0.9, dense.SURE, 0.5):
                rows = [refined(full, truth, coarse, sure) for truth, full in asked if full.asked]
                total, places, wrong = np.sum([row[:3] for row in rows], 0)
                same, true = np.mean([row[3:] for row in rows], 0)
                print(f"  from {coarse} x {coarse}, sure {sure}: {total / places:.1%} of the places asked, "
                      f"{wrong / places:.2%} differ, mean IoU with the full grid's mask {same:.3f}, with the true one "
                      f"{true:.3f}")


def refined(full: dense.Likely, truth: Mask, coarse: int, sure: float) -> tuple[float, ...]:
    """(places asked, places of the full grid, those that differ, IoU with the full grid's mask, with the true one)."""
    answers, inside = full.probability.reshape(-1), asked_about(full)
    part, count = dense.refined(lambda cells: answers[cells], inside, coarse, sure)
    mask = dense.mask_of(part, full.size)
    wrong = ((part > 0.5) != (full.probability > 0.5)).sum()
    same = iou(full.mask, mask) if full.mask.area else float(not mask.area)
    return count, inside.sum(), wrong, same, iou(mask, truth)


def asked_about(full: dense.Likely) -> np.ndarray:
    """[G, G] the places that were asked about."""
    n = len(full.probability)
    points = dense.places(*full.size, n)
    inside = np.full(n * n, bool(full.asked and full.box is None))
    if full.asked and full.box is not None:
        inside[held(full.box, points)] = True
    return inside.reshape(n, n)


def truth_of(record, phrase) -> Mask:
    shape = next(o.shape for o in record.objects if o.id == phrase.object)
    return shape if isinstance(shape, Mask) else Mask.from_polygons(shape, record.width, record.height)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model", default="mini")
    parser.add_argument("--size", type=int, default=64)
    parser.add_argument("--grid", type=int, default=32)
    parser.add_argument("--few", type=int, default=128)
    parser.add_argument("--alone", type=int, default=24, help="questions asked one at a time")
    parser.add_argument("--rows", type=int, default=viewing.ROWS)
    parser.add_argument("--pictures", type=int, default=8, help="pictures of the refinement")
    parser.add_argument("--refinement", action="store_true", help="only what refinement asks, and where it errs")
    parser.add_argument("--threads", type=int, default=1)
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    model = predictors.load(args.model, device="cpu").vlm
    records = list(world.records(args.pictures, 77, "val", world="mini"))
    picture, phrase = records[0].image, next(p.text for p in records[0].phrases if p.refers)
    kinds = (("reconstruction", args.size, {}), ("segmentation", args.grid, {"phrase": phrase}))
    for name, side, fields in () if args.refinement else kinds:
        compare(Asking(model, picture, name, side, fields, args.few, args.rows), args.alone)
    refinement(model, records, args.grid)


if __name__ == "__main__":
    main()
