"""Dialogue: the marks of one model family around turns, pictures and regions; a value stored with the weights.

A Dialogue turns a Sample into segments. What precedes the question (system text, the first user opening, the
leading pictures) is the prefix, the same for every sample on the same pictures; the rest is the body. Texts are cut
only at pictures and where the loss changes, and a space between a role mark and its answer belongs to the answer.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field, fields, replace

from loupe.codec import Codec
from loupe.errors import ConfigError, LoupeError, unknown_name
from loupe.frame import Frame
from loupe.regions import Colour
from loupe.sample import ImageMark, Part, Regions, Sample, Turn

_PLACES = re.compile(r"(\{region\}|\{phrase\})")


@dataclass(frozen=True)
class Segment:
    """A run of text, or one picture's place (`image` is its index in the sample)."""

    text: str = ""
    loss: bool = False
    image: int | None = None


@dataclass(frozen=True)
class Rendered:
    prefix: tuple[Segment, ...]
    body: tuple[Segment, ...]

    def text(self, picture: str = "<image>") -> str:
        """Everything as one string for a person to read, pictures shown as `picture`."""
        return "".join(picture if s.image is not None else s.text for s in self.prefix + self.body)


@dataclass(frozen=True)
class Dialogue:
    """The first turn reads: system, start, pictures, first_user, tag, question, assistant, answer, stop.

    Later turns read: user, tag, question, assistant, answer, stop. Begin and end tokens are written out here, so the
    encoder adds none of its own.
    """

    name: str
    start: str  # opens the first user turn, before the pictures
    assistant: str  # closes a user turn and opens the answer
    stop: str  # closes an answer; carries loss, generation ends at it
    user: str  # opens the second and later user turns
    first_user: str = ""  # between the pictures (or `start`, where there are none) and the first question
    begin: str = ""  # before everything, the system text too: the begin token
    system: str = ""
    system_marks: tuple[str, str] = ("", "")  # around the system text, if there is any
    pictures: tuple[str, str] = ("", "")  # around all leading pictures together
    picture: tuple[str, str] = ("", "")  # around each picture
    answer_space: str = " "  # before the answer, part of it
    answer_tail: str = ""  # between the answer and the stop, part of the answer
    tags: dict[str, str] = field(default_factory=dict, hash=False)  # task name -> tag before the question
    # task name -> the family's words in place of ours, with {region}, and {phrase} of Sample.extra
    questions: dict[str, str] = field(default_factory=dict, hash=False)
    answers: dict[str, dict[str, str]] = field(default_factory=dict, hash=False)  # task name -> our word -> theirs
    input_marks: tuple[str, str] = ("", "")  # around regions in questions
    tokens: tuple[str, ...] = ()  # marks the tokenizer must have, each as one token
    placeholder: str = "<image>"  # how a picture's place is called where a text must show it

    # -- rendering

    def render_prefix(self, images: int) -> tuple[Segment, ...]:
        """The part shared by all samples that open with pictures 0..images-1; ends at the last picture's place."""
        return _joined(self._opening(range(images))[0])

    def render(self, sample: Sample, codec: Codec, frames: Sequence[Frame]) -> Rendered:
        """`frames[i]` says how sample.images[i], or the canvas, became model input. A sample that ends with the
        user's turn ends with the assistant's opening; generation starts there."""
        self.check(sample, frames)
        leading, turns = leading_pictures(sample)
        prefix, body = self._opening(leading)
        for i, turn in enumerate(self._worded(sample, turns)):
            if turn.role == "user":
                body.append(Segment((self.user if i else self.first_user) + self._tag(sample.task)))
                body += self._parts(turn, codec, frames, self.input_marks)
                body.append(Segment(self.assistant))
            else:
                answer = self._parts(turn, codec, frames, ("", ""))
                if not "".join(s.text for s in answer).strip():
                    raise _bad("an assistant turn is empty", sample, do="give it words or regions, or drop the sample")
                body += [Segment(s.text, True) for s in (Segment(self.answer_space), *answer,
                                                     Segment(self.answer_tail + self.stop))]
        return Rendered(_joined(prefix), _joined(body))

    def spoken(self, sample: Sample, codec: Codec, frames: Sequence[Frame]) -> tuple[tuple[str, str], ...]:
        """(role, words) of every turn, without the marks around turns: what trainers with a chat template of their own
        take. A picture is `placeholder`; leading ones stand before the first words, each on a line of its own."""
        self.check(sample, frames)
        leading, turns = leading_pictures(sample)
        out = []
        for turn in self._worded(sample, turns):
            parts = self._parts(turn, codec, frames, self.input_marks if turn.role == "user" else ("", ""))
            text = "".join(self.placeholder if part.image is not None else part.text for part in parts).strip()
            if not text:
                raise _bad("a turn is empty", sample, do="give it words or regions, or drop the sample")
            out.append((turn.role, text))
        role, text = out[0]
        return ((role, f"{self.placeholder}\n" * len(leading) + text), *out[1:])

    def _opening(self, images: Sequence[int]) -> tuple[list[Segment], list[Segment]]:
        """What stands up to the last leading picture, and what follows it whatever the question."""
        system = self.system_marks[0] + self.system + self.system_marks[1] if self.system else ""
        opening = self.begin + system + self.start
        if not images:  # a space at the end belongs to the word behind it
            bare = opening.rstrip(" ")
            return [Segment(bare)], [Segment(opening[len(bare):])]
        out = [Segment(opening)]
        for i, image in enumerate(images):
            before = self.picture[1] if i else self.pictures[0]
            out += [Segment(before + self.picture[0]), Segment(image=image)]
        return out, [Segment(self.picture[1] + self.pictures[1])]

    def _worded(self, sample: Sample, turns: tuple[Turn, ...]) -> tuple[Turn, ...]:
        """The turns in the family's own words, where it has some for this task and one question is asked."""
        form, known = self.questions.get(sample.task), self.answers.get(sample.task, {})
        out = list(turns)
        if form and sum(t.role == "user" for t in turns) == 1:
            regions = [p for p in turns[0].parts if isinstance(p, Regions)]
            given = {"region": regions[0] if len(regions) == 1 else None, "phrase": sample.extra.get("phrase")}
            parts = [given.get(piece[1:-1]) if piece[:1] == "{" else piece for piece in _PLACES.split(form) if piece]
            if None not in parts:
                out[0] = replace(turns[0], parts=tuple(parts))
        return tuple(replace(t, parts=tuple(known.get(p, p) if isinstance(p, str) else p for p in t.parts))
                     if known and t.role == "assistant" else t for t in out)

    def _tag(self, task: str) -> str:
        return f"{self.tags[task]} " if task in self.tags else ""

    def _parts(self, turn: Turn, codec: Codec, frames: Sequence[Frame], around: tuple[str, str]) -> list[Segment]:
        out = []
        for part in turn.parts:
            if isinstance(part, str):
                out.append(Segment(part))
            elif isinstance(part, ImageMark):
                out += [Segment(self.picture[0]), Segment(image=part.image), Segment(self.picture[1])]
            else:
                if isinstance(part, Regions) and part.phrase and any(group.tied for group in codec.groups):
                    _unsay(out, part.phrase)
                out.append(Segment(around[0] + codec.text(part, _frame(part, frames)) + around[1]))
        return out

    def answer(self, text: str) -> str:
        """Generated text without the leading space and what closes an answer: what the codec parses."""
        text = text.removesuffix(self.stop) if self.stop else text
        return text.removeprefix(self.answer_space).removesuffix(self.answer_tail)

    def heard(self, text: str, task: str) -> str:
        """An answer in our words, where the family has its own for this task."""
        return {said: ours for ours, said in self.answers.get(task, {}).items()}.get(text.strip(), text)

    # -- checks

    def check(self, sample: Sample, frames: Sequence[Frame]) -> None:
        """Raises a LoupeError that names the sample if it cannot be said in turns."""
        roles = [t.role for t in sample.turns]
        if not roles:
            raise _bad("sample has no turns", sample)
        if roles != ["user", "assistant"] * (len(roles) // 2) + ["user"] * (len(roles) % 2):
            raise _bad("turns do not alternate", sample, got=", ".join(roles), expected="user, assistant, user, ...")
        places = len(sample.images) or int(sample.canvas is not None)
        if len(frames) != places:
            raise _bad("pictures and frames do not match", sample, got=f"{len(frames)} frames",
                       expected=f"{places}, one for each picture")
        marked = [p.image for t in sample.turns for p in t.parts if isinstance(p, ImageMark)]
        named = [r.image for t in sample.turns for p in t.parts if isinstance(p, Regions) for r in p.regions]
        for image, known in (*((i, len(sample.images)) for i in marked), *((i, places) for i in named)):
            if not 0 <= image < known:
                raise _bad("sample names a picture it does not have", sample, got=f"picture {image}",
                           expected=f"0..{known - 1}" if known else "no pictures")
        if len(set(marked)) != len(marked):
            raise _bad("a picture is marked twice", sample, got=marked)
        if any(isinstance(p, ImageMark) for t in sample.turns if t.role == "assistant" for p in t.parts):
            raise _bad("a picture stands in an answer", sample, do="move its ImageMark to a user turn")

    # -- as a value

    def spec(self) -> dict:
        """JSON-able description; `from_spec` gives an equal dialogue."""
        return {k: list(v) if isinstance(v, tuple) else v for k, v in asdict(self).items()}

    @classmethod
    def from_spec(cls, spec: dict) -> Dialogue:
        known = {f.name for f in fields(cls)}
        needed = {"name", "start", "assistant", "stop", "user"}
        if not isinstance(spec, dict) or set(spec) - known or needed - set(spec):
            odd = sorted(set(spec) ^ known) if isinstance(spec, dict) else type(spec).__name__
            raise ConfigError("this is no dialogue description", got=odd, expected=", ".join(sorted(known)))
        return cls(**{k: tuple(v) if isinstance(v, list) else v for k, v in spec.items()})


def _bad(what: str, sample: Sample, **facts) -> LoupeError:
    return LoupeError(what, where=f"sample {sample.id or sample.record or '?'} ({sample.task or 'no task'})", **facts)


def _frame(part: Regions | Colour, frames: Sequence[Frame]) -> Frame | None:
    """The frame of the picture a part's regions lie on; a colour needs none."""
    if isinstance(part, Colour):
        return frames[0] if frames else None
    images = {r.image for r in part.regions}
    if len(images) > 1:
        raise LoupeError("regions of one part lie on different pictures", got=sorted(images),
                         do="write them as separate parts, with words that say which picture")
    return frames[images.pop()] if images else None


def _unsay(out: list[Segment], phrase: str) -> None:
    """Words that stand right before their regions are not said twice where the codec writes them with the regions."""
    said = out[-1].text.rstrip() if out and out[-1].image is None else ""
    if said.lower().endswith(phrase.lower()):
        out[-1] = Segment(said[:len(said) - len(phrase)])


def leading_pictures(sample: Sample) -> tuple[list[int], tuple[Turn, ...]]:
    """Pictures that stand before the first question, and the turns without the marks that say just that."""
    marked = {p.image for t in sample.turns for p in t.parts if isinstance(p, ImageMark)}
    leading = [i for i in range(len(sample.images)) if i not in marked]
    if not marked:
        return leading, sample.turns
    first, *rest = sample.turns
    parts: list[Part] = list(first.parts)
    while parts and isinstance(parts[0], ImageMark) and parts[0].image == len(leading):
        leading.append(parts.pop(0).image)
    return leading, (replace(first, parts=tuple(parts)), *rest)


def _joined(segments: Sequence[Segment]) -> tuple[Segment, ...]:
    """Neighbouring texts of the same loss as one; empty ones dropped."""
    out: list[Segment] = []
    for s in segments:
        if s.image is None and not s.text:
            continue
        if out and s.image is None and out[-1].image is None and out[-1].loss == s.loss:
            out[-1] = Segment(out[-1].text + s.text, s.loss)
        else:
            out.append(s)
    return tuple(out)


_VICUNA = ("A chat between a curious user and an artificial intelligence assistant. "
           "The assistant gives helpful, detailed, and polite answers to the user's questions.")

MINI = Dialogue(
    name="mini", start="<|user|>", user="<|user|>", assistant="<|assistant|>", stop="<|end|>", answer_space="",
    tokens=("<|user|>", "<|assistant|>", "<|end|>"),
)
# Vicuna v1.1 as LLaVA uses it: the picture on a line of its own before the first question
LLAVA_V1 = Dialogue(
    name="llava-v1", begin="<s>", system=_VICUNA, system_marks=("", " "), start="USER: ", pictures=("", "\n"),
    user="USER: ", assistant=" ASSISTANT:", stop="</s>", tokens=("<s>", "</s>"),
)
LLAMA_2 = Dialogue(
    name="llama-2", begin="<s>[INST] ", system_marks=("<<SYS>>\n", "\n<</SYS>>\n\n"), start="", pictures=("", "\n"),
    user="<s>[INST] ", assistant=" [/INST]", answer_tail=" ", stop="</s>", tokens=("<s>", "</s>"),
)
# Pink §3.2: "Image: / User: / Assistant:" on three lines; end token of Vicuna; no system text is given
PINK = Dialogue(
    name="pink", begin="<s>", start="", pictures=("Image: ", "\n"), first_user="User: ", user="\nUser: ",
    assistant="\nAssistant:", stop="</s>", tokens=("<s>", "</s>"),
)
# Pink as released, on Llama-2-chat: the picture stands in the system block, input regions between <loc> marks
PINK_LLAMA_2 = Dialogue(
    name="pink-llama-2", start="<s>[INST] ", pictures=("<<SYS>>\nImage: ", "\n<</SYS>>\n\n"), user="<s>[INST] ",
    assistant=" [/INST]", answer_tail=" ", stop="</s>", input_marks=("<loc>", "</loc>"),
    tokens=("<s>", "</s>", "<des>", "</des>", "<loc>", "</loc>", "<cls>", "</cls>", "<rel>", "</rel>",
            "<qes>", "</qes>", "<opt>", "</opt>"),
)
MINIGPT_V2 = Dialogue(
    name="minigpt-v2", start="<s>[INST] ", picture=("<Img>", "</Img>"), pictures=("", " "), user="<s>[INST] ",
    assistant=" [/INST]", stop="</s>", tokens=("<s>", "</s>"),
    tags={"grounding": "[refer]", "description": "[identify]", "detection": "[detection]", "caption": "[caption]",
          "question": "[vqa]", "judgement": "[vqa]", "grounded-caption": "[grounding]"},  # judgement: as it asks VSR
)
# PAE-LaMM: MiniGPT-v2 with the tags and words of §3.1 and §3.3; those of its games (§3.4) stand before the instruction.
# Questions that MiniGPT-v2 has no tag of its own for are asked as its [vqa].
PAE = replace(
    MINIGPT_V2, name="pae",
    tags={**MINIGPT_V2.tags, "counting": "[vqa]", "presence": "[vqa]", "statement": "[vqa]", "choice": "[vqa]",
          "relation": "[vqa]", "reading": "[vqa]", "multiple-choice": "[vqa]", "region-question": "[vqa]",
          "which-region": "[vqa]", "region": "[identify]", "reconstruction": "[reconstruct]",
          "segmentation": "[segmentation]", "car-racing": "[CarRacing]", "space-invaders": "[Space Invaders]"},
    questions={"reconstruction": "loc: {region} rgb:", "segmentation": "{phrase} loc: {region} mask:"},
    answers={"segmentation": {"yes": "1", "no": "0"}},
)
SHIKRA = replace(LLAVA_V1, name="shikra", picture=("<im_start>", "<im_end>"), pictures=("", " "),
                 tokens=("<s>", "</s>", "<im_start>", "<im_end>"))
# neither paper prints its turns; both build on Vicuna
CHATSPOT = replace(LLAVA_V1, name="chatspot")
LYRICS = replace(LLAVA_V1, name="lyrics")
CHATML = Dialogue(
    name="chatml", system="You are a helpful assistant.", system_marks=("<|im_start|>system\n", "<|im_end|>\n"),
    start="<|im_start|>user\n", user="\n<|im_start|>user\n", assistant="<|im_end|>\n<|im_start|>assistant\n",
    stop="<|im_end|>", answer_space="", tokens=("<|im_start|>", "<|im_end|>"),
)
QWEN2_VL = replace(CHATML, name="qwen2-vl", picture=("<|vision_start|>", "<|vision_end|>"), placeholder="<|image_pad|>",
                   tokens=(*CHATML.tokens, "<|vision_start|>", "<|vision_end|>", "<|image_pad|>"))

DIALOGUES: dict[str, Dialogue] = {
    d.name: d for d in (MINI, LLAVA_V1, LLAMA_2, PINK, PINK_LLAMA_2, MINIGPT_V2, PAE, SHIKRA, CHATSPOT, LYRICS, CHATML,
                        QWEN2_VL)
}


def dialogue(name: str) -> Dialogue:
    """The dialogue of that name."""
    if name not in DIALOGUES:
        raise unknown_name("dialogue", name, DIALOGUES)
    return DIALOGUES[name]
