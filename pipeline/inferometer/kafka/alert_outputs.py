"""What counting and evaluation write: counts, notices, transitions, snapshots."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

from inferometer.core.alerts.history import encode_transition
from inferometer.core.alerts.notice_codec import encode_notice
from inferometer.kafka.alert_producer import Outgoing

if TYPE_CHECKING:
    from collections.abc import Sequence

    from inferometer.core.alerts.history import TransitionRecord
    from inferometer.core.alerts.notices import Notice
    from inferometer.kafka.alert_producer import AlertProducer
    from inferometer.kafka.alert_topics import AlertTopicNames
    from inferometer.kafka.partition_reader import PartitionReader

PIECE_BYTES = 900_000
"""Of a snapshot, in one record: below what any broker takes."""
_MANIFEST = b"manifest"
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

    The manifest is written last and names the slot, so a crash before it leaves the last snapshot
    as it was; pieces carry the generation, so that those of a half-written one are not mixed in.
    """

    def __init__(self, producer: AlertProducer, reader: PartitionReader, topic: str) -> None:
        self._producer = producer
        self._reader = reader
        self._topic = topic
        self._manifests: dict[int, _Manifest] = {}

    def latest(self, partition: int) -> bytes | None:
        """Read the topic's partition to its end; see `SnapshotStore.latest`."""
        found: dict[bytes, bytes] = {}
        for message in self._reader.messages(self._topic, partition):
            if message.value() is not None:
                found[message.key()] = message.value()
        written = found.get(_MANIFEST)
        if written is None:
            self._manifests.pop(partition, None)
            return None
        manifest = _Manifest(**json.loads(written))
        self._manifests[partition] = manifest
        head = manifest.generation.to_bytes(8, "big")
        pieces = [found.get(_key(manifest.slot, number), b"") for number in range(manifest.pieces)]
        if any(piece[:8] != head for piece in pieces):
            # Nothing but retention set by hand can do this; the counts build the state again.
            return None
        return b"".join(piece[8:] for piece in pieces)

    def save(self, partition: int, snapshot: bytes) -> None:
        """Write the other slot, then the manifest; see `SnapshotStore.save`."""
        last = self._manifests.get(partition, _Manifest(1, 0, 0))
        generation = last.generation + 1
        head = generation.to_bytes(8, "big")
        cuts = range(0, max(1, len(snapshot)), PIECE_BYTES)
        slot = 1 - last.slot
        pieces = [
            Outgoing(
                self._topic,
                head + snapshot[start : start + PIECE_BYTES],
                key=_key(slot, number),
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
                    key=_MANIFEST,
                    partition=partition,
                )
            ]
        )
        self._manifests[partition] = manifest


def _key(slot: int, number: int) -> bytes:
    return b"%s/%d" % (_SLOTS[slot], number)
