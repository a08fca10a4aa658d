"""`inferometer dev kafka`: a real Apache Kafka of one node, until it is told to stop."""

from __future__ import annotations

import argparse
import contextlib
import signal
import threading
from pathlib import Path
from typing import TYPE_CHECKING

from inferometer.cli.command import OK
from inferometer.errors import BrokerError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from inferometer.cli.command import Context

SUMMARY = "run Apache Kafka (one node, KRaft) in the foreground, from its Maven artifacts"
EXAMPLE = """
inferometer dev kafka
inferometer dev kafka --port 9092 --data ./data/kafka
"""
DEFAULT_PORT = 9092
MAX_PORT = 65_535
WAIT_S = 60.0


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the flags."""
    parser.add_argument(
        "--port",
        type=_port,
        default=DEFAULT_PORT,
        metavar="N",
        help="port on 127.0.0.1; 0 for any free one; default 9092",
    )
    parser.add_argument(
        "--data",
        metavar="DIR",
        type=Path,
        help="keep topics and records here; default: a temporary folder, removed at the end",
    )


def run(arguments: argparse.Namespace, context: Context) -> int:
    """Print `ready: HOST:PORT (DIR)` on stdout once the broker answers; run until a signal.

    Raises BrokerError where it cannot start, or ends by itself.
    """
    from inferometer.kafka.broker_jars import kafka_version
    from inferometer.kafka.local_broker import LocalBroker

    broker = LocalBroker(data_dir=arguments.data, port=arguments.port)
    print(
        f"starting Apache Kafka {kafka_version()}; the first start fetches it by Maven",
        file=context.stderr,
    )
    with _signals_interrupt(), broker, contextlib.suppress(KeyboardInterrupt):
        ready = f"ready: {broker.bootstrap_servers} ({broker.folder})"
        print(ready, file=context.stdout, flush=True)
        while True:
            with contextlib.suppress(TimeoutError):
                code = broker.wait(WAIT_S)
                raise BrokerError(
                    f"Kafka ended by itself with code {code}:\n{broker.last_lines()}",
                    retryable=True,
                )
    return OK


@contextlib.contextmanager
def _signals_interrupt() -> Iterator[None]:
    """Let SIGTERM end the command as SIGINT does, also where a shell has it ignored."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = {
        number: signal.signal(number, signal.default_int_handler)
        for number in (signal.SIGINT, signal.SIGTERM)
    }
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _port(text: str) -> int:
    try:
        port = int(text)
    except ValueError:
        port = -1
    if not 0 <= port <= MAX_PORT:
        raise argparse.ArgumentTypeError(f"{text!r} is no port; give 0 to {MAX_PORT}")
    return port
