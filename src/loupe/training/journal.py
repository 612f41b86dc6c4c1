"""metrics.jsonl: one line every few updates. A resumed run cuts off the lines behind its checkpoint."""

from __future__ import annotations

import json
from pathlib import Path

from loupe.training.state import Progress, cannot_write


class Journal:
    def __init__(self, path: Path, done: int):
        """Keeps the lines up to update number `done`."""
        self.path = path
        lines = read(path) if path.exists() else []
        kept = [line for line in lines if line["update"] <= done]
        path.write_text("".join(json.dumps(line) + "\n" for line in kept))

    def write(self, line: dict) -> None:
        try:
            with self.path.open("a") as file:
                file.write(json.dumps(line) + "\n")
        except OSError as error:
            raise cannot_write(error, self.path) from error


def read(path: Path) -> list[dict]:
    """All whole lines; the last may be torn by a kill."""
    out = []
    for text in path.read_text().splitlines():
        try:
            out.append(json.loads(text))
        except ValueError:
            continue
    return out


def add(progress: Progress, **facts) -> None:
    """Add one update's numbers to the window: scalars, and dictionaries of scalars."""
    for key, value in facts.items():
        old = progress.window.get(key)
        if isinstance(value, dict):
            old = old or {}
            progress.window[key] = {k: old.get(k, 0.0) + value.get(k, 0.0) for k in {**old, **value}}
        else:
            progress.window[key] = (old or 0.0) + value


def line(progress: Progress, steps: int, lr: float, weight_name: str) -> dict:
    """The window as a line of metrics; empties it."""
    w = progress.window
    progress.window = {}
    seconds = max(w["seconds"], 1e-9)
    return {
        "stage": progress.stage, "step": progress.step, "of": steps, "update": progress.updates,
        "loss": w["loss"] / max(w["weight"], 1.0),
        "losses": {k: w["terms"][k] / n for k, n in w["counts"].items() if n},
        "lr": lr, "grad_norm": w["norm"] / w["updates"],
        "images": progress.images, "pairs": progress.pairs, weight_name: progress.tokens,
        "images_per_s": round(w["images"] / seconds, 2), "pairs_per_s": round(w["pairs"] / seconds, 2),
        f"{weight_name}_per_s": round(w["tokens"] / seconds, 1), "seconds": round(progress.seconds, 2),
    }
