"""Questions of the log and of measures about the seeded store, and files read back."""

from __future__ import annotations

import csv
import io
import json
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pyarrow.parquet as pq

from inferometer.core.query.catalogue import measure
from inferometer.core.query.plans import MetricsPlan, Relation
from inferometer.core.query.questions import (
    Granularity,
    LogQuery,
    Statuses,
    TimeRange,
)
from tests.integration.query_seed import SPAN, QuerySeed

if TYPE_CHECKING:
    from collections.abc import Iterator


def whole(seed: QuerySeed) -> TimeRange:
    return TimeRange(seed.start, seed.start + SPAN)


def question(seed: QuerySeed, **changes: Any) -> LogQuery:
    return replace(LogQuery(workspace_id=None, time_range=whole(seed)), **changes)


def measured_plan(seed: QuerySeed, **changes: Any) -> MetricsPlan:
    starts = tuple(seed.start + timedelta(hours=hour) for hour in range(50))
    plan = MetricsPlan(
        relation=Relation("service_1h_rows", 3600),
        workspace_id=None,
        measures=(measure("requests"), measure("cost_usd"), measure("ttft_p90_ms"), measure("rpm")),
        time_range=whole(seed),
        granularity=Granularity.H1,
        windows=starts,
        window_ends=(*starts[1:], seed.start + SPAN),
        group_by=("model", "status_class"),
        filters=(),
        statuses=Statuses.SUCCESSES,
        top=1,
        order_by=measure("requests"),
    )
    return replace(plan, **changes)


def read(pieces: Iterator[bytes], form: str) -> list[dict[str, Any]]:
    """Return the rows of a file."""
    data = b"".join(pieces)
    if form == "csv":
        return list(csv.DictReader(io.StringIO(data.decode(), newline="")))
    if form == "jsonl":
        return [json.loads(line, parse_float=Decimal) for line in data.decode().split("\n") if line]
    rows: list[dict[str, Any]] = pq.read_table(io.BytesIO(data)).to_pylist()
    return rows
