"""`loupe score`: recompute scores from files of predictions, without the model and without torch."""

from __future__ import annotations

from pathlib import Path

from loupe.cli.roots import add_count, add_root, roots_of
from loupe.cli.scoring import add_scoring, judged, scoring_of

HELP = """recompute the scores in files of predictions, without the model

  loupe score runs/mini/evaluation/refcoco-val.jsonl
  loupe score shikra.jsonl --benchmark refcoco-val --root /data --codec shikra
  loupe score answers.jsonl --benchmark textvqa-val --root /data

Reads the JSON lines that `loupe evaluate` writes. Files of the same benchmark stand side by side. With --benchmark the
files are another tool's: lines such as {"question_id": ..., "text": ...}, joined to the questions by id (question_id,
sent_id, id, image_id, img_id; the answer under prediction, response, output, answer, text or caption)."""


def add_arguments(parser) -> None:
    parser.add_argument("predictions", nargs="+", metavar="PREDICTIONS.jsonl")
    other = parser.add_argument_group("answers of another tool")
    other.add_argument("--benchmark", metavar="NAME", help="what they answer: a name or file as of `loupe evaluate`")
    add_root(other)
    add_count(other)
    other.add_argument("--codec", metavar="NAME", help="how places are written in them (docs/codecs.md)")
    other.add_argument("--frame", metavar="NAME", help="what the model saw of a picture, where it is not the codec's "
                       "own: whole, squash, pad-mean, ...")
    add_scoring(parser)


def run(args) -> None:
    from loupe.evals import rescore, table

    groups: dict[str, list] = {}
    scoring = scoring_of(args)
    made = _told(args, scoring) if args.benchmark else ((path, rescore(path, scoring)) for path in args.predictions)
    for path, result in made:
        result = judged(result, args, Path(path).parent)
        groups.setdefault(result.benchmark, []).append(result)
    print("\n\n".join(table(results) for results in groups.values()))
    for results in groups.values():
        for result in results:
            if result.count < result.of and result.path:
                print(f"\n{result.path} holds {result.count} of {result.of} questions; "
                      "the same `loupe evaluate` without --limit answers the rest")


def _told(args, scoring: dict):
    """(path, result) of each file of another tool."""
    from loupe.evals import open_questions
    from loupe.predictors.told import read_told, score_told

    roots = roots_of(args.root)
    questions = open_questions(args.benchmark, roots, args.count)
    for path in args.predictions:
        told = read_told(path, questions)
        result = score_told(told, questions, args.codec, args.frame, roots, scoring)
        print(f"{path}: {result.count:,} of {result.of:,} questions answered, only these are scored")
        for why, number in told.problems:
            print(f"{number:>8,}  {why}")
        yield path, result
