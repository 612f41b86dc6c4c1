"""Colours, textures, grounds: everything that becomes pixels."""

from __future__ import annotations

import io
import math
from dataclasses import dataclass

import numpy as np
from PIL import Image as Pillow

from loupe.world import font
from loupe.world.kinds import Kind

COLOURS = {
    "red": (214, 38, 38), "orange": (242, 132, 28), "yellow": (240, 212, 40), "green": (44, 150, 62),
    "cyan": (48, 200, 210), "blue": (38, 76, 204), "purple": (132, 52, 168), "pink": (244, 134, 180),
    "brown": (122, 74, 38), "black": (26, 26, 30), "white": (246, 246, 244)}
TEXTURES = ("plain", "striped", "dotted", "checked")
GROUNDS = ("gradient", "blocks", "clouds", "horizon", "waves", "tiles")
JITTER = 7  # a shade's levels either way
SKIN = ("pink", "brown", "yellow", "white", "orange")
QUALITY = 95


@dataclass(frozen=True)
class Sprite:
    """A thing drawn alone. Its window's upper left pixel lands on the picture at integer (x, y)."""

    paint: np.ndarray  # float32 [h, w, 3], colour times cover
    cover: np.ndarray  # float32 [h, w], 0..1; a pixel belongs to the thing where cover >= 0.5
    owner: np.ndarray  # int8 [h, w], leaf index (the word: number of leaves), -1 outside
    solid: np.ndarray  # bool [h, w], inside with holes filled
    counts: np.ndarray  # int [leaves + 1], pixels each leaf shows
    word_box: tuple[int, int, int, int] | None  # x1, y1, x2, y2 in the window

    @property
    def size(self) -> tuple[int, int]:
        return self.owner.shape[1], self.owner.shape[0]


def shade(colour: str, rng: np.random.Generator) -> np.ndarray:
    """One of a colour's near shades, float32 [3]."""
    moved = rng.integers(-JITTER, JITTER + 1, 3).tolist()
    return np.array([min(max(c + m, 0), 255) for c, m in zip(COLOURS[colour], moved)], np.float32)


def _tones(rgb: np.ndarray) -> np.ndarray:
    """Float32 [3, 3]: the colour, its rim, the second tone of its textures."""
    red, green, blue = rgb.tolist()
    lift = 160 if 0.3 * red + 0.59 * green + 0.11 * blue < 130 else 0
    times, plus = (0.45, 0) if max(red, green, blue) > 60 else (1, 70)
    rows = [[red, green, blue], [times * c + plus for c in (red, green, blue)],
            [0.35 * c + lift for c in (red, green, blue)]]
    return np.array(rows, np.float32)


