"""The audit finds exactly the damage that was done, and mends what it may, once."""

from __future__ import annotations

import json
import random
from typing import TYPE_CHECKING, Any

import pytest

from inferometer.clickhouse.repair_store import ClickHouseRepairStore
from inferometer.core.chunks import StreamPartition
from inferometer.core.conservation import Difference, Kind, SkipReason
from inferometer.core.state_rows import intent_table
from inferometer.jobs.repair import RollupRepairs
from inferometer.names import REQUESTS_TOPIC
from tests.integration.audited import STREAM, Audited, Template, filled_store, make_event

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from inferometer.core.audit_report import AuditReport

pytestmark = pytest.mark.integration

ROWS_TABLES = (
    "service_10s_rows",
    "service_1m_rows",
    "service_1h_rows",
    "usage_1m_rows",
    "usage_1h_rows",
)


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Template:
    return filled_store(tmp_path_factory.mktemp("audited"))


@pytest.fixture
def audited(template: Template, tmp_path: Path) -> Iterator[Audited]:
    with template.opened(tmp_path) as opened:
        yield opened


def fix(audited: Audited) -> AuditReport:
    store = ClickHouseRepairStore(audited.connection)
    return audited.audit(repair=RollupRepairs(store, clock=lambda: audited.now))


def kinds(report: AuditReport) -> set[Kind]:
    return {difference.kind for difference in report.differences}


def only(report: AuditReport) -> Difference:
    [difference] = report.differences
    assert report.differences_total == 1
    return difference


def a_row(audited: Audited, table: str, where: str = "true") -> dict[str, Any]:
    query = f"SELECT *, toUnixTimestamp(window_start) AS at FROM {table} WHERE {where} LIMIT 1"
    return next(iter(audited.connection.reader().query(query).named_results()))


def key_of(row: dict[str, Any]) -> str:
    names = ["workspace_id", "model", "window_start"]
    names += ["status_code", "error_type", "region"] if "status_code" in row else []
    names += ["user_id", "team_id", "status_class"] if "user_id" in row else []
    values = {**row, "window_start": row["at"]}
    return " AND ".join(f"{name} = {values[name]!r}" for name in names)


def test_a_store_that_the_sink_has_filled_is_conserved(audited: Audited) -> None:
    report = audited.audit()
    assert report.differences == []
    assert report.is_ok
    totals = report.totals()
    assert totals["events"] == totals["stored"] + totals["dead"] + totals["duplicates"] == 480
    assert totals["log_rows"] == totals["stored"] == report.events_checked
    assert totals["dead_letter_rows"] == totals["dead"] == 8
    assert totals["duplicates"] == 8
    assert totals["holes"] == 4
    assert totals["lag"] == 0
    assert [table.table for table in report.tables] == list(ROWS_TABLES)
    assert all(table.groups >= table.windows > 0 for table in report.tables)
    assert report.skipped == []


def test_without_a_broker_the_gaps_of_the_ledger_are_named_as_not_checked(audited: Audited) -> None:
    report = audited.audit(with_topic=False)
    assert report.is_ok
    gaps = [(s.reason, s.partition, s.first_offset, s.last_offset) for s in report.skipped]
    assert gaps == [(SkipReason.BROKER_UNKNOWN, p, 120, 121) for p in (0, 1)]


def test_log_rows_that_are_gone_are_named_by_their_offsets(audited: Audited) -> None:
    audited.delete("requests", "kafka_partition = 1 AND kafka_offset IN (70, 71)")
    report = audited.audit()
    [lost] = [d for d in report.differences if d.kind is Kind.LOG_ROWS]
    assert (lost.partition, lost.first_offset, lost.last_offset) == (1, 60, 119)
    assert lost.offsets == (70, 71)
    assert (lost.expected, lost.found) == ("58 rows", "56 rows")
    # Every roll-up now has more than the log.
    assert kinds(report) == {Kind.LOG_ROWS, Kind.ROLLUP}
    assert {d.table for d in report.differences if d.kind is Kind.ROLLUP} == set(ROWS_TABLES)


def test_a_fix_never_takes_a_loss_of_the_log_over_into_the_rollups(audited: Audited) -> None:
    audited.delete("requests", "kafka_partition = 1 AND kafka_offset = 70")
    report = fix(audited)
    assert report.repairs == []
    assert not report.is_ok
    assert SkipReason.LOG_IN_DOUBT in {skipped.reason for skipped in report.skipped}
    assert audited.rows("SELECT count() FROM audit_repairs") == [(0,)]


