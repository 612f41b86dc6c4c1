"""A folder that belongs to one run: its plan says what it was begun with. The same plan goes on, another is refused."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

from loupe import config
from loupe.errors import FileError
from loupe.writers.files import atomic

PLAN = "plan.json"
NAMED = 4  # differences an error lists


def claim(out: Path, plan: Mapping, what: str) -> None:
    """Begin the folder OUT with a plan of JSON, or check that it holds this very one.

    what: begins the error where it holds another ("another refining lies here"). A folder of other files is refused.
    """
    stored, plan = out / PLAN, json.loads(json.dumps(plan))
    if stored.is_file():
        try:
            known = json.loads(stored.read_text("utf-8"))
        except (OSError, ValueError) as error:
            raise FileError("cannot read", got=error, where=stored) from None
        if differ := config.differences(known, plan):
            raise FileError(what, got="; ".join(differ[:NAMED]), where=stored,
                            do="give another --out, or delete the folder to start again")
        return
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise FileError("will not write among other files", got=f"{out}, which is not empty",
                        expected="a new or empty folder, or one begun by the same command")
    with atomic(stored) as file:
        file.write((json.dumps(plan, indent=1, ensure_ascii=False) + "\n").encode())
