"""When does a model's check of its own descriptions help? Scores and options of `loupe bootstrap`, judged by the world.

    python benchmarks/bootstrap_study.py --out study [--model mini] [--weak early=9d22e96] [--boxes 3000]

Writes a judging world of its own, bootstraps it with every model and every option, and compares what each score keeps:
risk-coverage curves and their area against the filters by IoU alone and by likelihood alone, each difference with a
95 % interval over pictures. A weaker model is a folder, or a commit of this repository whose shipped miniature is
taken. Of two models each looks for the other's descriptions too (the check "second"). Answers are kept as they come:
the same command goes on after a stop, and `--report` reads what is there without a model. OUT/study.json holds every
figure, OUT/study.html the page.
"""

from __future__ import annotations

import argparse
import io
import json
import subprocess
import tarfile
import zlib
from collections import Counter
from pathlib import Path

import numpy as np

from loupe import bootstrapping, readers, world
from loupe.bootstrapping import Rule, Settings, curve, figures
from loupe.bootstrapping.page import judgement
from loupe.bootstrapping.pair import score
from loupe.bootstrapping.truth import verdicts
from loupe.evals.page import chart, page, paragraph, section, table, write_page

SEED = 4242  # of the world: no other one is drawn from it
PARTS = ("iou", "likelihood", "margin", "contrast", "agreement")
FITTED = "fitted"
SHIPPED = "src/loupe/miniature/mini"


def settings(pictures: int) -> Settings:
    """Everything that can be measured, in one run, so that all options are compared on the same boxes."""
    return Settings(least_area=0, candidates=4, temperature=0.7, wordings=2, flip=True, crops=2, contrast=True,
                    limit=pictures)


def features(judged) -> np.ndarray:
    """[N, 7]: what is known of each pair, on scales that add up; missing ones are the mean."""
    rows = []
    for pair, candidate, _ in judged:
        values = [score(pair, candidate, part) for part in PARTS]
        odds = [np.nan if v is None else np.log(np.clip(v, 0.02, 0.98) / (1 - np.clip(v, 0.02, 0.98))) for v in values]
        rows.append([*odds, float(candidate.iou >= 0.5), min(pair.rivals, 8)])
    x = np.array(rows, float)
    middle = np.nan_to_num(np.nanmean(x, 0))
    return np.where(np.isnan(x), middle, x)


def logistic(x: np.ndarray, y: np.ndarray, ridge: float = 1.0, steps: int = 30) -> np.ndarray:
    """Weights [D + 1] by Newton's method, standardised inside."""
    mean, spread = x.mean(0), x.std(0) + 1e-9
    z = np.hstack([(x - mean) / spread, np.ones((len(x), 1))])
    w = np.zeros(z.shape[1])
    for _ in range(steps):
        p = 1 / (1 + np.exp(-np.clip(z @ w, -30, 30)))
        hessian = (z * (p * (1 - p))[:, None]).T @ z + ridge * np.eye(len(w))
        w -= np.linalg.solve(hessian, z.T @ (p - y) + ridge * w)
    out = w.copy()
    out[:-1] /= spread
    out[-1] -= (w[:-1] * mean / spread).sum()
    return out


def fitted(judged, folds: int = 5) -> np.ndarray:
    """[N]: chance of being right by a logistic fit on the other folds' pictures (it needs judged boxes, as no other
    score does)."""
    x, y = features(judged), np.array([v.right for *_, v in judged], float)
    fold = np.array([zlib.crc32(pair.record.encode()) % folds for pair, *_ in judged])
    out = np.zeros(len(y))
    for k in range(folds):
        w = logistic(x[fold != k], y[fold != k])
        out[fold == k] = x[fold == k] @ w[:-1] + w[-1]
    return out


def compare(judged, draws: int) -> dict:
    """Every score against the filters by IoU alone and likelihood alone."""
    out = {}
    for rank in figures.rankings(judged):
        each = rank.plain()
        for than in ("iou", "likelihood"):
            if rank.score != than:
                each[f"against {than}"] = [round(v, 5) for v in figures.better(judged, rank.score, than, draws)]
        out[rank.score] = each
    wrong = [not v.right for *_, v in judged]
    risk = curve.risks(fitted(judged).tolist(), wrong)
    out[FITTED] = figures.Ranking(FITTED, risk, len(judged)).plain()
    return out


