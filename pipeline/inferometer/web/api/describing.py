"""Describes a page for the OpenAPI document: parameters, answers, problems, who may ask."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from inferometer.web.api.formats import FORMAT, FORMAT_JSON, MEDIA_TYPES, Format
from inferometer.web.api.problems import MEDIA_TYPE, ProblemDocument
from inferometer.web.identity.roles import Role

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from pydantic import BaseModel

    from inferometer.web.api.parameters import Parameter

BASE = "/api/v1"
EVENT_STREAM = "text/event-stream"
SECURITY: list[dict[str, list[str]]] = [{"token": []}, {"session": []}]
_RETRY = {
    "Retry-After": {
        "description": "seconds to wait before asking again",
        "schema": {"type": "integer", "minimum": 0},
    }
}
_FILE_HEADERS = {
    name: {"description": text, "schema": schema}
    for name, text, schema in (
        (
            "X-Row-Limit",
            "Of a file of measures or of the log: how many rows it may have. A longer one fails; none "
            "ends quietly.",
            {"type": "integer"},
        ),
        (
            "X-Row-Count",
            "Of a file, but not of measures: how many rows it has.",
            {"type": "integer"},
        ),
        ("X-Is-Truncated", "Of a file of the log: whether there are more.", {"type": "boolean"}),
        (
            "X-Is-Whole",
            "Of a file about a span, but not of the log or of bills: whether all of it is kept.",
            {"type": "boolean"},
        ),
        ("X-Relation", "Of a file of measures: the table that it is from.", {"type": "string"}),
    )
}
_PROBLEMS = {
    400: "A parameter cannot be used, or the question costs too much; `problems` says which and why.",
    401: "No token, or one that is unknown or has expired.",
    403: "The token's role or workspace does not allow it.",
    404: "Nothing has this id.",
    406: "The client accepts no form that the page has.",
    413: "The body is too large.",
    415: "The body is not JSON.",
    429: "Too many requests by this token.",
    500: "Something failed that should not.",
    503: "The store is away, or too many questions wait.",
}


def reference(model: type[BaseModel]) -> dict[str, str]:
    """Return the reference to a document's schema."""
    return {"$ref": f"#/components/schemas/{model.__name__}"}


def page(
    model: type[BaseModel] | None,
    text: str,
    parameters: Sequence[Parameter[Any]] = (),
    *,
    status: int = 200,
    role: Role = Role.VIEWER,
    body: type[BaseModel] | None = None,
    path: Mapping[str, str] | None = None,
    is_open: bool = False,
) -> dict[str, Any]:
    """Return what a route's decorator takes to describe it.

    `path` holds the meaning of each part of the path that varies; `is_open` needs no token.
    """
    said: dict[str, Any] = {
        "parameters": [
            *(_path_parameter(name, meaning) for name, meaning in (path or {}).items()),
            *(parameter.described() for parameter in _with_format(parameters, model)),
        ],
    }
    if not is_open:
        said["security"] = SECURITY
    if body is not None:
        content = {"application/json": {"schema": reference(body)}}
        said["requestBody"] = {"required": True, "content": content}
    needs = "" if role is Role.VIEWER else f" Needs the role {role}."
    return {
        "status_code": status,
        "response_model": None,
        "description": f"{text}{needs}",
        "responses": {
            status: _answer(model, FORMAT in parameters),
            **_problems(has_path=bool(path), has_body=body is not None),
        },
        "openapi_extra": said,
    }


def _with_format(
    parameters: Sequence[Parameter[Any]], model: type[BaseModel] | None
) -> Sequence[Parameter[Any]]:
    if model is None or FORMAT in parameters:
        return parameters
    return (*parameters, FORMAT_JSON)


def _path_parameter(name: str, meaning: str) -> dict[str, Any]:
    return {
        "name": name,
        "in": "path",
        "required": True,
        "description": meaning,
        "schema": {"type": "string", "minLength": 1, "maxLength": 512},
    }


def _answer(model: type[BaseModel] | None, is_table: bool) -> dict[str, Any]:
    if model is None:
        return {"description": "Done; the answer has no body."}
    content: dict[str, Any] = {"application/json": {"schema": reference(model)}}
    if is_table:
        content |= {
            MEDIA_TYPES[Format.CSV]: {"schema": {"type": "string"}},
            MEDIA_TYPES[Format.JSONL]: {"schema": {"type": "string"}},
            # What a file holds is described by itself.
            MEDIA_TYPES[Format.PARQUET]: {},
        }
    said: dict[str, Any] = {
        "description": first_sentence(model.__doc__ or ""),
        "content": content,
    }
    return {**said, "headers": _FILE_HEADERS} if is_table else said


def stream_answer(text: str) -> dict[str, Any]:
    """Return the description of a stream of events."""
    return {"description": text, "content": {EVENT_STREAM: {"schema": {"type": "string"}}}}


def _problems(*, has_path: bool, has_body: bool) -> dict[int, dict[str, Any]]:
    left_out = {
        *(() if has_path else (404,)),
        *(() if has_body else (413, 415)),
    }
    return {
        status: {
            "description": text,
            "content": {MEDIA_TYPE: {"schema": reference(ProblemDocument)}},
            **({"headers": _RETRY} if status in {429, 503} else {}),
        }
        for status, text in _PROBLEMS.items()
        if status not in left_out
    }


def first_sentence(text: str) -> str:
    """Return a docstring's first sentence."""
    return re.split(r"(?<=\.)\s", " ".join(text.split()), maxsplit=1)[0]
