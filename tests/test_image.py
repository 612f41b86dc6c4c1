"""Decoding: orientation, modes, limits, damage."""

import io
import random
import struct
import warnings
import zlib

import numpy as np
import pytest
from PIL import Image as Pillow
from PIL import ImageOps

from loupe import image as module
from loupe.errors import ImageError
from loupe.image import Image

RNG = np.random.default_rng(0)
NOISE = RNG.integers(0, 255, (13, 21, 3), dtype=np.uint8)


def encoded(picture: Pillow.Image, kind: str = "PNG", orientation: int = 0, **options) -> bytes:
    if orientation:
        exif = Pillow.Exif()
        exif[module.ORIENTATION] = orientation
        options["exif"] = exif
    buffer = io.BytesIO()
    picture.save(buffer, kind, **options)
    return buffer.getvalue()


# Where the four corners of the stored picture (top left 1, top right 2, bottom left 3, bottom right 4) end up,
# read off the definition: the orientation names the visual side of stored row 0 and stored column 0.
CORNERS = {1: [[1, 2], [3, 4]], 2: [[2, 1], [4, 3]], 3: [[4, 3], [2, 1]], 4: [[3, 4], [1, 2]],
           5: [[1, 3], [2, 4]], 6: [[3, 1], [4, 2]], 7: [[4, 2], [3, 1]], 8: [[2, 4], [1, 3]]}


