"""Audits roll-ups: each measure of each (window, group) of each table is what the log says.

While workers run, a chunk may have some of its log rows and some of its roll-up rows, in any order.
A difference therefore counts only where no chunk can be its reason: how far each ledger reached is
read first, the difference next, and last the chunks that were begun behind that and the windows of
their log rows. A chunk writes its intent first and its ledger row last: one that the ledger had
closed was seen whole, any other is among the begun. A window with log rows of one is looked at again.
So is every other while a chunk was open, since that chunk's log rows may yet have been on their way:
the difference counts when it is still the same after each such chunk was closed or has shown its log
rows elsewhere. Rows of the chunk that came in between would have changed what the log says.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import groupby
from typing import TYPE_CHECKING, Any, Protocol

from inferometer.core.audit_report import MAX_DIFFERENCES, TableAccount
from inferometer.core.audit_spans import HOUR_S, HourRows, Slice, kept_since, slices, whole_windows
from inferometer.core.conservation import Difference, Kind, Skipped, SkipReason
from inferometer.core.cubes import CUBES, rows_table
from inferometer.names import REQUESTS_TABLE

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from inferometer.core.audit_report import AuditReport, Repair
    from inferometer.core.chunks import StreamPartition
    from inferometer.core.conservation import GroupDifference, OpenChunk, WindowCheck
    from inferometer.core.cubes import Cube, Resolution
    from inferometer.ports import AuditStore

ATTEMPTS = 4
"""How often windows that an open chunk may touch are looked at before they are left out."""
PAUSE_S = 1.5
BATCH_GROUPS = 2000
"""Differing groups that are held in memory at once, unless one window has more."""
MAX_GROUPS = 1_000_000


class RollupRepair(Protocol):
    """Brings a roll-up table back to the log."""

    def mend(
        self, cube: Cube, resolution: Resolution, groups: Sequence[GroupDifference]
    ) -> list[Repair]:
        """Insert the deltas of groups that no open chunk touches; return what was inserted.

        Raises StoreError; what was inserted before it stays.
        """


@dataclass(frozen=True, slots=True, kw_only=True)
class RollupAudit:
    """Audits every roll-up table over a span."""

    store: AuditStore
    report: AuditReport
    span: Slice
    now_s: int
    kept_days: Mapping[str, int]
    is_live: Callable[[StreamPartition], bool]
    """Whether an open chunk of this source may still be finished."""
    pause: Callable[[float], None]
    progress: Callable[[str], None]
    repair: RollupRepair | None = None

    def run(self, log_hours: Sequence[HourRows]) -> None:
        """Audit table by table, slice by slice."""
        for cube in CUBES:
            for resolution in cube.resolutions:
                self._table(cube, resolution, log_hours)

    def _table(self, cube: Cube, resolution: Resolution, log_hours: Sequence[HourRows]) -> None:
        table = rows_table(cube, resolution)
        account = TableAccount(table)
        self.report.tables.append(account)
        whole = whole_windows(
            Slice(max(self.span.from_s, self._kept_since(table)), self.span.to_s),
            resolution.seconds,
        )
        self._skip_expired(table, whole)
        hours = dict.fromkeys(self.store.rollup_hours(table, whole), 0)
        for hour in log_hours:
            if whole.from_s < hour.hour_s + HOUR_S and hour.hour_s < whole.to_s:
                hours[hour.hour_s] = hour.rows
        parts = slices([HourRows(hour, hours[hour]) for hour in sorted(hours)], whole)
        for number, part in enumerate(parts, start=1):
            self.progress(f"{table}: {number} of {len(parts)} spans")
            self._slice(cube, resolution, part, account)

    def _kept_since(self, table: str) -> int:
        days = min(self.kept_days[t] for t in (REQUESTS_TABLE, table) if t in self.kept_days)
        return kept_since(self.now_s, days)

    def _skip_expired(self, table: str, whole: Slice) -> None:
        before = Slice(self.span.from_s, min(whole.from_s, self.span.to_s))
        windows = (
            sum(self.store.rollup_hours(table, before).values())
            if before.from_s < before.to_s
            else 0
        )
        if windows:
            is_log = self.kept_days.get(table, 0) >= self.kept_days.get(REQUESTS_TABLE, 0)
            self.report.skipped.append(
                Skipped(
                    reason=SkipReason.LOG_EXPIRED if is_log else SkipReason.ROLLUP_EXPIRED,
                    table=table,
                    from_s=before.from_s,
                    to_s=before.to_s,
                    windows=windows,
                )
            )

    def _slice(
        self, cube: Cube, resolution: Resolution, part: Slice, account: TableAccount
    ) -> None:
        checks = self.store.compare_windows(cube, resolution, part)
        account.windows += len(checks)
        account.groups += sum(check.groups for check in checks)
        for batch in _batches([check for check in checks if check.differing]):
            self.progress(f"{account.table}: {account.differing_groups} groups differ so far")
            self._settle(cube, resolution, batch, account)

    def _settle(
        self,
        cube: Cube,
        resolution: Resolution,
        windows: list[int],
        account: TableAccount,
    ) -> None:
        """Report and repair what differs in windows, once no open chunk can be the reason."""
        seen: dict[int, _Sighting] = {}
        for attempt in range(ATTEMPTS):
            if attempt:
                self.pause(PAUSE_S)
            groups, chunks = self._look(cube, resolution, windows)
            seen = _sightings(groups, chunks, seen)
            settled = {window for window, sighting in seen.items() if not sighting.chunks}
            self._found(
                cube,
                resolution,
                [group for group in groups if group.window_start_s in settled],
                account,
            )
            windows = sorted({group.window_start_s for group in groups} - settled)
            if not windows:
                return
        self.report.skipped.append(
            Skipped(
                reason=SkipReason.OPEN_CHUNK,
                table=rows_table(cube, resolution),
                from_s=windows[0],
                to_s=windows[-1] + resolution.seconds,
                windows=len(windows),
            )
        )

    def _look(
        self, cube: Cube, resolution: Resolution, windows: Sequence[int]
    ) -> tuple[list[GroupDifference], dict[OpenChunk, set[int]]]:
        """Return what differs, and the chunks that were open meanwhile with their log rows' windows."""
        ends = {source: last for source, (last, _) in self.store.ledger_ends().items()}
        groups = self.store.differing_groups(cube, resolution, windows, limit=MAX_GROUPS)
        begun = self.store.intents_after(ends, since_s=self.span.from_s - HOUR_S)
        live = [chunk for chunk in begun if self.is_live(chunk.source)]
        placed = self.store.windows_of(live, seconds=resolution.seconds)
        return groups, {chunk: placed.get(chunk, set()) for chunk in live}

    def _found(
        self,
        cube: Cube,
        resolution: Resolution,
        groups: Sequence[GroupDifference],
        account: TableAccount,
    ) -> None:
        if not groups:
            return
        windows = sorted({group.window_start_s for group in groups})
        account.differing_groups += len(groups)
        account.differing_windows += len(windows)
        for group in groups:
            changes = group.changes()
            if len(self.report.differences) >= MAX_DIFFERENCES:
                self.report.counts[Kind.ROLLUP] += len(changes)
            else:
                self.report.add(*_differences(rows_table(cube, resolution), group, changes))
        if self.repair is not None:
            self.report.repairs += self.repair.mend(cube, resolution, groups)
            self._verify(cube, resolution, groups, windows)

    def _verify(
        self,
        cube: Cube,
        resolution: Resolution,
        groups: Sequence[GroupDifference],
        windows: Sequence[int],
    ) -> None:
        """Count what is mended: a group that is still as it was is not."""
        after = self.store.differing_groups(cube, resolution, windows, limit=MAX_GROUPS)
        still = {(group.window_start_s, *group.group.values()): group for group in after}
        for group in groups:
            # Another difference by now is a chunk's that is being written.
            if still.get((group.window_start_s, *group.group.values())) != group:
                self.report.repaired_total += len(group.changes())


