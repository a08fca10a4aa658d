"""The audit folds the log as the sink folded it: over months, changed caps and partitions."""

from __future__ import annotations

import json
import random
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest

from inferometer.clickhouse.connect import StoreConnection
from inferometer.clickhouse.migrations import migrate
from inferometer.clickhouse.repair_store import ClickHouseRepairStore
from inferometer.clickhouse.settings import StoreSettings
from inferometer.core.conservation import Kind
from inferometer.core.dimension_caps import OTHER, CapPolicy
from inferometer.jobs.repair import RollupRepairs
from inferometer.jobs.sink_policy import SinkPolicy
from tests.integration.audited import PARTITIONS, Audited, MemoryTopic, Template, make_event
from tests.oracle.folding import FoldingOracle

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

pytestmark = pytest.mark.integration

TABLES = (
    "service_10s_rows",
    "service_1m_rows",
    "service_1h_rows",
    "usage_1m_rows",
    "usage_1h_rows",
)
EVENTS = 50
CAPS = [
    {"user_id": 5, "team_id": 2, "model": 2},
    {"user_id": 5, "team_id": 2, "model": 2},
    {"user_id": 9, "team_id": 2, "model": 2},
    {"user_id": 1, "team_id": 1, "model": 2},
]
"""Of the chunks of one month, in order: raised, then lowered."""


def policy(caps: dict[str, int]) -> SinkPolicy:
    # The chunks of last month hold events of today, because the store keeps no others.
    month = timedelta(days=62)
    return SinkPolicy(retention=month, future_tolerance=month, caps=CapPolicy.by_name(caps))


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Template:
    folder = tmp_path_factory.mktemp("folded")
    now = datetime.now(tz=UTC).replace(microsecond=0)
    topic, rnd = MemoryTopic(), random.Random(3)
    with StoreConnection(StoreSettings(data_dir=folder)) as connection:
        migrate(connection, report=lambda _: None)
        audited = Audited(connection, topic, now)
        for month, decided in enumerate((now - timedelta(days=31), now)):
            for number, caps in enumerate(CAPS):
                job = audited.job(decided, policy(caps))
                for partition in range(PARTITIONS):
                    audited.process(job, partition, values(rnd, f"{month}-{number}", now))
    return Template(folder, topic, now)


def values(rnd: random.Random, name: str, now: datetime) -> list[bytes]:
    events = [make_event(rnd, f"{name}-{rnd.random()}", now) for _ in range(EVENTS)]
    for event in events:
        event["user_id"] = rnd.choice(["", OTHER, *(f"u{n}" for n in range(20))])
        event["team_ids"] = rnd.choice([[], [""], [f"t{rnd.randrange(5)}", "t9"]])
        event["model"] = rnd.choice(["alpha", "beta", "gamma"])
    return [json.dumps(event).encode() for event in events]


@pytest.fixture
def audited(template: Template, tmp_path: Path) -> Iterator[Audited]:
    with template.opened(tmp_path) as opened:
        yield opened


def repairs(audited: Audited) -> RollupRepairs:
    return RollupRepairs(ClickHouseRepairStore(audited.connection), clock=lambda: audited.now)


def test_rollups_with_folded_values_are_what_the_log_says(audited: Audited) -> None:
    report = audited.audit()
    assert report.differences == []
    assert report.is_ok
    assert all(table.groups > 0 for table in report.tables)
    for name in ("user_id", "team_id", "model"):
        folded = f"SELECT sum(attempts) FROM usage_1h WHERE {name} = '{OTHER}'"
        assert audited.rows(folded)[0][0] > 0


