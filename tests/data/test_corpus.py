"""Corpora: same inputs same bytes, resumed after a kill, refused when they are another's."""

import hashlib
import json
import os
import signal
import subprocess
import sys
import time
from collections import Counter
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from loupe.data.corpus import Corpus, group_line, read_group, write_corpus
from loupe.data.draw import Groups, Records
from loupe.data.mixture import Mixture, Source
from loupe.errors import ConfigError, FileError
from loupe.image import Image
from tests.handmade import scattered

HERE = Path(__file__).resolve().parent


def made(seed=0, count=40, folder="/pictures") -> Groups:
    source = Source("a", "coco", "a", tasks=(("counting", 1.0), ("detection", 1.0), ("coarse-position", 1.0)))
    records = [replace(scattered(np.random.default_rng(k)), id=str(k), image=Image(path=f"{folder}/{k}.jpg"))
               for k in range(count)]
    return Groups(Mixture((source,), 3), [Records(source, records)], seed)


def contents(folder: Path) -> dict[str, str]:
    return {str(p.relative_to(folder)): hashlib.sha256(p.read_bytes()).hexdigest()
            for p in sorted(folder.rglob("*")) if p.is_file()}


def test_what_is_written_is_read(tmp_path):
    groups = made()
    corpus = write_corpus(groups, tmp_path / "c", shard_size=7, roots="/pictures")
    assert len(corpus) == len(groups)
    for k in (0, 39, 6, 7, -1, 13):
        assert corpus[k] == groups[k] and [s.extra for s in corpus[k]] == [s.extra for s in groups[k]]
    assert corpus[3][0].images[0].path.parent == Path("/pictures")
    assert '"images":[{"path":"' in (tmp_path / "c/shards/00000.jsonl").read_text()
    assert "/pictures" not in (tmp_path / "c/shards/00000.jsonl").read_text()
    moved = Corpus(tmp_path / "c", roots="/moved")
    assert moved[3][0].images[0].path == Path("/moved") / corpus[3][0].images[0].path.name
    with pytest.raises(IndexError):
        corpus[40]


def test_the_manifest_counts(tmp_path):
    groups = made()
    manifest = write_corpus(groups, tmp_path / "c", shard_size=7).manifest
    samples = [s for k in range(len(groups)) for s in groups[k]]
    assert manifest["tasks"] == dict(sorted(Counter(s.task for s in samples).items()))
    assert manifest["samples"] == len(samples) and manifest["groups"] == 40
    assert manifest["drops"] == dict(sorted(groups.drops.items())) and manifest["drops"]
    assert [s["groups"] for s in manifest["shards"]] == [7, 7, 7, 7, 7, 5]
    for shard in manifest["shards"]:
        data = (tmp_path / "c/shards" / shard["file"]).read_bytes()
        assert hashlib.sha256(data).hexdigest() == shard["sha256"]
    assert manifest["mixture"]["sources"][0]["name"] == "a" and manifest["seed"] == 0 and manifest["loupe"]


def test_same_inputs_same_bytes_whatever_the_workers(tmp_path):
    for name, workers in (("one", 1), ("two", 2)):
        write_corpus(made(), tmp_path / name, shard_size=9, workers=workers)
    assert contents(tmp_path / "one") == contents(tmp_path / "two")
    write_corpus(made(seed=1), tmp_path / "other", shard_size=9)
    assert contents(tmp_path / "other") != contents(tmp_path / "one")


