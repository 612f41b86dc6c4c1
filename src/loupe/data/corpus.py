"""Groups written to disk and read back: JSON lines in shards beside a manifest.

    corpus/plan.json            what the corpus is made of (the same plan gives the same bytes)
    corpus/roots.json           where the folders of pictures were; may be edited, or given when it is opened
    corpus/shards/00000.jsonl   one group a line: {"images": [...], "samples": [...]}
    corpus/shards/00000.json    the shard's sha256, number of groups, samples by task, drops by reason
    corpus/manifest.json        plan and sums; there when the corpus is complete
    corpus/excluded.json        ids of held-out records by source, where any are
"""

from __future__ import annotations

import hashlib
import json
import multiprocessing
import os
from collections import Counter, OrderedDict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from tqdm import tqdm

from loupe.errors import ConfigError, FileError
from loupe.origin import version
from loupe.plain import Roots, from_plain, to_plain
from loupe.sample import Sample

SHARD = 1000  # groups
OPEN = 8  # shards whose line offsets are kept


def write_corpus(groups, out: str | Path, *, shard_size: int = SHARD, roots: Roots = None,
                 workers: int = 1) -> Corpus:
    """Write `groups` (len, draw(i) -> samples and drops, about) into `out`, or go on where a killed run stopped.

    Finished shards are kept; a folder that holds another corpus is refused. Bytes do not depend on `workers`.
    """
    out, named = Path(out), _absolute(roots)
    plan = {"loupe": version("loupe"), **groups.about, "shard_size": int(shard_size)}
    if shard_size < 1:
        raise ConfigError("a shard holds at least one group", got=shard_size)
    _claim(out, plan)
    _put(out / "roots.json", _text({name: str(folder) for name, folder in named.items()}))
    if getattr(groups, "excluded", None):
        _put(out / "excluded.json", _text(groups.excluded))
    shards = -(-len(groups) // shard_size)
    due = [k for k in range(shards) if not _finished(out, k)]
    (out / "manifest.json").unlink(missing_ok=True) if due else None
    job = groups, out, shard_size, named, len(groups)
    with tqdm(total=shards, initial=shards - len(due), desc="writing shards", unit="shard", disable=None) as bar:
        for _ in _each(job, due, workers):
            bar.update()
    _put(out / "manifest.json", _text(_manifest(out, plan, shards, getattr(groups, "held_out", None))))
    return Corpus(out, roots)


class Corpus(Sequence):
    """A written corpus: `corpus[i]` is a group, as `groups[i]` was. Shards are read line by line when asked for.

    roots: where the folders of pictures are now, if not where they were.
    """

    def __init__(self, path: str | Path, roots: Roots = None):
        self.path = Path(path)
        if not (self.path / "manifest.json").is_file():
            started = (self.path / "plan.json").is_file()
            raise FileError("corpus is not complete" if started else "not a corpus", where=self.path,
                            expected="manifest.json and shards/", do="run the same `loupe build` again to finish it"
                            if started else "write one with `loupe build`")
        self.manifest = _json(self.path / "manifest.json")
        self.roots = {**_json(self.path / "roots.json"), **_absolute(roots)}
        self._shards = [(self.path / "shards" / s["file"], s["groups"]) for s in self.manifest["shards"]]
        self._lines: OrderedDict[int, list[int]] = OrderedDict()
        self._size = self.manifest["shard_size"]

    def __len__(self) -> int:
        return self.manifest["groups"]

    @property
    def drops(self) -> Counter[str]:
        return Counter(self.manifest["drops"])

    @property
    def hashes(self) -> dict[str, str]:
        """By source, and of the corpus itself."""
        every = "".join(s["sha256"] for s in self.manifest["shards"])
        own = hashlib.sha256(every.encode()).hexdigest()
        return {**{name: s["hash"] for name, s in self.manifest.get("sources", {}).items()}, "corpus": own}

    def __getitem__(self, index: int) -> list[Sample]:
        if not -len(self) <= index < len(self):
            raise IndexError(f"group {index} of {len(self)}")
        shard, line = divmod(index % len(self), self._size)
        path, _ = self._shards[shard]
        try:
            starts = self._starts(shard)
            with path.open("rb") as file:
                file.seek(starts[line])
                text = file.readline()
        except (OSError, IndexError) as error:
            raise FileError("shard cannot be read", got=error, where=f"{path}:{line + 1}",
                            do="run the same `loupe build` again to write it anew") from None
        return read_group(text, f"{path}:{line + 1}", self.roots)

    def damaged(self) -> list[str]:
        """Names of the shards that are not what the manifest says."""
        return [s["file"] for s in self.manifest["shards"] if _sha256(self.path / "shards" / s["file"]) != s["sha256"]]

    def _starts(self, shard: int) -> list[int]:
        """Byte offsets of the shard's lines."""
        if shard not in self._lines:
            at, starts = 0, []
            with self._shards[shard][0].open("rb") as file:
                for line in file:
                    starts.append(at)
                    at += len(line)
            self._lines[shard] = starts
            while len(self._lines) > OPEN:
                self._lines.popitem(last=False)
        return self._lines[shard]


def group_line(samples: Sequence[Sample], roots: Roots = None) -> str:
    """One group as a line; the pictures its samples share are written once."""
    if not samples or any(s.images != samples[0].images for s in samples):
        raise ValueError("a group is one or more samples with the same images")
    plain = [to_plain(s, roots) for s in samples]
    images = plain[0]["images"]
    for each in plain:
        del each["images"]
    return json.dumps({"images": images, "samples": plain}, separators=(",", ":")) + "\n"


def read_group(text: str | bytes, where: str, roots: Roots = None) -> list[Sample]:
    try:
        data = json.loads(text)
        images, samples = from_plain(data["images"], roots), from_plain(data["samples"], roots)
        return [replace(sample, images=images) for sample in samples]
    except (ValueError, KeyError, TypeError) as error:
        raise FileError("line of a corpus cannot be read", got=repr(text[:60]), expected="a group as JSON", where=where,
                        do=f"write the corpus anew ({error})") from None


def _claim(out: Path, plan: dict) -> None:
    """Make the folder this corpus's, or refuse it."""
    path = out / "plan.json"
    for part in [*out.glob("*.part*"), *out.glob("shards/*.part*")]:  # of a run that was killed
        part.unlink(missing_ok=True)
    if path.is_file():
        old, new = _json(path), json.loads(_text(plan))
        changed = [f"{name} {_short(old.get(name))}, now {_short(new.get(name))}"
                   for name in {**old, **new} if old.get(name) != new.get(name)]
        if changed:
            raise ConfigError("this folder holds another corpus", got="; ".join(changed), where=out,
                              do="give another --out, or the old settings to go on with it")
        return
    if out.exists() and (not out.is_dir() or any(path.name != "shards" for path in out.iterdir())):
        raise FileError("the corpus's folder holds other files", expected="a new or empty folder, or a corpus",
                        where=out, do="give another --out")
    try:
        (out / "shards").mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise FileError("cannot make a folder", got=error.strerror, where=out) from None
    _put(path, _text(plan))


def _short(value) -> str:
    text = json.dumps(value)
    return text if len(text) <= 80 else f"{hashlib.sha256(text.encode()).hexdigest()[:8]}..."


def _finished(out: Path, k: int) -> bool:
    """The shard is there, whole and counted."""
    path, counted = out / "shards" / f"{k:05}.jsonl", out / "shards" / f"{k:05}.json"
    return path.is_file() and counted.is_file() and _json(counted)["sha256"] == _sha256(path)


def _each(job, due: list[int], workers: int) -> Iterator[None]:
    if workers <= 1 or len(due) <= 1:
        for k in due:
            yield _write_shard(job, k)
        return
    with multiprocessing.Pool(min(workers, len(due)), _take_job, (job,)) as pool:
        yield from pool.imap_unordered(_work, due)


def _take_job(job) -> None:
    global _job
    _job = job


def _work(k: int) -> None:
    _write_shard(_job, k)


def _write_shard(job, k: int) -> None:
    """Write one shard, then its counts; neither appears before it is whole."""
    groups, out, size, roots, total = job
    lines, tasks, drops = [], Counter(), Counter()
    for index in range(k * size, min((k + 1) * size, total)):
        samples, passed_over = groups.draw(index)
        lines.append(group_line(samples, roots))
        tasks.update(sample.task for sample in samples)
        drops.update(passed_over)
    text = "".join(lines)
    path = out / "shards" / f"{k:05}.jsonl"
    _put(path, text)
    counts = {"sha256": hashlib.sha256(text.encode()).hexdigest(), "groups": len(lines), "samples": tasks.total(),
              "tasks": dict(sorted(tasks.items())), "drops": dict(sorted(drops.items()))}
    _put(path.with_suffix(".json"), _text(counts))


def _manifest(out: Path, plan: dict, shards: int, held_out: Counter | None) -> dict:
    counted = [_json(out / "shards" / f"{k:05}.json") for k in range(shards)]
    tasks, drops = Counter(), Counter(held_out or {})
    for each in counted:
        tasks.update(each["tasks"])
        drops.update(each["drops"])
    listed = [{"file": f"{k:05}.jsonl", **{name: each[name] for name in ("sha256", "groups", "samples")}}
              for k, each in enumerate(counted)]
    return {**plan, "samples": tasks.total(), "tasks": dict(sorted(tasks.items())),
            "drops": dict(sorted(drops.items())), "shards": listed}


def _absolute(roots: Roots) -> dict[str, Path]:
    named = roots if isinstance(roots, Mapping) else {"": roots} if roots is not None else {}
    return {name: Path(os.path.abspath(folder)) for name, folder in sorted(named.items())}


def _put(path: Path, text: str) -> None:
    """Write a file whole or not at all."""
    part = path.with_name(f"{path.name}.part{os.getpid()}")
    try:
        with part.open("w", encoding="utf-8", newline="\n") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        os.replace(part, path)
    except OSError as error:
        part.unlink(missing_ok=True)
        raise FileError("cannot write", got=error.strerror, where=path,
                        do="make room or mend the permissions and run the same command again, finished shards are kept"
                        ) from None


def _text(data) -> str:
    return json.dumps(data, indent=1) + "\n"


def _json(path: Path):
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise FileError("cannot read", got=error.strerror, where=path) from None
    except ValueError as error:
        raise FileError("not JSON", got=error, where=path, do="delete this file and run the same `loupe build` again"
                        ) from None


def _sha256(path: Path) -> str:
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError:
        return "missing"
