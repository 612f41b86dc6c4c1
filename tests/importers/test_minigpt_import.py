"""MiniGPT-v2's layout, written here in small: names, numbers, and what is refused."""

from __future__ import annotations

import re

import numpy as np
import pytest
import torch
import transformers
from peft import LoraConfig, get_peft_model
from torch.nn import functional as F

from loupe.errors import CheckpointError, ConfigError
from loupe.importers import eva, importer
from loupe.importers.minigpt import MiniGPT
from loupe.importers.weights import read
from loupe.models.assembly import build_vision
from loupe.models.checkpoint import load
from loupe.models.spec import VisionSpec
from loupe.predictors.checkpoint import Model
from loupe.regions import Box, Colour, Point
from tests.parity.test_pink_parts import llama_tokenizer

WIDTH, HEADS, INNER, DEPTH, PATCH = 32, 4, 48, 2, 14
SIZE = 56  # 4 x 4 patches, 4 tokens behind the bridge
LANGUAGE = {"hidden_size": 24, "intermediate_size": 40, "num_hidden_layers": 2, "num_attention_heads": 4,
            "num_key_value_heads": 4}


def eva_tensors(grid: int = 2, depth: int = DEPTH + 1, seed: int = 0) -> dict[str, torch.Tensor]:
    """The tower's release in small: one layer more than is used, positions of another grid, a head of another use."""
    draw = torch.Generator().manual_seed(seed)

    def some(*shape: int) -> torch.Tensor:
        return 0.3 * torch.randn(*shape, generator=draw)

    out = {"cls_token": some(1, 1, WIDTH), "pos_embed": some(1, 1 + grid * grid, WIDTH),
           "patch_embed.proj.weight": some(WIDTH, 3, PATCH, PATCH), "patch_embed.proj.bias": some(WIDTH),
           "mask_token": some(1, 1, WIDTH), "norm.weight": some(WIDTH), "head.weight": some(5, WIDTH)}
    for k in range(depth):
        out |= {f"blocks.{k}.{name}": t for name, t in {
            "norm1.weight": 1 + some(WIDTH), "norm1.bias": some(WIDTH), "norm2.weight": 1 + some(WIDTH),
            "norm2.bias": some(WIDTH), "attn.q_bias": some(WIDTH), "attn.v_bias": some(WIDTH),
            "attn.qkv.weight": some(3 * WIDTH, WIDTH), "attn.proj.weight": some(WIDTH, WIDTH),
            "attn.proj.bias": some(WIDTH), "mlp.fc1.weight": some(INNER, WIDTH), "mlp.fc1.bias": some(INNER),
            "mlp.fc2.weight": some(WIDTH, INNER), "mlp.fc2.bias": some(WIDTH)}.items()}
    return out


