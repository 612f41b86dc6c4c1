"""A finished run becomes a part that the package carries: float16 weights, what reads them, a model card."""

from __future__ import annotations

import json
import shlex
import shutil
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import load_file, save_file
from torch import Tensor

from loupe import config, shipped
from loupe.errors import CheckpointError, ConfigError, FileError, unknown_name
from loupe.evals.runner import rescore
from loupe.evals.suite import scores_of
from loupe.miniature.card import EXAM, KINDS, ONE_SEED, Facts, card, with_second
from loupe.models import assembly, checkpoint
from loupe.models.spec import LanguageSpec, ModelSpec, VisionSpec
from loupe.models.tokenizer import TOKENIZER_HASH, vocabulary_hash
from loupe.models.vlm import VLM
from loupe.shipped import CARD, MINI, MOST_BYTES, MOST_PARAMETERS, SHIPPED, WEIGHTS
from loupe.training import journal
from loupe.training.folder import read
from loupe.world.layout import worlds

ASKED, SAME = 24, 0.95  # pictures both precisions are asked about; share of answers that must be the same
LONGEST = 48  # tokens of such an answer
PLAIN = 2_000_000  # bytes; files beside the weights are small


def ship(run: str | Path, name: str, base, *, scores: Sequence[str | Path] = (), rebuilt: str | Path | None = None,
         rebuilt_scores: Sequence[str | Path] = (), roots=None, into: str | Path | None = None,
         same: float = SAME) -> Path:
    """Put a run's part where the package carries it, with its card; returns the folder.

    base: this version's recipe of the run. scores: files of `loupe evaluate`. rebuilt: a second run, for the noise.
    roots: of the run's data, where its manifest does not name their worlds. into: instead of the package's own folder.
    same: least share of answers that half precision must leave as they are.
    """
    if name not in SHIPPED:
        raise unknown_name("part of the package", name, SHIPPED)
    run, home = Path(run), Path(into) if into is not None else shipped.home()
    source = run / KINDS[name].inside
    manifest = read(run / "manifest.json")
    if not source.is_dir():
        raise CheckpointError("this run is not finished", got="no such folder", where=source,
                              do="run the same command again to go on with it")
    learnt_from = manifest.get("worlds") or worlds(roots)
    if not learnt_from:
        raise ConfigError("nobody could write this run's data again", got="no world among its roots", where=run,
                          do="give --root as for the training; a shipped part learns from `loupe world` alone")
    facts = Facts(name, 0, 0, {}, (), manifest, _last(run), learnt_from,
                  [read_scores(path) for path in scores], _second(rebuilt),
                  [read_scores(path) for path in rebuilt_scores], "")
    if not manifest.get("scores") and not scores:
        raise ConfigError("nothing was measured on this run, so its card could not say how good it is", where=run,
                          got="no scores in its manifest", do="give files of scores with --scores")
    place = home / SHIPPED[name]

    def write(fresh: Path) -> None:
        check, spec = (_model if name == MINI else ship_part)(source, fresh, name, same)
        recipe = _recipe(run, base, spec)
        path = fresh / WEIGHTS
        path.chmod(0o644)
        whole = replace(facts, parameters=shipped.parameters(path), size=path.stat().st_size, check=check,
                        recipe=config.to_json(recipe), changes=config.overrides(base, recipe))
        _weigh(home, name, whole)
        (fresh / CARD).write_text(card(whole), "utf-8")

    return checkpoint.write_folder(place, write, SafetensorError, mark=CARD)


