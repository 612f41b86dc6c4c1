"""Grounding-DINO of transformers as open-set detector: tags in one sentence, a row for every query."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby

import numpy as np
import torch
from torch import Tensor

from loupe.errors import CheckpointError
from loupe.frame import Frame, squash
from loupe.image import Image
from loupe.models.refined import distinct
from loupe.refining.checkpoint import Pixels, kind_of, model_of, pixels_of, preprocessing, tokenizer_of
from loupe.refining.parts import BOX_NUMBERS, Detection, Thresholds, fingerprint
from loupe.regions import Box

KINDS = {"grounding-dino": "GroundingDinoForObjectDetection", "mm-grounding-dino": "MMGroundingDinoForObjectDetection"}
SHORT, LONG = 800, 1333  # pixels of the sides, Grounding-DINO's own
BOX, OVERLAP = 0.35, 0.7  # BOX is its authors' choice; RAM's synonyms say one thing twice, so overlaps go


def load(name: str, thresholds: Thresholds, device: str = "cpu", between: str = ".") -> GroundingDino:
    kind = kind_of(name, KINDS, "detector")
    said = preprocessing(name)
    return GroundingDino(model_of(name, KINDS[kind], device), tokenizer_of(name), pixels_of(said), name, thresholds,
                         sides_of(said), between)


def sides_of(said: dict) -> tuple[int, int]:
    """(shortest, longest) side that the checkpoint's settings say."""
    size = said.get("size")
    size = size if isinstance(size, dict) else {"shortest_edge": size or SHORT}
    return int(size.get("shortest_edge", SHORT)), int(size.get("longest_edge", said.get("max_size", LONG)))


