"""Answers how the pipeline is: freshness, the account of the last hour, what it refused."""

from __future__ import annotations

from typing import TYPE_CHECKING

from inferometer.core.query.pipeline_facts import PipelineAnswer, checks_of, ledger_of

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from inferometer.core.query.questions import TimeRange
    from inferometer.query_ports import Lags, QueryStore


class AnswerPipeline:
    """The job; may be called from several threads."""

    def __init__(self, store: QueryStore, clock: Callable[[], datetime], lags: Lags = dict) -> None:
        """Ask a store; `lags` tells the records behind that are known of the broker."""
        self._store = store
        self._clock = clock
        self._lags = lags

    def __call__(self, time_range: TimeRange) -> PipelineAnswer:
        """Return the state of the way in; dead letters are of a range. Raises StoreError."""
        freshness = self._store.freshness()
        lags = self._lags()
        partitions = [
            {**row, "lag_records": lags.get((row["kafka_topic"], row["kafka_partition"]))}
            for row in self._store.partitions()
        ]
        dead_letters = self._store.dead_letter_counts(time_range)
        folded = self._store.folded()
        return PipelineAnswer(
            partitions=partitions,
            freshness=freshness,
            dead_letters=dead_letters,
            folded=folded,
            ledger=ledger_of(partitions),
            checks=checks_of(
                partitions=partitions,
                freshness=freshness,
                dead_letters=dead_letters,
                folded=folded,
                now=self._clock(),
                zone=time_range.zone,
            ),
        )
