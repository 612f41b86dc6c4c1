"""An answer as plain text with "[1]" where its first region stands; whole, or as it grows."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence

from loupe.codec.reading import Parsed
from loupe.regions import Colour
from loupe.sample import Answer, Found
from loupe.serving import places

_MARKS = re.compile(r"(?:<[\w/|]{0,12}|[<\[{(|\"])+\Z")


def told(parts: Sequence[str | Found | Colour]) -> tuple[str, list[dict]]:
    """(content, regions as JSON) of an answer's parts."""
    content, regions = "", []
    for part in parts:
        if isinstance(part, str):
            content += part
        elif isinstance(part, Colour):
            content += f"#{part.r:02x}{part.g:02x}{part.b:02x}"
        else:
            if content and not content[-1].isspace():
                content += " "
            start = len(content)
            content += f"[{len(regions) + 1}]"
            regions.append(places.found(part, len(regions), (start, len(content))))
    return content, regions


def problems(answer: Answer) -> list[dict]:
    """What could not be read, as JSON."""
    return [{"kind": p.kind, "message": f"{p.text!r} is no region" + (f", expected {p.expected}" if p.expected else "")
             } for p in answer.problems]


class Unfolding:
    """What of a growing text can be told already: nothing that is told is taken back.

    parse: the codec's reading of a text; settled: of how many characters it is certain. None where there are no
    regions to read.
    """

    def __init__(self, parse: Callable[[str], Parsed] | None = None, settled: Callable[[str], int] | None = None):
        self.parse, self.settled = parse, settled
        self.certain = 0
        self.content = ""  # told so far
        self.regions = 0

    def grow(self, text: str) -> tuple[str, list[dict]]:
        """(content, regions) that are new in the longer text."""
        text = text.rstrip("\ufffd")  # a character of which more bytes follow
        if self.parse is None:
            return self._new(text, [])
        text = _MARKS.sub("", text)  # a mark may begin here
        certain = self.settled(text)
        if certain <= self.certain:
            return "", []
        self.certain = certain
        return self._new(*told(self.parse(text[:certain]).parts))

    def scored(self, answer: Answer) -> list[dict]:
        """The regions of what was said so far, with their scores."""
        return told(answer.parts)[1]

    def end(self, answer: Answer) -> tuple[str, list[dict]]:
        """The rest."""
        return self._new(*told(answer.parts))

    def _new(self, content: str, regions: list[dict]) -> tuple[str, list[dict]]:
        fresh, known = regions[self.regions:], len(self.content)
        self.regions = max(self.regions, len(regions))
        if not content.startswith(self.content):
            return "", fresh
        self.content = content
        return content[known:], fresh
