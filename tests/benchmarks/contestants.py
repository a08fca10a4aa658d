"""What `make bench` knows of a contestant: what it does, what it promises, how to run it.

A contestant is a program of its own. It reads `place.events` events from the earliest offset of
`place.topic` in a fresh consumer group, and speaks on stdout, a line at a time, flushed:

    progress N      events done so far; at least every 10,000 events or 50 ms while there is work
    dropped N       optional: events left out so far, as late ones are by some engines
    note TEXT       optional: a remark for the table, for example a version that it found
    counted N       last: the sum of the counts in its windows (events seen, where it keeps none)

`progress` counts what is done as far as the contestant goes: stored for those that store,
aggregated for those that do not. Then it ends by itself with code 0. The harness pins it to one
core, takes the CPU of its whole process tree and the wall clock at the first `progress` at or above
`place.warm_up` and at the first at or above `place.until`, and refuses a run in which counted and
dropped together are not exactly `place.events`. The measurement ends before the topic does, because
clients fetch ahead: so it begins and ends with as much in their queues. Whatever it writes on stderr
is shown if it fails. Its processes must stay its descendants (no daemons), or their CPU is not seen.

The work, unless a contestant says otherwise: decode the JSON of each event; group by (window of 10 s
by `ts_end`, `model`, `status_code`); a group has the count and the sums of `input_tokens`,
`output_tokens`, `ttft_ms` and `e2e_ms`; with sketches, also those of `ttft_ms` and `e2e_ms` with a
relative error of 0.5 %. `ts_end` is in microseconds since 1970. Each field is in every event of both
shapes; in full events they stand among 33 fields.
"""

from __future__ import annotations

import importlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from collections.abc import Callable
    from contextlib import AbstractContextManager
    from pathlib import Path

Shape = Literal["full", "lean"]
Content = Literal["json", "ndjson", "arrow"]

PEERS = (
    "tests.benchmarks.peers.ours",
    "tests.benchmarks.peers.aiokafka_getmany",
    "tests.benchmarks.peers.confluent",
    "tests.benchmarks.peers.stock_faust",
    "tests.benchmarks.peers.quix",
    "tests.benchmarks.peers.bytewax_fold",
    "tests.benchmarks.peers.clickhouse_kafka",
    "tests.benchmarks.peers.flink",
    "tests.benchmarks.peers.kafka_streams",
    "tests.benchmarks.peers.go",
)
"""Modules that have `CONTESTANTS`, a tuple of `Contestant`, in the order of the table."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where a run happens."""

    bootstrap_servers: str
    topic: str
    """Filled before the run: LogAppendTime, lz4, values and headers as the SDK sends them."""
    partitions: int
    shape: Shape
    events: int
    """All that the topic holds, and all that is to be read."""
    warm_up: int
    """Events before the measurement begins; part of `events`."""
    until: int
    """Events at which the measurement ends; what comes after is read as well."""
    group: str
    """A consumer group that nobody has used."""
    folder: Path
    """Scratch of this run, empty, removed after it."""
    installed: Path
    """What `prepare` was given."""
    content: Content = "json"
    run_epoch: str = ""
    """Identity of the topic on the embedded broker, which has no topic ids; else empty."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Contestant:
    """One row of the comparison."""

    name: str
    """Short, unique, for `--contestants`: `confluent_orjson`."""
    title: str
    """For the table, with what distinguishes it: `confluent-kafka + orjson`."""
    work: str
    """What it does with each event, and what not."""
    guarantee: str
    """What is lost or doubled when it is killed, as run here."""
    late_data: str
    """What becomes of events whose window has passed."""
    settings: str
    """The fast settings of its documentation that it runs with."""
    unavailable: Callable[[], str | None]
    """Why it cannot run here, with what to install, or None. Quick, without network."""
    prepare: Callable[[Path], None]
    """Install or build into a folder of its own that is kept between calls of `make bench`; return
    at once where that is done already. May use the network. Raises where it fails, with the reason."""
    command: Callable[[Place], list[str]]
    """The program and its arguments."""
    versions: Callable[[Path], dict[str, str]] = lambda _installed: {}
    """Names and versions of what `prepare` has installed."""
    is_stored: bool = False
    """Whether raw events and roll-ups are stored at the end."""
    kind: Literal["ours", "peer", "bare"] = "peer"
    """Bare ones only fetch: no events are decoded, so they are a ceiling and no rival."""
    shapes: tuple[Shape, ...] = ("lean",)
    content: Content = "json"
    one_in: int = 1
    """Slow ones read a topic with this part of the events, the first ones."""
    start_timeout_s: float = 120.0
    """Until the first `progress`."""
    environ: Callable[[Place], dict[str, str]] = lambda _place: {}
    """Variables beside those of the harness."""
    beside: Callable[[Place], AbstractContextManager[int]] | None = None
    """A process that has to run meanwhile, on the other cores; yields its id. Its CPU is shown apart
    and not counted."""


def always_available() -> str | None:
    """Return no reason against running."""
    return None


def all_contestants() -> list[Contestant]:
    """Return every contestant, ours first."""
    found: list[Contestant] = []
    for name in PEERS:
        found += importlib.import_module(name).CONTESTANTS
    return found
