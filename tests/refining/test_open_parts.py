"""Adapters of transformers' taggers, detectors and segmenters, on tiny random checkpoints of the same classes."""

from __future__ import annotations

import shutil
import sys
import types

import numpy as np
import pytest
import tiny_refiners as tiny
import torch
from torch import nn

from loupe.errors import CheckpointError, ConfigError
from loupe.image import Image
from loupe.models.spec import MQFormerSpec
from loupe.refining import detecting, loading, segmenting, tagging
from loupe.refining.loading import load
from loupe.refining.parts import BOX_NUMBERS, Thresholds
from loupe.regions import Box

LISTED = (("cup", None), ("plate", None), ("red circle", 0.0))


@pytest.fixture(scope="module")
def pictures():
    rng = np.random.default_rng(3)
    sizes = ((60, 80), (60, 80), (90, 50))
    return [Image.of(rng.integers(0, 255, (h, w, 3), np.uint8)) for h, w in sizes]


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    made = {}

    def folder(kind):
        if kind not in made:
            place = tmp_path_factory.mktemp("parts") / kind
            place.mkdir()
            if kind == "grounding-dino":
                made[kind] = tiny.detector(place)
            else:
                made[kind] = tiny.tagger(kind, place) if kind in tagging.KINDS else tiny.segmenter(kind, place)
        return str(made[kind])

    return folder


@pytest.mark.parametrize("kind", tagging.KINDS)
def test_open_tagger(kind, folders, pictures):
    made = tagging.load(folders(kind), LISTED, Thresholds(tag=0.0))
    together = made.tags(pictures)
    alone = [made.tags([picture])[0] for picture in pictures]
    for a, b in zip(together, alone):
        assert {tag.word for tag in a} == {word for word, _ in LISTED}
        assert [tag.score for tag in a] == sorted((tag.score for tag in a), reverse=True)
        assert {t.word: t.score for t in a} == pytest.approx({t.word: t.score for t in b}, abs=1e-5)
    strict = tagging.load(folders(kind), (("cup", 1.0), ("plate", 1.0)), Thresholds())
    assert strict.tags(pictures) == [(), (), ()]
    assert strict.identity != made.identity


def test_siglip_probability_is_transformers_own(folders, pictures):
    made = tagging.load(folders("siglip"), LISTED, Thresholds(tag=0.0))
    batch = made.tokenizer([tagging.SENTENCE.format(word) for word, _ in LISTED], padding="max_length", max_length=16,
                           return_tensors="pt")
    frames = [tagging.squash(*pictures[0].size, 32)]
    with torch.no_grad():
        out = made.model(input_ids=batch["input_ids"], pixel_values=made.pixels.tensor(pictures[:1], frames, "cpu"))
    wanted = dict(zip(made.words, out.logits_per_image[0].sigmoid().tolist()))
    assert {tag.word: tag.score for tag in made.tags(pictures[:1])[0]} == pytest.approx(wanted, abs=1e-5)


def test_clips_probability_is_transformers_own_of_two_answers(folders, pictures):
    made = tagging.load(folders("clip"), LISTED, Thresholds(tag=0.0))
    sentences = [*(tagging.SENTENCE.format(word) for word, _ in LISTED), tagging.NEUTRAL]
    batch = made.tokenizer(sentences, padding=True, return_tensors="pt")
    frames = [tagging.squash(*pictures[0].size, 32)]
    with torch.no_grad():
        logits = made.model(input_ids=batch["input_ids"], attention_mask=batch["attention_mask"],
                            pixel_values=made.pixels.tensor(pictures[:1], frames, "cpu")).logits_per_image[0]
    wanted = [float(torch.stack([logit, logits[-1]]).softmax(0)[0]) for logit in logits[:-1]]
    found = {tag.word: tag.score for tag in made.tags(pictures[:1])[0]}
    assert [found[word] for word, _ in LISTED] == pytest.approx(wanted, abs=1e-5)


def test_tags_at_their_threshold_are_said():
    scores, least = torch.tensor([[0.5, 0.75, 0.25], [0.25, 0.25, 0.25]]), torch.tensor([0.5, 0.5, 0.5])
    first, second = tagging.said(scores, ("cup", "plate", "sky"), least)
    assert [(tag.word, tag.score) for tag in first] == [("plate", 0.75), ("cup", 0.5)] and second == ()


