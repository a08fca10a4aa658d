"""Puts events into records: many to a record, as lines or as columns, or one each.

Events share a record where they go to one partition; they stand in it in the order in which they
came. What is no single-line JSON object, and what has columns already, is a record of its own.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from inferometer.errors import ConfigError
from inferometer.names import (
    ARROW_CONTENT_TYPE,
    CONTENT_TYPE_HEADER,
    NDJSON_CONTENT_TYPE,
)
from inferometer.sdk import items
from inferometer.sdk.settings import Envelope
from inferometer.sdk.spread import BY_KEY, Spread, second_of
from inferometer.sdk.transport import Outgoing

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence
    from types import ModuleType

    from inferometer.core.codec import Header
    from inferometer.sdk.items import Entry, Item
    from inferometer.sdk.settings import ClientSettings

_NDJSON: list[Header] = [(CONTENT_TYPE_HEADER, NDJSON_CONTENT_TYPE.encode())]
_ARROW: list[Header] = [(CONTENT_TYPE_HEADER, ARROW_CONTENT_TYPE.encode())]
_MIN_COLUMNS_EVENTS = 32
"""Below, the schema of a stream of columns outweighs what they save."""


@dataclass(slots=True)
class Parcel:
    """A record, and the places of its events among those that were packed."""

    record: Outgoing
    places: Sequence[int]


@dataclass(slots=True)
class _Group:
    """The lines that gather for one record."""

    key: bytes
    partition: int
    lines: list[bytes] = field(default_factory=list)
    places: list[int] = field(default_factory=list)
    size_bytes: int = 0


class _Groups:
    """The records that gather at a time: one a partition, or a key while partitions are unknown."""

    def __init__(self, spread: Spread, partitions: int) -> None:
        self._spread = spread
        self._partitions = partitions
        self._by_name: dict[bytes | int, _Group] = {}
        self._by_second: dict[bytes, _Group] = {}

    def of(self, line: bytes) -> _Group:
        """Return the group of a line."""
        second = second_of(line)
        group = self._by_second.get(second)
        if group is None:
            key, partition = self._spread.place(second, self._partitions)
            group = self._by_second[second] = self._named(key, partition)
        return group

    def of_item(self, item: Item) -> _Group:
        """Return the group of a line that may have a partition already."""
        group = self.of(item.value)
        if item.partition >= 0:
            return self._named(group.key, item.partition)
        return group

    def _named(self, key: bytes, partition: int) -> _Group:
        name = partition if partition >= 0 else key
        return self._by_name.setdefault(name, _Group(key, partition))

    def __iter__(self) -> Iterator[_Group]:
        return iter(self._by_name.values())


class Packer:
    """Packs entries into records of one topic. Raises ConfigError where columns lack pyarrow."""

    def __init__(self, settings: ClientSettings) -> None:
        self._topic = settings.requests_topic
        self._max_events = settings.batch_max_events
        self._max_bytes = min(settings.batch_max_bytes, settings.max_event_bytes)
        self._max_record_bytes = settings.max_event_bytes
        self.is_shared = settings.envelope != Envelope.JSON.value
        """Whether events share records at all."""
        self._to_columns: Callable[[Sequence[bytes]], tuple[bytes, list[int]]] | None = None
        if settings.envelope == Envelope.ARROW.value:
            self._to_columns = import_columns().LineColumns().write

    def pack(
        self, entries: Iterable[Entry], spread: Spread, partitions: int = 0
    ) -> Iterator[Parcel]:
        """Yield records for all entries, those of one partition in order.

        `partitions` is how many the topic has, 0 where nobody knows.
        """
        if spread.producer == BY_KEY:
            for place, entry in enumerate(entries):
                yield self._alone(place, items.as_item(entry))
            return
        groups = _Groups(spread, partitions)
        for place, entry in enumerate(entries):
            if isinstance(entry, bytes):
                line, group = entry, groups.of(entry)
            elif items.may_share(entry):
                line, group = entry.value, groups.of_item(entry)
            else:
                yield self._alone(place, entry)
                continue
            size = len(line) + 1
            if group.size_bytes + size > self._max_bytes:
                yield from self._close(group)
            group.lines.append(line)
            group.places.append(place)
            group.size_bytes += size
            if len(group.lines) >= self._max_events:
                yield from self._close(group)
        for group in groups:
            yield from self._close(group)

    def _alone(self, place: int, item: Item) -> Parcel:
        record = Outgoing(
            self._topic, items.key_of(item), item.value, items.headers(item), item.partition,
            item.events,
        )  # fmt: skip
        return Parcel(record, (place,))

    def _close(self, group: _Group) -> Iterator[Parcel]:
        """Yield the records of a group, and empty it."""
        lines, places = group.lines, group.places
        group.lines, group.places, group.size_bytes = [], [], 0
        if self._to_columns is not None and len(lines) >= _MIN_COLUMNS_EVENTS:
            value, odd = self._to_columns(lines)
            if len(value) <= self._max_record_bytes:
                if len(odd) < len(lines):
                    left_out = set(odd)
                    inside = [each for at, each in enumerate(places) if at not in left_out]
                    yield self._shared(group, value, _ARROW, inside)
                lines, places = [lines[at] for at in odd], [places[at] for at in odd]
        if lines:
            yield self._shared(group, b"\n".join(lines), _NDJSON, places)

    def _shared(
        self, group: _Group, value: bytes, headers: list[Header], places: Sequence[int]
    ) -> Parcel:
        return Parcel(
            Outgoing(self._topic, group.key, value, headers, group.partition, len(places)), places
        )


def import_columns() -> ModuleType:
    """Return the module that writes columns. Raises ConfigError where pyarrow is missing."""
    try:
        from inferometer.sdk import columns
    except ImportError as error:
        raise ConfigError(
            [
                f"columns need pyarrow ({error}): pip install 'inferometer[sdk-arrow]', or choose "
                "envelope ndjson"
            ]
        ) from error
    return columns
