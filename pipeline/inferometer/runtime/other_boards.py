"""The open incidents that other processes evaluate, from the state that they keep.

So every instance of `inferometer alerts` answers for all of them. What it says of another's is as
old as what that one kept last, which it does before anything is told.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from inferometer.core.alerts.incident_listing import listed_alerts
from inferometer.core.slo.board_snapshots import restored
from inferometer.errors import PipelineError

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping

    from inferometer.alert_ports import SnapshotStore
    from inferometer.core.alerts.listing import ListedAlert
    from inferometer.core.slo.board import Board
    from inferometer.core.slo.board_snapshots import Kept
    from inferometer.runtime.alert_setup import AlertSetup

READ_EVERY_S = 15.0

logger = logging.getLogger(__name__)


class OtherBoards:
    """Reads snapshots when it is told to, all from one thread."""

    def __init__(
        self,
        *,
        setup: AlertSetup,
        partitions: int,
        own: Callable[[], Collection[int]],
        snapshots: SnapshotStore,
    ) -> None:
        """Look after the partitions that are not among `own` at the moment."""
        self._setup = setup
        self._partitions = partitions
        self._own = own
        self._snapshots = snapshots
        self._alerts: Mapping[int, tuple[ListedAlert, ...]] = {}

    def alerts(self) -> Mapping[int, tuple[ListedAlert, ...]]:
        """Return what was read last, by partition; never blocks."""
        return self._alerts

    def read(self) -> None:
        """Read the snapshots of all partitions of others; what cannot be read stays as it was."""
        try:
            self._alerts = self._read()
        except PipelineError as error:
            logger.warning(
                "the incidents that other processes evaluate cannot be read: %s",
                error,
                extra={"reason": "other_boards_away"},
            )

    def _read(self) -> dict[int, tuple[ListedAlert, ...]]:
        found = {}
        for partition in sorted(set(range(self._partitions)) - set(self._own())):
            kept = self._snapshots.latest(partition)
            if not kept.is_empty:
                board = self._board(kept, partition)
                both = (*listed_alerts(board.alerts), *listed_alerts(board.clock_alerts))
                found[partition] = both
        return found

    def _board(self, kept: Kept, partition: int) -> Board:
        return restored(
            kept,
            topics=(),
            lanes=self._setup.lanes(partition, self._partitions),
            new_alerts=self._setup.alerts,
        ).board
