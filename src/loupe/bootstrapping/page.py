"""The page about a run: what was kept, how right it is where the truth is known, and pairs to look at."""

from __future__ import annotations

import zlib
from collections.abc import Iterable, Sequence
from pathlib import Path

from loupe.bootstrapping import curve, figures
from loupe.bootstrapping.pair import Candidate, Pair, score
from loupe.bootstrapping.rule import judged
from loupe.bootstrapping.settings import SCORES, Rule
from loupe.bootstrapping.statistics import PAPER, selection
from loupe.bootstrapping.stored import Stored
from loupe.bootstrapping.truth import Verdict, verdicts
from loupe.errors import FileError, ImageError
from loupe.evals.page import (
    Html,
    Spot,
    card,
    cards,
    chart,
    chip,
    facts,
    join,
    legend,
    page,
    paragraph,
    picture,
    row,
    section,
    table,
)
from loupe.plain import from_plain
from loupe.record import Record

THRESHOLDS = (0.0, 0.25, 0.5, 0.75, 0.9)
LISTED = 60  # classes
Known = Sequence[tuple[Verdict | None, ...]]
Shown = tuple[Pair, Candidate, str, Verdict | None]  # a pair with its chosen description, why it is left out, the truth
SPLITS = {"all": "all", "rival": "another of its class is judged in the picture", "alone": "the only one of its class"}


def report(stored: Stored, rule: Rule, truth: Iterable[Record] | None = None, root: Path | None = None,
           shown: int = 24) -> tuple[Html, dict]:
    """(the page, its figures as plain numbers) of a run under any rule; the model is not needed.

    truth: records that know what every object looks like (`loupe.bootstrapping.truth`). root: where the pictures lie.
    shown: cards of kept and of rejected pairs, each.
    """
    known = None if truth is None else verdicts(stored.pairs, truth)
    numbers = selection(stored.pairs, rule)
    found = judgement(stored.pairs, known, rule) if known is not None else {}
    root = Path(root or stored.manifest.get("root", "."))
    parts = [_overview(stored, numbers, found), _table5(numbers), _left_out(stored, numbers)]
    if found:
        parts += _truth_sections(stored.pairs, known, rule, found)
    rows = [(pair, candidate, reason, None if known is None else verdict_of(pair, candidate, known[k]))
            for k, (pair, (candidate, reason)) in enumerate(zip(stored.pairs, judged(stored.pairs, rule)))]
    kept, rejected = [r for r in rows if not r[2]], [r for r in rows if r[2]]
    parts += [_gallery("Kept pairs", kept, root, shown), _gallery("Rejected pairs", rejected, root, shown)]
    if found:
        parts.append(_gallery("Kept, though wrong", [r for r in kept if r[3] and not r[3].right], root, shown))
    parts.append(_classes(numbers))
    plan = stored.manifest["plan"]
    model, source = plan["model"].get("name", "a model"), plan["source"]
    lead = (f"{model} on {source['reader']} {source['split']}: a pair is kept if its description leads back to the "
            f"annotated box with IoU >= {rule.iou:g}{_further(rule)}.")
    return page("Bootstrapped pairs", *parts, lead=lead), {"selection": numbers, **({"judged": found} if found else {})}


def judgement(pairs: Sequence[Pair], known: Known, rule: Rule) -> dict:
    """Every figure that needs the truth, as plain numbers."""
    plainly = figures.first(pairs, known)
    if not plainly:
        raise FileError("the true records know none of these boxes", got=f"{len(pairs)} described boxes",
                        expected="records of the same pictures", do="check --truth")
    out = {"boxes": len(plainly), "right": sum(v.right for *_, v in plainly),
           "least area": round(curve.perfect([not v.right for *_, v in plainly]), 5),
           "plain filter": [figures.precision(plainly, iou) for iou in THRESHOLDS],
           "scores": {r.score: r.plain() for r in figures.rankings(plainly)},
           "agreement": figures.agreement(plainly, rule.iou)}
    if any(len(pair.candidates) > 1 for pair in pairs):
        best = {by: figures.chosen(pairs, known, by) for by in SCORES}
        out["best of several"] = {by: {"right": sum(v.right for *_, v in some), **figures.ranking(some, by).plain()}
                                  for by, some in best.items() if figures.ranking(some, by).known}
    chosen = [(verdict_of(pair, candidate, said), reason)
              for (pair, said), (candidate, reason) in zip(zip(pairs, known), judged(pairs, rule))]
    stayed = [v.right for v, reason in chosen if v is not None and not reason]
    out["rule"] = {"kept": len(stayed) / len(plainly), "precision": sum(stayed) / len(stayed) if stayed else None}
    return out


def verdict_of(pair: Pair, candidate: Candidate, said: Sequence[Verdict | None]) -> Verdict | None:
    return said[pair.candidates.index(candidate)]


def _further(rule: Rule) -> str:
    more = [f"{rule.by} >= {rule.least:g}"] if rule.least is not None else []
    more += [f"among the best {rule.share:.0%} by {rule.by}"] if rule.share is not None else []
    return "".join(f" and {each}" for each in more)


def _overview(stored: Stored, numbers: dict, found: dict) -> Html:
    counts = stored.manifest["counts"]
    tiles = [("Pictures", counts["pictures"]["read"], f"{counts['pictures']['asked about']:,} asked about"),
             ("Boxes", counts["boxes"]["annotated"], f"{numbers['described']:,} described"),
             ("Kept", numbers["kept"], f"{numbers['share']:.1%} of those described")]
    if found:
        tiles.append(("Right", f"{found['right'] / found['boxes']:.1%}",
                      f"of {found['boxes']:,} judged boxes, before any filter"))
        if found["rule"]["precision"] is not None:
            tiles.append(("Right of those kept", f"{found['rule']['precision']:.1%}",
                          f"{found['rule']['kept']:.1%} are kept"))
    return section("What is there", facts(tiles))


