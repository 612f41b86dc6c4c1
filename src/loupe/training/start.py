"""How parts made from a config begin, where the library's own random start makes small models learn late."""

from __future__ import annotations

import shutil
from dataclasses import asdict, replace
from pathlib import Path

import torch
from safetensors.torch import load_file

from loupe import config, shipped
from loupe.data.draw import place
from loupe.errors import CheckpointError, ConfigError
from loupe.importers import blip2
from loupe.models import checkpoint
from loupe.models.assembly import build, with_bases
from loupe.models.bridge import place_code
from loupe.models.encoding import Encoder
from loupe.models.mqformer import Querying
from loupe.models.recoding import recoded
from loupe.models.spec import ModelSpec
from loupe.models.tokenizer import place_level
from loupe.models.vision import places
from loupe.models.vlm import VLM
from loupe.models.widening import read_more
from loupe.readers.games import seeds
from loupe.training.folder import write
from loupe.training.materials import FORMER_TOKENIZER, Materials, tokenizer_for
from loupe.training.recipe import Recipe, Start


def first(recipe: Recipe, materials: Materials, folder: Path, device) -> VLM:
    """The model a run of this recipe begins with; a tokenizer that has to be learnt is kept in the run's folder."""
    if recipe.weights:
        model = trained(recipe).to(device)
    else:
        model = build(recipe.model, device, recipe.seed, tokenizer_for(recipe, materials, folder))
        begin(model, recipe)
    if recipe.start is not None and recipe.start.mqformer:
        started = former(model, recipe.start.mqformer, folder)
        write(folder / "mqformer-start.json", asdict(started))
    return model


def former(model: VLM, name: str, folder: Path) -> blip2.Taken:
    """Fill the model's MQ-Former from a run or model of ours, its projection and the tokenizer of its texts included,
    or from BLIP-2's first stage."""
    if not isinstance(model.bridge, Querying):
        raise ConfigError("this model has no MQ-Former to begin", got=f"bridge {model.spec.bridge.kind}",
                          where="start.mqformer")
    place = Path(name).expanduser()
    ours = next((at for at in (place / "model", place) if (at / checkpoint.MANIFEST).is_file()
                 and (at / checkpoint.WEIGHTS).is_file()), None)
    if ours is None and (place / "recipe.json").is_file():
        raise CheckpointError("this run is not finished", where=place, expected="the folder model/ in it",
                              do="run the same `loupe train` again to go on with it")
    if ours is None:
        return blip2.start(model.bridge.former, place)
    taken = _bridge(model.bridge, ours)
    words = place / FORMER_TOKENIZER
    if words.is_dir() and not (folder / FORMER_TOKENIZER).exists():
        shutil.copytree(words, folder / FORMER_TOKENIZER)
    return taken


@torch.no_grad()
def _bridge(bridge: Querying, folder: Path) -> blip2.Taken:
    weights = load_file(str(folder / checkpoint.WEIGHTS))
    stored = {name.removeprefix("bridge."): t for name, t in weights.items() if name.startswith("bridge.")}
    own = bridge.state_dict()
    wrong = [f"{name} {tuple(stored[name].shape) if name in stored else 'missing'}" for name in own
             if name not in stored or stored[name].shape != own[name].shape]
    if wrong:
        raise CheckpointError("this MQ-Former is of another shape than the recipe's", got="; ".join(wrong[:3]),
                              where=folder, do="change model.bridge.mqformer to what was trained")
    bridge.load_state_dict({name: stored[name] for name in own})
    return blip2.Taken(sum(t.numel() for t in own.values()), (), tuple(sorted(set(stored) - set(own))))


def trained(recipe: Recipe) -> VLM:
    """The model recipe.weights names, its codec and dialogue changed to the recipe's where they differ; ConfigError
    where it is of another shape than recipe.model."""
    name = recipe.weights
    model = checkpoint.load(weights_folder(name))
    wanted = recipe.model
    if recipe.fresh_eyes:
        _give_eyes(model, recipe)
    elif wanted.vision.layer != model.spec.vision.layer:
        read_more(model, wanted.vision.layer)
    changed = config.differences(replace(model.spec, codec=wanted.codec, dialogue=wanted.dialogue),
                                 with_bases(wanted, _downloads(model.spec, wanted)))
    if changed:
        raise ConfigError("the trained model is of another shape than the recipe's", got="; ".join(changed[:4]),
                          where=f"weights {name}", do="change the recipe's model to what was trained")
    return recoded(model, wanted.codec, wanted.dialogue)


