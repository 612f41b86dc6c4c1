"""Wordings of questions: text files, one wording a line, with `{placeholder}`s checked when they are read.

Braces mean something in these files only; a value put into a wording is never read as one.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from loupe.errors import ConfigError, FileError, unknown_name
from loupe.regions import Box, Mask, Point, Polygon
from loupe.sample import Part, Regions

BUILT_IN = Path(__file__).parent / "templates"
_PLACEHOLDER = re.compile(r"\{(\w+)\}")


@dataclass(frozen=True)
class Wording:
    """Text and names of placeholders in turn: texts[0], names[0], texts[1], ..., texts[-1]."""

    texts: tuple[str, ...]
    names: tuple[str, ...] = ()

    @classmethod
    def parse(cls, line: str, placeholders: tuple[str, ...], where: str) -> Wording:
        """Every declared placeholder at least once, nothing else in braces; else a ConfigError naming file:line."""
        pieces = _PLACEHOLDER.split(line)
        texts, names = tuple(pieces[::2]), tuple(pieces[1::2])
        for name in names:
            if name not in placeholders:
                raise unknown_name("placeholder", f"{{{name}}}", [f"{{{p}}}" for p in placeholders] or ["none"], where)
        if any("{" in text or "}" in text for text in texts):
            raise ConfigError("wording has a brace outside a placeholder", got=repr(line), where=where,
                              expected=" ".join(f"{{{p}}}" for p in placeholders) or "no braces")
        missing = [p for p in placeholders if p not in names]
        if missing:
            raise ConfigError("wording lacks a placeholder", got=repr(line), where=where,
                              expected=" ".join(f"{{{p}}}" for p in missing))
        return cls(texts, names)

    def fill(self, **fields: str | Part | tuple[Part, ...]) -> tuple[Part, ...]:
        """The parts of a turn; neighbouring text is joined. A field may be several parts."""
        parts: list[Part] = []
        for part in _interleave(self.texts, [fields[name] for name in self.names]):
            if isinstance(part, (Point, Box, Polygon, Mask)):
                part = Regions((part,))
            if isinstance(part, str) and parts and isinstance(parts[-1], str):
                parts[-1] += part
            elif part != "":
                parts.append(part)
        return tuple(parts)


def _interleave(texts, values):
    for text, value in zip(texts, values):
        yield text
        yield from value if isinstance(value, tuple) else (value,)
    yield texts[-1]


def file_name(task: str, kind: str) -> str:
    return f"{task}.{kind}.txt" if kind else f"{task}.txt"


@cache
def wordings(task: str, kind: str, placeholders: tuple[str, ...], folder: str | None = None) -> tuple[Wording, ...]:
    """All wordings of one kind of question; the first is the fixed one of evaluation.

    `folder` holds a user's own files; those it lacks stay the built-in ones.
    """
    path = BUILT_IN / file_name(task, kind)
    if folder is not None:
        check_folder(folder)
        own = Path(folder) / file_name(task, kind)
        path = own if own.is_file() else path
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except UnicodeDecodeError as error:
        raise FileError("wordings are not UTF-8 text", got=error.reason, where=path) from None
    except OSError as error:
        raise FileError("cannot read wordings", got=error.strerror, where=path) from None
    found = [Wording.parse(line.strip(), placeholders, f"{path}:{number}")
             for number, line in enumerate(lines, 1) if line.strip()]
    if not found:
        raise FileError("no wording in file", expected="one wording a line", where=path)
    return tuple(found)


@cache
def check_folder(folder: str) -> None:
    """A folder of wordings must exist and hold only files a task reads."""
    if not Path(folder).is_dir():
        raise FileError("folder of wordings does not exist", where=folder, do="check --templates")
    known = {path.name for path in BUILT_IN.glob("*.txt")}
    for path in sorted(Path(folder).glob("*.txt")):
        if path.name not in known:
            raise unknown_name("file of wordings", path.name, known, where=folder)
