"""Several questions about one picture that lean on one another: it, him, her, that, the other one, and a correction."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from loupe.errors import ConfigError
from loupe.record import Object, Record
from loupe.regions import area
from loupe.sample import Part, Regions, Sample, Turn
from loupe.tasks.base import identity, pick
from loupe.tasks.drawn import TRIES, DrawnTask, check_some, fixed, shuffled
from loupe.tasks.grammar import pronoun
from loupe.tasks.looks import SORTS, check_unsaid, look
from loupe.tasks.view import SIDES, SPOKEN, View, view

OPENINGS = ("what", "where", "mistaken")
FOLLOWING = ("place", *SORTS, "side", "others", "other", "says")
LARGER = 1.3  # times: from here on one of two things is "the smaller one"


@dataclass(frozen=True)
class Round:
    """One question and its true answer. key: what tells it from others; kind: its file of wordings."""

    kind: str
    key: str
    fields: dict
    answer: tuple[Part, ...]
    truth: object


@dataclass
class Talk:
    """A conversation as it grows: what is spoken of, and what has been said of it."""

    known: View
    focus: Object
    fresh: bool = False  # the focus was just named in an answer: "that" means it
    rounds: list[Round] = field(default_factory=list)
    told: set[tuple[str, str]] = field(default_factory=set)  # (object's id, kind) already answered

    def say(self, kind: str, key: str, fields: dict, answer: str | Regions, *, focus: Object | None = None) -> None:
        truth = answer if isinstance(answer, str) else answer.regions[0]
        self.rounds.append(Round(kind, key, fields, (answer,), truth))
        self.told.add((self.focus.id, kind))
        self.fresh = kind == "side"
        self.focus = focus or self.focus


@dataclass(frozen=True, kw_only=True)
class Conversation(DrawnTask):
    """Loss falls on every answer; evaluation asks the last question, with the earlier ones answered rightly.

    The correction opens a conversation: a name that fits two things is answered with the larger one, and the user
    means the other. extra["kind"] is the kind of the last question.
    """

    name = "conversation"
    needs = frozenset({"objects"})
    placeholders = {"what": ("region",), "where": ("phrase",), "mistaken": ("phrase",), "correction": ("meant",),
                    "place": ("thing",), **{sort: ("thing",) for sort in SORTS}, "side": ("side", "thing"),
                    "others": ("thing",), "other": (), "says": ("thing",)}
    least: int = 3  # questions
    most: int = 5
    corrected: float = 0.25  # share of conversations that open with a correction, where there are two of a name
    last: tuple[str, ...] = ()  # kinds the last question may have; empty: any
    unsaid: tuple[tuple[str, str], ...] = ()  # as in region

    def __post_init__(self):
        if not 2 <= self.least <= self.most:
            raise ConfigError("conversation has too few questions", got=f"{self.least} to {self.most}",
                              expected="2 or more, in order")
        if self.last:
            check_some("kind of question", self.last, ("correction", *FOLLOWING))
        check_unsaid(self.unsaid)

    def __call__(self, record: Record, rng: np.random.Generator) -> Sample | None:
        rounds = self.talk(record, rng)
        return self.sample(record, rounds, rng) if rounds else None

    def pose(self, record: Record, rng: np.random.Generator) -> Sample | None:
        rounds = self.talk(record, rng)
        return self.sample(record, rounds, None) if rounds else None

    def every(self, record: Record) -> list[Sample]:
        rng, found = fixed(record, self.name), {}
        for _ in range(TRIES * self.each):
            rounds = self.talk(record, rng)
            if rounds and len(found) < self.each:
                sample = self.sample(record, rounds, None)
                found.setdefault(sample.id, sample)
        return list(found.values())

    def sample(self, record: Record, rounds: list[Round], rng: np.random.Generator | None) -> Sample:
        """Drawn wordings and all answers; without `rng` the fixed wordings, up to the last question."""
        turns = []
        for each in rounds:
            turns += [Turn("user", self.worded(each.kind, each.fields, rng)), Turn("assistant", each.answer)]
        end = rounds[-1]
        key = "/".join(f"{each.kind}.{each.key}" for each in rounds)
        return Sample((record.image,), tuple(turns if rng is not None else turns[:-1]), self.name,
                      identity(record, self.name, key), record.id,
                      {"truth": end.truth, "kind": end.kind, **({"style": self.style} if self.style else {})})

    def talk(self, record: Record, rng: np.random.Generator) -> list[Round] | None:
        """A few tries at a conversation of the wanted length that ends as wanted."""
        known = view(record)
        for _ in range(TRIES):
            wanted = int(rng.integers(self.least, self.most + 1))
            made = self._opened(known, rng)
            while made is not None and len(made.rounds) < wanted and self._go_on(made, rng):
                pass
            rounds = made.rounds if made is not None else []
            while self.last and rounds and rounds[-1].kind not in self.last:
                rounds.pop()
            if len(rounds) >= self.least:
                return rounds
        return None

    def _opened(self, known: View, rng: np.random.Generator) -> Talk | None:
        if rng.random() < self.corrected:
            made = mistaken(known, rng)
            if made is not None:
                return made
        o = pick(known.single, rng)
        if o is None:
            return None
        made = Talk(known, o)
        noun = known.noun(o, rng)
        if noun and (rng.random() < 0.5 or not known.alone(o)):
            made.say("where", o.id, {"phrase": f"the {noun}"}, Regions((o.box,)))
        elif known.alone(o):
            made.say("what", o.id, {"region": o.box}, o.name)
        else:
            return None
        made.told.add((o.id, "place"))
        return made

    def _go_on(self, made: Talk, rng: np.random.Generator) -> bool:
        """One more question, of the first kind by chance that has one."""
        for kind in shuffled(FOLLOWING, rng):
            if (made.focus.id, kind) in made.told:
                continue
            if kind in SORTS:
                done = self._look(made, kind, rng)
            else:
                done = getattr(self, f"_{kind}")(made, rng)
            if done:
                return True
        return False

    def _look(self, made: Talk, sort: str, rng: np.random.Generator) -> bool:
        word = look(made.focus, sort, dict(self.unsaid))
        if word:
            made.say(sort, made.focus.id, {"thing": called(made, rng)}, word)
        return bool(word)

    def _place(self, made: Talk, rng: np.random.Generator) -> bool:
        made.say("place", made.focus.id, {"thing": called(made, rng)}, Regions((made.focus.box,)))
        return True

    def _says(self, made: Talk, rng: np.random.Generator) -> bool:
        words = [word.text.strip() for word in made.known.record.words if word.object == made.focus.id]
        if len(words) != 1 or not words[0]:
            return False
        made.say("says", made.focus.id, {"thing": called(made, rng)}, words[0])
        return True

    def _others(self, made: Talk, rng: np.random.Generator) -> bool:
        same = made.known.classes.get(made.focus.name)
        if not (made.known.record.exhaustive and same):
            return False
        made.say("others", made.focus.id, {"thing": called(made, rng)}, str(len(same) - 1))
        return True

    def _other(self, made: Talk, rng: np.random.Generator) -> bool:
        """Where the other one of two is; it is spoken of from there on."""
        pair = twins(made.known, made.focus)
        if pair is None or (pair.id, "place") in made.told:
            return False
        made.say("other", pair.id, {}, Regions((pair.box,)), focus=pair)
        made.told |= {(pair.id, "place"), (pair.id, "other")}
        return True

    def _side(self, made: Talk, rng: np.random.Generator) -> bool:
        """The one thing that clearly lies to a side; "that" means it from there on."""
        if not made.known.record.exhaustive:
            return False
        o = made.focus
        for way in shuffled(SIDES, rng):
            there = beside(made.known, o, way)
            if there is not None:
                fields = {"side": SPOKEN[way], "thing": called(made, rng)}
                made.say("side", f"{way.split()[0]}.{o.id}", fields, there.name, focus=there)
                return True
        return False


def called(made: Talk, rng: np.random.Generator) -> str:
    """The pronoun for what is spoken of."""
    if made.fresh:
        return "that"
    word = pronoun(made.focus.name)
    return "that" if word == "it" and rng.random() < 0.15 else word


def twins(known: View, o: Object) -> Object | None:
    """The one other thing of its name, where all of them are known."""
    same = known.classes.get(o.name, []) if known.record.exhaustive else []
    return next((other for other in same if other is not o), None) if len(same) == 2 else None


def beside(known: View, o: Object, way: str) -> Object | None:
    """The only thing that lies clearly to that side; None where there are several, or one lies there half."""
    axis, sign = SIDES[way]
    there = []
    for other in known.record.objects:
        if other is o or other.id == o.part_of or other.part_of == o.id:
            continue
        if known.gap(other.box, o.box, axis, sign) >= known.margin:
            there.append(other)
        else:
            far, mine = (other.box.xyxy[axis + 2], o.box.xyxy[axis + 2]) if sign > 0 else (
                -other.box.xyxy[axis], -o.box.xyxy[axis])
            if far > mine:
                return None
    return there[0] if len(there) == 1 and there[0].name and not there[0].crowd else None


def mistaken(known: View, rng: np.random.Generator) -> Talk | None:
    """A name that fits two things, answered with the larger one; the user means the other and says which."""
    for o in shuffled(known.single, rng):
        other = twins(known, o)
        if other is None:
            continue
        large, small = sorted((o, other), key=lambda each: -area(each.box))
        if area(large.box) < LARGER * max(area(small.box), 1e-9) or not all(map(known.alone, (large, small))):
            continue
        meant = ["the smaller one"]
        colours = look(large, "colour"), look(small, "colour")
        if all(colours) and colours[0] != colours[1]:
            meant.append(f"the {colours[1]} one")
        meant += [words for way, words in zip(SIDES, ("the one on the left", "the one on the right",
                                                       "the upper one", "the lower one"))
                  if way in known.sides(small, large)]
        made = Talk(known, large)
        made.say("mistaken", large.id, {"phrase": f"the {o.name}"}, Regions((large.box,)))
        words = pick(meant, rng)
        made.say("correction", f"{words.split()[1]}.{small.id}", {"meant": words}, Regions((small.box,)), focus=small)
        made.told |= {(each.id, kind) for each in (large, small) for kind in ("place", "other")}
        return made
    return None
