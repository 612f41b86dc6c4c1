"""Tiny randomly weighted checkpoints of other families, as their folders look."""

from __future__ import annotations

from pathlib import Path

WORDS = ["Where is the red cup? Answer with one box and nothing else, like this:", "Describe What is in ?",
         "[{\"bbox_2d\": [64, 119, 322, 357], \"label\": \"cup\"}]", "[0.10, 0.31, 0.50, 0.69]", "0123456789 ,."]
QWEN_TEMPLATE = (
    "{%- for m in messages -%}<|im_start|>{{ m.role }}\n{%- if m.content is string -%}{{ m.content }}{%- else -%}"
    "{%- for c in m.content -%}{%- if c.type == 'image' -%}<|vision_start|><|image_pad|><|vision_end|>"
    "{%- else -%}{{ c.text }}{%- endif -%}{%- endfor -%}{%- endif -%}<|im_end|>\n{% endfor -%}"
    "{%- if add_generation_prompt -%}<|im_start|>assistant\n{% endif -%}")
LLAVA_TEMPLATE = (
    "{%- for m in messages -%}{{ m.role.upper() }}: {% for c in m.content -%}{%- if c.type == 'image' -%}<image>\n"
    "{%- else -%}{{ c.text }}{%- endif -%}{%- endfor -%}{{ ' ' if m.role == 'user' else '</s>' }}{%- endfor -%}"
    "{%- if add_generation_prompt -%}ASSISTANT:{% endif -%}")
TEXT = {"hidden_size": 32, "intermediate_size": 48, "num_hidden_layers": 2, "num_attention_heads": 2,
        "num_key_value_heads": 1, "max_position_embeddings": 4096}
MROPE = {"rope_type": "default", "rope_theta": 10000.0, "mrope_section": [2, 3, 3]}


def write(kind: str, folder: Path) -> Path:
    """kind: "qwen2_vl", "qwen2_5_vl", "qwen3_vl", "llava" or "llava_next"."""
    import torch

    torch.manual_seed(7)
    qwen = kind.startswith("qwen")
    tokenizer = _tokenizer(qwen)
    ids = {name: tokenizer.convert_tokens_to_ids(token) for name, token in (
        ("image_token_id", "<|image_pad|>" if qwen else "<image>"), ("video_token_id", "<|video_pad|>"),
        ("vision_start_token_id", "<|vision_start|>"), ("vision_end_token_id", "<|vision_end|>"))}
    model = _qwen(kind, ids, len(tokenizer)) if qwen else _llava(kind, ids, len(tokenizer))
    with torch.no_grad():  # loud enough that answers differ
        for p in model.parameters():
            if p.ndim > 1:
                p.mul_(4)
    model.generation_config.eos_token_id = tokenizer.eos_token_id if not qwen else [
        tokenizer.eos_token_id, tokenizer.convert_tokens_to_ids("<|endoftext|>")]
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    _images(kind).save_pretrained(folder)
    if kind == "llava_next":
        from transformers import LlavaNextProcessor

        LlavaNextProcessor(_images(kind), tokenizer, patch_size=14, vision_feature_select_strategy="default",
                           chat_template=LLAVA_TEMPLATE, num_additional_image_tokens=1).save_pretrained(folder)
    return folder


def only_says(folder: Path, text: str) -> None:
    """Make a written LLaVA answer anything with this text: letters none of which comes twice."""
    import torch
    from transformers import AutoTokenizer, LlavaForConditionalGeneration

    tokenizer, model = AutoTokenizer.from_pretrained(folder), LlavaForConditionalGeneration.from_pretrained(folder)
    ids = [*map(tokenizer.convert_tokens_to_ids, text), tokenizer.eos_token_id]
    language, project = model.model.language_model, model.model.multi_modal_projector.linear_2
    words, head = language.embed_tokens.weight, model.lm_head.weight
    with torch.no_grad():
        for layer in language.layers:  # no layer adds anything: a token is followed by what its own row says
            layer.self_attn.o_proj.weight.zero_()
            layer.mlp.down_proj.weight.zero_()
        for each in (words, head, project.weight, project.bias):
            each.zero_()
        words[:, 0] = project.bias[0] = 1
        for k, token in enumerate(ids):
            head[token, k] = 10
            words[token] = torch.eye(words.shape[1])[k + 1]
    model.save_pretrained(folder)