def test_frames_by_hand(folders):
    """Grounding-DINO: the shorter side 800, unless the longer one would pass 1333. SAM: the longer side fits, the rest
    is filled to the right and below; SAM 2: squashed."""
    made = detecting.load(folders("grounding-dino"), Thresholds())
    assert made.sides == (64, 96)
    made.sides = detecting.SHORT, detecting.LONG
    for size, wanted in (((100, 80), (1000, 800)), ((40, 100), (533, 1333)), ((100, 100), (800, 800))):
        place = made.frame(Image.of(np.zeros((*size[::-1], 3), np.uint8)))
        assert (place.width, place.height) == wanted
    picture, whole = Image.of(np.zeros((80, 60, 3), np.uint8)), Box(0, 0, 60, 80)
    assert segmenting.load(folders("sam")).frame(picture).to_model(whole) == Box(0, 0, 48, 64)
    assert segmenting.load(folders("sam2")).frame(picture).to_model(whole) == Box(0, 0, 128, 128)


def test_prompts_are_the_processors(folders):
    made = detecting.load(folders("grounding-dino"), Thresholds())
    ((tags, ids, owner),) = made.prompts(["Cup", "red circle", "...", ""])
    assert tags == ["Cup", "red circle"]
    assert ids == made.tokenizer("cup. red circle.")["input_ids"]
    assert owner == [-1, 0, -1, 1, 1, -1, -1]
    many = made.prompts(["cup"] * 25)
    assert [len(ids) <= 24 for _, ids, _ in many] == [True] * 3 and sum(len(tags) for tags, _, _ in many) == 25


def test_the_papers_commas(folders, pictures, monkeypatch):
    """§3.1, as the refiner `lyrics` joins tags; another prompt, so another refiner."""
    monkeypatch.setitem(loading.REFINERS, "lyrics", ("mini", folders("grounding-dino"), "mini"))
    made, plain = load("lyrics").detector, detecting.load(folders("grounding-dino"), Thresholds(box=0.25, overlap=0.6))
    ((tags, ids, owner),) = made.prompts(["Cup", "red, circle"])
    assert tags == ["Cup", "red, circle"] and ids == made.tokenizer("cup, red circle.")["input_ids"]
    assert owner == [-1, 0, -1, 1, 1, -1, -1]
    assert made.identity == {**plain.identity, "between": ","}
    (a,), (b,) = (part.detect(pictures[:1], [["cup", "plate"]]) for part in (made, plain))
    assert a.queries.shape == b.queries.shape and not np.allclose(a.queries, b.queries, atol=1e-4)


def test_the_papers_parts_are_as_wide_as_its_former():
    """§3.1: 900 rows of 260; transformers' own sizes of the released classes."""
    from transformers import GroundingDinoConfig, SamHQConfig

    former, detector = MQFormerSpec(), GroundingDinoConfig()
    assert (detector.num_queries, detector.d_model + BOX_NUMBERS) == (900, former.detector_width)
    assert SamHQConfig().mask_decoder_config.hidden_size == former.outline_width


def test_detector_against_transformers_post_processing(folders, pictures):
    from transformers import GroundingDinoProcessor
    from transformers.models.grounding_dino.image_processing_pil_grounding_dino import GroundingDinoImageProcessorPil

    made = detecting.load(folders("grounding-dino"), Thresholds(box=0.0, overlap=1.0))
    words = ["cup", "plate"]
    (found,) = made.detect(pictures[:1], [words])
    ((_, ids, _),) = made.prompts(words)
    place = made.frame(pictures[0])
    ids = torch.tensor([ids])
    with torch.no_grad():
        out = made.model(pixel_values=made.pixels.tensor(pictures[:1], [place], "cpu"), input_ids=ids,
                         attention_mask=torch.ones_like(ids))
    processor = GroundingDinoProcessor(GroundingDinoImageProcessorPil(), made.tokenizer)
    (wanted,) = processor.post_process_grounded_object_detection(out, ids, 0.0, 1.0, [pictures[0].size[::-1]])
    order = wanted["scores"].sort(descending=True, stable=True).indices
    assert len(found.names) == 12 and set(found.names) <= set(words)
    # the marks' own logits count for transformers' score, never for ours
    inside = out.logits[0].sigmoid()[:, [1, 3]].amax(-1)
    order = inside.sort(descending=True, stable=True).indices
    assert found.scores == pytest.approx(inside[order].numpy(), abs=1e-5)
    sides = np.array([*pictures[0].size] * 2)
    boxes = np.clip(wanted["boxes"][order].numpy() / sides, 0, 1) * sides
    assert np.array([box.xyxy for box in found.boxes]) == pytest.approx(boxes, abs=1e-3)
    states = out.last_hidden_state[0][order].numpy()
    assert found.queries == pytest.approx(np.concatenate([states, out.pred_boxes[0][order].numpy()], 1), abs=1e-4)


