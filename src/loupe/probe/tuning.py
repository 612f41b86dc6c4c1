"""The paper's question as an experiment: what does a model see after a little training on pixel questions, if only its
connector may learn, its language model too, its tower too (PAE-LaMM §3.1, Table 2)?"""

from __future__ import annotations

import hashlib
from pathlib import Path

from loupe import shipped
from loupe.data.mixture import Mixture, Source
from loupe.errors import ConfigError, unknown_name
from loupe.importers import importer
from loupe.models import assembly, checkpoint
from loupe.models.spec import ModelSpec
from loupe.models.tuner import Frozen, Full, LoRA, Tune, tuner_from
from loupe.predictors import named
from loupe.training.recipe import Optim, Recipe, Stage
from loupe.training.run import train

PARTS = ("connector", "language", "vision")
PLACE = "imported-from.txt"  # beside an imported model: where it lies
LARGE = 100_000_000  # parameters from which a smaller learning rate is taken


def recipe_for(model: str, parts: str, *, steps: int = 200, size: int = 64, filter: str = "bicubic",
               lr: float | None = None, batch: int = 128, pairs: int = 16) -> Recipe:
    """Pixel questions on a folder of pictures, from a loupe checkpoint. parts: "connector"; "language": and the
    language model, by LoRA; "vision": and the tower, all of it."""
    if parts not in PARTS:
        raise unknown_name("part to tune", parts, PARTS, where="tune")
    folder = weights_of(model)
    manifest = checkpoint.read_manifest(folder)
    spec = ModelSpec.from_plain(manifest["spec"])
    numbers = sum(_product(shape) for shape in manifest["tensors"].values())
    large = numbers > LARGE or not manifest["configs"].get("language")
    tune = Tune(vision=Full() if parts == "vision" else Frozen(), bridge=Full(),
                language=Frozen() if parts == "connector" else _language(manifest, large),
                tokens="frozen" if parts == "connector" else "rows")
    questions = Source("pictures", "pictures", "pictures", "train", (("reconstruction", 1.0),),
                       task_options={"reconstruction": {"size": size, "filter": filter}})
    stage = Stage("pixels", Mixture((questions,), pairs_per_image=pairs),
                  Optim(lr or (1e-4 if large else 1e-3), warmup=0.1), tune, epochs=None, steps=steps, batch=batch)
    return Recipe(f"probe-{parts}", spec, (stage,), weights=model if model == shipped.MINI else str(folder))


def tuned(model: str, parts: str, pictures: str | Path, out: str | Path, device: str | None = None, **options) -> Path:
    """The run's model; a run that was stopped goes on, a finished one is taken as it is."""
    run = train(recipe_for(model, parts, **options), out, {"pictures": pictures}, device=device)
    return run.model


def tunable(model: str, out: Path) -> str:
    """What MODEL names as a checkpoint of ours; a LLaVA in transformers' layout is imported below `out` first, once."""
    what = named(model)
    if what.kind == "endpoint":
        raise ConfigError("a model behind an endpoint cannot be tuned", got=model, where="--tune",
                          expected="a loupe run or checkpoint, or a LLaVA", do="probe it without --tune")
    if what.kind != "foreign":
        weights_of(model)
        return model
    family = assembly.load_config(what.place, None, "the model", False).model_type
    if family != "llava":
        raise ConfigError("of the models of transformers only a LLaVA can be tuned", got=family, where="--tune",
                          expected="llava, or a loupe run or checkpoint", do="probe it without --tune; `loupe import` "
                          "also reads released MiniGPT-v2 and Pink weights")
    place = str(Path(what.place).resolve()) if Path(what.place).exists() else what.place
    folder = out / what.label
    if (folder / PLACE).is_file() and (folder / PLACE).read_text("utf-8") != place:  # another of the same name
        folder = out / f"{what.label}-{hashlib.sha256(place.encode()).hexdigest()[:8]}"
    if not (folder / "model" / checkpoint.MANIFEST).is_file():
        kind = importer("llava")
        kind(**{k: v for k, v in what.settings.items() if k in kind.__dataclass_fields__}).write(what.place, folder)
        (folder / PLACE).write_text(place, "utf-8")
    return str(folder)


def weights_of(model: str) -> Path:
    """The folder with the checkpoint of what MODEL names."""
    folder = shipped.folder(model) if shipped.is_shipped(model) else Path(model).expanduser()
    inside = folder / "model"
    folder = inside if (inside / checkpoint.MANIFEST).is_file() else folder
    if not (folder / checkpoint.MANIFEST).is_file():
        raise ConfigError("only loupe's own checkpoints can be tuned", got=model, expected="a loupe run or checkpoint",
                          do="a LLaVA is imported on its own where its folder is named; `loupe import` makes a "
                          "checkpoint of a released MiniGPT-v2 or Pink")
    return folder


def _language(manifest: dict, large: bool) -> LoRA | Full:
    """LoRA as it was tuned before, else a small one; miniatures learn whole."""
    known = [tuner_from(t) for t in manifest["structure"].get("language", ())]
    lora = next((t for t in known if isinstance(t, LoRA)), None)
    if lora is not None:
        return lora
    return LoRA(16, 16.0, r".*\.(q_proj|k_proj|v_proj|o_proj)") if large else Full()


def _product(shape: list[int]) -> int:
    out = 1
    for side in shape:
        out *= side
    return out
