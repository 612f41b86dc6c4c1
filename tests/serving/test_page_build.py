"""The page's files: built from web/ they are the committed ones, byte for byte; they ask nothing of the network."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
WEB, BUILT = ROOT / "web", ROOT / "src" / "loupe" / "serving" / "ui"
NAMES = {"index.html", "page.js", "style.css", "icon.svg", "inter-latin-wght-normal.woff2", "licences.txt"}


def test_a_fresh_build_is_the_committed_one(tmp_path):
    if not (shutil.which("node") and shutil.which("npm")):
        pytest.skip("needs Node.js")
    shutil.copytree(WEB, tmp_path / "web", ignore=shutil.ignore_patterns("node_modules"))
    kept = WEB / "node_modules"
    if kept.is_dir() and _same_lock(kept):
        (tmp_path / "web" / "node_modules").symlink_to(kept)
    else:
        done = subprocess.run(["npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund"], cwd=tmp_path / "web",
                              capture_output=True, text=True, timeout=240)
        if done.returncode:
            pytest.skip(f"npm ci cannot install the bundler here: {done.stderr.strip().splitlines()[-1:]}")
    subprocess.run(["node", "build.mjs", str(tmp_path / "ui")], cwd=tmp_path / "web", check=True, timeout=120)
    assert {p.name for p in (tmp_path / "ui").iterdir()} == {p.name for p in BUILT.iterdir()} == NAMES
    for path in BUILT.iterdir():
        assert path.read_bytes() == (tmp_path / "ui" / path.name).read_bytes(), f"{path.name}: run make ui"


def _same_lock(modules: Path) -> bool:
    """npm's own note of what it installed names the versions of the lockfile."""
    def versions(path: Path) -> set[str]:
        return set(re.findall(r'"(node_modules/[^"]+)": \{\s+"version": "([^"]+)"', path.read_text("utf-8")))

    note = modules / ".package-lock.json"
    return note.is_file() and versions(note) <= versions(WEB / "package-lock.json")


def test_nothing_outside_is_named():
    for path in BUILT.iterdir():
        if path.suffix in (".js", ".css", ".html", ".svg"):
            text = path.read_text("utf-8")
            hosts = set(re.findall(r"https?://([\w.-]+)", text)) - {"www.w3.org"}
            assert path.suffix == ".js" or not hosts, f"{path.name}: {hosts}"
            assert not re.search(r"""(src|href)=["']https?:|import\(["']http|@import|url\(["']?http""", text), path.name


def test_the_page_is_small_and_in_the_package():
    assert sum(path.stat().st_size for path in BUILT.iterdir()) < 400_000
    assert 'packages = ["src/loupe"]' in (ROOT / "pyproject.toml").read_text("utf-8")  # all of it goes into the wheel


def test_sources_stay_readable():
    for path in [*WEB.glob("src/**/*.ts*"), *WEB.glob("src/**/*.css")]:
        lines = path.read_text("utf-8").splitlines()
        assert len(lines) < 400, path
        assert path.suffix == ".css" or lines[0].startswith("// "), f"{path}: say in one line what the file holds"
