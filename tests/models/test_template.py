"""A chat template says what the dialogue says."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st
from jinja2.sandbox import ImmutableSandboxedEnvironment

from loupe.codec import codec
from loupe.dialogue import DIALOGUES
from loupe.models.template import chat_template
from loupe.sample import Sample, assistant, user

words = st.text(st.characters(codec="utf-8"), min_size=1, max_size=12).filter(str.strip)
ENVIRONMENT = ImmutableSandboxedEnvironment(trim_blocks=True, lstrip_blocks=True)  # as transformers compiles templates
MADE = {name: ENVIRONMENT.from_string(chat_template(known)) for name, known in DIALOGUES.items()}


@settings(max_examples=150, deadline=None)
@given(st.sampled_from(sorted(DIALOGUES)), st.lists(words, min_size=1, max_size=5))
def test_equals_render(name, texts):
    turns = [(assistant if k % 2 else user)(text) for k, text in enumerate(texts)]
    messages = [{"role": turn.role, "content": text} for turn, text in zip(turns, texts)]
    assert MADE[name].render(messages=messages, add_generation_prompt=True) == DIALOGUES[name].render(
        Sample((), tuple(turns)), codec("xy"), []).text()


def test_own_system_text():
    messages = [{"role": "system", "content": "Be short."}, {"role": "user", "content": "Why?"}]
    said = MADE["chatml"].render(messages=messages)
    assert said == ("<|im_start|>system\nBe short.<|im_end|>\n<|im_start|>user\nWhy?<|im_end|>\n"
                    "<|im_start|>assistant\n")
