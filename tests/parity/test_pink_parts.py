"""A user's way to Pink, on small checkpoints of the same classes: CLIP, a Llama with a SentencePiece-like tokenizer."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest
import torch
import transformers
from PIL import Image as Pillow
from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers, trainers

from loupe.image import Image
from loupe.models.assembly import build
from loupe.models.batch import pack, separate
from loupe.models.checkpoint import load, save
from loupe.models.export import export
from loupe.models.rows import AddedEmbedding
from loupe.models.spec import BridgeSpec, LanguageSpec, ModelSpec, VisionSpec
from loupe.models.tuner import Adapter, Frozen, Full, LoRA, Tune, apply
from loupe.regions import Box
from loupe.sample import Sample, assistant, user

SMALL = {"hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 3, "num_attention_heads": 4}


def llama_tokenizer(across_spaces: bool = False):
    """Metaspace BPE with byte fallback, as Llama's: the spaces are part of the words, <unk> <s> </s> come first."""
    tokenizer = Tokenizer(models.BPE(unk_token="<unk>", byte_fallback=True, fuse_unk=True))
    tokenizer.normalizer = normalizers.Sequence([normalizers.Prepend("▁"), normalizers.Replace(" ", "▁")])
    tokenizer.decoder = decoders.Sequence([decoders.Replace("▁", " "), decoders.ByteFallback(), decoders.Fuse(),
                                           decoders.Strip(" ", 1, 0)])
    if not across_spaces:
        tokenizer.pre_tokenizer = pre_tokenizers.Split("▁", "merged_with_next")  # while pieces are learnt
    special = ["<unk>", "<s>", "</s>", *(f"<0x{b:02X}>" for b in range(256))]
    trainer = trainers.BpeTrainer(vocab_size=400, special_tokens=special, show_progress=False)
    tokenizer.train_from_iterator(["USER: where is the red cup? ASSISTANT: [0.123,0.456,0.789,0.000]\n"] * 3, trainer)
    tokenizer.pre_tokenizer = None
    return transformers.PreTrainedTokenizerFast(tokenizer_object=tokenizer, bos_token="<s>", eos_token="</s>",
                                                unk_token="<unk>")


@pytest.fixture(scope="module")
def places(tmp_path_factory) -> Path:
    root = tmp_path_factory.mktemp("downloads")
    torch.manual_seed(0)
    text = {**SMALL, "vocab_size": 64, "max_position_embeddings": 16, "bos_token_id": 1, "eos_token_id": 2}
    vision = {**SMALL, "image_size": 28, "patch_size": 14}
    clip = transformers.CLIPConfig(vision_config=vision, text_config=text)
    transformers.CLIPModel(clip).save_pretrained(root / "clip")
    tokenizer = llama_tokenizer()
    config = transformers.LlamaConfig(**SMALL, vocab_size=len(tokenizer), num_key_value_heads=4)
    transformers.LlamaForCausalLM(config).save_pretrained(root / "vicuna")
    tokenizer.save_pretrained(root / "vicuna")
    return root


def spec(places: Path, **changes) -> ModelSpec:
    values = {"codec": "pink", "dialogue": "pink", **changes}
    return ModelSpec(VisionSpec(str(places / "clip"), size=28), BridgeSpec(),
                     LanguageSpec(str(places / "vicuna")), **values)


@pytest.fixture(scope="module")
def groups():
    rng = np.random.default_rng(0)
    buffers = [io.BytesIO() for _ in range(2)]
    for buffer in buffers:
        Pillow.fromarray(rng.integers(0, 256, (50, 60, 3), np.uint8)).save(buffer, "PNG")
    one, two = (Image(data=b.getvalue()) for b in buffers)
    return [[Sample((one,), (user("where is the red cup?"), assistant(Box(6, 5, 30, 25)))),
             Sample((one,), (user("what is in ", Box(6, 5, 30, 25), "?"), assistant("the red cup")))],
            [Sample((two,), (user("where is the cup?"), assistant(Box(1, 2, 3, 4))))]]


