"""Messages of a chat as the tokens and tensors of a transformers model."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from loupe.errors import CheckpointError, ConfigError
from loupe.predictors.families import Family


@dataclass(frozen=True)
class Pixels:
    """What the model gets of one picture, and how many tokens stand for it."""

    tensors: dict[str, Tensor]
    tokens: int


class Chat:
    """Tokenizer, chat template and image processor of one checkpoint.

    `family.tokens` "grid" and "square" put the picture's tokens in by themselves: their processors in transformers want
    torchvision for videos. Other families go through AutoProcessor.
    """

    def __init__(self, place: str, config, family: Family):
        from transformers import AutoImageProcessor, AutoProcessor

        from loupe.models.assembly import load_tokenizer

        self.family, self.config = family, config
        self.tokenizer, self.processor = load_tokenizer(place), None
        try:
            if family.tokens:
                self.images = AutoImageProcessor.from_pretrained(place, backend="pil")
            else:
                self.processor = AutoProcessor.from_pretrained(place)
                self.images = getattr(self.processor, "image_processor", None)
        except (OSError, ImportError, ValueError, AttributeError) as error:
            raise CheckpointError("the picture side of this checkpoint cannot be opened", where=place,
                                  got=f"{type(error).__name__}: {error}"[:300],
                                  do="it needs preprocessor_config.json; some families need torchvision") from None
        self.template = _template(place, self.tokenizer, self.processor)
        self.mark_id = _image_token(config)
        self.mark = self.tokenizer.convert_ids_to_tokens(self.mark_id)

    @property
    def side(self) -> int:
        """Of the square picture the tower takes, where it takes one."""
        size = getattr(self.images, "crop_size", None) if getattr(self.images, "do_center_crop", False) else None
        size = size or getattr(self.images, "size", None) or {}
        values = [size[key] if isinstance(size, dict) else getattr(size, key, None)
                  for key in ("height", "shortest_edge") if not isinstance(size, dict) or key in size]
        return next((int(v) for v in values if v), 0)

    def pixels(self, picture) -> Pixels:
        """One Pillow image of the size its frame says; nothing is resized or cropped any more."""
        made = self.images(images=picture, return_tensors="pt", do_resize=False, **self._uncut())
        if self.family.tokens == "grid":
            count = int(made["image_grid_thw"].prod()) // self.images.merge_size ** 2
        else:
            vision = self.config.vision_config
            patches = (made["pixel_values"].shape[-2] // vision.patch_size) * (
                made["pixel_values"].shape[-1] // vision.patch_size)
            whole = getattr(self.config, "vision_feature_select_strategy", "default") == "full"
            classed = whole and "clip" in vision.model_type
            count = patches + int(classed)
        return Pixels(dict(made), count)

    def _uncut(self) -> dict[str, bool]:
        return {name: False for name in ("do_center_crop", "do_pad") if getattr(self.images, name, None)}

    def encode(self, messages: Sequence[dict], pictures: Sequence, answered: bool) -> tuple[list[int], dict, Tensor]:
        """(ids, tensors of all pictures in the order of their marks, ids of the answer the messages end with).

        pictures: Pixels, or for a processor Pillow images, in the order of their marks.
        """
        said = ""
        if answered:
            *messages, last = messages
            said = "".join(item["text"] for item in last["content"])
        text = self._text(messages)
        if self.processor is not None:
            made = self.processor(text=[text], images=list(pictures) or None, return_tensors="pt")
            ids = made.pop("input_ids")[0].tolist()
            tensors = {k: v for k, v in made.items() if k not in ("attention_mask", "mm_token_type_ids")}
        else:
            pieces = text.split(self.mark)
            if len(pieces) - 1 != len(pictures):
                raise ConfigError("a question holds the mark of a picture", got=repr(self.mark), do="leave it out")
            text = pieces[0] + "".join(self.mark * p.tokens + piece for p, piece in zip(pictures, pieces[1:]))
            ids, tensors = self._ids(text), _stacked([p.tensors for p in pictures])
        return ids, tensors, self.tokenizer.encode(said, add_special_tokens=False) if answered else []

    def _text(self, messages: Sequence[dict]) -> str:
        from jinja2 import TemplateError

        try:
            return self.tokenizer.apply_chat_template(messages, chat_template=self.template, tokenize=False,
                                                      add_generation_prompt=True)
        except TemplateError as error:
            raise ConfigError("the chat template does not take these turns", got=str(error)[:200]) from None

    def _ids(self, text: str) -> list[int]:
        begin = self.tokenizer.bos_token
        return self.tokenizer.encode(text, add_special_tokens=not (begin and text.startswith(begin)))


def _image_token(config) -> int:
    for name in ("image_token_id", "image_token_index"):
        if getattr(config, name, None) is not None:
            return int(getattr(config, name))
    raise CheckpointError("this model has no token for pictures", got=config.model_type,
                          expected="an image-text-to-text model with image_token_id in its config")


def _template(place: str, tokenizer, processor) -> str:
    """Of the processor, of the tokenizer, or of chat_template.json, as older checkpoints keep it."""
    found = getattr(processor, "chat_template", None) or tokenizer.chat_template
    file = Path(place) / "chat_template.json"
    if not found and file.is_file():
        found = json.loads(file.read_text("utf-8")).get("chat_template")
    if isinstance(found, dict):
        found = found.get("default")
    if not found:
        raise CheckpointError("this checkpoint has no chat template", where=place,
                              expected="chat_template.jinja, or chat_template in tokenizer_config.json")
    return found


def _stacked(many: Sequence[dict[str, Tensor]]) -> dict[str, Tensor]:
    return {key: torch.cat([each[key] for each in many]) for key in many[0]} if many else {}