@dataclass(frozen=True, slots=True)
class _Sighting:
    """What differed in a window when it was first seen so."""

    groups: list[GroupDifference]
    chunks: frozenset[OpenChunk]
    """Open then, and neither closed since nor seen to lie elsewhere: one may be the reason."""


def _sightings(
    groups: Sequence[GroupDifference],
    chunks: Mapping[OpenChunk, set[int]],
    before: Mapping[int, _Sighting],
) -> dict[int, _Sighting]:
    """Return for each window without log rows of an open chunk what is known of it by now."""
    touched = set[int]().union(*chunks.values())
    unplaced = {chunk for chunk, windows in chunks.items() if not windows}
    found: dict[int, _Sighting] = {}
    ordered = sorted(groups, key=lambda group: group.window_start_s)
    for window, of_window in groupby(ordered, key=lambda group: group.window_start_s):
        if window in touched:
            continue
        differing = list(of_window)
        earlier = before.get(window)
        if earlier is not None and earlier.groups == differing:
            found[window] = replace(earlier, chunks=earlier.chunks & unplaced)
        else:
            found[window] = _Sighting(differing, frozenset(chunks))
    return found


def _batches(checks: Sequence[WindowCheck]) -> Iterator[list[int]]:
    batch: list[int] = []
    groups = 0
    for check in checks:
        if batch and groups + check.differing > BATCH_GROUPS:
            yield batch
            batch, groups = [], 0
        batch.append(check.window_start_s)
        groups += check.differing
    if batch:
        yield batch


def _differences(
    table: str, group: GroupDifference, changes: Mapping[str, tuple[Any, Any]]
) -> Iterator[Difference]:
    named = {name: str(value) for name, value in group.group.items()}
    for measure, (expected, found) in changes.items():
        yield Difference(
            kind=Kind.ROLLUP,
            expected=str(expected),
            found=str(found),
            table=table,
            window_start_s=group.window_start_s,
            group=named,
            measure=measure,
        )
