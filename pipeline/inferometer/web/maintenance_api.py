"""Maintenance windows and deploy hooks over HTTP."""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING

from aiohttp import web

from inferometer.core.alerts.maintenance import ending, stored
from inferometer.core.alerts.mute_json import maintenance_answer, maintenance_from
from inferometer.web.requests import json_body

if TYPE_CHECKING:
    from collections.abc import Callable

    from inferometer.alert_ports import SilenceStore
    from inferometer.core.alerts.maintenance import Maintenance


class MaintenanceApi:
    """The routes of maintenance windows; with `ttl` in its body a POST is a deploy hook."""

    def __init__(self, *, store: SilenceStore, now_us: Callable[[], int]) -> None:
        self._store = store
        self._now_us = now_us

    def routes(self) -> list[web.RouteDef]:
        """Return the routes, without a prefix."""
        return [
            web.get("/maintenance", self._list),
            web.post("/maintenance", self._set),
            web.get("/maintenance/{id}", self._show),
            web.delete("/maintenance/{id}", self._end),
        ]

    async def _list(self, _: web.Request) -> web.Response:
        now_us = self._now_us()
        found = sorted(self._store.book().windows(), key=lambda each: (-each.starts_at_us, each.id))
        return web.json_response([maintenance_answer(each, now_us) for each in found])

    async def _set(self, request: web.Request) -> web.Response:
        """Make a window, or change the one whose id is given; an id of the caller makes it too.

        So a deploy hook that is sent again, with an id of its own, makes one window.
        """
        now_us = self._now_us()
        wanted = maintenance_from(await json_body(request), now_us=now_us, new_id=str(uuid.uuid4()))
        window = stored(wanted, self._store.book().window(wanted.id), now_us)
        await self._store.put([window])
        return web.json_response(maintenance_answer(window, now_us))

    async def _show(self, request: web.Request) -> web.Response:
        return web.json_response(maintenance_answer(self._found(request), self._now_us()))

    async def _end(self, request: web.Request) -> web.Response:
        ended = ending(self._found(request), self._now_us())
        if ended is not None:
            await self._store.put([ended])
        return web.Response()

    def _found(self, request: web.Request) -> Maintenance:
        window_id = request.match_info["id"]
        found = self._store.book().window(window_id)
        if found is None:
            raise web.HTTPNotFound(text=f'"maintenance {window_id[:64]} not found"')
        return found
