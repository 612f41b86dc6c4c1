"""The world in the layouts of ChatSpot's sources (§3.3): what of a picture each of them would ask and say."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace

from loupe.record import Question, Record, Turns
from loupe.sample import Regions
from loupe.tasks import task
from loupe.tasks.drawn import fixed
from loupe.tasks.view import view
from loupe.world.kinds import KINDS
from loupe.writers.coco import file_name
from loupe.writers.files import Entry, Layout
from loupe.writers.llava import Llava
from loupe.writers.llava_boxes import LlavaBoxes
from loupe.writers.records import Records
from loupe.writers.region_questions import LookTwice, VizWizGrounding
from loupe.writers.text_questions import DocVqa, OcrVqa, StVqa, TextVqa
from loupe.writers.text_regions import Art, CocoText, HierText

ASKED = 3  # objects a picture that are looked at twice
TALKS = 2  # region dialogues a picture
SPLITS = {"pointqa": {"train": "train", "val": "test"}, "hiertext": {"train": "train", "val": "validation"}}


class Chosen:
    """A layout of what `choose` leaves of a record."""

    def __init__(self, layout: Layout, choose: Callable[[Record], Record]):
        self.layout, self.choose, self.documents = layout, choose, layout.documents

    def entries(self, record: Record) -> Iterator[Entry]:
        return self.layout.entries(self.choose(record))

    def pictures(self, record: Record) -> Iterator[str]:
        return self.layout.pictures(self.choose(record))


def layouts(split: str, coco: str) -> list[Layout]:
    """Every source of a split ("train", "val"); `coco`: folder below coco/ in which the pictures lie already."""
    out: list[Layout] = [
        Chosen(OcrVqa(split, "ocr_vqa/"), of_words), Chosen(DocVqa(split, "docvqa/"), of_words),
        Chosen(TextVqa(split, "textvqa/"), of_words), CocoText(split, "coco_text/"),
        HierText(SPLITS["hiertext"][split], "hiertext/"),
        Chosen(LookTwice(SPLITS["pointqa"][split], "pointqa/"), counted)]
    if split == "val":
        return [*out, Chosen(VizWizGrounding("val", "vizwiz_grounding/"), outlined)]
    return [
        *out, Chosen(StVqa(split, "st_vqa/"), of_words), Art(split, "art/"),
        Chosen(Llava("chat.json", "llava_cc3m/", "images/"), captioned),
        Chosen(LlavaBoxes(f"coco/{coco}/", "llava_665k/", copy=False), talked),
        Chosen(Records(split, "regionchat/records/", lambda record: f"../../coco/{coco}/{file_name(record)}"), told)]


def of_words(record: Record) -> Record:
    """Its questions that a printed word answers."""
    read = {word.text for word in record.words}
    return replace(record, questions=tuple(q for q in record.questions if q.answers[0] in read))


def captioned(record: Record) -> Record:
    """Its first caption alone, as a question and an answer."""
    return replace(record, questions=(), dialogues=(), captions=record.captions[:1])


def counted(record: Record) -> Record:
    """How many of these are there? Of a few objects by box and point, in three wordings with one answer."""
    known, rng, questions = view(record), fixed(record, "look twice"), []
    for k in rng.permutation(len(known.pointed))[:ASKED]:
        o = known.pointed[int(k)]
        same, point = known.classes.get(o.name, []), known.outlines.point(o, rng)
        if not same or point is None or o.name not in KINDS:
            continue
        texts = {"object": f"How many of these {KINDS[o.name].many} are there?",
                 "super": "How many things of this kind are there?", "general": "How many of these are there?"}
        questions += [Question(text, (str(len(same)),), f"{o.id}:{kind}", o.box, point, kind)
                      for kind, text in texts.items()]
    return replace(record, questions=tuple(questions))


def outlined(record: Record) -> Record:
    """What is this? Of one object by its outline."""
    known, rng = view(record), fixed(record, "outlined")
    for k in rng.permutation(len(known.pointed)):
        o = known.pointed[int(k)]
        ring = known.outlines.polygon(o)
        if ring is not None:
            return replace(record, questions=(Question("What is this?", (o.name,), o.id, ring),))
    return replace(record, questions=())


def told(record: Record) -> Record:
    """Rule-written dialogues about regions, with the objects they are about and nothing else."""
    return replace(record, dialogues=dialogues(record), phrases=(), relations=(), captions=(), questions=(), words=())


def talked(record: Record) -> Record:
    """The same dialogues, and one about the whole picture."""
    texts = ("What does the picture show?", record.captions[0])
    return replace(record, dialogues=(*dialogues(record), Turns(texts, f"{record.id}-whole")))


def dialogues(record: Record) -> tuple[Turns, ...]:
    """Conversations of the task "conversation" as written dialogues with handles."""
    rng, asking, out = fixed(record, "region chat"), task("conversation", unsaid=(("size", "medium"),
                                                                                   ("texture", "plain"))), {}
    for k in range(TALKS):
        sample = asking(record, rng)
        if sample is None:
            continue
        handles: dict = {}
        texts = tuple("".join(part if isinstance(part, str) else written(part, handles) for part in turn.parts)
                      for turn in sample.turns)
        out.setdefault(texts, Turns(texts, f"{record.id}-{k}", tuple((name, box) for box, name in handles.items())))
    return tuple(out.values())


def written(part: Regions, handles: dict) -> str:
    """The handles of a part's regions, new ones for new regions."""
    return ", ".join(handles.setdefault(region, f"<r{len(handles) + 1}>") for region in part.regions)
