"""Shapes of the published backbones the papers use, so that their parameters can be counted without a download,
and the marks their tokenizers bring along."""

VICUNA_7B = {
    "model_type": "llama", "vocab_size": 32000, "hidden_size": 4096, "intermediate_size": 11008,
    "num_hidden_layers": 32, "num_attention_heads": 32, "num_key_value_heads": 32, "max_position_embeddings": 2048,
    "rms_norm_eps": 1e-6, "tie_word_embeddings": False,
}
LLAMA2_7B = {**VICUNA_7B, "max_position_embeddings": 4096, "rms_norm_eps": 1e-5}
VICUNA_13B = {
    **LLAMA2_7B, "hidden_size": 5120, "intermediate_size": 13824, "num_hidden_layers": 40, "num_attention_heads": 40,
    "num_key_value_heads": 40,
}
CLIP_L = {
    "model_type": "clip_vision_model", "hidden_size": 1024, "intermediate_size": 4096, "num_hidden_layers": 24,
    "num_attention_heads": 16, "image_size": 224, "patch_size": 14, "hidden_act": "quick_gelu", "projection_dim": 768,
}
CLIP_BIG_G = {
    "model_type": "clip_vision_model", "hidden_size": 1664, "intermediate_size": 8192, "num_hidden_layers": 48,
    "num_attention_heads": 16, "image_size": 224, "patch_size": 14, "hidden_act": "gelu", "projection_dim": 1280,
}
EVA_G = {
    "model_type": "blip_2_vision_model", "hidden_size": 1408, "intermediate_size": 6144, "num_hidden_layers": 39,
    "num_attention_heads": 16, "image_size": 224, "patch_size": 14, "hidden_act": "gelu", "qkv_bias": True,
}

PUBLISHED: dict[str, dict] = {
    "openai/clip-vit-large-patch14": CLIP_L,
    "openai/clip-vit-large-patch14-336": {**CLIP_L, "image_size": 336},
    "laion/CLIP-ViT-bigG-14-laion2B-39B-b160k": CLIP_BIG_G,
    "Salesforce/blip2-opt-2.7b": EVA_G,
    "lmsys/vicuna-7b-v1.1": VICUNA_7B,
    "lmsys/vicuna-7b-v1.3": VICUNA_7B,
    "lmsys/vicuna-7b-v1.5": {**LLAMA2_7B},
    "lmsys/vicuna-13b-v1.5": VICUNA_13B,
    "meta-llama/Llama-2-7b-chat-hf": LLAMA2_7B,
}

OWN_TOKENS = {name: ("<unk>", "<s>", "</s>") for name, shape in PUBLISHED.items() if shape["model_type"] == "llama"}
