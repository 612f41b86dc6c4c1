"""The model: a vision tower, a bridge and a causal language model."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from loupe.errors import ConfigError
from loupe.models import stack
from loupe.models.attention import Front
from loupe.models.batch import Batch
from loupe.models.bridge import Bridge
from loupe.models.encoding import Encoder
from loupe.models.mqformer import Found, Querying
from loupe.models.spec import ModelSpec
from loupe.models.vision import VisionTower


class VLM(nn.Module):
    """Built parts in, losses and hidden states out. `structure` and `bases` are what a checkpoint must remember.

    structure: part -> tuners that added modules or trained base weights; bases: part -> the checkpoint it came from.
    Without pictures (bridge kind "none") vision and bridge are None.
    """

    def __init__(self, spec: ModelSpec, vision: VisionTower | None, bridge: Bridge | Querying | None,
                 language: nn.Module, encoder: Encoder | None = None):
        super().__init__()
        self.spec, self.encoder = spec, encoder
        self.vision, self.bridge, self.language = vision, bridge, language
        self.structure: dict[str, list] = {"vision": [], "bridge": [], "language": []}
        self.bases: dict[str, dict] = {}
        self.refined_by: dict = {}  # identity of the refiner it was trained with

    @property
    def device(self) -> torch.device:
        return next(self.language.parameters()).device

    @property
    def decoder(self) -> nn.Module:
        """The language model without its head."""
        return self.language.base_model

    def see(self, pixels: Tensor, found: Found | None = None) -> Tensor:
        """[N, 3, S, S] -> [N, T, D]: what the language model gets to see of each image. `found`: what a refiner found
        in them, for a bridge of kind "mqformer"; without it such a bridge sees that nothing was found."""
        if not len(pixels):
            width = self.language.config.get_text_config().hidden_size
            return pixels.new_zeros(0, self.bridge.tokens if self.bridge else 0, width)
        if found is None and self.spec.refiner is not None:
            raise ConfigError("this model sees what a refiner found, and is given nothing of it", where="model.refiner",
                              got="pictures alone", expected=f"rows of the refiner {self.spec.refiner.name!r}",
                              do="ask through loupe.load, or set model.encoder.finder (loupe.refining.finder)")
        tokens = self.vision(pixels.to(next(self.vision.parameters()).dtype))
        return self.bridge(tokens, found) if isinstance(self.bridge, Querying) else self.bridge(tokens)

    def embed(self, ids: Tensor, seen: Tensor | None = None, slots: Tensor | None = None,
              which: Tensor | None = None) -> Tensor:
        """ids [B, T] -> [B, T, D], with image tokens in their places.

        Either ids hold negative image ids (one row, one group of images: `seen` [N, K, D] in order), or `slots` and
        `which` [I] say which flat place takes which flat image token.
        """
        if slots is None and seen is not None:
            flat = ids.reshape(-1)
            slots = (flat < 0).nonzero()[:, 0]
            tokens = seen.shape[1]
            which = (-1 - flat[slots]) * tokens + torch.arange(len(slots), device=ids.device) % tokens
        x = self.language.get_input_embeddings()(ids.clamp(min=0))
        if slots is None or not len(slots):
            return x
        image = seen.reshape(-1, seen.shape[-1])[which].to(x.dtype)
        return x.reshape(-1, x.shape[-1]).index_copy(0, slots, image).view_as(x)

    def packed(self, x: Tensor, batch: Batch) -> Tensor:
        """[B, T, D] -> [B, T, D], behind the final norm, of a packed batch."""
        if self.spec.language.attention != "lean" or batch.blocks is None:
            return self.hidden(x, batch.mask, batch.positions)
        out = self.decoder(inputs_embeds=x, attention_mask=x.new_zeros(1, 1, 1, 1), position_ids=batch.positions,
                           use_cache=False, blocks=batch.blocks)
        return out.last_hidden_state

    def hidden(self, x: Tensor, mask: Tensor | None, positions: Tensor, cache=None, front: Front | None = None,
               ready: tuple[stack.Merged, ...] | None = None) -> Tensor:
        """[B, T, D] -> [B, T, D], behind the final norm. mask [B or 1, 1, T, S] bool, None where everything is seen; a
        given `cache` is used and filled. front: what the rows see before them, and ready: merged weights, where
        `stack.runs`."""
        if front is not None or ready is not None or stack.runs(self.decoder):
            wall = None if mask is None else additive(mask, x)
            return stack.run(self.decoder, x, wall, positions, cache, front, ready)
        if mask is None:
            mask = torch.ones(1, 1, 1, 1 + cache.get_seq_length(), dtype=torch.bool, device=x.device)
        mask = mask.expand(len(x), -1, -1, -1)
        out = self.decoder(inputs_embeds=x, attention_mask=additive(mask, x), position_ids=positions,
                           past_key_values=cache, use_cache=cache is not None)
        return out.last_hidden_state

    def logits(self, hidden: Tensor) -> Tensor:
        """[..., D] -> [..., V]."""
        out, config = self.language.get_output_embeddings()(hidden), self.language.config.get_text_config()
        if config.model_type.startswith("cohere"):
            out = out * config.logit_scale
        if factor := getattr(config, "logits_scaling", None):  # Granite divides by it
            out = out * factor if config.model_type == "hyperclovax" else out / factor
        cap = getattr(config, "final_logit_softcapping", None)
        return cap * torch.tanh(out / cap) if cap else out

    def losses(self, batch: Batch) -> Tensor:
        """[A]: cross-entropy of every supervised token; the head runs on these places only."""
        if not len(batch.targets):  # every pair of this part was dropped: no loss, still a pass; others may wait for it
            one = batch.ids.new_zeros(1, 1)
            return self.hidden(self.embed(one), one[None, None] == 0, one).flatten()[:0].float()
        x = self.embed(batch.ids, self.see(batch.pixels, batch.found), batch.slots, batch.seen)
        hidden = self.packed(x, batch)
        logits = self.logits(hidden.reshape(-1, hidden.shape[-1])[batch.at])
        return nn.functional.cross_entropy(logits.float(), batch.targets, reduction="none")

    def forward(self, batch: Batch) -> tuple[Tensor, int]:
        """(sum of the answer tokens' losses, their number)."""
        return self.losses(batch).sum(), len(batch.targets)


def additive(mask: Tensor, like: Tensor) -> Tensor:
    """Boolean mask -> 0 where a query may look, the lowest number elsewhere, in the type attention runs in."""
    dtype = like.dtype
    if torch.is_autocast_enabled(like.device.type):
        dtype = torch.get_autocast_dtype(like.device.type)
    return torch.zeros(mask.shape, dtype=dtype, device=mask.device).masked_fill_(~mask, torch.finfo(dtype).min)
