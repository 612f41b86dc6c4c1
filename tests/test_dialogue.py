"""Dialogues: each family's turns by hand, what is shared, what carries loss, and where tokens are cut."""

import json

import pytest

from loupe.codec import codec
from loupe.dialogue import DIALOGUES, Dialogue, Segment, dialogue
from loupe.errors import CodecError, ConfigError, LoupeError
from loupe.evals import BENCHMARKS
from loupe.evals.published import SUITES as PAPERS
from loupe.frame import frame
from loupe.image import Image
from loupe.regions import Box, Colour, Point
from loupe.sample import ImageMark, Regions, Sample, Turn, assistant, user

FRAME = frame("squash", 640, 480, 224)
BOX = Box(64, 120, 320, 360)
ONE, TWO = (Image(path="a.jpg"),), (Image(path="a.jpg"), Image(path="b.jpg"))
TALK = Sample(ONE, (user("Where is the cup?"), assistant(BOX), user("What is in ", BOX, "?"), assistant("A cup.")),
              task="grounding")
BRACKETS = "[0.100,0.250,0.500,0.750]"
SYSTEM = ("A chat between a curious user and an artificial intelligence assistant. The assistant gives helpful, "
          "detailed, and polite answers to the user's questions.")

# the whole text, pictures as #; answers (what carries loss) between ‹ ›
WHOLE = {
    "mini": f"<|user|>#Where is the cup?<|assistant|>‹{BRACKETS}<|end|>›"
            f"<|user|>What is in {BRACKETS}?<|assistant|>‹A cup.<|end|>›",
    "llava-v1": f"<s>{SYSTEM} USER: #\nWhere is the cup? ASSISTANT:‹ {BRACKETS}</s>›"
                f"USER: What is in {BRACKETS}? ASSISTANT:‹ A cup.</s>›",
    "llama-2": f"<s>[INST] #\nWhere is the cup? [/INST]‹ {BRACKETS} </s>›"
               f"<s>[INST] What is in {BRACKETS}? [/INST]‹ A cup. </s>›",
    "pink": f"<s>Image: #\nUser: Where is the cup?\nAssistant:‹ {BRACKETS}</s>›"
            f"\nUser: What is in {BRACKETS}?\nAssistant:‹ A cup.</s>›",
    "pink-llama-2": f"<s>[INST] <<SYS>>\nImage: #\n<</SYS>>\n\nWhere is the cup? [/INST]‹ {BRACKETS} </s>›"
                    f"<s>[INST] What is in <loc>{BRACKETS}</loc>? [/INST]‹ A cup. </s>›",
    "minigpt-v2": f"<s>[INST] <Img>#</Img> [refer] Where is the cup? [/INST]‹ {BRACKETS}</s>›"
                  f"<s>[INST] [refer] What is in {BRACKETS}? [/INST]‹ A cup.</s>›",
    "shikra": f"<s>{SYSTEM} USER: <im_start>#<im_end> Where is the cup? ASSISTANT:‹ {BRACKETS}</s>›"
              f"USER: What is in {BRACKETS}? ASSISTANT:‹ A cup.</s>›",
    "chatml": "<|im_start|>system\nYou are a helpful assistant.<|im_end|>\n<|im_start|>user\n#Where is the cup?"
              f"<|im_end|>\n<|im_start|>assistant\n‹{BRACKETS}<|im_end|>›\n<|im_start|>user\nWhat is in {BRACKETS}?"
              "<|im_end|>\n<|im_start|>assistant\n‹A cup.<|im_end|>›",
}
WHOLE["pae"] = WHOLE["minigpt-v2"]
WHOLE["chatspot"] = WHOLE["lyrics"] = WHOLE["llava-v1"]
WHOLE["qwen2-vl"] = WHOLE["chatml"].replace("#", "<|vision_start|>#<|vision_end|>")


def shown(rendered) -> str:
    return "".join("#" if s.image is not None else f"‹{s.text}›" if s.loss else s.text
                   for s in rendered.prefix + rendered.body)


@pytest.mark.parametrize("name", DIALOGUES)
def test_turns_by_hand(name):
    rendered = DIALOGUES[name].render(TALK, codec("pink"), [FRAME])
    assert shown(rendered) == WHOLE[name]
    assert rendered.text("#") == WHOLE[name].replace("‹", "").replace("›", "")


