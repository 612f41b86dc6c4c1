"""Region endpoints give what looks give."""

import base64
import io

import numpy as np
import pytest
from PIL import Image as Pillow

from loupe.regions import Box, Mask, Point, Polygon
from loupe.sample import Answer, Found
from loupe.serving import places, schemas
from loupe.serving.faults import Refused

BOX = {"type": "box", "box": [30, 20, 70, 60]}


def test_locate(client, uploaded, mini, drawn):
    """Whatever the shipped weights find, the server finds; they find some of the things that are drawn."""
    heard = 0
    for image, record in zip(uploaded[:3], drawn):
        phrase = "the " + record.objects[0].names[0]
        said = client.post("/v1/regions/locate", json={"image": image, "phrase": phrase}).json()
        found = mini.look(record.image).locate(phrase)
        assert [r["box"] for r in said["regions"]] == [pytest.approx(f.region.xyxy, abs=1e-3) for f in found]
        assert [r["score"] for r in said["regions"]] == pytest.approx([f.score for f in found], abs=1e-3)
        assert all(r["phrase"] == phrase for r in said["regions"]) and said["absent"] is not bool(found)
        heard += len(found)
    assert heard


def test_describe_and_ask(client, uploaded, mini, drawn):
    look, box = mini.look(drawn[1].image), Box(30, 20, 70, 60)
    said = client.post("/v1/regions/describe", json={"image": uploaded[1], "region": BOX}).json()
    assert said["content"] == look.describe(box).text
    from loupe.tasks import question

    for about, turn in (("name", question("region", kind="name", region=box)),
                        ("colour", question("region", kind="colour", region=box)),
                        ("text", question("reading", kind="read", region=box))):
        said = client.post("/v1/regions/ask", json={"image": uploaded[1], "region": BOX, "about": about}).json()
        assert said["content"] == look.answers([turn])[0].text


def test_check_believes_a_sure_no_only(client, uploaded, mini, drawn):
    """As `look.there` does, for places and for masks."""
    said = {}
    for image, record in zip(uploaded[:3], drawn):
        look = mini.look(record.image)
        for phrase in ("the " + record.objects[0].names[0], "a zebra", "the black moon", "the heart", "a red ring"):
            told = client.post("/v1/regions/locate", json={"image": image, "phrase": phrase, "check": True}).json()
            there = said.setdefault(look.there(phrase), (image, phrase))
            assert told["absent"] is (not look.there(phrase) or not look.locate(phrase)), there
    image, phrase = said[False]  # something is denied
    body = {"image": image, "phrase": phrase, "grid": 4, "check": True}
    told = client.post("/v1/regions/segment", json=body).json()
    assert told == {"region": None, "phrase": phrase, "absent": True}


def test_segment_and_pixels(client, uploaded, mini, drawn):
    look = mini.look(drawn[0].image)
    said = client.post("/v1/regions/segment", json={"image": uploaded[0], "phrase": "the circle", "grid": 6}).json()
    mask = look.segment("the circle", 6, check=False)
    assert said["absent"] is not bool(mask.area)
    if mask.area:
        assert Mask.from_rle(said["region"]["mask"]) == mask
    inside = client.post("/v1/regions/segment", json={"image": uploaded[0], "region": BOX, "grid": 6}).json()
    if inside["region"]:
        outside = Mask.from_rle(inside["region"]["mask"]).array().copy()
        outside[16:64, 16:80] = False  # places of 16 pixels whose centre lies in the box
        assert not outside.any()
    said = client.post("/v1/regions/pixels", json={"image": uploaded[0], "size": 6}).json()
    seen = np.asarray(Pillow.open(io.BytesIO(base64.b64decode(said["seen"].split(",")[1]))))
    assert seen.shape == (6, 6, 3) and np.abs(seen.astype(int) - look.pixels(6)).max() <= 3
    too_fine = client.post("/v1/regions/pixels", json={"image": uploaded[0], "size": 65})
    assert too_fine.status_code == 400 and "64" in too_fine.json()["error"]["message"]


