"""In which form an answer is sent: what a client accepts, media types, names of files."""

from __future__ import annotations

import enum
import re
from typing import TYPE_CHECKING

from inferometer.web.api.parameters import Choice
from inferometer.web.api.problems import NotAcceptableError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from datetime import datetime

    from starlette.requests import Request

    from inferometer.web.api.parameters import Asked


class Format(enum.StrEnum):
    """The forms of an answer."""

    JSON = "json"
    CSV = "csv"
    JSONL = "jsonl"
    PARQUET = "parquet"


class JsonOnly(enum.StrEnum):
    """The form of answers that are no table."""

    JSON = "json"


MEDIA_TYPES = {
    Format.JSON: "application/json",
    Format.CSV: "text/csv",
    Format.JSONL: "application/x-ndjson",
    Format.PARQUET: "application/vnd.apache.parquet",
}
_ALSO = {
    "application/jsonl": Format.JSONL,
    "application/ndjson": Format.JSONL,
    "application/x-jsonlines": Format.JSONL,
    "application/x-parquet": Format.PARQUET,
}
_BY_MEDIA_TYPE = {name: form for form, name in MEDIA_TYPES.items()} | _ALSO
_QUALITY = re.compile(r"q=([01](?:\.[0-9]{0,3})?)")

FORMAT = Choice("format", "The form of the answer; by default what `Accept` asks for.", Format.JSON)
FORMAT_JSON = Choice("format", "The form of the answer.", JsonOnly.JSON)
ALL_FORMATS = tuple(Format)
CSV_TEXTS = (
    "in CSV a text that a spreadsheet would run as a formula (it begins with =, +, -, @, a tab or a "
    "return) has an apostrophe in front"
)


def chosen_format(request: Request, asked: Asked) -> Format:
    """Return the form of a table: `format` where it is given, else what the client likes most.

    Raises NotAcceptableError.
    """
    if asked.is_given(FORMAT):
        return asked[FORMAT]
    return accepted(request.headers.get("Accept", ""), ALL_FORMATS)


def check_json(request: Request, asked: Asked) -> None:
    """Raise NotAcceptableError where a client takes no JSON; note a problem for another format."""
    if asked.is_given(FORMAT_JSON):
        _ = asked[FORMAT_JSON]
        return
    accepted(request.headers.get("Accept", ""), (Format.JSON,))


def check_events(request: Request) -> None:
    """Raise NotAcceptableError where a client takes no stream of events."""
    header = request.headers.get("Accept", "").lower()
    takes = {name for name, quality in _ranges(header) if quality > 0}
    if header.strip() and not takes & {"text/event-stream", "text/*", "*/*"}:
        raise NotAcceptableError("this page answers text/event-stream only; accept that")


def accepted(header: str, forms: Iterable[Format]) -> Format:
    """Return the form that a header `Accept` likes most, the first of equals."""
    offered = tuple(forms)
    if not header.strip():
        return offered[0]
    ranked = sorted(_ranges(header), key=lambda each: -each[1])
    refused = {_BY_MEDIA_TYPE.get(name) for name, quality in ranked if quality == 0}
    for name, quality in ranked:
        if quality == 0:
            break
        for form in offered:
            if form not in refused and _meets(name, form):
                return form
    names = ", ".join(MEDIA_TYPES[form] for form in offered)
    raise NotAcceptableError(f"this page answers {names} only; accept one of them")


def _ranges(header: str) -> Iterator[tuple[str, float]]:
    for part in header.split(","):
        name, *parameters = (piece.strip().lower() for piece in part.split(";"))
        quality = 1.0
        for parameter in parameters:
            found = _QUALITY.fullmatch(parameter)
            if found:
                quality = float(found[1])
        yield name, quality


def _meets(name: str, form: Format) -> bool:
    if name == "*/*":
        return True
    kind, _, exact = name.partition("/")
    if exact == "*":
        return MEDIA_TYPES[form].startswith(f"{kind}/")
    return _BY_MEDIA_TYPE.get(name) is form


def takes_gzip(header: str) -> bool:
    """Return whether a header `Accept-Encoding` takes gzip."""
    return any(name in {"gzip", "*"} and quality > 0 for name, quality in _ranges(header))


def file_headers(name: str, form: Format, at: datetime) -> dict[str, str]:
    """Return the header that names the file that a browser stores."""
    file = f"{name}-{at:%Y%m%dT%H%M%SZ}.{form}"
    return {"Content-Disposition": f'attachment; filename="{file}"'}
