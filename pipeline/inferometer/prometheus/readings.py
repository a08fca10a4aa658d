"""What is read off a worker at a scrape, as plain values."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Readings:
    """Counts since the worker started, and what holds now."""

    chunks: int = 0
    records: int = 0
    events: int = 0
    stored: int = 0
    duplicates: int = 0
    unknown_fields: int = 0
    retries: int = 0
    replays: int = 0
    fenced: int = 0
    lost: int = 0
    fetched_bytes: int = 0

    in_flight_bytes: int = 0
    in_flight_limit_bytes: int = 0
    partitions: int = 0
    is_member: bool = False
    is_store_up: bool = False
    watermark_us: int = 0
    """Event time up to which every assigned partition is stored as complete; 0 while unknown."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PartitionLag:
    """What of a partition is still to be stored."""

    partition: int
    records: int
    age_s: float
    retention_used_ratio: float | None
    """None where the topic's retention is not known."""
