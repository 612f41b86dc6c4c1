"""The world in the layouts of Lyrics' sources (Table 1): what of a picture each of them would ask and say."""

from __future__ import annotations

from dataclasses import replace

from loupe.record import Record
from loupe.tasks.drawn import fixed
from loupe.world.chatspot import Chosen, captioned, of_words
from loupe.writers.files import Layout
from loupe.writers.shards import Shards
from loupe.writers.text_questions import DocVqa, TextVqa
from loupe.writers.vqa import ChartQa, Dvqa, Gqa, ScienceQa, Vqa

NOISE = 0.15  # share of the web's pairs whose words belong to another picture
OTHER = 911  # added to the seed of the world those words are from


def layouts(split: str) -> list[Layout]:
    """Every source of a split ("train", "val"); VQAv2's pictures are those of coco/."""
    asked: list[Layout] = [
        Vqa(split, "vqav2/"), Gqa(split, "gqa/"), Chosen(ScienceQa(split, "scienceqa/"), chosen),
        Chosen(DocVqa(split, "docvqa/"), of_words), Chosen(TextVqa(split, "textvqa/"), of_words)]
    if split == "val":
        return asked
    return [*asked, Chosen(Shards("laion/"), webbed), Chosen(Shards("cc3m/"), captioned),
            Shards("grit/", spans=True), Dvqa(split, "dvqa/"), ChartQa(split, "chartqa/")]


def webbed(record: Record) -> Record:
    """Its first caption, or now and then one of a picture somewhere else, as on the web."""
    rng = fixed(record, "web")
    if rng.random() >= NOISE:
        return captioned(record)
    from loupe.world.annotation import records

    at = record.extra["world"]
    other = next(iter(records(1, at["seed"] + OTHER, at["split"], start=at["index"], world=at["name"])))
    return replace(captioned(record), captions=other.captions[:1])


def chosen(record: Record) -> Record:
    """Its first question for a number, with four numbers to choose from."""
    q = next((q for q in record.questions if q.answers[0].isdigit()), None)
    if q is None:
        return replace(record, questions=())
    rng, right = fixed(record, "chosen"), int(q.answers[0])
    least = max(0, right - int(rng.integers(4)))
    options = tuple(str(least + int(k)) for k in rng.permutation(4))
    return replace(record, questions=(replace(q, options=options, topics=("counting", "things")),))
