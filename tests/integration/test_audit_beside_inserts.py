"""An audit while a worker inserts log rows and roll-ups at the same time: nothing is mended wrongly."""

from __future__ import annotations

import json
import random
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import pytest

from inferometer.clickhouse.repair_store import ClickHouseRepairStore
from inferometer.clickhouse.store import ClickHouseChunkStore
from inferometer.core.conservation import SkipReason
from inferometer.core.price_book import PriceBook
from inferometer.jobs.process_chunk import ProcessChunk
from inferometer.jobs.repair import RollupRepairs
from inferometer.jobs.sink_policy import SinkPolicy
from inferometer.names import REQUESTS_TABLE
from tests.integration.audited import Audited, filled_store, make_event

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    import pyarrow as pa

    from inferometer.clickhouse.connect import StoreConnection
    from inferometer.core.audit_report import AuditReport

pytestmark = pytest.mark.integration

DEADLINE_S = 120.0


class LateLogStore(ClickHouseChunkStore):
    """Takes roll-ups at once and log rows when it is let."""

    def __init__(self, connection: StoreConnection) -> None:
        super().__init__(connection)
        self.go_on = threading.Event()
        self.rollups_are_in = threading.Event()

    def insert(self, *, table: str, rows: pa.Table, token: str) -> None:
        if table == REQUESTS_TABLE:
            assert self.go_on.wait(DEADLINE_S)
        super().insert(table=table, rows=rows, token=token)
        if table == "usage_1h_rows":
            self.rollups_are_in.set()


@pytest.fixture
def audited(tmp_path: Path) -> Iterator[Audited]:
    with filled_store(tmp_path / "filled").opened(tmp_path / "opened") as opened:
        yield opened


def fix(audited: Audited) -> AuditReport:
    store = ClickHouseRepairStore(audited.connection)
    return audited.audit(repair=RollupRepairs(store, clock=lambda: audited.now))


def test_roll_ups_that_are_there_before_their_log_rows_are_left_alone(audited: Audited) -> None:
    store = LateLogStore(audited.connection)
    values = [
        json.dumps(make_event(random.Random(n), f"late-{n}", audited.now)).encode()
        for n in range(20)
    ]
    with ThreadPoolExecutor(1) as worker, ThreadPoolExecutor(1) as beside:
        job = ProcessChunk(
            store=store, book=PriceBook("none", ()), policy=SinkPolicy(),
            clock=lambda: audited.now, beside=beside,
        )  # fmt: skip
        running = worker.submit(audited.process, job, 0, values)
        try:
            assert store.rollups_are_in.wait(DEADLINE_S)
            report = fix(audited)
        finally:
            store.go_on.set()
        running.result(DEADLINE_S)
    assert (report.is_ok, report.repairs) == (True, [])
    assert {skipped.reason for skipped in report.skipped} == {SkipReason.OPEN_CHUNK}
    after = fix(audited)
    assert (after.is_ok, after.differences_total, after.skipped) == (True, 0, [])
