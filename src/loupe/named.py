"""What a literal table of names holds: "module:Name" strings, imported when one is asked for and not before."""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module

from loupe.errors import unknown_name


def named(kind: str, name: str, table: Mapping[str, str]):
    """What the table has under a name; ConfigError, with the nearest one, if it has none. kind: what it names."""
    if name not in table:
        raise unknown_name(kind, name, table)
    return imported(table[name])


def imported(target: str):
    """Of "module:Name"."""
    module, _, attribute = target.partition(":")
    return getattr(import_module(module), attribute)
