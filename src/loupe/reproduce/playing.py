"""Games as a column: the mean reward of a cell's model on unseen seeds, and the ends of the scale beside it.

The environments are an extra: without it the columns, and the rows that learn from recorded games, are left out.
"""

from __future__ import annotations

from pathlib import Path

from tqdm import tqdm

from loupe.errors import ConfigError
from loupe.evals.runner import identity
from loupe.games.arcade import Arcade, check
from loupe.games.game import Game, game
from loupe.games.match import Result, Settings, mean, played
from loupe.games.players import Asked, Player, chance, still
from loupe.games.rollout import rollout
from loupe.games.scripted import scripted
from loupe.games.watching import Recording as Recorder
from loupe.reproduce.experiment import Column, Experiment, Recording, Table
from loupe.reproduce.measuring import Asking, Measured, of_figure
from loupe.writers.games import lines_of

ANSWER = 24  # tokens of an action
UNSEEING = {"random": chance, "still": still}
EXPERT = "scripted expert"


def missing(experiment: Experiment, table: Table) -> str:
    """Why a table cannot be done here; "" where it can."""
    games = {c.benchmark.game for c in experiment.parts(table.columns) if c.measured == "reward"}
    for name in sorted(games):
        try:
            check(game(name))
        except ConfigError as error:
            return str(error)
    return ""


def reward(asking: Asking, column: Column, name: str) -> Measured:
    """The mean reward; `unreadable` counts the steps whose answer said no action."""
    predictor = asking.predictor
    if hasattr(predictor, "shortened"):
        predictor = predictor.shortened(ANSWER)
    chosen = game(column.benchmark.game)
    done = _played(Asked(predictor, chosen, identity(predictor)), chosen, column, asking.answers, name)
    unread = sum(sum(e.problems.values()) for e in done.episodes)
    return of_figure(mean("mean reward", done.rewards), column.scale, unread, _questions(column))


def beside(column: Column) -> dict[str, dict[str, float]]:
    """{"values": of players that do not look, "rungs": of the expert that was imitated}."""
    chosen = game(column.benchmark.game)

    def worth(player: Player) -> float:
        return float(_played(player, chosen, column, None, "").rewards.mean()) * column.scale

    return {"values": {name: worth(make(chosen)) for name, make in UNSEEING.items()},
            "rungs": {EXPERT: worth(scripted(chosen))}}


def record(recording: Recording, data: Path) -> None:
    """The scripted expert's games; those that are there are not played again."""
    chosen, root = game(recording.game), data / recording.folder
    expert = scripted(chosen)
    left = [seed for seed in range(recording.games)
            if not lines_of(root, chosen.name, "train", seed).is_file()]

    def watchers(seed: int):
        return (Recorder(root, chosen, "train", seed, expert.identity),)

    with tqdm(total=recording.games, initial=recording.games - len(left), desc=f"recording {chosen.name}", unit="game",
              disable=None) as bar:
        for _ in rollout(expert, left, lambda: Arcade(chosen), most=recording.steps, watchers=watchers,
                         tick=bar.refresh):
            bar.update()


def _played(player: Player, chosen: Game, column: Column, out: Path | None, name: str) -> Result:
    """Episodes are kept below `out` one by one; without it nowhere."""
    play = column.benchmark
    seeds = tuple(range(play.seed, play.seed + column.limit))
    with tqdm(total=len(seeds), desc=f"{chosen.name}: {player.name}", unit="game", disable=None) as bar:
        if out is not None:
            return played(player, chosen, out / name, Settings(seeds, play.steps, together=len(seeds)),
                          over=lambda episode: bar.update(), tick=bar.refresh)
        episodes = {}
        for episode in rollout(player, seeds, lambda: Arcade(chosen), most=play.steps, tick=bar.refresh):
            episodes[episode.seed] = episode
            bar.update()
    return Result(player.name, tuple(episodes[seed] for seed in seeds))


def _questions(column: Column) -> str:
    play = column.benchmark
    return f"{play.game}, seeds {play.seed} to {play.seed + column.limit - 1}, {play.steps} steps"
