"""Sends simulated events at their own pace without losing any, and counts what went out."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from inferometer.core import codec
from inferometer.core.pricing import UNPRICED, price_request
from inferometer.errors import BrokerError
from inferometer.sdk.client import Client

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

    from inferometer.core.events import InferenceRequest
    from inferometer.core.price_book import PriceBook
    from inferometer.kafka_security import KafkaSecurity

BUFFER_EVENTS = 20_000
BUFFER_BYTES = 128 * 1024 * 1024
_LOOK_EVERY = 100
_HIGH_WATER = BUFFER_EVENTS - _LOOK_EVERY
_FULL_BUFFER_WAIT_S = 0.02
_PATIENCE_S = 86_400.0
"""A broker that is away is waited for; the producer's own retries send nothing twice."""


@dataclass(slots=True)
class Totals:
    """What some events come to; cost in pico-dollars."""

    events: int = 0
    input_tokens: int = 0
    output_tokens: int = 0
    cost_pico: int = 0
    unpriced: int = 0


@dataclass(slots=True)
class Tally:
    """Totals of what was sent, over all and by model."""

    book: PriceBook
    all: Totals = field(default_factory=Totals)
    by_model: dict[str, Totals] = field(default_factory=dict)

    def add(self, event: InferenceRequest) -> None:
        """Count and price one event."""
        cost = price_request(self.book, event)
        for totals in (self.all, self.by_model.setdefault(event.model, Totals())):
            totals.events += 1
            totals.input_tokens += event.input_tokens or 0
            totals.output_tokens += event.output_tokens or 0
            totals.cost_pico += cost.price_cost
            totals.unpriced += cost.cost_status == UNPRICED


def new_client(
    *, bootstrap_servers: str, topic: str, security: KafkaSecurity, **settings: Any
) -> Client:
    """Return a client whose buffer suits a sender that may wait; raises ConfigError.

    Further keywords are settings of the client, `envelope` and the like.
    """
    return Client(
        bootstrap_servers=bootstrap_servers,
        requests_topic=topic,
        buffer_events=BUFFER_EVENTS,
        buffer_bytes=BUFFER_BYTES,
        delivery_timeout_s=_PATIENCE_S,
        security=security,
        environ={},
        **settings,
    )


def send_all(
    client: Client,
    events: Iterable[Mapping[str, Any]],
    *,
    is_paced: bool,
    now_us: Callable[[], int],
    sleep: Callable[[float], None],
    on_full: Callable[[], None],
) -> Iterator[InferenceRequest]:
    """Send each event, once its end has come where `is_paced`, and yield it when it is sent.

    Waits while the buffer is full, so that nothing is dropped on the way; `on_full` hears of it at
    each look.
    """
    for number, fields in enumerate(events):
        event = codec.event_of(fields)
        if is_paced and (early_us := event.ts_end - now_us()) > 0:
            sleep(early_us / 1e6)
        if number % _LOOK_EVERY == 0:
            while client.stats().in_flight >= _HIGH_WATER:
                on_full()
                sleep(_FULL_BUFFER_WAIT_S)
        # The fields and not the event, which would be written and checked once more.
        client.emit(fields)
        yield event


def finish(client: Client, *, timeout_s: float) -> None:
    """Wait until the broker has everything; raises BrokerError where it has not."""
    client.flush(timeout_s)
    stats = client.stats()
    missing = stats.emitted - stats.delivered
    if missing:
        client.close(0)
        raise BrokerError(
            f"{missing} of {stats.emitted} events did not reach Kafka at "
            f"{client.settings.bootstrap_servers} within {timeout_s:g} s; check the broker and "
            "the topic, then run it again (the new events have new ids)",
            retryable=True,
        )
