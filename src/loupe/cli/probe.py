"""`loupe probe`: how well a model sees pixels."""

from __future__ import annotations

import json
import os
from pathlib import Path

HELP = """ask any model for the colour of every pixel of pictures, and show what it misses

  loupe probe mini photos
  loupe probe runs/mine photos --size 32 --limit 20 --out probed
  loupe probe llava-hf/llava-1.5-7b-hf photos --limit 5
  loupe probe http://localhost:8000/v1 photos --limit 2 --size 8
  loupe probe runs/mine photos --tune connector,language,vision --steps 300

MODEL is whatever `loupe evaluate` takes: a loupe run, a vision-language model of transformers, an endpoint. PICTURES
are files, or a folder. Each picture is squeezed to SIZE x SIZE and asked about pixel by pixel, in the same words to
every model. The table and OUT/report.html show the error and how much is seen by spatial frequency, by distance to
edges and by colour, beside the same pictures blurred; OUT/probe.json holds every figure with its interval.

With --tune a loupe model is asked, too, after a little training on pixel questions: its connector alone, then the
language model with it, then the tower as well. A folder is needed: four fifths of its pictures are trained on, the
others are asked about. A LLaVA of transformers is imported to OUT/imported first and asked as a loupe model in every
row. What is done is not done again."""


def add_arguments(parser) -> None:
    from loupe.image import FILTERS

    parser.add_argument("model", metavar="MODEL")
    parser.add_argument("pictures", nargs="+", metavar="PICTURES", help="files, or a folder of pictures")
    parser.add_argument("--size", type=int, metavar="N", help="pixels a side (64; 16 for models that are not loupe's)")
    parser.add_argument("--filter", default="bicubic", choices=FILTERS, help="how pictures are squeezed to what "
                        "answers are held against (default: bicubic)")
    parser.add_argument("--limit", type=int, metavar="N", help="only so many pictures")
    parser.add_argument("--place", default="auto", metavar="HOW", help="how a place is said: region (by the model's "
                        "codec), words (per cent from left and top), or auto")
    parser.add_argument("--tune", default="", metavar="PARTS", help="connector, language, vision: rows after training")
    parser.add_argument("--steps", type=int, default=200, metavar="N", help="updates of each tuning (default: 200)")
    parser.add_argument("--lr", type=float, help="learning rate of tuning (1e-3; 1e-4 for large models)")
    parser.add_argument("--device", metavar="NAME", help="cpu or cuda (default: what is there)")
    parser.add_argument("--out", type=Path, default=Path("probed"), metavar="DIR", help="default: probed")


def run(args) -> None:
    from loupe.evals.page import write_page
    from loupe.predictors import load
    from loupe.probe.asking import probed
    from loupe.probe.figures import measured, rungs, truths
    from loupe.probe.page import report

    parts = checked(args)
    images, left = probed(args.pictures, "val" if parts else "")
    images = images[:args.limit]
    if not images:
        raise _nothing(args, left)
    if parts:
        from loupe.probe.tuning import tunable

        args.model = tunable(args.model, args.out / "imported")
    options = {} if args.device is None else {"device": args.device}
    first = load(args.model, **options)
    n = args.size or (64 if hasattr(first, "vlm") else 16)
    said, unread, models = {}, {}, {first.name: lambda: first}
    for part in parts:
        models[f"{first.name} + {part}"] = lambda part=part: load(tune(args, part, n), **options)
    for name, model in models.items():
        said[name], unread[name] = asked(model(), name, images, n, args)
    truth = truths(images, n, args.filter)
    rows = [measured(name, said[name], truth, unread[name]) for name in models]
    rows += [measured(name, small, truth) for name, small in rungs(images, n, args.filter).items()]
    print(text_table(rows, len(images), n))
    for line in left:
        print(f"left out: {line}")
    args.out.mkdir(parents=True, exist_ok=True)
    write_page(report(rows, list(models), images, truth, said, left), args.out / "report.html")
    about = {"pictures": len(images), "size": n, "rows": [m.plain() for m in rows], "left out": left}
    part = args.out / "probe.json.part"
    part.write_text(json.dumps(about, indent=1) + "\n", "utf-8")
    os.replace(part, args.out / "probe.json")
    print(f"page: {args.out / 'report.html'}; figures: {args.out / 'probe.json'}")


