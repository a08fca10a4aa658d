"""What counting and evaluation write: counts, notices, transitions, snapshots."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

from inferometer.core.alerts.history import encode_transition
from inferometer.core.alerts.notice_codec import encode_notice
from inferometer.core.slo.board_snapshots import Kept
from inferometer.kafka.alert_producer import Outgoing

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from inferometer.core.alerts.history import TransitionRecord
    from inferometer.core.alerts.notices import Notice
    from inferometer.kafka.alert_producer import AlertProducer
    from inferometer.kafka.alert_topics import AlertTopicNames
    from inferometer.kafka.partition_reader import PartitionReader

PIECE_BYTES = 900_000
"""Of a snapshot, in one record: below what any broker takes."""
_MANIFEST = b"manifest"
_SNAPSHOT, _TOLD = b"", b"told/"
"""What keys begin with."""
_SLOTS = (b"a", b"b")


class KafkaCounts:
    """A `CountsOutput` over the counts topic."""

    def __init__(self, producer: AlertProducer, topic: str) -> None:
        self._producer = producer
        self._topic = topic

    def publish(self, records: Sequence[tuple[int, bytes]]) -> None:
        """Send records to their target partitions; see `CountsOutput.publish`."""
        self._producer.send(
            [Outgoing(self._topic, value, partition=target) for target, value in records]
        )


class KafkaAlertOutput:
    """An `AlertOutput` over the topics of notices and transitions."""

    def __init__(self, producer: AlertProducer, named: AlertTopicNames) -> None:
        self._producer = producer
        self._named = named

    def publish(self, notices: Sequence[Notice], transitions: Sequence[TransitionRecord]) -> None:
        """Send transitions, then notices, keyed by incident; see `AlertOutput.publish`."""
        told = [
            Outgoing(
                self._named.transitions,
                encode_transition(transition),
                key=transition.incident_id.encode(),
            )
            for transition in transitions
        ]
        told += [
            Outgoing(self._named.notices, encode_notice(notice), key=notice.incident_id.encode())
            for notice in notices
        ]
        self._producer.send(told)


@dataclass(frozen=True, slots=True)
class _Manifest:
    slot: int
    pieces: int
    generation: int


class KafkaSnapshots:
    """A `SnapshotStore` over a compacted topic, in pieces and two slots.

    The manifest is written last and names the slot, so a crash before it leaves what was kept last
    as it was; pieces carry the generation, so that those of a half-written one are not mixed in.
    """

    def __init__(self, producer: AlertProducer, reader: PartitionReader, topic: str) -> None:
        self._producer = producer
        self._reader = reader
        self._topic = topic
        self._manifests: dict[tuple[int, bytes], _Manifest] = {}

    def latest(self, partition: int) -> Kept:
        """Read the topic's partition to its end; see `SnapshotStore.latest`."""
        found: dict[bytes, bytes] = {}
        places: dict[bytes, int] = {}
        for message in self._reader.messages(self._topic, partition):
            if message.value() is not None:
                found[message.key()] = message.value()
                places[message.key()] = message.offset()
        snapshot = self._whole(partition, _SNAPSHOT, found)
        told = self._whole(partition, _TOLD, found)
        if places.get(_TOLD + _MANIFEST, -1) < places.get(_SNAPSHOT + _MANIFEST, -1):
            # A later snapshot holds it.
            told = None
        return Kept(snapshot, told)

    def _whole(self, partition: int, kind: bytes, found: Mapping[bytes, bytes]) -> bytes | None:
        written = found.get(kind + _MANIFEST)
        if written is None:
            self._manifests.pop((partition, kind), None)
            return None
        manifest = _Manifest(**json.loads(written))
        self._manifests[partition, kind] = manifest
        head = manifest.generation.to_bytes(8, "big")
        keys = (_key(kind, manifest.slot, number) for number in range(manifest.pieces))
        pieces = [found.get(key, b"") for key in keys]
        if any(piece[:8] != head for piece in pieces):
            # Nothing but retention set by hand can do this; the counts build the state again.
            return None
        return b"".join(piece[8:] for piece in pieces)

    def save(self, partition: int, snapshot: bytes) -> None:
        """Write the other slot, then the manifest; see `SnapshotStore.save`."""
        self._write(partition, _SNAPSHOT, snapshot)

    def save_told(self, partition: int, told: bytes) -> None:
        """Write beside the snapshot; see `SnapshotStore.save_told`."""
        self._write(partition, _TOLD, told)

    def _write(self, partition: int, kind: bytes, data: bytes) -> None:
        last = self._manifests.get((partition, kind), _Manifest(1, 0, 0))
        generation = last.generation + 1
        head = generation.to_bytes(8, "big")
        cuts = range(0, max(1, len(data)), PIECE_BYTES)
        slot = 1 - last.slot
        pieces = [
            Outgoing(
                self._topic,
                head + data[start : start + PIECE_BYTES],
                key=_key(kind, slot, number),
                partition=partition,
            )
            for number, start in enumerate(cuts)
        ]
        self._producer.send(pieces)
        manifest = _Manifest(slot, len(pieces), generation)
        self._producer.send(
            [
                Outgoing(
                    self._topic,
                    json.dumps(asdict(manifest)).encode(),
                    key=kind + _MANIFEST,
                    partition=partition,
                )
            ]
        )
        self._manifests[partition, kind] = manifest


def _key(kind: bytes, slot: int, number: int) -> bytes:
    return b"%s%s/%d" % (kind, _SLOTS[slot], number)
