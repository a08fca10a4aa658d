"""The same worker with what makes it exact taken out: the price of exactness is the difference.

At least once is what is left: no intents, no tokens, no ledger, no leases, no topic confirmed, no
event recognised that came before. One commit a chunk stays, as any consumer makes one.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from inferometer.clickhouse import store as store_module
from inferometer.jobs.seen_events import SeenEvents
from inferometer.kafka.lease import PartitionLease
from inferometer.names import INTENTS_TABLE, LEDGER_TABLE

if TYPE_CHECKING:
    import pyarrow as pa
    from aiokafka import TopicPartition
    from numpy.typing import NDArray

    from inferometer.core.admission import Admission
    from inferometer.core.chunks import Intent
    from inferometer.kafka.commits import Membership
    from inferometer.kafka.surroundings import Committer


class PlainCommitter:
    """A committer whose commits carry an offset and nothing else."""

    def __init__(self, committer: Committer) -> None:
        self._committer = committer

    def __getattr__(self, name: str) -> Any:
        return getattr(self._committer, name)

    async def commit_position(
        self, membership: Membership, key: TopicPartition, offset: int, metadata: str
    ) -> None:
        """Commit the offset alone."""
        await self._committer.commit_position(membership, key, offset, "")

    async def confirm_stream(self) -> None:
        """Ask nobody."""


class PlainStore(store_module.ClickHouseChunkStore):
    """The store without intents, ledger and tokens."""

    def insert(self, *, table: str, rows: pa.Table, token: str) -> None:
        """Store rows of data; leave the accounts out."""
        if table not in {INTENTS_TABLE, LEDGER_TABLE}:
            super().insert(table=table, rows=rows, token="")


def take_out() -> None:
    """Switch the rest off, in a process that ends with the run."""
    store_module.INSERT_SETTINGS["insert_deduplicate"] = "0"
    SeenEvents.without_duplicates = _all_accepted  # type: ignore[assignment, method-assign]
    SeenEvents.add = _forget  # type: ignore[assignment, method-assign]
    PartitionLease.check = _never_in_doubt  # type: ignore[assignment, method-assign]


def _all_accepted(
    _self: SeenEvents, admission: Admission, _intent: Intent
) -> tuple[NDArray[np.uint64], NDArray[np.int64], int]:
    hashes = np.zeros(len(admission.accepted), dtype=np.uint64)
    return hashes, np.flatnonzero(admission.accepted), 0


def _forget(_self: SeenEvents, _hashes: NDArray[np.uint64], _intent: Intent) -> None:
    pass


def _never_in_doubt(_self: PartitionLease) -> None:
    pass
