"""Files of the log and of measures: CSV, JSON lines, Parquet."""

from __future__ import annotations

import csv
import io
import json
import threading
from datetime import datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pyarrow.parquet as pq
import pytest

from inferometer.clickhouse.query_exports import guarded
from inferometer.clickhouse.query_store import ClickHouseQueryStore
from inferometer.core.query.plans import Relation
from inferometer.core.query.questions import (
    Filter,
    Granularity,
    Match,
)
from inferometer.core.query.spreadsheets import guarded as as_guarded
from inferometer.errors import StoreError
from inferometer.testing.query_store import MemoryQueryStore
from tests.integration.query.questions import measured_plan, question, read
from tests.integration.query_seed import SPAN, QuerySeed

if TYPE_CHECKING:
    pass

FORMS = ("csv", "jsonl", "parquet")


@pytest.mark.parametrize("form", FORMS)
def test_a_file_of_the_log_is_what_pages_show(
    seed: QuerySeed, store: ClickHouseQueryStore, form: str
) -> None:
    query = question(seed, limit=200, filters=(Filter("provider", Match.IS, ("openai",)),))
    page = store.log_rows(query)
    rows = read(store.export_log(query, form), form)
    assert len(rows) == len(page) == 200
    assert set(rows[0]) >= set(page[0]) | set(seed.rows[0])
    for row, shown in zip(rows, page, strict=True):
        for name in ("request_id", "event_id", "model", "user_id"):
            assert row[name] == shown[name]
        assert int(row["total_tokens"]) == shown["total_tokens"]
        assert Decimal(str(row["cost_usd"])) == shown["cost_usd"]
        assert Decimal(str(row["ttft_ms"] or 0)) == (shown["ttft_ms"] or 0)
        assert _instant(row["ts_end"]) == shown["ts_end"]


def _instant(value: Any) -> datetime:
    return value if isinstance(value, datetime) else datetime.fromisoformat(value)


@pytest.mark.parametrize("form", FORMS)
def test_lists_and_maps_are_readable_in_every_file(
    seed: QuerySeed, store: ClickHouseQueryStore, form: str
) -> None:
    rows = read(store.export_log(question(seed, event_id="event-00042"), form), form)
    [right] = [row for row in seed.rows if row["event_id"] == "event-00042"]
    metadata, teams = rows[0]["metadata"], rows[0]["team_ids"]
    if form == "csv":
        metadata, teams = json.loads(metadata), json.loads(teams)
    assert dict(metadata) == right["metadata"]
    assert list(teams) == right["team_ids"]


@pytest.mark.parametrize("form", FORMS)
def test_a_file_without_rows_still_says_its_columns(
    seed: QuerySeed, store: ClickHouseQueryStore, form: str
) -> None:
    data = b"".join(store.export_log(question(seed, workspace_id="nobody"), form))
    if form == "csv":
        assert data.decode().splitlines()[0].startswith("request_id,event_id,ts_end,model")
    elif form == "parquet":
        assert pq.read_table(io.BytesIO(data)).num_rows == 0
    else:
        assert data == b""


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("group_by", [(), ("model", "status_class"), ("metadata.it's`a\\key",)])
def test_a_file_of_measures_has_every_group_of_every_window(
    seed: QuerySeed,
    store: ClickHouseQueryStore,
    memory: MemoryQueryStore,
    form: str,
    group_by: tuple[str, ...],
) -> None:
    changes: dict[str, Any] = {"group_by": group_by}
    if group_by and group_by[0].startswith("metadata"):
        changes["relation"] = Relation("requests", 0)
    plan = measured_plan(seed, **changes)
    rows = read(store.export_measured(plan, form), form)
    right = read(memory.export_measured(plan, "csv"), "csv")
    assert list(rows[0]) == list(right[0])
    assert len(rows) == len(right)
    for row, expected in zip(rows, right, strict=True):
        for name in ("window_start", "window_end"):
            assert _instant(row[name]) == _instant(expected[name])
        assert [row[name] for name in group_by] == [expected[name] for name in group_by]
        assert int(row["requests"]) == int(expected["requests"])
        assert Decimal(str(row["cost_usd"])) == Decimal(expected["cost_usd"])
        for name in ("ttft_p90_ms", "rpm"):
            assert float(row[name] or 0) == pytest.approx(float(expected[name] or 0), rel=1e-9)


def test_a_file_of_one_window_has_its_groups(
    seed: QuerySeed, store: ClickHouseQueryStore, memory: MemoryQueryStore
) -> None:
    plan = measured_plan(
        seed, granularity=Granularity.TOTAL, windows=(seed.start,), window_ends=(seed.start + SPAN,)
    )
    rows = read(store.export_measured(plan, "csv"), "csv")
    right = read(memory.export_measured(plan, "csv"), "csv")
    assert sorted((row["model"], row["requests"]) for row in rows) == sorted(
        (row["model"], row["requests"]) for row in right
    )


def test_the_engine_guards_the_texts_that_a_spreadsheet_would_run(seed: QuerySeed) -> None:
    texts = ["", "=1+1", '=HYPERLINK("http://x")', "+49", "-1", "@SUM(A1)", "\t=1", "\r=1", "a=1"]
    texts += ["1-1", "ä", "'=1", "a\n=1", " =1", "\\t"]
    asked = f"SELECT {guarded('text')} FROM (SELECT arrayJoin({{texts:Array(String)}}) AS text)"
    found = [row[0] for row in seed.connection.reader().query(asked, {"texts": texts}).result_rows]
    assert found == [as_guarded(text) for text in texts]
    assert [text for text, shown in zip(texts, found, strict=True) if shown != text] == texts[1:8]


def test_an_unknown_form_is_refused(seed: QuerySeed, store: ClickHouseQueryStore) -> None:
    with pytest.raises(StoreError, match="csv, jsonl, parquet"):
        store.export_log(question(seed), "xml")


def test_a_file_may_be_read_by_several_threads_while_others_ask(
    seed: QuerySeed, store: ClickHouseQueryStore
) -> None:
    pieces = store.export_log(question(seed, limit=100_000), "csv")
    first = next(pieces)
    # This thread's own client is free meanwhile.
    assert store.log_count(question(seed), at_most=10**6) == len(seed.rows)
    rest: list[bytes] = []
    reader = threading.Thread(target=lambda: rest.extend(pieces))
    reader.start()
    reader.join()
    rows = list(csv.DictReader(io.StringIO(b"".join([first, *rest]).decode(), newline="")))
    assert len(rows) == len(seed.rows)
    abandoned = store.export_log(question(seed, limit=100_000), "csv")
    next(abandoned)
    abandoned.close()  # type: ignore[attr-defined]
    assert store.log_count(question(seed), at_most=5) == 5
