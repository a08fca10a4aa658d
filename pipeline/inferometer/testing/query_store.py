"""A QueryStore in memory: plain Python over rows of the log, and lists of what else a store has."""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from inferometer.core.cubes import CUBES, rows_table
from inferometer.core.query.answers import DimensionValue, Freshness, MeasuredRow
from inferometer.core.query.planning import range_length_s, window_lengths_s
from inferometer.core.query.plans import LOG, OTHER
from inferometer.testing.bills import MemoryBills
from inferometer.testing.margins import MemoryMargins
from inferometer.testing.query_files import exported
from inferometer.testing.query_sums import (
    SUCCESS,
    GroupSums,
    folded_text,
    matches,
    placed,
    text_of,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from inferometer.core.query.plans import MetricsPlan
    from inferometer.core.query.questions import Filter, LogQuery, TimeRange, ValuesQuery

    Row = dict[str, Any]
    Group = tuple[str, ...]

KEPT_DAYS = {
    **{
        rows_table(cube, resolution): {10: 7, 60: 90, 3600: 1095}[resolution.seconds]
        for cube in CUBES
        for resolution in cube.resolutions
    },
    LOG: 14,
    "dead_letters": 14,
}
PAGE_COLUMNS = (
    "request_id", "event_id", "ts_end", "model", "total_tokens", "input_tokens", "output_tokens",
    "ttft_ms", "e2e_ms", "status_code", "status_class", "error_type", "user_id", "workspace_id",
    "cost_usd", "attempt_no", "is_final",
)  # fmt: skip
_DEFAULTS: Row = {
    "request_id": "", "event_id": "", "model": "", "input_tokens": 0, "output_tokens": 0,
    "ttft_ms": None, "e2e_ms": None, "status_code": 200, "error_type": "", "user_id": "",
    "workspace_id": "", "attempt_no": 1, "is_final": True, "metadata": {},
}  # fmt: skip
_US = timedelta(microseconds=1)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class MemoryQueryStore(MemoryMargins, MemoryBills):
    """Answers from rows named as the log's columns; a missing column has its default."""

    def __init__(
        self,
        rows: Iterable[Mapping[str, Any]] = (),
        *,
        kept_days: Mapping[str, int] = KEPT_DAYS,
        watermark: datetime | None = None,
        folded_values: Mapping[str, frozenset[str]] | None = None,
    ) -> None:
        self.rows: list[Row] = [_DEFAULTS | dict(row) for row in rows]
        self.asked: list[MetricsPlan] = []
        """Every plan that was answered, in order."""
        self.asked_margins = []
        self.watermark = watermark
        self.partition_rows: list[Row] = []
        self.dead_letter_rows: list[Row] = []
        """With reason, decided_at, value, kafka_offset and what else a page shows."""
        self.price_rows: list[Row] = []
        self.bills = []
        self._kept_days = dict(kept_days)
        self.folded_values = dict(folded_values or {})
        self._failures: list[Exception] = []

    def fail_next(self, *errors: Exception) -> None:
        """Let the next questions raise these, one each."""
        self._failures.extend(errors)

    def _ask(self) -> None:
        if self._failures:
            raise self._failures.pop(0)

    def kept_days(self) -> dict[str, int]:
        """Return the days that each table keeps; see `QueryStore.kept_days`."""
        self._ask()
        return dict(self._kept_days)

    def freshness(self) -> Freshness:
        """Return the watermark that the store was made with; see `QueryStore.freshness`."""
        self._ask()
        return Freshness(self.watermark, self.watermark)

    def measured(self, plan: MetricsPlan) -> tuple[list[MeasuredRow], int]:
        """Return the rows of a plan; see `QueryStore.measured`."""
        self._ask()
        self.asked.append(plan)
        cells = self._cells(plan)
        groups = {group for group, _ in cells if group is not None}
        own = self._own_groups(plan, cells, groups)
        found: dict[tuple[Group | None, int | None], list[Row]] = defaultdict(list)
        for (group, index), rows in cells.items():
            shown = group if group is None or group in own else (OTHER,) * len(plan.group_by)
            for place in (index, None):
                found[shown, place].extend(rows)
        return [
            self._measured_row(plan, group, index, rows) for (group, index), rows in found.items()
        ], len(groups)

    def export_measured(self, plan: MetricsPlan, form: str) -> Iterator[bytes]:
        """Yield (window, group) rows of a plan; see `QueryStore.export_measured`."""
        self._ask()
        cells = self._cells(plan)
        wanted = {key for key in cells if (key[0] is not None) == bool(plan.group_by)}
        rows = []
        for group, index in sorted(wanted, key=lambda key: (key[1], key[0] or ())):
            measured = self._measured_row(plan, group, index, cells[group, index])
            rows.append(
                {"window_start": plan.windows[index], "window_end": plan.window_ends[index]}
                | dict(zip(plan.group_by, group or (), strict=True))
                | {m.name: v for m, v in zip(plan.measures, measured.values, strict=True)}
            )
        names = ["window_start", "window_end", *plan.group_by, *(m.name for m in plan.measures)]
        yield from exported(rows, names, form)

    def _cells(self, plan: MetricsPlan) -> dict[tuple[Group | None, int], list[Row]]:
        """Return rows by group and window, and by window over all groups (`None`)."""
        cells: dict[tuple[Group | None, int], list[Row]] = defaultdict(list)
        names = {*plan.group_by, *(condition.dimension for condition in plan.filters)}
        for row in self._between(plan.workspace_id, plan.time_range, plan.relation.window_s):
            texts = {name: text_of(row, name) for name in names}
            if not plan.relation.is_log:
                nothing: frozenset[str] = frozenset()
                texts = {
                    n: folded_text(t, self.folded_values.get(n, nothing)) for n, t in texts.items()
                }
            if all(matches(texts, condition) for condition in plan.filters):
                at = placed(row["ts_end"], plan.relation.window_s)
                index = sum(start <= at for start in plan.windows) - 1
                cells[None, index].append(row)
                if plan.group_by:
                    cells[tuple(texts[name] for name in plan.group_by), index].append(row)
        return cells

    def _own_groups(
        self,
        plan: MetricsPlan,
        cells: Mapping[tuple[Group | None, int], list[Row]],
        groups: set[Group],
    ) -> set[Group]:
        if plan.groups is not None:
            return set(plan.groups)
        ranks = []
        for group in groups - {(OTHER,) * len(plan.group_by)}:
            rows = [row for key, part in cells.items() if key[0] == group for row in part]
            only = replace(plan, measures=(plan.order_by,))
            [value] = self._measured_row(only, group, None, rows).values
            ranks.append((value is None, -float(value or 0), group))
        return {group for _, _, group in sorted(ranks)[: plan.top]}

    def _measured_row(
        self, plan: MetricsPlan, group: Group | None, index: int | None, rows: Sequence[Row]
    ) -> MeasuredRow:
        sums = GroupSums()
        for row in rows:
            is_counted = plan.statuses == "all" or text_of(row, "status_class") == SUCCESS
            sums.add(row, counts_latency=is_counted)
        length_s = range_length_s(plan) if index is None else window_lengths_s(plan)[index]
        values = tuple(sums.value(measure.form, length_s) for measure in plan.measures)
        return MeasuredRow(None if index is None else plan.windows[index], group, values)

    def _between(
        self, workspace_id: str | None, time_range: TimeRange, window_s: int = 0
    ) -> Iterator[Row]:
        for row in self.rows:
            is_inside = time_range.start <= placed(row["ts_end"], window_s) < time_range.end
            if is_inside and workspace_id in {None, row["workspace_id"]}:
                yield row

    def _logged(self, query: LogQuery) -> list[Row]:
        found = []
        for row in self._between(query.workspace_id, query.time_range):
            place = (_us(row["ts_end"]), row["event_id"])
            if (
                query.request_id in {"", row["request_id"]}
                and query.event_id in {"", row["event_id"]}
                and (row["is_final"] or not query.is_final_only)
                and _keeps(row, query.filters)
                and (query.after is None or place < (query.after.ts_end_us, query.after.event_id))
            ):
                found.append(row)
        return sorted(found, key=lambda row: (row["ts_end"], row["event_id"]), reverse=True)

    def log_rows(self, query: LogQuery) -> list[Row]:
        """Return rows of the log, newest first; see `QueryStore.log_rows`."""
        self._ask()
        return [
            {name: _page_value(row, name) for name in PAGE_COLUMNS}
            for row in self._logged(query)[: query.limit]
        ]

    def log_count(self, query: LogQuery, *, at_most: int) -> int:
        """Return how many rows a question has; see `QueryStore.log_count`."""
        self._ask()
        return min(len(self._logged(replace(query, after=None))), at_most)

    def export_log(self, query: LogQuery, form: str) -> Iterator[bytes]:
        """Yield rows of the log; see `QueryStore.export_log`."""
        self._ask()
        names = list(dict.fromkeys((*PAGE_COLUMNS, *(name for row in self.rows for name in row))))
        rows = [
            {name: _page_value(row, name) for name in names}
            for row in self._logged(query)[: query.limit]
        ]
        yield from exported(rows, names, form)

    def attempts(self, workspace_id: str | None, request_id: str) -> list[Row]:
        """Return every attempt of a request; see `QueryStore.attempts`."""
        self._ask()
        found = [
            {**row, **{name: _page_value(row, name) for name in PAGE_COLUMNS}}
            for row in self.rows
            if row["request_id"] == request_id and workspace_id in {None, row["workspace_id"]}
        ]
        return sorted(found, key=lambda row: (row["attempt_no"], row["ts_end"]))

    def values(self, query: ValuesQuery) -> list[DimensionValue]:
        """Return values of a dimension; see `QueryStore.values`."""
        self._ask()
        counts = Counter(
            text_of(row, query.dimension)
            for row in self._between(query.workspace_id, query.time_range)
            if _keeps(row, query.filters) and row["is_final"]
        )
        return [value for value in _counted(counts) if value.value.startswith(query.prefix)][
            : query.limit
        ]

    def metadata_keys(
        self, workspace_id: str | None, time_range: TimeRange
    ) -> list[DimensionValue]:
        """Return the metadata keys that were sent; see `QueryStore.metadata_keys`."""
        self._ask()
        return _counted(
            Counter(
                key
                for row in self._between(workspace_id, time_range)
                if row["is_final"]
                for key in row["metadata"]
            )
        )

    def seconds(self, workspace_id: str | None, since: datetime, until: datetime) -> list[Row]:
        """Return sums by second and model; see `QueryStore.seconds`."""
        self._ask()
        found: dict[tuple[datetime, str], GroupSums] = defaultdict(GroupSums)
        for row in self.rows:
            if since <= row["ts_end"] < until and workspace_id in {None, row["workspace_id"]}:
                key = (row["ts_end"].replace(microsecond=0), row["model"])
                found[key].add(row, counts_latency=False)
        return [
            {
                "at": at,
                "model": model,
                "requests": sums.sums.get("requests", 0),
                "failures": sums.sums.get("requests", 0) - sums.sums.get("successes", 0),
                "output_tokens": sums.sums["output_tokens"],
                "cost_usd": sums.sums["cost_usd"],
            }
            for (at, model), sums in sorted(found.items())
        ]

    def prices(self, at: datetime) -> list[Row]:
        """Return `price_rows`; see `QueryStore.prices`."""
        self._ask()
        return list(self.price_rows)

    def unpriced(self, workspace_id: str | None, time_range: TimeRange) -> list[Row]:
        """Return models that lack a price; see `QueryStore.unpriced`."""
        self._ask()
        found: dict[tuple[str, str], GroupSums] = defaultdict(GroupSums)
        for row in self._between(workspace_id, time_range):
            found[row.get("provider", ""), row["model"]].add(row, counts_latency=False)
        columns = (
            "attempts", "unpriced_requests", "partially_priced_requests", "input_tokens",
            "output_tokens",
        )  # fmt: skip
        return [
            {"provider": provider, "model": model, **{name: sums.sums[name] for name in columns}}
            for (provider, model), sums in sorted(found.items())
            if sums.sums["unpriced_requests"] + sums.sums["partially_priced_requests"]
        ]

    def partitions(self) -> list[Row]:
        """Return `partition_rows`; see `QueryStore.partitions`."""
        self._ask()
        return list(self.partition_rows)

    def dead_letter_counts(self, time_range: TimeRange) -> list[Row]:
        """Return dead letters by reason; see `QueryStore.dead_letter_counts`."""
        self._ask()
        by_reason: dict[str, list[datetime]] = defaultdict(list)
        for row in self.dead_letter_rows:
            if time_range.start <= row["decided_at"] < time_range.end:
                by_reason[row["reason"]].append(row["decided_at"])
        return [
            {"reason": reason, "count": len(at), "first_at": min(at), "last_at": max(at)}
            for reason, at in sorted(by_reason.items(), key=lambda item: (-len(item[1]), item[0]))
        ]

    def dead_letters(
        self, time_range: TimeRange, *, reason: str, limit: int, before: tuple[int, str] | None
    ) -> list[Row]:
        """Return dead letters, newest first; see `QueryStore.dead_letters`."""
        self._ask()
        rows = [
            {"place": _dead_letter_place(row), **row}
            for row in self.dead_letter_rows
            if time_range.start <= row["decided_at"] < time_range.end
            and reason in {"", row["reason"]}
        ]
        found = [
            row for row in rows if before is None or (_us(row["decided_at"]), row["place"]) < before
        ]
        found.sort(key=lambda row: (row["decided_at"], row["place"]), reverse=True)
        return found[:limit]

    def folded(self) -> list[Row]:
        """Return what is folded; see `QueryStore.folded`."""
        self._ask()
        return [
            {"dimension": name, "folded_events": len(values)}
            for name, values in self.folded_values.items()
        ]


def _dead_letter_place(row: Mapping[str, Any]) -> str:
    """Return what orders dead letters of one instant."""
    places = (row.get(name, 0) for name in ("kafka_partition", "kafka_offset", "kafka_index"))
    return "/".join(f"{place:020}" for place in places)


def _us(at: datetime) -> int:
    return (at - _EPOCH) // _US


def _keeps(row: Row, filters: Iterable[Filter]) -> bool:
    return all(
        matches({condition.dimension: text_of(row, condition.dimension)}, condition)
        for condition in filters
    )


def _page_value(row: Row, name: str) -> Any:
    if name == "total_tokens":
        return row["input_tokens"] + row["output_tokens"]
    if name == "status_class":
        return text_of(row, name)
    if name == "cost_usd":
        return Decimal(str(row.get("price_cost", row.get("cost_usd", 0))))
    return row.get(name)


def _counted(counts: Counter[str]) -> list[DimensionValue]:
    ranked = sorted(counts.items(), key=lambda item: (-item[1], item[0]))
    return [DimensionValue(value, requests) for value, requests in ranked]
