"""The seeded service with its alerts, whose last minutes arrive while somebody looks."""

from __future__ import annotations

import contextlib
import time
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from inferometer.clickhouse.alert_history import ClickHouseAlertHistory
from inferometer.clickhouse.connect import StoreConnection
from inferometer.clickhouse.settings import StoreSettings
from inferometer.config import WebConfig
from inferometer.runtime.web_server import WebServer
from tests.browser.data_set import HOUR_US, MINUTE_US, make_data_set
from tests.browser.fleet_alerts import FleetAlerts, mutes_of
from tests.browser.serving import last_minute_us, seeded_world

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.browser.data_set import Sent
    from tests.browser.serving import World

GOES_ON_US = 7 * MINUTE_US
"""For so long after the start records arrive; the pictures take less."""
JUDGED_US = 22 * HOUR_US
"""Since when the fleet has had objectives: from before its outage on."""


@dataclass(slots=True)
class LivingFleet:
    """A served world, and what has yet to arrive in it."""

    world: World
    alerts: FleetAlerts
    to_come: list[Sent]

    def catch_up(self) -> None:
        """Store and judge what has arrived since the last call."""
        arrived, self.to_come = _divided(self.to_come, _now_us())
        if not arrived:
            return
        self.world.receive(arrived)
        self.alerts.take(arrived)
        with StoreConnection(StoreSettings(url=self.world.store_url)) as connection:
            _keep(self.alerts, connection)


@contextlib.contextmanager
def living_fleet(folder: Path) -> Iterator[LivingFleet]:
    """Fill a store with what has arrived by now, judge it, and serve both."""
    whole = make_data_set(last_minute_us() + GOES_ON_US)
    arrived, to_come = _divided(whole.sent, _now_us())
    with seeded_world(folder, data_set=replace(whole, sent=arrived)) as world:
        begin_us = whole.end_us - JUDGED_US
        # As many as the browser asks for; nobody else is there.
        area = WebConfig(port=0, tokens_file=folder / "tokens.json", requests_per_s=10_000)
        with (
            FleetAlerts(world.book, begin_us, mutes_of(whole)) as alerts,
            StoreConnection(StoreSettings(url=world.store_url)) as connection,
            WebServer(connection, area, alerts=alerts.sources()) as web,
        ):
            alerts.take([one for one in arrived if one.arrival_us >= begin_us])
            _keep(alerts, connection)
            yield LivingFleet(replace(world, url=web.url), alerts, to_come)


def _keep(alerts: FleetAlerts, connection: StoreConnection) -> None:
    history, token = ClickHouseAlertHistory(connection), str(_now_us())
    transitions, attempts = alerts.told()
    if transitions:
        history.keep_transitions(transitions, token=f"transitions-{token}")
    if attempts:
        history.keep_attempts(attempts, token=f"attempts-{token}")


def _now_us() -> int:
    return time.time_ns() // 1000


def _divided(sent: list[Sent], at_us: int) -> tuple[list[Sent], list[Sent]]:
    return (
        [one for one in sent if one.arrival_us <= at_us],
        [one for one in sent if one.arrival_us > at_us],
    )
