"""Every rotation of a multiple-choice question's options, for CircularEval."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from loupe.errors import ConfigError
from loupe.sample import Sample
from loupe.tasks.choice import LETTERS, lettered


def rotations(sample: Sample) -> Iterator[Sample]:
    """As written, then with the options turned on by one, two, ...; the truth is the right option's letter."""
    options, truth = tuple(sample.extra["options"]), sample.extra["truth"]
    shown, at = lettered(options), LETTERS.index(truth)
    count = len(options)
    for shift in range(count):
        turned = options[shift:] + options[:shift]
        letter = LETTERS[(at - shift) % count]
        extra = {**sample.extra, "options": turned, "truth": letter, "unit": sample.id, "shift": shift}
        if shift:
            sample_turned = replace(sample, turns=(*sample.turns[:-1], _put(sample, shown, lettered(turned))))
        else:
            sample_turned = sample
        yield replace(sample_turned, id=f"{sample.id}~{shift}" if shift else sample.id, extra=extra)


def _put(sample: Sample, shown: str, instead: str):
    last = sample.turns[-1]
    if sum(part.count(shown) for part in last.parts if isinstance(part, str)) != 1:
        raise ConfigError("the options do not stand once in the question", got=repr(last.parts)[:120],
                          expected=shown, where=sample.id)
    return replace(last, parts=tuple(p.replace(shown, instead) if isinstance(p, str) else p for p in last.parts))