def test_log_rows_that_are_there_twice_are_named(audited: Audited) -> None:
    audited.command("INSERT INTO requests SELECT * FROM requests WHERE kafka_offset IN (3, 5)")
    report = audited.audit()
    repeated = [d for d in report.differences if d.kind is Kind.LOG_REPEATED]
    assert [(d.partition, d.offsets) for d in repeated] == [(0, (3, 5)), (1, (3, 5))]
    assert kinds(report) == {Kind.LOG_REPEATED, Kind.ROLLUP}


def test_a_rollup_row_that_is_gone_is_named_by_window_group_and_measure(audited: Audited) -> None:
    # Some models have no price, and then no cost is missed.
    has_all = "requests > 0 AND e2e_us_sum > 0 AND input_tokens > 0 AND cost_usd > 0"
    rows = {t: a_row(audited, t, has_all) for t in ROWS_TABLES}
    tokens: dict[str, int] = {}
    for table, row in rows.items():
        # Several chunks may have added to the group.
        query = f"SELECT sum(input_tokens) FROM {table} WHERE {key_of(row)}"
        tokens[table] = audited.rows(query)[0][0]
        audited.delete(table, key_of(row))
    report = audited.audit()
    for table, row in rows.items():
        found = [d for d in report.differences if d.table == table]
        assert {d.window_start_s for d in found} == {row["at"]}
        by_measure = {d.measure: d for d in found}
        assert by_measure["attempts"].found == "0"
        assert by_measure["attempts"].group["model"] == row["model"]
        assert {"input_tokens", "cost_usd", "e2e_us_sum", "itl_bins[700]"} <= set(by_measure)
        assert by_measure["input_tokens"].expected == str(tokens[table])


def test_rollup_rows_too_many_are_mended_and_a_second_fix_changes_nothing(audited: Audited) -> None:
    for table in ROWS_TABLES:
        row = a_row(audited, table, "requests > 0")
        audited.command(f"INSERT INTO {table} SELECT * FROM {table} WHERE {key_of(row)}")
    report = fix(audited)
    assert {d.table for d in report.differences} == {r.table for r in report.repairs}
    assert {r.table for r in report.repairs} == set(ROWS_TABLES)
    assert len(report.repairs) == len(ROWS_TABLES)
    assert report.is_ok
    again = fix(audited)
    assert (again.differences, again.repairs) == ([], [])
    assert audited.rows("SELECT count() FROM audit_repairs WHERE state = 'done'") == [(5,)]


def test_one_changed_bin_is_named_and_mended(audited: Audited) -> None:
    row = a_row(audited, "service_1m_rows", "e2e_count > 0")
    audited.command(
        "INSERT INTO service_1m_rows (window_start, workspace_id, model, provider, region, "
        "model_type, traffic_class, status_code, e2e_bins) SELECT window_start, workspace_id, model, "
        "provider, region, model_type, traffic_class, status_code, map(toInt16(123), toUInt64(1)) "
        f"FROM service_1m_rows WHERE {key_of(row)} LIMIT 1"
    )
    difference = only(audited.audit())
    assert (difference.table, difference.measure) == ("service_1m_rows", "e2e_bins[123]")
    assert (difference.expected, difference.found) == ("0", "1")
    assert fix(audited).is_ok
    assert audited.audit().differences == []


def test_a_fix_is_right_under_merges_and_in_the_views(audited: Audited) -> None:
    totals = (
        "SELECT sum(attempts), sum(e2e_ms_count), sum(cost_usd), sumMap(e2e_bins), "
        "quantile_ms(sumMap(itl_bins), 0.9), count() FROM service_1m WHERE attempts > 0"
    )
    before = audited.rows(totals)
    audited.command(
        "INSERT INTO service_1m_rows SELECT * FROM service_1m_rows WHERE window_start IN "
        "(SELECT DISTINCT window_start FROM service_1m_rows ORDER BY window_start LIMIT 5)"
    )
    row = a_row(audited, "service_1m_rows", "e2e_count > 0")
    audited.command(
        "INSERT INTO service_1m_rows SELECT * REPLACE('ghost' AS model) FROM "
        f"(SELECT * FROM service_1m_rows WHERE {key_of(row)} LIMIT 1)"
    )
    assert fix(audited).is_ok
    audited.command("OPTIMIZE TABLE service_1m_rows FINAL")
    assert audited.audit().differences == []
    [after] = audited.rows(totals)
    [expected] = before
    assert after[:3] == expected[:3]
    assert {b: n for b, n in after[3].items() if n} == expected[3]
    assert after[4:] == expected[4:]
    ghost = "SELECT attempts, cost_usd, e2e_p99_ms FROM service_1m WHERE model = 'ghost'"
    assert audited.rows(ghost) == [(0, 0, None)]


