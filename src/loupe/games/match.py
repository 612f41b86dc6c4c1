"""Players on the same seeds: episodes kept as they end, and their mean rewards side by side."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from loupe.evals.metrics.figures import Figure
from loupe.games.arcade import Arcade, versions
from loupe.games.game import Game
from loupe.games.players import Player
from loupe.games.rollout import Episode, rollout
from loupe.games.watching import Animation
from loupe.writers.files import atomic

DRAWS = 2000  # of episodes with replacement, for an interval


@dataclass(frozen=True)
class Settings:
    """How a player's games are played and kept."""

    seeds: tuple[int, ...]
    most: int | None = None  # steps of a game
    together: int = 1  # games side by side
    animated: int = 1  # so many episodes are drawn
    format: str = "webp"


@dataclass(frozen=True)
class Result:
    player: str
    episodes: tuple[Episode, ...]

    @property
    def rewards(self) -> np.ndarray:
        return np.array([e.reward for e in self.episodes])

    def plain(self, against: Result | None = None) -> dict:
        figures = [mean("mean reward", self.rewards)]
        if against is not None:
            figures.append(mean(f"above {against.player}", self.rewards - against.rewards))
        return {"player": self.player, "episodes": [e.plain() for e in self.episodes],
                "figures": {f.name: {"value": f.value, "low": f.low, "high": f.high} for f in figures}}


def mean(name: str, values: Sequence[float]) -> Figure:
    """A mean with the 95 % interval of episodes drawn again (always the same draws); none of a single one."""
    values = np.asarray(values, float)
    if len(values) < 2:
        return Figure(name, float(values.mean()) if len(values) else 0.0, count=len(values))
    drawn = values[np.random.default_rng(0).integers(len(values), size=(DRAWS, len(values)))].mean(1)
    low, high = np.quantile(drawn, (0.025, 0.975))
    return Figure(name, float(values.mean()), float(low), float(high), len(values))


def played(player: Player, game: Game, out: Path, settings: Settings, *, arcade: Callable[[], Arcade] | None = None,
           over: Callable[[Episode], None] = lambda episode: None, tick: Callable[[], None] = lambda: None) -> Result:
    """The player's episodes on every seed; those of an earlier run of the same player in `out` are not played again,
    unless a picture of theirs is wanted that is not there."""
    about = json.loads(json.dumps({"player": player.identity, "game": game.name, "most": settings.most,
                                   "packages": versions() if arcade is None else {}}))
    done = {}
    drawn = {seed: out / f"{seed}.{settings.format}" for seed in settings.seeds[:settings.animated]}
    for seed in settings.seeds:
        known = _kept(out / f"{seed}.json", about)
        if known is not None and (seed not in drawn or drawn[seed].is_file()):
            done[seed] = known
            over(known)

    def watchers(seed: int):
        return (Animation(drawn[seed], game),) if seed in drawn else ()

    left = [seed for seed in settings.seeds if seed not in done]
    for episode in rollout(player, left, arcade or (lambda: Arcade(game)), together=settings.together,
                           most=settings.most, watchers=watchers, tick=tick):
        write(out / f"{episode.seed}.json", {"about": about, "episode": episode.plain()})
        done[episode.seed] = episode
        over(episode)
    return Result(player.name, tuple(done[seed] for seed in settings.seeds))


def write(path: Path, data: dict) -> None:
    with atomic(path) as out:
        out.write(json.dumps(data, indent=1).encode() + b"\n")


def _kept(path: Path, about: dict) -> Episode | None:
    """An episode played by the same player under the same settings; None of any other or a damaged file."""
    try:
        data = json.loads(path.read_text("utf-8"))
        return Episode(**data["episode"]) if data["about"] == about else None
    except (OSError, ValueError, KeyError, TypeError):
        return None


def rows_of(results: Sequence[Result]) -> list[list[str]]:
    """Lines of a table; the last of several results is what the others are measured against, seed by seed."""
    last, several = results[-1], len(results) > 1
    games = len(last.episodes)
    rows = [[f"{games} games" if games > 1 else "1 game", "mean reward", *([f"above {last.player}"] * several), "steps",
             "nothing read"]]
    for result in results:
        problems = Counter()
        for episode in result.episodes:
            problems.update(episode.problems)
        steps = sum(e.steps for e in result.episodes)
        above = "" if result is last else _cell(mean("", result.rewards - last.rewards))
        rows.append([result.player, _cell(mean("", result.rewards)), *([above] * several),
                     f"{steps / len(result.episodes):.0f}", f"{problems.total()} of {steps}" if problems else "0"])
    return rows


def _cell(figure: Figure) -> str:
    return f"{figure.value:.1f}" + ("" if figure.low is None else f" [{figure.low:.1f}, {figure.high:.1f}]")
