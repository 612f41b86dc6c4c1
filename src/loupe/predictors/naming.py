"""What a model is called: one text that says where it lies and how it is asked. No torch."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass, field
from difflib import get_close_matches
from itertools import chain, islice
from pathlib import Path

from loupe.errors import CheckpointError, ConfigError, unknown_name
from loupe.predictors.baselines import BASELINES
from loupe.readers.pictures import ENDINGS
from loupe.shipped import MINI, is_shipped

FORMS = """mini                              the miniature that loupe carries
runs/mine                         a checkpoint or run folder of loupe
models/qwen, org/name             a vision-language model in transformers' layout, by folder or by its id on the hub
http://host:8000/v1#model         a model behind an OpenAI-compatible endpoint (without #model: the only one it serves)
whole-image                       a trivial baseline
Behind # settings may stand: models/mine#codec=llava   http://host/v1#model,codec=qwen3-vl,key=MY_KEY"""
_ID = re.compile(r"[\w.-]+/[\w.-]+")
_FOLDERS = ("runs", "run", "models", "checkpoints", "weights", "out", "outputs")  # where models are kept: no hub's orgs
_LISTED, _SCANNED = 6, 2000  # models named in an error, folders looked at for them
_FOREIGN = {"codec": str, "frame": str, "hints": bool}
_ENDPOINT = {**_FOREIGN, "key": str, "timeout": float, "tries": int, "per_minute": float, "logprobs": bool,
             "check": bool, "answer": int, "rows": int}


@dataclass(frozen=True)
class Named:
    """kind: "baseline", "mini", "loupe", "foreign" (transformers) or "endpoint"; place: name, folder, id or address."""

    kind: str
    place: str
    model: str = ""
    settings: dict = field(default_factory=dict)

    @property
    def label(self) -> str:
        """A file name for what is kept about the model."""
        name = self.model or (self.place if self.kind != "foreign" else self.place.rstrip("/").replace("/", "--"))
        if self.kind == "endpoint" and not self.model:
            name = self.place.split("://")[-1]
        if self.kind == "foreign" and Path(self.place).expanduser().exists():
            name = Path(self.place).expanduser().resolve().name
        return "".join(c if c.isalnum() or c in "-_." else "-" for c in name).strip("-.") or "model"


def named(text: str) -> Named:
    """ConfigError for what is no model's name."""
    if text in BASELINES:
        return Named("baseline", text)
    if text == MINI:
        return Named("mini", text)
    if is_shipped(text):
        raise ConfigError("a part alone is no model", got=repr(text), expected=f"{MINI!r}, or a folder",
                          do="name it in a spec: VisionSpec(...) or LanguageSpec(...)")
    if text.lower().startswith(("http://", "https://")):
        place, _, behind = text.partition("#")
        model, settings = _behind(behind, _ENDPOINT, text)
        return Named("endpoint", place.rstrip("/").removesuffix("/chat/completions"), model, settings)
    place, mark, behind = text.partition("#")
    if mark and not Path(text).expanduser().exists():
        model, settings = _behind(behind, _FOREIGN, text)
        if model:
            raise ConfigError("settings of a model are name=value", got=repr(model), expected=", ".join(_FOREIGN),
                              where=text)
        return Named("foreign", place, settings=settings)
    folder = Path(text).expanduser()
    if folder.is_file():
        picture = folder.suffix.lower() in ENDINGS
        raise CheckpointError("a model is a folder", got="a picture" if picture else "a file", where=text,
                              do="name the model first: mini, or a folder" if picture
                              else f"give the folder it lies in: {folder.parent}")
    if folder.is_dir():
        if not (ours(folder) or foreign(folder)):
            inside = sorted(p.name for p in folder.iterdir())
            raise CheckpointError("no model lies here", where=text, do="give a run or checkpoint folder, or mini",
                                  got=f"a folder with {', '.join(inside[:4])}" if inside else "an empty folder")
        return Named("loupe" if ours(folder) else "foreign", text)
    if _ID.fullmatch(text) and not (text.startswith(".") or folder.parent.exists() or folder.parts[0] in _FOLDERS):
        return Named("foreign", text)
    if any(c in text for c in "/\\."):
        raise absent(folder)
    error = unknown_name("model (no such folder either)", text, (MINI, *BASELINES))
    raise ConfigError(error.what, got=error.got, do=error.do if "did you mean" in error.do else "name mini, a folder, "
                      "an id of the hub (org/name), http://host/v1#model, or a baseline: " + ", ".join(BASELINES))


def absent(folder: Path) -> CheckpointError:
    """What to say of a folder that is not there: the models that are, near where it would be, the most alike first."""
    place = next(p for p in folder.parents if p.is_dir())
    missing = folder.relative_to(place).parts[0]
    names = list(map(str, _models_in(place)))
    near = get_close_matches(str(folder), names, n=_LISTED, cutoff=0.0)
    more = f" and {len(names) - len(near)} more" if len(names) > len(near) else ""
    return CheckpointError("no model lies here", where=folder, got="no such folder" if place == folder.parent else
                           f"no such folder, nor {place / missing}", do=f"models near it: {', '.join(near)}{more}"
                           if near else "give a run or checkpoint folder, or mini; there is none near it")


def _models_in(place: Path) -> list[Path]:
    """Folders with a finished model in a place and, but for the whole disk, in the folders of it."""
    below = () if place == Path("/") else place.glob("*/*/")
    inside = ("model/manifest.json", "model.safetensors", "config.json")
    return [p for p in islice(chain(place.glob("*/"), below), _SCANNED)
            if any(os.path.isfile(p / name) for name in inside) and p.name != "model"]


def ours(folder: Path) -> bool:
    """Whether a folder holds a run or a checkpoint of loupe, finished or not."""
    return any((folder / name).is_file() for name in ("manifest.json", "recipe.json", "model/manifest.json"))


def foreign(folder: Path) -> bool:
    """Whether a folder holds a model in transformers' layout and none of loupe."""
    return not ours(folder) and (folder / "config.json").is_file()


def _behind(text: str, known: dict, where: str) -> tuple[str, dict]:
    """(what stands without a name, {name: value})."""
    model, settings = "", {}
    for k, item in enumerate(filter(None, text.split(","))):
        name, equals, value = item.partition("=")
        if not equals and k == 0:
            model = item
            continue
        if name not in known:
            raise unknown_name("setting of a model", name, known, where=where)
        settings[name] = _value(value, known[name], name, where)
    return model, settings


def _value(text: str, kind: type, name: str, where: str):
    if kind is bool:
        if text not in ("on", "off", "true", "false", "1", "0"):
            raise ConfigError(f"setting {name} is on or off", got=repr(text), where=where)
        return text in ("on", "true", "1")
    try:
        return kind(text)
    except ValueError:
        raise ConfigError(f"setting {name} is no number", got=repr(text), where=where) from None
