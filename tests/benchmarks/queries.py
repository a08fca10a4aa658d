"""How long dashboards wait: 7 days by hour, 200 groups, percentiles, over more than 50 million events.

Roll-up rows are made by the store itself (`INSERT SELECT`), as a merge leaves them: one row a model,
hour and status. All groups are about equally busy, which is the worst case for percentiles: every
hour of every model has a sketch of about 300 bins. What is asked goes through the query store, and
what it takes is the wall time and the CPU time of all its threads until the rows are in Python.
"""

from __future__ import annotations

import statistics
import sys
import time
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from inferometer.clickhouse.connect import StoreConnection
from inferometer.clickhouse.migrations import migrate
from inferometer.clickhouse.query_store import ClickHouseQueryStore
from inferometer.clickhouse.settings import StoreSettings
from inferometer.core.query.catalogue import measure
from inferometer.core.query.plans import MetricsPlan, Relation
from inferometer.core.query.questions import Granularity, Statuses, TimeRange
from inferometer.core.query.ranges import window_bounds
from tests.benchmarks.alone import run_alone
from tests.benchmarks.measuring import cpu_s
from tests.benchmarks.orchestration import in_process
from tests.benchmarks.parts import Part, Table

if TYPE_CHECKING:
    from multiprocessing.connection import Connection
    from pathlib import Path

    from tests.benchmarks.parts import Surroundings

GROUPS = 200
HOURS = 7 * 24
EVENTS = 52_000_000
FLOOR_MS, TARGET_MS = 500.0, 150.0
RUNS, QUICK_RUNS = 100, 15
_TIMEOUT_S = 1800.0
_TABLE = "service_1h_rows"
_STATUSES = (200, 429, 500)
_SHARES = (0.97, 0.02, 0.01)
_SKETCHES = {
    # Middle bin of the first model, how many the models are apart, and the spread in bins.
    "ttft": (1250, 50, 60),
    "e2e": (1490, 50, 60),
    "itl": (1000, 40, 40),
    "tpot": (1000, 40, 40),
    "queue": (800, 30, 90),
}


@dataclass(frozen=True, slots=True)
class Taken:
    """What one question took, run by run, in ms."""

    question: str
    cells: int
    wall_ms: list[float]
    cpu_ms: list[float]

    @property
    def p99_ms(self) -> float:
        """By nearest rank, as everywhere here."""
        ordered = sorted(self.wall_ms)
        return ordered[min(len(ordered) - 1, int(0.99 * len(ordered)))]


@dataclass(frozen=True, slots=True)
class Measured:
    """What was asked, and of how much."""

    rows: int
    events: int
    bins: int
    megabytes: float
    taken: list[Taken]


