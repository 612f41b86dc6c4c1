"""Pictures callers bring: checked before they are decoded, kept by their content, given back upright."""

from __future__ import annotations

import base64
import binascii
import hashlib
import io
import re
import threading
from dataclasses import dataclass

from PIL import Image as Pillow

from loupe.errors import ImageError
from loupe.image import Image, orientation
from loupe.serving.faults import Refused
from loupe.serving.kept import Kept
from loupe.serving.remote import fetch
from loupe.serving.settings import MIB, Settings

FORMATS = {  # how a file begins -> its type; nothing else is given to a decoder
    "image/png": re.compile(rb"\x89PNG\r\n\x1a\n"),
    "image/jpeg": re.compile(rb"\xff\xd8\xff"),
    "image/webp": re.compile(rb"RIFF....WEBP", re.DOTALL),
    "image/gif": re.compile(rb"GIF8[79]a"),
    "image/bmp": re.compile(rb"BM.{4}\0\0\0\0", re.DOTALL),
}
SAME = {"image/jpg": "image/jpeg", "image/pjpeg": "image/jpeg", "image/x-png": "image/png",
        "image/x-ms-bmp": "image/bmp", "image/x-bmp": "image/bmp"}
UNSAID = ("", "application/octet-stream", "binary/octet-stream")
SHOWN = ("image/png", "image/jpeg")  # given back as they came, unless they must be turned
_DATA = re.compile(r"data:([\w.+/-]{0,100})((?:;[\w.+=-]{1,100}){0,4}?)(;base64)?,")
_ID = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True)
class Picture:
    """A file that decodes. `id` is the sha256 of its bytes; width and height are of the upright picture."""

    id: str
    image: Image
    type: str
    width: int
    height: int


class Pictures:
    """What was uploaded lately."""

    def __init__(self, settings: Settings):
        self.settings = settings
        self.kept: Kept[Picture] = Kept(settings.pictures, lambda p: len(p.image.data) + 1000)
        self._one = threading.Lock()  # one large picture in memory at a time

    def add(self, data: bytes, declared: str = "", strict: bool = False) -> Picture:
        """A file's bytes, checked and kept; what is no picture, or too large, is refused.

        declared: the type its sender gave. strict: a picture of another type than declared is refused too.
        """
        limits = self.settings
        declared = declared.split(";")[0].strip().lower()
        declared = SAME.get(declared, declared)
        if len(data) > limits.file:
            raise Refused(413, "picture file is too large", got=_mib(len(data)),
                          expected=f"at most {_mib(limits.file)}", do="shrink it first", code="image_too_large")
        if declared not in UNSAID and declared not in FORMATS:
            raise _foreign(f"a file of type {declared[:60]}")
        kind = next((name for name, begins in FORMATS.items() if begins.match(data)), None)
        if kind is None:
            raise _foreign("an empty file" if not data else f"{len(data)} bytes starting {data[:8]!r}")
        if strict and declared not in UNSAID and declared != kind:
            raise Refused(415, "picture is not of the type it is said to be", got=kind, expected=declared,
                          code="wrong_image_type")
        name = hashlib.sha256(data).hexdigest()
        known = self.kept.get(name)
        if known is None:
            known = self._checked(name, data, kind)
            self.kept.put(name, known)
        return known

    def _checked(self, name: str, data: bytes, kind: str) -> Picture:
        image = Image(data=data)
        try:
            with self._one:
                width, height = image.size  # the header alone says whether it may be decoded
                if width * height > self.settings.pixels:
                    raise Refused(413, "picture has too many pixels", got=f"{width} x {height}",
                                  expected=f"at most {self.settings.pixels}", do="shrink it first",
                                  code="image_too_large")
                image.pillow()
        except ImageError as error:
            large = "too many pixels" in error.what
            raise Refused(413 if large else 400, error.what, got=error.got, expected=error.expected, do=error.do,
                          code="image_too_large" if large else "invalid_image") from None
        return Picture(name, image, kind, width, height)

    def find(self, url: str) -> Picture:
        """The picture a request names: a data URL, or loupe:<id>."""
        if url.startswith("loupe:"):
            return self.get(url.removeprefix("loupe:"))
        if url.startswith("data:"):
            return self.add(*_data(url), strict=True)
        if self.settings.remote and url.startswith(("http://", "https://")):
            return self.add(*fetch(url, self.settings.file))
        raise Refused(400, "this names no picture", got=repr(url[:40]), code="invalid_image_url",
                      expected="data:image/...;base64,... or loupe:<id>",
                      do="upload the file with POST /v1/images" if not url.startswith("http") else
                      "this server fetches nothing; send the picture itself")

    def get(self, name: str) -> Picture:
        known = self.kept.get(name) if _ID.fullmatch(name) else None
        if known is None:
            raise Refused(404, "there is no such picture", got=repr(name[:64]), code="image_not_found",
                          expected="an id that POST /v1/images gave",
                          do="upload it again: only the latest pictures are kept")
        return known

    def shown(self, picture: Picture) -> tuple[bytes, str]:
        """(file, type) of the upright picture, PNG or JPEG."""
        with self._one, Pillow.open(io.BytesIO(picture.image.data)) as opened:
            if picture.type in SHOWN and orientation(opened) == 1 and opened.mode != "CMYK":
                return picture.image.data, picture.type
        with self._one:
            upright, out = picture.image.pillow(), io.BytesIO()
            kind = picture.type if picture.type in SHOWN else "image/png"
            upright.save(out, kind.removeprefix("image/"), **({"quality": 95} if kind == "image/jpeg" else {}))
        return out.getvalue(), kind


def _data(url: str) -> tuple[bytes, str]:
    head = _DATA.match(url)
    if head is None or not head.group(3):
        raise Refused(400, "this data URL cannot be read", got=repr(url[:40]), expected="data:image/png;base64,...",
                      code="invalid_image_url")
    try:
        return base64.b64decode(url[head.end():], validate=True), head.group(1)
    except (binascii.Error, ValueError) as error:
        raise Refused(400, "this data URL is no base64", got=error, code="invalid_image_url") from None


def _foreign(got: str) -> Refused:
    return Refused(415, "not a picture this server reads", got=got, expected="PNG, JPEG, WebP, GIF or BMP",
                   code="unsupported_image")


def _mib(size: int) -> str:
    return f"{size / MIB:.1f} MiB"
