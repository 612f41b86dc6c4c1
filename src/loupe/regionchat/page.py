"""The page about a run: what came of it, why dialogues failed, and some of them beside their pictures."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from loupe.drawing import ASKED, PREDICTED
from loupe.errors import ImageError
from loupe.evals.page import (
    Html,
    Spot,
    card,
    cards,
    facts,
    join,
    page,
    painted,
    paragraph,
    picture,
    row,
    section,
    table,
    tag,
    text,
)
from loupe.record import Record, Turns
from loupe.regionchat.talk import HANDLE
from loupe.regionchat.writers import Outcome

SHOWN = 24  # dialogues
EXAMPLES = 2  # of each reason
KINDS = {"asked": ASKED, "predicted": PREDICTED}


def report(manifest: dict, outcomes: Iterable[Outcome], records: Sequence[Record]) -> Html:
    """records: as they were written; some of them are shown, evenly spread and not chosen by quality."""
    counts, ledger, settings = manifest["counts"], manifest["ledger"], manifest["settings"]
    questions, regions = counts["questions"], counts["regions named"]
    passed = max(counts["dialogues that passed"], 1)
    tiles = [("Pictures", counts["pictures"], f"{manifest['pictures not asked about']:,} are left"),
             ("Dialogues", counts["dialogues written"], f"{counts['dialogues lost after two tries']:,} lost"),
             ("Questions", f"{questions:,}", f"{questions / passed:.1f} of a dialogue"),
             ("Regions named", f"{regions:,}", f"{regions / passed:.1f} of a dialogue")]
    if settings["writer"] == "model":
        tiles.append(("Cost", ledger["cost"], f"{ledger['prompt tokens']:,} + {ledger['answer tokens']:,} tokens"))
    picks = sorted({k * len(records) // SHOWN for k in range(SHOWN)} if len(records) > SHOWN else range(len(records)))
    shown = [_card(record, talk) for record in (records[k] for k in picks) for talk in record.dialogues[:1]]
    source = " ".join(filter(None, (manifest["data"]["source"], manifest["data"]["split"])))
    lead = f"{settings['model'] or 'Written by rule'}, on {source}; seed {settings['seed']}."
    return page("Region dialogues", section("In numbers", facts(tiles)), _reasons(counts, outcomes), section(
        "Dialogues", cards(shown) if shown else paragraph("None."), note="Evenly spread over what was written. Blue: "
        "named first in a question; orange and dashed: in an answer."), lead=lead)


def _reasons(counts: dict, outcomes: Iterable[Outcome]) -> Html:
    examples: dict[str, dict[str, None]] = {}
    for outcome in outcomes:
        for reason, what, _ in outcome.failed:
            if len(examples.setdefault(reason, {})) < EXAMPLES:
                examples[reason][what] = None
    first, again = counts["failed at first"], counts["failed again"]
    rows = [(reason, first.get(reason, 0), again.get(reason, 0), " / ".join(some)) for reason, some in examples.items()]
    rows.sort(key=lambda each: -each[1] - each[2])
    more = [(reason, number, 0, kind) for kind in ("pictures passed over", "left out of the records")
            for reason, number in counts[kind].items()]
    if not rows and not more:
        return section("What was left out", paragraph("Nothing."))
    return section("What was left out", table([*rows, *more], ("reason", "at first", "again", "for example")),
                   note="What fails at first is asked for once more; what fails again is lost.")


def _card(record: Record, talk: Turns) -> Html:
    kinds: dict[str, str] = {}
    for k, said in enumerate(talk.texts):
        for handle in HANDLE.findall(said):
            kinds.setdefault(handle, "predicted" if k % 2 else "asked")
    spots = [Spot(region, kinds.get(handle, "asked"), name(handle), name(handle)) for handle, region in talk.regions]
    lines = [row("assistant" if k % 2 else "user", _said(said, kinds)) for k, said in enumerate(talk.texts)]
    try:
        shown = picture(record.image, *spots)
    except ImageError:  # its annotations alone are there
        shown = paragraph("The picture is not there.")
    return card(shown, *lines, tag("div", tag("span", talk.id), class_="verdict"))


def _said(said: str, kinds: dict[str, str]) -> Html:
    """Words with a button for each handle, which lights up its region."""
    return join(tag("button", name(part), type="button", class_=f"chip is-{kinds[part]}", data_r=name(part),
                    style=painted(KINDS[kinds[part]])) if part in kinds else text(part)
                for part in re.split(f"({HANDLE.pattern})", said))


def name(handle: str) -> str:
    return handle.strip("<>")
