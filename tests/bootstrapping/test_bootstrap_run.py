"""Whole runs: what lies on disk, stops and goings-on, everything that can go wrong counted."""

from __future__ import annotations

import json
import shutil
import sys
from dataclasses import replace

import pytest
from boot_stubs import PICTURES, SMALL, Lying, Seer, contents, folder, opened

import loupe
from loupe import bootstrapping
from loupe.bootstrapping import Rule, Settings
from loupe.bootstrapping.run import FAILED, UNASKED
from loupe.cli import main
from loupe.errors import ConfigError, FileError, ImageError
from loupe.readers import reader
from loupe.regions import Box
from loupe.sample import Answer


@pytest.fixture
def data(tmp_path):
    return folder(tmp_path / "data", PICTURES)


def test_a_run_by_hand(data, tmp_path):
    stored = bootstrapping.run(Lying(), opened(data), tmp_path / "out", SMALL)
    counts, selection = stored.manifest["counts"], stored.manifest["selection"]
    assert counts["pictures"] == {"read": 6, "asked about": 4, "left out": {
        "picture with too many objects": 1, "picture without boxes": 1}}
    assert counts["boxes"] == {"annotated": 2 + 1 + 2 + 17 + 2, "described": 6, "answers without a box": {},
                               "left out": {"box too small": 1, "picture with too many objects": 17}}
    assert (selection["described"], selection["kept"], selection["left out"]) == (6, 5, {"found elsewhere": 1})
    five = selection["table 5"]
    assert (five["pictures"], five["expressions"], five["mean words"], five["lengths"]) == (4, 5, 2.0, {"2": 5})
    assert (five["different words"], five["different expressions"]) == (3, 2)  # red cup, green cup
    assert selection["classes"] == {"cup": {"described": 6, "kept": 5}}
    lost = stored.pairs[4]
    assert lost.candidates[0].text == "green cup" and lost.candidates[0].iou == 0


def test_what_the_reader_left_out_and_what_it_was_made_with_stand_in_the_manifest(data, tmp_path):
    (data / "images/train/p2.png").unlink()
    manifest = bootstrapping.run(Lying(), opened(data), tmp_path / "out", SMALL).manifest
    assert sum(manifest["reader left out"].values()) == 1 and manifest["counts"]["pictures"]["read"] == 5
    assert manifest["versions"]["loupe"] and "commit" in manifest


def test_a_record_that_the_disk_does_not_give_is_counted(data, tmp_path):
    class Torn(type(opened(data))):
        def __getitem__(self, index):
            if index == 1:
                raise PermissionError(13, "no")
            return super().__getitem__(index)

    left = bootstrapping.run(Lying(), Torn(data, "train"), tmp_path / "out", SMALL).manifest["counts"]["pictures"]
    assert left["left out"]["record cannot be read: PermissionError"] == 1 and left["read"] == 6


def test_the_annotated_box_is_kept_and_read_again(data, tmp_path):
    class Sloppy(Seer):
        def reply(self, sample):
            answer = super().reply(sample)
            if answer.found:
                box = answer.regions[0]
                part = type(answer.found[0])(Box(box.x1, box.y1, box.x2, box.y1 + 0.6 * box.height), 0.7)
                return Answer((part,), (), "", 0.7)
            return answer

    bootstrapping.run(Sloppy(), opened(data), tmp_path / "out", SMALL)
    written, given = reader("records")(tmp_path / "out" / "records", "train"), opened(data)
    by_id = {record.id: record for record in given}
    assert len(written) == 4
    for record in written:
        source = by_id[record.id]
        assert record.objects == source.objects and record.image.bytes() == source.image.bytes()
        for phrase in record.phrases:
            assert (phrase.kind, phrase.refers) == ("bootstrapped", True)
            assert phrase.region == source.object_by_id()[phrase.object].box
    assert sum(len(record.phrases) for record in written) == 6


