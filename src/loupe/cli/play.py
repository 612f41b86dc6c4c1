"""`loupe play`: a model plays a game, beside an expert and a random player; experts' games are recorded."""

from __future__ import annotations

from pathlib import Path

HELP = """let a model play a game, or record an expert's games to train on

  loupe play runs/mine car-racing --episodes 15
  loupe play mini space-invaders --episodes 5 --seed 2000 --out games/mini
  loupe play scripted car-racing --record data/games --episodes 30 --seed 0
  loupe play expert.zip space-invaders --record data/games --episodes 30

MODEL is whatever `loupe evaluate` takes; or scripted (an expert written by hand, which sees the same pictures), random,
still; or a checkpoint of stable-baselines3 or sb3-contrib (FILE.zip, or FILE.zip#recurrent-ppo). GAME is car-racing or
space-invaders. Every player of --beside plays the same seeds. OUT holds each episode, an animated picture of the first
ones and play.json with every figure; episodes that are there are not played again.

With --record the player's games are written for the reader `games`, a game at a time. Seeds should not be those the
model is tried on: recording begins at 0 and playing at 1000 unless --seed says so. Needs pip install 'loupe[games]'."""
BESIDE = "scripted,random"
RECORDED, UNSEEN = 0, 1000  # first seeds


def add_arguments(parser) -> None:
    parser.add_argument("model", metavar="MODEL")
    parser.add_argument("game", metavar="GAME", help="car-racing or space-invaders")
    parser.add_argument("--episodes", type=int, default=15, metavar="N", help="default: 15")
    parser.add_argument("--seed", type=int, metavar="S", help="of the first game; the others follow")
    parser.add_argument("--steps", type=int, metavar="N", help="end a game after so many steps")
    parser.add_argument("--beside", metavar="PLAYERS", help=f"others on the same seeds (default: {BESIDE}); none")
    parser.add_argument("--together", type=int, default=5, metavar="N", help="games side by side (default: 5)")
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


def player(name: str, game, device: str | None = None):
    """The player a name means."""
    from loupe.games.players import Asked, chance, still
    from loupe.games.scripted import scripted

    simple = {"random": chance, "still": still, "scripted": scripted}
    if name in simple:
        return simple[name](game)
    path, _, algorithm = name.partition("#")
    if path.endswith(".zip"):
        from loupe.games.trained import expert

        return expert(Path(path).expanduser(), game, algorithm)
    from loupe.evals.runner import identity
    from loupe.predictors import load

    predictor = load(name, answer=32, **({} if device is None else {"device": device}))
    return Asked(predictor, game, identity(predictor))


def seeds(args, first: int) -> tuple[int, ...]:
    first = first if args.seed is None else args.seed
    return tuple(range(first, first + args.episodes))


def compare(args, game) -> None:
    from tqdm import tqdm

    from loupe.evals.table import aligned
    from loupe.games.match import Settings, played, rows_of, write

    beside = [name for name in (BESIDE if args.beside is None else args.beside).split(",") if name not in ("", "none")]
    names = list(dict.fromkeys([args.model, *beside]))
    players = {name: player(name, game, args.device) for name in names}  # a wrong name is said before a long game
    results = []
    for name, each in players.items():
        folder = args.out / game.name / "".join(c if c.isalnum() or c in "-_." else "-" for c in Path(name).name)
        chosen = Settings(seeds(args, UNSEEN), args.steps, args.together, args.animate, args.format)
        with tqdm(total=args.episodes, desc=each.name, unit="game", disable=None) as bar:
            results.append(played(each, game, folder, chosen, over=lambda episode, bar=bar: bar.update(),
                                  tick=bar.refresh))
    print(f"{game.name}, seeds {seeds(args, UNSEEN)[0]} to {seeds(args, UNSEEN)[-1]}")
    print(aligned(rows_of(results)))
    last = results[-1] if len(results) > 1 else None
    about = {"game": game.name, "seeds": list(seeds(args, UNSEEN)),
             "players": [r.plain(last if r is not last else None) for r in results]}
    write(args.out / game.name / "play.json", about)
    print(f"episodes, animated pictures and figures: {args.out / game.name}/")


def record(args, game) -> None:
    from tqdm import tqdm

    from loupe.games.arcade import Arcade
    from loupe.games.rollout import rollout
    from loupe.games.watching import Recording
    from loupe.writers.games import lines_of

    each = player(args.model, game, args.device)
    left = [seed for seed in seeds(args, RECORDED) if not lines_of(args.record, game.name, args.split, seed).is_file()]
    rewards, steps = [], 0

    def watchers(seed: int):
        return (Recording(args.record, game, args.split, seed, each.identity),)

    with tqdm(total=args.episodes, initial=args.episodes - len(left), desc=f"recording {each.name}", unit="game",
              disable=None) as bar:
        for episode in rollout(each, left, lambda: Arcade(game), together=args.together, most=args.steps,
                               watchers=watchers, tick=bar.refresh):
            rewards.append(episode.reward)
            steps += episode.steps
            bar.update()
    if rewards:
        print(f"{len(rewards)} games of {each.name}: {steps} steps, mean reward {sum(rewards) / len(rewards):.1f}")
    print(f"recorded: {args.record / game.name / args.split}/ ({args.episodes} games); "
          f"train on them: loupe train {game.name}-mini --root games={args.record} --out RUN")
