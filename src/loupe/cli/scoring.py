"""How answers are scored, as `loupe evaluate` and `loupe score` take it: text encoder, ranking, judge."""

from __future__ import annotations

import argparse
from dataclasses import replace
from pathlib import Path

from loupe.errors import ConfigError, unknown_name


def add_scoring(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group("how answers are scored")
    group.add_argument("--encoder", default="lexical", metavar="NAME", help="what finds the class an answer means: "
                       "lexical (default), clip:FOLDER, or clip:loupe/vision")
    group.add_argument("--rank", metavar="KIND", help="what orders boxes for AP: similarity (default), answer, box, "
                       "similarity x box, similarity x answer")
    group.add_argument("--judge", metavar="URL", help="endpoint of the model that judges open answers (mm-vet)")
    group.add_argument("--judge-model", metavar="NAME", help="as that endpoint calls it")
    group.add_argument("--key", default="LOUPE_API_KEY", metavar="NAME", help="environment variable of its secret")


def scoring_of(args: argparse.Namespace) -> dict:
    """Options of metrics; each metric takes those it knows."""
    options: dict = {} if args.rank is None else {"rank": args.rank}
    kind, _, place = args.encoder.partition(":")
    if kind == "clip" and place:
        from loupe.predictors.clip_text import ClipText

        options["encoder"] = ClipText(place)
    elif args.encoder != "lexical":
        raise unknown_name("text encoder", args.encoder, ("lexical", "clip:FOLDER"), "--encoder")
    if bool(args.judge) != bool(args.judge_model):
        raise ConfigError("the judge is named in part", expected="--judge URL --judge-model NAME")
    return options


def judged(result, args: argparse.Namespace, out: Path):
    """The result with a judge's verdicts, where it needs them and a judge is named; verdicts are cached in `out`."""
    if result.metric != "judged" or not args.judge:
        return result
    from loupe.endpoint import Settings
    from loupe.evals.judge import judge
    from loupe.evals.metrics import measure

    out.mkdir(parents=True, exist_ok=True)
    found = judge(result.predictions, Settings(args.judge, args.judge_model, args.key), out / "verdicts.sqlite",
                  out / "verdicts.ledger.jsonl")
    for why, number in found.missing.items():
        print(f"{number:>8,}  without a verdict: {why}")
    print(f"judged by {args.judge_model}: {found.about['replies paid']} verdicts paid, "
          f"{found.about['replies from the cache']} from the cache")
    options = {**result.scoring, "verdicts": found.grades}
    return replace(result, scores=measure(result.metric, result.predictions, options), scoring=options)
