"""The model card of a shipped part: README.md, its figures taken from the run and from files of scores."""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from loupe.evals.miniature import JUDGED, LIMIT
from loupe.evals.suite import PAPERS, SUITES

METHODS = {"adamw": "AdamW", "muon": "Muon"}
SECTIONS = ("Data", "Steps", "Command", "Seed", "Scores", "Limits", "Licence")
WORLD_DEFAULTS = {"oddities": 0.02}
LICENCE = ("Apache-2.0, as loupe itself. The pictures and words it learnt from are drawn by loupe; no data or weights "
           "of anybody else are in it.")
ONE_SEED = ("One run. Intervals are 95 % over questions; they do not say how much another seed would differ.")
TWO_SEEDS = "A second run, from seed {}{}, stands beside it in the scores."
EXAM = "At the end of the run, on pictures it was not trained on:\n\n"


@dataclass(frozen=True)
class Kind:
    """What is said of every build of a part."""

    inside: str  # folder of a run that holds it
    verb: str  # that trains it
    what: str
    use: str
    limits: str


WORLD_ONLY = ("It knows the miniature world and nothing else: drawn shapes, persons and signs on pictures of 96 pixels,"
              " their colours, sizes, textures and words. On photos it is a start for training, not a model. ")
KINDS: dict[str, Kind] = {
    "loupe/vision": Kind("vision", "pretrain vision", "A small CLIPModel: which caption belongs to which picture.",
                         'VisionSpec("loupe/vision")', WORLD_ONLY + "Its tower began as loupe/tower: captions of whole "
                         "pictures alone, so few of them, teach colours and no shapes."),
    "loupe/tower": Kind("vision", "pretrain vision --dense", "A small CLIPVisionModel, supervised patch by patch: "
                        "whose the patch is, of what kind, where that thing ends.", 'VisionSpec("loupe/tower", '
                        'layer=-1, size=96)', WORLD_ONLY + "It has no text side."),
    "loupe/language": Kind("language", "pretrain language", "A small causal language model with tokenizer and chat "
                           "template: captions, questions and dialogues about scenes said in words.",
                           'LanguageSpec("loupe/language")', WORLD_ONLY + "It has read no other text and cannot talk "
                           "about anything else."),
    "loupe/refiner": Kind("refiner", "pretrain refiner", "A small detector: tags, boxes, masks, attributes and a "
                          "feature per thing.", 'loupe.models.refiner.load_refiner("loupe/refiner")', WORLD_ONLY),
    "mini": Kind("model", "train", "The tuned miniature: a vision-language model that points, describes, counts, "
                 "relates, reads and talks.", 'loupe.load("mini")', WORLD_ONLY + "It knows the wordings of the tasks "
                 "it was trained on; other words for the same question may be misread."),
}


@dataclass(frozen=True)
class Facts:
    """All that a card says about one build."""

    name: str
    parameters: int
    size: int  # bytes of the weights
    recipe: Mapping  # as JSON
    changes: Sequence[str]  # that make the recipe out of the one in this version
    manifest: Mapping  # of the run
    last: Mapping[str, Mapping]  # last line of metrics, by stage
    worlds: Mapping[str, Mapping]  # settings by root
    scores: Sequence[Mapping]  # scores.json, as `loupe evaluate` writes it
    rebuilt: Mapping  # manifest of a second run, or {}
    rebuilt_scores: Sequence[Mapping]
    check: str  # how half precision compares


def card(facts: Facts) -> str:
    """The whole text; `SECTIONS` are its headings."""
    kind = KINDS[facts.name]
    bodies = (_data(facts), _steps(facts), _command(facts), _seed(facts), _scores(facts), _limits(facts), LICENCE)
    head = (f"# {facts.name}\n{kind.what} {facts.parameters / 1e6:.2f} million parameters, float16, "
            f"{facts.size / 1e6:.1f} MB. Use: `{kind.use}`.\n")
    return head + "".join(f"\n## {name}\n{body.rstrip()}\n" for name, body in zip(SECTIONS, bodies))


def _data(facts: Facts) -> str:
    lines = [f"- the world `{w['world']}`, {w['images']:,} pictures to train on and {w['val']:,} held out, seed "
             f"{w['seed']}, {w['size']} pixels, layout release {w['release']}" for w in facts.worlds.values()]
    hashes = facts.manifest.get("data", {})
    for stage in facts.recipe["stages"]:
        for source in stage["mixture"]["sources"]:
            tasks = ", ".join(name for name, _ in source["tasks"])
            known = f" (annotations {hashes[source['name']][:16]})" if hashes.get(source["name"]) else ""
            lines.append(f"- stage {stage['name']}: `{source['reader']}` {source['split'] or 'all'}{known}: {tasks}")
    for reason, count in sorted(facts.manifest.get("drops", {}).items()):
        lines.append(f"- left out: {count:,} x {reason}")
    return "\n".join(dict.fromkeys(lines))


