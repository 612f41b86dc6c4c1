"""Referring expressions and region classification on one picture: one look for all questions against a look for each.

    python benchmarks/region_ratio.py [--model mini] [--boxes 1,4,8] [--size 192] [--tokens 8] [--pictures 3]

Three rows for each number of boxes: "what is at this box" (classification), "where is ..." (referring), and both on the
same look. The plain path repeats tower and prefill for every question; both paths answer with the same tokens. Seconds
are of the processor; the bound is the ratio of floating point operations, counted on the real calls by torch's
FlopCounterMode, tower included; quotient = measured / bound.
"""

from __future__ import annotations

import argparse
import statistics

import torch
from bootstrap_ratio import TOKENS, endless, flops, found, seconds, untrained

from loupe import world
from loupe.image import Image
from loupe.models.decoding import see
from loupe.models.look import answer
from loupe.predictors import load
from loupe.predictors.checkpoint import Model
from loupe.regions import Box
from loupe.sample import Sample
from loupe.tasks import question

PHRASES = ("large striped red circle", "blue star left of the moon", "topmost green cross", "person behind the heart")


def classified(image: Image, boxes: list[Box]) -> list[Sample]:
    return [Sample((image,), (question("region", kind="name", region=box),), id=str(k)) for k, box in enumerate(boxes)]


def shared(model: Model, image: Image, samples: list[Sample]) -> None:
    list(model.seen([(image,)]).answer(samples))


def plain(model: Model, image: Image, samples: list[Sample]) -> None:
    """A look for every question, side by side in a batch."""
    answer(model.vlm, see(model.vlm, [(image,)] * len(samples)), range(len(samples)), samples, model.limits)


def asked(what: str, image: Image, boxes: list[Box]) -> list[Sample]:
    named = found(image, [PHRASES[k % len(PHRASES)] for k in range(len(boxes))])
    return {"classification": classified(image, boxes), "referring": named,
            "both": [*classified(image, boxes), *named]}[what]


def measure(model: Model, kinds: list[str], counts: list[int], pictures: int, rounds: int) -> None:
    side, tokens = model.vlm.encoder.vision.size, model.vlm.encoder.tokens
    print(f"{model.name}: {tokens} image tokens, answers of at most {model.limits.answer} tokens")
    print(f"{'':<15}{'boxes':>5} {'plain ms':>9} {'shared ms':>10} {'ratio':>6} {'bound':>6} {'quotient':>9}")
    records = list(world.records(pictures, seed=5, world="mini-128" if side > 96 else "mini"))
    for what in kinds:
        for count in counts:
            rows = []
            for record in records:
                boxes = [record.objects[k % len(record.objects)].box for k in range(count)]
                args = model, record.image, asked(what, record.image, boxes)
                slow, fast = seconds([lambda run=run, args=args: run(*args) for run in (plain, shared)], rounds)
                bound = flops(lambda args=args: plain(*args)) / flops(lambda args=args: shared(*args))
                rows.append((1000 * slow, 1000 * fast, slow / fast, bound))
            slow, fast, ratio, bound = (statistics.median(column) for column in zip(*rows))
            print(f"{what:<15}{count:>5} {slow:>9.1f} {fast:>10.1f} {ratio:>6.2f} {bound:>6.2f} {ratio / bound:>9.2f}",
                  flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", default="mini")
    parser.add_argument("--what", default="classification,referring,both", help="which rows")
    parser.add_argument("--boxes", default="1,4,8")
    parser.add_argument("--size", type=int, help="an untrained model of the same parts for pictures of this size")
    parser.add_argument("--tokens", type=int, help=f"of every answer (where the model stops; with --size {TOKENS})")
    parser.add_argument("--pictures", type=int, default=3)
    parser.add_argument("--rounds", type=int, default=15, help="both paths take turns so often for each picture")
    parser.add_argument("--threads", type=int, default=1)
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    model = load(args.model, device="cpu")
    model = untrained(model, args.size) if args.size else model
    if args.tokens or args.size:
        model = endless(model, args.tokens or TOKENS)
    measure(model, args.what.split(","), [int(n) for n in args.boxes.split(",")], args.pictures, args.rounds)


if __name__ == "__main__":
    main()
