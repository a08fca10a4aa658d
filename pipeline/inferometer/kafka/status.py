"""What a worker holds at an instant, as values that another thread may read."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class PartitionStatus:
    """One assigned partition."""

    topic: str
    partition: int
    position: int
    """Offset up to which everything is stored and acknowledged."""
    next_offset: int
    """Where the next fetch begins; from the position to here records are in memory."""
    oldest_append_ms: int | None
    """Append time of the first record in memory, milliseconds since 1970; None where none is."""


@dataclass(frozen=True, slots=True)
class WorkerStatus:
    """One worker."""

    is_member: bool = False
    """Whether the group has given it an assignment, be it empty, that still holds."""
    bytes_in_flight: int = 0
    bytes_in_flight_limit: int = 0
    fetched_records: int = 0
    fetched_bytes: int = 0
    """As they lie in the log: batches, compressed."""
    partitions: tuple[PartitionStatus, ...] = ()
