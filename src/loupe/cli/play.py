"""`loupe play`: a model plays a game, beside an expert and a random player; experts' games are recorded."""

from __future__ import annotations

import sys
import time
from pathlib import Path

HELP = """let a model play a game, or record an expert's games to train on

  loupe play runs/mine car-racing --episodes 15
  loupe play mini space-invaders --episodes 5 --seed 5000 --out games/mini
  loupe play scripted car-racing --record data/games
  loupe play expert.zip space-invaders --record data/games --episodes 30 --seed 4000

MODEL is whatever `loupe evaluate` takes; or scripted (an expert written by hand, which sees the same pictures), random,
still; or a checkpoint of stable-baselines3 or sb3-contrib (FILE.zip; FILE.zip#recurrent-ppo,skip=2,grey names what it
is, that it acts at every second frame, and that its channels are grey frames). GAME is car-racing or space-invaders.
Every player of --beside plays the same seeds. OUT holds each episode, an animated picture of the first ones and
play.json with every figure; episodes that are there are not played again.

With --record the player's games are written for the reader `games`, a game at a time. Recording begins at seed 2000 and
playing at 3000 unless --seed says so; a model that plays games it has learnt from is told.
Needs pip install 'loupe[games]'."""
BESIDE = "scripted,random"
RECORDED, UNSEEN = 2000, 3000  # first seeds
LEARN, TRY = 30, 15  # games (PAE-LaMM §3.4, Table 4)
PULSE = 20.0  # seconds after which a line says that games go on, where no bar is drawn


def add_arguments(parser) -> None:
    parser.add_argument("model", metavar="MODEL")
    parser.add_argument("game", metavar="GAME", help="car-racing or space-invaders")
    parser.add_argument("--episodes", type=int, metavar="N", help="games (default: 15; 30 to record)")
    parser.add_argument("--seed", type=int, metavar="S", help="of the first game; the others follow")
    parser.add_argument("--steps", type=int, metavar="N", help="end a game after so many steps")
    parser.add_argument("--beside", metavar="PLAYERS", help=f"others on the same seeds (default: {BESIDE}); none")
    parser.add_argument("--together", type=int, metavar="N", help="games side by side (default: 5 of a model, whose "
                        "questions are asked together, else 1)")
    parser.add_argument("--animate", type=int, default=1, metavar="N", help="episodes drawn (default: 1)")
    parser.add_argument("--format", default="webp", help="of animated pictures: webp or gif")
    parser.add_argument("--record", type=Path, metavar="DIR", help="write the games there, to train on")
    parser.add_argument("--split", default="train", help="of the recording (default: train)")
    parser.add_argument("--device", metavar="NAME", help="cpu or cuda (default: what is there)")
    parser.add_argument("--out", type=Path, default=Path("played"), metavar="DIR", help="default: played")


def run(args) -> None:
    from loupe.games.arcade import check
    from loupe.games.game import game

    played = game(args.game)
    checked(args)
    args.episodes = args.episodes or (LEARN if args.record else TRY)
    check(played)
    record(args, played) if args.record else compare(args, played)


def checked(args) -> None:
    from loupe.errors import ConfigError, unknown_name
    from loupe.games.watching import FORMATS

    for name, least in (("episodes", 1), ("steps", 1), ("together", 1), ("animate", 0), ("seed", 0)):
        value = getattr(args, name)
        if value is not None and value < least:
            raise ConfigError("this number is too small", got=value, expected=f"{least} or more", where=f"--{name}")
    if args.format not in FORMATS:
        raise unknown_name("format", args.format, FORMATS, where="--format")
    if args.record and (not args.split or Path(args.split).name != args.split):
        raise ConfigError("a split is the name of a folder", got=repr(args.split), where="--split")


def learnt(name: str, game) -> list[int]:
    """Seeds of the recorded games that a model of ours has learnt from, as its manifest says."""
    from loupe.models.checkpoint import MANIFEST, read_manifest

    places = (Path(name).expanduser() / "model", Path(name).expanduser())
    place = next((p for p in places if (p / MANIFEST).is_file()), None)
    return read_manifest(place)["extra"].get("games", {}).get(game.name, []) if place else []


def seen_before(name: str, chosen, game) -> list[int]:
    """Those of the seeds whose games the player has learnt from."""
    known = set(learnt(name, game))
    return [seed for seed in chosen if seed in known]


def player(name: str, game, device: str | None = None):
    """The player a name means."""
    from loupe.games.players import Asked, chance, still
    from loupe.games.scripted import scripted

    simple = {"random": chance, "still": still, "scripted": scripted}
    if name in simple:
        return simple[name](game)
    path, _, said = name.partition("#")
    if path.endswith(".zip"):
        from loupe.games.trained import expert

        return expert(Path(path).expanduser(), game, said)
    from loupe.errors import ConfigError, unknown_name
    from loupe.evals.runner import identity
    from loupe.predictors import BASELINES, load
    from loupe.shipped import MINI

    if name in BASELINES:
        raise ConfigError("a baseline does not look at pictures", got=name, expected=f"a model, or {', '.join(simple)}")
    if name != MINI and name.replace("-", "").replace("_", "").isalnum() and not Path(name).exists():
        raise unknown_name("player (no such folder either)", name, (MINI, *simple))
    predictor = load(name, answer=32, **({} if device is None else {"device": device}))
    return Asked(predictor, game, identity(predictor))


