"""Saved models: safetensors and a manifest. Loading is strict; what does not fit is refused with a reason.

A folder holds model.safetensors, manifest.json and tokenizer/. Parts built from a config, and those that were trained
as a whole, are stored whole; of another part that came from a checkpoint only what was added or trained is stored, and
the manifest names that checkpoint.
"""

from __future__ import annotations

import errno
import json
import os
import shutil
from collections.abc import Callable, Iterable
from dataclasses import replace
from pathlib import Path

import torch
from torch import Tensor

import loupe.models.assembly as assembly
from loupe import shipped
from loupe.errors import CheckpointError, CodecError, FileError, LoupeError
from loupe.models.device import device_of, dtype_of, in_numbers
from loupe.models.rows import AddedEmbedding
from loupe.models.spec import ModelSpec
from loupe.models.structure import record
from loupe.models.tokenizer import vocabulary_hash
from loupe.models.tuner import PARTS, Full, tuner_from, tuner_plain
from loupe.models.vlm import VLM
from loupe.origin import version

FORMAT = 1
WEIGHTS, MANIFEST, TOKENIZER = "model.safetensors", "manifest.json", "tokenizer"
ADDED = (".adapter.", ".lora_", ".rows", ".added_bias")  # in the names of what tuners and new tokens add


def save(model: VLM, folder: str | Path, extra: dict | None = None, half: bool = False) -> Path:
    """Write the model so that `load` gives the same one. `extra` (JSON-able) is kept in the manifest.

    half: numbers in float16, for shipping. The folder appears whole or not at all and replaces an older checkpoint.
    """
    from safetensors import SafetensorError
    from safetensors.torch import save_file

    folder = Path(folder)
    tensors = {name: _stored(t, half) for name, t in own_tensors(model).items()}

    def write(place: Path) -> None:
        save_file(tensors, str(place / WEIGHTS), metadata={"format": "pt"})
        (place / MANIFEST).write_text(json.dumps(_manifest(model, tensors, extra, half), indent=1) + "\n")
        if model.encoder is not None:
            model.encoder.tokenizer.save_pretrained(str(place / TOKENIZER))

    return write_folder(folder, write, SafetensorError)


def load(folder: str | Path, device: str = "cpu", codec: str | None = None, bases: dict[str, str] | None = None,
         dtype: str = "float32") -> VLM:
    """The saved model, in evaluation mode.

    codec: refuse unless it was trained with this one. bases: other places of base checkpoints, by part.
    """
    folder, device, kind = Path(folder), device_of(device), dtype_of(dtype)
    manifest = read_manifest(folder)
    try:
        spec = ModelSpec.from_plain(manifest["spec"])
    except (TypeError, KeyError) as error:
        raise CheckpointError("the manifest describes no model of this version", got=error, where=folder / MANIFEST,
                              do="load it with the version of loupe that wrote it") from None
    if codec is not None and codec != spec.codec:
        raise CodecError("the weights were trained with another codec", got=repr(codec), expected=repr(spec.codec),
                         where=folder)
    marks = _known(assembly.codec_named, spec.codec, manifest["codec"], "codec", folder)
    words = _known(assembly.dialogue_named, spec.dialogue, manifest["dialogue"], "dialogue", folder)
    tokenizer = assembly.load_tokenizer(folder / TOKENIZER) if (folder / TOKENIZER).is_dir() else None
    if tokenizer is not None and manifest.get("tokenizer") not in (None, vocabulary_hash(tokenizer)):
        raise CheckpointError("the tokenizer is not the one this model was trained with", where=folder / TOKENIZER,
                              got=f"vocabulary {vocabulary_hash(tokenizer)}", expected=manifest["tokenizer"],
                              do=_mend(folder, "put the tokenizer that came with these weights back beside them"))
    placed = assembly.with_bases(spec, bases)
    for part, config in manifest["configs"].items():
        placed = replace(placed, **{part: replace(getattr(placed, part), checkpoint="", config=config)})
    given = {*manifest["configs"], *(part for part in manifest["bases"] if any(
        isinstance(tuner_from(t), Full) for t in manifest["structure"].get(part, ())))}
    model = assembly.build(placed, tokenizer=tokenizer, dtype=dtype, codec=marks, dialogue=words, given=given)
    for part in given & model.bases.keys():
        model.bases[part]["weights"] = manifest["bases"][part]["weights"]
    _check_bases(model, manifest["bases"], folder, manifest["versions"]["loupe"])
    for part in PARTS:
        for tuner in manifest["structure"].get(part, ()):
            record(model, part, tuner_from(tuner))
    if manifest["structure"].get("tokens"):
        model.structure["tokens"] = list(manifest["structure"]["tokens"])
    _fill(in_numbers(model, kind), folder, manifest["tensors"])
    if "language" in given & model.bases.keys() and marks.starts and getattr(model.bridge, "position", False):
        model.language.config.place_level = float(model.bridge.level)  # as loud as its location tokens started
    model.spec = assembly.with_bases(spec, bases)
    model.refined_by = manifest.get("refiner") or {}
    return model.to(device).eval()


