"""What made a result: versions of what it rests on, and the commit."""

from __future__ import annotations

import platform
import subprocess
from importlib import metadata
from pathlib import Path

PACKAGES = ("loupe", "torch", "transformers", "tokenizers", "accelerate", "peft", "numpy", "pillow")


def origin() -> dict:
    """Versions and the commit, for the manifest."""
    return {"versions": {name: version(name) for name in PACKAGES}, "python": platform.python_version(),
            "commit": _commit()}


def version(name: str) -> str:
    """Of an installed package."""
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return "not installed"


def _commit() -> str | None:
    """The commit of the checkout loupe runs from, if it runs from one."""
    here = Path(__file__).resolve().parents[2]
    if not (here / ".git").exists():
        return None
    try:
        done = subprocess.run(["git", "-C", str(here), "rev-parse", "HEAD"], capture_output=True, text=True, timeout=5)
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout.strip() or None
