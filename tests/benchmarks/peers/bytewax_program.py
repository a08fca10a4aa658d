"""Reads a topic with Bytewax and folds it into tumbling windows."""

from __future__ import annotations

import sys
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import bytewax.operators as op
import orjson
from bytewax.connectors.kafka import KafkaSource
from bytewax.dataflow import Dataflow
from bytewax.operators import windowing
from bytewax.run import cli_main
from bytewax.testing import TestingSink

from tests.benchmarks.peers.speaking import Progress, say
from tests.benchmarks.peers.windows import WINDOW_US

if TYPE_CHECKING:
    from bytewax.connectors.kafka import KafkaSourceMessage

_BATCH = 10_000
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def main(servers: str, topic: str, number: str, wait_s: str) -> None:
    """Read what the topic holds."""
    events, wait = int(number), timedelta(seconds=int(wait_s))
    progress = Progress()
    closed: list[tuple[str, tuple[int, list[float]]]] = []
    late: list[Any] = []

    def fold(sums: list[float], event: dict[str, Any]) -> list[float]:
        sums[0] += 1
        sums[1] += event["input_tokens"]
        sums[2] += event["output_tokens"]
        sums[3] += event["ttft_ms"]
        sums[4] += event["e2e_ms"]
        progress.add(1)
        return sums

    def drop(_event: Any) -> None:
        progress.add(1)

    flow = Dataflow("race")
    config = {"fetch.queue.backoff.ms": "10", "fetch.wait.max.ms": "50"}
    source = KafkaSource([servers], [topic], tail=False, batch_size=_BATCH, add_config=config)
    keyed = op.flat_map_batch("decode", op.input("in", flow, source), _decoded)
    out = windowing.fold_window(
        "sum",
        keyed,
        windowing.EventClock(_event_time, wait_for_system_duration=wait),
        windowing.TumblingWindower(length=timedelta(microseconds=WINDOW_US), align_to=_EPOCH),
        lambda: [0, 0, 0, 0.0, 0.0],
        fold,
        _merged,
        ordered=False,
    )
    op.output("closed", out.down, TestingSink(closed))
    op.output("late", op.map("drop", out.late, drop), TestingSink(late))
    cli_main(flow)
    if progress.events != events:
        raise RuntimeError(f"it saw {progress.events} events")
    progress.say_last()
    say("dropped", len(late))
    say("counted", int(sum(sums[0] for _key, (_window, sums) in closed)))


def _decoded(records: list[KafkaSourceMessage[Any, Any]]) -> list[tuple[str, dict[str, Any]]]:
    found = []
    for record in records:
        event = orjson.loads(record.value)
        found.append((f"{event['model']}|{event['status_code']}", event))
    return found


def _event_time(event: dict[str, Any]) -> datetime:
    return _EPOCH + timedelta(microseconds=event["ts_end"])


def _merged(one: list[float], other: list[float]) -> list[float]:
    return [a + b for a, b in zip(one, other, strict=True)]


if __name__ == "__main__":
    main(*sys.argv[1:])