def _steps(facts: Facts) -> str:
    lines = []
    for stage in facts.recipe["stages"]:
        optim, last = stage["optim"], facts.last.get(stage["name"], {})
        losses = ", ".join(f"{name} {value:.3f}" for name, value in last.get("losses", {}).items())
        done = f"{last['step']:,} updates; loss {last['loss']:.3f} at the end ({losses})" if last else "not run"
        method = METHODS[optim.get("method", "adamw")]
        lines.append(f"- {stage['name']} ({stage['objective']}), batch {stage['batch']}, {method} {optim['lr']:g}, "
                     f"{optim['schedule']}, {stage['precision']}: {done}")
    made, versions = facts.manifest, facts.manifest.get("versions", {})
    pairs = f" and {made['pairs']:,} questions" if made.get("pairs") else ""
    lines.append(f"- in all {made.get('images', 0):,} pictures{pairs} in {made.get('seconds', 0) / 60:.0f} minutes on "
                 f"`{made.get('device')}`, {made.get('processes', 1)} process(es)")
    lines.append(f"- loupe {versions.get('loupe')}{_at(made.get('commit'))}, PyTorch "
                 f"{versions.get('torch')}, transformers {versions.get('transformers')}")
    return "\n".join(lines)


def _command(facts: Facts) -> str:
    kind = KINDS[facts.name]
    folders = {name: f"DATA-{name}" if name else "DATA" for name in facts.worlds}
    lines = [world_command(folders[name], settings) for name, settings in facts.worlds.items()]
    roots = _roots(facts.worlds, folders) or "--root DATA"
    verb = kind.verb if kind.verb != "train" else f"train {facts.recipe['name']}"
    changes = "".join(f" {shlex.quote(change)}" for change in facts.changes)
    lines.append(f"loupe {verb}{changes} {roots} --out RUN")
    kept, written = [], {}  # worlds that are judged on: command without its folder -> folder
    for k, scores in enumerate(facts.scores):
        judged, places = scores.get("worlds", {}), {}
        for name, settings in judged.items():
            command, usual = world_command("", settings), f"JUDGED-{settings['world']}"
            if command not in written:
                written[command] = usual if usual not in written.values() else f"{usual}-{settings['seed']}"
                lines.append(world_command(written[command], settings))
            places[name] = written[command]
        kept.append(f"SCORES-{k + 1}" if k else "SCORES")
        lines.append(f"loupe evaluate RUN {benchmarks(scores)} {_roots(judged, places) or '--root JUDGED'}"
                     f"{_limit(scores)} --out {kept[-1]}")
    files = " --scores " + " ".join(f"{folder}/scores.json" for folder in kept) if kept else ""
    return "```bash\n" + "\n".join((*lines, f"loupe ship RUN {facts.name} {roots}{files}")) + "\n```"


def _roots(worlds: Mapping[str, Mapping], folders: Mapping[str, str]) -> str:
    return " ".join(f"--root {name + '=' if name else ''}{folders[name]}"
                    f"{'/' + settings['inside'] if 'inside' in settings else ''}" for name, settings in worlds.items())


def _limit(scores: Mapping) -> str:
    """Where it is not the one that the suite has by itself."""
    named, limit = benchmarks(scores), scores.get("limit")
    usual = LIMIT if named in SUITES and named not in PAPERS else None
    return f" --limit {limit}" if limit not in (None, usual) else ""


def world_command(folder: str, settings: Mapping) -> str:
    said = "".join(f" --{name} {settings[name]}" for name, usual in WORLD_DEFAULTS.items() if settings[name] != usual)
    return (f"loupe world {folder} --world {settings['world']} --images {settings['images']} --val {settings['val']} "
            f"--seed {settings['seed']} --size {settings['size']}{said}")


def benchmarks(scores: Mapping) -> str:
    """The suite that has them all, or their names."""
    names = list(dict.fromkeys(result["benchmark"] for result in scores["results"]))
    fitting = [suite for suite, members in SUITES.items() if set(names) <= set(members)]
    whole = min(fitting, key=lambda suite: len(SUITES[suite]), default=None)
    return whole if whole and len(names) > 1 else ",".join(names)


def _seed(facts: Facts) -> str:
    again = facts.rebuilt
    return f"{facts.recipe['seed']}. {TWO_SEEDS.format(again['seed'], '') if again else ONE_SEED}"


def _scores(facts: Facts) -> str:
    parts = [f"Half precision: {facts.check}."]
    exam = facts.manifest.get("scores") or {}
    if exam:
        parts.append(EXAM + nested(exam, (facts.rebuilt or {}).get("scores") or {}))
    for k, scores in enumerate(facts.scores):
        again = facts.rebuilt_scores[k] if k < len(facts.rebuilt_scores) else None
        judged = " and ".join(f"`{settings['world']}` (seed {settings['seed']})"
                              for settings in scores.get("worlds", {}).values())
        parts.append(f"### {benchmarks(scores)}{_on(scores)}\n" + (f"Held-out pictures of {judged}. " if judged else "")
                     + "Beside the model stands what is no skill; `blind`: the model itself, shown grey pictures.\n\n"
                     + _results(scores, again))
    return "\n\n".join(parts)