def ablation(judged) -> dict:
    """The mean of subsets of the scores: what each option adds to the paper's IoU."""
    out, wrong = {}, [not v.right for *_, v in judged]
    for parts in (("iou",), ("iou", "likelihood"), ("iou", "margin"), ("iou", "contrast"), ("iou", "agreement"),
                  ("iou", "likelihood", "margin"), ("iou", "likelihood", "margin", "contrast"), PARTS):
        values = []
        for pair, candidate, _ in judged:
            known = [v for part in parts if (v := score(pair, candidate, part)) is not None]
            values.append(sum(known) / len(known))
        risk = curve.risks(values, wrong)
        out[" + ".join(parts)] = figures.Ranking("", risk, len(judged)).plain()
    checks = sorted({name for _, c, _ in judged for name in c.checks})
    for name in checks:
        risk = curve.risks([c.checks.get(name) for _, c, _ in judged], wrong)
        out[f"check: {name}"] = figures.Ranking(name, risk, sum(name in c.checks for _, c, _ in judged)).plain()
    return out


def crowds(judged) -> dict:
    """Boxes by how many of their class are judged in the picture: right before the plain filter and behind it, and how
    often wrong and right descriptions lead back to their box."""
    same = Counter((pair.record, pair.name) for pair, *_ in judged)
    out: dict[str, dict] = {}
    for count in sorted({min(n, 4) for n in same.values()}):
        rows = [(c.iou >= 0.5, v.right) for pair, c, v in judged if min(same[pair.record, pair.name], 4) == count]
        out[f"{count}{' or more' if count == 4 else ''}"] = {
            "boxes": len(rows), "right": mean(right for _, right in rows),
            "right of those kept": mean(right for found, right in rows if found),
            "right ones kept": mean(found for found, right in rows if right),
            "wrong ones kept": mean(found for found, right in rows if not right)}
    return out


def mistakes(judged) -> dict:
    """Verdict -> boxes, and how many of them the plain filter keeps."""
    out: dict[str, dict] = {}
    for _, candidate, verdict in judged:
        row = out.setdefault(verdict.said, {"boxes": 0, "kept": 0})
        row["boxes"] += 1
        row["kept"] += candidate.iou >= 0.5
    return out


def mean(values) -> float | None:
    values = list(values)
    return round(sum(values) / len(values), 4) if values else None


def study(stored, truth, draws: int) -> tuple[dict, list]:
    known = verdicts(stored.pairs, truth)
    judged = figures.first(stored.pairs, known)
    best = {by: figures.chosen(stored.pairs, known, by) for by in ("iou", *PARTS[1:], "combined")}
    chosen = {by: {"right": mean(v.right for *_, v in rows), "kept": mean(c.iou >= 0.5 for _, c, _ in rows),
                   "right of those kept": mean(v.right for _, c, v in rows if c.iou >= 0.5),
                   **figures.ranking(rows, by).plain()} for by, rows in best.items()}
    return {"boxes": len(judged), "table": judgement(stored.pairs, known, Rule()), "scores": compare(judged, draws),
            "parts": ablation(judged), "best of several": chosen, "crowds": crowds(judged),
            "mistakes": mistakes(judged), "counts": stored.manifest["counts"]}, judged


def curves(judged) -> dict[str, list[tuple[float, float]]]:
    out = {r.score: curve.points(r.risk) for r in figures.rankings(judged)}
    wrong = [not v.right for *_, v in judged]
    return {**out, FITTED: curve.points(curve.risks(fitted(judged).tolist(), wrong))}


def drawn(of: dict[str, dict]) -> str:
    """One SVG of the curves of all models, one below the other."""
    out = []
    for k, (name, lines) in enumerate(of.items()):
        panel = chart(lines, "kept share", f"share right, {name}")
        bare = panel[panel.index("<svg"):panel.rindex("</div>")]
        out.append(bare.replace("<svg", f'<svg y="{310 * k}" height="300"', 1))
    style = ("text{font:11px sans-serif;fill:#555}.grid{stroke:#ddd;fill:none}.curve{fill:none;stroke-width:2}"
             "rect.back{fill:#fff}")
    high = 310 * len(out)
    return (f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 760 {high}" width="760" height="{high}">'
            f'<style>{style}</style><rect class="back" width="760" height="{high}"/>{"".join(out)}</svg>\n')


