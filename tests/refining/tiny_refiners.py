"""Tiny randomly weighted checkpoints of the parts of a refiner, as their folders look."""

from __future__ import annotations

import json
from pathlib import Path

WORDS = ["cup", "plate", "red", "a", "photo", "of", "sky", "person", "##s", "circle"]


def bert_tokenizer():
    """BERT's marks at BERT's ids, which Grounding-DINO has built in."""
    from transformers import BertTokenizerFast

    vocab = ["[PAD]", *(f"[unused{k}]" for k in range(1, 1040))]
    for token, at in (("[UNK]", 100), ("[CLS]", 101), ("[SEP]", 102), ("[MASK]", 103), (".", 1012), ("?", 1029),
                      (",", 1010), *((word, 200 + k) for k, word in enumerate(WORDS))):
        vocab[at] = token
    return BertTokenizerFast(vocab={token: k for k, token in enumerate(vocab)})


def detector(folder: Path, queries: int = 12, longest: int = 24) -> Path:
    import torch
    from transformers import GroundingDinoConfig, GroundingDinoForObjectDetection

    torch.manual_seed(0)
    config = GroundingDinoConfig(
        backbone_config={"model_type": "swin", "embed_dim": 8, "depths": [1, 1, 1, 1], "num_heads": [1, 1, 1, 1],
                         "window_size": 2, "image_size": 64, "out_indices": [2, 3, 4]},
        text_config={"model_type": "bert", "vocab_size": 1040, "hidden_size": 16, "num_hidden_layers": 1,
                     "num_attention_heads": 2, "intermediate_size": 16},
        d_model=32, encoder_layers=1, decoder_layers=2, encoder_attention_heads=2, decoder_attention_heads=2,
        encoder_ffn_dim=16, decoder_ffn_dim=16, num_queries=queries, max_text_len=longest, dropout=0.0)
    model = loud(GroundingDinoForObjectDetection(config))
    model.save_pretrained(folder)
    bert_tokenizer().save_pretrained(folder)
    settings(folder, {"size": {"shortest_edge": 64, "longest_edge": 96}})
    return folder


def segmenter(kind: str, folder: Path) -> Path:
    import torch
    import transformers as t

    torch.manual_seed(0)
    prompt = {"hidden_size": 16, "image_size": 64, "patch_size": 16, "image_embedding_size": 4}
    decoder = {"hidden_size": 16, "num_attention_heads": 2, "mlp_dim": 16, "num_hidden_layers": 2,
               "iou_head_hidden_dim": 16}
    vision = {"hidden_size": 16, "output_channels": 16, "num_hidden_layers": 2, "num_attention_heads": 2,
              "image_size": 64, "patch_size": 16, "num_pos_feats": 8, "mlp_dim": 16, "global_attn_indexes": [0, 1],
              "window_size": 2}
    parts = {"vision_config": vision, "prompt_encoder_config": prompt, "mask_decoder_config": decoder}
    if kind == "sam":
        model = t.SamModel(t.SamConfig(**parts))
    elif kind == "sam_hq":
        model = t.SamHQModel(t.SamHQConfig(**{**parts, "mask_decoder_config": {**decoder, "vit_dim": 16}}))
    else:
        backbone = {"model_type": "sam2_hiera_det_model", "hidden_size": 8, "num_attention_heads": 1,
                    "image_size": [128, 128],
                    "blocks_per_stage": [1, 1, 2, 1], "embed_dim_per_stage": [8, 16, 32, 64],
                    "num_attention_heads_per_stage": [1, 2, 4, 8], "window_size_per_stage": [8, 4, 4, 4],
                    "global_attention_blocks": [3], "window_positional_embedding_background_size": [2, 2]}
        vision = {"backbone_config": backbone, "backbone_channel_list": [64, 32, 16, 8], "fpn_hidden_size": 16,
                  "backbone_feature_sizes": [[32, 32], [16, 16], [8, 8]]}
        prompt = {"hidden_size": 16, "image_size": 128, "patch_size": 16}
        model = t.Sam2Model(t.Sam2Config(**{**parts, "vision_config": vision, "prompt_encoder_config": prompt}))
    loud(model).save_pretrained(folder)
    return folder


def tagger(kind: str, folder: Path) -> Path:
    import torch
    import transformers as t

    torch.manual_seed(0)
    side = {"hidden_size": 16, "intermediate_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2}
    tokenizer = bert_tokenizer()
    text = {**side, "vocab_size": 1040, "max_position_embeddings": 16, "eos_token_id": 102, "pad_token_id": 0,
            "bos_token_id": 101}
    vision = {**side, "image_size": 32, "patch_size": 16}
    if kind == "clip":
        model = t.CLIPModel(t.CLIPConfig(text_config=text, vision_config=vision, projection_dim=16))
    else:
        model = t.SiglipModel(t.SiglipConfig(text_config=text, vision_config=vision))
    loud(model).save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


def loud(model, times: float = 3.0):
    """So that answers differ."""
    import torch

    with torch.no_grad():
        for name, p in model.named_parameters():
            if p.ndim > 1 and "embed" not in name:
                p.mul_(times)
    return model.eval()


def settings(folder: Path, said: dict) -> None:
    said = {"image_mean": [0.485, 0.456, 0.406], "image_std": [0.229, 0.224, 0.225], **said}
    (folder / "preprocessor_config.json").write_text(json.dumps(said))