def test_a_lost_rollup_is_made_anew_from_the_log(audited: Audited) -> None:
    before = audited.rows("SELECT * EXCEPT window_start FROM usage_1h ORDER BY ALL")
    audited.command("TRUNCATE TABLE usage_1h_rows")
    report = fix(audited)
    assert report.is_ok
    assert report.differences_total == report.repaired_total > 0
    assert audited.rows("SELECT * EXCEPT window_start FROM usage_1h ORDER BY ALL") == before


def test_the_same_damage_after_a_repair_is_mended_again(audited: Audited) -> None:
    row = a_row(audited, "service_1h_rows")
    for _ in range(2):
        audited.delete("service_1h_rows", key_of(row))
        assert len(fix(audited).repairs) > 0
        assert audited.audit().is_ok


def test_a_fix_that_died_before_it_inserted_is_made_up_for_by_the_next(audited: Audited) -> None:
    audited.delete("service_1h_rows", key_of(a_row(audited, "service_1h_rows")))
    store = _DyingStore(audited)
    with pytest.raises(RuntimeError):
        audited.audit(repair=RollupRepairs(store, clock=lambda: audited.now))
    assert fix(audited).is_ok
    assert audited.audit().differences == []


class _DyingStore(ClickHouseRepairStore):
    def __init__(self, audited: Audited) -> None:
        super().__init__(audited.connection)

    def insert(self, *, table: str, rows: Any, token: str) -> None:
        if table.endswith("_rows"):
            raise RuntimeError("killed")
        super().insert(table=table, rows=rows, token=token)


def test_a_ledger_row_that_is_gone_is_named_with_what_it_accounted_for(audited: Audited) -> None:
    audited.delete("chunk_ledger", "kafka_partition = 0 AND first_offset = 60")
    difference = only(audited.audit())
    assert difference.kind is Kind.LEDGER_MISSING
    assert (difference.partition, difference.first_offset, difference.last_offset) == (0, 60, 121)
    assert "58 log rows, 1 dead letters" in difference.found


@pytest.mark.parametrize("with_topic", [True, False], ids=["with broker", "store only"])
def test_the_last_ledger_row_is_missed_only_by_who_knows_that_the_group_has_passed(
    audited: Audited, with_topic: bool
) -> None:
    audited.delete("chunk_ledger", "kafka_partition = 0 AND first_offset = 182")
    report = audited.audit(with_topic=with_topic)
    if with_topic:
        assert only(report).kind is Kind.LEDGER_MISSING
    else:
        # To the store alone it looks like a chunk that is still open.
        assert report.is_ok
        assert report.partitions[0].open_chunk == (182, 241)


def test_a_chunk_that_was_passed_over_is_named_with_its_records(audited: Audited) -> None:
    job = audited.job()
    lost = [json.dumps(make_event(random.Random(1), f"lost-{n}", audited.now)).encode()
            for n in range(3)]  # fmt: skip
    audited.topic.values[0] |= {242 + n: value for n, value in enumerate(lost)}
    audited.process(job, 0, [json.dumps(make_event(random.Random(2), "n", audited.now)).encode()])
    difference = only(audited.audit())
    assert difference.kind is Kind.RECORDS_LOST
    assert difference.offsets == (242, 243, 244)


def test_records_that_the_group_passed_at_the_end_are_lost(audited: Audited) -> None:
    audited.topic.values[1] |= {242: b"x", 243: b"y"}
    audited.topic.committed[1] = 243
    difference = only(audited.audit())
    assert difference.kind is Kind.RECORDS_LOST
    assert difference.offsets == (242,)
    assert audited.audit().partitions[1].lag == 1


def test_records_that_wait_are_lag_and_no_difference(audited: Audited) -> None:
    audited.topic.values[1] |= {242: b"x", 243: b"y"}
    report = audited.audit()
    assert report.is_ok
    assert report.partitions[1].lag == 2


def test_a_ledger_row_twice_is_an_overlap(audited: Audited) -> None:
    audited.command("INSERT INTO chunk_ledger SELECT * FROM chunk_ledger WHERE first_offset = 60 "
                    "AND kafka_partition = 1")  # fmt: skip
    difference = only(audited.audit())
    assert difference.kind is Kind.LEDGER_OVERLAP
    assert (difference.first_offset, difference.last_offset) == (60, 119)


def test_a_ledger_row_that_does_not_add_up_is_named(audited: Audited) -> None:
    audited.command("ALTER TABLE chunk_ledger UPDATE duplicates = 7 WHERE first_offset = 60 AND "
                    "kafka_partition = 1 SETTINGS mutations_sync = 2")  # fmt: skip
    assert only(audited.audit()).kind is Kind.LEDGER_SUM


def test_a_dead_letter_that_is_gone_is_named(audited: Audited) -> None:
    audited.delete("dead_letters", "kafka_partition = 1 AND kafka_offset = 67")
    difference = only(audited.audit())
    assert (difference.kind, difference.partition) == (Kind.DEAD_LETTERS, 1)
    assert (difference.expected, difference.found) == ("1 rows", "0 rows")


