"""A run over an annotated folder, gone on with after a stop.

    OUT/plan.json            settings, model, seeds, data (the same plan goes on)
    OUT/outcomes.jsonl       a line per picture: its dialogues, or why there are none
    OUT/cache.sqlite         replies by request: asking again costs nothing
    OUT/ledger.jsonl         a line per reply that was paid
    OUT/records/train.jsonl  whole records with their dialogues (reader "records", task "dialogue")
    OUT/dialogues.html       some of them beside their pictures, and what was left out
    OUT/manifest.json        plan, counts by reason, tokens and cost; written last
"""

from __future__ import annotations

import asyncio
import json
import os
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from tqdm import tqdm

from loupe.endpoint import Budget, Cache, Client, EndpointError, Ledger, Spent
from loupe.endpoint import Settings as Endpoint
from loupe.errors import ConfigError, FileError, ImageError
from loupe.evals.page import write_page
from loupe.readers.base import Reader
from loupe.readers.records import Records
from loupe.record import Record
from loupe.regionchat import seeds as seed_files
from loupe.regionchat.checks import Bounds
from loupe.regionchat.listing import listed
from loupe.regionchat.output import Outcomes, assembled, counted, put
from loupe.regionchat.page import report
from loupe.regionchat.writers import Asking, Outcome, ask, by_rule

NOUNS_FROM = 500  # records whose names of things are looked for in dialogues
OFTEN = 3  # times a name must stand there
LEAST_REGIONS = 1


@dataclass(frozen=True)
class Settings:
    """writer: "model" (behind an endpoint) or "grammar". count: dialogues of a picture. regions: at most so many of a
    picture are told. once: words that stood in an earlier picture are left out (a model that repeats itself)."""

    writer: str = "model"
    model: str = ""
    count: int = 1
    shots: int = 3
    temperature: float = 0.7
    answer: int = 1200
    regions: int = 15
    seed: int = 0
    json: bool = False
    once: bool = True
    bounds: Bounds = Bounds()

    def __post_init__(self):
        if self.writer not in ("model", "grammar"):
            raise ConfigError("unknown writer", got=repr(self.writer), expected="model or grammar", where="--writer")
        if self.count < 1 or self.regions < 1 or self.shots < 0 or self.answer < 1:
            raise ConfigError("nothing to write", expected="1 or more dialogues, regions and tokens",
                              got=f"{self.count} dialogues, {self.regions} regions, {self.answer} tokens")


@dataclass(frozen=True)
class Output:
    """stopped: why the run ended before all pictures were asked about; "" where it did not."""

    path: Path
    manifest: dict
    stopped: str = ""
    refused: str = ""  # the last refusal of a request whose picture was left for later


def run(reader: Reader, out: str | os.PathLike, settings: Settings, endpoint: Endpoint | None = None, *,
        budget: Budget | None = None, seeds: str | os.PathLike | None = None, cache: str | os.PathLike | None = None,
        limit: int | None = None) -> Output:
    """Dialogues about the first `limit` pictures of `reader`, or those a stopped run left.

    The budget ends a run cleanly: what was paid is kept and written. EndpointError where the endpoint is not there.
    """
    out, known = Path(out), seed_files.read(seeds)
    if settings.writer == "model" and endpoint is None:
        raise ConfigError("no endpoint is named", expected="--endpoint URL --model NAME, or --writer grammar")
    claim(out, plan_of(reader, settings, known))
    outcomes = Outcomes(out / "outcomes.jsonl")
    count = min(len(reader), limit) if limit is not None else len(reader)
    due = [k for k in range(count) if k not in outcomes.known]
    ledger, stopped, refused, error = Ledger(out / "ledger.jsonl", budget), "", "", None
    if settings.writer == "grammar":
        _by_rule(reader, due, settings, outcomes)
    elif due:
        replies = Cache(cache or out / "cache.sqlite")
        work = Work(reader, settings, known, outcomes, things_of(reader) if settings.bounds.things else frozenset())
        try:
            asyncio.run(work.all(due, Client(endpoint, replies, ledger)))
        finally:
            replies.close()
        stopped, refused, error = work.stopped, work.refused, work.error
    mine = {k: outcomes.known[k] for k in outcomes.known if k < count}
    split = reader.split or "train"
    number, left_out = assembled(mine, reader, out, split, settings.regions, settings.once and
                                 settings.writer == "model")
    counts = counted(outcome for _, outcome in mine.values())
    manifest = {**_plain(settings, known, reader), "counts": {**counts, "dialogues written": number,
                "left out of the records": dict(left_out)}, "pictures not asked about": count - len(mine),
                "stopped": stopped, "ledger": ledger.summary(), "records": {"split": split, "source": reader.source}}
    made = Records(out / "records", split, missing="keep") if number else ()
    write_page(report(manifest, (outcome for _, outcome in mine.values()), made), out / "dialogues.html")
    put(out / "manifest.json", manifest)
    if error is not None:
        raise error
    return Output(out, manifest, stopped, refused)


