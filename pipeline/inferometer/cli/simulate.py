"""`inferometer simulate`: sends the events of a simulated fleet to a broker, and says what it sent."""

from __future__ import annotations

import argparse
import itertools
import time
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from inferometer.cli.command import Context
    from inferometer.core.price_book import PriceBook
    from inferometer.simulate.sending import Tally, Totals

SUMMARY = "send the requests of a simulated fleet to Kafka"
EXAMPLE = """
inferometer simulate --kafka localhost:9092 --events 1000 --rate 300 --seed 7
inferometer simulate --kafka localhost:9092 --events 100000 --rate 0 --envelope arrow
"""

DEFAULT_EVENTS = 1_000
DEFAULT_RATE = 300.0
UNPACED_RATE = 1_000.0
"""Events a second of event time when nothing paces the sending."""
PROGRESS_S = 2.0
DEFAULT_TIMEOUT_S = 60.0


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the flags."""
    parser.add_argument(
        "--kafka", metavar="HOST:PORT", help="the broker; default: setting kafka.bootstrap_servers"
    )
    parser.add_argument(
        "--events", type=_count, default=DEFAULT_EVENTS, metavar="N", help="how many; default 1000"
    )
    parser.add_argument(
        "--rate",
        type=_rate,
        default=DEFAULT_RATE,
        metavar="N",
        help="mean events a second; 0 for as fast as possible; default 300",
    )
    parser.add_argument(
        "--seed", type=int, default=0, metavar="N", help="one seed, one sequence; default 0"
    )
    parser.add_argument(
        "--retries",
        action="store_true",
        help="also send requests of two attempts (not final, final)",
    )
    parser.add_argument(
        "--envelope",
        choices=("ndjson", "arrow", "json"),
        default="ndjson",
        help="what a record carries: many events as lines or columns, or one; default ndjson",
    )
    parser.add_argument(
        "--batch-events",
        type=_count,
        default=None,
        metavar="N",
        help="events of one record at most; default 500",
    )
    parser.add_argument(
        "--timeout",
        type=float,
        default=DEFAULT_TIMEOUT_S,
        metavar="SECONDS",
        help="how long the broker may take for the last event; default 60",
    )


def run(arguments: argparse.Namespace, context: Context) -> int:
    """Send, wait for the broker, and print one JSON line."""
    from inferometer.simulate import sending

    settings = context.settings({"kafka.bootstrap_servers": arguments.kafka})
    tally = sending.Tally(_price_book(settings.prices.source, settings.prices.overlay_file))
    client = sending.new_client(
        bootstrap_servers=settings.kafka.bootstrap_servers,
        topic=settings.kafka.requests_topic,
        security=settings.kafka.security(),
        envelope=arguments.envelope,
        batch_max_events=arguments.batch_events,
    )
    with client:
        _send(arguments, context, client, tally)
        sending.finish(client, timeout_s=arguments.timeout)
    print(summary(tally), file=context.stdout)
    return 0


def summary(tally: Tally) -> str:
    """Return the JSON line; costs are JSON numbers with every digit, 12 after the point."""
    import orjson

    by_model = {
        model: _totals(totals)
        for model, totals in sorted(tally.by_model.items(), key=lambda item: -item[1].events)
    }
    return orjson.dumps({**_totals(tally.all), "by_model": by_model}).decode()


def _send(arguments: argparse.Namespace, context: Context, client: Any, tally: Tally) -> None:
    from inferometer.simulate import sending
    from inferometer.simulate.fleet import Fleet

    is_paced = arguments.rate > 0
    rate = arguments.rate or UNPACED_RATE
    # Sent at once, the events must lie in the past: the door refuses what ends in the future.
    lead_us = 0 if is_paced else int(arguments.events / rate * 1e6)
    fleet = Fleet(
        seed=arguments.seed,
        start_us=_now_us() - lead_us,
        rate=rate,
        clean=not arguments.retries,
    )
    events = itertools.islice(fleet.events(), arguments.events)
    next_line = time.monotonic() + PROGRESS_S

    def tell(what: str) -> None:
        nonlocal next_line
        if time.monotonic() >= next_line:
            next_line = time.monotonic() + PROGRESS_S
            print(
                f"sent {tally.all.events} of {arguments.events} events{what}", file=context.stderr
            )

    for event in sending.send_all(
        client,
        events,
        is_paced=is_paced,
        now_us=_now_us,
        sleep=time.sleep,
        on_full=lambda: tell(", waiting for the broker"),
    ):
        tally.add(event)
        tell("")
    print(f"sent {tally.all.events} events, waiting for the broker", file=context.stderr)


def _totals(totals: Totals) -> dict[str, Any]:
    import orjson

    from inferometer.core.money import pico_to_usd

    return {
        "events": totals.events,
        "input_tokens": totals.input_tokens,
        "output_tokens": totals.output_tokens,
        "cost_usd": orjson.Fragment(f"{pico_to_usd(totals.cost_pico):f}"),
        "unpriced": totals.unpriced,
    }


def _price_book(source: str, overlay_file: Any) -> PriceBook:
    from inferometer.prices import load_book

    files = [] if overlay_file is None else [overlay_file]
    return load_book(files, with_shipped=source != "none")


def _now_us() -> int:
    return time.time_ns() // 1000  # noqa: TID251 - simulated requests end now, as real ones do


def _count(text: str) -> int:
    count = int(text)
    if count < 1:
        raise argparse.ArgumentTypeError(f"{text} is no number of events; give 1 or more")
    return count


def _rate(text: str) -> float:
    rate = float(text)
    if not 0 <= rate < 1e7:
        raise argparse.ArgumentTypeError(f"{text} is no rate; give 0 or more events a second")
    return rate