def nested(exam: Mapping, again: Mapping) -> str:
    """Figures one below the other; groups of figures as a row each, with the second run's where they can differ."""
    single = {name: value for name, value in exam.items() if not isinstance(value, Mapping)}
    groups = {name: value for name, value in exam.items() if isinstance(value, Mapping)}
    second = ["second run"] if again else []
    tables = []
    if single:
        rows = [(name, _number(value), *([_number(again.get(name))] if again else []))
                for name, value in single.items()]
        tables.append(_table(("figure", "reached", *second), rows))
    for keys in dict.fromkeys(tuple(value) for value in groups.values()):
        chosen = [name for name, value in groups.items() if tuple(value) == keys]
        rows = [(name, *(_number(groups[name][key]) for key in keys),
                 *([", ".join(_number((again.get(name) or {}).get(key)) for key in keys)] if again else []))
                for name in chosen]
        tables.append(_table(("of", *keys, *second), rows))
    return "\n\n".join(tables)


def with_second(text: str, exam: Mapping, seed: int, data: Sequence[str] = ()) -> str:
    """The card of a part of one run with a second run's figures beside the first's; a figure that the second has not is
    a dash. data: hashes of what the second read, where it is not what the first did."""
    other = f" and on data that loupe has written since (annotations {', '.join(data)})" if data else ""
    before, _, rest = text.replace(ONE_SEED, TWO_SEEDS.format(seed, other)).partition(EXAM)
    tables, end, after = rest.partition("\n\n#")
    keys: list[str] = []
    lines = []
    for line in tables.split("\n"):
        cells = line.strip("| ").split(" | ")
        if cells[0] in ("figure", "of"):
            keys, more = (cells[1:] if cells[0] == "of" else []), "second run"
        elif cells[0] == "---":
            more = "---"
        elif line:
            own = exam.get(cells[0])
            more = ", ".join(_number((own or {}).get(key)) for key in keys) if keys else _number(own)
        lines.append(f"{line} {more} |" if line else line)
    return before + EXAM + "\n".join(lines) + end + after


def _results(scores: Mapping, again: Mapping | None) -> str:
    """Every figure of the model with its interval, and the same figure of what was measured beside it; of each kind of
    question the first one."""
    own = own_results(scores)
    second = own_results(again) if again else {}
    rows = []
    for name, result in own.items():
        beside = {"blind" if r["model"] == f"{result['model']}, blind" else r["model"]: _figures(r)
                  for r in scores["results"] if r["benchmark"] == name and r is not result}
        for figure, value in _figures(result).items():
            near = ", ".join(f"{other} {_share(figures[figure], False)}" for other, figures in beside.items()
                             if figures.get(figure, {}).get("count"))
            other = _figures(second.get(name, {})).get(figure)
            rows.append((name, figure, _share(value), f"{value['count']:,}", near or "-",
                         *([_share(other) if other else "-"] if again else [])))
    return _table(("benchmark", "figure", "reached", "N", "beside it", *(["second run"] if again else [])), rows)


def _figures(result: Mapping) -> dict[str, Mapping]:
    """All figures of a result by name, behind them the first of each kind."""
    found = dict(result.get("figures", {}))
    for kind, figures in result.get("kinds", {}).items():
        first = next(iter(figures))
        found[f"{first}, {kind}"] = figures[first]
    return found


def own_results(scores: Mapping) -> dict[str, Mapping]:
    """The first result of each benchmark: the model's, which is measured first."""
    own: dict[str, Mapping] = {}
    for result in scores["results"]:
        own.setdefault(result["benchmark"], result)
    return own


def _limits(facts: Facts) -> str:
    missed = [f"- {goal['what']}: {100 * goal['reached']:.1f} %, goal {100 * goal['must']:.0f} %"
              for scores in facts.scores if not _on(scores)
              for goal in scores.get("goals", ()) if goal["said"] == "missed"]
    text = KINDS[facts.name].limits
    return text + ("\n\nGoals it misses:\n\n" + "\n".join(missed) if missed else "")


def _on(scores: Mapping) -> str:
    """Words for another world than the one that goals are stated for."""
    name = scores.get("worlds", {}).get("", {}).get("world", JUDGED)
    return "" if name == JUDGED else f", on the world {name}"


def _share(value: Mapping, interval: bool = True) -> str:
    if "low" not in value:
        return f"{value['value']:.3f}"
    between = f" [{100 * value['low']:.1f}, {100 * value['high']:.1f}]" if interval else ""
    return f"{100 * value['value']:.1f} %{between}"


def _number(value) -> str:
    if value is None:
        return "-"
    return f"{value:.4f}".rstrip("0").rstrip(".") if isinstance(value, float) else str(value)


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    return "\n".join(["| " + " | ".join(row) + " |" for row in (head, ["---"] * len(head), *rows)])


def _at(commit: str | None) -> str:
    return f" at commit {commit[:12]}" if commit else " (no commit was kept)"