class Work:
    """Asks about pictures, several at once. Ends early where the budget is spent or the endpoint gone."""

    def __init__(self, reader: Sequence[Record], settings: Settings, seeds: seed_files.Seeds, outcomes: Outcomes,
                 things: frozenset[str]):
        self.reader, self.settings, self.seeds = reader, settings, seeds
        self.outcomes, self.things = outcomes, things
        self.stopped = self.refused = ""
        self.error: EndpointError | None = None
        s = settings
        self.asking = Asking(s.model, s.count, s.shots, s.temperature, s.answer, s.seed, s.json)

    async def all(self, due: Sequence[int], client: Client) -> None:
        waiting: set[asyncio.Task] = set()
        window = 2 * client.settings.concurrency
        with tqdm(total=len(due), desc="dialogues", unit="picture", disable=None) as bar:
            async with client:
                try:
                    for index in due:
                        if self.stopped:
                            break
                        waiting.add(asyncio.create_task(self.one(index, client)))
                        if len(waiting) >= window:
                            waiting = await self._some(waiting, bar, asyncio.FIRST_COMPLETED)
                    await self._some(waiting, bar, asyncio.ALL_COMPLETED)
                finally:
                    for each in waiting:
                        each.cancel()

    async def _some(self, waiting: set[asyncio.Task], bar, when: str) -> set[asyncio.Task]:
        if not waiting:
            return waiting
        done, waiting = await asyncio.wait(waiting, return_when=when)
        for each in done:
            each.result()
        bar.update(len(done))
        return waiting

    async def one(self, index: int, client: Client) -> None:
        """Nothing is noted of a picture that could not be asked about: the next run does."""
        if self.stopped:
            return
        record, why = told(self.reader, index)
        if record is None:
            self.outcomes.add(index, "", Outcome(skipped=why))
            return
        listing = listed(record, self.settings.regions)
        if len(listing.entries) < LEAST_REGIONS:
            self.outcomes.add(index, record.id, Outcome(skipped="no region"))
            return
        try:
            outcome = await ask(client, listing, record.id, self.asking, self.seeds, self.settings.bounds, self.things)
        except Spent as error:
            self.stopped = self.stopped or str(error)
        except EndpointError as error:
            client.ledger.troubles["picture left for later"] += 1
            self.refused = str(error)
            if error.final:
                self.stopped, self.error = self.stopped or str(error), error
        else:
            self.outcomes.add(index, record.id, outcome)


def told(reader: Sequence[Record], index: int) -> tuple[Record | None, str]:
    try:
        return reader[index], ""
    except ImageError:
        return None, "picture does not decode"


def things_of(reader: Sequence[Record]) -> frozenset[str]:
    """Names of things that are at home in this data set: its classes, or what its first records often name."""
    names: Counter[str] = Counter()
    for index in range(min(NOUNS_FROM, len(reader))):
        record, _ = told(reader, index)
        if record is None:
            continue
        if record.vocabulary:
            names.update({name.lower(): OFTEN for name in record.vocabulary})
        names.update({name.lower() for o in record.objects for name in o.names})
    return frozenset(name for name, times in names.items() if times >= OFTEN and len(name) > 2)


def _by_rule(reader: Sequence[Record], due: Sequence[int], settings: Settings, outcomes: Outcomes) -> None:
    for index in tqdm(due, desc="dialogues", unit="picture", disable=None, delay=2):
        record, why = told(reader, index)
        if record is None:
            outcomes.add(index, "", Outcome(skipped=why))
            continue
        listing = listed(record, settings.regions)
        outcomes.add(index, record.id, by_rule(listing, record.id, settings.count, settings.seed, settings.bounds))


def plan_of(reader: Reader, settings: Settings, seeds: seed_files.Seeds) -> dict:
    """What a folder must agree on to be gone on with."""
    return json.loads(json.dumps(_plain(settings, seeds, reader)))


def _plain(settings: Settings, seeds: seed_files.Seeds, reader: Reader) -> dict:
    return {"loupe": "regionchat", "settings": asdict(settings), "seeds": seeds.hash,
            "data": {"source": reader.source, "split": reader.split, "hash": reader.hash}}


def claim(out: Path, plan: dict) -> None:
    """Make the folder this run's, or refuse it."""
    path = out / "plan.json"
    if path.is_file():
        try:
            old = dict(json.loads(path.read_text("utf-8")))
        except (ValueError, TypeError, RecursionError):
            raise FileError("the plan cannot be read", where=path,
                            do="delete the folder, or give another --out") from None
        changed = [name for name in {**old, **plan} if old.get(name) != plan.get(name)]
        if changed:
            now = json.dumps({name: plan.get(name) for name in changed})[:200]
            raise ConfigError("this folder holds another run", got=f"other {', '.join(changed)}: {now}", where=out,
                              do="give another --out, or the old settings to go on with it")
        return
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise FileError("the folder holds other files", expected="a new or empty folder", where=out,
                        do="give another --out")
    put(path, plan)
