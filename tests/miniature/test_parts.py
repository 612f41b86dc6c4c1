"""The parts in this checkout: small, in half precision, with cards whose commands exist; and all of it in the wheel."""

from __future__ import annotations

import re
import shlex
import shutil
from pathlib import Path

import pytest

from loupe import shipped
from loupe.cli import parser
from loupe.miniature.card import SECTIONS

ROOT = Path(__file__).resolve().parents[2]
PLACE = ROOT / "src/loupe/miniature"
HERE = [name for name, inside in shipped.SHIPPED.items() if (PLACE / inside / shipped.WEIGHTS).is_file()]


def test_all_parts_are_here():
    if shipped.MINI not in HERE:
        pytest.skip("this checkout does not carry the miniature yet, which is made last")
    assert set(HERE) == set(shipped.SHIPPED)


def test_all_parts_together_are_small():
    weights = list(PLACE.rglob("*.safetensors"))
    assert {path.parent for path in weights} == {PLACE / shipped.SHIPPED[name] for name in HERE}
    assert sum(path.stat().st_size for path in weights) <= 25_000_000
    assert sum(path.stat().st_size for path in PLACE.rglob("*") if path.is_file()) <= 30_000_000


@pytest.mark.parametrize("name", HERE)
def test_a_part(name):
    place = PLACE / shipped.SHIPPED[name]
    tensors = shipped.header(place / shipped.WEIGHTS)
    assert {each["dtype"] for each in tensors.values()} <= {"F16", "I64"}
    assert 50_000 < shipped.parameters(place / shipped.WEIGHTS) <= 8_000_000
    card = (place / shipped.CARD).read_text("utf-8")
    assert tuple(re.findall(r"^## (.+)$", card, flags=re.M)) == SECTIONS
    bodies = re.split(r"^## .+$", card, flags=re.M)[1:]
    assert all(body.strip() for body in bodies) and "| --- |" in bodies[SECTIONS.index("Scores")]
    assert card.startswith(f"# {name}\n")
    said = card.split("## Command")[1].split("```")[1].splitlines()[1:]
    assert said[0].startswith("loupe world ") and said[-1].startswith(f"loupe ship RUN {name}")
    for line in said:
        verb, *words = shlex.split(line)[1:]
        parser(verb).parse_intermixed_args(words)
    texts = [path for path in place.rglob("*") if path.suffix in (".json", ".md", ".jinja")]
    assert texts and not any(re.search(r"/(tmp|root|home|work)/", path.read_text("utf-8")) for path in texts)


def test_the_wheel_has_weights_tokenizers_and_cards(tmp_path):
    """By the project's own build settings, on a copy with files where the parts lie."""
    wheel = pytest.importorskip("hatchling.builders.wheel")
    for name in ("pyproject.toml", "README.md", "LICENSE", ".gitignore"):
        shutil.copyfile(ROOT / name, tmp_path / name)
    wanted = {f"loupe/miniature/{part}" for part in ("mini/model.safetensors", "mini/manifest.json", "mini/README.md",
                                                     "mini/tokenizer/tokenizer.json", "language/chat_template.jinja")}
    for name in {"loupe/__init__.py", *wanted}:
        path = tmp_path / "src" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"")
    builder = wheel.WheelBuilder(str(tmp_path))
    assert wanted <= {file.distribution_path for file in builder.recurse_included_files()}