@pytest.mark.parametrize("name", DIALOGUES)
def test_prefix_is_shared_and_ends_at_the_picture(name):
    talk, pink = DIALOGUES[name], codec("pink")
    for images in (ONE, TWO):
        samples = [Sample(images, (user("Hi"), assistant("a"))), Sample(images, (user(BOX),), task="description"),
                   Sample(images, (user(ImageMark(0), "Marked first"), assistant("b")))]
        rendered = [talk.render(s, pink, [FRAME] * len(images)) for s in samples]
        assert {r.prefix for r in rendered} == {talk.render_prefix(len(images))} or len(images) == 2
        assert rendered[0].prefix == rendered[1].prefix == talk.render_prefix(len(images))
        assert rendered[0].prefix[-1].image == len(images) - 1
        assert not any(s.loss for r in rendered for s in r.prefix)
        assert sum(s.image is not None for s in rendered[2].prefix + rendered[2].body) == len(images)


def test_a_question_ends_where_its_answer_begins():
    """The body of a question is the beginning of the body of the same question answered."""
    for name, talk in DIALOGUES.items():
        asked = talk.render(Sample(ONE, TALK.turns[:1], "caption"), codec("pink"), [FRAME])
        told = talk.render(Sample(ONE, TALK.turns[:2], "caption"), codec("pink"), [FRAME])
        assert told.prefix == asked.prefix and told.body[:-1] == asked.body
        assert told.body[-1].loss and told.body[-1].text.endswith(talk.stop), name
        assert talk.answer(told.body[-1].text) == BRACKETS
        assert not any(s.loss for s in asked.body)


def test_pictures_inside_text():
    talk = dialogue("qwen2-vl")
    sample = Sample(TWO, (user("Is ", ImageMark(1), " brighter than ", ImageMark(0), "?"), assistant("No.")))
    rendered = talk.render(sample, codec("pink"), [FRAME, FRAME])
    assert [s.image for s in rendered.body if s.image is not None] == [1, 0]
    assert "user\nIs <|vision_start|>#<|vision_end|> brighter than <|vision_start|>#<|vision_end|>?" in shown(rendered)
    half = Sample(TWO, (user("First. ", ImageMark(1), "Second."), assistant("Yes.")))
    assert shown(dialogue("llava-v1").render(half, codec("pink"), [FRAME, FRAME])).endswith(
        " USER: #\nFirst. #Second. ASSISTANT:‹ Yes.</s>›")


def test_regions_of_the_second_picture_use_its_frame():
    sample = Sample(TWO, (user("a ", Box(64, 120, 320, 360, image=1)),))
    rendered = dialogue("mini").render(sample, codec("pink"), [FRAME, frame("squash", 1280, 960, 224)])
    assert rendered.body[-1].text == "a [0.050,0.125,0.250,0.375]<|assistant|>"


def test_words_only():
    sample = Sample((), (user("How many legs has a spider?"), assistant("8")))
    assert shown(dialogue("llava-v1").render(sample, codec("pink"), [])) == (
        f"<s>{SYSTEM} USER: How many legs has a spider? ASSISTANT:‹ 8</s>›")
    rendered = dialogue("llava-v1").render(sample, codec("pink"), [])
    assert rendered.prefix == dialogue("llava-v1").render_prefix(0) == (Segment(f"<s>{SYSTEM} USER:"),)
    assert shown(dialogue("pink").render(sample, codec("pink"), [])).startswith("<s>User: How")


def test_tags_follow_the_task():
    def body(task):
        return shown(dialogue("minigpt-v2").render(Sample(ONE, (user("x"),), task), codec("pink"), [FRAME]))

    assert body("detection").endswith("</Img> [detection] x [/INST]")
    assert body("relation").endswith("</Img> x [/INST]")
    assert dialogue("pae").tags["reconstruction"] == "[reconstruct]"
    assert "reconstruction" not in dialogue("minigpt-v2").tags
    assert body("judgement").endswith("</Img> [vqa] x [/INST]")  # as its release asks VSR
    for name in PAPERS["pae"]:  # every question of the paper's tables
        assert BENCHMARKS[name].task in dialogue("pae").tags