def test_a_duplicate_beyond_the_horizon_is_found_wherever_it_is(audited: Audited) -> None:
    event = make_event(random.Random(1), "0-0-1", audited.now)
    audited.process(audited.job(), 1, [json.dumps(event).encode()])
    difference = only(audited.audit())
    assert (difference.kind, difference.event_id) == (Kind.EVENT_REPEATED, "0-0-1")
    assert difference.detail == f"from {REQUESTS_TOPIC}/0@1, {REQUESTS_TOPIC}/1@242"


def open_chunk(audited: Audited, stream: str = STREAM) -> None:
    """Leave a chunk half written: everything but a roll-up and the ledger row."""
    events = [make_event(random.Random(n), f"open-{n}", audited.now) for n in range(5)]
    values = [json.dumps(event).encode() for event in events]
    chunk = audited.process(audited.job(), 0, values, stream=stream)
    first = chunk.intent.first_offset
    audited.delete("chunk_ledger", f"stream_id = '{stream}' AND first_offset = {first}")
    audited.command("TRUNCATE TABLE service_1h_rows")
    audited.topic.committed[0] = first


def test_a_window_that_an_open_chunk_touches_is_neither_judged_nor_mended(audited: Audited) -> None:
    open_chunk(audited)
    touched = audited.rows("SELECT uniqExact(toStartOfHour(ts_end)) FROM requests "
                           "WHERE event_id LIKE 'open%'")[0][0]  # fmt: skip
    all_hours = audited.rows("SELECT uniqExact(toStartOfHour(ts_end)) FROM requests")[0][0]
    report = fix(audited)
    assert report.is_ok
    assert len(audited.pauses) > 0
    [skipped] = report.skipped
    assert (skipped.reason, skipped.windows) == (SkipReason.OPEN_CHUNK, touched)
    assert len(report.repairs) == all_hours - touched
    assert report.partitions[0].open_chunk == (242, 246)


def test_an_open_chunk_of_a_topic_that_was_made_anew_is_abandoned_and_mended(
    audited: Audited,
) -> None:
    open_chunk(audited)
    audited.topic.stream = "stream-2"
    audited.topic.values = {0: {}, 1: {}}
    audited.topic.committed = {}
    report = fix(audited)
    assert kinds(report) == {Kind.CHUNK_ABANDONED, Kind.ROLLUP}
    assert report.differences_total == report.repaired_total + 1
    assert kinds(audited.audit()) == {Kind.CHUNK_ABANDONED}


def test_an_intent_alone_hides_nothing(audited: Audited) -> None:
    source = StreamPartition(REQUESTS_TOPIC, 0, STREAM)
    job = audited.job()
    values = [json.dumps(make_event(random.Random(9), "x", audited.now)).encode()]
    chunk = audited.process(job, 0, values)
    audited.command("TRUNCATE TABLE usage_1m_rows")
    intent = intent_table(chunk.intent, source)
    ClickHouseRepairStore(audited.connection).insert(
        table="chunk_intents", rows=intent, token="again"
    )
    assert fix(audited).repaired_total > 0
    assert audited.audit().is_ok


def test_windows_whose_log_has_expired_are_named_and_left_alone(audited: Audited) -> None:
    audited.command("ALTER TABLE requests MODIFY TTL toDateTime(ts_end) + INTERVAL 1 DAY")
    audited.command(
        "INSERT INTO usage_1h_rows (window_start, model, attempts) "
        "SELECT toStartOfHour(now() - INTERVAL 3 DAY), 'old', 1"
    )
    now_s = int(audited.now.timestamp())
    store = ClickHouseRepairStore(audited.connection)
    repair = RollupRepairs(store, clock=lambda: audited.now)
    report = audited.audit(from_s=now_s - 5 * 86_400, repair=repair)
    assert report.is_ok
    expired = [s for s in report.skipped if s.reason is SkipReason.LOG_EXPIRED]
    assert [(s.table, s.windows) for s in expired] == [("usage_1h_rows", 1)]
    assert report.repairs == []


def test_the_json_names_everything_and_is_plain(audited: Audited) -> None:
    audited.delete("chunk_ledger", "kafka_partition = 0 AND first_offset = 60")
    said = json.loads(json.dumps(audited.audit().as_dict()))
    assert said["ok"] is False
    assert set(said) == {
        "ok", "from", "to", "totals", "differences_total", "repaired_total", "differences",
        "partitions", "tables", "skipped", "repairs",
    }  # fmt: skip
    [difference] = said["differences"]
    assert difference["kind"] == "ledger_missing"
    assert (difference["partition"], difference["first_offset"]) == (0, 60)