def test_the_public_name(data, tmp_path):
    stored = loupe.bootstrap(Lying(), opened(data), tmp_path / "out", iou=0.9, least_share=0.01)
    assert stored.manifest["rule"]["iou"] == 0.9 and len(bootstrapping.kept(stored.pairs, Rule())) == 5


@pytest.fixture
def finished(data, tmp_path):
    bootstrapping.run(Lying(), opened(data), tmp_path / "whole", SMALL)
    return tmp_path / "whole"


def test_a_stop_behind_any_line_loses_and_doubles_nothing(data, finished, tmp_path):
    """The shards cut behind every line, and inside every line: the same bytes come out."""
    wanted, cuts = contents(finished), 0
    for shard in sorted((finished / "shards").iterdir()):
        raw = shard.read_bytes()
        ends = [k + 1 for k, byte in enumerate(raw) if byte == 10]
        for end in sorted({0, *ends, *(e - 1 for e in ends), *(e - 20 for e in ends)}):
            out = tmp_path / f"cut-{cuts}"
            shutil.copytree(finished, out)
            (out / "manifest.json").unlink()
            (out / "shards" / shard.name).write_bytes(raw[:end])
            predictor = Lying()
            bootstrapping.run(predictor, opened(data), out, SMALL)
            assert contents(out) == wanted, (shard.name, end)
            assert {s.record for s in predictor.asked} <= ({"1", "2", "4", "6"} if end < len(raw) else set())
            cuts += 1
    assert cuts > 15


def test_a_killed_run_goes_on(data, finished, tmp_path):
    class Stopped(Lying):
        def reply(self, sample):
            if len(self.asked) > 9:
                raise KeyboardInterrupt
            return super().reply(sample)

    out = tmp_path / "killed"
    with pytest.raises(KeyboardInterrupt):
        bootstrapping.run(Stopped(), opened(data), out, SMALL)
    assert not (out / "manifest.json").exists()
    with pytest.raises(FileError, match="not finished"):
        bootstrapping.read(out)
    bootstrapping.run(Lying(), opened(data), out, SMALL)
    assert contents(out) == contents(finished)
    again = Lying()
    bootstrapping.run(again, opened(data), out, SMALL)
    assert not again.asked


def test_another_rule_asks_nothing(data, finished):
    again = Lying()
    stored = bootstrapping.run(again, opened(data), finished, SMALL, Rule(iou=0.0))
    assert not again.asked and stored.manifest["selection"]["kept"] == 6


@pytest.mark.parametrize("asked", [{"rule": Rule(iou=0.0)}, {"settings": replace(SMALL, limit=3)}])
def test_a_kill_behind_another_rule_leaves_no_false_manifest(data, finished, monkeypatch, asked):
    """The records of one rule never stand beside the manifest of another, nor few pairs beside that of all."""
    from loupe.bootstrapping import output

    def killed(*_):
        raise KeyboardInterrupt

    wanted, asked = contents(finished), {"settings": SMALL, "rule": Rule()} | asked
    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(output, "put", killed)  # the manifest is all that is left to write
        bootstrapping.run(Lying(), opened(data), finished, **asked)
    bootstrapping.run(Lying(), opened(data), finished, SMALL)
    assert contents(finished) == wanted


def test_a_longer_run_goes_on_with_a_shorter_one(data, finished, tmp_path):
    out = tmp_path / "grown"
    for limit in (1, 3, 5, None):
        bootstrapping.run(Lying(), opened(data), out, Settings(least_share=0.01, together=2, shard=4, flip=True,
                                                               limit=limit))
    assert contents(out) == contents(finished)


