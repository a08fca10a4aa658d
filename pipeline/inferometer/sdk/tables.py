"""The entries of a caller's table: its rows as streams of columns, one a record."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from inferometer.names import ARROW_CONTENT_TYPE
from inferometer.sdk.envelopes import import_columns
from inferometer.sdk.items import Item
from inferometer.sdk.refusals import EventTooLargeError, InvalidEventError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    import pyarrow as pa

    from inferometer.sdk.items import Entry
    from inferometer.sdk.settings import ClientSettings


def entries_of(
    table: pa.Table | pa.RecordBatch,
    settings: ClientSettings,
    *,
    defaults: Mapping[str, Any],
    new_id: Callable[[], str],
    place: Callable[[bytes], tuple[bytes, int]],
    on_too_large: Callable[[str], None],
) -> list[Entry]:
    """Return the records that a table comes to; `on_too_large` hears of each row that fits in none.

    Raises InvalidEventError for columns that make no events, ConfigError without pyarrow.
    """
    entries: list[Entry] = []
    try:
        for key, stream, events, size_bytes in import_columns().streams_of_table(
            table,
            defaults=defaults,
            new_id=new_id,
            place=place,
            max_events=settings.batch_max_events,
            max_bytes=settings.max_event_bytes,
        ):
            if stream:
                entries.append(Item(stream, key, ARROW_CONTENT_TYPE, is_event=True, events=events))
            else:
                on_too_large(str(EventTooLargeError(size_bytes, settings.max_event_bytes)))
    except (TypeError, ValueError) as error:
        raise InvalidEventError("wrong_type", str(error)) from error
    return entries