def test_users_and_teams_are_counted_as_an_oracle_counts_them(audited: Audited) -> None:
    for name, column in (("user_id", "user_id"), ("team_id", "team_ids[1]")):
        expected: dict[str, int] = {}
        for partition in range(PARTITIONS):
            oracle = FoldingOracle()
            rows = audited.rows(
                f"SELECT kafka_offset, {column} FROM requests WHERE kafka_partition = {partition} "
                "ORDER BY kafka_offset"
            )
            assert len(rows) == 2 * len(CAPS) * EVENTS
            for offset, value in rows:
                month, number = divmod(offset // EVENTS, len(CAPS))
                shown = oracle.fold(str(month), name, value, CAPS[number][name])
                expected[shown] = expected.get(shown, 0) + 1
        found = audited.rows(f"SELECT {name}, sum(attempts) FROM usage_1h GROUP BY {name}")
        assert dict(found) == expected


def test_the_ledger_counts_folded_events_by_dimension(audited: Audited) -> None:
    [(ledger,)] = audited.rows("SELECT sumMap(folded) FROM chunk_ledger")
    marked = audited.rows(f"SELECT sum(attempts) FROM usage_1h WHERE user_id = '{OTHER}'")[0][0]
    raw = audited.rows(f"SELECT count() FROM requests WHERE user_id = '{OTHER}'")[0][0]
    assert ledger["user_id"] == marked - raw
    assert set(ledger) == {"user_id", "team_id", "model"}


def test_lost_rows_are_found_and_mended_in_folded_rollups(audited: Audited) -> None:
    totals = "SELECT sum(input_tokens), sum(cost_usd) FROM {}"
    before = {table: audited.rows(totals.format(table)) for table in TABLES}
    lost = set()
    for table in TABLES:
        name = "user_id" if table.startswith("usage") else "model"
        for value in (OTHER, audited.rows(f"SELECT max({name}) FROM {table}")[0][0]):
            [(window,)] = audited.rows(
                f"SELECT toUnixTimestamp(max(window_start)) FROM {table} WHERE {name} = '{value}'"
            )
            audited.delete(table, f"{name} = '{value}' AND window_start = {window}")
            lost.add((table, window, value))
    report = audited.audit(repair=repairs(audited))
    assert {d.kind for d in report.differences} == {Kind.ROLLUP}
    named = {table: "user_id" if table.startswith("usage") else "model" for table in TABLES}
    found = {(d.table, d.window_start_s, d.group[named[d.table]]) for d in report.differences}
    # The report names only so many differences, and counts all.
    assert OTHER in {value for _, _, value in found}
    assert found <= lost
    assert {t.table: t.differing_windows for t in report.tables} == {
        table: len({window for of, window, _ in lost if of == table}) for table in TABLES
    }
    assert report.is_ok
    assert audited.audit().differences == []
    assert {table: audited.rows(totals.format(table)) for table in TABLES} == before


def test_folding_is_seen_by_the_ledger_where_every_folded_row_is_lost(audited: Audited) -> None:
    for table in ("service_1h_rows", "usage_1h_rows"):
        audited.delete(table, f"model = '{OTHER}'")
    report = audited.audit(repair=repairs(audited))
    # The report names only so many differences, and counts all.
    differing = {table.table for table in report.tables if table.differing_groups}
    assert differing == {"service_1h_rows", "usage_1h_rows"}
    assert {d.group["model"] for d in report.differences} == {OTHER}
    assert report.is_ok
    assert audited.audit().differences == []


def test_folded_values_are_seen_where_the_ledger_is_older_than_it_keeps(audited: Audited) -> None:
    audited.command("TRUNCATE TABLE chunk_ledger")
    report = audited.audit(with_topic=False)
    assert Kind.ROLLUP not in {difference.kind for difference in report.differences}


def test_the_views_tell_how_full_the_lists_are_and_which_values_are_parted(
    audited: Audited,
) -> None:
    use = audited.rows(
        "SELECT dimension, fullest_partition_values, folded_events > 0 FROM dimension_use "
        "WHERE dimension IN ('user_id', 'team_id', 'model', 'region') ORDER BY month, dimension"
    )
    month = [("model", 2, 1), ("region", 1, 0), ("team_id", 2, 1), ("user_id", 9, 1)]
    assert use == month * 2
    parted = audited.rows(
        "SELECT value, admitted_by, not_admitted_by FROM partly_folded_values "
        "WHERE dimension = 'user_id'"
    )
    assert parted
    for value, admitted_by, not_admitted_by in parted:
        assert sorted([*admitted_by, *not_admitted_by]) == [0, 1]
        assert value not in {"", OTHER}
