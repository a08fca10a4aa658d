"""Writes repairs of roll-ups and counts them; implements the port RepairStore."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from inferometer.clickhouse.store import ClickHouseChunkStore
from inferometer.names import REPAIRS_TABLE

if TYPE_CHECKING:
    import pyarrow as pa

    from inferometer.clickhouse.connect import StoreConnection


@dataclass(frozen=True, slots=True)
class RepairsDone:
    """How many repairs of one kind were recorded as done."""

    token_prefix: str

    def sql(self) -> tuple[str, dict[str, Any]]:
        """Return the text and its parameters."""
        text = f"""SELECT uniqExact(token)
FROM {REPAIRS_TABLE}
WHERE state = 'done'
  AND startsWith(token, {{token_prefix:String}})"""  # noqa: S608 - a constant
        return text, {"token_prefix": self.token_prefix}


class ClickHouseRepairStore:
    """A `RepairStore` on an open connection."""

    def __init__(self, connection: StoreConnection) -> None:
        self._connection = connection
        self._rows = ClickHouseChunkStore(connection)

    def insert(self, *, table: str, rows: pa.Table, token: str) -> None:
        """Store rows as one block; see `RepairStore.insert`."""
        self._rows.insert(table=table, rows=rows, token=token)

    def count_repairs(self, token_prefix: str) -> int:
        """Return how many repairs were done; see `RepairStore.count_repairs`."""
        text, parameters = RepairsDone(token_prefix).sql()
        with self._connection.errors():
            return int(self._connection.reader().query(text, parameters).result_rows[0][0])
