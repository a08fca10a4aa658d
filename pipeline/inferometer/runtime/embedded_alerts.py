"""Alerting inside the embedded pipeline: on its broker, in a thread of its own, told to the log."""

from __future__ import annotations

import asyncio
import threading
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from inferometer.config.areas import KafkaConfig
from inferometer.kafka.alert_topics import alert_topics
from inferometer.runtime.alert_desk import AlertSources, RunningDesk, RunningStatus
from inferometer.runtime.alert_setup import load_setup, topic_names
from inferometer.runtime.alert_status import status_rows
from inferometer.runtime.alerts import AlertProcess
from inferometer.runtime.objective_facts import DeclaredObjectives

if TYPE_CHECKING:
    from collections.abc import Mapping

    from inferometer.clickhouse.connect import StoreConnection
    from inferometer.config import Settings
    from inferometer.kafka.embedded import EmbeddedBroker

SHIPPED_SLOS = Path(__file__).with_name("demo_slos.yaml")
SNAPSHOT_EVERY_S = 3600.0
"""The broker forgets everything when the process ends, so state is kept for nobody."""

LATENESS_S = 5.0
"""Events of the same process are never late, and a demo is short."""


def alert_settings(settings: Settings) -> Settings:
    """Return the settings of embedded alerting: shipped objectives where none are named."""
    area = settings.alerts
    return replace(
        settings,
        alerts=replace(
            area,
            slo_path=area.slo_path or SHIPPED_SLOS,
            counts_partitions=1,
            snapshot_every_s=SNAPSHOT_EVERY_S,
            lateness_s=min(area.lateness_s, LATENESS_S),
            # A port that is taken must not end a demo.
            http_port=0,
        ),
    )


def embedded_topics(settings: Settings) -> dict[str, int]:
    """Return the topics that the embedded broker must be started with."""
    topics = alert_topics(topic_names(settings), settings.alerts.counts_partitions)
    return {topic.name: topic.partitions for topic in topics}


class EmbeddedAlerts:
    """Enter it once the broker runs; leave it before the broker is closed."""

    def __init__(
        self,
        settings: Settings,
        broker: EmbeddedBroker,
        environ: Mapping[str, str],
        history: StoreConnection,
    ) -> None:
        """Evaluate what `alert_settings` names, and keep history in a store. Raises ConfigError."""
        # Nothing of a cluster that the settings name: neither its security nor its topics.
        here = KafkaConfig(bootstrap_servers=broker.bootstrap_servers)
        chosen = replace(settings, kafka=here)
        setup = load_setup(chosen, environ, needs_receivers=False)
        self._process = AlertProcess(
            chosen,
            setup,
            run_epoch=broker.run_epoch,
            makes_topics=False,
            history=history,
        )
        self.sources = AlertSources(
            status=RunningStatus(self.status),
            desk=RunningDesk(lambda: self._process.silences),
            objectives=DeclaredObjectives(setup),
        )
        """Whom the query API asks about these alerts."""
        self._failure: BaseException | None = None
        self._thread = threading.Thread(target=self._run, name="inferometer-alerts")

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._process.request_stop()
        self._thread.join()

    def _run(self) -> None:
        try:
            asyncio.run(self._process.run())
        except BaseException as error:  # noqa: BLE001 - raised again by whoever asks
            self._failure = error

    def status(self) -> list[dict[str, Any]]:
        """Return how every group stands. Raises what ended alerting."""
        if self._failure is not None:
            raise self._failure
        if self._process.jobs is None:
            return []
        rows: list[dict[str, Any]] = []
        for board, lock in self._process.jobs.evaluation.boards().values():
            with lock:
                rows += status_rows(board)
        return rows
