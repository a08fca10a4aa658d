"""Silences over HTTP, as Alertmanager's API v2 has them; `amtool silence` talks to it."""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING, Any

from aiohttp import web

from inferometer.core.alerts.mute_json import silence_answer, silence_from
from inferometer.core.alerts.silences import SilenceState, changes, ending
from inferometer.web.requests import filters, json_body

if TYPE_CHECKING:
    from collections.abc import Callable

    from inferometer.alert_ports import SilenceStore
    from inferometer.core.alerts.matchers import Matcher
    from inferometer.core.alerts.silences import Silence

_STATE_ORDER = (SilenceState.ACTIVE, SilenceState.PENDING, SilenceState.EXPIRED)


class SilencesApi:
    """The routes of silences."""

    def __init__(self, *, store: SilenceStore, now_us: Callable[[], int]) -> None:
        self._store = store
        self._now_us = now_us

    def routes(self) -> list[web.RouteDef]:
        """Return the routes, without a prefix."""
        return [
            web.get("/api/v2/silences", self._list),
            web.post("/api/v2/silences", self._set),
            web.get("/api/v2/silence/{id}", self._show),
            web.delete("/api/v2/silence/{id}", self._expire),
        ]

    async def _list(self, request: web.Request) -> web.Response:
        now_us, wanted = self._now_us(), filters(request)
        found = [each for each in self._store.book().silences() if _is_selected(each, wanted)]
        found.sort(key=lambda each: _order(each, now_us))
        return web.json_response([silence_answer(each, now_us) for each in found])

    async def _set(self, request: web.Request) -> web.Response:
        now_us = self._now_us()
        wanted = silence_from(await json_body(request), now_us=now_us)
        before = self._found(wanted.id) if wanted.id else None
        versions = changes(wanted, before, now_us=now_us, new_id=str(uuid.uuid4()))
        await self._store.put(versions)
        return web.json_response({"silenceID": versions[-1].id})

    async def _show(self, request: web.Request) -> web.Response:
        found = self._found(request.match_info["id"])
        return web.json_response(silence_answer(found, self._now_us()))

    async def _expire(self, request: web.Request) -> web.Response:
        # One that has expired is no error: who did not hear the first answer asks again.
        ended = ending(self._found(request.match_info["id"]), self._now_us())
        if ended is not None:
            await self._store.put([ended])
        return web.Response()

    def _found(self, silence_id: str) -> Silence:
        found = self._store.book().silence(silence_id)
        if found is None:
            raise web.HTTPNotFound(text=f'"silence {silence_id[:64]} not found"')
        return found


def _is_selected(silence: Silence, wanted: tuple[Matcher, ...]) -> bool:
    """Whether a silence has each matcher of the filter, sign and all; so Alertmanager selects."""
    return set(wanted) <= set(silence.matchers)


def _order(silence: Silence, now_us: int) -> tuple[Any, ...]:
    """Active first, the soonest to end on top; then pending by start; then expired, newest first."""
    state = silence.state(now_us)
    instant = {
        SilenceState.ACTIVE: silence.ends_at_us,
        SilenceState.PENDING: silence.starts_at_us,
        SilenceState.EXPIRED: -silence.ends_at_us,
    }[state]
    return _STATE_ORDER.index(state), instant, silence.id
