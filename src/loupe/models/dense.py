"""Pictures and masks out of a question for every place of a grid, all of them on one look."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from tqdm import tqdm

from loupe.errors import ConfigError, RegionError
from loupe.evals.grid import held, pixels_of, places
from loupe.models import viewing
from loupe.models.decoding import Prefix
from loupe.models.encoding import Encoded
from loupe.models.rail import Grammar, Words, whole
from loupe.models.reading import pieces, read
from loupe.models.viewing import ROWS, Short
from loupe.models.vlm import VLM
from loupe.regions import Box, Colour, Mask, Point
from loupe.sample import Answer, Sample, Turn, assistant
from loupe.tasks import task

YES, NO = "yes", "no"
SURE = 0.75  # probability from which a place is settled, if its neighbours agree


@dataclass(frozen=True, eq=False)
class Likely:
    """How likely each place of a grid lies on what a phrase means.

    probability [G, G], rows from the top: p(yes) / (p(yes) + p(no)); asked: places the model was asked about, the rest
    have their neighbourhood's; box: where the model said the thing is, if it was asked that first; absent: the model
    said that it is not there.
    """

    probability: np.ndarray
    size: tuple[int, int]  # width and height of the picture
    asked: int
    box: Box | None = None
    image: int = 0
    absent: bool = False

    @property
    def mask(self) -> Mask:
        """In pixels of the picture: those whose place is more likely on it than not."""
        return mask_of(self.probability, self.size, self.image)


def mask_of(probability: np.ndarray, size: tuple[int, int], image: int = 0) -> Mask:
    """[G, G] -> the pixels of a picture (width, height) whose place is more likely on it than not."""
    (width, height), grid = size, len(probability)
    rows, columns = (np.arange(n) * grid // n for n in (height, width))
    return Mask.from_array((probability > 0.5)[rows[:, None], columns], image)


def pixels(look, n: int = 64, *, size: int | None = None, expected: bool = False, rows: int = ROWS,
           image: int = 0) -> np.ndarray:
    """The picture as the model sees it: uint8 [n, n, 3], a question for every pixel of it squeezed to n x n.

    size: ask about the picture squeezed to size x size instead, for n x n of its pixels. expected: the mean over the
    colour values by their probability instead of the most probable ones (codecs with a token for each value).
    """
    _check(n=n, rows=rows, **({} if size is None else {"size": size}))
    width, height = _picture(look, image).size
    if size is None:
        points = places(width, height, n)
    else:
        if size % n:
            raise ConfigError("the pixels do not fit the picture", got=f"{n} of {size}",
                              expected="a number that divides size", where="n")
        at = (pixels_of(n, size) + 0.5) / size
        points = [Point(float(x) * width, float(y) * height) for y in at for x in at]
    encoder = look.model.encoder
    rail = Grammar(encoder.codec, "colour", pieces(look.model), _view(look, image))
    watch, values = _values(encoder) if expected else ((), None)
    out = np.zeros((len(points), 3), np.uint8)
    known: dict[tuple[int, ...], tuple[int, int, int]] = {}
    for k, said in _asked(look, "reconstruction", points, image, {}, rail, rows, watch, "pixels"):
        if expected:
            shares = np.array(said.shares, float)  # [3, values]
            out[k] = np.rint((shares * values).sum(-1) / shares.sum(-1))
            continue
        ids = tuple(said.ids)
        if ids not in known:
            known[ids] = _colour(encoder, ids, look.frames[image])
        out[k] = known[ids]
    return out.reshape(n, n, 3)


def likely(look, phrase: str, grid: int = 32, *, coarse: int | None = None, sure: float = SURE,
           within: Box | bool = False, boxed: bool = False, check: bool = True, rows: int = ROWS,
           image: int = 0) -> Likely:
    """Of every place of a grid x grid: does it lie on `phrase`?

    coarse: ask coarse x coarse places first, then only where a neighbour differs or less than `sure` is said, on finer
    and finer grids. within: places inside a box only (the nearest one where it holds none), or (True) inside the one
    the model finds first (none: no mask). boxed: the questions mean the thing by that box instead of the phrase, which
    is needed only to find it. check: ask first whether it is there at all; if not, no place is asked about.
    """
    _check(grid=grid, rows=rows, **({} if coarse is None else {"coarse": coarse}))
    if not (isinstance(sure, (int, float)) and 0.5 <= sure <= 1):
        raise ConfigError("no probability of a settled place", got=sure, expected="0.5 to 1", where="sure")
    if boxed and within is False:
        raise ConfigError("no box to mean the thing by", got="within=False", expected="a box, or True", where="within")
    if within is True and image:
        raise ConfigError("a box is found on the first picture alone", got=f"within=True, image={image}",
                          expected="a box of that picture", where="within")
    named = bool(phrase.strip())
    if not named and not (boxed and isinstance(within, Box)):
        raise ConfigError("there is nothing to look for", got=repr(phrase), expected="a phrase")
    if coarse is not None and grid % coarse:
        raise ConfigError("the coarse grid does not fit the grid", got=f"{coarse} of {grid}",
                          expected="a number that divides the grid", where="coarse")
    picture = _picture(look, image)
    width, height = picture.size
    box = within if isinstance(within, Box) else None
    if box is not None and (box.x2 <= 0 or box.y2 <= 0 or box.x1 >= width or box.y1 >= height):
        raise RegionError("the box lies outside the picture", got=box.xyxy, expected=f"pixels of {width} x {height}",
                          where="within")
    if check and named and not look.there(phrase):
        return Likely(np.zeros((grid, grid), np.float32), (width, height), 0, box, image, absent=True)
    if within is True:
        box = next((f.region for f in look.locate(phrase) if isinstance(f.region, Box)), None)
        if box is None:
            return Likely(np.zeros((grid, grid), np.float32), (width, height), 0, None, image)
    points = places(width, height, grid)
    inside = np.full((grid, grid), box is None)
    if box is not None:
        inside.reshape(-1)[held(box, points)] = True
    rail, watch = _words(look, (YES, NO), "segmentation")
    thing = {"thing": Box(*box.xyxy, image)} if boxed else {"phrase": phrase}

    def ask(cells: np.ndarray) -> np.ndarray:
        """Flat numbers of places -> their probability."""
        some, out = [points[int(k)] for k in cells], np.zeros(len(cells), np.float32)
        for k, said in _asked(look, "segmentation", some, image, thing, rail, rows, watch, phrase or "mask",
                              "box" if boxed else ""):
            out[k] = _yes(said)
        return out

    probability, count = refined(ask, inside, coarse or grid, sure)
    return Likely(probability, (width, height), count, box, image)


def denial(look, phrase: str) -> float:
    """How likely the model says that the pictures do not show `phrase`: the mean of p(no) / (p(yes) + p(no)) over the
    task's wordings, as one question's words weigh too much."""
    model = look.model
    rail, watch = _words(look, (YES, NO), "presence")
    asked = [Sample(look.images, (Turn("user", wording.fill(thing=phrase)),), "presence", extra={"thing": phrase})
             for wording in task("presence").wordings("name")]
    bodies = [e.ids for e in model.encoder.encode(asked)]
    batches = viewing.ask(model, look.prefix, 0, bodies, _room(look, bodies), rail=rail, watch=watch)
    return 1 - float(np.mean([_yes(said) for batch in batches for _, said in batch]))


def refined(ask: Callable[[np.ndarray], np.ndarray], inside: np.ndarray, coarse: int,
            sure: float = SURE) -> tuple[np.ndarray, int]:
    """(probability [G, G], places asked) from a coarse grid on: blocks whose neighbours differ, or that are not sure,
    are asked again in smaller blocks, and those partly inside by their places. Outside `inside` [G, G] it is 0."""
    grid = len(inside)
    known = np.where(inside, np.nan, 0).astype(np.float32)
    stride, count = grid // coarse, 0
    todo, level = np.ones((coarse, coarse), bool), np.zeros((coarse, coarse), np.float32)
    while True:
        at = np.arange(grid // stride) * stride + stride // 2
        rows, columns = (at[k] for k in np.nonzero(todo))
        new = np.isnan(known[rows, columns])
        cells = rows[new] * grid + columns[new]
        if len(cells):
            known.reshape(-1)[cells] = ask(cells)
            count += len(cells)
        level = np.where(todo, known[at[:, None], at], level)
        if stride == 1:
            return np.where(np.isnan(known), level, known), count
        beside = ~inside[at[:, None], at] & inside.reshape(len(at), stride, len(at), stride).any((1, 3))
        times = 2 if stride % 2 == 0 else stride
        todo, level = (np.kron(a, np.ones((times, times), a.dtype)) for a in (_doubtful(level, sure) | beside, level))
        stride //= times


def _doubtful(level: np.ndarray, sure: float) -> np.ndarray:
    """[C, C]: not sure, or one of the eight neighbours is on the other side."""
    yes = level > 0.5
    padded = np.pad(yes, 1, mode="edge")
    n = len(level)
    around = np.stack([padded[i:i + n, j:j + n] for i in range(3) for j in range(3)])
    return (np.maximum(level, 1 - level) < sure) | (around.any(0) & ~around.all(0))


def answers(model: VLM, prefix: Prefix, owner: int, samples: Sequence[Sample], encoded: Sequence[Encoded], most: int,
            constrain: str | None = None) -> list[Answer]:
    """Answers to questions on look `owner`, those that plain generation gives. Their scores leave out what a grammar
    forced."""
    rail = None
    if constrain is not None and samples:
        frame = model.encoder.places(samples[0])[0]
        rail = Grammar(model.encoder.codec, constrain, pieces(model), (frame.width, frame.height))
    out: list[Answer | None] = [None] * len(samples)
    for batch in viewing.ask(model, prefix, owner, [e.ids for e in encoded], most, rail=rail):
        for k, said in batch:
            if rail is not None and not said.stopped and (end := whole(rail, said.ids)):
                said = Short(said.ids[:end], said.logs[:end])
            out[k] = read(model, samples[k], said)
    return out


def _asked(look, name: str, points: Sequence[Point], image: int, fields: dict, rail, rows: int, watch: Sequence[int],
           what: str, kind: str = "") -> Iterator[tuple[int, Short]]:
    """(number of the point, what was said) of the task's fixed wording at every point, batch by batch."""
    model, wording = look.model, task(name).wordings(kind)[0]

    def asked(region: Point) -> Sample:
        return Sample(look.images, (Turn("user", wording.fill(region=region, **fields)),), name, extra=fields)

    bodies = [e.ids for e in model.encoder.encode_at(asked, [Point(p.x, p.y, image) for p in points])]
    room = _room(look, bodies)
    with tqdm(total=len(points), desc=what, unit="place", delay=2, disable=None, leave=False) as bar:
        for batch in viewing.ask(model, look.prefix, 0, bodies, room, rail=rail, rows=rows, watch=watch):
            yield from batch
            bar.update(len(batch))