def checked(args) -> list[str]:
    """The parts to tune; mistakes are said before anything is loaded."""
    from loupe.errors import ConfigError, FileError, unknown_name
    from loupe.predictors import BASELINES

    if args.size is not None and args.size < 2:
        raise ConfigError("a picture to be asked about has at least two pixels a side", got=args.size,
                          expected="2 or more", where="--size")
    for name in ("limit", "steps"):
        if getattr(args, name) is not None and getattr(args, name) < 1:
            raise ConfigError("nothing would be done", got=getattr(args, name), expected="1 or more", where=f"--{name}")
    if args.model in BASELINES:
        raise ConfigError("a baseline does not look at pictures", got=args.model, expected="a model")
    for place in args.pictures:
        if not Path(place).exists():
            raise FileError("picture does not exist", got=place, expected="a file, or a folder of pictures")
    parts = [part for part in args.tune.split(",") if part]
    if parts and (len(args.pictures) > 1 or not Path(args.pictures[0]).is_dir()):
        raise ConfigError("tuning needs pictures to train on and others to be asked about", where="--tune",
                          got=", ".join(args.pictures[:3]), expected="one folder of pictures")
    known = ("connector", "language", "vision")
    for part in parts:
        if part not in known:
            raise unknown_name("part to tune", part, known, where="--tune")
    return sorted(set(parts), key=known.index)


def tune(args, part: str, n: int) -> str:
    from loupe.probe.tuning import tuned

    out = args.out / f"tuned-{part}"
    return str(tuned(args.model, part, Path(args.pictures[0]), out, args.device, steps=args.steps, size=n,
                     filter=args.filter, lr=args.lr))


def asked(model, name: str, images, n: int, args) -> tuple[list, int]:
    """(pictures said, places without a colour), from files of an earlier run where there are any."""
    from tqdm import tqdm

    from loupe.cli.kept import keep, kept
    from loupe.evals.runner import identity
    from loupe.probe.asking import glimpse

    said, unread = [], 0
    folder = args.out / "".join(c if c.isalnum() or c in "-_." else "-" for c in name)
    for image in tqdm(images, desc=name, unit="picture", disable=None):
        about = {"model": identity(model), "picture": image.content_hash, "size": n, "place": args.place}
        path = folder / f"{image.content_hash}.png"
        known = kept(path, about)
        if known is None:
            seen = glimpse(model, image, n, args.place)
            keep(path, seen.said, about, unread=dict(seen.unread))
            known = seen.said, {"unread": dict(seen.unread)}
        said.append(known[0].astype(float))
        unread += sum(known[1]["unread"].values())
    return said, unread


def text_table(rows, pictures: int, n: int) -> str:
    """Two tables in per cent: the error in its three readings; what is held of each band of frequencies."""
    from loupe.evals.table import aligned

    def cells(figures) -> list[str]:
        return [f"{round(100 * f.value, 1) + 0.0:.1f}" for f in figures]  # no minus zero

    known = f"{pictures} picture{'s' * (pictures > 1)}, {n} x {n}"
    errors = [[f"error in % ({known})", *(f.name for f in rows[0].errors), "no colour"],
              *([m.name, *cells(m.errors), str(m.unread)] for m in rows)]
    held = [["energy held in %, by cycles a picture", *(f.name for f in rows[0].captured)],
            *([m.name, *cells(m.captured)] for m in rows)]
    return f"{aligned(errors)}\n\n{aligned(held)}"


def _nothing(args, left: list[str]):
    from loupe.errors import ImageError

    return ImageError("there is no picture to ask about", got=f"{len(left)} that cannot be opened" if left else "none",
                      where=", ".join(map(str, args.pictures[:3])), do=left[0] if left else None)
