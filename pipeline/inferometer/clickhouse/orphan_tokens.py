"""Revokes tokens of inserts that a killed store noted and never finished.

A plain MergeTree writes the note of an insert's token, and only then renames the part into place.
Killed in between, the store would take the retry for a duplicate, and its rows would never appear.
Before the folder is opened, every note near the end of a log is compared with the parts that are
there; a note that no part covers gets what ClickHouse itself writes when a part is dropped.
One that was cut off in the middle is taken away, because nothing was renamed after it.
"""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from itertools import chain
from typing import TYPE_CHECKING, Self

from inferometer.errors import StoreError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

LOGS_FOLDER = "deduplication_logs"
ADDED = "1"
DROPPED = "2"
NOTE_FIELDS = 3

LAST_NOTES = 256
"""How many notes from the end are looked at: more than inserts can be under way at a time.

Not all: parts whose rows have expired are gone as well, and a revocation takes a place in the log.
"""

_LOG_NAME = re.compile(r"deduplication_log_(\d+)\.txt")
_PART_NAME = re.compile(r"([^_]+)_(\d+)_(\d+)_(\d+)(?:_\d+)?")
_TABLE_FILE = re.compile(r"ATTACH TABLE .*? UUID '([0-9a-f-]{36})'")


@dataclass(frozen=True, slots=True)
class OrphanToken:
    """A note whose part is not there."""

    table: str
    """The name of the table, or its folder where the name is not to be found."""
    part: str
    block_id: str


@dataclass(frozen=True, slots=True)
class _Part:
    partition: str
    first: int
    last: int
    level: int

    @classmethod
    def parse(cls, name: str) -> Self | None:
        found = _PART_NAME.fullmatch(name)
        if found is None:
            return None
        return cls(found[1], int(found[2]), int(found[3]), int(found[4]))

    def covers(self, other: _Part) -> bool:
        return (
            self.partition == other.partition
            and self.first <= other.first
            and self.last >= other.last
            and self.level >= other.level
        )


@dataclass(frozen=True, slots=True)
class _Note:
    operation: str
    part: str
    block_id: str

    def line(self) -> str:
        return f"{self.operation}\t{self.part}\t{self.block_id}\n"


def revoke_orphan_tokens(engine_folder: Path) -> list[OrphanToken]:
    """Revoke in every table of a closed engine; return what was revoked.

    Safe to be killed at any place and to run again. Raises StoreError where a log cannot be read or
    written.
    """
    try:
        return [orphan for folder in _table_folders(engine_folder) for orphan in _revoke_in(folder)]
    except OSError as error:
        raise StoreError(
            f"cannot check the tokens of {engine_folder} ({error.strerror}); give this user the "
            "right to read and write it",
            retryable=False,
        ) from error


def _table_folders(engine_folder: Path) -> Iterator[Path]:
    """Yield the folder of each table with a log, wherever its database keeps it, once."""
    logs = chain(
        engine_folder.glob(f"store/*/*/{LOGS_FOLDER}"),
        engine_folder.glob(f"data/*/*/{LOGS_FOLDER}"),
    )
    yield from sorted({log.parent.resolve() for log in logs})


def _revoke_in(table_folder: Path) -> list[OrphanToken]:
    logs = _logs(table_folder / LOGS_FOLDER)
    if not logs:
        return []
    _remove_torn_end(logs[-1])
    orphans = list(_orphans(_last_notes(logs), _parts(table_folder)))
    if not orphans:
        return []
    with logs[-1].open("a", encoding="utf-8", newline="\n") as log:
        log.writelines(_Note(DROPPED, note.part, note.block_id).line() for note in orphans)
        log.flush()
        os.fsync(log.fileno())
    table = _table_name(table_folder)
    return [OrphanToken(table, note.part, note.block_id) for note in orphans]


def _logs(folder: Path) -> list[Path]:
    found = {
        int(matched[1]): path
        for path in folder.iterdir()
        if (matched := _LOG_NAME.fullmatch(path.name))
    }
    return [found[number] for number in sorted(found)]


def _last_notes(logs: list[Path]) -> list[_Note]:
    notes: list[_Note] = []
    for log in reversed(logs):
        lines = map(_parsed, log.read_text(encoding="utf-8").splitlines())
        notes = [*(note for note in lines if note is not None), *notes]
        if len(notes) >= LAST_NOTES:
            break
    return notes[-LAST_NOTES:]


def _parsed(line: str) -> _Note | None:
    fields = line.split("\t")
    return _Note(*fields) if len(fields) == NOTE_FIELDS else None


def _remove_torn_end(log: Path) -> None:
    content = log.read_bytes()
    whole = content.rfind(b"\n") + 1
    if whole < len(content):
        os.truncate(log, whole)


def _parts(table_folder: Path) -> list[_Part]:
    # Parts that are being made, deleted or set aside have other names than finished ones.
    names = (entry.name for entry in table_folder.iterdir() if entry.is_dir())
    return [part for name in names if (part := _Part.parse(name)) is not None]


def _orphans(notes: Iterable[_Note], parts: list[_Part]) -> Iterator[_Note]:
    added: dict[str, _Note] = {}
    for note in notes:
        if note.operation == ADDED:
            added[note.block_id] = note
        else:
            added.pop(note.block_id, None)
    for note in added.values():
        noted = _Part.parse(note.part)
        if noted is not None and not any(part.covers(noted) for part in parts):
            yield note


def _table_name(table_folder: Path) -> str:
    for file in table_folder.parents[1].glob("*/*/*.sql"):
        found = _TABLE_FILE.match(file.read_text(encoding="utf-8", errors="replace"))
        if found and found[1] == table_folder.name:
            return file.stem
    return table_folder.name