def weights_folder(name: str) -> Path:
    """The checkpoint recipe.weights names: a folder, that of a run, or what the package carries."""
    folder = shipped.folder(name) if shipped.is_shipped(name) else Path(name)
    of_run = not (folder / checkpoint.MANIFEST).is_file() or (folder / "recipe.json").is_file()
    return folder / "model" if of_run else folder


def played(recipe: Recipe, materials: Materials) -> dict[str, list[int]]:
    """Seeds of the recorded games that a model of the recipe has learnt from in the end, by game: a corpus written
    before does not say them."""
    found: dict[str, set[int]] = {}
    if recipe.weights:
        known = checkpoint.read_manifest(weights_folder(recipe.weights))["extra"].get("games", {})
        found = {name: set(seen) for name, seen in known.items()}
    sources = [] if materials.data is not None else [s for stage in recipe.stages for s in stage.mixture.sources]
    for source in sources:
        if source.reader == "games":
            where = place(materials.roots, source.folder)
            for name, seen in seeds(where, source.split, source.options.get("game", "")).items():
                found.setdefault(name, set()).update(seen)
    return {name: sorted(seen) for name, seen in sorted(found.items())}


def _give_eyes(model: VLM, recipe: Recipe) -> None:
    """The tower the recipe names and a bridge that has learnt nothing, in place of those the model was trained with."""
    wanted = replace(model.spec, vision=recipe.model.vision, bridge=recipe.model.bridge)
    other, old = build(wanted, "cpu", recipe.seed, model.encoder.tokenizer), model.encoder
    model.vision, model.bridge, model.spec = other.vision, other.bridge, wanted
    if model.bridge is not None and model.bridge.position:
        model.bridge.level.fill_(place_level(model.language))
    model.structure |= {"vision": [], "bridge": []}
    model.bases = {part: base for part, base in model.bases.items() if part != "vision"} | {
        part: base for part, base in other.bases.items() if part == "vision"}
    tokens = 0 if model.bridge is None else model.bridge.tokens
    model.encoder = Encoder(old.tokenizer, old.codec, old.dialogue, wanted.vision, tokens, wanted.language.max_length)


def _downloads(spec: ModelSpec, wanted: ModelSpec) -> dict[str, str]:
    """Where a trained model has the downloads that the recipe names otherwise: a place is no shape."""
    both = {part: (getattr(spec, part).checkpoint, getattr(wanted, part).checkpoint) for part in ("vision", "language")}
    return {part: mine for part, (mine, theirs) in both.items()
            if mine and theirs and not shipped.is_shipped(mine) and not shipped.is_shipped(theirs)}


@torch.no_grad()
def begin(model: VLM, recipe: Recipe) -> None:
    """Apply recipe.start to the parts that were not loaded from a checkpoint."""
    start = recipe.start
    if start is None:
        return
    if model.vision is not None and not recipe.model.vision.checkpoint:
        _tower(model, start)
    if not recipe.model.language.checkpoint:
        _language(model, start)


def _tower(model: VLM, start: Start) -> None:
    for name, parameter in model.vision.model.named_parameters():
        if start.patch_place is not None and name.endswith("position_embedding.weight"):
            code = place_code(places(model.vision.grid), parameter.shape[1]).to(parameter)
            parameter[-len(code):] = start.patch_place * code  # the class token, if any, stands first
        if name.endswith(("q_proj.weight", "k_proj.weight")):
            parameter *= start.patch_attention


def _language(model: VLM, start: Start) -> None:
    if start.qk_gain is not None:
        norms = [m for n, m in model.language.named_modules() if n.endswith((".q_norm", ".k_norm"))]
        if not norms:
            raise ConfigError("this language model has no query and key norms", where="start.qk_gain",
                              got=model.language.config.model_type, expected="one that has them, as qwen3",
                              do="set start.qk_gain=none")
        for norm in norms:
            norm.weight.fill_(start.qk_gain)
    if start.embedding is not None:
        weight = model.language.get_input_embeddings().weight
        louder = start.embedding / float(weight.float().square().mean().sqrt())
        weight *= louder
        head = model.language.get_output_embeddings().weight
        if head is not weight:
            head *= louder
        model.language.config.place_level = place_level(model.language) * louder
        if model.bridge is not None and model.bridge.position:
            model.bridge.level *= louder
