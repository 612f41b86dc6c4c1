"""A trained bridge that comes to read more layers of its tower."""

from __future__ import annotations

from dataclasses import replace

import torch
from torch import nn

from loupe.errors import ConfigError
from loupe.models.bridge import Bridge
from loupe.models.vision import layers
from loupe.models.vlm import VLM


@torch.no_grad()
def read_more(model: VLM, layer: int | tuple[int, ...]) -> None:
    """The model reads these layers, all it has read among them. The bridge's new weights are zero, so that it says what
    it said until it is trained on."""
    had, wants = layers(model.spec.vision.layer), layers(layer)
    lost = set(had) - set(wants)
    if lost or not isinstance(model.bridge, Bridge):
        raise ConfigError("this bridge cannot come to read other layers", got=wants, where="model.vision.layer",
                          expected=f"{', '.join(map(str, had))} and more" if lost else "a bridge linear or mlp",
                          do="fresh_eyes=true begins the bridge anew")
    bridge = model.bridge
    project = bridge.project
    narrow = project[0] if isinstance(project, nn.Sequential) else project
    model.vision.read(layer)
    wide = nn.Linear(bridge.merge * model.vision.width, narrow.out_features, narrow.bias is not None,
                     narrow.weight.device, narrow.weight.dtype)
    wide.weight.zero_()
    before = narrow.weight.view(narrow.out_features, bridge.merge, len(had), -1)  # [D, merge, layers, C]
    after = wide.weight.view(wide.out_features, bridge.merge, len(wants), -1)
    for k, one in enumerate(had):
        after[:, :, wants.index(one)] = before[:, :, k]
    if narrow.bias is not None:
        wide.bias.copy_(narrow.bias)
    if isinstance(project, nn.Sequential):
        project[0] = wide
    else:
        bridge.project = wide
    model.spec = replace(model.spec, vision=replace(model.spec.vision, layer=layer))
