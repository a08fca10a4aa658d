"""A producer with a spool as a process of its own, for tests that kill it: says how far it is safe."""

from __future__ import annotations

import argparse
import time
from typing import Any

from inferometer.sdk import Client

BATCH = 100


def event(number: int) -> dict[str, Any]:
    """Return the event of a number."""
    return {
        "event_id": f"e-{number}",
        "request_id": f"r-{number}",
        "model": "m",
        "ts_end": 1_790_000_000_000_000 + number,
        "status_code": 200,
    }


def main() -> None:
    """Emit events in batches; after each that a kill can no longer lose, print its last number."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--kafka", required=True)
    parser.add_argument("--topic", required=True)
    parser.add_argument("--spool", required=True)
    parser.add_argument("--mode", default="always")
    parser.add_argument("--first", type=int, default=0)
    parser.add_argument("--count", type=int, default=1_000_000)
    arguments = parser.parse_args()
    client = Client(
        bootstrap_servers=arguments.kafka,
        requests_topic=arguments.topic,
        spool_dir=arguments.spool,
        spool=arguments.mode,
        environ={},
    )
    for number in range(arguments.first, arguments.first + arguments.count):
        client.emit(event(number))
        if (number + 1) % BATCH == 0:
            if arguments.mode == "always" and not client.persist():
                break
            print(number, flush=True)
            time.sleep(0.002)
    client.close(60)


if __name__ == "__main__":
    main()
