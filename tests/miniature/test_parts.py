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


QUOTED = {  # what the table of docs/models.md says -> the row of the card and its figure
    "loupe/tower": {r"([\d.]+) % say the class": "class", r"([\d.]+) % every attribute": "attributes",
                    r"([\d.]+) % the box": "box IoU >= 0.5", r"printed word ([\d.]+) %": "printed word"},
    "loupe/vision": {r"retrieval of (\d+)": "pictures", r"([\d.]+) % of captions": "image-to-text@1",
                     r"([\d.]+) % of pictures": "text-to-image@1", r"chance ([\d.]+) %": "chance"},
    "loupe/language": {r"attributes in ([\d.]+) %": "grounding.attribute",
                       r"colour in ([\d.]+) %": "region.box-colour"},
    "loupe/refiner": {r"class F1 ([\d.]+)": "box F1", r"masks' IoU ([\d.]+)": "mask IoU of found",
                      r"attributes right ([\d.]+) %": "all attributes right of found"},
    "mini": {r"where is \.\.\.\? \| ([\d.]+) %": "mini-grounding | IoU >= 0.5",
             r"by attribute ([\d.]+)": "mini-grounding | IoU >= 0.5, attribute",
             r", order ([\d.]+)": "mini-grounding | IoU >= 0.5, order",
             r", relation ([\d.]+)\)": "mini-grounding | IoU >= 0.5, relation",
             r"where is.* behind another question ([\d.]+)": "mini-grounding-behind | IoU >= 0.5",
             r"relation of two boxes \| ([\d.]+) %": "mini-relation | holds",
             r"is it there\? \| ([\d.]+) %": "mini-presence | exact",
             r"is it there.* behind another question ([\d.]+)": "mini-presence-behind | exact",
             r"in a box, at a point \| ([\d.]+) %": "mini-box | exact",
             r"in a box, at a point \| [\d.]+ %, ([\d.]+) %": "mini-point | exact",
             r"boxes of a class \| F1 ([\d.]+) %": "mini-detection | F1",
             r"how many\? \| ([\d.]+) %": "mini-counting | exact",
             r"mean it alone \| ([\d.]+) %": "mini-description | unique",
             r"printed words \| ([\d.]+) %": "mini-reading | exact",
             r"captions with boxes \| F1 ([\d.]+) %": "mini-grounded-caption | F1 of phrases with boxes",
             r"cIoU ([\d.]+) %": "mini-masks | cIoU",
             r"true box filled ([\d.]+)": "mini-masks | cIoU of the true box, filled"}}


def test_all_parts_are_here():
    assert set(HERE) == set(shipped.SHIPPED)


def figures(card: str) -> dict[str, float]:
    """Figures of a card's tables by the first words of their rows; of judged ones by benchmark and figure."""
    found = {}
    for row in re.findall(r"^\| (.+) \|$", card, flags=re.M):
        cells = row.split(" | ")
        if cells[1][:1].isdigit():  # of a kind of question the share stands behind the number of answers
            found[cells[0]] = float(cells[2] if len(cells) > 3 else cells[1])
        elif len(cells) > 4:  # a second run's figures stand in a last column
            found[" | ".join(cells[:2])] = float(cells[2].split()[0]) if cells[2][:1].isdigit() else None
    return found


@pytest.mark.parametrize("name", QUOTED)
def test_the_page_says_what_the_cards_say(name):
    """To as many digits as it says."""
    page = (ROOT / "docs/models.md").read_text("utf-8")
    (row,) = re.findall(rf"^\| `{name}` \| ([^|]+) \|$|^`{name}`, trained on.*?$(.*?)^\*\*", page, flags=re.M | re.S)
    row = "".join(row)
    known = figures((PLACE / shipped.SHIPPED[name] / shipped.CARD).read_text("utf-8"))
    for pattern, figure in QUOTED[name].items():
        said = re.search(pattern, row)
        assert said, f"{pattern} is not quoted in: {row}"
        digits = len(said[1].partition(".")[2])
        true = known[figure] if name == "mini" or said[1].startswith(".") or known[figure] > 1 else 100 * known[figure]
        assert abs(float(said[1]) - true) <= 0.5000001 * 10**-digits, f"{figure}: {said[0]}, the card {true}"


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
