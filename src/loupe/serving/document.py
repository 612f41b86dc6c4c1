"""The OpenAPI document: what FastAPI finds, with the errors and events as they really are."""

from __future__ import annotations

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi

from loupe.serving.schemas import Chunk

FOREIGN = ("HTTPValidationError", "ValidationError")  # FastAPI's own errors: here they are a Failure with status 400
REF = "#/components/schemas/{model}"


def document(app: FastAPI) -> dict:
    """Made once."""
    if app.openapi_schema is None:
        made = get_openapi(title=app.title, version=app.version, description=app.description, routes=app.routes)
        for path in made["paths"].values():
            for operation in path.values():
                operation["responses"].pop("422", None)
        known = made["components"]["schemas"]
        for name in FOREIGN:
            known.pop(name, None)
        chunk = Chunk.model_json_schema(ref_template=REF, mode="serialization")
        for name, schema in (chunk.pop("$defs", {}) | {"Chunk": chunk}).items():
            known.setdefault(name, schema)
        made["components"]["securitySchemes"] = {"key": {"type": "http", "scheme": "bearer"}}
        app.openapi_schema = made
    return app.openapi_schema
