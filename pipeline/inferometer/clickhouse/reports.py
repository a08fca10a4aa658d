"""Asks the store what the commands show: totals of a run, sketches, the live view by model."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from inferometer.core.cubes import RESOLUTION_1H, SERVICE, SKETCHES, bins_column, rows_table
from inferometer.core.reports import ModelRow, Sketches, StreamTotals
from inferometer.names import DEAD_LETTERS_TABLE, LEDGER_TABLE, REQUESTS_TABLE

if TYPE_CHECKING:
    from datetime import datetime

    from inferometer.clickhouse.connect import StoreConnection


@dataclass(frozen=True, slots=True)
class StreamTotalsQuery:
    """The totals of a stream, from log, dead letters and ledger."""

    stream_id: str

    def sql(self) -> tuple[str, dict[str, Any]]:
        """Return the text and its parameters."""
        text = f"""WITH {{stream_id:String}} AS wanted
SELECT
    count() AS stored,
    (SELECT count() FROM {DEAD_LETTERS_TABLE} WHERE stream_id = wanted) AS dead_lettered,
    (SELECT sum(duplicates) FROM {LEDGER_TABLE} WHERE stream_id = wanted) AS duplicates,
    sum(input_tokens) AS input_tokens,
    sum(output_tokens) AS output_tokens,
    sum(price_cost) AS cost_usd,
    countIf(cost_status = 'unpriced') AS unpriced,
    uniqExact(toStartOfInterval(ts_end, INTERVAL 10 SECOND, 'UTC')) AS windows
FROM {REQUESTS_TABLE}
WHERE stream_id = wanted"""  # noqa: S608 - constants
        return text, {"stream_id": self.stream_id}


@dataclass(frozen=True, slots=True)
class SketchesQuery:
    """The sketches of everything stored, from the coarsest roll-up of the service cube."""

    def sql(self) -> tuple[str, dict[str, Any]]:
        """Return the text and its parameters."""
        columns = ", ".join(
            f"sumMap(rows.{bins_column(name)}) AS {bins_column(name)}" for name in SKETCHES
        )
        table = rows_table(SERVICE, RESOLUTION_1H)
        return f"SELECT {columns} FROM {table} AS rows", {}  # noqa: S608 - constants


@dataclass(frozen=True, slots=True)
class LiveQuery:
    """Every model since an instant, the busiest first."""

    since: datetime
    span_s: float

    def sql(self) -> tuple[str, dict[str, Any]]:
        """Return the text and its parameters."""
        text = """SELECT
    model,
    sum(requests) / {span_s:Float64} AS rps,
    sum(requests) AS request_count,
    success_ratio(sum(successes), request_count) AS success_share,
    quantile_ms(sumMap(ttft_bins), 0.5),
    quantile_ms(sumMap(ttft_bins), 0.9),
    quantile_ms(sumMap(ttft_bins), 0.99),
    quantile_ms(sumMap(e2e_bins), 0.5),
    quantile_ms(sumMap(e2e_bins), 0.9),
    quantile_ms(sumMap(e2e_bins), 0.99),
    sum(input_tokens) + sum(output_tokens),
    sum(cost_usd) AS cost,
    sum(unpriced_requests)
FROM model_10s
WHERE window_start >= {since:DateTime('UTC')}
GROUP BY model
ORDER BY request_count DESC, model"""
        return text, {"since": self.since, "span_s": self.span_s}


@dataclass(frozen=True, slots=True)
class RateQuery:
    """Requests a second in each window of 10 s since an instant."""

    since: datetime

    def sql(self) -> tuple[str, dict[str, Any]]:
        """Return the text and its parameters."""
        text = """SELECT window_start, sum(requests) / 10
FROM service_10s
WHERE window_start >= {since:DateTime('UTC')}
GROUP BY window_start
ORDER BY window_start"""
        return text, {"since": self.since}


class StoreReports:
    """Answers the queries above on an open connection; each calling thread has its own client."""

    def __init__(self, connection: StoreConnection) -> None:
        self._connection = connection

    def stream_totals(self, stream_id: str) -> StreamTotals:
        """Return what became of a stream. Raises StoreError."""
        [row] = self._rows(StreamTotalsQuery(stream_id).sql())
        return StreamTotals(*row)

    def sketches(self) -> Sketches:
        """Return the sketch of each duration over everything stored. Raises StoreError."""
        [row] = self._rows(SketchesQuery().sql())
        return {name: dict(bins) for name, bins in zip(SKETCHES, row, strict=True)}

    def models_since(self, since: datetime, span_s: float) -> list[ModelRow]:
        """Return every model since an instant, the busiest first. Raises StoreError."""
        return [ModelRow(*row) for row in self._rows(LiveQuery(since, span_s).sql())]

    def rates_since(self, since: datetime) -> list[tuple[datetime, float]]:
        """Return requests a second by window of 10 s. Raises StoreError."""
        return [(start, float(rps)) for start, rps in self._rows(RateQuery(since).sql())]

    def _rows(self, query: tuple[str, dict[str, Any]]) -> list[Any]:
        text, parameters = query
        with self._connection.errors():
            return list(self._connection.reader().query(text, parameters).result_rows)