def _texture(name: str, x: np.ndarray, y: np.ndarray, radius: float) -> np.ndarray:
    """Where the second tone lies; x, y in pixels of the thing."""
    step = max(4.0, radius / 2.6)
    if name == "striped":
        return (x + y) % (1.4 * step) < 0.62 * step
    if name == "dotted":
        step = max(5.5, radius / 2.1)
        return np.hypot(x % step - step / 2, y % step - step / 2) < 0.28 * step
    return ((x // step) + (y // step)) % 2 < 1


def sprite(kind: Kind, radius: float, colours: dict[str, np.ndarray], texture: str, angle: float = 0.0,
           flip: bool = False, word: str = "", scale: int = 1, shift: tuple[float, float] = (0.0, 0.0)) -> Sprite:
    """Draw one thing; `colours` gives the shade of every leaf's colour name, `shift` moves it by parts of a pixel."""
    half = math.ceil(radius * (1.42 if angle else 1.05)) + 2
    line = np.arange(-half, half, dtype=np.float32) + np.float32(0.5)
    u = (line[None] - np.float32(shift[0])) / np.float32(radius)  # [1, w]
    v = (line[:, None] - np.float32(shift[1])) / np.float32(radius)  # [h, 1]
    if angle:
        cos, sin = np.float32(math.cos(angle)), np.float32(math.sin(angle))
        u, v = cos * u + sin * v, cos * v - sin * u
    if flip:
        u = -u
    owner = np.full((2 * half, 2 * half), -1, np.int8)
    cover = np.zeros(owner.shape, np.float32)
    paint = np.zeros((*owner.shape, 3), np.float32)
    for index, leaf in enumerate(kind.leaves):
        depth = leaf.outline(u, v) * np.float32(radius)
        alpha = np.maximum(np.minimum(np.float32(0.5) - depth, 1), 0)
        tone = (depth > -1).astype(np.intp)  # 0 inside, 1 the rim, 2 the texture's second tone
        if leaf.textured and texture != "plain":
            tone[_texture(texture, u * radius, v * radius, radius) & (tone == 0)] = 2
        paint += alpha[..., None] * (_tones(colours[leaf.colour]).take(tone, axis=0) - paint)
        cover += alpha * (1 - cover)
        owner[depth <= 0] = index
    word_box = _print(word, scale, kind, radius, half, paint, owner, colours["main"]) if word else None
    owner[(owner < 0) & (cover >= 0.5)] = 0
    solid = owner >= 0
    if kind.solid is not None:
        solid = solid | (kind.solid(u, v) < 0)
    counts = np.bincount(owner.ravel() + 1, minlength=len(kind.leaves) + 2)[1:]
    return Sprite(paint, cover, owner, solid, counts, word_box)


def _print(word, scale, kind, radius, half, paint, owner, ground):
    """Letters in the middle of the kind's writing space; returns their box in the window."""
    x1, y1, x2, y2 = kind.written
    letters = font.pixels(word, scale)
    high, wide = letters.shape
    left = half + round((x1 + x2) / 2 * radius - wide / 2)
    top = half + round((y1 + y2) / 2 * radius - high / 2)
    ink = np.float32([20, 20, 24]) if ground @ np.float32([0.3, 0.59, 0.11]) > 120 else np.float32([250, 250, 250])
    paint[top:top + high, left:left + wide][letters] = ink
    owner[top:top + high, left:left + wide][letters] = len(kind.leaves)
    return left, top, left + wide, top + high


def _muted(rng: np.random.Generator, count: int) -> np.ndarray:
    """Soft tones that no thing wears, float32 [count, 3]."""
    grey = rng.uniform(95, 215, (count, 1))
    return (grey + rng.uniform(-22, 22, (count, 3))).astype(np.float32)


def ground(width: int, height: int, rng: np.random.Generator, styles: tuple[str, ...] = GROUNDS[:4],
           grain: bool = True) -> np.ndarray:
    """A cluttered ground in one of the styles, float32 [height, width, 3], with grain or without."""
    style = styles[rng.integers(len(styles))]
    tones = _muted(rng, 10)
    if style == "gradient":
        canvas = _gradient(width, height, tones[0], tones[1], rng)
    elif style == "blocks":
        canvas = _gradient(width, height, tones[0], tones[1] * 0.3 + tones[0] * 0.7, rng)
        for tone in tones[2:2 + rng.integers(3, 8)]:
            x, y = rng.integers(0, width), rng.integers(0, height)
            w, h = rng.integers(width // 10, width // 2), rng.integers(height // 10, height // 2)
            canvas[max(0, y - h // 2):y + h // 2, max(0, x - w // 2):x + w // 2] = tone * 0.6 + tones[0] * 0.4
    elif style == "clouds":
        cells = rng.integers(5, 12)
        small = np.clip(tones[0] + rng.normal(0, 13, (cells, cells, 3)), 60, 235).astype(np.uint8)
        canvas = np.asarray(Pillow.fromarray(small).resize((width, height), Pillow.Resampling.BICUBIC), np.float32)
    elif style == "waves":
        canvas = _waves(width, height, tones, rng)
    elif style == "tiles":
        step = max(4, int(min(width, height) * rng.uniform(0.06, 0.16)))
        odd = (np.arange(height)[:, None] // step + np.arange(width)[None] // step) % 2
        canvas = tones[0] + (odd[..., None] * rng.uniform(0.3, 0.7) * (tones[1] - tones[0])).astype(np.float32)
    else:
        canvas = np.empty((height, width, 3), np.float32)
        horizon = int(height * rng.uniform(0.35, 0.75))
        canvas[:horizon], canvas[horizon:] = tones[0], tones[1]
        canvas += np.linspace(-14, 14, height, dtype=np.float32)[:, None, None]
    grains = rng.standard_normal((height, width, 1), np.float32)
    return canvas + grains * np.float32(rng.uniform(1.5, 6)) * grain


def _gradient(width, height, start, end, rng) -> np.ndarray:
    angle = rng.uniform(0, 2 * math.pi)
    along = (math.cos(angle) * np.linspace(-0.5, 0.5, width, dtype=np.float32)[None]
             + math.sin(angle) * np.linspace(-0.5, 0.5, height, dtype=np.float32)[:, None])
    along = np.clip(along / 1.2 + 0.5, 0, 1)[..., None]
    return start + (end - start) * along


def _waves(width, height, tones, rng) -> np.ndarray:
    """Rings around a point outside the middle, float32 [height, width, 3]."""
    x, y = rng.uniform(-0.3, 1.3, 2) * (width, height)
    far = np.hypot(np.arange(width)[None] - x, np.arange(height)[:, None] - y) / min(width, height)
    level = 0.5 + 0.5 * np.sin(far * rng.uniform(15, 40))
    return tones[0] + (level[..., None] * rng.uniform(0.3, 0.6)).astype(np.float32) * (tones[1] - tones[0])


def jpeg(pixels: np.ndarray) -> bytes:
    """uint8 [h, w, 3] as JPEG, quality 95, full colour resolution."""
    buffer = io.BytesIO()
    Pillow.fromarray(pixels).save(buffer, "JPEG", quality=QUALITY, subsampling=0)
    return buffer.getvalue()
