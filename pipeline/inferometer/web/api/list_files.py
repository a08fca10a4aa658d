"""Answers that are short lists, on their way to a client as files."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from inferometer.core.query.answer_files import FileColumn, Kind, file_of
from inferometer.web.api.workers import Opened

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from inferometer.core.query.answers import Coverage
    from inferometer.web.api.formats import Format


def columns_of(**kinds: Kind) -> tuple[FileColumn, ...]:
    """Return columns by their names."""
    return tuple(FileColumn(name, kind) for name, kind in kinds.items())


def opened_list(
    rows: Sequence[Mapping[str, Any]],
    columns: Sequence[FileColumn],
    form: Format,
    coverage: Coverage | None = None,
) -> Opened:
    """Return a list as a file, with what its headers say of it."""
    headers = {"X-Row-Count": str(len(rows))}
    if coverage is not None:
        headers["X-Is-Whole"] = str(coverage.is_whole).lower()
    return Opened(headers, iter((file_of(rows, columns, str(form)),)))
