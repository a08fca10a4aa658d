"""Asks the store how many tokens its tables remember, and how many were written of late."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from inferometer.core.cubes import CUBES, rows_table
from inferometer.core.token_windows import TokenWindow
from inferometer.names import (
    DEAD_LETTERS_TABLE,
    DIMENSION_VALUES_TABLE,
    INTENTS_TABLE,
    LEDGER_TABLE,
    REQUESTS_TABLE,
)

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from inferometer.clickhouse.connect import StoreConnection

PLAIN_WINDOW = "non_replicated_deduplication_window"
REPLICATED_WINDOW = "replicated_deduplication_window"
REPLICATED_DEFAULT = 1_000
"""The least that a version in use takes where nothing is stated."""

CHUNK_TABLES = (
    INTENTS_TABLE,
    REQUESTS_TABLE,
    *(rows_table(cube, resolution) for cube in CUBES for resolution in cube.resolutions),
    DIMENSION_VALUES_TABLE,
    DEAD_LETTERS_TABLE,
    LEDGER_TABLE,
)
"""The tables that a chunk is inserted into."""

_STATED = re.compile(r"\b(\w*replicated_deduplication_window\w*) = (\d+)")


@dataclass(frozen=True, slots=True)
class EnginesQuery:
    """The engines of some tables of the database, with the settings that their definitions state."""

    tables: tuple[str, ...]

    def sql(self) -> tuple[str, dict[str, Any]]:
        """Return the text and its parameters."""
        text = """SELECT name, engine_full
FROM system.tables
WHERE database = currentDatabase() AND name IN {tables:Array(String)}
ORDER BY name"""
        return text, {"tables": list(self.tables)}


@dataclass(frozen=True, slots=True)
class TokensWrittenQuery:
    """How many tokens each table of chunks took since an instant: one a day of event time."""

    since: datetime

    def sql(self) -> tuple[str, dict[str, Any]]:
        """Return the text and its parameters."""
        text = f"""SELECT sum(greatest(days, 1))
FROM {LEDGER_TABLE}
WHERE decided_at >= {{since:DateTime64(6, 'UTC')}}"""  # noqa: S608 - a constant
        return text, {"since": self.since}


@dataclass(frozen=True, slots=True)
class BusiestSpanQuery:
    """The most tokens that a table of chunks took within a span of so many seconds."""

    since: datetime
    span_s: int

    def sql(self) -> tuple[str, dict[str, Any]]:
        """Return the text and its parameters."""
        text = f"""SELECT max(tokens)
FROM (
    SELECT sum(greatest(days, 1)) AS tokens
    FROM {LEDGER_TABLE}
    WHERE decided_at >= {{since:DateTime64(6, 'UTC')}}
    GROUP BY intDiv(toUnixTimestamp(decided_at), {{span_s:UInt32}})
)"""  # noqa: S608 - a constant
        return text, {"since": self.since, "span_s": self.span_s}


class TokenWindowReports:
    """Answers the queries above on an open connection."""

    def __init__(self, connection: StoreConnection) -> None:
        self._connection = connection

    def windows(self, tables: Sequence[str] = CHUNK_TABLES) -> list[TokenWindow]:
        """Return the windows of those tables that are there, by name. Raises StoreError."""
        return [
            _window(str(name), str(engine))
            for name, engine in self._rows(EnginesQuery(tuple(tables)).sql())
        ]

    def tokens_written(self, since: datetime) -> int:
        """Return how many tokens a table took since an instant. Raises StoreError."""
        ((tokens,),) = self._rows(TokensWrittenQuery(since).sql())
        return int(tokens or 0)

    def busiest_span(self, since: datetime, span_s: int) -> int:
        """Return the most tokens that a table took in `span_s` seconds. Raises StoreError."""
        ((tokens,),) = self._rows(BusiestSpanQuery(since, span_s).sql())
        return int(tokens or 0)

    def _rows(self, query: tuple[str, dict[str, Any]]) -> list[Any]:
        text, parameters = query
        with self._connection.errors():
            return list(self._connection.reader().query(text, parameters).result_rows)


def _window(table: str, engine: str) -> TokenWindow:
    is_replicated = engine.startswith("Replicated")
    setting = REPLICATED_WINDOW if is_replicated else PLAIN_WINDOW
    stated = {name: int(value) for name, value in _STATED.findall(engine)}
    return TokenWindow(
        table=table,
        # A plain table that states nothing remembers nothing.
        size=stated.get(setting, REPLICATED_DEFAULT if is_replicated else 0),
        setting=setting,
        seconds=stated.get(f"{REPLICATED_WINDOW}_seconds") if is_replicated else None,
    )
