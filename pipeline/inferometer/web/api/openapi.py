"""The OpenAPI document: what FastAPI knows of the routes, with the schemas of every document."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from fastapi.openapi.utils import get_openapi
from pydantic.json_schema import models_json_schema

from inferometer.web.api import (
    alert_documents,
    callers,
    live_documents,
    log_documents,
    metric_documents,
    pipeline_documents,
)
from inferometer.web.api.alert_documents import OpenDocument
from inferometer.web.api.documents import Document
from inferometer.web.api.problems import ProblemDocument

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import ModuleType

    from fastapi import FastAPI
    from pydantic import BaseModel

VERSION = "1"
"""Of the interface, not of the program: it changes when a client would have to."""
_DESCRIPTION = (
    "Everything that Inferometer stores, one question away. Every answer about a span says how fresh "
    "and how whole it is. Errors are problem documents (RFC 9457) that name each parameter that "
    "cannot be used, and the remedy. Unknown parameters are refused."
)
_SECURITY_SCHEMES = {
    "token": {"type": "http", "scheme": "bearer", "description": "A token `imt_<id>_<secret>`."},
    "session": {
        "type": "apiKey",
        "in": "cookie",
        "name": "inferometer_session",
        "description": "A session of the console, by `POST /session`; without a public address the "
        "name ends with `_<port>`. Writes also need `X-Inferometer: console` and the same origin.",
    },
}
_MODULES = (
    alert_documents,
    callers,
    live_documents,
    log_documents,
    metric_documents,
    pipeline_documents,
)


def openapi_document(app: FastAPI) -> dict[str, Any]:
    """Return the document of an app."""
    document = get_openapi(
        title="Inferometer query API",
        version=VERSION,
        openapi_version="3.1.0",
        description=_DESCRIPTION,
        license_info={"name": "Apache-2.0", "identifier": "Apache-2.0"},
        routes=app.routes,
    )
    components = document.setdefault("components", {})
    components["schemas"] = dict(sorted(_schemas().items()))
    components["securitySchemes"] = _SECURITY_SCHEMES
    return document


def _schemas() -> dict[str, Any]:
    models = [(model, "serialization") for model in _models()]
    _, found = models_json_schema(models, ref_template="#/components/schemas/{model}")  # type: ignore[arg-type]
    schemas: dict[str, Any] = found["$defs"]
    return schemas


def _models() -> Iterator[type[BaseModel]]:
    yield ProblemDocument
    for module in _MODULES:
        yield from _of(module)


def _of(module: ModuleType) -> Iterator[type[BaseModel]]:
    for found in vars(module).values():
        if isinstance(found, type) and issubclass(found, Document | OpenDocument):
            yield found
