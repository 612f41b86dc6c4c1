"""Stand-ins for what the package carries: the same layouts with next to no weights."""

from __future__ import annotations

from pathlib import Path

TOWER = {"model_type": "clip_vision_model", "hidden_size": 32, "intermediate_size": 32, "num_hidden_layers": 2,
         "num_attention_heads": 2, "image_size": 96, "patch_size": 24, "projection_dim": 16}
LANGUAGE = {"model_type": "qwen3", "hidden_size": 32, "intermediate_size": 32, "num_hidden_layers": 1, "head_dim": 16,
            "num_attention_heads": 2, "num_key_value_heads": 2, "tie_word_embeddings": True,
            "max_position_embeddings": 1024}
WORDS = ("Where is the large striped red circle? What is in this region? a small dotted blue star left of the moon",
         "How many of these are there: square? none, heart, person, sign, triangle, cross, ring, yes, no")


def write(folder: Path, card: str = "# A stand-in\n") -> Path:
    """tower/, vision/, language/ and mini/ below `folder`, in half precision, as the package has them."""
    import torch

    from loupe.codec import codec
    from loupe.dialogue import dialogue
    from loupe.models import checkpoint
    from loupe.models.assembly import build
    from loupe.models.spec import BridgeSpec, LanguageSpec, ModelSpec, VisionSpec
    from loupe.models.tokenizer import TOKENIZER_HASH, train_tokenizer, vocabulary_hash

    tokens = (*codec("xy").tokens, *dialogue("mini").tokens)
    tokenizer = train_tokenizer(WORDS, 900, tokens)
    spec = ModelSpec(VisionSpec(config=TOWER, layer=-1, size=96, attention="lean"), BridgeSpec("linear", position=True),
                     LanguageSpec(config=LANGUAGE, attention="lean", max_length=1024), "xy", "mini")
    model = build(spec, seed=5, tokenizer=tokenizer)
    checkpoint.save(model, folder / "mini", half=True)
    setattr(model.language.config, TOKENIZER_HASH, vocabulary_hash(tokenizer))
    model.vision.model.to(torch.float16).save_pretrained(folder / "tower")
    with torch.no_grad():
        model.vision.model.post_layernorm.weight.mul_(0.5)  # another part
    model.vision.model.save_pretrained(folder / "vision")
    model.language.to(torch.float16).save_pretrained(folder / "language")
    tokenizer.save_pretrained(folder / "language")
    for part in folder.iterdir():
        (part / "README.md").write_text(card)
    return folder
