"""What one fetch brought of one partition, as an agent gets it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from inferometer.core.records import RecordColumns


@dataclass(frozen=True, slots=True)
class FetchedRecords:
    """The records of one (partition, fetch)."""

    topic: str
    partition: int
    epoch: int
    """Counts the assignments of this consumer; records of an earlier one are not to be used."""
    start_offset: int
    """Where the fetch began, at or before the first record."""
    records: RecordColumns
    next_offset: int
    """Where the next fetch begins."""
    raw_bytes: int
    log_end: int
    """Where the log ended then, as far as it may be read: open transactions lie behind it."""

    @property
    def size(self) -> int:
        """Bytes of values that this holds in memory."""
        return self.records.size_bytes