def eva_forward(t: dict[str, torch.Tensor], pixels: torch.Tensor, depth: int) -> torch.Tensor:
    """The tower by its definition: pre-norm layers, a bias for queries and values alone, no norm at the end."""
    x = F.conv2d(pixels, t["patch_embed.proj.weight"], t["patch_embed.proj.bias"], stride=PATCH).flatten(2).mT
    patches = t["pos_embed"][:, 1:].reshape(1, 2, 2, WIDTH).permute(0, 3, 1, 2)
    grid = pixels.shape[-1] // PATCH
    patches = F.interpolate(patches, size=(grid, grid), mode="bicubic", align_corners=False).flatten(2).mT
    x = torch.cat([t["cls_token"].expand(len(x), -1, -1), x], 1) + torch.cat([t["pos_embed"][:, :1], patches], 1)
    for k in range(depth):
        b = {name.split(".", 2)[2]: v for name, v in t.items() if name.startswith(f"blocks.{k}.")}
        y = F.layer_norm(x, (WIDTH,), b["norm1.weight"], b["norm1.bias"], 1e-6)
        q, key, v = (y @ b["attn.qkv.weight"].T).chunk(3, -1)
        q, v = q + b["attn.q_bias"], v + b["attn.v_bias"]
        q, key, v = (z.unflatten(-1, (HEADS, -1)).transpose(1, 2) for z in (q, key, v))
        mixed = ((q @ key.mT / (WIDTH // HEADS) ** 0.5).softmax(-1) @ v).transpose(1, 2).flatten(2)
        x = x + F.linear(mixed, b["attn.proj.weight"], b["attn.proj.bias"])
        y = F.layer_norm(x, (WIDTH,), b["norm2.weight"], b["norm2.bias"], 1e-6)
        y = F.gelu(F.linear(y, b["mlp.fc1.weight"], b["mlp.fc1.bias"]))
        x = x + F.linear(y, b["mlp.fc2.weight"], b["mlp.fc2.bias"])
    return x


@pytest.fixture(scope="module")
def released(tmp_path_factory) -> dict:
    """eva.pth, llama/ and checkpoint.pth as they are published; the peft model the last one came from."""
    folder = tmp_path_factory.mktemp("released")
    tower = eva_tensors()
    torch.save(tower, folder / "eva.pth")
    torch.manual_seed(1)
    tokenizer = llama_tokenizer()
    config = transformers.LlamaConfig(**LANGUAGE, vocab_size=len(tokenizer), max_position_embeddings=512)
    llama = transformers.LlamaForCausalLM(config)
    llama.save_pretrained(folder / "llama")
    tokenizer.save_pretrained(folder / "llama")
    tuned = get_peft_model(llama, LoraConfig(r=4, lora_alpha=12, lora_dropout=0.05, bias="none",
                                             task_type="CAUSAL_LM", target_modules=["q_proj", "v_proj"])).eval()
    with torch.no_grad():
        for name, p in tuned.named_parameters():
            if ".lora_" in name:
                p.normal_(0, 0.3)
    bridge = torch.nn.Linear(4 * WIDTH, LANGUAGE["hidden_size"])
    model = {f"llama_model.{n}": p.detach() for n, p in tuned.named_parameters() if p.requires_grad}
    model |= {f"llama_proj.{n}": p.detach() for n, p in bridge.named_parameters()}
    model["llama_model.base_model.model.model.layers.0.self_attn.rotary_emb.inv_freq"] = torch.ones(3)
    old = {n.replace(".default", ""): t for n, t in model.items()}  # as peft 0.2, which the release used, names them
    rest = {"optimizer": {"state": {0: {"step": torch.tensor(3.0)}}, "param_groups": [{"lr": 1e-5}]},
            "config": {"model": {"lora_alpha": 12, "lora_r": 4}}, "scaler": None, "epoch": 49}
    torch.save({"model": old, **rest}, folder / "checkpoint.pth")
    torch.save({"model": model, **rest}, folder / "newer.pth")
    return {"folder": folder, "tower": tower, "llama": tuned, "bridge": bridge, "model": model, "rest": rest}


def family(released, **changes) -> MiniGPT:
    options = {"vision": str(released["folder"] / "eva.pth"), "language": str(released["folder"] / "llama"),
               "size": SIZE, "heads": HEADS, **changes}
    return importer("minigpt-v2")(**options)


@pytest.fixture(autouse=True)
def two_layers(monkeypatch):
    monkeypatch.setattr(eva, "DEPTH", DEPTH)


@torch.no_grad()
def test_the_whole_model_says_what_the_released_one_says(released, tmp_path):
    """Tower, norm, four neighbours into one, bridge, LoRA: logits against the release's own pieces put together."""
    for file in ("checkpoint.pth", "newer.pth"):
        done = family(released).write(released["folder"] / file, tmp_path / file, dtype="float32")
    model = load(done.folder)
    pixels = torch.randn(2, 3, SIZE, SIZE, generator=torch.Generator().manual_seed(2))
    seen = eva_forward(released["tower"], pixels, DEPTH)
    seen = F.layer_norm(seen, (WIDTH,), eps=1e-5)[:, 1:]  # never trained: weight 1, bias 0
    seen = released["bridge"](seen.reshape(2, 4, 4 * WIDTH))  # a row of the 4 x 4 patches is one token
    assert torch.allclose(model.see(pixels), seen, atol=2e-3)  # the tower is stored in half precision
    ids = torch.randint(3, 300, (2, 9), generator=torch.Generator().manual_seed(3))
    mask = torch.ones(9, 9).tril().bool().expand(2, 1, 9, 9)
    hidden = model.hidden(model.embed(ids), mask, torch.arange(9)[None])
    assert torch.allclose(model.logits(hidden), released["llama"](ids).logits, atol=1e-4)
    assert done.left_out[0].endswith("rotary_emb.inv_freq") and "mask_token" in done.left_out
    assert f"blocks.{DEPTH}.norm1.weight" in done.left_out
    assert done.notes[0].startswith("LoRA rank 4, alpha 12 on") and "16 tokens, 4 after" in done.notes[1]
    assert done.numbers == sum(t.numel() for n, t in released["model"].items() if "inv_freq" not in n)


@torch.no_grad()
def test_tower_in_single_precision(released):
    model, _ = eva.tower(released["folder"] / "eva.pth", SIZE, HEADS)
    assert model.config.num_hidden_layers == DEPTH and model.config.intermediate_size == INNER
    bias = model.encoder.layers[1].self_attn.qkv.bias
    assert torch.equal(bias[:WIDTH], released["tower"]["blocks.1.attn.q_bias"])
    assert not bias[WIDTH:2 * WIDTH].any() and torch.equal(bias[2 * WIDTH:], released["tower"]["blocks.1.attn.v_bias"])
    pixels = torch.randn(1, 3, SIZE, SIZE, generator=torch.Generator().manual_seed(2))
    want = F.layer_norm(eva_forward(released["tower"], pixels, DEPTH), (WIDTH,), eps=1e-5)
    assert torch.allclose(model(pixels).last_hidden_state, want, atol=1e-4)


@torch.no_grad()
def test_a_blip2_checkpoint_gives_the_same_tower(released, tmp_path):
    """BLIP-2's norm was trained with its Q-Former and is taken off; positions are resized once, not at every look."""
    small, _ = eva.tower(released["folder"] / "eva.pth", 28, HEADS)
    small.post_layernorm.weight.normal_()
    small.save_pretrained(tmp_path / "blip2")
    model, left = eva.tower(tmp_path / "blip2", SIZE)
    want, _ = eva.tower(released["folder"] / "eva.pth", SIZE, HEADS)
    pixels = torch.randn(1, 3, SIZE, SIZE, generator=torch.Generator().manual_seed(2))
    assert left == () and torch.allclose(model(pixels).last_hidden_state, want(pixels).last_hidden_state, atol=1e-5)
    tower, _ = build_vision(VisionSpec(str(eva.write(model, tmp_path / "at")), layer=-1, size=SIZE, norm=True))
    assert not tower.interpolate and tower.final == "post_layernorm"
    assert torch.allclose(tower(pixels), model(pixels).last_hidden_state[:, 1:], atol=2e-3)


def test_to_go_on_with(released, tmp_path):
    """As "pae" it knows points and colours, and answers: whole pictures from location questions."""
    done = family(released, form="pae").write(released["folder"] / "checkpoint.pth", tmp_path)
    model = Model.load(done.folder, device="cpu", answer=8)
    assert model.vlm.spec.codec == model.vlm.spec.dialogue == "pae"
    look = model.look(np.zeros((20, 30, 3), np.uint8))
    sample = look._task("reconstruction", region=Point(15, 5))
    text = model.vlm.encoder.dialogue.render(sample, model.vlm.encoder.codec, look.frames).text("#")
    assert text == "<s>[INST] <Img>#</Img> [reconstruct] loc: [50,25] rgb: [/INST]"
    assert look.pixels(2).shape == (2, 2, 3)
    (answer,) = look.answers([sample], constrain="colour")
    assert isinstance(answer.parts[0], Colour)
    locate = look._task("grounding", phrase="the cup")
    assert "[refer] " in model.vlm.encoder.dialogue.render(locate, model.vlm.encoder.codec, look.frames).text("#")
    assert model.vlm.encoder.codec.text(Box(15, 5, 30, 10), look.frames[0]) == "{<50><25><100><50>}"


def test_what_is_refused(released, tmp_path):
    model, rest, folder = released["model"], released["rest"], released["folder"]

    def written(tensors: dict, name: str, **more):
        torch.save({"model": tensors, **rest, **more}, tmp_path / name)
        return tmp_path / name

    def says(message: str, file, **changes):
        with pytest.raises((CheckpointError, ConfigError), match=message):
            family(released, **changes).write(file, tmp_path / "out", dtype="float32")
        assert not (tmp_path / "out" / "model").exists()

    says("does not know: got 2: Qformer.x, query_tokens", written(
        {**model, "query_tokens": torch.ones(1), "Qformer.x": torch.ones(1)}, "v1.pth"))
    says("missing from the file: got 2: bridge.project.bias, bridge.project.weight", written(
        {n: t for n, t in model.items() if "proj." not in n or "lora" in n}, "no-bridge.pth"))
    says("missing from the file: got 1: language.model.layers.1.self_attn.q_proj.lora_B", written(
        {n: t for n, t in model.items() if not re.search(r"layers\.1.*q_proj\.lora_B", n)}, "half.pth"))
    says("LoRA matrices of one rank", written({"llama_proj.weight": torch.ones(1)}, "no-lora.pth"))
    says("another shape.*bridge.project.weight", written(
        {**model, "llama_proj.weight": torch.ones(24, WIDTH)}, "narrow.pth"))
    says("half a norm", written({**model, "ln_vision.weight": torch.ones(WIDTH)}, "norm.pth"))
    says("unknown form.*did you mean 'pae'", folder / "checkpoint.pth", form="pea")
    says("cannot tell the number of heads", folder / "checkpoint.pth", heads=None)
    says("not the weights of an EVA tower", folder / "checkpoint.pth", vision=str(folder / "checkpoint.pth"))
    says("does not exist", tmp_path / "nowhere.pth")
    (tmp_path / "torn.pth").write_bytes((folder / "checkpoint.pth").read_bytes()[:2000])
    says("cannot read", tmp_path / "torn.pth")
    (tmp_path / "words.pth").write_text("hello")
    says("no file of weights: got a file that begins with b'hello'", tmp_path / "words.pth")
    assert not importer("minigpt-v2").__doc__.startswith(" ")


class Evil:
    def __reduce__(self):
        return (print, ("run",))


def test_nothing_in_a_file_is_run(tmp_path, capsys):
    torch.save({"model": {"a": torch.ones(1)}, "config": Evil()}, tmp_path / "evil.pth")
    with pytest.raises(CheckpointError, match="holds more than weights"):
        read(tmp_path / "evil.pth", "model")
    assert "run" not in capsys.readouterr().out


@torch.no_grad()
def test_a_tuned_tower_in_the_file_is_taken(released, tmp_path):
    """As after the paper's second stage: tower and norm are among the trained weights."""
    tuned = eva_tensors(seed=9)
    tuned = {n: t for n, t in tuned.items() if n not in ("mask_token", "norm.weight", "head.weight")}
    model = {**released["model"], **{f"visual_encoder.{n}": t for n, t in tuned.items()},
             "ln_vision.weight": torch.full((WIDTH,), 2.0), "ln_vision.bias": torch.zeros(WIDTH)}
    torch.save({"model": model}, tmp_path / "tuned.pth")
    done = family(released, vision="").write(tmp_path / "tuned.pth", tmp_path, dtype="float32")
    pixels = torch.randn(1, 3, SIZE, SIZE, generator=torch.Generator().manual_seed(2))
    want = 2 * F.layer_norm(eva_forward(tuned, pixels, DEPTH), (WIDTH,), eps=1e-5)[:, 1:]
    assert torch.allclose(load(done.folder).vision(pixels), want, atol=5e-3)
