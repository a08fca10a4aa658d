"""Levels that a person takes for the new normal of a learnt band, over HTTP."""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING

from aiohttp import web

from inferometer.core.alerts.mute_book import mute_labels
from inferometer.core.alerts.mute_json import acceptance_from, acceptance_to
from inferometer.core.slo.subject_definitions import BAND_RULE
from inferometer.web.requests import json_body

if TYPE_CHECKING:
    from collections.abc import Callable

    from inferometer.alert_ports import AlertsView, SilenceStore


class AcceptancesApi:
    """The routes of accepted levels."""

    def __init__(self, *, store: SilenceStore, view: AlertsView, now_us: Callable[[], int]) -> None:
        self._store = store
        self._view = view
        self._now_us = now_us

    def routes(self) -> list[web.RouteDef]:
        """Return the routes, without a prefix."""
        return [
            web.get("/acceptances", self._list),
            web.post("/acceptances", self._add),
        ]

    async def _list(self, _: web.Request) -> web.Response:
        found = sorted(self._store.book().acceptances(), key=lambda each: -each.updated_at_us)
        return web.json_response([acceptance_to(each) for each in found])

    async def _add(self, request: web.Request) -> web.Response:
        """Store one; the answer lists the labels of the alerts that it is about now."""
        wanted = acceptance_from(
            await json_body(request), now_us=self._now_us(), new_id=str(uuid.uuid4())
        )
        wanted.check()
        await self._store.put([wanted])
        about = [
            dict(alert.labels)
            for alert in self._view.alerts()
            if BAND_RULE in alert.labels.get("rule", "").split("+")
            and wanted.applies(mute_labels(alert.labels))
        ]
        return web.json_response({**acceptance_to(wanted), "alerts": about})
