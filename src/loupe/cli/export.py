"""`loupe export`: a corpus as dialogues in JSON, for other trainers."""

from __future__ import annotations

import argparse
from pathlib import Path

from loupe.cli.roots import add_root, roots_of

HELP = """write a corpus as dialogues in JSON, for other trainers

Regions become words as --codec writes them, for a model that sees its pictures as --frame says; the pictures stay where
they are. The form "llava" is one JSON list of {"id", "image", "conversations"}, "messages" a line of {"id", "images",
"messages"} each; "<image>" stands for a picture. What the codec cannot write is left out and counted.

  loupe export corpora/mine --out mine.json --codec llava
  loupe export corpora/mine --out mine.json --codec qwen2.5-vl --max-pixels 1003520 --below /data
  loupe export corpora/mine --out mine.jsonl --codec qwen3-vl --form messages --together"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("corpus", type=Path, metavar="CORPUS", help="folder that `loupe build` wrote")
    add_root(parser)
    parser.add_argument("--out", type=Path, required=True, metavar="FILE", help="the file to write")
    parser.add_argument("--codec", required=True, metavar="NAME", help="how regions are written: llava, shikra, "
                        "qwen2.5-vl, qwen3-vl, ... (docs/codecs.md)")
    parser.add_argument("--frame", metavar="NAME", help="what the model sees of a picture: whole, squash, pad, "
                        "centre-crop, smart-resize (default: as the codec's family does, else whole)")
    parser.add_argument("--min-pixels", type=int, metavar="N", help="of smart-resize: the trainer's own setting "
                        "(3,136)")
    parser.add_argument("--max-pixels", type=int, metavar="N", help="of smart-resize: the trainer's own setting "
                        "(1,003,520)")
    parser.add_argument("--form", default="llava", metavar="NAME", help="llava or messages (default: llava)")
    parser.add_argument("--together", action="store_true", help="one dialogue a picture, not one a question")
    parser.add_argument("--below", type=Path, metavar="DIR", help="name pictures from this folder (default: whole "
                        "paths)")


def run(args: argparse.Namespace) -> None:
    from loupe.codec import codec
    from loupe.data.corpus import Corpus
    from loupe.data.transcripts import write_transcripts
    from loupe.framing import WHOLE, Framing

    marks = codec(args.codec)
    given = {"least": args.min_pixels, "most": args.max_pixels}
    framing = Framing(args.frame or marks.frame or WHOLE, **{k: v for k, v in given.items() if v is not None})
    corpus = Corpus(args.corpus, roots_of(args.root))
    done = write_transcripts(corpus, args.out, marks, framing.frame, form=args.form, together=args.together,
                             below=args.below)
    for reason, number in done.left_out.most_common():
        print(f"{number:>10,}  {reason}")
    if framing.name == "smart-resize":
        print(f"coordinates hold where pictures have {framing.least:,} to {framing.most:,} pixels: train so")
    print(f"{done.dialogues:,} dialogues on {done.pictures:,} pictures in {args.out}")
