"""`loupe reconstruct`: pictures as a model sees them, asked pixel by pixel."""

from __future__ import annotations

from pathlib import Path

import numpy as np

HELP = """ask a model for the colour of every pixel, and show what it saw

  loupe reconstruct mini picture.png
  loupe reconstruct runs/mine photos/a.jpg photos/b.jpg --size 32 --out seen
  loupe reconstruct runs/mine photos --out seen

Each picture is squeezed to SIZE x SIZE and asked for place by place. OUT/<picture>.png shows the picture, what was
asked for and what was said; OUT/<picture>.pixels.png holds the SIZE x SIZE pixels. The table gives the reconstruction
error in per cent of 255 (mean of the channels, their Euclidean length, their sum) beside the same pictures with less
and less in them. Of a folder all pictures are taken that lie in it. Pictures that are done are not asked again."""
ENDS = (".png", ".pixels.png")  # of what is written for a picture


def add_arguments(parser) -> None:
    from loupe.cli.kept import add_model
    from loupe.image import FILTERS

    add_model(parser)
    parser.add_argument("pictures", nargs="+", metavar="PICTURE", help="files, or folders of them")
    parser.add_argument("--size", type=int, default=64, metavar="N", help="pixels a side (default: 64)")
    parser.add_argument("--filter", default="bicubic", choices=FILTERS, help="how the picture is squeezed to what "
                        "answers are held against (default: bicubic)")
    parser.add_argument("--expected", action="store_true", help="the mean over colour values by their probability "
                        "instead of the most probable ones")
    parser.add_argument("--out", type=Path, default=Path("reconstructed"), metavar="DIR",
                        help="where the PNGs go (default: reconstructed)")


def run(args) -> None:
    from tqdm import tqdm

    from loupe.cli.kept import check_sees, names, opened, rows_of
    from loupe.errors import ConfigError
    from loupe.evals.ladder import ladder
    from loupe.evals.metrics.reconstruction import errors
    from loupe.image import downsampled
    from loupe.predictors import load

    if args.size < 1:
        raise ConfigError("a picture has at least one pixel a side", got=args.size, expected="1 or more",
                          where="--size")
    rows = rows_of(args)
    check_sees(args.model)
    pictures = opened(args.pictures)
    for picture, name in zip(pictures, names(pictures)):
        if picture.path.resolve() in ((args.out / f"{name}{end}").resolve() for end in ENDS):
            raise ConfigError("the drawing would take the place of the picture", got=picture.path, where="--out",
                              do="give another folder")
    model = load(args.model, device=args.device, dtype=args.dtype)
    found: dict[str, list] = {model.name: []}
    for picture, name in zip(tqdm(pictures, desc="reconstruct", unit="picture", disable=None), names(pictures)):
        said = reconstructed(model, picture, args.out / name, args.size, args.filter, args.expected, rows)
        truth = downsampled(picture, args.size, args.filter)
        found[model.name].append(errors(said, truth))
        for rung, other in ladder(picture, args.size, args.filter).items():
            found.setdefault(rung, []).append(errors(other, truth))
    print(error_table(found, len(pictures), args.size))
    print(f"drawn: {args.out}/ ({', '.join(f'{name}.png' for name in names(pictures)[:3])}"
          f"{', ...' if len(pictures) > 3 else ''})")


def reconstructed(model, picture, place: Path, size: int, filter: str, expected: bool, rows: dict) -> np.ndarray:
    """uint8 [size, size, 3], from the file of an earlier run where there is one; both PNGs are written."""
    from loupe.cli.kept import keep, kept
    from loupe.drawing import beside
    from loupe.image import downsampled

    about = {"model": model.identity, "picture": picture.content_hash, "size": size, "expected": expected}
    path = place.with_name(f"{place.name}.pixels.png")
    known = kept(path, about)
    said = known[0] if known else model.look(picture).pixels(size, expected=expected, **rows)
    if known is None:
        keep(path, said, about)
    beside({"picture": picture, f"{size} x {size}": downsampled(picture, size, filter), model.name: said},
           place.with_name(f"{place.name}.png"))
    return said


def error_table(found: dict[str, list[tuple[float, float, float]]], count: int, size: int) -> str:
    """A row for the model and for every rung of the ladder, means over pictures in per cent."""
    from loupe.evals.metrics.reconstruction import READINGS
    from loupe.evals.table import aligned

    rows = [[f"error in % of {count} pictures, {size} x {size}", *READINGS]]
    for name, errors in found.items():
        rows.append([name, *(f"{100 * v:.2f}" for v in np.mean(errors, 0))])
    return aligned(rows)
