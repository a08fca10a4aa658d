"""A producer with a spool as a process of its own, for tests that kill it: says how far it is safe."""

from __future__ import annotations

import argparse
import threading
import time
from typing import Any

import pyarrow as pa

from inferometer.sdk import Client, Delivery

BATCH = 100


START_US = 1_790_000_000_000_000


def event(number: int, start_us: int = START_US) -> dict[str, Any]:
    """Return the event of a number."""
    return {
        "event_id": f"e-{number}",
        "request_id": f"r-{number}",
        "model": "m",
        # A hundred in a second, so that they spread over partitions; hours, not days, in all.
        "ts_end": start_us - number % 100_000 * 10_000,
        "status_code": 200,
    }


def _never_returns(_: Delivery) -> None:
    threading.Event().wait()


def main() -> None:
    """Emit events in batches; after each that a kill can no longer lose, print its last number."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--kafka", required=True)
    parser.add_argument("--topic", required=True)
    parser.add_argument("--spool", required=True)
    parser.add_argument("--mode", default="always")
    parser.add_argument(
        "--envelope", default="ndjson", help="`table` sends columns by `emit_table`"
    )
    parser.add_argument("--start-us", type=int, default=START_US)
    parser.add_argument("--first", type=int, default=0)
    parser.add_argument("--count", type=int, default=1_000_000)
    parser.add_argument(
        "--deaf", action="store_true", help="hear of one record that arrived, then of none"
    )
    arguments = parser.parse_args()
    client = Client(
        bootstrap_servers=arguments.kafka,
        requests_topic=arguments.topic,
        spool_dir=arguments.spool,
        spool=arguments.mode,
        envelope="ndjson" if arguments.envelope == "table" else arguments.envelope,
        on_delivery=_never_returns if arguments.deaf else None,
        environ={},
    )
    for number in range(arguments.first, arguments.first + arguments.count):
        if arguments.envelope != "table":
            client.emit(event(number, arguments.start_us))
        elif (number + 1) % BATCH == 0:
            numbers = range(number + 1 - BATCH, number + 1)
            rows = [event(each, arguments.start_us) for each in numbers]
            client.emit_table(pa.Table.from_pylist(rows))
        if (number + 1) % BATCH == 0:
            if arguments.mode == "always" and not client.persist():
                break
            print(number, flush=True)
            time.sleep(0.002)
    client.close(60)


if __name__ == "__main__":
    main()
