"""Stored events count as live ones did, and the rules say of the past what they say live."""

from __future__ import annotations

import json
import random
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from inferometer.clickhouse.connect import StoreConnection
from inferometer.clickhouse.migrations import migrate
from inferometer.clickhouse.settings import StoreSettings
from inferometer.clickhouse.slo_history import ClickHouseSloHistory
from inferometer.clickhouse.store import ClickHouseChunkStore
from inferometer.core.admission import admit
from inferometer.core.alerts.matchers import Matcher
from inferometer.core.chunks import Chunk, StreamPartition
from inferometer.core.door import DoorPolicy, complete
from inferometer.core.price_book import PriceBook
from inferometer.core.price_columns import price_columns
from inferometer.core.records import RecordColumns
from inferometer.core.resumption import GroupPosition
from inferometer.core.slo.counting import count_slo
from inferometer.core.slo.definitions import (
    Availability,
    BatchIsolation,
    BurnWindow,
    Cost,
    CostPer,
    Duration,
    Latency,
    Severity,
    Slo,
)
from inferometer.core.slo.dimensions import SLO_DIMENSIONS
from inferometer.core.slo.event_view import EventView
from inferometer.errors import StateError
from inferometer.jobs.backtest import Backtest
from inferometer.jobs.process_chunk import ProcessChunk
from inferometer.jobs.sink_policy import SinkPolicy
from inferometer.testing.leases import CertainLease

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = pytest.mark.integration

NOW = datetime.now(tz=UTC).replace(minute=0, second=0, microsecond=0)
START = NOW - timedelta(hours=4)
OUTAGE = START + timedelta(hours=2)
BOOK = PriceBook("none", ())
FAST = BurnWindow(
    name="page-fast", severity=Severity.PAGE, long_s=3600, short_s=300,
    budget_share=Decimal("0.02"), significance=1e-3,
)  # fmt: skip


def slo(**changes: Any) -> Slo:
    given = {"name": "s", "workspace": "", "service": "chat", "indicator": Availability(),
             "objective": Decimal("0.999"), "burn_windows": (FAST,), **changes}  # fmt: skip
    return Slo(**given)


def event(number: int, at: datetime, chance: random.Random) -> dict[str, Any]:
    """Return a request that varies in all that objectives look at; every 7th at least is odd."""
    during = OUTAGE <= at < OUTAGE + timedelta(minutes=10)
    ok = 503 if during and chance.random() < 0.5 else 200
    status = chance.choice([ok] * 40 + [400, 429, 499]) if during else ok
    made: dict[str, Any] = {
        "event_id": f"e{number}", "request_id": f"r{number}", "status_code": status,
        "ts_end": int(at.timestamp() * 1e6) + chance.randrange(10**6),
        "model": chance.choice(["alpha", "beta"]), "workspace_id": chance.choice(["acme", "", "zoo"]),
        "user_id": chance.choice(["", "u1", "u2", "u3"]), "stream": chance.random() < 0.5,
        "team_ids": chance.choice([[], ["red"], ["blue", "red"]]),
        "output_tokens": chance.choice([1, 10, 20]), "is_final": chance.random() < 0.95,
        "price_cost": f"{chance.uniform(0, 0.01):.9f}",
    }  # fmt: skip
    for name in ("ttft_ms", "e2e_ms", "queue_ms", "tpot_ms"):
        if chance.random() < 0.9:
            # Some exactly on the threshold, which is in time.
            made[name] = chance.choice([500.0, 500.001, round(chance.uniform(1, 1000), 3)])
    if chance.random() < 0.8:
        count = chance.randrange(1, 5)
        made["itl"] = {"count": count, "sum_ms": chance.choice([count * 20.0, count * 20.001])}
    return made


@pytest.fixture(scope="module")
def values() -> list[bytes]:
    chance = random.Random(5)
    instants = [START + timedelta(seconds=second) for second in range(0, 4 * 3600 - 20, 3)]
    return [json.dumps(event(n, at, chance)).encode() for n, at in enumerate(instants)]


