"""A store that is there and up to date, for commands that work on what it holds."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

from inferometer.clickhouse.connect import StoreConnection
from inferometer.clickhouse.migrations import pending
from inferometer.errors import StateError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from inferometer.clickhouse.settings import StoreSettings


@contextmanager
def opened_store(settings: StoreSettings) -> Iterator[StoreConnection]:
    """Open a store; raises StoreError, and StateError where its schema is not up to date."""
    with StoreConnection(settings, create=False) as connection:
        require_schema(connection)
        yield connection


def require_schema(connection: StoreConnection) -> None:
    """Raise StateError where a store's schema is not up to date."""
    missing = pending(connection)
    if missing:
        raise StateError(
            f"the store lacks {len(missing)} migrations, the first is {missing[0].name}; run "
            "`inferometer migrate` with the same store first"
        )
