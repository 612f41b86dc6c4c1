"""The exam counts what greedy decoding would say; a run of the part ends with files that others can load."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
import torch

from loupe import world
from loupe.data.draw import open_mixture
from loupe.models import checkpoint
from loupe.models.assembly import load_tokenizer
from loupe.models.batch import pack
from loupe.models.look import Limits
from loupe.models.tuner import Frozen, Full, Tune, apply
from loupe.predictors.checkpoint import Model
from loupe.recipes import recipe
from loupe.sample import Sample, Turn, assistant, user
from loupe.training import exam, materials
from loupe.training.run import train
from loupe.writers.records import write_records

SHORT = ("model.language.config.hidden_size=32", "model.language.config.intermediate_size=32",
         "model.language.config.num_hidden_layers=2", "model.language.config.num_attention_heads=2",
         "model.language.config.num_key_value_heads=2", "model.language.config.head_dim=16", "vocabulary=640",
         "stages.read.steps=2", "stages.read.batch=2", "exam.groups=4",
         "exam.mixture.sources.world.task_options.stated.turns=3")


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """Two updates of a small mini-language, on records without their pictures."""
    folder = tmp_path_factory.mktemp("language")
    for split, count in (("train", 12), ("val", 4)):
        write_records(world.records(count, 0, split, world="mini"), folder / "data" / "records", split, pictures=False)
    made = recipe("mini-language").change(*SHORT)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(materials, "SCANNED", 100)
        return train(made, folder / "run", folder / "data", device="cpu", workers=0, log_every=1)


def test_a_run_leaves_the_part_and_its_scores(run):
    from transformers import AutoModelForCausalLM

    tokenizer = load_tokenizer(run.folder / "language")
    alone = AutoModelForCausalLM.from_pretrained(run.folder / "language")
    assert alone.dtype == torch.float16 and alone.config.vocab_size == len(tokenizer)
    assert [len(tokenizer.encode(t, add_special_tokens=False)) for t in ("<x_7>", "<v_100>", "<|end|>")] == [1, 1, 1]
    assert tokenizer.encode("STOP", add_special_tokens=False) == tokenizer.convert_tokens_to_ids(list("STOP"))
    scores = run.manifest["scores"]
    assert sum(s["answers"] for s in scores.values()) >= 12 and run.report()["scores"] == scores
    assert all(0 <= s["exact"] <= 1 and 0 <= s["majority"] <= 1 for s in scores.values())
    model = checkpoint.load(run.model)
    assert model.vision is None and not (run.folder / "vision").exists()
    assert json.loads((run.folder / "language" / "config.json").read_text())["place_level"] == pytest.approx(
        model.language.config.place_level, rel=1e-4)


def test_what_the_exam_counts_is_what_is_said(run):
    """A few answers learnt by heart: the exam and greedy decoding behind the true turns agree on each of them."""
    model = checkpoint.load(run.model)
    opened = open_mixture(run.recipe.exam.mixture, {"": run.folder.parent / "data"}, 0, groups=4)
    groups = [opened[k] for k in range(4)]
    apply(model, Tune(Frozen(), Frozen(), Full()))
    adam = torch.optim.Adam(model.parameters(), 4e-3)
    batch = pack(groups[:2], model.encoder)
    for _ in range(40):
        loss = model.losses(batch).mean()
        adam.zero_grad()
        loss.backward()
        adam.step()
    marks = exam.sit(model, groups, groups)
    right = sum(round(m["exact"] * m["answers"]) for m in marks.values())
    total = sum(m["answers"] for m in marks.values())
    speaker, said, known = Model(model, limits=Limits(answer=40)), [], []
    for sample in (s for group in groups for s in group):
        for k in range(0, len(sample.turns), 2):
            asked = replace(sample, turns=sample.turns[:k + 1])
            (answer,) = speaker.answer([asked])
            said.append(answer.raw)
            known.append(text(model, replace(sample, turns=sample.turns[:k + 2]), asked))
    assert len(said) == total and sum(a == b for a, b in zip(said, known)) == right
    assert 0.2 < right / total < 1, "some are learnt, some are not"


def text(model, whole: Sample, asked: Sample) -> str:
    render = lambda s: model.encoder.dialogue.render(s, model.encoder.codec, model.encoder.places(s)).text()  # noqa: E731
    return model.encoder.dialogue.answer(render(whole)[len(render(asked)):])


def test_the_most_frequent_answer_by_hand(run):
    model = checkpoint.load(run.model)

    def group(task: str, *answers: str) -> list[Sample]:
        turns: list[Turn] = []
        for answer in answers:
            turns += [user("How many?"), assistant(answer)]
        return [Sample((), tuple(turns), "stated", extra={"asked": (task,) * len(answers)})]

    learnt = [group("counting", "2", "2", "3"), group("relation", "on")]
    marks = exam.sit(model, [group("counting", "2", "3"), group("relation", "on"), group("presence", "yes")], learnt)
    assert {t: (m["answers"], m["majority"]) for t, m in marks.items()} == {
        "counting": (2, 0.5), "relation": (1, 1.0), "presence": (1, 0.0)}
