"""`--root DIR` and `--root NAME=DIR` as every verb that reads data sets takes them."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

from loupe.errors import FileError


def add_root(parser: argparse.ArgumentParser, required: bool = False) -> None:
    parser.add_argument("--root", action="append", default=[], metavar="[NAME=]DIR", required=required,
                        help="folder that holds the data sets' folders (coco/, refer/, ...), or one of them as "
                        "NAME=DIR; may be given several times")


def add_count(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--count", type=_count, metavar="N", help="number of questions there must be, or any "
                        "(default: counts.json of the root, else the published number)")


def _count(text: str) -> int | str:
    if text != "any" and not text.isdigit():
        raise argparse.ArgumentTypeError(f"got {text!r}, expected a number or any")
    return text if text == "any" else int(text)


def roots_of(given: Sequence[str]) -> dict[str, Path]:
    """{"": parent, name: folder}; a folder that does not exist is a FileError."""
    roots: dict[str, Path] = {}
    for text in given:
        name, equals, folder = text.partition("=")
        if not equals:
            name, folder = "", text
        path = Path(folder).expanduser()
        if not path.is_dir():
            raise FileError("folder does not exist", got=text, expected="a folder of data sets", where="--root",
                            do="check the path; `loupe world DIR` writes a small one")
        if name in roots:
            raise FileError("folder is given twice", got=text, where="--root")
        roots[name] = path
    return roots
