"""`loupe regionchat`: dialogues about regions, written from annotations."""

from __future__ import annotations

import argparse
from pathlib import Path

from loupe.errors import ConfigError

HELP = """write dialogues about regions from annotations, by a language model or by rule

A language model behind an OpenAI-compatible endpoint is told captions, boxes, attributes and relations (never pixels)
and writes questions and answers tied to regions. Every dialogue is checked; one that fails is asked for once more.
The same command after a stop goes on where it was, and what was answered is never paid twice.

  loupe regionchat --reader visual-genome --root data/visual_genome --out data/chat \\
      --endpoint http://127.0.0.1:8000/v1 --model qwen3-8b --concurrency 16
  loupe regionchat --reader visual-genome --root data/visual_genome --out data/chat --endpoint https://HOST/v1 \\
      --model NAME --per-minute 300 --price 0.15,0.60 --budget 20
  loupe regionchat --reader records --root data/mini/records --out data/chat --writer grammar

The key of the endpoint is read from the environment variable LOUPE_API_KEY (--key NAME: another one)."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--reader", metavar="NAME", default="visual-genome", help="how the folder is read "
                        "(visual-genome)")
    parser.add_argument("--root", type=Path, metavar="DIR", help="folder of the annotated pictures")
    parser.add_argument("--split", metavar="NAME", default="", help="of the data set (train where it has splits)")
    parser.add_argument("--no-pictures", action="store_true", help="the annotations are enough: pictures need not lie "
                        "there")
    parser.add_argument("--out", type=Path, metavar="DIR", help="where everything goes")
    parser.add_argument("--limit", type=int, metavar="N", help="only the first N pictures")
    which = parser.add_argument_group("who writes")
    which.add_argument("--writer", default="model", metavar="KIND", help="model or grammar (model)")
    which.add_argument("--endpoint", metavar="URL", help="what stands before /chat/completions")
    which.add_argument("--model", default="", metavar="NAME", help="as the endpoint calls it")
    which.add_argument("--key", default="LOUPE_API_KEY", metavar="NAME", help="environment variable of the secret")
    which.add_argument("--json", action="store_true", help="ask for response_format json_object")
    what = parser.add_argument_group("what is written")
    what.add_argument("--dialogues", type=int, default=1, metavar="N", help="of each picture (1)")
    what.add_argument("--turns", default="2-6", metavar="A-B", help="questions of a dialogue (2-6)")
    what.add_argument("--words", type=int, default=120, metavar="N", help="longest question or answer (120)")
    what.add_argument("--regions", type=int, default=15, metavar="N", help="most regions that are told (15)")
    what.add_argument("--support", type=float, default=0.4, metavar="X", help="least share of an answer's content "
                      "words that are annotated (0.4)")
    what.add_argument("--any-things", action="store_true", help="let things be named that are not annotated")
    what.add_argument("--seeds", type=Path, metavar="DIR", help="your own examples (*.json) and instructions.txt")
    what.add_argument("--shots", type=int, default=3, metavar="N", help="examples shown (3)")
    what.add_argument("--temperature", type=float, default=0.7, metavar="T", help="of the model (0.7)")
    what.add_argument("--max-tokens", type=int, default=1200, metavar="N", help="of a dialogue (1200)")
    what.add_argument("--seed", type=int, default=0, metavar="N", help="of examples, rules and the model (0)")
    how = parser.add_argument_group("how")
    how.add_argument("--concurrency", type=int, default=4, metavar="N", help="requests at once (4)")
    how.add_argument("--per-minute", type=float, default=0.0, metavar="N", help="most requests a minute")
    how.add_argument("--timeout", type=float, default=120.0, metavar="S", help="seconds for a request (120)")
    how.add_argument("--tries", type=int, default=6, metavar="N", help="of a request that is refused (6)")
    how.add_argument("--price", metavar="P,A", help="of a million prompt and answer tokens")
    how.add_argument("--budget", type=float, metavar="X", help="stop before this much is spent")
    how.add_argument("--budget-tokens", type=int, metavar="N", help="stop before so many tokens are used")
    how.add_argument("--cache", type=Path, metavar="FILE", help="replies by request, shared by runs (OUT/cache.sqlite)")


def run(args: argparse.Namespace) -> None:
    from loupe import readers
    from loupe.regionchat import run as write

    for name in ("root", "out"):
        if getattr(args, name) is None:
            raise ConfigError(f"--{name} is not given", expected="--root DIR --out DIR")
    settings, endpoint, budget = settings_of(args), endpoint_of(args), budget_of(args)
    split = args.split or ("train" if args.reader == "records" else "")
    reader = readers.reader(args.reader)(args.root, split, **({"missing": "keep"} if args.no_pictures else {}))
    made = write(reader, args.out, settings, endpoint, budget=budget, seeds=args.seeds, cache=args.cache,
                 limit=args.limit)
    counts, ledger = made.manifest["counts"], made.manifest["ledger"]
    for what in ("pictures passed over", "failed at first", "failed again", "left out of the records"):
        for reason, number in counts[what].items():
            print(f"{number:>10,}  {what}: {reason}")
    for kind, number in ledger["troubles"].items():
        print(f"{number:>10,}  trouble: {kind}")
    if settings.writer == "model":
        print(f"{ledger['replies paid']:,} replies paid, {ledger['replies from the cache']:,} from the cache: "
              f"{ledger['prompt tokens']:,} + {ledger['answer tokens']:,} tokens, cost {ledger['cost']}")
    left = made.manifest["pictures not asked about"]
    if made.stopped:
        print(f"stopped: {made.stopped}; {left:,} pictures are left")
    elif left:
        print(f"{left:,} pictures are left, the same command asks about them again; last refusal: {made.refused}")
    where = args.out / "records"
    print(f"{counts['dialogues written']:,} dialogues of {counts['pictures']:,} pictures in {where}, some shown in "
          f"{args.out / 'dialogues.html'}; next: loupe check chatspot --root DATA --root regionchat/records={where}")


def settings_of(args: argparse.Namespace):
    from loupe.regionchat import Bounds, Settings

    least, dash, most = args.turns.partition("-")
    if not least.isdigit() or not (most or least).isdigit():
        raise ConfigError("no numbers of turns", got=args.turns, expected="2-6", where="--turns")
    bounds = Bounds(int(least), int(most or least), args.words, args.support, not args.any_things)
    return Settings(args.writer, args.model, args.dialogues, args.shots, args.temperature, args.max_tokens,
                    args.regions, args.seed, args.json, bounds=bounds)


def endpoint_of(args: argparse.Namespace):
    from loupe.endpoint import Settings

    if args.writer != "model":
        return None
    if not args.endpoint or not args.model:
        raise ConfigError("no endpoint is named", expected="--endpoint URL --model NAME, or --writer grammar")
    return Settings(args.endpoint, args.model, args.key, args.concurrency, args.per_minute, args.timeout, args.tries)


def budget_of(args: argparse.Namespace):
    from loupe.endpoint import Budget

    try:
        prompt, answer = (float(p) for p in (args.price or "0,0").split(","))
    except ValueError:
        raise ConfigError("no prices", got=args.price, expected="0.15,0.60 for a million tokens",
                          where="--price") from None
    return Budget(prompt, answer, args.budget, args.budget_tokens)
