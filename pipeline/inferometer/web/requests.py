"""Reads requests of the alerts' HTTP interface: bodies, filters and flags of the query."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import orjson
from aiohttp import web

from inferometer.core.alerts.listing import AlertQuery
from inferometer.core.alerts.matcher_texts import parse_matcher
from inferometer.core.alerts.safe_patterns import danger_of

if TYPE_CHECKING:
    from inferometer.core.alerts.matchers import Matcher

MAX_BODY_BYTES = 256 * 1024
_FLAGS = {"true": True, "1": True, "t": True, "false": False, "0": False, "f": False}


def bad_request(problem: str) -> web.HTTPBadRequest:
    """Return the answer to a request that cannot be understood: a JSON text, as Alertmanager's."""
    return web.HTTPBadRequest(text=orjson.dumps(problem).decode(), content_type="application/json")


async def json_body(request: web.Request) -> Any:
    """Return the body's value. Raises the HTTP error that answers anything else."""
    if request.content_type != "application/json":
        raise web.HTTPUnsupportedMediaType(text="needs Content-Type: application/json")
    try:
        return orjson.loads(await request.read())
    except orjson.JSONDecodeError as error:
        raise bad_request(f"the body is no JSON: {error}") from error


def filters(request: web.Request) -> tuple[Matcher, ...]:
    """Return the matchers of the parameters `filter`. Raises the HTTP error for a wrong one."""
    try:
        matchers = tuple(parse_matcher(text) for text in request.query.getall("filter", []))
    except ValueError as error:
        raise bad_request(f"bad matcher format: {error}") from error
    for matcher in matchers:
        if matcher.is_regex and (danger := danger_of(matcher.value)):
            raise bad_request(danger)
    return matchers


def alert_query(request: web.Request) -> AlertQuery:
    """Return what a request for alerts selects. Raises the HTTP error for a wrong parameter."""
    return AlertQuery(
        matchers=filters(request),
        receiver=_receiver(request.query.get("receiver", "")),
        active=_flag(request, "active"),
        silenced=_flag(request, "silenced"),
        inhibited=_flag(request, "inhibited"),
    )


def _receiver(pattern: str) -> re.Pattern[str] | None:
    if not pattern:
        return None
    if danger := danger_of(pattern):
        raise bad_request(f"failed to parse receiver param: {danger}")
    try:
        return re.compile(pattern)
    except re.error as error:
        raise bad_request(f"failed to parse receiver param: {error}") from error


def _flag(request: web.Request, name: str) -> bool:
    text = request.query.get(name, "true").lower()
    if text not in _FLAGS:
        raise bad_request(f"{name} is {text!r}, must be true or false")
    return _FLAGS[text]
