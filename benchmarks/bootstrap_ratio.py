"""Describe every box and find it again: one look a picture against a look a question.

    python benchmarks/bootstrap_ratio.py [--model mini] [--boxes 1,4,8] [--size 192] [--width 4] [--tokens 8]

The plain path is what public code does: tower and prefill once for each of the N descriptions and once for each of the
N groundings. The other one is `loupe.bootstrapping.asking.ask`, as a run calls it: with the same questions alone
(margin=False), and with the default settings, which also weigh every box against its rivals (up to N x N answers, which
the plain path does not). Both look for the same words, and answer with the same tokens (--tokens N: with N each,
whatever they are); seconds are of the processor. The bound is what the floating point operations alone allow, counted
on the real calls by torch's FlopCounterMode, tower included; quotient = ratio / bound.

--size S shows a model with square pictures of S pixels: an untrained one of the same parts, for more image tokens.
--width W makes all its layers W times as wide: a step of the miniature's costs the same however little it multiplies.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from itertools import islice

import torch
from torch.utils.flop_counter import FlopCounterMode

from loupe import world
from loupe.bootstrapping import Settings
from loupe.bootstrapping.asking import ask
from loupe.bootstrapping.filters import Work
from loupe.bootstrapping.questions import description, grounding
from loupe.models.assembly import build
from loupe.models.decoding import see
from loupe.models.look import Limits, answer
from loupe.predictors import load
from loupe.predictors.checkpoint import Model
from loupe.record import Record
from loupe.sample import Answer, Sample

TOKENS = 8  # of an untrained model's answers, where --tokens does not say: a box and its stop have 5 in the miniature
WORDS = tuple(f"{colour} {shape} left of the moon" for shape in ("star", "circle") for colour in
              ("blue", "red", "green", "yellow"))  # no two alike: equal descriptions would share a question
ASKED = {"alone": Settings(margin=False), "with margins": Settings()}


class Told:
    """The model, what it says of the k-th box counting as WORDS[k]: every path looks for the same."""

    def __init__(self, model: Model):
        self.model, self.name = model, model.name

    def seen(self, looks) -> Said:
        return Said(self.model.seen(looks))


class Said:
    """What `Told` sees; see `loupe.predictor.Seen`."""

    def __init__(self, view):
        self.view, self.weigh = view, view.weigh

    def answer(self, samples: Sequence[Sample]) -> list[Answer]:
        answers = list(self.view.answer(samples))
        if samples[0].task != "description":
            return answers
        return [replace(each, parts=(words,), problems=()) for each, words in zip(answers, WORDS)]


def plain(model: Model, work: Work) -> None:
    """A look for every question; a round side by side, as public code repeats the picture in a batch."""
    for samples in ([description(work, thing) for thing in work.objects],
                    [grounding(work, words) for words in WORDS[:len(work.objects)]]):
        prefix = see(model.vlm, [(work.record.image,)] * len(samples))
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


@dataclass(frozen=True)
class Row:
    """Medians over pictures. milliseconds: of the plain path, then of `ask` for each of ASKED, whose ratio and bound
    follow."""

    boxes: int
    milliseconds: tuple[float, ...]
    ratios: tuple[float, ...]
    bounds: tuple[float, ...]

    def __str__(self) -> str:
        cells = [f"{ms:>9.1f} {ratio:>6.2f} {bound:>6.2f} {ratio / bound:>9.2f}"
                 for ms, ratio, bound in zip(self.milliseconds[1:], self.ratios, self.bounds)]
        return f"{self.boxes:>5} {self.milliseconds[0]:>9.1f}" + "".join(f"  | {cell}" for cell in cells)


def measure(model: Model, count: int, records: Sequence[Record], rounds: int) -> Row:
    rows = []
    for record in records:
        things = record.objects[:count]
        work = Work(0, replace(record, objects=things), things)
        paths = [lambda work=work: plain(model, work),
                 *(lambda work=work, each=each: ask([work], Told(model), each) for each in ASKED.values())]
        operations, taken = [flops(path) for path in paths], seconds(paths, rounds)
        rows.append(([1000 * each for each in taken], [taken[0] / each for each in taken[1:]],
                     [operations[0] / each for each in operations[1:]]))
    return Row(count, *(tuple(map(statistics.median, zip(*each))) for each in zip(*rows)))


def pictures(model: Model, number: int, boxes: int) -> list[Record]:
    """Of the miniature world, with so many things at least."""
    kind = "mini-128" if model.vlm.encoder.vision.size > 96 else "mini"
    some = [record for record in world.records(40 * number, seed=5, world=kind) if len(record.objects) >= boxes]
    if len(some) < number or boxes > len(WORDS):
        raise SystemExit(f"no pictures with {boxes} boxes in the world {kind}; give fewer --boxes")
    return list(islice(some, number))


def main(argv: Sequence[str] | None = None) -> list[Row]:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", default="mini")
    parser.add_argument("--boxes", default="1,4,8")
    parser.add_argument("--size", type=int, help="an untrained model of the same parts for pictures of this size")
    parser.add_argument("--width", type=int, default=1, help="with --size: its layers are so many times as wide (1)")
    parser.add_argument("--tokens", type=int, help=f"of every answer (where the model stops; with --size {TOKENS})")
    parser.add_argument("--pictures", type=int, default=3)
    parser.add_argument("--rounds", type=int, default=15, help="all paths take turns so often for each picture")
    parser.add_argument("--threads", type=int, default=1)
    args = parser.parse_args(argv)
    torch.set_num_threads(args.threads)
    model = load(args.model, device="cpu")
    model = untrained(model, args.size, args.width) if args.size else model
    if args.tokens or args.size:
        model = endless(model, args.tokens or TOKENS)
    counts = [int(n) for n in args.boxes.split(",")]
    records = pictures(model, args.pictures, max(counts))
    print(f"{model.name}: {model.vlm.encoder.tokens} image tokens, answers of at most {model.limits.answer} tokens")
    print(f"{'':15}" + "".join(f"  | {name:^33}" for name in ASKED))
    print(f"{'boxes':>5} {'plain ms':>9}" + f"  | {'ask ms':>9} {'ratio':>6} {'bound':>6} {'quotient':>9}" * len(ASKED))
    rows = []
    for count in counts:
        rows.append(measure(model, count, records, args.rounds))
        print(rows[-1], flush=True)
    return rows


if __name__ == "__main__":
    main()