def _table5(numbers: dict) -> Html:
    """The paper's Table 5, which counts what is kept, with ours beside it."""
    five = numbers["table 5"]
    rows = [("pictures with a kept description", f"{PAPER['pictures']:,}", f"{five['pictures']:,}"),
            ("descriptions", f"{PAPER['expressions']:,}", f"{five['expressions']:,}"),
            ("share of those described", f"{PAPER['expressions'] / PAPER['described']:.1%}", f"{numbers['share']:.1%}"),
            ("words a description", f"{PAPER['mean words']:.1f}", f"{five['mean words']:.1f}"),
            ("different descriptions", "-", f"{five['different expressions']:,}"),
            ("different words", "-", f"{five['different words']:,}")]
    rows += [(f"descriptions of {length} word{'s' * (length != '1')}", "-", f"{count:,}")
             for length, count in five["lengths"].items()]
    return section("What is kept", table(rows, ("", "Pink, Table 5", "here")))


def _left_out(stored: Stored, numbers: dict) -> Html:
    counts = stored.manifest["counts"]
    rows = [("pictures", reason, count) for reason, count in counts["pictures"]["left out"].items()]
    rows += [("boxes", reason, count) for reason, count in counts["boxes"]["left out"].items()]
    rows += [("described boxes", reason, count) for reason, count in numbers["left out"].items()]
    unread = counts["boxes"]["answers without a box"]
    rows += [("answers without a box", reason, count) for reason, count in unread.items()]
    said = table(rows, ("of", "reason", "number")) if rows else paragraph("Nothing was left out.")
    return section("What is left out", said)


def _truth_sections(pairs: Sequence[Pair], known: Known, rule: Rule, found: dict) -> list[Html]:
    plainly = figures.first(pairs, known)
    ranks = figures.rankings(plainly)
    curves = chart({r.score: curve.points(r.risk) for r in ranks}, "kept share", "share of right descriptions",
                   "precision against kept share, by score")
    filters = table([(f"{f['iou']:g}", *(f"{f[key]:.1%}" for key in ("kept", "precision", "low", "high")))
                     for f in found["plain filter"]], ("IoU at least", "kept", "right", "low", "high"))
    areas = table([(r.score, SCORES[r.score], r.area, curve.at(r.risk, 0.6), curve.left(r.risk, 0.6), r.known)
                   for r in sorted(ranks, key=lambda r: r.area)],
                  ("score", "is", "area", "wrong at 60 %", "wrong ones left at 60 %", "known of"))
    splits = table([(SPLITS.get(name, name), *cells.values()) for name, cells in found["agreement"].items()],
                   ("boxes", "found, right", "found, wrong", "lost, right", "lost, wrong"))
    out = [section("Precision against kept share", curves, filters,
                   note="Each curve orders all judged boxes by one score; the table is the plain filter of the paper."),
           section("Risk and coverage", areas,
                   note=f"Area under the risk-coverage curve, lower is better; the best order of these boxes has "
                        f"{found['least area']:.3f}. Half of the wrong ones or fewer left at 60 % is the aim."),
           section("Where errors agree with themselves", splits,
                   note="Found: the description leads back to its box. Wrong ones that do are what the plain filter "
                        "cannot see.")]
    if "best of several" in found:
        rows = [(by, f"{f['right'] / found['boxes']:.1%}", f["area"], f["risk"]["0.6"])
                for by, f in found["best of several"].items()]
        out.append(section("The best of several descriptions", table(
            rows, ("chosen and ranked by", "right, all kept", "area", "wrong at 60 %"))))
    return out


def _gallery(name: str, rows: Sequence[Shown], root: Path, shown: int) -> Html:
    """Cards of pairs drawn by a hash of their ids, so that the same run shows the same ones."""
    rows = [each for each in rows if each[0].picture is not None]
    rows.sort(key=lambda each: zlib.crc32(f"{each[0].record}/{each[0].object}".encode()))
    made = [made for made in (_card(*each, root) for each in rows[:shown]) if made is not None]
    if not made:
        return section(name, paragraph("None with a picture to show." if rows else "None."))
    note = f"{len(made)} of {len(rows):,}. Green: the annotated box; orange: where the description was found, its IoU."
    return section(name, legend("true", "predicted"), cards(made), note=note)


def _card(pair: Pair, candidate: Candidate, reason: str, verdict: Verdict | None, root: Path) -> Html | None:
    spots = [Spot(pair.box, "true", pair.name, "t")]
    if candidate.found is not None:
        spots.append(Spot(candidate.found, "predicted", f"{candidate.iou:.2f}", "p"))
    try:
        shown = picture(from_plain(pair.picture, root), *spots)
    except ImageError:  # moved away since
        return None
    lines = [row("said", candidate.text), row("box", join(chip(spot) for spot in spots))]
    lines += [row(name, f"{value:.3f}") for name in SCORES
              if name != "iou" and (value := score(pair, candidate, name)) is not None]
    if reason:
        lines.append(row("left out", reason))
    if verdict is not None:
        lines.append(row("truth", verdict.said))
    if len(pair.candidates) > 1:
        lines.append(row("also said", "; ".join(c.text for c in pair.candidates if c is not candidate)))
    return card(shown, *lines)


def _classes(numbers: dict) -> Html:
    rows = [(name, c["described"], c["kept"], f"{c['kept'] / c['described']:.1%}")
            for name, c in list(numbers["classes"].items())[:LISTED]]
    several = len(numbers["classes"])
    note = f"The {LISTED} most frequent of {several}." if several > LISTED else ""
    return section("Classes", table(rows, ("class", "described", "kept", "share")), note=note)