@pytest.mark.parametrize("orientation", range(1, 9))
def test_every_orientation_by_hand(orientation):
    stored = np.array([[1, 2], [3, 4]], np.uint8) * 60
    data = encoded(Pillow.fromarray(stored), "PNG", orientation)
    assert (Image(data=data).array()[..., 0] // 60).tolist() == CORNERS[orientation]
    assert (Image(data=data, upright=False).array()[..., 0] // 60).tolist() == CORNERS[1]


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP", "TIFF"])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_orientation_and_size_as_pillow_has_them(kind, orientation):
    data = encoded(Pillow.fromarray(NOISE), kind, orientation)
    image = Image(data=data)
    expected = ImageOps.exif_transpose(Pillow.open(io.BytesIO(data))).convert("RGB")
    assert (image.array() == np.asarray(expected)).all()
    assert image.size == expected.size == ((13, 21) if orientation > 4 else (21, 13))
    raw = Image(data=data, upright=False)
    assert raw.size == raw.pillow().size == (expected.size if kind == "TIFF" else (21, 13))


@pytest.mark.parametrize("kind", ["PNG", "JPEG"])
def test_a_turned_picture_is_not_turned_again(kind):
    image = Image(data=encoded(Pillow.fromarray(NOISE), kind, 6))
    again = Image.of(image.pillow())
    assert (again.array() == image.array()).all() and again.size == image.size == (13, 21)
    turned = Image.of(Pillow.open(io.BytesIO(image.data)))
    assert (turned.array() == image.array()).all()


def test_a_png_may_state_its_orientation_behind_its_pixels():
    data = encoded(Pillow.fromarray(NOISE), "PNG")
    with_exif = encoded(Pillow.fromarray(NOISE), "PNG", 6)
    start = with_exif.index(b"eXIf") - 4
    chunk = with_exif[start:start + 12 + struct.unpack(">I", with_exif[start:start + 4])[0]]
    late = Image(data=data[:-12] + chunk + data[-12:])
    assert late.size == late.pillow().size == (13, 21)


def test_palette_alpha_and_grey():
    alpha = np.zeros((2, 2, 4), np.uint8)
    alpha[..., 0] = 200
    alpha[0, 0, 3], alpha[0, 1, 3] = 255, 51  # opaque, a fifth, nothing, nothing
    seen = Image(data=encoded(Pillow.fromarray(alpha))).array()
    assert seen[0, 0].tolist() == [200, 0, 0] and seen[1, 1].tolist() == [255, 255, 255]
    assert seen[0, 1].tolist() == [244, 204, 204]  # white * 4/5 + (200, 0, 0) / 5

    palette = Pillow.fromarray(np.array([[0, 1], [2, 1]], np.uint8), "P")
    palette.putpalette([10, 20, 30, 40, 50, 60, 70, 80, 90])
    assert Image(data=encoded(palette)).array()[0, 1].tolist() == [40, 50, 60]
    clear = Image(data=encoded(palette, transparency=1)).array()
    assert clear[0, 1].tolist() == [255] * 3 and clear[1, 0].tolist() == [70, 80, 90]
    partly = Image(data=encoded(palette, transparency=bytes([255, 0, 0]))).array()
    assert partly[1, 0].tolist() == [255] * 3 and partly[0, 0].tolist() == [10, 20, 30]

    grey = Pillow.merge("LA", [Pillow.new("L", (2, 1), 80), Pillow.fromarray(np.array([[255, 0]], np.uint8))])
    assert Image(data=encoded(grey)).array().tolist() == [[[80] * 3, [255] * 3]]
    bits = Pillow.fromarray(np.array([[True, False]]))
    assert Image(data=encoded(bits)).array().tolist() == [[[255] * 3, [0] * 3]]
    key = Image(data=encoded(Pillow.fromarray(np.full((1, 1, 3), 9, np.uint8)), transparency=(9, 9, 9)))
    assert key.array().tolist() == [[[255] * 3]]


@pytest.mark.parametrize("top", [65535, 40000, 200])
def test_sixteen_bits_are_scaled_by_their_depth_not_by_their_content(top):
    values = np.array([[0, top // 2, top]], np.uint16)
    seen = Image(data=encoded(Pillow.fromarray(values))).array()[0, :, 0]
    assert seen.tolist() == np.round(values[0] / 257).astype(int).tolist()


def test_cmyk_and_other_modes():
    cmyk = Pillow.new("CMYK", (16, 16), (0, 255, 255, 0))  # no cyan, all magenta and yellow: red
    red = Image(data=encoded(cmyk, "JPEG", quality=95)).array()
    assert red[8, 8, 0] > 240 and red[8, 8, 1:].max() < 15
    for mode in ("L", "LA", "La", "PA", "RGBA", "RGBa", "RGBX", "YCbCr", "HSV", "I", "F", "1", "P"):
        source = Pillow.fromarray(NOISE)
        source = source.convert("LA").convert(mode) if mode == "La" else source.convert("RGBA").convert(mode) \
            if mode == "RGBa" else source.convert("P").convert(mode) if mode == "PA" else source.convert(mode)
        out = module.rgb(source)
        assert out.mode == "RGB" and out.size == (21, 13)
        assert np.abs(np.asarray(out, int).mean() - NOISE.mean()) < 25, mode


def test_limits(tmp_path, monkeypatch):
    data = encoded(Pillow.new("RGB", (40, 30)))
    path = tmp_path / "a.png"
    path.write_bytes(data)
    monkeypatch.setattr(module, "MAX_PIXELS", 1199)
    for ask in (lambda: Image(path).size, lambda: Image(data=data).pillow()):
        with pytest.raises(ImageError, match="too many pixels: got 40 x 30, expected at most 1199"):
            ask()
    monkeypatch.setattr(module, "MAX_BYTES", 10)
    with pytest.raises(ImageError, match="too large"):
        _ = Image(path).size


def test_a_bomb_is_refused_before_it_is_decoded():
    data = encoded(Pillow.fromarray(NOISE))
    for side in (9000, 60000):
        header = b"IHDR" + struct.pack(">II", side, side) + data[24:29]
        bomb = Image(data=data[:12] + header + struct.pack(">I", zlib.crc32(header)) + data[33:])
        for ask in (bomb.pillow, lambda bomb=bomb: bomb.size):
            with pytest.raises(ImageError, match="too many pixels"), warnings.catch_warnings():
                warnings.simplefilter("ignore")
                ask()


@pytest.mark.parametrize("data", [b"", b"hello", b"\xff\xd8\xff", b"\x89PNG\r\n\x1a\n", b"GIF89a", b"<svg/>",
                                  b"\0" * 99])
def test_what_is_no_picture_is_an_image_error(tmp_path, data):
    path = tmp_path / "name.jpg"
    path.write_bytes(data)
    for image in (Image(path), Image(data=data)):
        with pytest.raises(ImageError):
            image.pillow()
        with pytest.raises(ImageError) as error:
            _ = image.size
        assert image.name in str(error.value)


def test_missing_folder_and_wrong_kinds(tmp_path):
    with pytest.raises(ImageError, match="does not exist.*--root"):
        Image(tmp_path / "none.jpg").pillow()
    with pytest.raises(ImageError, match="a picture is a file: got a folder"):
        Image(tmp_path).pillow()
    for make in (lambda: Image(), lambda: Image(path="a", data=b"b"), lambda: Image.of(3)):
        with pytest.raises(ImageError):
            make()


def test_a_truncated_photo_is_corrupt_and_says_so():
    data = encoded(Pillow.fromarray(NOISE).resize((200, 200)), "JPEG")
    image = Image(data=data[:len(data) // 2])
    assert image.size == (200, 200)  # the header is whole
    with pytest.raises(ImageError, match="corrupt.*fetch the file again"):
        image.pillow()


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "GIF", "BMP", "TIFF"])
def test_damaged_bytes_decode_or_are_an_image_error_and_sizes_agree(kind):
    rng = random.Random(kind)
    whole = encoded(Pillow.fromarray(NOISE), kind, 6 if kind in ("JPEG", "PNG", "WEBP", "TIFF") else 0)
    decoded = 0
    for _ in range(150):
        data = bytearray(whole)
        for _ in range(rng.choice([1, 2, 5])):
            data[rng.randrange(min(len(data), rng.choice([60, 200, 10**6])))] = rng.randrange(256)
        image = Image(data=bytes(data[:rng.choice([len(data)] * 4 + [rng.randrange(len(data))])]))
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            try:
                size, picture = image.size, image.pillow()
            except ImageError:
                continue
        assert picture.mode == "RGB" and picture.size == size
        decoded += 1
    assert decoded


def test_sources_and_hash(tmp_path):
    path = tmp_path / "a.png"
    Pillow.fromarray(NOISE).save(path)
    images = [Image.of(path), Image.of(str(path)), Image.of(path.read_bytes()), Image.of(NOISE),
              Image.of(Pillow.fromarray(NOISE)), Image.of(Image(path))]
    assert all((i.array() == NOISE).all() and i.size == (21, 13) for i in images)
    assert images[0].content_hash == images[2].content_hash and len(images[0].content_hash) == 16
    assert Image(path) == Image(str(path)) and hash(Image(path)) == hash(Image(path))


def test_real_photos_have_the_size_their_header_says(shared_data):
    for path in sorted((shared_data / "coco_photos/images/val2017").iterdir())[:5]:
        image = Image(path)
        assert image.size == image.pillow().size == image.array().shape[1::-1]


def test_what_is_no_picture_is_said(tmp_path):
    with pytest.raises(ImageError, match="float64 .3, 4, 3., expected uint8"):
        Image.of(np.zeros((3, 4, 3)))
    with pytest.raises(ImageError, match="fetch it and give the file"):
        Image.of("https://example.com/a.jpg").pillow()
