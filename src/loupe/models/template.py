"""A dialogue's marks as a chat template (Jinja), as transformers' tokenizers carry one."""

from __future__ import annotations

import json

from loupe.dialogue import Dialogue


def chat_template(dialogue: Dialogue) -> str:
    """Renders a list of {"role", "content"} as Dialogue.render does text turns without a task's tag.

    A leading message of role "system" replaces the dialogue's own system text. Every user's turn ends with the mark
    that opens the answer, so `add_generation_prompt` adds nothing.
    """
    say = json.dumps
    begin, system = say(dialogue.begin), say(dialogue.system)
    before, behind = (say(mark) for mark in dialogue.system_marks)
    first, later, assistant = say(dialogue.start + dialogue.first_user), say(dialogue.user), say(dialogue.assistant)
    space, stop = say(dialogue.answer_space), say(dialogue.answer_tail + dialogue.stop)
    return "".join((
        "{%- if messages and messages[0]['role'] == 'system' -%}",
        "{%- set system, turns = messages[0]['content'], messages[1:] -%}",
        "{%- else -%}{%- set system, turns = ", system, ", messages -%}{%- endif -%}",
        "{{- ", begin, " -}}{%- if system -%}{{- ", before, " + system + ", behind, " -}}{%- endif -%}",
        "{%- for turn in turns -%}{%- if turn['role'] == 'user' -%}",
        "{{- (", first, " if loop.first else ", later, ") + turn['content'] + ", assistant, " -}}",
        "{%- else -%}{{- ", space, " + turn['content'] + ", stop, " -}}{%- endif -%}{%- endfor -%}",
    ))
