"""Games played to their end, several side by side."""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass, field
from typing import Protocol

from loupe.games.arcade import Arcade, Sight
from loupe.games.players import Move, Player


@dataclass(frozen=True)
class Episode:
    """One game. end: "over", "time" (the environment's limit), or "limit" (ours)."""

    seed: int
    reward: float
    steps: int
    end: str
    problems: dict[str, int] = field(default_factory=dict)  # steps at which nothing could be read, by reason

    def plain(self) -> dict:
        return asdict(self)


class Watcher(Protocol):
    """Looks on while a game is played."""

    def step(self, sight: Sight, move: Move, reward: float) -> None:
        """What was seen, what was done, what it brought."""

    def end(self, sight: Sight, episode: Episode) -> None: ...


class Table:
    """One game in progress."""

    def __init__(self, arcade: Arcade, seat: int, seed: int, watchers: Sequence[Watcher] = ()):
        self.arcade, self.seat, self.seed, self.watchers = arcade, seat, seed, watchers
        first = arcade.begin(seed)
        self.seen = deque([first] * arcade.game.stack, maxlen=arcade.game.stack)
        self.reward, self.steps, self.ended = 0.0, 0, ""
        self.problems: Counter[str] = Counter()

    def play(self, move: Move, most: int | None) -> None:
        before = self.seen[-1]
        sight, reward, self.ended = self.arcade.step(move.action)
        self.seen.append(sight)
        self.reward, self.steps = self.reward + reward, self.steps + 1
        if move.problem:
            self.problems[move.problem] += 1
        if not self.ended and most is not None and self.steps >= most:
            self.ended = "limit"
        for watcher in self.watchers:
            watcher.step(before, move, reward)
        if self.ended:
            for watcher in self.watchers:
                watcher.end(sight, self.episode())

    def episode(self) -> Episode:
        return Episode(self.seed, self.reward, self.steps, self.ended, dict(sorted(self.problems.items())))


def rollout(player: Player, seeds: Iterable[int], arcade: Callable[[], Arcade], *, together: int = 1,
            most: int | None = None, watchers: Callable[[int], Sequence[Watcher]] = lambda seed: (),
            tick: Callable[[], None] = lambda: None) -> Iterator[Episode]:
    """Games of these seeds, each as it ends. together: how many at a time; most: steps of a game at most;
    tick: called at every step of all games in progress."""
    waiting = deque(seeds)
    free = [(seat, arcade()) for seat in range(min(together, len(waiting)))]
    tables: list[Table] = []
    rooms = [room for _, room in free]
    try:
        while waiting or tables:
            while waiting and free:
                seat, room = free.pop(0)
                seed = waiting.popleft()
                tables.append(Table(room, seat, seed, watchers(seed)))
                player.begin(seat, seed)
            moves = player.moves({table.seat: tuple(table.seen) for table in tables})
            for table in tables:
                table.play(moves[table.seat], most)
            tick()
            done = [table for table in tables if table.ended]
            tables = [table for table in tables if not table.ended]
            for table in done:
                free.append((table.seat, table.arcade))
                yield table.episode()
    finally:
        for room in rooms:
            room.close()