def fill_rollups(connection: StoreConnection, now: datetime, *, is_quick: bool = False) -> None:
    """Store roll-up rows of the week before the hour of an instant; of two days if quick."""
    end_s = int(now.timestamp()) // 3600 * 3600
    for day in range(2 if is_quick else HOURS // 24):
        connection.client().command(_insert(end_s, day * 24))
    connection.client().command(f"OPTIMIZE TABLE {_TABLE} FINAL")


def _insert(end_s: int, first_hour: int) -> str:
    """Return the text that makes the rows of a day, counted back from the end."""
    each = EVENTS / (GROUPS * HOURS)
    sketches = ",\n    ".join(
        # The bell of a lognormal distribution, each bin rounded up or down by chance.
        f"""if(place = 1, CAST(arrayFilter(pair -> pair.2 > 0, arrayMap(
            bin -> (toInt16(bin), toUInt64(floor(
                counted * 0.3989422804 / {spread} * exp(-0.5 * pow((bin - {middle} - m % {apart}) / {spread}, 2))
                + (cityHash64(number, hour, bin, {salt}) % 10000) / 10000.
            ))),
            range({middle - 4 * spread}, {middle + apart + 4 * spread})
        )), 'Map(Int16, UInt64)'), map())"""
        for salt, (middle, apart, spread) in enumerate(_SKETCHES.values())
    )
    columns = ", ".join(f"{name}_bins" for name in _SKETCHES)
    return f"""INSERT INTO {_TABLE} (
    window_start, workspace_id, environment, provider, model, model_type, region, deployment_type,
    traffic_class, status_code, error_type, attempts, requests, successes, rate_limited, errors_5xx,
    input_tokens, output_tokens, cost_usd, ttft_us_sum, ttft_count, e2e_us_sum, e2e_count, {columns})
WITH
    number % {len(_STATUSES)} + 1 AS place,
    intDiv(number, {len(_STATUSES)}) % {GROUPS} AS m,
    intDiv(number, {len(_STATUSES) * GROUPS}) + {first_hour} AS hour,
    toUInt64({each!r} * {list(_SHARES)}[place] * (0.5 + cityHash64(m) % 1001 / 1000.) + 1) AS counted
SELECT
    toDateTime({end_s} - 3600 * (hour + 1), 'UTC'), 'acme', 'production',
    concat('provider-', toString(m % 7)), concat('model-', toString(m)), 'text', 'eu', 'shared',
    'realtime', {list(_STATUSES)}[place], if(place = 1, '', 'refused'), counted, counted,
    if(place = 1, counted, 0), if(place = 2, counted, 0), if(place = 3, counted, 0),
    if(place = 1, counted * 900, 0), if(place = 1, counted * 200, 0),
    toDecimal128(if(place = 1, counted, 0), 12) * toDecimal128('0.001234567', 12),
    if(place = 1, counted * 300000, 0), if(place = 1, counted, 0),
    if(place = 1, counted * 3000000, 0), if(place = 1, counted, 0),
    {sketches}
FROM numbers({len(_STATUSES) * GROUPS * 24})"""


def questions(end: datetime) -> dict[str, MetricsPlan]:
    """Return what dashboards ask, by how a reader knows it."""
    summary = ("requests", "success_ratio", "ttft_p50_ms", "ttft_p99_ms", "cost_usd", "rpm")
    week = Granularity.H1
    return {
        "table: 200 models, p50 and p99 TTFT, rate, cost": _plan(
            end, Granularity.TOTAL, summary, GROUPS
        ),
        "chart: p99 TTFT by hour, 10 of 200 and the rest": _plan(end, week, ("ttft_p99_ms",), 10),
        "lines: p99 TTFT by hour, 200 of 200": _plan(end, week, ("ttft_p99_ms",), GROUPS),
        "tiles: p50, p99 TTFT, requests, cost by hour, no groups": _plan(
            end, week, ("ttft_p50_ms", "ttft_p99_ms", "requests", "cost_usd"), 0
        ),
        "counts: requests and failures by hour, 10 of 200": _plan(
            end, week, ("requests", "failure_ratio"), 10
        ),
    }


def _plan(
    end: datetime, granularity: Granularity, measures: tuple[str, ...], top: int
) -> MetricsPlan:
    time_range = TimeRange(end - timedelta(hours=HOURS), end)
    bounds = tuple(window_bounds(time_range, granularity))
    return MetricsPlan(
        relation=Relation(_TABLE, 3600),
        workspace_id="acme",
        measures=tuple(map(measure, measures)),
        time_range=time_range,
        granularity=granularity,
        windows=bounds[:-1],
        window_ends=bounds[1:],
        group_by=("model",) if top else (),
        filters=(),
        statuses=Statuses.SUCCESSES,
        top=top,
        order_by=measure("requests"),
    )


def run(pipe: Connection, folder: Path, runs: int) -> None:
    """Answer a `Measured`, or the exception that prevented it."""
    try:
        pipe.send(_measured(folder, runs))
    except BaseException as error:
        pipe.send(RuntimeError(repr(error)))
        raise


def _measured(folder: Path, runs: int) -> Measured:
    # Whole hours of the past: rows beyond the retention would be dropped at once.
    end = datetime.now(tz=UTC).replace(minute=0, second=0, microsecond=0)
    with StoreConnection(StoreSettings(data_dir=folder / "store")) as connection:
        migrate(connection, report=lambda _line: None)
        fill_rollups(connection, end)
        [(rows, events, bins)] = (
            connection.reader()
            .query(f"SELECT count(), sum(attempts), sum(length(ttft_bins)) FROM {_TABLE}")
            .result_rows
        )
        [(size,)] = (
            connection.reader()
            .query(
                f"SELECT sum(bytes_on_disk) FROM system.parts WHERE table = '{_TABLE}' AND active"
            )
            .result_rows
        )
        store = ClickHouseQueryStore(connection)
        taken = [_taken(store, name, plan, runs) for name, plan in questions(end).items()]
        return Measured(int(rows), int(events), int(bins), size / 1e6, taken)


def _taken(store: ClickHouseQueryStore, name: str, plan: MetricsPlan, runs: int) -> Taken:
    cells = len(store.measured(plan)[0])
    wall_ms, cpu_ms = [], []
    for _ in range(runs):
        began, began_cpu = time.perf_counter(), cpu_s()
        store.measured(plan)
        wall_ms.append((time.perf_counter() - began) * 1e3)
        cpu_ms.append((cpu_s() - began_cpu) * 1e3)
    return Taken(name, cells, wall_ms, cpu_ms)


def table(found: Measured, runs: int) -> Table:
    """Return the rows of the report."""
    return Table(
        title="Time of a dashboard's question over 7 days, ms",
        headers=(
            "question", "rows answered", "p50", "p99", "CPU p50", "CPU least", "at most", "target",
        ),
        rows=[
            [
                each.question, f"{each.cells:,}", f"{statistics.median(each.wall_ms):,.0f}",
                f"{each.p99_ms:,.0f}", f"{statistics.median(each.cpu_ms):,.0f}",
                f"{min(each.cpu_ms):,.0f}", f"{FLOOR_MS:g}", f"{TARGET_MS:g}",
            ]
            for each in found.taken
        ],
        notes=[
            f"{found.rows:,} rows of {_TABLE}: {found.events / 1e6:,.1f} M events, "
            f"{found.bins / 1e6:,.1f} M bins of TTFT alone, {found.megabytes:,.0f} MB on disk.",
            f"{runs} runs each, one after another, embedded engine; CPU of all threads.",
        ],
        facts={
            each.question: {
                "p50_ms": statistics.median(each.wall_ms),
                "p99_ms": each.p99_ms,
                "cpu_p50_ms": statistics.median(each.cpu_ms),
                "rows": each.cells,
            }
            for each in found.taken
        },
    )  # fmt: skip


def _run(surroundings: Surroundings) -> list[Table]:
    runs = QUICK_RUNS if surroundings.is_quick else RUNS
    found: Measured = in_process(run, surroundings.folder, runs, timeout_s=_TIMEOUT_S)
    return [table(found, runs)]


PART = Part(
    what="questions of dashboards: 7 days, 200 groups, percentiles", run=_run, needs_kafka=False
)

if __name__ == "__main__":
    sys.exit(run_alone("queries", PART, __doc__ or ""))
