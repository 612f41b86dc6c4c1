"""The one place that decodes pictures: orientation applied, modes converted to RGB, limits kept."""

from __future__ import annotations

import hashlib
import io
import os
import struct
from dataclasses import dataclass, field
from functools import cached_property, lru_cache
from pathlib import Path

import numpy as np
from PIL import Image as Pillow
from PIL import UnidentifiedImageError

from loupe.errors import ConfigError, ImageError, unknown_name

MAX_BYTES = 64 * 2**20
MAX_PIXELS = 64_000_000
ORIENTATION = 0x0112  # EXIF tag
TURN = Pillow.Transpose
TURNS = {2: TURN.FLIP_LEFT_RIGHT, 3: TURN.ROTATE_180, 4: TURN.FLIP_TOP_BOTTOM, 5: TURN.TRANSPOSE, 6: TURN.ROTATE_270,
         7: TURN.TRANSVERSE, 8: TURN.ROTATE_90}  # orientation -> what makes it upright
ON_ITS_SIDE = (5, 6, 7, 8)  # orientations that swap width and height
PNG_EXIF = (b"eXIf", b"Raw profile type", b"XML:com.adobe.xmp")  # where a PNG may state it, also behind its pixels
FILTERS = {f.name.lower(): f for f in Pillow.Resampling}  # nearest, box, bilinear, hamming, bicubic, lanczos
DAMAGE = (OSError, ValueError, SyntaxError, EOFError, TypeError, KeyError, IndexError, AttributeError, OverflowError,
          struct.error)  # what Pillow raises on damaged bytes


@dataclass(frozen=True)
class Image:
    """A picture by path or by bytes (an encoded file, not raw pixels). Nothing is read before it is asked for.

    Sizes are of the upright picture: EXIF orientation is applied, as every viewer does, so regions drawn on
    what a person sees are in the same pixels. Two things say that regions ignore it: `upright=False` (Pillow turns
    TIFFs all the same), and `stated`, the size (width, height) that annotations give their picture, where it is that
    of the picture as stored and not of the upright one.
    """

    path: Path | None = None
    data: bytes | None = field(default=None, repr=False)
    upright: bool = True
    stated: tuple[int, int] | None = None

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
            if source.dtype != np.uint8 or source.ndim not in (2, 3) or not source.size:
                raise ImageError("cannot make a picture of this array", got=f"{source.dtype} {list(source.shape)}",
                                 expected="uint8 [height, width, 3]")
            source = Pillow.fromarray(source)
        if isinstance(source, Pillow.Image):
            buffer = io.BytesIO()
            upright(source).save(buffer, "PNG")
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
            if str(self.path).startswith(("http:/", "https:/")):
                do = "fetch it and give the file"
            elif self.path.is_absolute():
                do = "check the path, or --root where a data set names it"
            else:
                do = f"check the path; it begins at {Path.cwd()}"
            raise ImageError("picture does not exist", where=self.path, do=do) from None
        except IsADirectoryError:
            inside = sorted(p.name for p in self.path.iterdir())
            raise ImageError("a picture is a file", got=f"a folder with {', '.join(inside[:3]) or 'nothing in it'}"
                             + (f" and {len(inside) - 3} more" if len(inside) > 3 else ""), where=self.path,
                             do="name a picture in it" if inside else None) from None
        except OSError as error:
            raise ImageError("cannot read picture", got=error.strerror or error, where=self.path) from None

    @cached_property
    def content_hash(self) -> str:
        """sha256 of the file's bytes, first 16 hex digits."""
        return hashlib.sha256(self.bytes()).hexdigest()[:16]

    @cached_property
    def size(self) -> tuple[int, int]:
        """(width, height) of the picture as `pillow` gives it, from the header alone."""
        data = self.bytes()
        with self._open(data) as picture:
            silent = picture.format == "PNG" and not any(mark in data for mark in PNG_EXIF)
            if not self.upright or silent or picture.format == "TIFF":
                return picture.size
            turned = orientation(picture) in ON_ITS_SIDE and not self._as_stored(picture)
            return (picture.height, picture.width) if turned else picture.size

    def pillow(self) -> Pillow.Image:
        """Decoded: upright (but see Image), RGB, 8 bits a channel. A corrupt or truncated file is an ImageError."""
        with self._open(self.bytes()) as picture:
            try:
                if picture.format == "JPEG":
                    picture.draft("RGB", picture.size)
                picture.load()
                return upright(picture) if self.upright and not self._as_stored(picture) else rgb(picture)
            except DAMAGE as error:
                raise ImageError("picture is corrupt", got=error, where=self.name,
                                 do="fetch the file again or leave it out") from None

    def _as_stored(self, picture: Pillow.Image) -> bool:
        """Whether regions lie on the picture as it is stored."""
        return (self.stated == picture.size != picture.size[::-1]) and orientation(picture) in ON_ITS_SIDE

    def array(self) -> np.ndarray:
        """uint8 [height, width, 3]."""
        return np.asarray(self.pillow())

    def _open(self, data: bytes) -> Pillow.Image:
        try:
            picture = Pillow.open(io.BytesIO(data))
        except UnidentifiedImageError:
            raise ImageError("not a picture", got=f"{len(data)} bytes starting {data[:4]!r}",
                             expected="JPEG, PNG, WebP, GIF, BMP or TIFF", where=self.name) from None
        except Pillow.DecompressionBombError as error:
            raise ImageError("picture has too many pixels", got=error, expected=f"at most {MAX_PIXELS} pixels",
                             where=self.name, do="shrink it first") from None
        except DAMAGE as error:
            raise ImageError("picture is corrupt", got=error, where=self.name,
                             do="fetch the file again or leave it out") from None
        if picture.width * picture.height > MAX_PIXELS:
            raise ImageError("picture has too many pixels", got=f"{picture.width} x {picture.height}",
                             expected=f"at most {MAX_PIXELS} pixels", where=self.name, do="shrink it first")
        return picture


