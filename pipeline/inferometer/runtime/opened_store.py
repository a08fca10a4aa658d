"""A store that is there and up to date, for commands that work on what it holds."""

from __future__ import annotations

import logging
from contextlib import contextmanager
from typing import TYPE_CHECKING

from inferometer.clickhouse.connect import StoreConnection
from inferometer.clickhouse.migrations import pending
from inferometer.clickhouse.retention import retention_of_tables
from inferometer.errors import StateError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from inferometer.clickhouse.settings import StoreSettings

logger = logging.getLogger(__name__)


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


def warn_of_retention(connection: StoreConnection) -> None:
    """Warn of tables that forget earlier than the settings say. Raises StoreError."""
    with connection.errors():
        tables = retention_of_tables(connection.reader(), connection.settings.retention)
    short = [kept for kept in tables if kept.days is not None and kept.days < kept.wanted_days]
    if short:
        logger.warning(
            "rows are removed earlier than the settings say (%s); run `inferometer migrate` with "
            "the same settings",
            ", ".join(f"{kept.table} {kept.days} of {kept.wanted_days} days" for kept in short),
            extra={"tables": [kept.table for kept in short], "reason": "retention_not_applied"},
        )  # fmt: skip
