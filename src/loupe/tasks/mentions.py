"""What a record's sentences name: words and all the regions they mean."""

from __future__ import annotations

import re

from loupe.record import Record, Sentence
from loupe.regions import Region, area
from loupe.sample import Part, Regions
from loupe.tasks.base import mention

# words that open a sentence with a capital of no meaning
_opening = re.compile(r"^(?:An?|The|One|Two|Three|Four|Five|Six|Several|Some|Many|Both|H(?:is|er)|Their)\b")


def told(record: Record) -> list[Sentence]:
    """The sentences that name something."""
    return [s for s in record.sentences if any(regions and words.strip() for words, regions in s.pieces)]


def mentions(sentence: Sentence) -> list[tuple[str, tuple[Region, ...]]]:
    """(words, regions) of what a sentence names, in its order; regions smallest first, as Pink's release says them."""
    return [(words.strip(), smallest_first(regions)) for words, regions in sentence.pieces if regions and words.strip()]


def named(record: Record) -> dict[str, tuple[Region, ...]]:
    """Words -> the regions they mean. Words that mean others in another sentence are left out ("a man")."""
    found: dict[str, tuple[str, set[tuple[Region, ...]]]] = {}
    for sentence in record.sentences:
        for words, regions in mentions(sentence):
            text = _opening.sub(lambda opening: opening[0].lower(), mention(words))
            found.setdefault(text.lower(), (text, set()))[1].add(regions)
    return {text: next(iter(meant)) for text, meant in found.values() if len(meant) == 1}


def boxed(sentence: Sentence) -> tuple[Part, ...]:
    """The sentence with the regions behind the words that mean them."""
    parts: list[Part] = []
    for words, regions in sentence.pieces:
        text = words + " " if regions and not words[-1:].isspace() else words
        if parts and isinstance(parts[-1], str):
            parts[-1] += text
        elif text:
            parts.append(text)
        if regions:
            parts.append(Regions(smallest_first(regions), words.strip()))
    return tuple(parts)


def smallest_first(regions: tuple[Region, ...]) -> tuple[Region, ...]:
    return tuple(sorted(regions, key=lambda region: (area(region), region.box.xyxy)))