def sections(name: str, found: dict, judged) -> list:
    plain = found["table"]["plain filter"]
    base = 1 - found["table"]["right"] / found["boxes"]
    half = [row for row in plain if row["iou"] == 0.5][0]
    rows = [(by, f["area"], f["risk"]["0.6"], f["wrong left"]["0.6"], said(f.get("against iou")),
             said(f.get("against likelihood"))) for by, f in found["scores"].items()]
    agree = [(kind, *cells.values()) for kind, cells in found["table"]["agreement"].items()]
    return [section(f"{name}: scores",
                    paragraph(f"{found['boxes']:,} judged boxes, {base:.1%} described wrongly. IoU >= 0.5 keeps "
                              f"{half['kept']:.1%}; of those {half['precision']:.1%} are right."),
                    chart(curves(judged), "kept share", "share right"),
                    table(rows, ("score", "area", "wrong at 60 %", "wrong ones left at 60 %", "area less IoU's",
                                 "area less likelihood's"))),
            section(f"{name}: what each part adds", table(
                [(parts, f["area"], f["risk"]["0.6"], f["wrong left"]["0.6"]) for parts, f in found["parts"].items()],
                ("mean of", "area", "wrong at 60 %", "wrong ones left at 60 %"))),
            section(f"{name}: where errors agree", table(
                agree, ("boxes", "found, right", "found, wrong", "lost, right", "lost, wrong")),
                table([(k, *v.values()) for k, v in found["crowds"].items()],
                      ("of the class in the picture", *found["crowds"]["1"])),
                table([(k, *v.values()) for k, v in found["mistakes"].items()], ("verdict", "boxes", "kept"))),
            section(f"{name}: best of several", table(
                [(by, f["right"], f["kept"], f["right of those kept"], f["area"], f["risk"]["0.6"])
                 for by, f in found["best of several"].items()],
                ("chosen by", "right", "led back", "right of those", "area", "wrong at 60 %")))]


def weights(value: str, out: Path) -> str:
    """A checkpoint folder, or the shipped miniature of a commit, taken from the repository's history."""
    if Path(value).exists():
        return value
    place = out / "weights" / value
    if not place.exists():
        root = Path(__file__).resolve().parents[1]
        packed = subprocess.run(["git", "archive", value, SHIPPED], cwd=root, check=True, capture_output=True).stdout
        with tarfile.open(fileobj=io.BytesIO(packed)) as archive:
            archive.extractall(place, filter="data")
    return str(place / SHIPPED)


def said(interval) -> str:
    return "" if not interval else "{:+.3f} [{:+.3f}, {:+.3f}]".format(*interval)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--model", default="mini", help="checkpoint or run folder, mini, or NAME=COMMIT")
    parser.add_argument("--weak", action="append", default=[], metavar="NAME=FOLDER",
                        help="a weaker model beside it; NAME=COMMIT takes the miniature of that commit")
    parser.add_argument("--boxes", type=int, default=3000)
    parser.add_argument("--draws", type=int, default=400, help="resamplings behind each interval")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--report", action="store_true", help="only from what is there")
    args = parser.parse_args()
    pictures = -(-args.boxes // 4)  # the world has five objects a picture on average
    data = args.out / "world"
    world.write(data, pictures, SEED, 20, oddities=0.0, world="mini")
    reader = readers.reader("objects365")(data / "objects365", "train")
    truth = readers.reader("records")(data / "records", "train")
    given = [each.split("=", 1) if "=" in each else (Path(each).name, each) for each in (args.model, *args.weak)]
    named = {name: value if value == "mini" else weights(value, args.out) for name, value in given}
    found, pages, lines = {}, [], {}
    for name, model in named.items():
        place = args.out / name
        if args.report:
            stored = bootstrapping.read(place)
        else:
            import torch

            from loupe import predictors

            torch.set_num_threads(args.threads)
            second = next((predictors.load(other) for each, other in named.items() if each != name), None)
            stored = bootstrapping.run(predictors.load(model), reader, place, settings(pictures), second=second)
        found[name], judged = study(stored, truth, args.draws)
        pages += sections(name, found[name], judged)
        (args.out / "study.json").write_text(json.dumps(found, indent=1) + "\n")
        lines[name] = curves(judged)
        (args.out / "study.svg").write_text(drawn(lines))
        write_page(page("Self-consistency, studied", *pages), args.out / "study.html")
        rows = found[name]["scores"]
        half = next(row for row in found[name]["table"]["plain filter"] if row["iou"] == 0.5)
        print(f"{name}: {len(judged):,} boxes; IoU 0.5 keeps {half['kept']:.1%}, right {half['precision']:.1%}")
        for by, f in rows.items():
            print(f"  {by:<11} area {f['area']:.4f}  wrong at 60 % {f['risk']['0.6']:.3f}  "
                  f"wrong ones left {f['wrong left']['0.6']:.1%}  against IoU {said(f.get('against iou'))}")
    print(f"figures in {args.out / 'study.json'}, curves in {args.out / 'study.html'}")


if __name__ == "__main__":
    main()
