"""`loupe chat`: talk to a model about a picture and regions of it."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from loupe.cli.conversation import ENDS, Conversation, History, history_file
from loupe.cli.seeing import add_seeing, seeing
from loupe.cli.typed import parts_of, spelled
from loupe.errors import ConfigError, LoupeError
from loupe.shipped import MINI

HELP = """talk to a model about a picture and regions of it

  loupe chat picture.png
  loupe chat runs/mini kitchen.jpg
  loupe chat runs/mini kitchen.jpg --say "What is in @box(40,60,210,300)?" --say "Where is the cup?" --draw out.png
  loupe chat http://localhost:8000/v1#qwen2.5-vl before.jpg after.jpg --out answers

Without MODEL the miniature that loupe carries answers; it knows the pictures of `loupe world --world mini`. MODEL may
also be a vision-language model in transformers' layout or an OpenAI-compatible endpoint.
Regions stand in the text as @box(x1,y1,x2,y2), @point(x,y), @polygon(x,y,x,y,x,y), in pixels of the picture; on the
second picture as @2:box(...). Without --say lines are read from the keyboard (or a pipe); an empty line or Ctrl-D ends.
/undo takes the last question back, /reset begins anew, /save FILE keeps the conversation (.json, .html, or .png with
the last answer's regions), /help tells the rest."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("model", metavar="MODEL", nargs="?", default=MINI,
                        help=f"checkpoint or run folder, transformers folder or id, or http://host/v1#model "
                        f"(default: {MINI}, which loupe carries)")
    parser.add_argument("image", nargs="+", metavar="IMAGE", help="a picture, or several")
    parser.add_argument("--say", action="append", metavar="TEXT", help="one turn; may be given several times")
    parser.add_argument("--draw", type=Path, metavar="FILE", help="save the picture with the last answer's regions")
    parser.add_argument("--out", type=Path, metavar="DIR", help="draw every answer that has regions into DIR, as "
                        "01.png, 02.png, ..., and keep the conversation as conversation.json")
    parser.add_argument("--history", type=Path, metavar="FILE", help="where typed lines are kept "
                        "(default: ~/.local/state/loupe/chat; /dev/null keeps none)")
    parser.add_argument("--constrain", metavar="KIND", help="hold answers to a form: box, boxes, point, free, ...")
    parser.add_argument("--max-tokens", type=int, metavar="N", help="longest answer (default: 128; endpoints: 512)")
    add_seeing(parser)
    parser.add_argument("--device", metavar="NAME", help="cpu or cuda (default: what is there)")
    parser.add_argument("--dtype", default="float32", help="float32, bfloat16 or float16 (default: float32)")


def run(args: argparse.Namespace) -> None:
    if Path(args.model).is_file():  # several pictures and no model
        args.model, args.image = MINI, [args.model, *args.image]
    if len(args.image) == 1 and Path(args.image[0]).is_dir():
        raise ConfigError("no picture is named", got=args.image[0], expected="[MODEL] IMAGE ...")
    if args.image == [MINI] and not Path(MINI).exists():
        raise ConfigError("no picture is named", got=MINI, expected="[MODEL] IMAGE ...")
    for image in args.image:
        _check(image)
    for text in args.say or ():  # mistakes before the model is loaded
        parts_of(text, len(args.image))
    from loupe.predictors import load, named

    if named(args.model).kind == "baseline":
        raise ConfigError("a baseline cannot talk", got=args.model, expected="a checkpoint or run folder")
    model = load(args.model, device=args.device, dtype=args.dtype, answer=args.max_tokens, constrain=args.constrain,
                 **seeing(args))
    talk = Conversation(model, model.look(args.image), args.out, args.draw)
    try:
        if args.say:
            for text in args.say:
                _tell(talk.ask(text))
        else:
            _loop(talk, args.history)
    finally:
        if args.out is not None and talk.said:
            print(f"kept: {talk.save(args.out / 'conversation.json')}")


def _loop(talk: Conversation, history: Path | None) -> None:
    """A wrong line costs that line only; so does Ctrl-C while an answer is being written."""
    asking = sys.stdin.isatty()
    kept = History(None if str(history) == "/dev/null" else history or history_file()) if asking else None
    try:
        while line := _line(asking):
            if line in ENDS:
                return
            try:
                _tell(talk.line(line))
            except LoupeError as error:
                print(f"loupe chat: {error}", file=sys.stderr)
            except KeyboardInterrupt:
                if not asking:
                    raise
                print("\n(left off)")
    finally:
        if kept is not None:
            kept.keep()


def _line(asking: bool) -> str:
    """The next line; nothing at the end."""
    if not asking:
        return sys.stdin.readline().strip()
    try:
        return input("> ").strip()
    except EOFError:
        print()
        return ""


def _tell(lines: list[str]) -> None:
    print("\n".join(lines), flush=True)


def _check(image: str) -> None:
    """A missing or broken picture is said before the model is loaded."""
    from loupe.image import Image

    Image(path=Path(image)).pillow()


__all__ = ["HELP", "add_arguments", "parts_of", "run", "spelled"]