def beside(run: str | Path, name: str, base, into: str | Path | None = None) -> Path:
    """Put what a second run measured beside the first's on the card of a part as it is; returns the card.

    base: this version's recipe of the run. What the run was told must be what stands on the card, but for its seed; a
    world written by a later version may differ in its records, and the card says so.
    """
    if name not in SHIPPED or name == MINI:
        raise unknown_name("part with an exam of its own", name, [part for part in SHIPPED if part != MINI])
    run, path = Path(run), (Path(into) if into is not None else shipped.home()) / SHIPPED[name] / CARD
    if not path.is_file():
        raise FileError("no such part lies here", where=path.parent, expected=CARD, do="loupe ship puts it there")
    text, manifest = path.read_text("utf-8"), read(run / "manifest.json")
    recipe = config.from_json(type(base), read(run / "recipe.json"))
    changes = [change for change in config.overrides(base, recipe) if not change.startswith("seed=")]
    told = "".join(f" {shlex.quote(change)}" for change in changes)
    fits = {"a card of one run": ONE_SEED in text and EXAM in text,
            "another seed": f"## Seed\n{recipe.seed}. " not in text,
            "the settings on the card": f"loupe {KINDS[name].verb}{told} --root" in text}
    if not all(fits.values()):
        raise ConfigError("this is no second run of the part", got=f"seed {recipe.seed}{told}", where=run,
                          expected=", ".join(what for what, there in fits.items() if not there),
                          do="loupe ship writes the card of a run and of its --rebuilt anew")
    exam = manifest.get("scores")
    if not exam:
        raise ConfigError("nothing was measured on this run", where=run, got="no scores in its manifest")
    hashes = sorted({own[:16] for own in manifest.get("data", {}).values()})
    path.write_text(with_second(text, exam, recipe.seed, [own for own in hashes if own not in text]), "utf-8")
    return path


def read_scores(path: str | Path) -> dict:
    """scores.json of `loupe evaluate`, or one file of predictions, scored again."""
    path = Path(path)
    if path.suffix == ".jsonl":
        result = rescore(path)
        return scores_of([result], {"model": result.model})
    data = read(path)
    if not isinstance(data, dict) or not all("figures" in each for each in data.get("results", [{}])):
        raise FileError("these are no scores", where=path, expected="scores.json of `loupe evaluate`, or predictions")
    return data


def _last(run: Path) -> dict[str, dict]:
    path = run / "metrics.jsonl"
    return {line["stage"]: line for line in journal.read(path)} if path.is_file() else {}


def _second(rebuilt: str | Path | None) -> dict:
    if rebuilt is None:
        return {}
    return {**read(Path(rebuilt) / "manifest.json"), "seed": read(Path(rebuilt) / "recipe.json")["seed"]}


def _recipe(run: Path, base, spec: ModelSpec | None):
    """What the run was trained by, its bases by their shipped names."""
    recipe = config.from_json(type(base), read(run / "recipe.json"))
    return recipe if spec is None else replace(recipe, model=spec)


def ship_part(source: Path, fresh: Path, name: str, same: float) -> tuple[str, None]:
    """A transformers folder, copied with its weights in float16 and opened again as its users will."""
    names = sorted(source.glob("*.safetensors"))
    if [path.name for path in names] != [WEIGHTS]:
        raise CheckpointError("a part must have its weights in one file", where=source,
                              got=[path.name for path in names], expected=WEIGHTS)
    for path in sorted(source.iterdir()):
        if path.name not in (WEIGHTS, CARD, checkpoint.MANIFEST) and path.is_file() and path.stat().st_size < PLAIN:
            shutil.copyfile(path, fresh / path.name)
    before = load_file(str(source / WEIGHTS))
    with safe_open(str(source / WEIGHTS), "pt") as file:
        metadata = file.metadata() or {"format": "pt"}
    after = {key: half(tensor, key, source / WEIGHTS) for key, tensor in before.items()}
    save_file(after, str(fresh / WEIGHTS), metadata=metadata)
    _settings(fresh)
    _open(name, fresh)
    moved = max(float((before[key].float() - after[key].float()).abs().max()
                      / before[key].float().square().mean().sqrt().clamp_min(1e-12)) for key in before)
    if not moved:
        return "the run itself wrote float16, so these are the weights that were measured", None
    return f"no weight moved by more than {moved:.1e} of its tensor's size", None


def half(tensor: Tensor, key: str, where: Path) -> Tensor:
    """In float16; whole numbers stay. What does not fit is a CheckpointError."""
    if not tensor.is_floating_point():
        return tensor.contiguous()
    small = tensor.to(torch.float16).contiguous()
    if not torch.isfinite(small).all():
        raise CheckpointError("a weight does not fit half precision", got=f"{key}: {float(tensor.abs().max()):g}",
                              expected="finite and below 65504", where=where, do="train with a lower learning rate")
    return small


def _pathless(config: dict) -> dict:
    """A config without what one machine or version says, its inner configs likewise."""
    return {key: _pathless(value) if isinstance(value, dict) else value for key, value in config.items()
            if key not in ("_name_or_path", "torch_dtype")}


