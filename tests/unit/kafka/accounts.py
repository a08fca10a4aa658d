"""What a store holds of one partition, to be compared with what went into it."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from inferometer import names

if TYPE_CHECKING:
    from inferometer.testing.stores import MemoryChunkStore

NOW_US = 1_763_690_000_000_000
ROLLUPS = (
    "service_10s_rows", "service_1m_rows", "service_1h_rows", "usage_1m_rows", "usage_1h_rows",
)  # fmt: skip


def event(event_id: str, **changes: Any) -> bytes:
    """Return one event as a producer sends it."""
    return json.dumps(
        {"event_id": event_id, "request_id": "r", "model": "m", "status_code": 200,
         "ts_end": NOW_US, "input_tokens": 3, **changes}
    ).encode()  # fmt: skip


POISON = b"{"


@dataclass(frozen=True)
class Account:
    """Events by offset, sums of each roll-up table, dead letters, how far the ledger goes."""

    log: tuple[tuple[int, str], ...]
    sums: dict[str, tuple[int, int]]
    """Requests and input tokens by table."""
    dead: tuple[int, ...]
    ledger: tuple[tuple[int, int], ...]
    counts: tuple[int, int, int]
    """Stored, dead, duplicates of the ledger."""

    @property
    def is_contiguous(self) -> bool:
        """Whether each chunk of the ledger begins where the one before it ends, from offset 0."""
        ends = (0, *(stop for _first, stop in self.ledger))
        return all(first == end for (first, _stop), end in zip(self.ledger, ends, strict=False))


def expected(values: list[bytes]) -> Account:
    """Return what is to be stored of records: the first of each event, poison aside."""
    log: list[tuple[int, str]] = []
    seen: set[str] = set()
    for offset, value in enumerate(values):
        event_id = "" if value == POISON else str(json.loads(value)["event_id"])
        if value != POISON and event_id not in seen:
            seen.add(event_id)
            log.append((offset, event_id))
    dead = tuple(offset for offset, value in enumerate(values) if value == POISON)
    sums = dict.fromkeys(ROLLUPS, (len(log), 3 * len(log)))
    counts = (len(log), len(dead), len(values) - len(log) - len(dead))
    return Account(tuple(log), sums, dead, ((0, len(values)),), counts)


def account(store: MemoryChunkStore) -> Account:
    """Return what is stored."""
    log = _rows(store, names.REQUESTS_TABLE)
    ledger = _rows(store, names.LEDGER_TABLE)
    sums = {table: _rows(store, table) for table in ROLLUPS}
    return Account(
        log=tuple(sorted((row["kafka_offset"], row["event_id"]) for row in log)),
        sums={
            table: (sum(row["requests"] for row in rows), sum(row["input_tokens"] for row in rows))
            for table, rows in sums.items()
        },
        dead=tuple(sorted(row["kafka_offset"] for row in _rows(store, names.DEAD_LETTERS_TABLE))),
        ledger=tuple(sorted((row["first_offset"], row["last_offset"] + 1) for row in ledger)),
        counts=(
            sum(row["stored"] for row in ledger),
            sum(row["dead"] for row in ledger),
            sum(row["duplicates"] for row in ledger),
        ),
    )


def _rows(store: MemoryChunkStore, table: str) -> list[dict[str, Any]]:
    held = store.rows(table)
    return [] if held is None else held.to_pylist()


def assert_exactly_once(store: MemoryChunkStore, values: list[bytes], where: str = "") -> None:
    """Compare what is stored with what was sent."""
    wanted, found = expected(values), account(store)
    assert found.log == wanted.log, where
    assert found.sums == wanted.sums, where
    assert found.dead == wanted.dead, where
    assert found.counts == wanted.counts, where
    assert found.is_contiguous, f"{where}: {found.ledger}"
    assert found.ledger[-1][1] == len(values), f"{where}: {found.ledger}"
