"""Imports only point down the house, and the lower floors live without torch."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

import loupe

SOURCE = Path(loupe.__file__).parent
CORE = {"errors", "regions", "image", "frame", "codec", "dialogue", "record", "sample", "plain", "config", "drawing",
        "predictor", "augment", "shipped", "contour", "stored", "named", "framing", "blind",
        "origin"}
# who may import whom beside their own kind; core is open to all
BELOW = {
    "readers": set(),
    "writers": set(),
    "tasks": set(),
    "world": {"readers", "writers", "tasks"},
    "data": {"readers", "writers", "tasks"},
    "endpoint": set(),
    "evals": {"endpoint", "data", "world", "readers", "writers", "tasks"},
}
BELOW["bootstrapping"] = {"evals"} | BELOW["evals"]  # its report draws with the pages and judges of evals
BELOW["regionchat"] = {"evals"} | BELOW["evals"]  # its page is drawn with those of evals
BELOW["models"] = {"evals"} | BELOW["evals"]
BELOW["refining"] = {"models"} | BELOW["models"]
BELOW["relevance"] = {"refining"} | BELOW["refining"]
BELOW["importers"] = {"models"} | BELOW["models"]
BELOW["predictors"] = {"refining"} | BELOW["refining"]  # Lyrics' models see what a refiner found
BELOW["training"] = {"predictors", "importers"} | BELOW["predictors"]
BELOW["recipes"] = BELOW["miniature"] = {"training"} | BELOW["training"]
BELOW["reproduce"] = {"recipes", "miniature", "bootstrapping", "games"} | BELOW["recipes"]
BELOW["probe"] = {"recipes", "miniature"} | BELOW["recipes"]
BELOW["serving"] = BELOW["games"] = BELOW["recipes"]
BELOW["cli"] = BELOW["recipes"] | {"serving", "games", "probe", "reproduce", "recipes", "miniature", "bootstrapping",
                                   "regionchat", "relevance"}
# recipes are values and training/recipe.py holds their types: training may look a recipe up by name
BELOW["training"] = BELOW["training"] | {"recipes"}
TORCH_FREE = CORE | {"readers", "writers", "tasks", "world", "data", "endpoint", "evals", "bootstrapping", "regionchat",
                     "cli"}
HEAVY = ("torch", "transformers", "tokenizers", "safetensors", "accelerate", "peft")
TRAINING_PATH = {*HEAVY, "numpy", "PIL", "tqdm", "loupe"}
# extras of pyproject.toml, imported when they are used
OPTIONAL = {"loupe.data.scale": {"ray"}, "loupe.endpoint.client": {"httpx"},
            "loupe.predictors.chatting": {"jinja2"},  # torch brings it
            "loupe.games.arcade": {"gymnasium", "ale_py"},
            "loupe.games.trained": {"stable_baselines3", "sb3_contrib", "gymnasium"}}
WEB = {"fastapi", "starlette", "uvicorn", "pydantic", "anyio", "prometheus_client"}  # of serving alone


def modules() -> list[tuple[str, Path]]:
    found = []
    for path in sorted(SOURCE.rglob("*.py")):
        name = ".".join(path.relative_to(SOURCE.parent).with_suffix("").parts)
        found.append((name.removesuffix(".__init__"), path))
    return found


def floor(name: str) -> str:
    """"loupe.evals.page" lives on the floor "evals"; the package itself and __main__ stand on top."""
    rest = name.split(".")[1:]
    return rest[0] if rest else "loupe"


def imported(path: Path, only_at_import: bool = False) -> set[str]:
    """Absolute names this file imports; with `only_at_import`, those outside functions and TYPE_CHECKING."""
    names: set[str] = set()

    def visit(node: ast.AST) -> None:
        for child in ast.iter_child_nodes(node):
            if only_at_import and isinstance(child, (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda)):
                continue
            if only_at_import and isinstance(child, ast.If) and "TYPE_CHECKING" in ast.dump(child.test):
                continue
            if isinstance(child, ast.Import):
                names.update(alias.name for alias in child.names)
            elif isinstance(child, ast.ImportFrom):
                assert child.level == 0, f"{path}: relative import, write it in full"
                names.update(f"{child.module}.{alias.name}" for alias in child.names)
            visit(child)

    visit(ast.parse(path.read_text("utf-8")))
    return names


@pytest.mark.parametrize("name,path", modules(), ids=lambda value: value if isinstance(value, str) else "")
def test_imports_point_down(name, path):
    here = floor(name)
    if here in ("loupe", "__main__"):
        return  # the public names reach everywhere, lazily
    wrong = set()
    for other in imported(path):
        if not other.startswith("loupe."):
            continue
        there = floor(other)
        if there == here or there in CORE or there in BELOW.get(here, ()):
            continue
        wrong.add(other)
    assert not wrong, f"{name} ({here}) imports from above: {sorted(wrong)}"


@pytest.mark.parametrize("name,path", modules(), ids=lambda value: value if isinstance(value, str) else "")
def test_outside_imports(name, path):
    """Core stands on numpy and Pillow alone; everything else on the declared dependencies."""
    outside = {other.split(".")[0] for other in imported(path)} - set(sys.stdlib_module_names)
    allowed = {"numpy", "PIL", "loupe"} if floor(name) in CORE else TRAINING_PATH | OPTIONAL.get(name, set())
    if floor(name) == "serving":
        allowed = allowed | WEB
    assert outside <= allowed, f"{name} imports {sorted(outside - allowed)}"
    if floor(name) in TORCH_FREE - {"cli"}:
        assert not outside & set(HEAVY), f"{name} imports {sorted(outside & set(HEAVY))}"


def test_lower_floors_do_not_load_torch():
    """Import every module of the torch-free floors, and the command with its help, in one fresh interpreter."""
    names = [name for name, _ in modules() if floor(name) in TORCH_FREE | {"loupe"}]
    script = (
        "import importlib, sys\n"
        f"for name in {names!r}: importlib.import_module(name)\n"
        "from loupe.cli import VERBS, overview, parser\n"
        "overview(); [parser(verb) for verb in VERBS]\n"
        f"loaded = [m for m in {HEAVY + ('scipy', 'pandas')!r} if m in sys.modules]\n"
        "sys.exit(f'loaded: {loaded}' if loaded else 0)\n"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr[-2000:]


def test_public_names_resolve():
    for name in getattr(loupe, "__all__", ()):
        assert getattr(loupe, name) is not None


def test_name_tables_resolve():
    """Every entry "module:Name" of every literal name table can be imported."""
    import importlib

    seen = 0
    for name, path in modules():
        for node in ast.parse(path.read_text("utf-8")).body:
            target = node.targets[0] if isinstance(node, ast.Assign) else getattr(node, "target", None)
            value = getattr(node, "value", None)
            if not (isinstance(target, ast.Name) and target.id.isupper() and isinstance(value, ast.Dict)):
                continue
            for entry in value.values:
                text = entry.value if isinstance(entry, ast.Constant) else None
                if isinstance(text, str) and text.startswith("loupe.") and " " not in text:
                    module, _, attribute = text.partition(":")
                    found = importlib.import_module(module)
                    assert not attribute or hasattr(found, attribute), f"{name}.{target.id}: {text}"
                    seen += 1
    assert seen > 5
