"""Dead letters of a real store, and their way back into a real topic."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

from inferometer.clickhouse.dead_letters import ClickHouseDeadLetters
from inferometer.jobs.redrive import Redrive
from inferometer.kafka.record_sender import KafkaRecordSender
from inferometer.runtime.clock import now
from inferometer.runtime.mapping import sink_policy, worker_settings
from inferometer.runtime.opened_store import opened_store

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from inferometer.clickhouse.settings import StoreSettings
    from inferometer.config import Settings
    from inferometer.core.redrive import LetterFilter
    from inferometer.core.redrive_fates import Redriven, RedriveOptions, RedriveTotals

_US_PER_S = 1_000_000


@contextmanager
def opened_letters(store: StoreSettings) -> Iterator[ClickHouseDeadLetters]:
    """Open the dead letters of a store; raises StoreError, and StateError for an old schema."""
    with opened_store(store) as connection:
        yield ClickHouseDeadLetters(connection)


def run_redrive(
    settings: Settings,
    store: StoreSettings,
    wanted: LetterFilter,
    options: RedriveOptions,
    report: Callable[[Redriven], None],
) -> RedriveTotals:
    """Send letters again; raises StoreError, StateError and BrokerError."""
    kafka = worker_settings(settings).kafka
    door = sink_policy(settings).door(int(now().timestamp() * _US_PER_S))
    with opened_letters(store) as letters, KafkaRecordSender(kafka) as sender:
        redrive = Redrive(store=letters, sender=sender, door=door, clock=now, options=options)
        return redrive.run(wanted, report)