def read_manifest(folder: str | Path) -> dict:
    """The manifest of a checkpoint folder; CheckpointError if this is none, or one of another format."""
    folder = Path(folder)
    path = folder / MANIFEST
    try:
        manifest = json.loads(path.read_text())
    except FileNotFoundError:
        here = ", ".join(sorted(p.name for p in folder.iterdir())[:6]) if folder.is_dir() else None
        got = "no such folder" if here is None else f"a folder with {here or 'nothing'}"
        raise CheckpointError("not a loupe checkpoint", got=got, expected=f"{MANIFEST} and {WEIGHTS}", where=folder,
                              do="models of others need `loupe import` or a ModelSpec naming their parts") from None
    except (OSError, ValueError) as error:
        raise CheckpointError("cannot read the manifest", got=error, where=path) from None
    if not isinstance(manifest, dict) or "loupe_format" not in manifest:
        raise CheckpointError("not a loupe checkpoint", got="a manifest of something else", where=path,
                              expected='the key "loupe_format"')
    if manifest["loupe_format"] != FORMAT:
        raise CheckpointError("checkpoint has another format version", got=manifest["loupe_format"], expected=FORMAT,
                              where=path, do=f"load it with loupe {manifest.get('versions', {}).get('loupe', '?')}")
    return manifest


def own_tensors(model: VLM) -> dict[str, Tensor]:
    """What the model cannot get back from its base checkpoints, tied weights once."""
    tensors = dict(model.named_parameters())
    shared = {t.data_ptr() for t in tensors.values()}
    tensors |= {n: t for n, t in model.state_dict().items() if n not in tensors and t.data_ptr() not in shared}
    heads: set[int] = set()
    if model.structure.get("tokens"):
        for module in (model.language.get_input_embeddings(), model.language.get_output_embeddings()):
            heads |= {id(p) for p in module.parameters()}

    def mine(name: str, tensor: Tensor) -> bool:
        part = name.split(".")[0]
        return _trained(model, part) or id(tensor) in heads or any(mark in name for mark in ADDED)

    return {name: tensor for name, tensor in tensors.items() if mine(name, tensor)}


def _trained(model: VLM, part: str) -> bool:
    """Whether every weight of the part is its own."""
    return part not in model.bases or any(isinstance(t, Full) for t in model.structure[part])


def _whole(model: VLM, part: str) -> bool:
    """Whether the part can be built again without the checkpoint it came from."""
    if part != "language" or part not in model.bases:
        return _trained(model, part)
    embedding = model.language.get_input_embeddings()
    return (_trained(model, part) and not isinstance(embedding, AddedEmbedding) and model.encoder is not None
            and len(model.encoder.tokenizer) == len(embedding.weight))


def _stored(tensor: Tensor, half: bool) -> Tensor:
    tensor = tensor.detach().to("cpu")
    if half and tensor.dtype == torch.float32:
        small = tensor.to(torch.float16)
        tensor = small if torch.isfinite(small).all() else tensor.to(torch.bfloat16)
    return tensor.contiguous().clone()


def _manifest(model: VLM, tensors: dict[str, Tensor], extra: dict | None, half: bool) -> dict:
    encoder = model.encoder
    parts = {"vision": model.vision and model.vision.model, "language": model.language}
    configs = {name: {k: v for k, v in part.config.to_dict().items() if k != "_name_or_path"}
               for name, part in parts.items() if part and _whole(model, name)}
    structure = {part: [tuner_plain(t) for t in model.structure[part]] for part in PARTS}
    if model.structure.get("tokens"):
        structure["tokens"] = model.structure["tokens"]
    return {
        "loupe_format": FORMAT,
        "spec": model.spec.to_plain(),
        "structure": structure,
        "codec": encoder.codec.spec() if encoder else None,
        "dialogue": encoder.dialogue.spec() if encoder else None,
        "bases": {part: base for part, base in model.bases.items() if part not in configs},
        "origins": model.bases,
        "tokenizer": vocabulary_hash(encoder.tokenizer) if encoder else None,
        "configs": json.loads(json.dumps(configs, default=str)),
        "half": half,
        **({"refiner": model.refined_by} if model.refined_by else {}),
        "versions": {name: version(name) for name in ("loupe", "torch", "transformers", "peft")},
        "tensors": {name: list(t.shape) for name, t in tensors.items()},
        "extra": extra or {},
    }