def test_another_plan_is_refused(data, finished, tmp_path):
    with pytest.raises(FileError, match="settings.least_share"):
        bootstrapping.run(Lying(), opened(data), finished, Settings(least_share=0.02, together=2, shard=4, flip=True))
    with pytest.raises(FileError, match="weights"):
        bootstrapping.run(Seer("other"), opened(data), finished, SMALL)
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "thesis.txt").write_text("mine")
    with pytest.raises(FileError, match="other files"):
        bootstrapping.run(Seer(), opened(data), tmp_path / "full", SMALL)
    with pytest.raises(ConfigError, match="make="):
        bootstrapping.run(Seer(), opened(data), tmp_path / "two", SMALL, workers=2)
    with pytest.raises(ConfigError, match="1 or more"):
        bootstrapping.run(Seer(), opened(data), tmp_path / "two", SMALL, workers=0)


def test_two_runs_do_not_write_one_file(data, tmp_path):
    class Nested(Seer):
        tried = 0

        def reply(self, sample):
            self.tried += 1
            if self.tried == 1:
                raise ConnectionError("so that there is something to forget")
            with pytest.raises(FileError, match="another process"):
                bootstrapping.run(Seer(), opened(data), tmp_path / "out", settings, retry=True)
            return super().reply(sample)

    settings = replace(SMALL, together=1)
    stored = bootstrapping.run(Nested(), opened(data), tmp_path / "out", settings)
    assert [r for r in stored.manifest["counts"]["pictures"]["left out"] if r.startswith(FAILED)]


def test_a_predictor_that_is_gone_is_not_asked_for_ever(data, tmp_path, monkeypatch):
    """After as many failures in a row the rest is left out unasked; the next run asks it, --retry what failed, too."""
    monkeypatch.setattr(sys.modules["loupe.bootstrapping.run"], "PATIENCE", 2)

    class Gone(Lying):
        gone = True

        def reply(self, sample):
            if self.gone:
                self.asked.append(sample)
                raise ConnectionError("nobody there")
            return super().reply(sample)

    predictor, out = Gone(), tmp_path / "out"
    settings = replace(SMALL, together=1)
    counted = bootstrapping.run(predictor, opened(data), out, settings).manifest["counts"]["pictures"]["left out"]
    assert counted[f"{FAILED}: ConnectionError"] == 2 and counted[UNASKED] == 2
    assert {s.record for s in predictor.asked} == {"1", "2"}
    predictor.gone = False
    predictor.asked.clear()
    counted = bootstrapping.run(predictor, opened(data), out, settings).manifest["counts"]["pictures"]["left out"]
    assert counted[f"{FAILED}: ConnectionError"] == 2 and UNASKED not in counted
    assert {s.record for s in predictor.asked} == {"4", "6"}
    bootstrapping.run(predictor, opened(data), out, settings, retry=True)
    bootstrapping.run(Lying(), opened(data), tmp_path / "whole", settings)
    assert contents(out) == contents(tmp_path / "whole")


def test_what_goes_wrong_is_counted_and_ends_nothing(data, finished, tmp_path):
    """A torn picture, an endpoint that fails at one, nonsense for another; later the endpoint is mended."""
    torn = data / "images" / "train" / "p2.png"
    whole = torn.read_bytes()
    torn.write_bytes(whole[:60])

    class Failing(Lying):
        broken = True

        def reply(self, sample):
            try:
                sample.images[0].array()
            except ImageError as error:
                from loupe.predictor import unanswered

                return unanswered(error)
            if self.broken and sample.record == "4":
                raise ConnectionError("the line is dead")
            if self.broken and sample.record == "1":
                return Answer(("]]0.1,",), (), "]]0.1,", 0.1)
            return super().reply(sample)

    out, failing = tmp_path / "out", Failing()
    stored = bootstrapping.run(failing, opened(data), out, SMALL)
    assert stored.manifest["counts"]["pictures"]["left out"] == {
        "picture does not decode": 1, "picture with too many objects": 1, "picture without boxes": 1,
        f"{FAILED}: ConnectionError": 1}
    assert stored.manifest["counts"]["boxes"]["answers without a box"] == {"no box": 2}
    left = stored.manifest["counts"]["boxes"]
    assert left["annotated"] == left["described"] + sum(left["left out"].values())
    failing.broken = False
    asked = len(failing.asked)
    bootstrapping.run(failing, opened(data), out, SMALL)
    assert len(failing.asked) == asked  # only with retry
    stored = bootstrapping.run(failing, opened(data), out, SMALL, retry=True)
    assert f"{FAILED}: ConnectionError" not in stored.manifest["counts"]["pictures"]["left out"]
    assert {s.record for s in failing.asked[asked:]} == {"4"}


