"""Stores providers' bills, each import in place of the one before."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from inferometer.clickhouse.store import ClickHouseChunkStore
from inferometer.names import BILLS_TABLE

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime
    from decimal import Decimal

    from inferometer.clickhouse.connect import StoreConnection
    from inferometer.core.bills import BilledKey

SCHEMA = pa.schema(
    [
        ("source", pa.string()),
        ("day", pa.date32()),
        ("provider", pa.string()),
        ("model", pa.string()),
        ("amount_usd", pa.decimal128(38, 12)),
        ("imported_at", pa.timestamp("us", "UTC")),
    ]
)


@dataclass(frozen=True, slots=True)
class LastImport:
    """When a source was imported last, and how many amounts it has; nought where it never was."""

    source: str

    def sql(self) -> tuple[str, dict[str, Any]]:
        """Return the text and its parameters."""
        text = """SELECT max(imported_at), count()
FROM bills
WHERE source = {source:String}"""
        return text, {"source": self.source}


class ClickHouseBills:
    """Bills of a store on an open connection."""

    def __init__(self, connection: StoreConnection) -> None:
        self._connection = connection
        self._blocks = ClickHouseChunkStore(connection)

    def replace(self, source: str, amounts: Mapping[BilledKey, Decimal], at: datetime) -> int:
        """Store amounts (at least one) in place of what a source had; returns how many it had.

        One insert of one block: a reader sees all of it or what was there before. Raises StoreError.
        """
        text, parameters = LastImport(source).sql()
        with self._connection.errors():
            client = self._connection.reader()
            ((last_at, known),) = client.query(text, parameters, tz_mode="aware").result_rows
        if known:
            # The last one counts, also where the clock of an earlier one was ahead of this.
            at = max(at, last_at + timedelta(microseconds=1))
        rows = [
            {
                "source": source,
                "day": key.day,
                "provider": key.provider,
                "model": key.model,
                "amount_usd": amount,
                "imported_at": at,
            }
            for key, amount in sorted(amounts.items())
        ]
        self._blocks.insert(
            table=BILLS_TABLE,
            rows=pa.Table.from_pylist(rows, schema=SCHEMA),
            token=f"{BILLS_TABLE}/{source}/{at.isoformat()}",
        )
        return int(known)
