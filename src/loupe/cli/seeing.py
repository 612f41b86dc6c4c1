"""Flags of models that see what a refiner found (recipe lyrics): `loupe chat`, `loupe evaluate`."""

from __future__ import annotations

import argparse
from pathlib import Path


def add_seeing(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--refined", type=Path, metavar="DIR", help="keep what the model's refiner finds, for other "
                        "calls (models with an MQ-Former; default: found anew with every look)")
    parser.add_argument("--spatial", action="store_true", help="tell the model what its refiner found in words, too: "
                        "tags and boxes before the first question")


def seeing(args: argparse.Namespace) -> dict:
    """As `loupe.predictors.load` takes them; nothing where nothing is wished, as only such models know them."""
    return ({"refined": args.refined} if args.refined is not None else {}) | ({"spatial": True} if args.spatial else {})
