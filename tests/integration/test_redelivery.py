"""Notices that were given up are listed, and sent again by whoever delivers, over a real Kafka."""

from __future__ import annotations

import asyncio
import io
import json
import uuid
from typing import TYPE_CHECKING

import pytest

from inferometer.cli.main import main
from inferometer.core.alerts.ledger import dead, planned
from inferometer.core.alerts.receivers import Receiver
from inferometer.kafka.alert_topics import AlertTopicNames, make_alert_topics
from inferometer.kafka.notification_topics import NoticeFollower, NotificationTopics
from inferometer.kafka.settings import KafkaSettings
from inferometer.runtime.alert_delivery import OwnedDelivery
from inferometer.testing.notices import NotingSender, example_notice

if TYPE_CHECKING:
    from tests.services.kafka import KafkaService

pytestmark = pytest.mark.integration

NOW_US = 1_767_607_310_000_000
WITHIN_S = 180.0


def inferometer(broker: KafkaService, prefix: str, *argv: str) -> tuple[int, str, str]:
    out, err = io.StringIO(), io.StringIO()
    line = ["alerts", "redeliver", *argv, "--kafka", broker.bootstrap_servers]
    environ = {"INFEROMETER_ALERTS_TOPIC_PREFIX": prefix}
    code = main(line, io.StringIO(), out, err, environ)
    return code, out.getvalue(), err.getvalue()


async def delivered_again(kafka: KafkaSettings, named: AlertTopicNames) -> NotingSender:
    sender, stopping = NotingSender(), asyncio.Event()
    async with NotificationTopics(kafka, named) as topics:
        delivery = OwnedDelivery(
            receivers={"oncall": Receiver(name="oncall")},
            ledger=topics,
            log=topics.attempts,
            sender=sender,
            clock_us=lambda: NOW_US,
        )
        following = asyncio.create_task(NoticeFollower(kafka, delivery).run(stopping))
        async with asyncio.timeout(WITHIN_S):
            await sender.was_called.wait()
        stopping.set()
        await following
    return sender


def test_what_was_given_up_is_listed_and_sent_again_when_asked(kafka_broker: KafkaService) -> None:
    prefix = f"test-{uuid.uuid4().hex[:12]}."
    named = AlertTopicNames.behind(prefix)
    kafka = KafkaSettings(
        bootstrap_servers=kafka_broker.bootstrap_servers,
        topic=named.notices,
        group=f"{prefix}notify",
    )
    letter = dead(planned(example_notice(), now_us=NOW_US), reason="answered 404", now_us=NOW_US)

    async def seed() -> None:
        await make_alert_topics(kafka, named, count_partitions=1, replication_factor=1)
        async with NotificationTopics(kafka, named) as topics:
            await topics.write([letter])

    asyncio.run(seed())
    code, out, _ = inferometer(kafka_broker, prefix, "--json")
    (row,) = json.loads(out)
    assert (code, row["id"], row["reason"]) == (0, letter.notification_id, "answered 404")

    code, out, err = inferometer(kafka_broker, prefix, letter.notification_id, "msg_unknown")
    assert (code, "msg_unknown: not in the ledger" in err) == (1, True)
    assert letter.notification_id in out

    sender = asyncio.run(delivered_again(kafka, named))
    assert [notice.notification_id for notice in sender.sent] == [letter.notification_id]
    assert inferometer(kafka_broker, prefix)[1] == "none\n"
