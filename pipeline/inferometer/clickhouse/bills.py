"""Stores providers' bills, each import in place of the one before, and takes them away."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from inferometer.clickhouse.query_filters import micros
from inferometer.clickhouse.store import ClickHouseChunkStore
from inferometer.core.bills import StoredBill
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


@dataclass(frozen=True, slots=True)
class StoredBills:
    """Every source, by name."""

    def sql(self) -> tuple[str, dict[str, Any]]:
        """Return the text and its parameters."""
        text = """SELECT
    source, count(), arraySort(groupUniqArray(toString(provider))), min(day), max(day),
    sum(amount_usd), max(imported_at)
FROM bills
GROUP BY source
ORDER BY source"""
        return text, {}


@dataclass(frozen=True, slots=True)
class Removal:
    """Takes imports of a source away: those up to its last one, or those before it only."""

    bill: StoredBill
    spares_last: bool

    def sql(self) -> tuple[str, dict[str, Any]]:
        """Return the text and its parameters."""
        sign = "<" if self.spares_last else "<="
        # Each replica is waited for, so that none does the second removal before the first.
        text = f"""ALTER TABLE {BILLS_TABLE}
DELETE WHERE source = {{source:String}}
  AND imported_at {sign} fromUnixTimestamp64Micro({{last_us:Int64}}, 'UTC')
SETTINGS mutations_sync = 2"""
        return text, {"source": self.bill.source, "last_us": micros(self.bill.imported_at)}


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

    def stored(self) -> list[StoredBill]:
        """Return every source, by name. Raises StoreError."""
        text, parameters = StoredBills().sql()
        with self._connection.errors():
            rows = self._connection.reader().query(text, parameters, tz_mode="aware").result_rows
        return [
            StoredBill(str(source), int(amounts), tuple(providers), *rest)
            for source, amounts, providers, *rest in rows
        ]

    def remove(self, bill: StoredBill) -> None:
        """Take a source away; an import that came meanwhile stays. Raises StoreError.

        First what the last import took the place of, which no reader sees; then the last, which is
        of one part: a reader sees all of it or nothing, wherever this is broken off.
        """
        for spares_last in (True, False):
            text, parameters = Removal(bill, spares_last).sql()
            with self._connection.errors():
                self._connection.client().command(text, parameters)
