"""A producer of the harness: sends through the SDK what `traffic` says, at a rate, until told.

All goes through the SDK's client and its disk spool: one event in `TYPED_EVERY` as fields that the
client checks and encodes, the others as bytes that are ready, which spares the machine.

How far it came is in a file that survives kill -9: a line before each block with the instant that
the block's event times hang on, and a counter of the events that `persist` has vouched for. Started
again, it goes on with the first event that is not counted; the spool brings what was waiting.
"""

from __future__ import annotations

import argparse
import mmap
import os
import struct
import sys
import time
from collections import defaultdict
from dataclasses import dataclass, field
from pathlib import Path

import orjson

from inferometer.sdk.client import Client
from tests.faults.traffic import BLOCK_EVENTS, disturb, make_block
from tests.faults.wire import Sendable, Writer, poison

JOURNAL, COUNTER, PAUSE, STOP = "journal", "counter", "pause", "stop"
_COUNT = struct.Struct("<Q")
PERSIST_EVERY = 100
TYPED_EVERY = 20
"""One event in so many goes through `emit` with its fields, the others as bytes that are ready."""


@dataclass(slots=True)
class Progress:
    """How far a producer came: blocks begun, events persisted."""

    folder: Path
    bases_us: list[int] = field(default_factory=list)
    _map: mmap.mmap | None = None

    def __post_init__(self) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        path = self.folder / COUNTER
        if not path.exists():
            path.write_bytes(bytes(_COUNT.size))
        with path.open("r+b") as file:
            self._map = mmap.mmap(file.fileno(), _COUNT.size)
        journal = self.folder / JOURNAL
        if journal.exists():
            # A line that was cut off belongs to a block of which nothing was sent.
            self.bases_us = [int(line) for line in journal.read_text().split("\n")[:-1]]

    @property
    def events(self) -> int:
        """Events that the SDK has promised to deliver."""
        if self._map is None:
            raise RuntimeError("the counter is not open")
        return int(_COUNT.unpack_from(self._map)[0])

    def note(self, events: int) -> None:
        """Count; in the system's memory at once."""
        if self._map is not None:
            _COUNT.pack_into(self._map, 0, events)

    def begin_block(self, base_us: int) -> None:
        """Remember the instant of the next block, before any of its events is sent."""
        with (self.folder / JOURNAL).open("a") as journal:
            journal.write(f"{base_us}\n")
        self.bases_us.append(base_us)


class Producer:
    """Sends blocks one after another."""

    def __init__(self, given: argparse.Namespace) -> None:
        self._seed, self._number = given.seed, given.number
        self._rate = given.rate
        self._pause_file, self._stop_file = (Path(given.folder) / name for name in (PAUSE, STOP))
        self._progress = Progress(Path(given.folder))
        self._client = Client(
            bootstrap_servers=given.kafka,
            requests_topic=given.topic,
            source=f"producer-{given.number}",
            spool_dir=str(Path(given.folder) / "spool"),
            envelope=given.envelope,
        )
        self._writer = Writer()
        self._repeats: dict[int, list[Sendable]] = defaultdict(list)

    def run(self) -> None:
        """Send until a stop is asked for, and until the broker has everything."""
        due_s = time.monotonic()
        while self._wait(due_s):
            self._send_block(*divmod(self._progress.events, BLOCK_EVENTS))
            due_s = max(due_s + BLOCK_EVENTS / self._rate, time.monotonic() - 2.0)
        while self._client.flush(5.0):
            pass
        self._client.close()

    def _wait(self, due_s: float) -> bool:
        """Wait until the next block is due; False once there is to be none."""
        while time.monotonic() < due_s or self._pause_file.exists():
            if self._stop_file.exists():
                return False
            time.sleep(0.005)
        return not self._stop_file.exists()

    def _send_block(self, block: int, start: int) -> None:
        """Send the events of a block from one place on; it is `start` where an earlier life ended."""
        if block == len(self._progress.bases_us):
            self._progress.begin_block(time.time_ns() // 1000)
        base_us = self._progress.bases_us[block]
        columns = make_block(self._seed, self._number, block, base_us)
        odd = disturb(self._seed, self._number, block)
        for again in self._repeats.pop(block, ()):
            self._client.emit_record(again.value, key=again.key)
        for place, record in enumerate(self._writer.records(columns)):
            if place < start:
                continue
            number = block * BLOCK_EVENTS + place
            if place in odd.poison:
                bad = poison(self._number, number, odd.poison[place], base_us)
                self._client.emit_record(bad.value, key=bad.key, content_type=bad.content_type)
            if number % TYPED_EVERY:
                self._client.emit_record(record.value, key=record.key)
            else:
                self._client.emit(orjson.loads(record.value))
            if place in odd.repeats:
                self._repeats[block + 1 + odd.repeats[place]].append(record)
            if (number + 1) % PERSIST_EVERY == 0:
                while not self._client.persist(5.0):
                    pass
                self._progress.note(number + 1)


def main(argv: list[str]) -> int:
    """Send, and return once everything is with the broker."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--kafka", required=True)
    parser.add_argument("--topic", required=True)
    parser.add_argument("--folder", required=True)
    parser.add_argument("--seed", type=int, required=True)
    parser.add_argument("--number", type=int, required=True)
    parser.add_argument("--rate", type=float, required=True)
    parser.add_argument("--envelope", required=True)
    Producer(parser.parse_args(argv)).run()
    return 0


if __name__ == "__main__":
    os.nice(1)
    sys.exit(main(sys.argv[1:]))
