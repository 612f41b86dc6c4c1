"""Frames: there and back, picture against region, other people's preprocessing."""

import ast
import importlib.util
import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image as Pillow

from loupe.errors import LoupeError, RegionError
from loupe.frame import FRAMES, Frame, centre_crop, frame, pad, pad_mean, smart_resize, squash
from loupe.image import Image
from loupe.regions import Box, Mask, Point, Polygon, iou

quick = settings(max_examples=120, deadline=None)
length = st.integers(8, 1500)
unit = st.floats(0, 1)


@st.composite
def frames(draw):
    """Any named frame, or a crop that may reach over the border, flipped or not."""
    width, height = draw(length), draw(length)
    name = draw(st.sampled_from([*FRAMES, "crop"]))
    if name != "crop":
        made = frame(name, width, height, draw(st.integers(16, 448)))
    else:
        x, y = draw(st.floats(-0.5, 0.7)) * width, draw(st.floats(-0.5, 0.7)) * height
        view = Box.from_xywh(x, y, draw(st.floats(0.1, 1.2)) * width, draw(st.floats(0.1, 1.2)) * height)
        made = Frame(width, height, draw(st.integers(16, 448)), draw(st.integers(16, 448)), view)
    return replace(made, flip=draw(st.booleans()))


@quick
@given(f=frames(), a=unit, b=unit, c=unit, d=unit)
def test_there_and_back(f, a, b, c, d):
    w, h = f.image_width, f.image_height
    xs, ys = sorted((a * w, b * w)), sorted((c * h, d * h))
    box, ring = Box(xs[0], ys[0], xs[1], ys[1]), Polygon(((xs[0], ys[0]), (xs[1], ys[0]), (xs[1], ys[1])))
    point = Point(xs[0], ys[1], image=3)
    assert f.to_image(f.to_model(box)).xyxy == pytest.approx(box.xyxy, abs=1e-6)
    back = f.to_image(f.to_model(point))
    assert (back.x, back.y) == pytest.approx((point.x, point.y), abs=1e-6) and back.image == 3
    for p, q in zip(f.to_image(f.to_model(ring)).points, ring.points):
        assert p == pytest.approx(q, abs=1e-6)
    assert f.to_model(f.view).xyxy == pytest.approx((0, 0, f.width, f.height), abs=1e-6)


@quick
@given(f=frames(), a=unit, b=unit, c=unit, d=unit)
def test_areas_scale_and_overlaps_do_not_change(f, a, b, c, d):
    w, h = f.image_width, f.image_height
    box = Box.from_xywh(a * w / 2, b * h / 2, (0.1 + c) * w / 3, (0.1 + d) * h / 3)
    other = Box.from_xywh(b * w / 2, c * h / 2, (0.1 + d) * w / 3, (0.1 + a) * h / 3)
    scale = f.width * f.height / f.view.area
    assert f.to_model(box).area == pytest.approx(box.area * scale, rel=1e-6)
    assert iou(f.to_model(box), f.to_model(other)) == pytest.approx(iou(box, other), abs=1e-6)


CASES = [(name, w, h, flip) for name in FRAMES for w, h in ((160, 90), (75, 120), (96, 96)) for flip in (False, True)]


