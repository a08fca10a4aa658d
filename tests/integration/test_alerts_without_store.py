"""Alerts page while the store is away, and what they did is in it afterwards."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from tests.integration.alert_processes import Fleet, Receiver, deployed, ended, until

if TYPE_CHECKING:
    from pathlib import Path

    from tests.services.clickhouse import ClickHouseService
    from tests.services.kafka import KafkaService

pytestmark = pytest.mark.integration


def test_a_page_needs_no_store_and_its_history_is_made_up_for(
    kafka_broker: KafkaService, clickhouse_server: ClickHouseService, tmp_path: Path
) -> None:
    database = clickhouse_server.new_database()
    store = ("--store", clickhouse_server.store_url(database))
    with Receiver() as receiver:
        plain = deployed(tmp_path, kafka_broker, receiver)
        # A store that nobody has made yet: none of its tables are there.
        environ = {
            "INFEROMETER_STORE_URL": clickhouse_server.url,
            "INFEROMETER_STORE_DATABASE": database,
            "INFEROMETER_STORE_USER": clickhouse_server.user,
            "INFEROMETER_STORE_PASSWORD": clickhouse_server.password,
        }
        deployment = replace(plain, environ={**plain.environ, **environ})
        topic = deployment.environ["INFEROMETER_KAFKA_REQUESTS_TOPIC"]

        def incidents() -> list[dict[str, Any]]:
            found: list[dict[str, Any]] = json.loads(deployment.run("explain", *store, "--json"))[
                "incidents"
            ]
            return found

        with Fleet(kafka_broker.bootstrap_servers, topic) as fleet, ended(deployment.start()):
            until(deployment.is_serving, deployment, "it does not serve")
            fleet.is_failing.set()
            until(lambda: bool(receiver.got), deployment, "nobody was told")
            until(
                lambda: "history of alerts is not kept for now" in deployment.log(),
                deployment,
                "it does not say that the history is not kept",
            )

            deployment.run("migrate", *store)
            until(
                lambda: [each["pages_delivered"] for each in incidents()] == [1],
                deployment,
                "the page is not in the history",
            )
            fleet.is_failing.clear()
            until(
                lambda: incidents()[0]["resolved_at"] is not None,
                deployment,
                "the end is not in the history",
            )

        incident_id = receiver.got[0][1]["data"]["incident_id"]
        assert [each["incident_id"] for each in incidents()] == [incident_id]
        text = deployment.run("explain", incident_id[:8], *store)
        assert "page of chat-success" in text
        assert "delivered 204" in text
        assert "page-fast: over 14.4 with" in text