@lru_cache(maxsize=8)
def downsampled(image: Image, size: int, filter: str = "bicubic") -> np.ndarray:
    """The picture squeezed to `size` x `size`, uint8 [size, size, 3], read-only; the last few are kept."""
    if filter not in FILTERS:
        raise unknown_name("filter", filter, FILTERS)
    if size < 1:
        raise ConfigError("a picture has at least one pixel a side", got=size, expected="1 or more")
    return np.asarray(image.pillow().resize((size, size), FILTERS[filter]))


def orientation(picture: Pillow.Image) -> int:
    """EXIF orientation, 1 to 8; 1 where none is stated or the block is damaged. (A PNG is decoded for it.)"""
    try:
        value = picture.getexif().get(ORIENTATION, 1)
    except DAMAGE:
        return 1
    return value if value in TURNS else 1


def upright(picture: Pillow.Image) -> Pillow.Image:
    """Turned as its EXIF orientation says, as RGB, with nothing left that would turn it again."""
    turn = TURNS.get(orientation(picture))
    out = rgb(picture.transpose(turn) if turn is not None else picture)
    out = out.copy() if out is picture else out
    out.info = {}
    return out


def rgb(picture: Pillow.Image) -> Pillow.Image:
    """Any Pillow mode as 8-bit RGB: transparency on white, 16-bit scaled (not clipped), palettes resolved."""
    if picture.mode == "RGB" and "transparency" not in picture.info:
        return picture
    if picture.mode == "La":
        picture = picture.convert("LA")
    if picture.mode in ("I;16", "I;16B", "I;16L", "I", "F"):
        values = np.asarray(picture, np.float64)
        deep = picture.mode.startswith("I;16") or (picture.mode == "I" and values.max(initial=0) > 255)
        top = 65535.0 if deep else 255.0
        grey = np.clip(values * (255.0 / top), 0, 255).round().astype(np.uint8)
        return Pillow.fromarray(grey).convert("RGB")
    if picture.mode in ("RGBA", "LA", "PA", "RGBa") or "transparency" in picture.info:
        picture = picture.convert("RGBA")
        ground = Pillow.new("RGBA", picture.size, "white")
        return Pillow.alpha_composite(ground, picture).convert("RGB")
    return picture.convert("RGB")