@pytest.fixture(scope="module")
def history(
    values: list[bytes], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[ClickHouseSloHistory]:
    folder = tmp_path_factory.mktemp("backtest")
    with StoreConnection(StoreSettings(data_dir=folder)) as connection:
        migrate(connection, report=lambda _: None)
        job = ProcessChunk(
            store=ClickHouseChunkStore(connection), book=BOOK, policy=SinkPolicy(),
            clock=lambda: NOW,
        )  # fmt: skip
        source = StreamPartition("t", 0, "s")
        job.assigned(source, GroupPosition(0, None, earliest=0), partition_count=1)
        records = RecordColumns.from_values(values)
        job.run(Chunk(source, job.plan(source, records), records), CertainLease())
        yield ClickHouseSloHistory(connection)


def latency(duration: Duration, *, counts_failed: bool = False) -> Latency:
    threshold_us = 20_000 if duration is Duration.ITL else 500_000
    return Latency(duration=duration, threshold_us=threshold_us, counts_failed=counts_failed)


DEFINITIONS = {
    "availability": slo(),
    "by model and team": slo(group_by=("model", "team_id")),
    "own classes": slo(indicator=Availability(bad=frozenset({"5xx"}), excluded=frozenset())),
    "of a workspace": slo(workspace="acme"),
    "selected": slo(selector=(Matcher("model", "al.*", is_regex=True), Matcher("stream", "true"))),
    "left out": slo(
        selector=(Matcher("user_id", "u1", is_equal=False),
                  Matcher("model", "b", is_regex=True, is_equal=False))
    ),
    **{f"{each} in time": slo(indicator=latency(each)) for each in Duration},
    "failed are slow": slo(indicator=latency(Duration.E2E, counts_failed=True)),
    "cost of a request": slo(
        indicator=Cost(per=CostPer.REQUEST, threshold_usd=Decimal("0.005"))
    ),
    "no caller": slo(principal=""),
}  # fmt: skip


@pytest.mark.parametrize("definition", DEFINITIONS.values(), ids=DEFINITIONS)
def test_stored_events_count_as_live_ones(
    history: ClickHouseSloHistory, values: list[bytes], definition: Slo
) -> None:
    stored = history.counts(definition, since=START, until=NOW)
    door = DoorPolicy(
        now_us=int(NOW.timestamp() * 1e6), retention_us=10**12, future_tolerance_us=10**9
    )
    admission = admit(RecordColumns.from_values(values), door)
    events = admission.select(np.flatnonzero(admission.accepted))
    complete(events.numbers)
    live = count_slo(definition, EventView(events), price_columns(BOOK, events))
    columns = live.columns
    expected = {
        (int(cell), live.groups[group]): (
            int(columns["total"][row]), int(columns["bad"][row]),
            int(columns["principal_low"][row]) == int(columns["principal_high"][row]),
            int(columns["principal_high"][row]) == 0,
        )
        for row, (cell, group) in enumerate(zip(live.cells_s, live.group, strict=True))
    }  # fmt: skip
    found = {
        (int(cell), stored.groups[group]): (
            int(stored.totals[row]), int(stored.bads[row]),
            int(stored.lows[row]) == int(stored.highs[row]),
            int(stored.highs[row]) == 0,
        )
        for row, (cell, group) in enumerate(zip(stored.cells_s, stored.group, strict=True))
    }  # fmt: skip
    assert found == expected
    assert 0 < stored.failures < stored.requests


def test_every_dimension_of_objectives_is_in_the_log(history: ClickHouseSloHistory) -> None:
    for name in SLO_DIMENSIONS:
        history.counts(slo(group_by=(name,), principal=name), since=START, until=START)


def test_an_outage_of_the_past_would_have_paged_once(history: ClickHouseSloHistory) -> None:
    said: list[str] = []
    [found] = Backtest(history, said.append).run([slo(group_by=("model",))], since=START, until=NOW)
    assert [one.severity for one in found.incidents] == [Severity.PAGE] * 2
    assert {one.labels["model"] for one in found.incidents} == {"alpha", "beta"}
    for one in found.incidents:
        assert OUTAGE.timestamp() < one.detected_at_s < OUTAGE.timestamp() + 300
        assert one.resolved_at_s is not None
        assert one.resolved_at_s > OUTAGE.timestamp() + 600
        assert one.rules == {"page-fast"}
        assert one.peak_burn > 14.4
    assert "100 %" not in "".join(said)
    assert any("reading" in line for line in said)


def test_what_the_log_cannot_tell_is_refused(history: ClickHouseSloHistory) -> None:
    for indicator in (BatchIsolation(), Cost(per=CostPer.MINUTE, threshold_usd=Decimal(1))):
        with pytest.raises(StateError, match="the log cannot tell"):
            history.counts(slo(indicator=indicator), since=START, until=NOW)
