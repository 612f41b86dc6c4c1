"""Describe every box and find it again: one look a picture against a look a question.

    python benchmarks/bootstrap_ratio.py [--model mini] [--boxes 1,4,8] [--size 192] [--width 4] [--tokens 8]

The plain path is what public code does: tower and prefill once for each of the N descriptions, once for each of the N
groundings, and once more for the picture's caption, 2N + 1 times. The shared path is loupe's. Both answer the same
questions with the same tokens (--tokens N: with N each, whatever they are); seconds are of the processor. The bound is
what the floating point operations alone allow, counted on the real calls by torch's FlopCounterMode, tower included;
quotient = measured / bound.

--size S shows a model with square pictures of S pixels: an untrained one of the same parts, for more image tokens.
--width W makes all its layers W times as wide: a step of the miniature's costs the same however little it multiplies.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import replace

import torch
from torch.utils.flop_counter import FlopCounterMode

from loupe import world
from loupe.image import Image
from loupe.models.assembly import build
from loupe.models.decoding import see
from loupe.models.look import Limits, answer
from loupe.predictors import load
from loupe.predictors.checkpoint import Model
from loupe.regions import Box
from loupe.sample import Sample
from loupe.tasks import question

TOKENS = 8  # of an untrained model's answers, where --tokens does not say: a box and its stop have 5 in the miniature


def described(image: Image, boxes: list[Box]) -> list[Sample]:
    return [Sample((image,), (question("description", region=box),), id=str(k)) for k, box in enumerate(boxes)]


def found(image: Image, texts: list[str]) -> list[Sample]:
    return [Sample((image,), (question("grounding", phrase=text),), id=str(k)) for k, text in enumerate(texts)]


def caption(image: Image) -> list[Sample]:
    return [Sample((image,), (question("caption"),))]


def shared(model: Model, image: Image, boxes: list[Box], texts: list[str]) -> None:
    """One look: N descriptions, N groundings, a caption."""
    view = model.seen([(image,)])
    list(view.answer([*described(image, boxes), *caption(image)]))
    list(view.answer(found(image, texts)))


def plain(model: Model, image: Image, boxes: list[Box], texts: list[str]) -> None:
    """A look for every question; a round side by side, as public code repeats the picture in a batch."""
    for samples in (described(image, boxes), found(image, texts), caption(image)):
        prefix = see(model.vlm, [(image,)] * len(samples))
        answer(model.vlm, prefix, range(len(samples)), samples, model.limits)


def seconds(works: Sequence[Callable[[], None]], rounds: int) -> list[float]:
    """Processor seconds of one call of each: medians over rounds in which they take turns, so that what else the
    machine does falls on all of them."""
    for work in works:
        work()
    taken: list[list[float]] = [[] for _ in works]
    for _ in range(rounds):
        for work, times in zip(works, taken):
            begun = time.process_time()
            work()
            times.append(time.process_time() - begun)
    return [statistics.median(times) for times in taken]


def flops(work: Callable[[], None]) -> int:
    with FlopCounterMode(display=False) as counter:
        work()
    return counter.get_total_flops()


def endless(model: Model, tokens: int) -> Model:
    """The same weights, stopping after so many tokens and not before."""
    model.vlm.encoder.stop = ()
    return Model(model.vlm, model.name, replace(model.limits, answer=tokens))


def untrained(model: Model, size: int, width: int) -> Model:
    """The model's parts with random weights, for pictures of another size, in layers `width` times as wide."""
    spec = model.vlm.spec
    vision, language = (wider(part.config.to_dict(), width) for part in (model.vlm.vision.model, model.vlm.language))
    made = build(replace(spec, vision=replace(spec.vision, checkpoint="", config={**vision, "image_size": size},
                                              size=size),
                         language=replace(spec.language, checkpoint="", config=language)),
                 seed=0, tokenizer=model.vlm.encoder.tokenizer)
    return Model(made, f"{model.name}, untrained, {size} px, {width} times as wide", Limits())


def wider(config: dict, width: int) -> dict:
    """More heads of the same size."""
    grown = ("hidden_size", "intermediate_size", "num_attention_heads", "num_key_value_heads")
    return {name: value * width if name in grown else value for name, value in config.items()}


def measure(model: Model, counts: list[int], pictures: int, rounds: int) -> None:
    side = model.vlm.encoder.vision.size
    tokens = model.vlm.encoder.tokens
    print(f"{model.name}: {tokens} image tokens, answers of at most {model.limits.answer} tokens")
    print(f"{'boxes':>5} {'plain ms':>9} {'shared ms':>10} {'ratio':>6} {'bound':>6} {'quotient':>9}")
    records = list(world.records(pictures, seed=5, world="mini-128" if side > 96 else "mini"))
    for count in counts:
        ratios, bounds, times = [], [], []
        for record in records:
            boxes = [record.objects[k % len(record.objects)].box for k in range(count)]
            texts = ["large striped red circle", "blue star left of the moon"] * count
            args = (model, record.image, boxes, texts[:count])
            both = seconds([lambda run=run, args=args: run(*args) for run in (plain, shared)], rounds)
            bounds.append(flops(lambda args=args: plain(*args)) / flops(lambda args=args: shared(*args)))
            times.append(both)
            ratios.append(both[0] / both[1])
        ratio, bound = statistics.median(ratios), statistics.median(bounds)
        slow, fast = (1000 * statistics.median(t[k] for t in times) for k in (0, 1))
        print(f"{count:>5} {slow:>9.1f} {fast:>10.1f} {ratio:>6.2f} {bound:>6.2f} {ratio / bound:>9.2f}", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", default="mini")
    parser.add_argument("--boxes", default="1,4,8")
    parser.add_argument("--size", type=int, help="an untrained model of the same parts for pictures of this size")
    parser.add_argument("--width", type=int, default=1, help="with --size: its layers are so many times as wide (1)")
    parser.add_argument("--tokens", type=int, help=f"of every answer (where the model stops; with --size {TOKENS})")
    parser.add_argument("--pictures", type=int, default=3)
    parser.add_argument("--rounds", type=int, default=15, help="both paths take turns so often for each picture")
    parser.add_argument("--threads", type=int, default=1)
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    model = load(args.model, device="cpu")
    model = untrained(model, args.size, args.width) if args.size else model
    if args.tokens or args.size:
        model = endless(model, args.tokens or TOKENS)
    measure(model, [int(n) for n in args.boxes.split(",")], args.pictures, args.rounds)


if __name__ == "__main__":
    main()