@pytest.mark.parametrize("name, width, height, flip", CASES)
def test_a_drawn_box_is_found_where_the_frame_says(name, width, height, flip):
    made = frame(name, width, height, 112)
    f = Frame(width, height, made.width, made.height, made.view, flip, made.fill)
    box = Box(width // 3, height // 3, width // 3 + 24, height // 3 + 18)
    array = np.full((height, width, 3), 20, np.uint8)
    array[int(box.y1):int(box.y2), int(box.x1):int(box.x2)] = (250, 20, 20)
    picture = np.asarray(f.picture(Image.of(array)), int)
    assert picture.shape == (f.height, f.width, 3)
    red = picture[..., 0] - picture[..., 1]
    ys, xs = np.nonzero(red > 115)
    found = Box(xs.min(), ys.min(), xs.max() + 1, ys.max() + 1)
    assert found.xyxy == pytest.approx(f.to_model(box).xyxy, abs=0.8)


@pytest.mark.parametrize("view", [Box(10.5, 5.25, 70.5, 50), Box(-20, -10, 60, 50), Box(40, 20, 140, 95),
                                  Box(-9, -9, 109, 69),
                                  Box(-9.3, -9.7, 99.2, 59.5)])
@pytest.mark.parametrize("flip", [False, True])
def test_crops_over_the_border_are_filled(view, flip):
    f = Frame(100, 60, 128, 96, view, flip, fill=(0, 0, 255))
    array = np.full((60, 100, 3), 20, np.uint8)
    array[25:45, 30:55] = (250, 20, 20)
    picture = np.asarray(f.picture(Image.of(array)), int)
    ys, xs = np.nonzero(picture[..., 0] - picture[..., 1] > 115)
    found = Box(xs.min(), ys.min(), xs.max() + 1, ys.max() + 1)
    expected = f.to_model(Box(max(30, view.x1), max(25, view.y1), min(55, view.x2), min(45, view.y2)))
    assert found.xyxy == pytest.approx(expected.xyxy, abs=0.8)
    inside = f.to_model(Box(max(0, view.x1), max(0, view.y1), min(100, view.x2), min(60, view.y2)))
    blue = (picture[..., 2] == 255).mean()
    assert blue == pytest.approx(1 - inside.area / (128 * 96), abs=0.03)


@pytest.mark.parametrize("width, height", [(100, 60), (60, 100), (80, 80), (101, 60), (60, 97)])
@pytest.mark.parametrize("make, fill", [(pad, (255, 255, 255)), (pad_mean, (122, 116, 104))])
def test_padding_is_that_of_shikra_and_llava(width, height, make, fill):
    """Made by hand: a square of the fill colour, the picture pasted at half the difference rounded down."""
    array = np.random.default_rng(1).integers(0, 255, (height, width, 3), dtype=np.uint8)
    side = max(width, height)
    square = Pillow.new("RGB", (side, side), fill)
    left, top = (side - width) // 2, (side - height) // 2
    square.paste(Pillow.fromarray(array), (left, top))
    same = make(width, height, side)
    assert (np.asarray(same.picture(Image.of(array))) == np.asarray(square)).all()
    assert same.to_model(Box(1, 2, 30, 40)).xyxy == pytest.approx((1 + left, 2 + top, 30 + left, 40 + top))
    smaller = make(width, height, 56)
    theirs = np.asarray(square.resize((56, 56), Pillow.Resampling.BICUBIC), int)
    ours = np.asarray(smaller.picture(Image.of(array)), int)
    assert (ours == theirs).all()
    scale = 56 / side
    assert smaller.to_model(Box(1, 2, 30, 40)).xyxy == pytest.approx(
        [v * scale for v in (1 + left, 2 + top, 30 + left, 40 + top)])


def test_squash_and_centre_crop_are_pillows():
    array = np.random.default_rng(2).integers(0, 255, (60, 100, 3), dtype=np.uint8)
    picture = Pillow.fromarray(array)
    assert (np.asarray(squash(100, 60, (48, 32)).picture(picture)) == np.asarray(
        picture.resize((48, 32), Pillow.Resampling.BICUBIC))).all()
    middle = picture.resize((50, 30), Pillow.Resampling.BICUBIC).crop((10, 0, 40, 30))  # as CLIP does it
    assert (np.asarray(centre_crop(100, 60, 30).picture(picture)) == np.asarray(middle)).all()
    assert centre_crop(100, 60, 30).to_model(Point(20, 0)) == Point(0, 0)
    assert centre_crop(75, 120, 30).to_model(Point(37.5, 60)) == Point(15, 15)  # the middle stays the middle
    assert (np.asarray(squash(100, 60, 32).picture(picture, Pillow.Resampling.BILINEAR)) == np.asarray(
        picture.resize((32, 32), Pillow.Resampling.BILINEAR))).all()


@pytest.fixture(scope="module")
def theirs():
    """transformers' own function, taken out of its file: importing the package takes seconds."""
    spec = importlib.util.find_spec("transformers")
    folder = Path(spec.origin).parent / "models" / "qwen2_vl" if spec else Path("absent")
    for path in sorted(folder.glob("image_processing*.py")):
        for node in ast.parse(path.read_text()).body:
            if isinstance(node, ast.FunctionDef) and node.name == "smart_resize":
                scope = {"math": math}
                exec(compile(ast.Module([node], []), str(path), "exec"), scope)
                return scope["smart_resize"]
    pytest.skip("this transformers keeps smart_resize elsewhere")


@quick
@given(width=st.integers(1, 5000), height=st.integers(1, 5000), factor=st.sampled_from([28, 32]))
def test_smart_resize_is_transformers_own(theirs, width, height, factor):
    limits = {"factor": factor, "min_pixels": 56 * 56, "max_pixels": 28 * 28 * 1280}
    if max(width, height) / min(width, height) > 200:
        with pytest.raises(RegionError):
            smart_resize(width, height, **limits)
        return
    f = smart_resize(width, height, **limits)
    assert (f.height, f.width) == theirs(height, width, **limits)
    usual = smart_resize(width, height)
    assert (usual.height, usual.width) == theirs(height, width)


@pytest.mark.parametrize("flip", [False, True])
@pytest.mark.parametrize("view, size", [(Box(0, 0, 40, 30), (40, 30)), (Box(0, 0, 40, 30), (80, 90)),
                                        (Box(-5, -5, 45, 35), (100, 80)), (Box(10, 5, 30, 25), (20, 20))])
def test_masks_move_as_their_pixels_do(view, size, flip):
    f = Frame(40, 30, *size, view, flip)
    inside = np.zeros((30, 40), bool)
    inside[8:20, 12:25] = True
    moved = f.to_model(Mask.from_array(inside, image=2))
    assert (moved.width, moved.height, moved.image) == (*size, 2)
    assert moved.box.xyxy == pytest.approx(f.to_model(Box(12, 8, 25, 20)).xyxy, abs=0.5 + 1e-9)
    back = f.to_image(moved)
    assert (back.width, back.height) == (40, 30)
    if min(size[0] / view.width, size[1] / view.height) >= 1:  # no pixel lost on the way
        assert iou(back, Mask.from_array(inside, image=2)) == 1.0


def test_a_mask_flipped_twice_is_itself():
    array = np.random.default_rng(3).random((17, 23)) < 0.4
    f = Frame(23, 17, 23, 17, Box(0, 0, 23, 17), flip=True)
    assert (f.to_model(Mask.from_array(array)).array() == array[:, ::-1]).all()
    assert (f.to_image(f.to_model(Mask.from_array(array))).array() == array).all()


def test_a_picture_of_another_size_is_refused_and_names_are_checked():
    with pytest.raises(RegionError, match="got 50 x 40, expected 100 x 60"):
        squash(100, 60, 32).picture(Pillow.new("RGB", (50, 40)))
    with pytest.raises(LoupeError, match="did you mean 'centre-crop'"):
        frame("center-crop", 10, 10, 10)
    assert math.isclose(frame("pad", 30, 10, 60).view.y1, -10)
