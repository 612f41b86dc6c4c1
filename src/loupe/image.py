"""The one place that decodes pictures: orientation applied, modes converted to RGB, limits kept."""

from __future__ import annotations

import hashlib
import io
import os
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

import numpy as np
from PIL import Image as Pillow
from PIL import ImageOps, UnidentifiedImageError

from loupe.errors import ImageError

MAX_BYTES = 64 * 2**20
MAX_PIXELS = 64_000_000
ORIENTATION = 0x0112  # EXIF tag


@dataclass(frozen=True)
class Image:
    """A picture by path or by bytes (an encoded file, not raw pixels). Nothing is read before it is asked for.

    Sizes are of the upright picture: EXIF orientation is applied, as every viewer does, so regions drawn on
    what a person sees are in the same pixels. (Datasets whose boxes ignore EXIF say so: `upright=False`.)
    """

    path: Path | None = None
    data: bytes | None = field(default=None, repr=False)
    upright: bool = True

    def __post_init__(self):
        if (self.path is None) == (self.data is None):
            raise ImageError("an Image is a path or bytes", got="both or neither")
        if self.path is not None and not isinstance(self.path, Path):
            object.__setattr__(self, "path", Path(self.path))

    @classmethod
    def of(cls, source) -> Image:
        """From a path, encoded bytes, a Pillow image, an array [h, w, 3] of uint8, or an Image."""
        if isinstance(source, Image):
            return source
        if isinstance(source, (str, os.PathLike)):
            return cls(path=Path(source))
        if isinstance(source, (bytes, bytearray)):
            return cls(data=bytes(source))
        if isinstance(source, np.ndarray):
            source = Pillow.fromarray(source)
        if isinstance(source, Pillow.Image):
            buffer = io.BytesIO()
            rgb(ImageOps.exif_transpose(source)).save(buffer, "PNG")
            return cls(data=buffer.getvalue())
        raise ImageError("cannot make a picture of this", got=type(source).__name__,
                         expected="a path, bytes, a Pillow image or an array [h, w, 3]")

    @property
    def name(self) -> str:
        return self.path.name if self.path is not None else f"<{len(self.data)} bytes>"

    def bytes(self) -> bytes:
        if self.data is not None:
            return self.data
        try:
            if self.path.stat().st_size > MAX_BYTES:
                raise ImageError("picture file is too large", got=f"{self.path.stat().st_size} bytes",
                                 expected=f"at most {MAX_BYTES}", where=self.path)
            return self.path.read_bytes()
        except FileNotFoundError:
            raise ImageError("picture does not exist", where=self.path, do="check --root and the file name") from None
        except OSError as error:
            raise ImageError("cannot read picture", got=error.strerror or error, where=self.path) from None

    @cached_property
    def content_hash(self) -> str:
        """sha256 of the file's bytes, first 16 hex digits."""
        return hashlib.sha256(self.bytes()).hexdigest()[:16]

    @cached_property
    def size(self) -> tuple[int, int]:
        """(width, height) of the upright picture, from the header alone."""
        with self._open() as picture:
            turned = self.upright and picture.getexif().get(ORIENTATION, 1) in (5, 6, 7, 8)
            return (picture.height, picture.width) if turned else picture.size

    def pillow(self) -> Pillow.Image:
        """Decoded: upright, RGB, 8 bits a channel. A corrupt or truncated file is an ImageError."""
        with self._open() as picture:
            try:
                if picture.format == "JPEG":
                    picture.draft("RGB", picture.size)
                picture.load()
                return rgb(ImageOps.exif_transpose(picture) if self.upright else picture)
            except (OSError, ValueError, SyntaxError, EOFError) as error:
                raise ImageError("picture is corrupt", got=error, where=self.name,
                                 do="fetch the file again or leave it out") from None

    def array(self) -> np.ndarray:
        """uint8 [height, width, 3]."""
        return np.asarray(self.pillow())

    def _open(self) -> Pillow.Image:
        data = self.bytes()
        try:
            picture = Pillow.open(io.BytesIO(data))
        except UnidentifiedImageError:
            raise ImageError("not a picture", got=f"{len(data)} bytes starting {data[:4]!r}",
                             expected="JPEG, PNG, WebP, GIF, BMP or TIFF", where=self.name) from None
        except (OSError, ValueError, SyntaxError, Pillow.DecompressionBombError) as error:
            raise ImageError("picture is corrupt", got=error, where=self.name) from None
        if picture.width * picture.height > MAX_PIXELS:
            raise ImageError("picture has too many pixels", got=f"{picture.width} x {picture.height}",
                             expected=f"at most {MAX_PIXELS} pixels", where=self.name, do="shrink it first")
        return picture


def rgb(picture: Pillow.Image) -> Pillow.Image:
    """Any Pillow mode as 8-bit RGB: transparency on white, 16-bit scaled (not clipped), palettes resolved."""
    if picture.mode == "RGB":
        return picture
    if picture.mode in ("I;16", "I;16B", "I;16L", "I", "F"):
        values = np.asarray(picture, np.float64)
        top = 65535.0 if picture.mode.startswith("I") and values.max(initial=0) > 255 else 255.0
        grey = np.clip(values * (255.0 / top), 0, 255).round().astype(np.uint8)
        return Pillow.fromarray(grey).convert("RGB")
    if picture.mode in ("RGBA", "LA", "PA", "RGBa", "La") or "transparency" in picture.info:
        picture = picture.convert("RGBA")
        ground = Pillow.new("RGBA", picture.size, "white")
        return Pillow.alpha_composite(ground, picture).convert("RGB")
    return picture.convert("RGB")
