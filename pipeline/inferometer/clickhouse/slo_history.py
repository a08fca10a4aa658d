"""Counts what the log holds as an objective counts events: by group and cell of ten seconds.

Exact as live counting is: durations and costs are compared as they were sent. Of a missed deadline
the log only has the final event, so it counts when the request ended and not when it was late.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from inferometer.core.slo.definitions import Availability, Cost, CostPer, Duration, Latency
from inferometer.core.slo.stored_counts import StoredCounts
from inferometer.errors import StateError
from inferometer.names import REQUESTS_TABLE

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import datetime

    from inferometer.clickhouse.connect import StoreConnection
    from inferometer.core.alerts.matchers import Matcher
    from inferometer.core.slo.definitions import Slo

_CLASS = "status_class_of(status_code)"
_DURATIONS = {
    Duration.TTFT: "ttft_ms",
    Duration.E2E: "e2e_ms",
    Duration.TPOT: "tpot_ms",
    Duration.QUEUE: "queue_ms",
}
_FAILED = ("5xx", "429", "other")


@dataclass(frozen=True, slots=True)
class SloCells:
    """The cells of an objective in [since, until), with the least and greatest failing caller."""

    slo: Slo
    since: datetime
    until: datetime

    def sql(self) -> tuple[str, dict[str, Any]]:
        """Return the text and its parameters. Raises StateError for what the log cannot tell."""
        parameters: dict[str, Any] = {"since": self.since, "until": self.until}
        valid, bad = _judged(self.slo, parameters)
        where = ["ts_end >= {since:DateTime64(6, 'UTC')}", "ts_end < {until:DateTime64(6, 'UTC')}"]
        if self.slo.workspace:
            parameters["workspace"] = self.slo.workspace
            where.append("workspace_id = {workspace:String}")
        where += _selected(self.slo.selector, parameters)
        group = [
            f"toString({name}) AS group_{place}" for place, name in enumerate(self.slo.group_by)
        ]
        names = [f"group_{place}" for place in range(len(self.slo.group_by))]
        caller = f"toString({self.slo.principal})" if self.slo.principal else "''"
        # The ends of the range stand for no caller.
        hashed = "greatest(1, least(4294967294, bitShiftRight(cityHash64(caller), 32)))"
        columns = ",\n    ".join(
            [
                "toInt64(intDiv(toUnixTimestamp(ts_end), 10) * 10) AS cell_s",
                *group,
                "count() AS total",
                "countIf(is_bad) AS bad",
                f"minIf({hashed}, is_bad AND caller != '') AS least",
                f"maxIf({hashed}, is_bad AND caller != '') AS greatest",
                "countIf(is_bad AND caller != '') AS known",
            ]
        )
        text = f"""WITH
    {caller} AS caller,
    coalesce({bad}, false) AS is_bad
SELECT
    {columns}
FROM {REQUESTS_TABLE}
WHERE {" AND ".join(where)}
  AND {valid}
GROUP BY {", ".join(["cell_s", *names])}
ORDER BY {", ".join(["cell_s", *names])}"""  # noqa: S608 - names of the contract; values are bound
        return text, parameters


def _judged(slo: Slo, parameters: dict[str, Any]) -> tuple[str, str]:
    """Return the conditions for a valid request, and for a bad one."""
    match slo.indicator:
        case Availability() as indicator:
            parameters |= {"bad": sorted(indicator.bad), "excluded": sorted(indicator.excluded)}
            valid = f"is_final AND {_CLASS} NOT IN {{excluded:Array(String)}}"
            return valid, f"{_CLASS} IN {{bad:Array(String)}} OR deadline_missed"
        case Latency() as indicator:
            parameters["threshold_ms"] = indicator.threshold_us / 1000
            present, slow = _slower(indicator)
            valid, failed = f"{_CLASS} = '2xx' AND {present}", "false"
            if indicator.counts_failed:
                parameters["failed"] = list(_FAILED)
                failed = f"{_CLASS} IN {{failed:Array(String)}}"
            return f"is_final AND ({valid} OR {failed})", f"{failed} OR {slow}"
        case Cost(per=CostPer.REQUEST) as indicator:
            parameters["threshold_usd"] = str(indicator.threshold_usd)
            valid = "is_final AND cost_status != 'unpriced'"
            return valid, "price_cost > toDecimal128({threshold_usd:String}, 12)"
        case _:
            raise StateError(
                f"{slo.name}: the log cannot tell what a {type(slo.indicator).__name__} objective of "
                "this kind counts; back-tested are availability, latency and cost per request"
            )


def _slower(indicator: Latency) -> tuple[str, str]:
    """Return the conditions for a duration to be there, and to be over the threshold."""
    threshold = "toDecimal64({threshold_ms:Float64}, 3)"
    if indicator.duration is Duration.ITL:
        return "itl_count > 0", f"itl_sum_ms > itl_count * {threshold}"
    column = _DURATIONS[indicator.duration]
    return f"{column} IS NOT NULL", f"{column} > {threshold}"


def _selected(selector: Iterable[Matcher], parameters: dict[str, Any]) -> list[str]:
    found = []
    for number, matcher in enumerate(selector):
        name = f"match_{number}"
        # The whole value must match, as everywhere.
        parameters[name] = f"^(?:{matcher.value})$" if matcher.is_regex else matcher.value
        column = f"toString({matcher.name})"
        met = (
            f"match({column}, {{{name}:String}})"
            if matcher.is_regex
            else (f"{column} = {{{name}:String}}")
        )
        found.append(met if matcher.is_equal else f"NOT {met}")
    return found


class ClickHouseSloHistory:
    """A `SloHistory` on an open connection."""

    def __init__(self, connection: StoreConnection) -> None:
        self._connection = connection

    def counts(self, slo: Slo, *, since: datetime, until: datetime) -> StoredCounts:
        """Return the cells of an objective; see `SloHistory.counts`."""
        text, parameters = SloCells(slo, since, until).sql()
        with self._connection.errors():
            rows = self._connection.reader().query(text, parameters).result_rows
        groups: dict[tuple[str, ...], int] = {}
        size = len(slo.group_by)
        columns = np.empty((5, len(rows)), np.int64)
        group = np.empty(len(rows), np.int32)
        for place, row in enumerate(rows):
            group[place] = groups.setdefault(tuple(row[1 : 1 + size]), len(groups))
            total, bad, least, greatest, known = row[1 + size :]
            columns[:, place] = (
                row[0], total, bad,
                least if known else StoredCounts.NO_LOW,
                greatest if known else StoredCounts.NO_HIGH,
            )  # fmt: skip
        cells_s, totals, bads, lows, highs = columns
        return StoredCounts(
            groups=tuple(groups), group=group, cells_s=cells_s,
            totals=totals, bads=bads, lows=lows, highs=highs,
        )  # fmt: skip

    def oldest(self) -> datetime | None:
        """Return where the log begins; see `SloHistory.oldest`."""
        text = f"SELECT minOrNull(ts_end) FROM {REQUESTS_TABLE}"  # noqa: S608 - a constant
        with self._connection.errors():
            rows = self._connection.reader().query(text, tz_mode="aware").result_rows
        found: datetime | None = rows[0][0]
        return found
