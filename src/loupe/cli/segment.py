"""`loupe segment`: the mask of a phrase, asked place by place."""

from __future__ import annotations

from pathlib import Path

import numpy as np

HELP = """ask a model which places of a picture lie on what a phrase means

  loupe segment mini picture.png "the large red circle"
  loupe segment runs/mine photo.jpg "the cup" "the plate" --grid 64 --coarse 16 --out masks

OUT/<picture>-<phrase>.png shows the picture, the mask on it and the probability of each place;
OUT/<picture>-<phrase>.mask.png is the mask in the picture's own pixels. With --coarse a coarse grid is asked first and
then the uncertain borders only; with --inside the model says a box first, and only places in it are asked for. The
model is first asked whether the thing is there at all: if not, the mask is empty (--anyway asks all the same). Masks
that are done are not asked again."""


def add_arguments(parser) -> None:
    from loupe.cli.kept import add_model

    add_model(parser)
    parser.add_argument("picture", metavar="PICTURE")
    parser.add_argument("phrases", nargs="+", metavar="PHRASE")
    parser.add_argument("--grid", type=int, default=32, metavar="N", help="places a side (default: 32)")
    parser.add_argument("--coarse", type=int, metavar="N", help="places a side that are asked first; divides the grid")
    parser.add_argument("--sure", type=float, metavar="P", help="with --coarse: probability from which a place whose "
                        "neighbours agree is settled (default: 0.75; 0.5: borders only)")
    parser.add_argument("--inside", action="store_true", help="first ask for the box, then only inside it")
    parser.add_argument("--boxed", action="store_true", help="--inside, and the questions mean the thing by that box "
                        "instead of the phrase (best with the shipped miniature)")
    parser.add_argument("--anyway", action="store_true", help="do not ask first whether it is there")
    parser.add_argument("--out", type=Path, default=Path("segmented"), metavar="DIR",
                        help="where the PNGs go (default: segmented)")


def run(args) -> None:
    from tqdm import tqdm

    from loupe.cli.kept import check_sees, rows_of
    from loupe.errors import ConfigError
    from loupe.image import Image
    from loupe.predictors import load

    for name, value in (("--grid", args.grid), ("--coarse", args.coarse or 1)):
        if value < 1:
            raise ConfigError("a picture has at least one place a side", got=value, expected="1 or more", where=name)
    if args.coarse and args.grid % args.coarse:
        raise ConfigError("the coarse grid does not fit the grid", got=f"{args.coarse} of {args.grid}",
                          expected="a number that divides --grid", where="--coarse")
    if not all(phrase.strip() for phrase in args.phrases):
        raise ConfigError("there is nothing to look for", got=repr(""), expected="a phrase")
    if args.sure is not None and not 0.5 <= args.sure <= 1:
        raise ConfigError("no probability of a settled place", got=args.sure, expected="0.5 to 1", where="--sure")
    options = rows_of(args) | ({} if args.sure is None else {"sure": args.sure})
    check_sees(args.model)
    picture = Image(path=Path(args.picture).expanduser())
    picture.pillow()
    model = load(args.model, device=args.device, dtype=args.dtype)
    look, lines, taken = None, [], set()
    for phrase in tqdm(dict.fromkeys(args.phrases), desc="segment", unit="phrase", disable=None):
        place = args.out / f"{picture.path.stem}-{_name(phrase, taken)}"
        about = {"model": model.identity, "picture": picture.content_hash, "phrase": phrase, "grid": args.grid,
                 "coarse": args.coarse, "sure": args.sure, "inside": args.inside or args.boxed,
                 **({"boxed": True} if args.boxed else {}), **({} if args.anyway else {"check": "wordings"})}
        look, line = segmented(model, look, picture, phrase, place, about, options)
        lines.append(line)
    print("\n".join(lines))


def segmented(model, look, picture, phrase: str, place: Path, about: dict, options: dict):
    """(the look, if one was needed, a line about the result); both PNGs are written."""
    from loupe.cli.kept import keep, kept
    from loupe.drawing import beside, draw
    from loupe.models.dense import mask_of

    path = place.with_name(f"{place.name}.mask.png")
    known = kept(path, about)
    if known is None:
        look = look or model.look(picture)
        found = look.likely(phrase, about["grid"], coarse=about["coarse"], within=about["inside"],
                            boxed=about.get("boxed", False), check="check" in about, **options)
        more = {"probability": np.round(found.probability, 4).tolist(), "asked": found.asked, "absent": found.absent}
        keep(path, found.mask.array().astype(np.uint8) * 255, about, **more)
    else:
        more = known[1]
    probability = np.array(more["probability"])
    mask = mask_of(probability, picture.size)
    grey = np.repeat(np.rint(255 * probability).astype(np.uint8)[..., None], 3, -1)
    out = place.with_name(f"{place.name}.png")
    beside({"picture": picture, phrase: draw(picture, mask, enlarge=1), "probability": grey}, out)
    if more.get("absent"):
        return look, f"{phrase}: the model says it is not there (--anyway asks all the same); {out}"
    size = f"{mask.area / (mask.width * mask.height):.1%} of the picture" if mask.area else "nothing of it"
    return look, f"{phrase}: {size} ({more['asked']} of {len(probability)**2} places asked); {out}"


def _name(phrase: str, taken: set[str]) -> str:
    """A file name of a phrase, not one of those taken."""
    plain = "-".join("".join(c if c.isalnum() else " " for c in phrase.lower()).split())[:60] or "phrase"
    name, number = plain, 1
    while name in taken:
        number += 1
        name = f"{plain}-{number}"
    taken.add(name)
    return name