def test_a_killed_run_goes_on(tmp_path):
    whole, killed = tmp_path / "whole", tmp_path / "killed"
    write_corpus(made(), whole, shard_size=5)
    code = ("import time, test_corpus as t\nfrom loupe.data.draw import Groups\nold = Groups.draw\n"
            "Groups.draw = lambda s, k: (time.sleep(0.01), old(s, k))[1]\n"
            f"t.write_corpus(t.made(), {str(killed)!r}, shard_size=5)")
    path = os.pathsep.join([str(HERE), str(HERE.parents[1])])
    process = subprocess.Popen([sys.executable, "-c", code], env={**os.environ, "PYTHONPATH": path},
                               stderr=subprocess.DEVNULL)
    until = time.monotonic() + 30
    while not (killed / "shards/00002.json").is_file() and time.monotonic() < until:
        time.sleep(0.005)
    process.send_signal(signal.SIGKILL)
    process.wait()
    before = contents(killed)
    assert "manifest.json" not in before and "shards/00002.jsonl" in before and "shards/00007.jsonl" not in before
    with pytest.raises(FileError, match="not complete.*loupe build"):
        Corpus(killed)
    (killed / "shards/00005.jsonl").write_text("half a li")  # as if the disk had lost the rest
    times = {p: p.stat().st_mtime_ns for p in killed.glob("shards/0000[012].jsonl")}
    write_corpus(made(), killed, shard_size=5)
    assert contents(killed) == contents(whole)
    assert times == {p: p.stat().st_mtime_ns for p in times}  # finished shards were kept


def test_a_finished_corpus_is_left_alone(tmp_path):
    write_corpus(made(), tmp_path, shard_size=9)
    times = {p: p.stat().st_mtime_ns for p in tmp_path.rglob("*.jsonl")}
    write_corpus(made(), tmp_path, shard_size=9)
    assert times == {p: p.stat().st_mtime_ns for p in tmp_path.rglob("*.jsonl")}


def test_another_recipes_corpus_is_refused(tmp_path):
    write_corpus(made(), tmp_path / "c", shard_size=9)
    before = contents(tmp_path / "c")
    with pytest.raises(ConfigError, match="holds another corpus.*seed 0, now 1"):
        write_corpus(made(seed=1), tmp_path / "c", shard_size=9)
    with pytest.raises(ConfigError, match="shard_size 9, now 8"):
        write_corpus(made(), tmp_path / "c", shard_size=8)
    assert contents(tmp_path / "c") == before
    (tmp_path / "d").mkdir()
    (tmp_path / "d/thesis.tex").write_text("mine")
    with pytest.raises(FileError, match="holds other files"):
        write_corpus(made(), tmp_path / "d")


def test_a_full_disk_loses_nothing(tmp_path):
    whole, full = tmp_path / "whole", tmp_path / "full"
    write_corpus(made(), whole, shard_size=5)
    sizes = [p.stat().st_size for p in sorted(whole.glob("shards/*.jsonl"))]
    room = max(sizes[:3])  # some later shard does not fit any more
    assert max(sizes) > room > (whole / "plan.json").stat().st_size
    code = (f"import resource, test_corpus as t\nresource.setrlimit(resource.RLIMIT_FSIZE, ({room}, {room}))\n"
            f"t.write_corpus(t.made(), {str(full)!r}, shard_size=5)")
    path = os.pathsep.join([str(HERE), str(HERE.parents[1])])
    done = subprocess.run([sys.executable, "-c", code], env={**os.environ, "PYTHONPATH": path}, capture_output=True,
                          text=True)
    assert "FileError: cannot write: got File too large" in done.stderr and "finished shards are kept" in done.stderr
    assert (full / "shards/00002.json").is_file() and not list(full.rglob("*.part*"))
    write_corpus(made(), full, shard_size=5)
    assert contents(full) == contents(whole)


def test_damage_is_named(tmp_path):
    corpus = write_corpus(made(), tmp_path, shard_size=9)
    assert corpus.damaged() == []
    shard = tmp_path / "shards/00001.jsonl"
    lines = shard.read_text().splitlines(keepends=True)
    shard.write_text("".join(["{broken\n", *lines[1:]]))
    corpus = Corpus(tmp_path)
    assert corpus.damaged() == ["00001.jsonl"]
    with pytest.raises(FileError, match="00001.jsonl:1"):
        corpus[9]
    shard.write_text("".join(lines[:3]))
    with pytest.raises(FileError, match="00001.jsonl:8.*loupe build"):
        Corpus(tmp_path)[16]
    with pytest.raises(FileError, match="not a corpus"):
        Corpus(tmp_path / "nowhere")


def test_group_lines():
    group = made()[0]
    line = group_line(group)
    assert read_group(line, "here") == group and json.loads(line)["samples"][0].keys().isdisjoint({"images"})
    with pytest.raises(ValueError):
        group_line([])
