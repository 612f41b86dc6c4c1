"""The house's habits that a machine can check."""

from __future__ import annotations

import ast
import re
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
SOURCE = ROOT / "src" / "loupe"
FILES = sorted(SOURCE.rglob("*.py"))
BANNED_NAMES = re.compile(r"^(utils?|helpers?|common|misc|managers?|stuff)$")
# paths of one machine, private addresses and registries' hosts have no place in the repository
PRIVATE = re.compile(r"/work/|/root/|/home/[a-z]|/Users/|/opt/wheels|/tmp/[a-z]|\b10\.\d+\.\d+\.\d+|\b192\.168\."
                     r"|\.internal\b|files\.pythonhosted|//pypi\.")


def tracked() -> list[Path]:
    done = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True)
    if done.returncode:
        pytest.skip("not a git checkout")
    return [ROOT / line for line in done.stdout.splitlines() if (ROOT / line).is_file()]


@pytest.mark.parametrize("path", FILES, ids=lambda p: str(p.relative_to(SOURCE)))
def test_shape_of_a_file(path):
    text = path.read_text("utf-8")
    lines = text.count("\n") + 1
    assert lines <= 400, f"{lines} lines"
    for part in path.relative_to(SOURCE).with_suffix("").parts:
        assert not BANNED_NAMES.match(part), f"name the noun instead of {part!r}"
    tree = ast.parse(text)
    assert not text.strip() or ast.get_docstring(tree), "say in one line what the file holds"
    for node in ast.walk(tree):
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
            assert node.end_lineno - node.lineno < 60, f"{node.name} has {node.end_lineno - node.lineno + 1} lines"
        if isinstance(node, (ast.ClassDef, ast.FunctionDef)):
            assert not BANNED_NAMES.match(node.name.lower()), node.name


@pytest.mark.parametrize("path", FILES, ids=lambda p: str(p.relative_to(SOURCE)))
def test_habits(path):
    text = path.read_text("utf-8")
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.ExceptHandler):
            caught = {n.id for n in ast.walk(node.type) if isinstance(n, ast.Name)} if node.type else {"everything"}
            assert not caught & {"Exception", "BaseException", "everything"}, f"line {node.lineno}: except {caught}"
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "print":
            assert "cli" in path.parts, f"line {node.lineno}: print outside cli"
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
            called = ast.unparse(node.func)
            assert called not in ("np.random.seed", "random.seed", "np.random.rand", "np.random.randint"), \
                f"line {node.lineno}: {called}; randomness is an argument"
    for number, line in enumerate(text.splitlines(), 1):
        assert not re.search(r"\b(TODO|FIXME|XXX|HACK)\b", line), f"line {number}: {line.strip()}"
        assert not re.match(r"\s*#\s*[-=#*]{4,}", line), f"line {number}: banner"


def test_nothing_of_one_machine_is_tracked():
    for path in tracked():
        if path.suffix in (".png", ".jpg", ".safetensors") or path == Path(__file__):
            continue
        text = path.read_text("utf-8", errors="replace")
        for number, line in enumerate(text.splitlines(), 1):
            assert not PRIVATE.search(line), f"{path.relative_to(ROOT)}:{number}: {line.strip()[:120]}"


def test_tracked_files_are_small():
    for path in tracked():
        if path.suffix == ".safetensors" and SOURCE / "miniature" in path.parents:
            continue  # tests/miniature/test_parts.py weighs them
        assert path.stat().st_size < 2_000_000, f"{path.relative_to(ROOT)} has {path.stat().st_size} bytes"


def test_pins_are_portable():
    pins = (ROOT / "constraints.txt").read_text().split()
    assert any(pin.startswith("torch==2.") for pin in pins)
    for pin in pins:
        assert "+" not in pin or pin.startswith("#"), f"{pin}: a local build"
        assert not pin.lower().startswith(("torchvision", "torchaudio", "nvidia")), pin