def test_detector_batches(folders, pictures):
    made = detecting.load(folders("grounding-dino"), Thresholds(box=0.0))
    many = ["plate", "red circle", "sky", "person", "a photo of plate", "a cup of red circle", "red sky"]
    words = [["cup"], many, []]
    together = made.detect(pictures, words)
    for k, found in enumerate(together):
        (alone,) = made.detect([pictures[k]], [words[k]])
        assert found.names == alone.names
        assert found.queries == pytest.approx(alone.queries, abs=1e-4)
        assert set(found.names) <= set(words[k])
    assert len(together[1].scores) == 12  # of two prompts, as many as of one
    assert together[2].queries.shape == (0, 36) and not together[2].boxes


@pytest.mark.parametrize("kind", segmenting.KINDS)
def test_segmenter(kind, folders, pictures):
    made = segmenting.load(folders(kind))
    boxes = [[Box(5, 5, 40, 50), Box(20, 10, 70, 30)], [], [Box(0, 0, 50, 90)]]
    together = made.segment(pictures, boxes)
    assert [each.rows.shape for each in together] == [(2, 16), (0, 16), (1, 16)]
    for picture, some, found in zip(pictures, boxes, together):
        assert all((mask.width, mask.height) == picture.size for mask in found.masks)
        for k, box in enumerate(some):
            (alone,) = made.segment([picture], [[box]])
            assert alone.rows[0] == pytest.approx(found.rows[k], abs=1e-4)
            assert alone.masks[0] == found.masks[k]
    assert not np.allclose(together[0].rows[0], together[0].rows[1], atol=1e-3)


@pytest.mark.parametrize("kind", segmenting.KINDS)
def test_row_is_the_token_the_mask_is_made_of(kind, folders, pictures):
    """Through the decoder's own head and the upscaled picture, the row gives back the mask that transformers says."""
    made = segmenting.load(folders(kind))
    seen, decoder = {}, made.model.mask_decoder
    head = decoder.hq_mask_mlp if kind == "sam_hq" else decoder.output_hypernetworks_mlps[0]
    hook = head.register_forward_hook(lambda module, given, out: seen.update(given=given[0]))
    (found,) = made.segment(pictures[:1], [[Box(5, 5, 40, 50)]])
    hook.remove()
    assert found.rows[0] == pytest.approx(seen["given"][0, 0].numpy(), abs=1e-6)


def test_whole_pipeline_of_open_parts(folders, pictures):
    name = ",".join(folders(kind) for kind in ("siglip", "grounding-dino", "sam_hq"))
    made = load(name, Thresholds(tag=0.0, box=0.3), LISTED)
    for refined, picture in zip(made.refine(pictures), pictures):
        assert (refined.width, refined.height) == picture.size
        assert refined.queries.shape[1] == 36 and refined.outlines.shape == (len(refined.things), 16)
    with pytest.raises(ConfigError, match="needs words"):
        load(name)
    none = load(name, Thresholds(tag=1.0), (("cup", None),)).refine(pictures)
    assert all(not r.things and not len(r.scores) and r.outlines.shape == (0, 16) for r in none)


