"""Bills of a real store, beside what its roll-ups say."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

from inferometer.clickhouse.bills import ClickHouseBills
from inferometer.clickhouse.query_store import ClickHouseQueryStore
from inferometer.runtime.opened_store import opened_store

if TYPE_CHECKING:
    from collections.abc import Iterator

    from inferometer.clickhouse.settings import StoreSettings


@contextmanager
def opened_bills(store: StoreSettings) -> Iterator[tuple[ClickHouseBills, ClickHouseQueryStore]]:
    """Open a store for bills; raises StoreError, and StateError for an old schema."""
    with opened_store(store) as connection:
        yield ClickHouseBills(connection), ClickHouseQueryStore(connection)
