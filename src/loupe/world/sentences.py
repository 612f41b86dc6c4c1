"""Region descriptions, captions, questions: true sentences about a scene, not necessarily telling one thing apart."""

from __future__ import annotations

from loupe.regions import Box
from loupe.world.chance import choose
from loupe.world.expressions import Referring, article, noun, place
from loupe.world.kinds import KINDS
from loupe.world.predicates import form
from loupe.world.scene import Scene, Thing

NUMBERS = ("no", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten")


def number(count: int) -> str:
    return NUMBERS[count] if count < len(NUMBERS) else str(count)


def union(*boxes: Box) -> Box:
    return Box(min(b.x1 for b in boxes), min(b.y1 for b in boxes), max(b.x2 for b in boxes), max(b.y2 for b in boxes))


def counted(things: list[Thing]) -> str:
    """Things of one class as words: "two red circles", "a striped blue star"."""
    first = things[0]
    if len(things) == 1:
        return article(noun(first, first.said))
    common = [key for key in ("size", "colour") if key in first.said
              and len({getattr(thing, key) for thing in things}) == 1]
    return " ".join([number(len(things)), *(getattr(first, key) for key in common), first.kind.many])


def crowd_words(thing: Thing) -> str:
    return f"a group of small {thing.colour} {thing.kind.many}"


def joined(parts: list[str]) -> str:
    return parts[0] if len(parts) == 1 else ", ".join(parts[:-1]) + " and " + parts[-1]


def by_class(things: list[Thing]) -> dict[str, list[Thing]]:
    groups: dict[str, list[Thing]] = {}
    for thing in things:
        groups.setdefault(thing.name, []).append(thing)
    return groups


def descriptions(scene: Scene, referring: Referring) -> list[tuple[str, Box, Thing | None]]:
    """(words, box, the thing meant where it is one)."""
    rng, out = referring.rng, []
    for thing in referring.things:
        out.append((article(noun(thing, thing.said)), thing.box, thing))
        for part in thing.parts:
            if rng.random() < 0.3 and min(part.box.width, part.box.height) >= 6 / 96 * scene.side:
                be = "are" if part.name.endswith("s") else "is"
                out.append((f"the {part.name} of the {thing.name} {be} {part.colour}", part.box, None))
        if thing.word:
            out.append((f"the word {thing.word} on {article(thing.colour)} {thing.name}", thing.word_box, None))
    for a, b, words in _held(scene, referring, limit=max(1, len(referring.things) - 1)):
        text = f"{article(noun(a, a.said))} {words} {article(noun(b, b.said))}"
        out.append((text, union(a.box, b.box), None))
    for group in by_class(referring.things).values():
        if len(group) > 1:
            out.append((counted(group), union(*(thing.box for thing in group)), None))
    out += [(crowd_words(thing), thing.box, None) for thing in scene.things if thing.crowd]
    return out


def _held(scene: Scene, referring: Referring, limit: int) -> list[tuple[Thing, Thing, str]]:
    """Some pairs of things and the words of a predicate that holds between them."""
    things, rng, out = referring.things, referring.rng, []
    order = rng.permutation(len(things))
    for k in range(len(things) - 1):
        a, b = things[order[k]], things[order[k + 1]]
        pair = referring.pair(a, b)
        holding = [predicate for predicate in pair.holding if predicate.refers]
        if holding and len(out) < limit:
            chosen = choose(rng, holding, [predicate.weight for predicate in holding])
            out.append((a, b, form(chosen, pair, rng)))
    return out


def captions(scene: Scene, referring: Referring) -> list[str]:
    """Two to four sentences about the whole picture."""
    rng, things = referring.rng, referring.things
    groups = list(by_class(things).values())
    crowds = [crowd_words(thing) for thing in scene.things if thing.crowd]
    inventory = [groups[k] for k in rng.permutation(len(groups))]
    listed = joined([counted(group) for group in inventory] + crowds)
    out = [listed]
    if len(things) == 1 and not crowds:
        thing = things[0]
        out.append(f"{article(noun(thing, thing.said))} {place(thing, scene)}")
    else:
        plain = joined([article(g[0].name) if len(g) == 1 else f"{number(len(g))} {g[0].kind.many}" for g in groups])
        out.append(f"there {'is' if len(groups[0]) == 1 else 'are'} {plain} in this picture")
    for a, b, words in _held(scene, referring, 1):
        rest = len(things) - 2
        tail = f", and {number(rest)} more thing{'s' if rest > 1 else ''}" if rest else ""
        out.append(f"{article(noun(a, a.said))} {words} {article(noun(b, b.said))}{tail}")
    written = [thing for thing in things if thing.word]
    if written:
        thing = choose(rng, written)
        out.append(f"{article(noun(thing, thing.said))} that says {thing.word}")
    return [text[0].upper() + text[1:] + "." for text in out]


def questions(scene: Scene, referring: Referring) -> list[tuple[str, str]]:
    """(question, short answer) about the whole picture, three to six of them."""
    rng, things = referring.rng, referring.things
    groups, crowded = by_class(things), {thing.name for thing in scene.things if thing.crowd}
    names = list(groups)
    asked = choose(rng, names)
    out = [(f"How many {KINDS[asked].many} are there?", str(len(groups[asked])))]
    absent = [name for name in scene.world.classes if name not in groups and name not in crowded]
    if rng.random() < 0.5:
        out.append((f"Is there {article(choose(rng, absent))} in the picture?", "no"))
    else:
        out.append((f"Is there {article(choose(rng, names))} in the picture?", "yes"))
    singles = [thing for thing in things if referring.unique[id(thing)]]
    if singles:
        out += _about(choose(rng, singles), referring)
    for thing in things:
        if thing.word and len(groups[thing.name]) == 1:
            out.append((f"What does the {thing.name} say?", thing.word))
    for group in groups.values():
        if len(group) == 2:
            answer = "yes" if group[0].colour == group[1].colour else "no"
            out.append((f"Are the two {group[0].kind.many} of the same colour?", answer))
    if not crowded:
        out.append(("How many things are there in all?", str(len(things))))
    return out


def _about(thing: Thing, referring: Referring) -> list[tuple[str, str]]:
    """Questions about one thing that has a noun of its own."""
    rng, out = referring.rng, []
    name = thing.name if len(referring.fitting(thing, ())) == 1 else ""
    if name:
        out.append((f"What colour is the {name}?", thing.colour))
        for part in thing.parts[:2]:
            if not part.side:
                verb = "are" if part.name.endswith("s") else "is"
                out.append((f"What colour {verb} the {part.name} of the {name}?", part.colour))
        textured = any(leaf.textured for leaf in thing.kind.leaves) and not thing.word
        if textured and rng.random() < 0.5:
            out.append((f"Is the {name} plain, striped, dotted or checked?", thing.texture))
    same = [other for other in referring.things if other.colour == thing.colour]
    if len(same) == 1 and rng.random() < 0.5:
        out.append((f"Which thing is {thing.colour}?", thing.name))
    elif rng.random() < 0.3:
        colour = choose(rng, referring.scene.world.colours)
        count = sum(other.colour == colour for other in referring.things)
        out.append((f"How many {colour} things are there?", str(count)))
    for other in referring.things:
        pair = referring.pair(thing, other) if other is not thing else None
        if pair and abs(pair.dx) > max(0.1, abs(pair.dy)) and referring.unique[id(other)] and rng.random() < 0.4:
            a, b = referring.shortest(thing), referring.shortest(other)
            out.append((f"Is the {a} left or right of the {b}?", "left" if pair.dx > 0 else "right"))
            break
    return out
