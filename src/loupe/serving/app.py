"""The web application: the API, the page, and what machines ask for."""

from __future__ import annotations

from contextlib import asynccontextmanager
from functools import partial
from importlib.resources import files
from pathlib import Path

from fastapi import APIRouter, FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.middleware.cors import CORSMiddleware
from fastapi.responses import FileResponse, HTMLResponse, JSONResponse
from fastapi.staticfiles import StaticFiles
from starlette.exceptions import HTTPException

from loupe.errors import LoupeError
from loupe.origin import version
from loupe.serving import chatting, looking
from loupe.serving.document import document
from loupe.serving.faults import Refused, fault
from loupe.serving.figures import Figures
from loupe.serving.guard import Guard
from loupe.serving.host import Host
from loupe.serving.samples import samples
from loupe.serving.schemas import Failure, Health, ModelList, SamplePicture

FAULTS = {400: "what is asked makes no sense", 401: "no API key, or a wrong one", 403: "another site's page",
          404: "no such picture or model", 413: "too large", 415: "no picture", 429: "too many are waiting",
          501: "the model cannot do this", 503: "the server is stopping", 504: "it took too long"}
NO_PAGE = ("<!doctype html><title>loupe</title><p>This installation of loupe has no page. The API is at /v1, "
           "its description at <a href=/openapi.json>/openapi.json</a>.")
router = APIRouter()


def create(host: Host) -> FastAPI:
    """The application around a host, which it stops when it ends."""

    @asynccontextmanager
    async def lifespan(app: FastAPI):
        yield
        host.stop()

    responses = {status: {"model": Failure, "description": text} for status, text in FAULTS.items()}
    app = FastAPI(title="loupe", description="Questions about pictures and regions of them.", version=version("loupe"),
                  docs_url=None, redoc_url=None, lifespan=lifespan)
    app.state.host, app.state.figures = host, Figures(host)
    for each in (chatting.router, looking.router):
        app.include_router(each, responses=responses)
    app.include_router(router)
    app.mount("/ui", StaticFiles(directory=page(), check_dir=False), name="ui")
    app.openapi = partial(document, app)
    app.add_exception_handler(LoupeError, _refused)
    app.add_exception_handler(RequestValidationError, _invalid)
    app.add_exception_handler(HTTPException, _plain)
    if host.settings.origins:
        app.add_middleware(CORSMiddleware, allow_origins=list(host.settings.origins), allow_methods=["GET", "POST"],
                           allow_headers=["Authorization", "Content-Type"])
    app.add_middleware(Guard, settings=host.settings, figures=app.state.figures)
    return app


def page() -> Path:
    """The folder of the page's files."""
    return Path(str(files("loupe").joinpath("serving", "ui")))


@router.get("/", include_in_schema=False)
async def index():
    file = page() / "index.html"
    return FileResponse(file, headers={"Cache-Control": "no-cache"}) if file.is_file() else HTMLResponse(NO_PAGE)


@router.get("/v1/models", response_model=ModelList, tags=["models"], summary="The model and what it can do",
            responses={401: {"model": Failure}})
async def models(request: Request):
    host: Host = request.app.state.host
    return {"data": [{"id": host.name, "created": host.started, "capabilities": list(host.capabilities),
                      "regions": sorted(host.ear.kinds)}]}


@router.get("/health", response_model=Health, tags=["server"], summary="Whether it answers",
            responses={503: {"model": Health}})
async def health(request: Request):
    host: Host = request.app.state.host
    body = {"status": "ok" if host.alive else "stopping", "model": host.name,
            "waiting": sum(len(d.waiting) for d in host.desks.values()),
            "answering": sum(d.answering for d in host.desks.values())}
    return JSONResponse(body, 200 if host.alive else 503)


@router.get("/metrics", tags=["server"], summary="Figures for Prometheus", response_class=Response,
            responses={200: {"content": {"text/plain": {"schema": {"type": "string"}}}}, 401: {"model": Failure}})
def metrics(request: Request):
    return Response(request.app.state.figures.text(), media_type="text/plain; version=0.0.4")


@router.get("/samples", response_model=list[SamplePicture], tags=["samples"], summary="Pictures to try")
def sample_list():
    return [{"name": name, "url": f"/samples/{name}"} for name in samples()]


@router.get("/samples/{name}", tags=["samples"], summary="A sample picture", response_class=Response,
            responses={200: {"content": {"image/jpeg": {}, "image/png": {}}}, 404: {"model": Failure}})
def sample(name: str):
    if name not in samples():
        raise Refused(404, "there is no such sample", got=repr(name[:60]), expected="a name of GET /samples")
    data = samples()[name]
    kind = "image/png" if data.startswith(b"\x89PNG") else "image/jpeg"
    return Response(data, media_type=kind, headers={"Cache-Control": "max-age=3600"})


async def _refused(request: Request, error: LoupeError) -> JSONResponse:
    refused = Refused.of(error)
    return JSONResponse(refused.body, refused.status, headers=refused.headers)


async def _invalid(request: Request, error: RequestValidationError) -> JSONResponse:
    """The first complaint, with the path of its field; what was sent is not repeated."""
    first = error.errors()[0]
    where = ".".join(str(step) for step in first["loc"] if step != "body")
    text = f"{where}: {first['msg']}" if where else first["msg"]
    return JSONResponse(fault(400, text[:500], where[:200] or None, "invalid_request"), 400)


async def _plain(request: Request, error: HTTPException) -> JSONResponse:
    return JSONResponse(fault(error.status_code, str(error.detail)), error.status_code, headers=error.headers)