def test_a_family_asks_in_its_own_words():
    """PAE-LaMM §3.1, §3.3: what it is shown and what it answers; our words come back."""
    talk, point = dialogue("pae"), Point(320, 120)

    def said(*turns, task, **extra):
        return shown(talk.render(Sample(ONE, turns, task, extra=extra), codec("pae"), [FRAME]))

    colour = said(user("Which colour has the pixel at ", point, "?"), assistant(Colour(31, 6, 108)),
                  task="reconstruction")
    assert colour == "<s>[INST] <Img>#</Img> [reconstruct] loc: [50,25] rgb: [/INST]‹ [31,6,108]</s>›"
    asked = (user("Does ", point, " lie on the red cup?"), assistant("yes"))
    assert said(*asked, task="segmentation", phrase="the red cup") == (
        "<s>[INST] <Img>#</Img> [segmentation] the red cup loc: [50,25] mask: [/INST]‹ 1</s>›")
    plain = said(*asked, task="segmentation")  # the phrase is not known apart: the words stay
    assert plain == "<s>[INST] <Img>#</Img> [segmentation] Does [50,25] lie on the red cup? [/INST]‹ 1</s>›"
    assert said(*asked, task="presence").endswith("[vqa] Does [50,25] lie on the red cup? [/INST]‹ yes</s>›")
    assert talk.heard(" 0", "segmentation") == "no" and talk.heard("0", "counting") == "0"
    assert talk.heard("maybe", "segmentation") == "maybe" and dialogue("mini").heard("1", "segmentation") == "1"
    before = {k: v for k, v in dialogue("mini").spec().items() if k not in ("questions", "answers")}
    assert Dialogue.from_spec(before) == dialogue("mini")  # weights of a time before these fields
    assert Dialogue.from_spec({**talk.spec(), "answers": {}}) != talk


@pytest.mark.parametrize("turns, images, words", [
    ((), ONE, "no turns"),
    ((assistant("a"),), ONE, "do not alternate"),
    ((user("a"), user("b")), ONE, "do not alternate"),
    ((user("a"), assistant("")), ONE, "turn is empty"),
    ((user("a"), assistant("  \n")), ONE, "turn is empty"),
    ((user("a", ImageMark(1)),), ONE, "does not have"),
    ((user("a", Box(0, 0, 1, 1, image=1)),), ONE, "does not have"),
    ((user("a", ImageMark(0), ImageMark(0)),), ONE, "marked twice"),
    ((user("a"), Turn("assistant", (ImageMark(0),))), ONE, "in an answer"),
    ((user("a", Regions((Point(1, 1), Point(1, 1, image=1)))),), TWO, "different pictures"),
])
def test_bad_samples_are_named(turns, images, words):
    with pytest.raises(LoupeError, match=words):
        dialogue("mini").render(Sample(images, turns, "grounding", id="7"), codec("pink"), [FRAME] * len(images))


def test_bad_samples_say_which():
    with pytest.raises(LoupeError, match=r"in sample 7 \(grounding\)"):
        dialogue("mini").render(Sample(ONE, (assistant("a"),), "grounding", id="7"), codec("pink"), [FRAME])
    with pytest.raises(LoupeError, match="pictures and frames"):
        dialogue("mini").render(TALK, codec("pink"), [])
    with pytest.raises(CodecError, match="outside"):
        dialogue("mini").render(Sample(ONE, (user(Point(-5, 0)),)), codec("pink"), [FRAME])


@pytest.mark.parametrize("name", DIALOGUES)
def test_dialogue_is_a_value(name):
    talk = DIALOGUES[name]
    assert Dialogue.from_spec(json.loads(json.dumps(talk.spec()))) == talk
    assert hash(talk) == hash(Dialogue.from_spec(talk.spec()))
    marks = "".join((talk.begin, talk.start, talk.assistant, talk.stop, talk.user, *talk.input_marks, *talk.picture,
                     *talk.system_marks, talk.placeholder))
    assert talk.stop in talk.tokens
    assert name == "pink-llama-2" or all(t in marks for t in talk.tokens)
    for spec in ({}, {**talk.spec(), "tone": "kind"}, []):
        with pytest.raises(ConfigError, match="no dialogue description"):
            Dialogue.from_spec(spec)