def _room(look, bodies: Sequence[Sequence[int]]) -> int:
    """Tokens that the answers to these questions may have."""
    longest, most = look.prefix.length + max(len(body) for body in bodies), look.model.encoder.max_length
    if longest >= most:
        raise ConfigError("the question does not fit", got=f"{longest} tokens", expected=f"below {most}",
                          where="model.language.max_length")
    return most - longest


def _yes(said: Short) -> float:
    """p(yes) / (p(yes) + p(no))"""
    yes, no = said.shares[0]
    return yes / (yes + no) if yes + no else 0.5


def _words(look, words: Sequence[str], name: str = "") -> tuple[Words, tuple[int, ...]]:
    """A rail of these answers to a task as the model's dialogue writes them, and the first token each has alone."""
    encoder = look.model.encoder
    said = encoder.encode([Sample(look.images, (Turn("user", ("?",)), assistant(word)), name) for word in words])
    stop = len(encoder.stop)
    ids = [tuple(label for label in e.labels if label >= 0) for e in said]
    ids = [each[:len(each) - stop] if stop and each[-stop:] == tuple(encoder.stop) else each for each in ids]
    for tokens in zip(*ids):  # a space may be a token of its own
        if len(set(tokens)) > 1:
            break
    if len(set(tokens)) < len(ids):
        raise ConfigError("no token tells the answers apart", got=", ".join(map(repr, words)),
                          do="use another tokenizer or dialogue")
    return Words(ids), tuple(tokens)