def _tokenizer(qwen: bool):
    from loupe.models.tokenizer import train_tokenizer

    marks = ["<|im_start|>", "<|im_end|>", "<|endoftext|>", "<|vision_start|>", "<|vision_end|>", "<|image_pad|>",
             "<|video_pad|>", "<|box_start|>", "<|box_end|>"] if qwen else ["<s>", "</s>", "<image>"]
    tokenizer = train_tokenizer(WORDS, 400, marks)
    tokenizer.eos_token = "<|im_end|>" if qwen else "</s>"
    tokenizer.chat_template = QWEN_TEMPLATE if qwen else LLAVA_TEMPLATE
    return tokenizer


def _qwen(kind: str, ids: dict, vocabulary: int):
    import transformers as t

    text = {**TEXT, "vocab_size": vocabulary, "rope_parameters": MROPE}
    if kind == "qwen3_vl":
        text |= {"head_dim": 16, "rope_parameters": {**MROPE, "mrope_interleaved": True}}
        vision = {"depth": 3, "hidden_size": 32, "intermediate_size": 32, "num_heads": 2, "patch_size": 14,
                  "out_hidden_size": 32, "deepstack_visual_indexes": [0, 1], "num_position_embeddings": 64}
        return t.Qwen3VLForConditionalGeneration(t.Qwen3VLConfig(text_config=text, vision_config=vision, **ids))
    if kind == "qwen2_vl":
        vision = {"depth": 2, "embed_dim": 32, "hidden_size": 32, "num_heads": 2, "mlp_ratio": 2, "patch_size": 14}
        return t.Qwen2VLForConditionalGeneration(t.Qwen2VLConfig(text_config=text, vision_config=vision, **ids))
    vision = {"depth": 2, "hidden_size": 32, "intermediate_size": 32, "num_heads": 2, "patch_size": 14,
              "out_hidden_size": 32, "window_size": 56, "fullatt_block_indexes": [1]}
    return t.Qwen2_5_VLForConditionalGeneration(t.Qwen2_5_VLConfig(text_config=text, vision_config=vision, **ids))


def _llava(kind: str, ids: dict, vocabulary: int):
    import transformers as t

    vision = t.CLIPVisionConfig(hidden_size=32, intermediate_size=32, num_hidden_layers=3, num_attention_heads=2,
                                image_size=56, patch_size=14)
    text = t.LlamaConfig(vocab_size=vocabulary, **TEXT)
    if kind == "llava_next":
        return t.LlavaNextForConditionalGeneration(t.LlavaNextConfig(
            vision_config=vision, text_config=text, image_token_id=ids["image_token_id"],
            image_grid_pinpoints=[[56, 112], [112, 56]]))
    return t.LlavaForConditionalGeneration(t.LlavaConfig(
        vision_config=vision, text_config=text, image_token_id=ids["image_token_id"], image_seq_length=16))


def _images(kind: str):
    if kind == "llava":
        from transformers.models.clip.image_processing_pil_clip import CLIPImageProcessorPil

        return CLIPImageProcessorPil(size={"shortest_edge": 56}, crop_size={"height": 56, "width": 56})
    if kind == "llava_next":
        from transformers.models.llava_next.image_processing_pil_llava_next import LlavaNextImageProcessorPil

        return LlavaNextImageProcessorPil(size={"shortest_edge": 56}, crop_size={"height": 56, "width": 56},
                                          image_grid_pinpoints=[[56, 112], [112, 56]])
    from transformers.models.qwen2_vl.image_processing_pil_qwen2_vl import Qwen2VLImageProcessorPil

    return Qwen2VLImageProcessorPil(size={"shortest_edge": 56 * 56, "longest_edge": 112 * 140}, patch_size=14)
