"""Continuous batching: questions join the model as places get free, and leave when they are answered.

A picture is looked at once: keys and values of the look are kept by the content of the pictures, and every question
on them starts from there.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from loupe.codec.reading import settled
from loupe.errors import ImageError, LoupeError
from loupe.image import Image
from loupe.models.decoding import Generated, Prefix, cut, ends, see, take
from loupe.models.encoding import Encoded
from loupe.models.look import Limits, Look, guides_of, room_for
from loupe.models.reading import read
from loupe.models.vlm import VLM
from loupe.sample import Answer
from loupe.serving.desk import Count, Desk, Ticket
from loupe.serving.faults import Refused
from loupe.serving.kept import Kept
from loupe.serving.settings import Settings
from loupe.serving.slots import Slots, apart, together, weight
from loupe.serving.unfolding import Unfolding

TOGETHER = 8  # questions that begin in one round: answers being written wait for no more than these


@dataclass(eq=False)
class Row:
    """A question in the batch."""

    ticket: Ticket
    encoded: Encoded
    most: int
    prefix: Prefix | None = None
    cached: bool = False
    guide: object = None
    said: Generated | None = None


class Engine(Desk):
    """Answers of a VLM, those that `Look.answers` gives."""

    def __init__(self, model: VLM, settings: Settings):
        self.model, self.slots = model, Slots(model)
        self.looks: Kept[Prefix] = Kept(settings.looks, weight)
        self.rows: list[Row] = []
        self.entering: list[Row] = []
        self.tokens = self.steps = self.looked = 0
        super().__init__(settings, settings.rows, "loupe-engine")

    # one round

    def work(self) -> None:
        for k in reversed(range(len(self.rows))):
            if self.rows[k].ticket.cancelled:
                self._leave(k)
        beginning = self._beginning()
        self.entering = beginning
        self.answering = len(self.rows) + len(beginning)
        self._begin(beginning)
        self.entering = []
        if self.rows:
            self.steps += 1
            self._take(self.slots.step([row.said.ids[-1] for row in self.rows]), 0)
        self.answering = len(self.rows)

    def _beginning(self) -> list[Row]:
        """Questions that get a place now."""
        out: list[Row] = []
        wide = max(self.slots.lengths, default=0) + self.settings.answer
        while len(out) < TOGETHER and len(self.rows) + len(out) < self.places:
            ticket = self.next()
            if ticket is None:
                break
            try:
                row = self._row(ticket)
            except LoupeError as error:
                self.close(ticket, Refused.of(error, "messages"))
                continue
            wide = max(wide, len(row.encoded) + row.most)
            if (self.rows or out) and wide * (len(self.rows) + len(out) + 1) > self.settings.tokens:
                self.back(ticket)
                break
            out.append(row)
        return out

    def _row(self, ticket: Ticket) -> Row:
        encoded, = self.model.encoder.encode([ticket.sample])
        limits = self._limits(ticket)
        most = room_for(self.model, len(encoded.prefix), encoded.ids, limits.longest)
        made = guides_of(self.model, [ticket.sample], limits)
        return Row(ticket, encoded, most, guide=made and made[0])

    def _limits(self, ticket: Ticket) -> Limits:
        wish = ticket.wish
        return Limits(answer=min(wish.answer, self.settings.answer), constrain=wish.constrain,
                      temperature=wish.temperature, seed=wish.seed)

    def _begin(self, rows: list[Row]) -> None:
        """Look, where no look is kept, and read the questions: those with the same opening together."""
        openings: dict[tuple, list[Row]] = {}
        for row in rows:
            openings.setdefault((row.encoded.prefix, len(row.ticket.pictures)), []).append(row)
        for (opening, _), same in openings.items():
            looks = self._looks(opening, same)
            good = [row for row in same if row.prefix is not None]
            if not good:
                continue
            order = {key: k for k, key in enumerate(looks)}
            logits = self.slots.join(together(list(looks.values())), [order[row.ticket.pictures] for row in good],
                                     [row.encoded.ids for row in good])
            first = len(self.rows)
            self.rows += good
            for row in good:
                row.said = row.ticket.written = Generated()
            self._take(logits, first)

    def _looks(self, opening: Sequence[int], rows: list[Row]) -> dict[tuple[str, ...], Prefix]:
        """The look of each row's pictures, each once; rows whose picture cannot be seen are closed."""
        out: dict[tuple[str, ...], Prefix] = {}
        new: dict[tuple[str, ...], Row] = {}
        for row in rows:
            key = row.ticket.pictures
            if key in out or key in new:
                row.cached = True
                continue
            known = self.looks.get((key, opening))
            if known is None:
                new[key] = row
            else:
                out[key], row.cached = known, True
        for key, made in self._see(opening, new).items():
            out[key] = made
            self.looks.put((key, opening), made)
        for row in rows:
            row.prefix = out.get(row.ticket.pictures)
            if row.prefix is None:
                self.close(row.ticket, Refused(400, "picture cannot be looked at", code="invalid_image"))
        return out

    def _see(self, opening: Sequence[int], new: dict[tuple[str, ...], Row]) -> dict[tuple[str, ...], Prefix]:
        if not new:
            return {}
        looks = [row.ticket.sample.images for row in new.values()]
        try:
            made = apart(see(self.model, looks, opening))
        except ImageError:
            if len(new) == 1:
                return {}
            return {k: v for key, row in new.items() for k, v in self._see(opening, {key: row}).items()}
        self.looked += len(looks)
        return dict(zip(new, made))

    def _take(self, logits, first: int) -> None:
        """The next token of rows `first` on; those that are done leave."""
        stop = self.model.encoder.stop
        some = self.rows[first:]
        take(logits, [row.said for row in some], [row.guide for row in some], stop)
        self.tokens += len(some)
        for k in reversed(range(len(some))):
            row = some[k]
            row.said.stopped = ends(row.said, stop)
            if row.said.stopped or len(row.said.ids) >= row.most:
                self._finish(row)
                self._leave(first + k, closed=True)
            elif row.ticket.stream:
                row.ticket.notify()

    def _finish(self, row: Row) -> None:
        ticket = row.ticket
        prompt = len(row.encoded)
        ticket.count = Count(prompt, len(row.encoded.prefix) if row.cached else 0, len(row.said.ids))
        ticket.length = not row.said.stopped
        ticket.written, ticket.guide = cut(row.said, self.model.encoder.stop), row.guide
        self.close(ticket)

    def _leave(self, k: int, closed: bool = False) -> None:
        row, last = self.rows[k], self.slots.leave(k)
        self.rows[k] = self.rows[last]
        self.rows.pop()
        if not closed:
            self.close(row.ticket)

    def abandon(self) -> list[Ticket]:
        lost = [row.ticket for row in (*self.rows, *self.entering) if not row.ticket.done]
        self.rows, self.entering, self.slots, self.answering = [], [], Slots(self.model), 0
        return list(dict.fromkeys(lost))

    def look(self, images: tuple[Image, ...], pictures: tuple[str, ...]) -> Look:
        """A look at pictures by their ids, the kept one if there is one."""
        opening = tuple(self.model.encoder.prefix(images))
        prefix = self.looks.get((pictures, opening))
        if prefix is None:
            prefix = see(self.model, [images], opening)
            self.looked += 1
            self.looks.put((pictures, opening), prefix)
        return Look(self.model, images, prefix)

    # what was said; called by those who asked

    def read(self, ticket: Ticket) -> Answer:
        """The Answer of a ticket that is done."""
        return read(self.model, ticket.sample, ticket.written, ticket.guide)

    def unfolding(self, ticket: Ticket) -> Unfolding:
        """What reads the growing answer."""
        encoder = self.model.encoder
        frames = encoder.places(ticket.sample)
        if not frames:
            return Unfolding()
        return Unfolding(lambda text: encoder.codec.parse(text, frames[0], 0),
                         lambda text: settled(encoder.codec, text, frames[0]))

    def so_far(self, ticket: Ticket) -> tuple[str, Generated] | None:
        """(text, tokens) of an answer being written; None where nothing can be told before it is whole."""
        if ticket.written is None or ticket.done or ticket.wish.constrain is not None:
            return None
        encoder, count = self.model.encoder, len(ticket.written.logs)
        said = Generated(ticket.written.ids[:count], ticket.written.logs[:count])
        return encoder.dialogue.answer(encoder.decode(said.ids)), said

    def scored(self, ticket: Ticket, said: Generated) -> Answer:
        """What was said so far as an Answer: its finished regions have their scores."""
        return read(self.model, ticket.sample, said)
