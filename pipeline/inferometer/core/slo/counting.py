"""Counting: what a chunk's events add to the cells of each objective, rule and budget.

Invariants: counts are a pure function of events and definition, and add up in any order; durations
and costs are compared exactly; a request is bad once for one objective: a final event that says
that its deadline was missed is left to the signal that was sent for it.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass, field, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa

from inferometer.core.columns import MISSING
from inferometer.core.cubes import COST_MEASURE
from inferometer.core.door import status_classes
from inferometer.core.duplicates import hash_texts
from inferometer.core.events import STATUS_CLASSES
from inferometer.core.money import usd_to_pico
from inferometer.core.sketches import bins_of_us
from inferometer.core.slo.definitions import (
    Availability,
    BatchIsolation,
    Cost,
    CostPer,
    Duration,
    Latency,
)
from inferometer.core.slo.drawn_requests import dimensions_of, draw
from inferometer.core.slo.event_view import into_cells, selected

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from numpy.typing import NDArray

    from inferometer.core.alerts.matchers import Matcher
    from inferometer.core.columns import CodeColumn, EventColumns
    from inferometer.core.price_columns import CostColumns
    from inferometer.core.rollups import Measured
    from inferometer.core.slo.definitions import Slo
    from inferometer.core.slo.drawn_requests import DrawnRequests
    from inferometer.core.slo.event_view import Cells, EventView, Flags, SignalView, View

NO_PRINCIPAL_LOW = 2**32 - 1
NO_PRINCIPAL_HIGH = 0
"""Of a cell without failures of a known caller: the neutral elements of minimum and maximum."""
BATCH_REQUESTS = "batch_requests"
DURATION_BINS = "duration_bins"
_BIN_BITS = 16
_BIN_SHIFT = 1 << 15
FAILED_CLASSES = ("5xx", "429", "other")
_US_COLUMNS = {
    Duration.TTFT: "ttft_ms",
    Duration.E2E: "e2e_ms",
    Duration.TPOT: "tpot_ms",
    Duration.QUEUE: "queue_ms",
}
"""Named as on the wire, held in microseconds."""


@dataclass(frozen=True, slots=True)
class BinCounts:
    """A sketch of each cell: `counts[i]` values in `bins[i]` for row `row[i]` of the table."""

    row: NDArray[np.int32]
    bins: NDArray[np.int16]
    counts: NDArray[np.int64]


NO_BINS = BinCounts(np.zeros(0, np.int32), np.zeros(0, np.int16), np.zeros(0, np.int64))


@dataclass(frozen=True, slots=True)
class CountTable:
    """What one chunk adds for one name: one row a (group, cell of 10 s) that got anything."""

    name: str
    """`workspace/name` of the objective, rule or budget."""
    digest: str
    """Of what decides the counting; counts of another definition are not to be mixed in."""
    groups: tuple[tuple[str, ...], ...]
    group: NDArray[np.int32]
    cells_s: NDArray[np.int64]
    """Start of the cell, seconds since 1970."""
    columns: Mapping[str, NDArray[np.int64]]
    bins: Mapping[str, BinCounts] = field(default_factory=dict)
    drawn: DrawnRequests | None = None
    """Some of its requests, where each is judged alone."""

    def __len__(self) -> int:
        return len(self.cells_s)


def table_name(workspace: str, name: str) -> str:
    """Return the name under which counts of a definition travel."""
    return f"{workspace}/{name}"


def counting_digest(workspace: str, decides: object, selector: Any, group_by: Any) -> str:
    """Return what changes whenever counts would mean something else; 16 hexadecimal digits."""
    stated = [
        workspace,
        type(decides).__name__,
        asdict(decides) if hasattr(decides, "__dataclass_fields__") else decides,  # type: ignore[call-overload]
        [str(matcher) for matcher in selector],
        list(group_by),
    ]
    text = json.dumps(stated, sort_keys=True, default=_plain)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def _plain(value: object) -> object:
    return sorted(value) if isinstance(value, frozenset) else str(value)


def slo_digest(slo: Slo) -> str:
    """Return the digest of what an objective counts; its thresholds of alerting are no part."""
    return counting_digest(
        slo.workspace, slo.indicator, slo.selector, (*slo.group_by, slo.principal)
    )


def count_slo(slo: Slo, view: EventView, costs: CostColumns | None = None) -> CountTable:
    """Count the requests of a chunk for one objective. Costs are needed by indicators of cost."""
    if isinstance(slo.indicator, BatchIsolation):
        return _isolation_table(slo, view)
    valid, bad = _judge(slo, view.events, costs)
    valid &= selected(view, slo.workspace, slo.selector)
    cells = into_cells(view, valid, slo.group_by)
    rows, chosen_bad = np.flatnonzero(valid), bad[valid]
    columns = {
        "total": np.bincount(cells.cell_of, minlength=len(cells)).astype(np.int64),
        "bad": cells.counts(chosen_bad),
        **_principals(slo, view, cells, rows, chosen_bad),
    }
    if isinstance(slo.indicator, Cost) and costs is not None:
        columns[COST_MEASURE] = cells.sums(costs.numbers["price_cost"][valid])
        if slo.indicator.per is CostPer.MINUTE:
            return _table(slo, cells, columns)
    drawn = draw(view, rows, cells.cell_of, chosen_bad, dimensions_of(slo))
    return _table(slo, cells, columns, drawn)


def _table(
    slo: Slo,
    cells: Cells,
    columns: dict[str, NDArray[np.int64]],
    drawn: DrawnRequests | None = None,
) -> CountTable:
    return CountTable(
        name=table_name(slo.workspace, slo.name),
        digest=slo_digest(slo),
        groups=cells.groups,
        group=cells.group,
        cells_s=cells.cells_s,
        columns=columns,
        drawn=drawn,
    )


def _judge(slo: Slo, events: EventColumns, costs: CostColumns | None) -> tuple[Flags, Flags]:
    """Return which events are valid, and which are bad."""
    final = events.numbers["is_final"] != 0
    match slo.indicator:
        case Availability() as indicator:
            return _available(indicator, events, final)
        case Latency() as indicator:
            return _in_time(indicator, events, final)
        case Cost() as indicator:
            return _within_cost(indicator, costs, final)
        case _:
            raise TypeError(f"no events are judged by {slo.indicator!r}")


def _classes(events: EventColumns, wanted: Iterable[str]) -> Flags:
    chosen = set(wanted)
    is_wanted = np.array([name in chosen for name in STATUS_CLASSES])
    found: Flags = is_wanted[status_classes(events.numbers["status_code"])]
    return found


def _available(indicator: Availability, events: EventColumns, final: Flags) -> tuple[Flags, Flags]:
    told = events.numbers["deadline_missed"] != 0
    valid = final & ~told & ~_classes(events, indicator.excluded)
    return valid, _classes(events, indicator.bad)


def _in_time(indicator: Latency, events: EventColumns, final: Flags) -> tuple[Flags, Flags]:
    took_us, has_duration = _durations(indicator.duration, events)
    slow = _slower(indicator, events, took_us, has_duration)
    told = (events.numbers["deadline_missed"] != 0) & _has_deadline(indicator.duration)
    # What is not slow was not what the signal told of, so it still counts as good.
    told &= slow | ~has_duration
    valid = final & has_duration & _classes(events, ("2xx",)) & ~told
    if not indicator.counts_failed:
        return valid, slow
    failed = final & _classes(events, FAILED_CLASSES) & ~told
    return valid | failed, slow | failed


def _has_deadline(duration: Duration) -> bool:
    return duration in {Duration.TTFT, Duration.E2E}


def _durations(duration: Duration, events: EventColumns) -> tuple[NDArray[np.int64], Flags]:
    if duration is Duration.ITL:
        return events.gaps.sums_us, (events.gaps.counts != MISSING) & (events.gaps.counts > 0)
    column = events.numbers[_US_COLUMNS[duration]]
    return column, column != MISSING


def _slower(
    indicator: Latency, events: EventColumns, took_us: NDArray[np.int64], present: Flags
) -> Flags:
    if indicator.duration is not Duration.ITL:
        return present & (took_us > indicator.threshold_us)
    # The mean of the gaps, compared without a division.
    allowed_us = np.where(present, events.gaps.counts, 0) * indicator.threshold_us
    return present & (took_us > allowed_us)


def _within_cost(indicator: Cost, costs: CostColumns | None, final: Flags) -> tuple[Flags, Flags]:
    if costs is None:
        raise ValueError("an indicator of cost needs the costs of the events")
    pico = costs.numbers["price_cost"]
    if indicator.per is CostPer.MINUTE:
        # Every attempt costs; whether a minute was too dear is decided when it is complete.
        return np.ones(len(pico), dtype=np.bool_), np.zeros(len(pico), dtype=np.bool_)
    status = costs.codes["cost_status"]
    known = np.array([text != "unpriced" for text in status.values])[status.codes]
    return final & known, pico > usd_to_pico(indicator.threshold_usd)


def _principals(
    slo: Slo, view: View, cells: Cells, rows: NDArray[np.int64], bad: Flags
) -> dict[str, NDArray[np.int64]]:
    """Return the least and the greatest hash of the callers that failed in each cell."""
    low = np.full(len(cells), NO_PRINCIPAL_LOW, dtype=np.int64)
    high = np.full(len(cells), NO_PRINCIPAL_HIGH, dtype=np.int64)
    if slo.principal and bad.any():
        column = view.dimension(slo.principal)
        codes = column.codes[rows[bad]]
        known = np.array([bool(text) for text in column.values])[codes]
        hashes = _hashes(column)[codes[known]]
        places = cells.cell_of[bad][known]
        np.minimum.at(low, places, hashes)
        np.maximum.at(high, places, hashes)
    return {"principal_low": low, "principal_high": high}


def _hashes(column: CodeColumn) -> NDArray[np.int64]:
    hashed = hash_texts(pa.array(column.values, pa.string())) >> np.uint64(32)
    # Neither neutral element may be somebody's hash.
    return np.clip(hashed.astype(np.int64), NO_PRINCIPAL_HIGH + 1, NO_PRINCIPAL_LOW - 1)


def count_slo_signals(slo: Slo, view: SignalView) -> CountTable | None:
    """Count missed deadlines for one objective; None where they say nothing about it."""
    match slo.indicator:
        case Availability():
            counted = view.is_first_of_request.copy()
        case Latency(duration=duration, threshold_us=threshold_us) if _has_deadline(duration):
            counted = np.array(
                [
                    signal.deadline == duration and signal.deadline_ms * 1000 >= threshold_us
                    for signal in view.signals
                ],
                dtype=np.bool_,
            )
        case _:
            return None
    counted &= selected(view, slo.workspace, slo.selector)
    cells = into_cells(view, counted, slo.group_by)
    ones = np.bincount(cells.cell_of, minlength=len(cells)).astype(np.int64)
    all_bad = np.ones(int(counted.sum()), dtype=np.bool_)
    rows = np.flatnonzero(counted)
    principals = _principals(slo, view, cells, rows, all_bad)
    drawn = draw(view, rows, cells.cell_of, all_bad, dimensions_of(slo))
    return _table(slo, cells, {"total": ones, "bad": ones.copy(), **principals}, drawn)


@dataclass(frozen=True, slots=True, kw_only=True)
class MeasureCount:
    """What a budget or a rule on a metric needs counted."""

    workspace: str
    service: str
    name: str
    needs: tuple[str, ...]
    """Measures named as in the views; `<duration>_bins` for a sketch."""
    selector: tuple[Matcher, ...] = ()
    group_by: tuple[str, ...] = ()
    is_everywhere: bool = False
    """Whether every target partition is sent it, not only that of the workspace and service."""

    @property
    def digest(self) -> str:
        """Of what decides the counting."""
        return counting_digest(self.workspace, self.needs, self.selector, self.group_by)


def count_measures(wanted: MeasureCount, view: EventView, measured: Measured) -> CountTable:
    """Sum the measures that a definition needs; money is in pico-dollars."""
    rows = selected(view, wanted.workspace, wanted.selector)
    cells = into_cells(view, rows, wanted.group_by)
    columns: dict[str, NDArray[np.int64]] = {}
    bins: dict[str, BinCounts] = {}
    for name in wanted.needs:
        if name.endswith("_bins"):
            bins[name] = _bins(measured, name.removesuffix("_bins"), rows, cells)
        elif name == COST_MEASURE:
            # Kept in two halves there, so that sums over months cannot overflow.
            high = _sums(measured, "cost_high", rows, cells)
            columns[name] = high * 10**9 + _sums(measured, "cost_low", rows, cells)
        else:
            columns[name] = _sums(measured, name, rows, cells)
    return CountTable(
        name=table_name(wanted.workspace, wanted.name),
        digest=wanted.digest,
        groups=cells.groups,
        group=cells.group,
        cells_s=cells.cells_s,
        columns=columns,
        bins=bins,
    )


def _sums(measured: Measured, name: str, rows: Flags, cells: Cells) -> NDArray[np.int64]:
    # Absent where no event of the chunk adds anything.
    if name not in measured.addends:
        return np.zeros(len(cells), dtype=np.int64)
    return cells.sums(measured.addends[name][rows])


def _bins(measured: Measured, name: str, chosen: Flags, cells: Cells) -> BinCounts:
    rows = measured.sketch_rows.get(name, np.zeros(0, np.int64))
    mine = np.flatnonzero(chosen[rows])
    if not len(mine):
        return NO_BINS
    place = np.cumsum(chosen) - 1
    return binned(
        cells.cell_of[place[rows[mine]]],
        measured.sketch_bins[name][mine],
        measured.sketch_weights[name][mine],
    )


def _isolation_table(slo: Slo, view: EventView) -> CountTable:
    """Count realtime requests by the bin of their duration, and batch requests beside them."""
    indicator = slo.indicator
    if not isinstance(indicator, BatchIsolation):
        raise TypeError(f"{slo.name} is about no isolation")
    events = view.events
    traffic = view.dimension("traffic_class")
    classes = np.array(traffic.values)[traffic.codes]
    took_us, present = _durations(indicator.duration, events)
    final = (events.numbers["is_final"] != 0) & present & _classes(events, ("2xx",))
    chosen = selected(view, slo.workspace, slo.selector)
    realtime, batch = chosen & final & (classes == "realtime"), chosen & (classes == "batch")
    rows = realtime | batch
    cells = into_cells(view, rows, slo.group_by)
    columns = {
        "total": cells.counts(realtime[rows]),
        "bad": np.zeros(len(cells), dtype=np.int64),
        BATCH_REQUESTS: cells.counts(batch[rows]),
        "principal_low": np.full(len(cells), NO_PRINCIPAL_LOW, dtype=np.int64),
        "principal_high": np.full(len(cells), NO_PRINCIPAL_HIGH, dtype=np.int64),
    }
    places = cells.cell_of[realtime[rows]]
    bins = {DURATION_BINS: binned(places, bins_of_us(took_us[realtime]))}
    return replace(_table(slo, cells, columns), bins=bins)


def binned(
    rows: NDArray[np.int32],
    bins: NDArray[np.int16],
    weights: NDArray[np.int64] | None = None,
) -> BinCounts:
    """Sum items of (row, bin) into sketches."""
    keys = (rows.astype(np.int64) << _BIN_BITS) + bins.astype(np.int64) + _BIN_SHIFT
    found, inverse = np.unique(keys, return_inverse=True)
    counts = np.zeros(len(found), dtype=np.int64)
    np.add.at(counts, inverse, 1 if weights is None else weights)
    return BinCounts(
        (found >> _BIN_BITS).astype(np.int32),
        ((found & (2**_BIN_BITS - 1)) - _BIN_SHIFT).astype(np.int16),
        counts,
    )