class GroundingDino:
    """The score of a tag at a query is its best token's; a query says its best tag, and a tag may be said by several.

    between: joins tags. The model was trained on full stops, "cup. plate.", which hide tags from each other; the paper
    joins by commas, "cup, plate." (§3.1). Tags that do not fit one prompt are asked in several, whose queries are
    pooled. Only pictures of one size run together, so nothing is padded and a picture's rows do not depend on its
    neighbours.
    """

    def __init__(self, model, tokenizer, pixels: Pixels, name: str, thresholds: Thresholds | None = None,
                 sides: tuple[int, int] = (SHORT, LONG), between: str = "."):
        given = thresholds or Thresholds()
        self.model, self.tokenizer, self.pixels, self.sides, self.name = model, tokenizer, pixels, sides, name
        self.width, self.queries = model.config.d_model, model.config.num_queries
        self.threshold = BOX if given.box is None else given.box
        self.overlap = OVERLAP if given.overlap is None else given.overlap
        self.longest = model.config.max_text_len
        marks = [tokenizer.cls_token_id, *tokenizer.convert_tokens_to_ids([between, "."]), tokenizer.sep_token_id]
        if None in marks or tokenizer.unk_token_id in marks:
            raise CheckpointError("this tokenizer is not a Grounding-DINO's", where=name, expected="BERT's",
                                  got=f"ids {marks} of [CLS] {between} . [SEP]")
        self.start, self.between, self.stop, self.end = marks
        self.apart = str.maketrans(f"{between}.", " " * (len(between) + 1))  # inside a tag they would end it
        self.identity = {"weights": fingerprint(model), "box": self.threshold, "overlap": self.overlap,
                         "sides": list(sides), **({} if between == "." else {"between": between})}

    def detect(self, images: Sequence[Image], words: Sequence[Sequence[str]]) -> list[Detection]:
        prompts = [(k, prompt) for k, some in enumerate(words) for prompt in self.prompts(some)]
        frames = [self.frame(image) for image in images]
        shape = lambda work: (frames[work[0]].width, frames[work[0]].height)  # noqa: E731
        answers: dict[int, list] = {}
        for _, group in groupby(sorted(prompts, key=shape), key=shape):
            group = list(group)
            for first in range(0, len(group), max(1, len(images))):
                some = group[first:first + max(1, len(images))]
                for (k, (tags, _, _)), rows in zip(some, self._run(images, frames, some)):
                    answers.setdefault(k, []).append((tags, *rows))
        return [self._picture(image, answers[k]) if k in answers else Detection.nothing(self.width)
                for k, image in enumerate(images)]

    def frame(self, image: Image) -> Frame:
        """The shorter side becomes the model's, unless the longer one then is too long."""
        width, height = image.size
        short, long = min(width, height), max(width, height)
        scale = min(self.sides[0] / short, self.sides[1] / long)
        return squash(width, height, (max(1, round(width * scale)), max(1, round(height * scale))))

    def prompts(self, words: Sequence[str]) -> list[tuple[list[str], list[int], list[int]]]:
        """(tags, token ids with marks, for every token the position of its tag or -1) of each prompt."""
        out: list[tuple[list[str], list[int], list[int]]] = []
        for word in words:
            plain = " ".join(word.lower().translate(self.apart).split())
            ids = self.tokenizer(plain, add_special_tokens=False)["input_ids"][:self.longest - 3] if plain else []
            if not ids:
                continue
            if not out or len(out[-1][1]) + len(ids) + 2 > self.longest:
                out.append(([], [self.start], [-1]))
            tags, prompt, owner = out[-1]
            prompt += [*ids, self.between]
            owner += [len(tags)] * len(ids) + [-1]
            tags.append(word)
        return [(tags, [*prompt[:-1], self.stop, self.end], [*owner, -1]) for tags, prompt, owner in out]

    @torch.inference_mode()
    def _run(self, images: Sequence[Image], frames: Sequence[Frame], some: Sequence) -> list[tuple[Tensor, ...]]:
        """(scores [Q, tags], boxes [Q, 4] as centre and size, states [Q, width]) of each (picture, prompt)."""
        device = self.model.device
        longest = max(len(ids) for _, (_, ids, _) in some)
        pad = self.tokenizer.pad_token_id or 0
        ids = torch.tensor([ids + [pad] * (longest - len(ids)) for _, (_, ids, _) in some], device=device)
        mask = torch.tensor([[1] * len(ids) + [0] * (longest - len(ids)) for _, (_, ids, _) in some], device=device)
        pixels = self.pixels.tensor([images[k] for k, _ in some], [frames[k] for k, _ in some], device)
        out = self.model(pixel_values=pixels, input_ids=ids, attention_mask=mask, token_type_ids=torch.zeros_like(ids))
        likely = out.logits.sigmoid()  # [B, Q, max_text_len]
        rows = []
        for b, (_, (tags, _, owner)) in enumerate(some):
            place = torch.tensor(owner, device=device)
            scores = torch.stack([likely[b, :, :len(owner)][:, place == t].amax(-1) for t in range(len(tags))], -1)
            rows.append((scores.cpu(), out.pred_boxes[b].cpu(), out.last_hidden_state[b].cpu()))
        return rows

    def _picture(self, image: Image, answers: list) -> Detection:
        """The queries of all prompts of one picture, the best ones of them, as many as one prompt has."""
        best = torch.cat([scores.amax(-1) for _, scores, _, _ in answers])
        said = [tags[k] for tags, scores, _, _ in answers for k in scores.argmax(-1).tolist()]
        centres, states = (torch.cat([answer[k] for answer in answers]).numpy() for k in (2, 3))
        order = best.sort(descending=True, stable=True).indices[:self.queries].numpy()
        scores, centres, states = best.numpy()[order], centres[order], states[order]
        corners = np.clip(np.concatenate([centres[:, :2] - centres[:, 2:] / 2, centres[:, :2] + centres[:, 2:] / 2], 1),
                          0, 1).astype(np.float64)
        over = int((scores >= self.threshold).sum())
        kept = distinct(corners[:over], self.overlap)
        rows = np.concatenate([kept, np.setdiff1d(np.arange(len(order)), kept)]).astype(np.int64)
        sides = np.array([*image.size, *image.size], np.float64)
        boxes = tuple(Box(*(float(v) for v in corners[k] * sides)) for k in kept)
        queries = np.concatenate([states, centres], 1).astype(np.float32)
        assert queries.shape[1] == self.width + BOX_NUMBERS
        return Detection(tuple(said[order[k]] for k in kept), ((),) * len(kept), boxes,
                         scores[rows].astype(np.float32), queries[rows])
