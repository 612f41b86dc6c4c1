"""`loupe score`: recompute scores from files of predictions, without the model and without torch."""

from __future__ import annotations

from pathlib import Path

from loupe.cli.scoring import add_scoring, judged, scoring_of

HELP = """recompute the scores in files of predictions, without the model

Reads the JSON lines that `loupe evaluate` writes. Files of the same benchmark stand side by side."""


def add_arguments(parser) -> None:
    parser.add_argument("predictions", nargs="+", metavar="PREDICTIONS.jsonl")
    add_scoring(parser)


def run(args) -> None:
    from loupe.evals import rescore, table

    groups: dict[str, list] = {}
    scoring = scoring_of(args)
    for path in args.predictions:
        result = judged(rescore(path, scoring), args, Path(path).parent)
        groups.setdefault(result.benchmark, []).append(result)
    print("\n\n".join(table(results) for results in groups.values()))
    for results in groups.values():
        for result in results:
            if result.count < result.of:
                print(f"\n{result.path} holds {result.count} of {result.of} questions; "
                      "the same `loupe evaluate` without --limit answers the rest")
