"""`loupe chat`: talk to a model about a picture and regions of it."""

from __future__ import annotations

import argparse
import re
import sys
from pathlib import Path

from loupe.errors import ConfigError, LoupeError, RegionError, unknown_name
from loupe.regions import Box, Point, Polygon, Region
from loupe.shipped import MINI

HELP = """talk to a model about a picture and regions of it

  loupe chat picture.png
  loupe chat runs/mini kitchen.jpg
  loupe chat runs/mini kitchen.jpg --say "What is in @box(40,60,210,300)?" --say "Where is the cup?" --draw out.png

Without MODEL the miniature that loupe carries answers; it knows the pictures of `loupe world --world mini`.
Regions stand in the text as @box(x1,y1,x2,y2), @point(x,y), @polygon(x,y,x,y,x,y), in pixels of the picture.
Without --say lines are read from the keyboard (or a pipe); an empty line or Ctrl-D ends, /new begins anew."""
_REGION = re.compile(r"@(\w+)\(([^()]*)\)")
KINDS = {"box": 4, "point": 2, "polygon": None}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("model", metavar="MODEL", nargs="?", default=MINI,
                        help=f"checkpoint or run folder (default: {MINI}, which loupe carries)")
    parser.add_argument("image", nargs="+", metavar="IMAGE", help="a picture, or several")
    parser.add_argument("--say", action="append", metavar="TEXT", help="one turn; may be given several times")
    parser.add_argument("--draw", type=Path, metavar="FILE", help="save the picture with the last answer's regions")
    parser.add_argument("--constrain", metavar="KIND", help="hold answers to a form: box, boxes, point, free, ...")
    parser.add_argument("--max-tokens", type=int, metavar="N", help="longest answer (default: 128)")
    parser.add_argument("--device", metavar="NAME", help="cpu or cuda (default: what is there)")
    parser.add_argument("--dtype", default="float32", help="float32, bfloat16 or float16 (default: float32)")


def run(args: argparse.Namespace) -> None:
    if Path(args.model).is_file():  # several pictures and no model
        args.model, args.image = MINI, [args.model, *args.image]
    if len(args.image) == 1 and Path(args.image[0]).is_dir():
        raise ConfigError("no picture is named", got=args.image[0], expected="[MODEL] IMAGE ...")
    for image in args.image:
        _check(image)
    asked = [parts_of(text) for text in args.say or ()]  # mistakes before the model is loaded
    from loupe.predictors import BASELINES, load

    if args.model in BASELINES:
        raise ConfigError("a baseline cannot talk", got=args.model, expected="a checkpoint or run folder")
    model = load(args.model, device=args.device, dtype=args.dtype, answer=args.max_tokens, constrain=args.constrain)
    look = model.look(args.image)
    talk = look.talk()
    if asked:
        for parts in asked:
            _say(talk, parts, args.draw)
        return
    _loop(look, talk, args.draw)


def parts_of(text: str) -> list[str | Region]:
    """Text with @box(...) and its like -> text and regions.

    >>> parts_of("What is in @box(1, 2, 3, 4)?")
    ['What is in ', Box(x1=1.0, y1=2.0, x2=3.0, y2=4.0, image=0), '?']
    """
    parts: list[str | Region] = []
    at = 0
    for match in _REGION.finditer(text):
        parts += [text[at:match.start()], _region(*match.groups(), match.group())]
        at = match.end()
    return [part for part in (*parts, text[at:]) if part != ""]


def _region(kind: str, inside: str, where: str) -> Region:
    if kind not in KINDS:
        raise unknown_name("kind of region", kind, KINDS, where=where)
    try:
        numbers = [float(v) for v in inside.replace(",", " ").split()]
    except ValueError:
        raise RegionError("a coordinate is no number", got=inside, where=where, do="write pixels with commas") from None
    if KINDS[kind] not in (None, len(numbers)):
        raise RegionError(f"@{kind} takes {KINDS[kind]} numbers", got=len(numbers), where=where)
    return {"box": lambda v: Box(*v), "point": lambda v: Point(*v), "polygon": Polygon.from_flat}[kind](numbers)


def _say(talk, parts: list, out: Path | None) -> None:
    from loupe.drawing import draw

    answer = talk.say(*parts)
    print(answer.raw or "(nothing)")
    for found in answer.found:
        score = "" if found.score is None else f"  {found.score:.2f}"
        print(f"  {spelled(found.region)}{score}" + (f"  {found.phrase}" if found.phrase else ""))
    for problem in answer.problems:
        print(f"  unreadable ({problem.kind}): {problem.text}")
    if out is not None:
        draw(talk.look, answer, out)
        print(f"  drawn: {out}")
    sys.stdout.flush()


def spelled(region: Region) -> str:
    """As one may type it again."""
    if isinstance(region, Point):
        numbers = (region.x, region.y)
    elif isinstance(region, Polygon):
        numbers = [v for point in region.points for v in point]
    else:
        numbers = region.box.xyxy
    kind = {Point: "point", Polygon: "polygon"}.get(type(region), "box")
    return f"@{kind}({','.join(f'{v:.1f}'.removesuffix('.0') for v in numbers)})"


def _loop(look, talk, out: Path | None) -> None:
    """A wrong line costs that line only."""
    asking = sys.stdin.isatty()
    while True:
        if asking:
            print("> ", end="", flush=True)
        line = sys.stdin.readline()
        if not line.strip():
            return
        if line.strip() == "/new":
            talk = look.talk()
            continue
        try:
            _say(talk, parts_of(line.strip()), out)
        except LoupeError as error:
            print(f"loupe chat: {error}", file=sys.stderr)


def _check(image: str) -> None:
    """A missing or broken picture is said before the model is loaded."""
    from loupe.image import Image

    Image(path=Path(image)).pillow()
