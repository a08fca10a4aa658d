"""What the sink tells whoever watches it: plain values, so that no room here knows of metrics."""

from __future__ import annotations

import enum
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from inferometer.core.chunks import ChunkOutcome, StreamPartition


class Step(enum.StrEnum):
    """What the task of a partition does with a chunk, in this order."""

    FETCH_WAIT = "fetch_wait"
    """From the moment that the task is free until a chunk can be cut."""
    INTENT_COMMIT = "intent_commit"
    """Commit with an intent; it acknowledges the chunk before it as well."""
    RUN = "run"
    """The processor's call: computing and inserts, without the pauses between tries."""
    ACKNOWLEDGE = "acknowledge"
    """Commit without an intent."""


class SinkObserver(Protocol):
    """Hears what the sink does; called on the worker's loop, so it must neither block nor raise."""

    def step_took(self, step: Step, seconds: float) -> None:
        """Hear how long a step took that came to its end."""

    def chunk_stored(
        self, source: StreamPartition, outcome: ChunkOutcome, *, is_replay: bool
    ) -> None:
        """Hear that a chunk and its ledger row are stored; once a chunk, before it is acknowledged.

        A worker that dies in between leaves a chunk that another hears of again, as a replay.
        """

    def store_away(self, source: StreamPartition, backoff_s: float) -> None:
        """Hear that a call met a store that is away, and when it is tried again."""

    def store_back(self, source: StreamPartition) -> None:
        """Hear that a partition's calls succeed again, or that it was given up meanwhile."""

    def commit_fenced(self, source: StreamPartition) -> None:
        """Hear that the group refused a commit, so that a chunk was dropped."""

    def rebalance_began(self) -> None:
        """Hear that partitions are about to be given up."""

    def rebalance_ended(self, partitions: int) -> None:
        """Hear that so many partitions are assigned and positioned; also at the first assignment."""

    def records_lost(self, source: StreamPartition, records: int) -> None:
        """Hear that the broker dropped records before they were read."""


class NoObserver:
    """An observer that does nothing."""

    def step_took(self, step: Step, seconds: float) -> None:
        """Do nothing."""

    def chunk_stored(
        self, source: StreamPartition, outcome: ChunkOutcome, *, is_replay: bool
    ) -> None:
        """Do nothing."""

    def store_away(self, source: StreamPartition, backoff_s: float) -> None:
        """Do nothing."""

    def store_back(self, source: StreamPartition) -> None:
        """Do nothing."""

    def commit_fenced(self, source: StreamPartition) -> None:
        """Do nothing."""

    def rebalance_began(self) -> None:
        """Do nothing."""

    def rebalance_ended(self, partitions: int) -> None:
        """Do nothing."""

    def records_lost(self, source: StreamPartition, records: int) -> None:
        """Do nothing."""