def test_unknown_names():
    with pytest.raises(ConfigError, match="did you mean 'llava-v1'"):
        dialogue("llava-v2")


# -- tokens

TEXTS = [shown(d.render(TALK, codec("pink"), [FRAME])).replace("‹", "").replace("›", "") for d in DIALOGUES.values()]


def sentencepiece_like(prepend: str):
    """A Llama-like tokenizer: merges learnt within words that begin with ▁ (line breaks apart), applied to texts."""
    from tokenizers import Tokenizer, models, pre_tokenizers, trainers
    tokenizer = Tokenizer(models.BPE(unk_token="<unk>"))
    metaspace = pre_tokenizers.Metaspace(prepend_scheme=prepend, split=True)
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence([pre_tokenizers.Split("\n", "isolated"), metaspace])
    tokenizer.train_from_iterator(TEXTS, trainers.BpeTrainer(vocab_size=400, show_progress=False,
                                                            special_tokens=["<unk>"]))
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace(prepend_scheme=prepend, split=False)
    return tokenizer


def byte_level():
    from tokenizers import Tokenizer, models, pre_tokenizers, trainers
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.train_from_iterator(TEXTS, trainers.BpeTrainer(
        vocab_size=500, show_progress=False, initial_alphabet=pre_tokenizers.ByteLevel.alphabet()))
    return tokenizer


def encoded(tokenizer, segments) -> list[tuple[str, bool]]:
    """(token, loss): text between pictures in one go, a token's loss that of its last character."""
    out, run = [], []
    for segment in [*segments, Segment(image=0)]:
        if segment.image is None:
            run.append(segment)
            continue
        losses = [s.loss for s in run for _ in s.text]
        made = tokenizer.encode("".join(s.text for s in run), add_special_tokens=False)
        out += [(t, losses[end - 1]) for t, (_, end) in zip(made.tokens, made.offsets)]
        out.append(("#", False))
        run = []
    return out[:-1]


TOKENIZERS = {"metaspace first": lambda: sentencepiece_like("first"), "byte level": byte_level,
              "metaspace always": lambda: sentencepiece_like("always")}


@pytest.mark.parametrize("make", TOKENIZERS.values(), ids=TOKENIZERS)
@pytest.mark.parametrize("name", DIALOGUES)
def test_questions_are_token_prefixes_of_their_answers(name, make):
    """What generation starts from is, token by token, what training saw before the answer."""
    from tokenizers import AddedToken
    talk, tokenizer = DIALOGUES[name], make()
    tokenizer.add_special_tokens([AddedToken(t, normalized=False) for t in talk.tokens])
    for answer in (BOX, "A cup.", "(no)", "\nNo.", "3"):
        for words in ("Where?", "What is in ", ("In ", BOX)):
            turns = user(*([words] if isinstance(words, str) else words)), assistant(answer)
            asked = talk.render(Sample(ONE, turns[:1]), codec("pink"), [FRAME])
            told = talk.render(Sample(ONE, turns), codec("pink"), [FRAME])
            before, whole = encoded(tokenizer, asked.body), encoded(tokenizer, told.body)
            if answer == "\nNo." and talk.assistant.endswith("\n") and make is byte_level:
                continue  # two line breaks may be one token
            assert whole[:len(before)] == before
            assert all(loss for _, loss in whole[len(before):]) and not any(loss for _, loss in before)
            assert whole[-1][0] == talk.stop


def test_words_tied_to_a_region_are_said_once():
    parts = ("A red star ", Regions((Box(0, 0, 50, 50),), "a red star"), " above ", Regions((Box(50, 50, 100, 100),)))
    answer, square = Sample(ONE, (user("?"), Turn("assistant", parts))), frame("squash", 100, 100, 100)
    said = [dialogue("mini").render(answer, codec(name), [square]).text().split("<|assistant|>")[1]
            for name in ("pae", "xy")]
    assert said == ["<p>a red star</p> {<0><0><50><50>} above {<50><50><100><100>}<|end|>",
                    "A red star <x_0><y_0><x_50><y_50> above <x_50><y_50><x_100><y_100><|end|>"]
