"""The four losses by hand; objects hidden whole; negatives."""

from __future__ import annotations

import pytest
import torch
from torch.nn import functional as F

from loupe.models import alignment
from loupe.models.mqtext import Marks, read
from tests.models.tiny_former import MARKS, texts


def test_contrast_by_hand():
    images, words = torch.eye(3), torch.eye(3)[[0, 1, 1]]
    none = torch.eye(3, dtype=torch.bool)
    own = torch.arange(3)
    got = alignment.contrast(images, words, images, words, torch.tensor(2.0), own, none)
    logits = 2 * images @ words.T
    want = (F.cross_entropy(logits, own, reduction="sum") + F.cross_entropy(logits.T, own, reduction="sum")) / 2
    assert torch.allclose(got, want)
    same = none.clone()
    same[1, 2] = same[2, 1] = True  # equal captions: of 1 and 2 only the own one stands in the sums, beside 0
    e2 = torch.tensor(2.0).exp()
    right, wrong = -(e2 / (e2 + 1)).log(), -(e2 / (e2 + 2)).log()
    i2t = wrong + right + torch.log(torch.tensor(2.0))  # picture 2 is like no caption: own and 0 weigh the same
    t2i = wrong + right + torch.log(torch.tensor(2.0))
    assert torch.allclose(alignment.contrast(images, words, images, words, torch.tensor(2.0), own, same),
                          (i2t + t2i) / 2)


def test_negatives():
    similarity = torch.tensor([[9.0, 0.0, 5.0, 5.0], [0.0, 0.0, 0.0, 9.0], [1.0, 1.0, 1.0, 1.0]])
    same = torch.tensor([[1, 0, 0, 0], [0, 1, 0, 1], [1, 1, 1, 1]]).bool()
    draws = torch.linspace(0, 0.9999, 400)
    for hard in (True, False):
        drawn = torch.stack([alignment.negatives(similarity, same, d.expand(3), hard) for d in draws])
        assert set(drawn[:, 0].tolist()) == {1, 2, 3} and set(drawn[:, 1].tolist()) == {0, 2}  # 3: the same text
        assert (drawn[:, 2] == -1).all()
        share = (drawn[:, 0] == 1).float().mean()
        assert share < 0.05 if hard else abs(share - 1 / 3) < 0.01
    alone = torch.tensor([[1000.0, 0.0, 0.0]])  # unlike everything but its own: the others weigh the same
    own = torch.tensor([[True, False, False]])
    assert [alignment.negatives(alone, own, draws[k, None]).item() for k in (1, -1)] == [1, 2]
    assert alignment.negatives(similarity, same, torch.ones(3)).tolist() == [3, 2, -1]  # rounding at the upper end


def test_match_by_hand():
    logits = torch.zeros(3, 2, 2)
    logits[0, 0] = torch.tensor([0.0, 3.0])
    real = torch.tensor([[True, True], [True, False], [True, False]])  # the second picture has no wrong partner
    ln2, sure = torch.log(torch.tensor(2.0)), torch.log1p(torch.exp(torch.tensor(-3.0)))
    got = alignment.match(logits, torch.zeros(3, 2, 2), real, real)
    assert torch.allclose(got, ((sure + 2 * ln2) / 3 + ln2 + 2 * ln2) / 2)
    flipped = logits.flip(-1)
    assert alignment.match(flipped, logits, real, real) > got


def test_caption_and_spatial_by_hand():
    ids = torch.tensor([[7, 3, 5, 0], [7, 2, 0, 0]])
    logits = torch.zeros(2, 4, 8)
    logits[0, 0, 3] = 2.0
    said = alignment.caption(logits, ids, ids > 0)
    ln8 = torch.log(torch.tensor(8.0))
    first = torch.log(torch.exp(torch.tensor(2.0)) + 7) - 2
    assert torch.allclose(said, (first + ln8) / 2 + ln8)  # mean over a picture's words, summed over pictures
    hidden = torch.tensor([[False, True, False, False], [False] * 4])
    logits[0, 1, 3] = 5.0
    assert torch.allclose(alignment.spatial(logits, ids, hidden), torch.log(torch.exp(torch.tensor(5.0)) + 7) - 5)
    assert alignment.spatial(logits, ids, hidden & False) == 0