def test_a_mask_is_given_as_its_outline(client, uploaded):
    array = np.zeros((96, 96), bool)
    array[20:60, 30:70] = True
    region = places.plain(Mask.from_array(array))
    said = client.post("/v1/regions/describe", json={"image": uploaded[0], "region": region}).json()
    assert said["content"] and "outline" in said["problems"][0]["message"]


def test_regions_there_and_back():
    array = np.zeros((40, 50), bool)
    array[3:9, 5:20] = array[30, 30] = True
    for region in (Point(3.5, 4, 1), Box(1, 2, 30, 40), Polygon(((1, 2), (30, 4), (5, 40))), Mask.from_array(array)):
        plain = places.plain(region)
        made = {"point": schemas.PointRegion, "box": schemas.BoxRegion, "polygon": schemas.PolygonRegion,
                "mask": schemas.MaskRegion}[plain["type"]](**plain)
        assert places.region_of(made, [(50, 40), (50, 40)]) == region


def test_what_a_model_cannot_read_becomes_what_it_can():
    ring = Polygon(((1, 2), (30, 4), (5, 40)))
    assert places.readable(ring, frozenset({"box", "polygon"})) == (ring, None)
    assert places.readable(ring, frozenset({"box"}))[0] == Box(1, 2, 30, 40)
    assert places.readable(Box(0, 0, 10, 20), frozenset({"point"}))[0] == Point(5, 10)


class Endpoint:
    """A predictor that knows words and boxes only."""

    name, capabilities = "endpoint", ("ask", "locate", "describe")

    def answer(self, samples):
        for sample in samples:
            question = "".join(p if isinstance(p, str) else f"<{p.regions[0]}>" for p in sample.turns[0].parts)
            yield Answer((f"heard {question} ", Found(Box(1, 2, 3, 4), None, "it")), raw="heard")


def test_a_model_behind_an_endpoint(running, drawn):
    from loupe.serving import application

    with running(application(Endpoint())).client() as caller:
        kept = caller.post("/v1/images", files={"file": ("a", drawn[0].image.bytes(), "application/octet-stream")})
        image = "loupe:" + kept.json()["id"]
        card = caller.get("/v1/models").json()["data"][0]
        assert set(card["capabilities"]) == {"chat", "describe", "locate", "ask"}
        for path, more in (("segment", {"phrase": "a"}), ("pixels", {})):
            reply = caller.post(f"/v1/regions/{path}", json={"image": image, **more})
            assert reply.status_code == 501 and "cannot" in reply.json()["error"]["message"]
        messages = [{"role": "system", "content": "Be brief."},
                    {"role": "user", "content": [{"type": "image_url", "image_url": {"url": image}},
                                                 {"type": "text", "text": "What is"},
                                                 {"type": "point", "point": [5, 6]}]}]
        said = caller.post("/v1/chat/completions", json={"messages": messages}).json()
        message = said["choices"][0]["message"]
        assert message["content"].startswith("heard Be brief.\n\nWhat is") and "Box(" in message["content"]
        assert message["regions"][0]["box"] == [1, 2, 3, 4] and said["usage"] is None
        assert "centre" in message["problems"][0]["message"] or "box" in message["problems"][0]["message"]
        with caller.stream("POST", "/v1/chat/completions", json={"messages": messages, "stream": True}) as reply:
            lines = [line for line in reply.iter_lines() if line]
        assert lines[-1] == "data: [DONE]" and sum("heard" in line for line in lines) == 1


def test_hostile_masks_cost_nothing():
    given = schemas.MaskRegion(type="mask", mask={"size": [40, 50], "counts": "o" * 100_000 + "0"})
    with pytest.raises(Refused, match="run lengths"):
        places.region_of(given, [(50, 40)])