def _values(encoder) -> tuple[tuple[int, ...], np.ndarray]:
    """(tokens of colour values, the value 0..255 of each)."""
    known = {token: fraction for token, (axis, fraction) in encoder.codec.starts.items() if axis == "value"}
    if not known:
        raise ConfigError("this codec has no token for each colour value", got=repr(encoder.codec.name),
                          expected="xy", do="leave expected out")
    return tuple(encoder.tokenizer.convert_tokens_to_ids(list(known))), np.array(list(known.values())) * 255


def _colour(encoder, ids: Sequence[int], frame) -> tuple[int, int, int]:
    text = encoder.dialogue.answer(encoder.decode(ids))
    colour = next((p for p in encoder.codec.parse(text, frame, 0).parts if isinstance(p, Colour)), None)
    if colour is None:
        raise ConfigError("there is no room for an answer", got=repr(text), expected="a colour",
                          where="model.language.max_length")
    return colour.r, colour.g, colour.b


def _picture(look, image: int):
    if not 0 <= image < len(look.images):
        raise ConfigError("there is no such picture in this look", got=image,
                          expected=f"0..{len(look.images) - 1}" if look.images else "a look at a picture")
    return look.images[image]


def _view(look, image: int) -> tuple[int, int]:
    return look.frames[image].width, look.frames[image].height


def _check(**counts: int) -> None:
    for name, value in counts.items():
        if not isinstance(value, (int, np.integer)) or value < 1:
            what = "nothing is asked in no rows" if name == "rows" else "a picture has at least one place a side"
            raise ConfigError(what, got=value, expected="a whole number, 1 or more", where=name)