def _settings(fresh: Path) -> None:
    """config.json says float16 and no path; a language model's says whose tokenizer it was trained with."""
    path = fresh / "config.json"
    if not path.is_file():
        raise CheckpointError("a part has no settings", expected="config.json", where=path)
    plain = _pathless(read(path))
    plain["dtype"] = "float16"
    if plain.get("architectures", [""])[0].endswith("ForCausalLM"):
        plain[TOKENIZER_HASH] = vocabulary_hash(assembly.load_tokenizer(fresh))
    path.write_text(json.dumps(plain, indent=2, sort_keys=True) + "\n", "utf-8")


def _open(name: str, fresh: Path) -> None:
    """As its users will: a part that cannot be read is not shipped."""
    if name == "loupe/refiner":
        from loupe.models.refiner import load_refiner

        load_refiner(fresh)
    elif name == "loupe/language":
        assembly.build_language(LanguageSpec(str(fresh)))
    else:
        settings = read(fresh / "config.json")
        size = settings.get("vision_config", settings)["image_size"]
        assembly.build_vision(VisionSpec(str(fresh), layer=-1, size=size))


def _model(source: Path, fresh: Path, name: str, same: float) -> tuple[str, ModelSpec]:
    """The tuned model in loupe's layout; its bases get their shipped names, and it must answer as before."""
    model = checkpoint.load(source)
    origins = checkpoint.read_manifest(source).get("origins", {})
    for part in ("vision", "language"):
        given = getattr(model.spec, part)
        if given.checkpoint and not shipped.is_shipped(given.checkpoint):
            known = shipped_as(part, given, model.bases.get(part) or origins.get(part) or {})
            if known is None and part in model.bases:
                raise ConfigError(f"this model stands on a {part} part that is not shipped", got=given.checkpoint,
                                  where=source, do=f"ship that part first, or train {part} whole")
            model.spec = replace(model.spec, **{part: replace(given, checkpoint=known or "")})
            if part in model.bases:
                model.bases[part]["id"] = known
    checkpoint.save(model, fresh, {"recipe": checkpoint.read_manifest(source)["extra"].get("recipe", "")}, half=True)
    wide = {each["dtype"] for each in shipped.header(fresh / WEIGHTS).values()} - {"F16", "I64"}
    if wide:
        raise CheckpointError("a weight does not fit half precision", got=", ".join(sorted(wide)), expected="F16",
                              where=source, do="look for exploding weights")
    share, count = agreement(model, checkpoint.load(fresh))
    if share < same:
        raise CheckpointError("half precision changes this model's answers", got=f"{share:.1%} of {count} the same",
                              expected=f"{same:.0%}", where=source, do="train longer, or look for exploding weights")
    return f"{share:.1%} of {count} answers are those of the float32 weights, word for word", model.spec


def shipped_as(part: str, given, base: dict) -> str | None:
    """The shipped part with the same settings and weights."""
    for name, inside in SHIPPED.items():
        if name == MINI or not (shipped.home() / inside / WEIGHTS).is_file() or (part == "language") != (
                name == "loupe/language") or name == "loupe/refiner":
            continue
        named = replace(given, checkpoint=name)
        found = assembly.build_vision(named)[1] if part == "vision" else assembly.build_language(named)[2]
        if all(found[key] == base.get(key) for key in ("config", "weights")):
            return name
    return None


def agreement(one: VLM, other: VLM) -> tuple[float, int]:
    """(share of the same answers, their number) of two models asked about pictures of the world."""
    from loupe.models.look import Limits
    from loupe.predictors.checkpoint import Model
    from loupe.tasks import task
    from loupe.world import records

    samples = [sample for record in records(ASKED, 0, "val", world="mini") for name in
               ("grounding", "description", "counting") for sample in list(task(name).every(record))[:1]]
    said = [[answer.raw for answer in Model(model, limits=Limits(answer=LONGEST)).answer(samples)]
            for model in (one, other)]
    return sum(a == b for a, b in zip(*said)) / len(samples), len(samples)


def _weigh(home: Path, name: str, facts: Facts) -> None:
    others = sum((home / inside / WEIGHTS).stat().st_size for known, inside in SHIPPED.items()
                 if known != name and (home / inside / WEIGHTS).is_file())
    if facts.parameters > MOST_PARAMETERS or facts.size + others > MOST_BYTES:
        raise ConfigError("this part is too large to be carried", expected=f"{MOST_PARAMETERS:,} parameters, "
                          f"{MOST_BYTES:,} bytes of all parts", where=name,
                          got=f"{facts.parameters:,} parameters, {facts.size + others:,} bytes with the other parts")