def test_a_missing_answer_is_counted_and_ends_nothing(data, tmp_path):
    class Short(Lying):
        def answer(self, samples):
            said = list(super().answer(samples))
            return said[:-1] if samples[0].record == "4" else said

    counts = bootstrapping.run(Short(), opened(data), tmp_path / "out", SMALL).manifest["counts"]
    assert counts["pictures"]["left out"][
        f"{FAILED}: the predictor gave another number of answers than it was asked for"] == 1
    assert counts["pictures"]["asked about"] == 3 and counts["boxes"]["described"] == 5


def test_kept_pairs_whose_picture_is_gone_are_counted(data, tmp_path, monkeypatch):
    """The records hold what can still be read; what was kept beyond it has a reason and a number."""
    from loupe.bootstrapping import output

    class Vanishing(type(opened(data))):
        def __getitem__(self, i):
            if self.gone and i == 0:
                raise ImageError("picture does not exist any more")
            return super().__getitem__(i)

    given = Vanishing(data, "train")
    given.gone, finish = False, output.finish

    def later(*args):
        given.gone = True
        return finish(*args)

    monkeypatch.setattr(sys.modules["loupe.bootstrapping.run"], "finish", later)
    manifest = bootstrapping.run(Lying(), given, tmp_path / "out", SMALL).manifest
    written = list(reader("records")(tmp_path / "out" / "records", "train"))
    assert manifest["selection"]["kept"] == 5 and sum(len(record.phrases) for record in written) == 3
    assert manifest["records"]["pairs left out"] == {"picture does not decode": 2}
    from loupe.cli.bootstrap import said_of

    assert "2  kept pairs not written: picture does not decode" in "\n".join(said_of(manifest, tmp_path / "out"))


def test_records_are_joined_by_id_when_pictures_are_lost(data, finished, tmp_path, capsys):
    """`report --records` on a folder that has lost its first picture: nothing shifts, and what is lost is counted."""
    (data / "images" / "train" / "p1.png").unlink()
    assert main(["bootstrap", "report", str(finished), "--records", str(tmp_path / "again")]) == 0
    assert "2  kept pairs not written: record is not there any more" in capsys.readouterr().out
    whole, less = (list(reader("records")(place, "train")) for place in (finished / "records", tmp_path / "again"))
    assert [(r.id, r.phrases) for r in less] == [(r.id, r.phrases) for r in whole if r.id != "1"]


def test_a_folder_without_anything(tmp_path):
    data = folder(tmp_path / "data", [[], []])
    stored = bootstrapping.run(Seer(), opened(data), tmp_path / "out")
    assert stored.pairs == () and stored.manifest["selection"]["share"] == 0
    assert (tmp_path / "out" / "records" / "train.jsonl").read_bytes() == b""


def test_pairs_that_are_torn_are_one_error(finished):
    whole = (finished / "pairs.jsonl").read_bytes()
    for torn in (whole[:-40], whole + b"\xff\n", whole + b"[1]\n", b""):
        (finished / "pairs.jsonl").write_bytes(torn)
        with pytest.raises(FileError, match="no pair|no file of pairs"):
            bootstrapping.read(finished)


def test_pairs_of_another_kind_are_refused(finished):
    (finished / "pairs.jsonl").write_text(json.dumps({"loupe": "predictions"}) + "\n")
    with pytest.raises(FileError, match="no file of pairs"):
        bootstrapping.read(finished)
