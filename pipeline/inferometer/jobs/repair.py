"""Repair: adds to roll-ups what they lack of the log, by signed deltas, each of them once.

The caller vouches that no open chunk touched the windows while they were read; what chunks add
later adds up with the deltas in any order.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import groupby
from typing import TYPE_CHECKING

import pyarrow as pa

from inferometer.core.audit_report import Repair
from inferometer.core.cubes import rows_table
from inferometer.core.deltas import content_digest, delta_table, signed_deltas
from inferometer.names import REPAIRS_TABLE

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from datetime import datetime

    from inferometer.core.conservation import GroupDifference
    from inferometer.core.cubes import Cube, Resolution
    from inferometer.ports import RepairStore

_TEXTS = pa.map_(pa.string(), pa.string())
_INSTANT = pa.timestamp("us", "UTC")
BEGUN, DONE = "begun", "done"


@dataclass(frozen=True, slots=True)
class RollupRepairs:
    """Implements `RollupRepair` over a store."""

    store: RepairStore
    clock: Callable[[], datetime]

    def mend(
        self, cube: Cube, resolution: Resolution, groups: Sequence[GroupDifference]
    ) -> list[Repair]:
        """Mend window by window: the same damage gives the same block, however much else there is."""
        ordered = sorted(groups, key=lambda group: group.window_start_s)
        return [
            self._window(cube, resolution, list(inside))
            for _, inside in groupby(ordered, key=lambda group: group.window_start_s)
        ]

    def _window(
        self, cube: Cube, resolution: Resolution, groups: Sequence[GroupDifference]
    ) -> Repair:
        """Insert the deltas of one window.

        1. The token: what is added, and how often just that was added before. The same damage after
           a repair gets another one; a run that died, or two at a time, meet at the same.
        2. What is about to be added. A crash after it: the next audit finds the same and repeats it.
        3. The deltas. A crash after it: the next audit finds nothing to mend.
        4. That it was done.
        """
        table = rows_table(cube, resolution)
        prefix = f"repair/{table}/{content_digest(table, groups)}"
        token = f"{prefix}/{self.store.count_repairs(prefix)}"
        self._record(token, table, BEGUN, groups)
        self.store.insert(table=table, rows=delta_table(cube, groups), token=token)
        self._record(token, table, DONE, groups[:1])
        return Repair(
            table=table, token=token, window_start_s=groups[0].window_start_s, groups=len(groups)
        )

    def _record(
        self, token: str, table: str, state: str, groups: Sequence[GroupDifference]
    ) -> None:
        is_begun = state == BEGUN
        count = len(groups)
        rows = pa.table(
            {
                "token": [token] * count,
                "state": [state] * count,
                "rows_table": [table] * count,
                "window_start": pa.array(
                    [group.window_start_s for group in groups], pa.timestamp("s", "UTC")
                ),
                "dimensions": pa.array(
                    [
                        [(name, str(value)) for name, value in group.group.items()]
                        if is_begun
                        else []
                        for group in groups
                    ],
                    _TEXTS,
                ),
                "deltas": pa.array(
                    [list(signed_deltas(group).items()) if is_begun else [] for group in groups],
                    _TEXTS,
                ),
                "recorded_at": pa.array([self.clock()] * count, _INSTANT),
            }
        )
        self.store.insert(table=REPAIRS_TABLE, rows=rows, token=f"{token}/{state}")
