"""Fixtures of tiny parts."""

from __future__ import annotations

import pytest
from tiny_parts import WORDS, PlainDialogue, ask, picture


@pytest.fixture(scope="session")
def words():
    return PlainDialogue()


@pytest.fixture()
def tokenizer():
    from loupe.models.tokenizer import train_tokenizer

    return train_tokenizer(WORDS, 320, ["<end>"])


@pytest.fixture()
def groups():
    one, two, three = picture(1), picture(2, 30, 40), picture(3)
    return [
        [ask([one], "where is the red cup?", "[0.1,0.2,0.3,0.4]"), ask([one], "how many?", "three"),
         ask([one], "what is next to the plate?", "a cup", "and where?", "[0.5,0.5,0.6,0.7]")],
        [ask([two, three], "which differs?", "the blue box overlaps two circles"),
         ask([two, three], "how many?", "two")],
        [ask([two], "where is the blue box?", "[0.123,0.456,0.789,0.012]")],
        [ask([], "how many are there?", "two"), ask([], "a red cup?", "a blue cup")],
    ]
