"""Pictures in and out, and questions about one region or one phrase."""

from __future__ import annotations

import base64
import io
from dataclasses import replace

import anyio
import numpy as np
from fastapi import APIRouter, File, Request, Response, UploadFile
from PIL import Image as Pillow

from loupe.image import downsampled
from loupe.models.askable import denied
from loupe.regions import Region
from loupe.sample import Answer
from loupe.serving import places, wording
from loupe.serving.desk import Wish
from loupe.serving.faults import Refused
from loupe.serving.host import Host
from loupe.serving.pictures import Picture
from loupe.serving.schemas import (
    AskRequest,
    Described,
    DescribeRequest,
    Located,
    LocateRequest,
    Pixels,
    PixelsRequest,
    Segmented,
    SegmentRequest,
    Uploaded,
)
from loupe.serving.unfolding import problems, told

router = APIRouter()
SHOWN = {200: {"content": {"image/png": {"schema": {"type": "string", "format": "binary"}},
                           "image/jpeg": {"schema": {"type": "string", "format": "binary"}}},
               "description": "the picture, upright"}}


@router.post("/v1/images", response_model=Uploaded, tags=["images"], summary="Upload a picture")
async def upload(request: Request, file: UploadFile = File(description="PNG, JPEG, WebP, GIF or BMP")):  # noqa: B008
    host: Host = request.app.state.host
    data = await file.read()
    kept = await anyio.to_thread.run_sync(host.pictures.add, data, file.content_type or "")
    return {"id": kept.id, "width": kept.width, "height": kept.height}


@router.get("/v1/images/{id}", responses=SHOWN, response_class=Response, tags=["images"],
            summary="An uploaded picture, upright")
async def picture(id: str, request: Request):
    host: Host = request.app.state.host
    data, kind = await anyio.to_thread.run_sync(lambda: host.pictures.shown(host.pictures.get(id)))
    return Response(data, media_type=kind, headers={"Cache-Control": "private, max-age=3600, immutable"})


@router.post("/v1/regions/describe", response_model=Described, tags=["regions"], summary="Words about a region")
async def describe(asked: DescribeRequest, request: Request):
    host, kept, region, notes = await _placed(request, asked, "describe")
    answer, _ = await host.ask(request, wording.describe(kept, region, asked.style), (kept.id,))
    return _described(answer, notes)


@router.post("/v1/regions/ask", response_model=Described, tags=["regions"],
             summary="What a region is called, says, or looks like")
async def ask(asked: AskRequest, request: Request):
    host, kept, region, notes = await _placed(request, asked, "ask")
    answer, _ = await host.ask(request, wording.about(kept, region, asked.about), (kept.id,))
    return _described(answer, notes)


@router.post("/v1/regions/locate", response_model=Located, tags=["regions"], summary="Where a phrase is")
async def locate(asked: LocateRequest, request: Request):
    host, kept = await _picture(request, asked.image, "locate")
    phrase = _phrase(asked.phrase)
    if asked.check and await _absent(host, request, kept, phrase):
        return {"regions": [], "absent": True, "problems": []}
    answer, _ = await host.ask(request, wording.locate(kept, phrase), (kept.id,))
    found = [places.found(replace(f, phrase=f.phrase or phrase), k) for k, f in enumerate(answer.found)]
    return {"regions": found, "absent": not found and not answer.problems, "problems": problems(answer)}


@router.post("/v1/regions/segment", response_model=Segmented, tags=["regions"],
             summary="The pixels of a phrase, or of what is in a region")
async def segment(asked: SegmentRequest, request: Request):
    host, kept = await _picture(request, asked.image, "segment")
    if (asked.phrase is None) == (asked.region is None):
        raise Refused(400, "say a phrase or a region", got="both or neither", param="phrase")
    _within(asked.grid, host.settings.side, "grid")
    within: Region | None = None
    if asked.region is None:
        phrase = _phrase(asked.phrase)
        if asked.check and await _absent(host, request, kept, phrase):
            return {"region": None, "phrase": phrase, "absent": True}
    else:
        region, _ = places.readable(places.region_of(asked.region, [(kept.width, kept.height)]), host.ear.kinds)
        said, _ = await host.ask(request, wording.about(kept, region, "name"), (kept.id,), Wish(32))
        phrase = said.text.strip() or "thing"
        within = region.box if region.box.area else None

    def job():
        look = host.desk.look((kept.image,), (kept.id,))
        return look.likely(phrase, asked.grid, within=within or False, boxed=within is not None, check=False).mask

    mask = await host.sight(request, job)
    region = places.plain(mask) if mask.area else None
    return {"region": region, "phrase": phrase, "absent": region is None}


@router.post("/v1/regions/pixels", response_model=Pixels, tags=["regions"],
             summary="The picture as the model sees it, place by place")
async def pixels(asked: PixelsRequest, request: Request):
    host, kept = await _picture(request, asked.image, "pixels")
    _within(asked.size, host.settings.side, "size")
    seen = await host.sight(request, lambda: host.desk.look((kept.image,), (kept.id,)).pixels(asked.size))
    truth = await anyio.to_thread.run_sync(downsampled, kept.image, asked.size)
    error = float(np.abs(seen.astype(float) - truth).mean() / 2.55)
    return {"size": asked.size, "seen": _png(seen), "picture": _png(truth), "error": round(error, 3)}


async def _picture(request: Request, url: str, capability: str) -> tuple[Host, Picture]:
    host: Host = request.app.state.host
    host.able(capability)
    return host, await anyio.to_thread.run_sync(host.pictures.find, url)


async def _absent(host: Host, request: Request, kept: Picture, phrase: str) -> bool:
    """As `look.there` says."""
    if host.vlm is not None:
        return not await host.sight(request, lambda: host.desk.look((kept.image,), (kept.id,)).there(phrase))
    said, _ = await host.ask(request, wording.present(kept, phrase), (kept.id,))
    return denied(said)


async def _placed(request: Request, asked, capability: str) -> tuple[Host, Picture, Region, list[dict]]:
    host, kept = await _picture(request, asked.image, capability)
    region, note = places.readable(places.region_of(asked.region, [(kept.width, kept.height)]), host.ear.kinds)
    return host, kept, region, [{"kind": "changed", "message": note}] if note else []


def _described(answer: Answer, notes: list[dict]) -> dict:
    content, regions = told(answer.parts)
    return {"content": content, "regions": regions, "problems": notes + problems(answer)}


def _phrase(text: str) -> str:
    if not text.strip():
        raise Refused(400, "the phrase is empty", param="phrase")
    return text.strip()


def _within(value: int, most: int, name: str) -> None:
    if value > most:
        raise Refused(400, f"{name} is too large", got=value, expected=f"at most {most}", param=name)


def _png(pixels: np.ndarray) -> str:
    out = io.BytesIO()
    Pillow.fromarray(pixels).save(out, "PNG")
    return "data:image/png;base64," + base64.b64encode(out.getvalue()).decode()
