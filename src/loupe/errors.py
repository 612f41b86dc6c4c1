"""What went wrong, said so that a person can mend it: got, expected, where, what to do."""

from __future__ import annotations


class LoupeError(Exception):
    """A mistake in the input, the files or the settings (never in loupe itself).

    The command line prints it as one line and leaves with exit code 2.

    >>> str(LoupeError("cannot read boxes", got="3 numbers", expected="4", where="a.json: objects[2]", do="fix it"))
    'cannot read boxes: got 3 numbers, expected 4, in a.json: objects[2]; fix it'
    """

    def __init__(self, what: str, *, got: object = None, expected: object = None, where: object = None,
                 do: str | None = None):
        self.what, self.got, self.expected, self.where, self.do = what, got, expected, where, do
        facts = [f"{name} {value}" for name, value in (("got", got), ("expected", expected), ("in", where))
                 if value is not None]
        message = what + (": " + ", ".join(facts) if facts else "")
        super().__init__(" ".join((message + (f"; {do}" if do else "")).split()))


class FileError(LoupeError):
    """A file or folder is missing, unreadable, of the wrong layout, or cannot be written."""


class ImageError(LoupeError):
    """A picture cannot be decoded, or is larger than the limits allow."""


class RegionError(LoupeError):
    """A region is impossible: not finite, inside out, empty, or outside its picture."""


class CodecError(LoupeError):
    """A codec cannot write this region, or the weights were trained with another codec."""


class ConfigError(LoupeError):
    """An override, a recipe, a spec or a name does not exist or does not fit."""


class CheckpointError(LoupeError):
    """A checkpoint is foreign, incomplete, or does not fit the model it is loaded into."""


class OutOfMemoryError(LoupeError):
    """The device has no memory for so much at once."""


def unknown_name(kind: str, name: str, known: object, where: object = None) -> ConfigError:
    """A ConfigError that names the nearest known spelling."""
    from difflib import get_close_matches

    names = sorted(map(str, known))
    near = get_close_matches(str(name), names, n=1, cutoff=0.5)
    do = f"did you mean {near[0]!r}?" if near else f"choose one of: {', '.join(names)}"
    return ConfigError(f"unknown {kind}", got=repr(name), where=where, do=do)
