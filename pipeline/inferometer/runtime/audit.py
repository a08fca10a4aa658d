"""An audit against real services: store and broker by address, once."""

from __future__ import annotations

import contextlib
import time
from typing import TYPE_CHECKING

from inferometer.clickhouse.audit_store import ClickHouseAuditStore
from inferometer.clickhouse.repair_store import ClickHouseRepairStore
from inferometer.jobs.audit import Audit
from inferometer.jobs.repair import RollupRepairs
from inferometer.kafka.topic_view import KafkaTopicView
from inferometer.runtime.clock import now
from inferometer.runtime.opened_store import opened_store

if TYPE_CHECKING:
    from collections.abc import Callable

    from inferometer.clickhouse.settings import StoreSettings
    from inferometer.core.audit_report import AuditReport
    from inferometer.kafka.settings import KafkaSettings


def run_audit(
    *,
    store: StoreSettings,
    kafka: KafkaSettings | None,
    topic: str,
    from_s: int | None,
    to_s: int | None,
    fix: bool,
    progress: Callable[[str], None],
) -> AuditReport:
    """Audit a store and, where a broker is given, the topic behind it; with `fix` mend roll-ups.

    Raises StoreError, BrokerError, and StateError where the store's schema is not up to date.
    """
    with contextlib.ExitStack() as stack:
        connection = stack.enter_context(opened_store(store))
        reader = None if kafka is None else stack.enter_context(KafkaTopicView(kafka))
        return Audit(
            store=ClickHouseAuditStore(connection),
            topic=topic,
            reader=reader,
            now_s=int(now().timestamp()),
            pause=time.sleep,
            progress=progress,
            repair=(RollupRepairs(ClickHouseRepairStore(connection), clock=now) if fix else None),
        ).run(from_s=from_s, to_s=to_s)
