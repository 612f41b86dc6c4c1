"""Tasks: a Record becomes a question with its answer. No file formats, no marks, no digits, no torch."""

from __future__ import annotations

from dataclasses import fields

from loupe.errors import ConfigError, unknown_name
from loupe.named import named
from loupe.regions import Region
from loupe.sample import PLACED, Found, Part, Turn, part_of
from loupe.tasks.base import STYLES

TASKS = {
    "grounding": "loupe.tasks.grounding:Grounding",
    "description": "loupe.tasks.description:Description",
    "relation": "loupe.tasks.relation:RelationOf",
    "relation-objects": "loupe.tasks.relation_objects:RelationObjects",
    "coarse-position": "loupe.tasks.coarse_position:CoarsePosition",
    "counting": "loupe.tasks.counting:Counting",
    "detection": "loupe.tasks.detection:Detection",
    "caption": "loupe.tasks.caption:Caption",
    "question": "loupe.tasks.open_question:OpenQuestion",
    "dialogue": "loupe.tasks.dialogue:WrittenDialogue",
    "region": "loupe.tasks.region:RegionQuestion",
    "presence": "loupe.tasks.presence:Presence",
    "statement": "loupe.tasks.statement:Statement",
    "choice": "loupe.tasks.choice:Choice",
    "multiple-choice": "loupe.tasks.multiple_choice:MultipleChoice",
    "reading": "loupe.tasks.reading:Reading",
    "reconstruction": "loupe.tasks.reconstruction:Reconstruction",
    "segmentation": "loupe.tasks.segmentation:Segmentation",
    "grounded-caption": "loupe.tasks.grounded_caption:GroundedCaption",
    "conversation": "loupe.tasks.conversation:Conversation",
    "stated": "loupe.tasks.stated:Stated",
    "region-question": "loupe.tasks.region_question:AskedOfRegion",
    "judgement": "loupe.tasks.judgement:Judgement",
    "which-region": "loupe.tasks.which_region:WhichRegion",
    "inventory": "loupe.tasks.inventory:Inventory",
    "car-racing": "loupe.tasks.playing:CarRacing",
    "space-invaders": "loupe.tasks.playing:SpaceInvaders",
}


def task(name: str, /, **options):
    """The named task with its options; lists stand for tuples. Unknown names and options are ConfigErrors."""
    made = named("task", name, TASKS)
    known = {f.name for f in fields(made)}
    for option in options:
        if option not in known:
            raise unknown_name(f"option of task {name!r}", option, known)
    style = options.get("style") or ""
    if style not in STYLES:
        raise unknown_name("style of answers", style, STYLES, f"task {name!r}")
    if style and name == "stated":
        raise ConfigError("this task has no style of its own", got=style, where=f"task {name!r}",
                          do="give the style to the tasks it asks for, in options=")
    return made(**{option: tuple(value) if isinstance(value, list) else value for option, value in options.items()})


def question(name: str, /, *, templates: str | None = None, kind: str | None = None, style: str = "",
             **given: str | Part | Region | Found) -> Turn:
    """The task's fixed wording as a user's turn: question("grounding", phrase="the cup"). `style` as tasks have it.

    Where a task has several kinds of question the placeholders choose ("detection" by name= or region=), else `kind`.
    """
    asked = task(name, templates=templates, style=style)
    given = {field: _given(field, value, f"task {name!r}") for field, value in given.items()}
    for each, placeholders in asked.placeholders.items():
        if set(placeholders) == set(given) and kind in (None, each):
            return Turn("user", asked.worded(each, given))
    forms = " or ".join(f"{'kind=' + repr(each) + ' ' if each else ''}{' '.join(names) or 'nothing'}"
                        for each, names in asked.placeholders.items())
    raise ConfigError(f"task {name!r} has no such question", got=" ".join(given) or "nothing", expected=forms or "none")


def _given(field: str, value, where: str):
    """What a question is filled with: words that say something, a region, or several parts."""
    if isinstance(value, str) and not value.strip():
        raise ConfigError("there is nothing to ask about", got=repr(value), expected=f"a {field}", where=where)
    if isinstance(value, tuple) and value and all(isinstance(part, (str, *PLACED)) for part in value):
        return tuple(map(part_of, value))
    return part_of(value)