def _known(find: Callable, name: str, stored: dict | None, kind: str, folder: Path):
    """The named codec or dialogue, if it is still what the weights were trained with."""
    try:
        value = find(name)
    except LoupeError as error:
        raise CheckpointError(f"checkpoint needs a {kind} this version does not have", got=repr(name), where=folder,
                              do=str(error)) from None
    if stored is not None and not _as_stored(value, stored):
        now = json.loads(json.dumps(value.spec()))
        keys = sorted(k for k in {*now, *stored} if now.get(k) != stored.get(k)) or [kind]
        raise CheckpointError(f"{kind} {name!r} is not the one the weights were trained with", where=folder,
                              got=f"{keys[0]} = {str(now.get(keys[0]))[:80]}",
                              expected=f"{str(stored.get(keys[0]))[:80]}",
                              do="load it with the version of loupe that wrote it, or train again")
    return value


def _check_bases(model: VLM, stored: dict, folder: Path, version_then: str) -> None:
    for part, then in stored.items():
        now = model.bases.get(part)
        for what in ("config", "weights"):
            if now is None or now[what] != then[what]:
                raise CheckpointError(f"the {part} base is not the one this checkpoint was trained on", where=folder,
                                      got=f"{what} {now[what] if now else 'missing'} at {now['id'] if now else '-'}",
                                      expected=f"{what} {then[what]} of {then['id']}",
                                      do=f"use the loupe ({version_then}) that wrote it" if shipped.is_shipped(
                                          then["id"]) else f"give its place with bases={{'{part}': folder}}")


@torch.no_grad()
def _fill(model: VLM, folder: Path, listed: dict[str, list[int]]) -> None:
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    path = folder / WEIGHTS
    try:
        stored = load_file(str(path))
    except FileNotFoundError:
        raise CheckpointError("checkpoint has no weights", expected=WEIGHTS, where=folder) from None
    except (SafetensorError, OSError) as error:
        raise CheckpointError("weights are damaged", got=error, where=path,
                              do=_mend(folder, "fetch or save them again")) from None
    wanted = own_tensors(model)
    _same(stored.keys(), listed.keys(), "the manifest", path)
    _same(stored.keys(), wanted.keys(), "the model", path)
    for name, tensor in wanted.items():
        if tensor.shape != stored[name].shape:
            raise CheckpointError("a tensor has the wrong shape", got=f"{name} {tuple(stored[name].shape)}",
                                  expected=tuple(tensor.shape), where=path)
        tensor.copy_(stored[name])


def _mend(folder: Path, otherwise: str) -> str:
    return shipped.REINSTALL if shipped.home() in folder.resolve().parents else otherwise


def _same(got: Iterable[str], expected: Iterable[str], whose: str, path: Path) -> None:
    got, expected = set(got), set(expected)
    for names, word in ((expected - got, "missing"), (got - expected, "unexpected")):
        if names:
            first = sorted(names)[0]
            raise CheckpointError(f"tensors do not fit {whose}", got=f"{len(names)} {word}, first {first}", where=path)


def write_folder(folder: Path, write: Callable[[Path], None], *also: type[Exception], mark: str = MANIFEST) -> Path:
    """Run `write` on a fresh folder and put it in place of `folder` in one step; nothing is left behind on failure.

    mark: the file that tells a folder which may be replaced.
    """
    if folder.exists() and not (folder / mark).is_file() and (not folder.is_dir() or any(folder.iterdir())):
        raise FileError("will not replace something that is no checkpoint", where=folder, do="name another folder")
    fresh = folder.parent / f".{folder.name}.new-{os.getpid()}"
    stale = folder.parent / f".{folder.name}.old-{os.getpid()}"
    try:
        shutil.rmtree(fresh, ignore_errors=True)
        fresh.mkdir(parents=True)
        write(fresh)
        if folder.exists():
            folder.rename(stale)
        fresh.rename(folder)
    except (OSError, *also) as error:
        if stale.exists() and not folder.exists():
            stale.rename(folder)
        full = getattr(error, "errno", None) == errno.ENOSPC or "No space left" in str(error) or (
            folder.parent.is_dir() and shutil.disk_usage(folder.parent).free < 2**16)  # torch.save does not say so
        raise FileError("disk is full" if full else "cannot write the checkpoint", where=folder,
                        got="no space left" if full else getattr(error, "strerror", None) or error,
                        do="free some space; nothing that was there is lost" if full else None) from None
    finally:
        shutil.rmtree(fresh, ignore_errors=True)
        shutil.rmtree(stale, ignore_errors=True)
    return folder


def _as_stored(value, stored: dict) -> bool:
    """Compared as values: a field that came later is what it is where nothing was said."""
    try:
        return type(value).from_spec(stored) == value
    except LoupeError:
        return False