def labels(names) -> list[str]:
    """What players are called: the last part of a path, where that tells them apart."""
    last = [Path(name).name for name in names]
    return [short if last.count(short) == 1 else name for name, short in zip(names, last)]


def seeds(args) -> tuple[int, ...]:
    first = (RECORDED if args.record else UNSEEN) if args.seed is None else args.seed
    return tuple(range(first, first + args.episodes))


class Progress:
    """How far the games of one player are: a bar, and on the error stream a line for every game that ends."""

    def __init__(self, what: str, total: int, done: int = 0):
        from tqdm import tqdm

        self.what, self.rounds, self.said = what, 0, time.monotonic()
        self.bar = tqdm(total=total, initial=done, desc=what, unit="game", disable=None)

    def __enter__(self) -> Progress:
        return self

    def __exit__(self, *error) -> None:
        self.bar.close()

    def tick(self) -> None:
        """Every game in progress is a step further."""
        self.rounds += 1
        self.bar.set_postfix_str(f"step {self.rounds}")
        if self.bar.disable and time.monotonic() - self.said > PULSE:
            self.say(f"{self.what}: every game in progress is at step {self.rounds}")

    def over(self, episode) -> None:
        self.bar.update()
        self.say(f"{self.what}, seed {episode.seed}: reward {episode.reward:.1f} after {episode.steps} steps")

    def say(self, line: str) -> None:
        self.said = time.monotonic()
        self.bar.write(line, file=sys.stderr)


def together(args, each) -> int:
    return args.together or (5 if hasattr(each, "predictor") else 1)


def compare(args, game) -> None:
    from loupe.evals.table import aligned
    from loupe.games.match import Settings, played, rows_of, write

    beside = [name for name in (BESIDE if args.beside is None else args.beside).split(",") if name not in ("", "none")]
    names = list(dict.fromkeys([args.model, *beside]))
    players = {name: player(name, game, args.device) for name in names}  # a wrong name is said before a long game
    chosen = seeds(args)
    first, last = chosen[0], chosen[-1]
    print(f"{game.name}, seeds {first} to {last}" if last > first else f"{game.name}, seed {first}", flush=True)
    known, results = {}, []
    for label, (name, each) in zip(labels(players), players.items()):
        folder = args.out / game.name / "".join(c if c.isalnum() or c in "-_." else "-" for c in label)
        each.name, known[label] = label, seen_before(name, chosen, game)
        settings = Settings(chosen, args.steps, together(args, each), args.animate, args.format)
        with Progress(each.name, args.episodes) as progress:
            results.append(played(each, game, folder, settings, over=progress.over, tick=progress.tick))
    print(aligned(rows_of(results)))
    for label, before in known.items():
        if before:
            print(f"not unseen: {label} has learnt from {len(before)} of these {counted(len(chosen))} "
                  f"(seed {', '.join(map(str, before[:5]))}{', ...' * (len(before) > 5)}); give another --seed")
    against = results[-1] if len(results) > 1 else None
    about = {"game": game.name, "seeds": list(chosen),
             "players": [r.plain(against if r is not against else None) | {"learnt from": known[r.player]}
                         for r in results]}
    write(args.out / game.name / "play.json", about)
    print(f"episodes, animated pictures and figures: {args.out / game.name}/")


def record(args, game) -> None:
    from loupe.games.arcade import Arcade
    from loupe.games.rollout import rollout
    from loupe.games.watching import Recording
    from loupe.writers.games import lines_of

    each = player(args.model, game, args.device)
    left = [seed for seed in seeds(args) if not lines_of(args.record, game.name, args.split, seed).is_file()]
    rewards, steps = [], 0

    def watchers(seed: int):
        return (Recording(args.record, game, args.split, seed, each.identity),)

    with Progress(f"recording {each.name}", args.episodes, args.episodes - len(left)) as progress:
        for episode in rollout(each, left, lambda: Arcade(game), together=together(args, each), most=args.steps,
                               watchers=watchers, tick=progress.tick):
            rewards.append(episode.reward)
            steps += episode.steps
            progress.over(episode)
    if rewards:
        print(f"{counted(len(rewards))} of {each.name}: {steps} steps, mean reward {sum(rewards) / len(rewards):.1f}")
    print(f"recorded: {args.record / game.name / args.split}/ ({counted(args.episodes)}); "
          f"train on them: loupe train {game.name}-mini --root games={args.record} --out RUN")


def counted(games: int) -> str:
    return "1 game" if games == 1 else f"{games} games"
