"""`loupe bootstrap`: referring expressions for annotated boxes, written and checked by a model."""

from __future__ import annotations

import argparse
import json
from collections import Counter
from collections.abc import Mapping
from functools import partial
from pathlib import Path

from loupe.errors import ConfigError, FileError

HELP = """turn annotated boxes into referring expressions with a model that checks itself

Each annotated box is described, the description is looked for in the picture, and the pair is kept if the box that
comes back overlaps the annotated one. The same command after a stop goes on where it was. `report` applies other
thresholds to what was measured, without the model, and makes a page.

  loupe bootstrap --model runs/pink --reader objects365 --root data/objects365 --out data/pairs
  loupe bootstrap --model mini --reader objects365 --root data/mini/objects365 --out pairs --least-area 0.5% --limit 200
  loupe bootstrap --model mini --reader objects365 --root data/mini/objects365 --out more --candidates 4 \\
      --temperature 0.7 --contrast --flip --crops 2 --wordings 2 --workers 2
  loupe bootstrap report pairs --truth data/mini/records
  loupe bootstrap report pairs --by combined --share 0.6 --records data/better"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("report", nargs="*", metavar="report OUT", help="look at a finished run instead")
    parser.add_argument("--model", metavar="MODEL", help="checkpoint or run folder, mini (which loupe carries), "
                        "a transformers folder or id, or http://host/v1#model")
    parser.add_argument("--reader", metavar="NAME", help="how the folder is read (objects365)")
    parser.add_argument("--root", type=Path, metavar="DIR", help="folder of the annotated pictures")
    parser.add_argument("--split", metavar="NAME", help="of the data set (train); of --truth (the run's)")
    parser.add_argument("--out", type=Path, metavar="DIR", help="where everything goes")
    which = parser.add_argument_group("what is asked")
    which.add_argument("--limit", type=int, metavar="N", help="only the first N pictures")
    which.add_argument("--most-objects", type=int, metavar="N", help="leave out pictures with more objects (15)")
    which.add_argument("--least-area", metavar="PX", help="leave out smaller boxes: square pixels (2000), or 0.5%% of "
                       "the picture")
    which.add_argument("--candidates", type=int, metavar="N", help="descriptions of each box (1)")
    which.add_argument("--temperature", type=float, metavar="T", help="draw the further descriptions at T (0: the most "
                       "probable ones in other wordings)")
    which.add_argument("--wordings", type=int, metavar="N", help="look for it in N other wordings too (0)")
    which.add_argument("--flip", action="store_true", help="look for it in the mirror image too")
    which.add_argument("--crops", type=int, metavar="N", help="look for it in N small crops too (0)")
    which.add_argument("--contrast", action="store_true", help="weigh the description at the other boxes too")
    which.add_argument("--no-margin", action="store_true", help="do not weigh the boxes against each other")
    which.add_argument("--second", metavar="MODEL", help="another model that looks for the descriptions too")
    which.add_argument("--seed", type=int, metavar="N", help="of drawn descriptions and crops (0)")
    keep = parser.add_argument_group("what is kept")
    keep.add_argument("--iou", type=float, default=0.5, help="least overlap of the box that comes back (0.5)")
    keep.add_argument("--by", default="iou", metavar="SCORE", help="iou, likelihood, margin, contrast, agreement or "
                      "combined: chooses among descriptions and ranks pairs (iou)")
    keep.add_argument("--least", type=float, metavar="X", help="least value of that score, 0 to 1")
    keep.add_argument("--share", type=float, metavar="X", help="at most this share of the described boxes, the best")
    how = parser.add_argument_group("how")
    how.add_argument("--workers", type=int, metavar="N", help="processes, through Ray Data (1)")
    how.add_argument("--retry", action="store_true", help="ask again about pictures at which the model failed")
    how.add_argument("--batch", type=int, metavar="N", help="questions answered side by side (64)")
    how.add_argument("--device", metavar="NAME", help="cpu or cuda (default: what is there)")
    how.add_argument("--dtype", metavar="NAME", help="float32, bfloat16 or float16 (float32)")
    look = parser.add_argument_group("report")
    look.add_argument("--truth", type=Path, metavar="DIR", help="loupe's own records of the same pictures, which know "
                      "what every object looks like (`loupe world` writes them)")
    look.add_argument("--records", type=Path, metavar="DIR", help="also write the records that this rule keeps")
    look.add_argument("--shown", type=int, metavar="N", help="cards of kept and of rejected pairs (24)")


ASKING = ("model", "reader", "out", "limit", "most-objects", "least-area", "candidates", "temperature", "wordings",
          "flip", "crops", "contrast", "no-margin", "second", "seed", "workers", "retry", "batch", "device", "dtype")
REPORTING = ("truth", "records", "shown")


def run(args: argparse.Namespace) -> None:
    from loupe.bootstrapping import Rule

    rule = Rule(args.iou, args.by, args.least, args.share)
    if args.report:
        if args.report[0] != "report" or len(args.report) != 2:
            raise ConfigError("not understood", got=" ".join(args.report), expected="report OUT, or options alone")
        _unused(args, ASKING, "loupe bootstrap report looks at what a run has measured")
        if args.truth is None:
            _unused(args, ("split",), "it is the split of --truth")
        return _report(args, Path(args.report[1]), rule)
    for name in ("model", "root", "out"):
        if getattr(args, name) is None:
            raise ConfigError(f"--{name} is not given", expected="--model M --root DIR --out DIR")
    _unused(args, REPORTING, "give it to `loupe bootstrap report` when the run is done")
    _run(args, rule)


def _unused(args: argparse.Namespace, names: tuple[str, ...], do: str) -> None:
    values = {name: getattr(args, name.replace("-", "_")) for name in names}
    given = [f"--{name}" for name, value in values.items() if value is not None and value is not False]
    if given:
        raise ConfigError("an option that would do nothing", got=", ".join(given), do=do)


def settings_of(args: argparse.Namespace):
    """The Settings that the options say."""
    from loupe.bootstrapping import Settings

    names = ("limit", "most_objects", "candidates", "temperature", "wordings", "crops", "seed")
    given = {name: getattr(args, name) for name in names if getattr(args, name) is not None}
    return Settings(**given, **_area(args.least_area), flip=args.flip, contrast=args.contrast,
                    margin=not args.no_margin)


def _area(text: str | None) -> dict[str, float]:
    """ "2000" -> square pixels, "0.5%" -> a share of the picture."""
    if text is None:
        return {}
    try:
        number = float(text.removesuffix("%"))
    except ValueError:
        raise ConfigError("no area", got=text, expected="2000 or 0.5%", where="--least-area") from None
    return {"least_share": number / 100} if text.endswith("%") else {"least_area": number}


def parts(model: str, second: str | None, options: dict, reader: str, root: Path, split: str):
    """Everything a process works with, opened."""
    from loupe import predictors, readers
    from loupe.bootstrapping.run import Parts

    opened = readers.reader(reader)(root, split)  # wrong data before a model is loaded
    return Parts(predictors.load(model, **options), opened, predictors.load(second, **options) if second else None)


def _run(args: argparse.Namespace, rule) -> None:
    from loupe import bootstrapping
    from loupe.data.scale import has_ray
    from loupe.models.device import device_of, shared
    from loupe.predictors import BASELINES

    settings, workers = settings_of(args), 1 if args.workers is None else args.workers
    if args.model in BASELINES:
        raise ConfigError("a baseline describes nothing", got=args.model, expected="a checkpoint or run folder")
    if workers > 1 and not has_ray():
        print("Ray is not installed (pip install 'loupe[scale]'): one process does the work")
        workers = 1
    device = device_of(args.device)
    each, gpus = shared(device, workers)

    def made_on(place: str):
        options = {"device": place, "dtype": args.dtype or "float32", "rows": args.batch}
        return partial(parts, args.model, args.second, options, args.reader or "objects365", args.root,
                       args.split or "train")

    made = made_on("cpu" if workers > 1 else device)()  # the GPUs are the workers'
    stored = bootstrapping.run(made.predictor, made.reader, args.out, settings, rule, second=made.second,
                               workers=workers, make=made_on(each), gpus=gpus, retry=args.retry)
    print("\n".join(said_of(stored.manifest, args.out)))


def said_of(manifest: dict, out: Path) -> list[str]:
    """What a run says when it is done."""
    from loupe.bootstrapping import Settings
    from loupe.bootstrapping.filters import SMALL
    from loupe.bootstrapping.run import FAILED, UNASKED

    counts, chosen, plan = manifest["counts"], manifest["selection"], manifest["plan"]
    left = counts["pictures"]["left out"]
    lines = [f"{number:>10,}  {what}: {reason}" for what, reasons in (
        ("pictures", left), ("boxes", counts["boxes"]["left out"]), ("described boxes", chosen["left out"]))
        for reason, number in reasons.items()]
    if failed := sum(number for reason, number in left.items() if reason.startswith((FAILED, UNASKED))):
        lines.append(f"the model failed at {failed:,} pictures: when it answers again, the same command with --retry")
    lines += lost_of(manifest["records"].get("pairs left out", {}))
    known = chosen.get("score known of", {})
    if chosen["described"] and (without := [name for name in Settings(**plan["settings"]).scores(bool(plan["second"]))
                                            if known.get(name) == 0]):
        lines.append(f"not measured, because the model does not tell: {', '.join(without)}")
    if not chosen["described"] and counts["boxes"]["left out"].get(SMALL):
        lines.append("no box is large enough: --least-area 0.5% is a share of the picture")
    lines.append(f"kept {chosen['kept']:,} of {chosen['described']:,} described boxes ({chosen['share']:.1%}), "
                 f"{chosen['table 5']['mean words']:.1f} words each, in {out / 'records'}; "
                 f"next: loupe bootstrap report {out}")
    return lines


def lost_of(lost: Mapping[str, int]) -> list[str]:
    """Pairs that were kept and could not be written."""
    return [f"{number:>10,}  kept pairs not written: {reason}" for reason, number in lost.items()]


def _report(args: argparse.Namespace, out: Path, rule) -> None:
    from loupe import readers
    from loupe.bootstrapping import read
    from loupe.bootstrapping.page import report
    from loupe.evals.page import write_page

    shown = 24 if args.shown is None else args.shown
    if shown < 0:
        raise ConfigError("no number of cards", got=shown, expected="0 or more", where="--shown")
    stored = read(out)
    truth = None
    if args.truth is not None:
        split = args.split or stored.manifest["records"]["split"]
        if not (args.truth / f"{split}.jsonl").is_file():
            raise FileError("no records here", where=args.truth, expected=f"{split}.jsonl", do="check --truth")
        truth = readers.reader("records")(args.truth, split)
    content, numbers = report(stored, rule, truth, args.root, shown)
    page = write_page(content, out / "report.html")
    (out / "report.json").write_text(json.dumps(numbers, indent=1) + "\n", "utf-8")
    if args.records is not None:
        _rewrite(args, stored, rule)
    chosen, judged = numbers["selection"], numbers.get("judged")
    said = "" if not judged or judged["rule"]["precision"] is None else f", {judged['rule']['precision']:.1%} right"
    print(f"{chosen['kept']:,} of {chosen['described']:,} pairs kept ({chosen['share']:.1%}{said}); look at {page}")


def _rewrite(args: argparse.Namespace, stored, rule) -> None:
    """The records this rule keeps, from the folder the run read."""
    from loupe import readers
    from loupe.bootstrapping.output import places, write_kept
    from loupe.bootstrapping.rule import kept

    source = stored.manifest["plan"]["source"]
    reader = readers.reader(source["reader"])(args.root or stored.manifest["root"], source["split"])
    pairs = kept(stored.pairs, rule)
    where = places(reader, {pair.record for pair, _ in pairs})
    lost: Counter[str] = Counter()
    count = write_kept(args.records, source["split"] or "train", reader, pairs, where, lost)
    print(*lost_of(lost), f"{len(pairs) - lost.total():,} pairs on {count:,} pictures in {args.records}", sep="\n")
