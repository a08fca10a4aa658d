"""Reads how far the consumer groups are behind, every few seconds, for the rule that watches them."""

from __future__ import annotations

import logging
import threading
from typing import TYPE_CHECKING, Self

from inferometer.core.slo.measure_lanes import CONSUMER_LAG
from inferometer.errors import PipelineError
from inferometer.kafka.group_lag import group_lag

if TYPE_CHECKING:
    from collections.abc import Sequence

    from inferometer.kafka.settings import KafkaSettings

EVERY_S = 10.0

logger = logging.getLogger(__name__)


class GroupLagWatch:
    """Enter it to read in a thread of its own; `gauges` may be asked from any thread."""

    def __init__(self, groups: Sequence[KafkaSettings]) -> None:
        """Watch groups, each with the topic that it reads."""
        self._groups = tuple(groups)
        self._lags: list[dict[int, int]] = []
        self._stopping = threading.Event()
        # A daemon: a broker that does not answer must not hold up the end of the process.
        self._thread = threading.Thread(target=self._run, name="inferometer-lag", daemon=True)

    def gauges(self) -> dict[str, float]:
        """Return the records that the furthest behind of the groups has yet to read.

        Empty until one has committed, and while the broker does not answer.
        """
        sums = [sum(lags.values()) for lags in self._lags if lags]
        return {CONSUMER_LAG: float(max(sums))} if sums else {}

    def lags(self) -> dict[tuple[str, int], int]:
        """Return the records behind by topic and partition, of whichever group is furthest."""
        found: dict[tuple[str, int], int] = {}
        for kafka, lags in zip(self._groups, self._lags, strict=False):
            for number, lag in lags.items():
                place = (kafka.topic, number)
                found[place] = max(lag, found.get(place, 0))
        return found

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stopping.set()

    def _run(self) -> None:
        while not self._stopping.is_set():
            try:
                self._lags = [group_lag(kafka) for kafka in self._groups]
            except PipelineError as error:
                logger.debug("lag is unknown: %s", error)
                self._lags = []
            self._stopping.wait(EVERY_S)