def test_objects_are_hidden_whole():
    said = texts(6)
    draw = torch.tensor([[0.1, 0.9]] * 5 + [[0.5, 0.2]])
    ids, hidden = alignment.hide_objects(said.spatial, said.owner, draw, MARKS.mask)
    assert torch.equal(hidden, (said.owner == 0) & (draw[:, :1] < 0.15))
    assert (ids[hidden] == MARKS.mask).all() and torch.equal(ids[~hidden], said.spatial[~hidden])
    _, one = alignment.hide_objects(said.spatial, said.owner, draw, MARKS.mask, least=1)
    assert torch.equal(one[5], said.owner[5] == 1) and not one[3].any()  # 0.2 is the lower; nothing found in the 4th
    _, there = alignment.hide_objects(torch.ones(1, 2).long(), torch.tensor([[0, -1]]), torch.tensor([[0.9, 0.2]]), 3,
                                      least=1)
    assert there.tolist() == [[True, False]]  # an object that is not there takes nobody's place
    _, everything = alignment.hide_objects(said.spatial, said.owner, draw, MARKS.mask, rate=1.0)
    assert torch.equal(everything, said.owner >= 0)


@pytest.mark.parametrize("rate", [0.15, 0.5])
def test_share_of_hidden_objects(rate):
    owner = torch.arange(10).repeat(400, 1)
    draw = torch.rand(400, 10, generator=torch.Generator().manual_seed(0))
    _, hidden = alignment.hide_objects(owner.clone(), owner, draw, 99, rate)
    assert abs(hidden.float().mean() - rate) < 0.02


@pytest.fixture(scope="module")
def tokenizer():
    from tokenizers import Tokenizer, models, pre_tokenizers
    from transformers import PreTrainedTokenizerFast

    words = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "cup", "cat", "a", "(", ")", ",", ".", "0", "<", ">", "/",
             "br", *map(str, range(1, 10))]
    made = Tokenizer(models.WordPiece({w: k for k, w in enumerate(words)}, unk_token="[UNK]"))
    made.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    return PreTrainedTokenizerFast(tokenizer_object=made, pad_token="[PAD]", unk_token="[UNK]", cls_token="[CLS]",
                                   sep_token="[SEP]", mask_token="[MASK]")


def test_texts(tokenizer):
    marks = Marks.of(tokenizer)
    assert Marks.of(tokenizer) == marks and len({*vars(marks).values()}) == 7
    things = [["<br>cup(0,1)</br>", "<br>cat(2,3)</br>"], []]
    said, lost = read(tokenizer, marks, things, ["a cup", "a cup"], ("<br>", "</br>"))
    assert lost == 0 and said.spatial[0, 0] == marks.bos and said.spatial_real[1].sum() == 1
    whose = said.owner[0]
    shown = tokenizer.convert_ids_to_tokens(said.spatial[0][whose == 1].tolist())
    assert shown == ["cat", "(", "2", ",", "3", ")"]  # tag and numbers; the marks are nobody's
    assert [tokenizer.decode([k]) for k in said.spatial[0][1:4]] == ["<", "br", ">"] and (whose[:4] == -1).all()
    assert said.caption[0].tolist() == [marks.cls, *tokenizer.convert_tokens_to_ids(["a", "cup"]), marks.sep]
    assert said.caption_key[0] == said.caption_key[1] and said.spatial_key[0] != said.spatial_key[1]
    short, lost = read(tokenizer, marks, things, ["a cup a cup", "a"], ("<br>", "</br>"), longest=20)
    assert lost == 1 and short.owner.max() == 0 and short.spatial.shape[1] == 14  # whole objects only
    tight, lost = read(tokenizer, marks, [[]], ["a cup a cup"], longest=4)
    assert lost == 1 and tight.caption[0, -1] == marks.sep and tight.caption.shape[1] == 4