def test_pink_builds_trains_saves_and_loads(places, groups, tmp_path):
    model = build(spec(places))
    said = [model.encoder.tokenizer.decode([t for t in model.encoder.body(s)[1] if t != -100]) for s in groups[0]]
    assert said == ["[0.100,0.100,0.500,0.500]</s>", "the red cup</s>"]  # the space is the tokenizer's own
    apply(model, Tune(Frozen(), Full(), Frozen(), tokens="frozen"))
    names = apply(model, Tune(Adapter(8), Full(), Adapter(8), tokens="rows"))
    assert {n.split(".")[0] for n in names} == {"vision", "bridge", "language"}
    optimiser = torch.optim.AdamW([p for p in model.parameters() if p.requires_grad], lr=3e-2)
    batch, losses = pack(groups, model.encoder), []
    for _ in range(12):
        total, number = model(batch)
        losses.append(float(total.detach()) / number)
        optimiser.zero_grad()
        (total / number).backward()
        optimiser.step()
    assert losses[-1] < losses[0] - 0.1  # the frozen parts are random
    assert torch.allclose(model.eval().losses(batch), model.losses(separate(groups, model.encoder)), atol=1e-5)
    again = load(save(model, tmp_path / "run"))
    assert torch.equal(again.losses(pack(groups, again.encoder)), model.losses(batch))
    assert again.encoder.codec == model.encoder.codec and again.encoder.dialogue == model.encoder.dialogue


def test_an_answer_is_tokenised_as_it_will_be_generated(places, groups):
    encoder = build(spec(places)).encoder
    for sample in groups[0]:
        ids, labels = encoder.body(sample)
        prompt, _ = encoder.body(Sample(sample.images, sample.turns[:1]))
        assert ids[: len(prompt)] == prompt and all(n == -100 for n in labels[: len(prompt)])
        assert tuple(ids[-len(encoder.stop) :]) == encoder.stop
    assert encoder.prefix(groups[0][0].images)[:1] == [encoder.tokenizer.bos_token_id]


def test_a_token_never_reaches_over_the_start_of_an_answer(places, groups):
    """With pieces such as ':▁[' the answer's first token would otherwise hold the question's last character."""
    odd = llama_tokenizer(across_spaces=True)
    assert any(":▁[" in piece for piece in odd.get_vocab())
    config = {"model_type": "llama", **SMALL, "num_key_value_heads": 4}
    encoder = build(ModelSpec(VisionSpec(str(places / "clip"), size=28), language=LanguageSpec(config=config),
                              dialogue="pink"), tokenizer=odd).encoder
    for sample in groups[0]:
        ids, labels = encoder.body(sample)
        prompt, _ = encoder.body(Sample(sample.images, sample.turns[:1]))
        assert ids[: len(prompt)] == prompt and labels[len(prompt)] == ids[len(prompt)]


def test_added_rows_train_alone_and_merge_on_export(places, groups, tmp_path):
    """Location tokens on a pretrained vocabulary: the old rows get no gradient, the new ones do; merged they agree."""
    model = build(spec(places, codec="xy"))
    embedding = model.language.get_input_embeddings()
    assert isinstance(embedding, AddedEmbedding) and len(embedding.rows) == 3 * 101
    names = apply(model, Tune(Frozen(), Frozen(), Frozen(), tokens="rows"))
    assert [n.rsplit(".", 1)[1] for n in names] == ["rows", "rows"]
    batch = pack(groups, model.encoder)
    model(batch)[0].backward()
    assert embedding.base.weight.grad is None and embedding.rows.grad.abs().sum() > 0
    used = set(batch.targets.tolist()) | set(batch.ids.flatten().tolist())
    touched = embedding.rows.grad.abs().sum(1).nonzero()[:, 0] + embedding.start
    assert touched.numel() and set(touched.tolist()) <= used
    apply(model, Tune(Frozen(), Full(), LoRA(2), tokens="rows"))
    with torch.no_grad():
        for p in model.parameters():
            if p.requires_grad:
                p.add_(0.02 * torch.randn_like(p))
    want = model.eval().losses(batch)
    export(model, tmp_path / "parts")
    parts = ModelSpec(VisionSpec(str(tmp_path / "parts/vision"), size=28), BridgeSpec(),
                      LanguageSpec(str(tmp_path / "parts/language")), codec="xy", dialogue="pink")
    plain = build(parts).eval()
    assert not isinstance(plain.language.get_input_embeddings(), AddedEmbedding)
    plain.bridge.load_state_dict(model.bridge.state_dict())
    assert torch.allclose(plain.losses(batch), want, atol=1e-5)
    again = load(save(model, tmp_path / "run"))
    assert torch.equal(again.losses(batch), want)