def test_wrong_parts(folders, tmp_path):
    with pytest.raises(ConfigError, match="no detector.*'sam'"):
        detecting.load(folders("sam"), Thresholds())
    with pytest.raises(CheckpointError, match="no config.json"):
        segmenting.load(str(tmp_path))
    with pytest.raises(CheckpointError, match="folder of this segmenter does not exist.*gone"):
        segmenting.load(str(tmp_path / "gone"))
    with pytest.raises(ConfigError, match="knows its own words"):
        load("mini", words=LISTED)
    with pytest.raises(CheckpointError, match="cannot find this detector"):
        detecting.load("nobody/nothing", Thresholds())
    with pytest.raises(ConfigError, match="unknown refiner"):
        load("minni")
    with pytest.raises(ConfigError, match="three parts"):
        load("mini,mini")


def test_a_moved_checkpoint_is_the_same_refiner(folders, tmp_path):
    """Weights and thresholds tell two refiners apart, not where they lie: a cache is found again."""
    for kind, module, options in (("grounding-dino", detecting, [Thresholds()]), ("sam2", segmenting, []),
                                  ("clip", tagging, [LISTED, Thresholds()])):
        moved = shutil.copytree(folders(kind), tmp_path / "elsewhere" / kind)
        before, after = module.load(folders(kind), *options), module.load(str(moved), *options)
        assert before.identity == after.identity and before.name == folders(kind) and after.name == str(moved)
    assert detecting.load(str(moved.parent / "grounding-dino"), Thresholds(box=0.4)).identity["box"] == 0.4


class FakeRam(nn.Module):
    """What the adapter uses of RAM++: its tags, thresholds, last layer and method."""

    def __init__(self, tags=4585):
        super().__init__()
        self.tag_list = np.array([f"tag {k}" for k in range(tags)])
        self.class_threshold = torch.full((tags,), 0.68)
        self.class_threshold[7] = 0.95
        self.fc = nn.Linear(3, 1)
        self.register_buffer("labels", torch.randn(tags, 3, generator=torch.Generator().manual_seed(1)))

    def generate_tag(self, pixels):
        colour = pixels.mean((2, 3))  # [N, 3]
        self.last = self.fc(self.labels[None] * colour[:, None] * 4).squeeze(-1).sigmoid()
        over = self.last > self.class_threshold
        return [" | ".join(self.tag_list[row.numpy()]) for row in over], []


def test_ram(monkeypatch, pictures, tmp_path):
    with pytest.raises(ConfigError, match="needs the package `ram`"):
        load("ram++:weights.pth,mini,mini")
    package, models = types.ModuleType("ram"), types.ModuleType("ram.models")
    package.__spec__ = types.SimpleNamespace(name="ram")
    asked = {}
    torch.manual_seed(2)
    fake = FakeRam()
    models.ram_plus = lambda **given: asked.update(given) or fake
    monkeypatch.setitem(sys.modules, "ram", package)
    monkeypatch.setitem(sys.modules, "ram.models", models)
    with pytest.raises(CheckpointError, match="needs its weights.*fetch ram_plus"):
        tagging.load("ram++", None, Thresholds())
    with pytest.raises(CheckpointError, match="no such file"):
        tagging.load("ram++:gone.pth", None, Thresholds())
    file = tmp_path / "ram_plus_swin_large_14m.pth"
    file.touch()
    monkeypatch.setattr("transformers.utils.cached_file", lambda *repository: str(file))
    assert tagging.load("ram++", None, Thresholds()).name == f"ram++:{file}", "what `--refiner lyrics` asks for"
    made = tagging.load(f"ram++:{file}", None, Thresholds())
    assert asked == {"pretrained": str(file), "image_size": 384, "vit": "swin_l"}
    monkeypatch.setattr(tagging, "MOST", 5000)
    said = made.tags(pictures[:2])
    frames = [tagging.squash(*p.size, 384) for p in pictures[:2]]
    own = fake.generate_tag(made.pixels.tensor(pictures[:2], frames, "cpu"))
    for tags, text in zip(said, own[0]):
        assert tags and {tag.word for tag in tags} == set(text.split(" | "))
    fewer = tagging.load(f"ram++:{file}", None, Thresholds(tag=0.99)).tags(pictures[:1])[0]
    assert len(fewer) < len(said[0])
    monkeypatch.setitem(sys.modules, "ram.models", None)  # as under another transformers
    with pytest.raises(ConfigError, match="cannot be imported beside these libraries"):
        tagging.load(f"ram++:{file}", None, Thresholds())
