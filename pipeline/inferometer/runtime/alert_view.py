"""What an evaluator knows, as its HTTP interface and its status show it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from inferometer.core.alerts.incident_listing import listed_alerts

if TYPE_CHECKING:
    import threading
    from collections.abc import Callable, Mapping, Sequence

    from inferometer.core.alerts.listing import ListedAlert
    from inferometer.core.slo.board import Board
    from inferometer.webhooks.receivers_file import ReceiversFile


class BoardsView:
    """An `AlertsView` over the boards of this process, and of others as they were kept last."""

    def __init__(
        self,
        boards: Callable[[], Mapping[int, tuple[Board, threading.Lock]]],
        receivers: ReceiversFile,
        others: Callable[[], Mapping[int, tuple[ListedAlert, ...]]] = dict,
    ) -> None:
        """Show `boards` by partition, and of partitions that have none here what `others` says."""
        self._boards = boards
        self._receivers = receivers
        self._others = others
        self._last: dict[int, tuple[ListedAlert, ...]] = {}

    def alerts(self) -> Sequence[ListedAlert]:
        """Return the incidents of all boards; of one that is at work now, as of a moment ago."""
        boards = self._boards()
        for partition, (board, lock) in boards.items():
            if lock.acquire(blocking=False):
                try:
                    self._last[partition] = (
                        *listed_alerts(board.alerts),
                        *listed_alerts(board.clock_alerts),
                    )
                finally:
                    lock.release()
        for partition in self._last.keys() - boards.keys():
            del self._last[partition]
        found = {**self._others(), **self._last}
        return [one for partition in sorted(found) for one in found[partition]]

    def receivers(self) -> Sequence[str]:
        """Return the names of the receivers that are configured."""
        return sorted(self._receivers.receivers)
