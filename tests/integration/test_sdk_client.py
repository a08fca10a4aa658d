"""The client against a broker over TCP, and against none."""

from __future__ import annotations

import subprocess
import sys
import threading
import time
from collections import Counter
from typing import TYPE_CHECKING, Any

import orjson
import pyarrow as pa
import pytest
from confluent_kafka import Consumer, TopicPartition

from inferometer.core import codec
from inferometer.kafka.embedded import EmbeddedBroker
from inferometer.names import ARROW_CONTENT_TYPE
from inferometer.sdk import Client, Delivery, EventTooLargeError, InferenceRequest
from tests.integration.running_time import RunningTime

if TYPE_CHECKING:
    from collections.abc import Iterator

    from confluent_kafka import Message

pytestmark = pytest.mark.integration

NO_BROKER = "127.0.0.1:1"
WAIT_S = 180.0
TOPICS = {"inference.requests": 4, "inference.signals": 1}


@pytest.fixture
def broker() -> Iterator[EmbeddedBroker]:
    with EmbeddedBroker() as started:
        started.start(TOPICS)
        yield started


def fields(number: int) -> dict[str, Any]:
    return {"request_id": f"r-{number}", "model": "m", "ts_end": 5 + number, "status_code": 200}


def read_events(broker: EmbeddedBroker, count: int) -> list[tuple[dict[str, Any], int]]:
    """Return the events of all requests, one or many to a record, and their partitions."""
    found: list[tuple[dict[str, Any], int]] = []
    for message in read(broker, "inference.requests", None):
        value = message.value() or b""
        kind = dict(message.headers() or [])["content-type"]
        if kind == ARROW_CONTENT_TYPE.encode():
            events = pa.ipc.open_stream(value).read_all().to_pylist()
        else:
            events = [orjson.loads(line) for line in value.split(b"\n")]
        found += [(event, message.partition() or 0) for event in events]
    assert len(found) == count
    return found


def read(broker: EmbeddedBroker, topic: str, count: int | None) -> list[Message]:
    """Return so many records of all partitions, or all; fail after a minute."""
    consumer = Consumer(
        {
            "bootstrap.servers": broker.bootstrap_servers,
            "group.id": "reader",
            "fetch.queue.backoff.ms": 10,
            "enable.auto.commit": False,
        }
    )
    everywhere = [TopicPartition(topic, n, 0) for n in range(TOPICS[topic])]
    if count is None:
        count = sum(consumer.get_watermark_offsets(each, WAIT_S)[1] for each in everywhere)
    consumer.assign(everywhere)
    found: list[Message] = []
    end = time.monotonic() + WAIT_S
    while len(found) < count and time.monotonic() < end:
        found += [message for message in consumer.consume(500, 0.2) if message.error() is None]
    consumer.close()
    assert len(found) == count
    return found


def test_events_arrive_whole_with_key_and_headers(broker: EmbeddedBroker) -> None:
    with Client(
        bootstrap_servers=broker.bootstrap_servers, region="eu", envelope="json", environ={}
    ) as client:
        for number in range(500):
            client.emit(fields(number))
        assert client.flush(WAIT_S) == 0
        assert (client.stats().delivered, client.stats().in_flight) == (500, 0)
    messages = read(broker, "inference.requests", 500)
    events = [codec.decode(message.value() or b"") for message in messages]
    assert {event.request_id for event in events} == {f"r-{n}" for n in range(500)}
    assert {event.region for event in events} == {"eu"}
    for message, event in zip(messages, events, strict=True):
        assert message.key() == event.request_id.encode()
        assert message.headers() == codec.headers(event)
    assert {message.partition() for message in messages} == {0, 1, 2, 3}


@pytest.mark.parametrize("envelope", ["ndjson", "arrow"])
def test_events_share_records_and_all_arrive(broker: EmbeddedBroker, envelope: str) -> None:
    deliveries: list[Delivery] = []
    with Client(
        bootstrap_servers=broker.bootstrap_servers,
        region="eu",
        envelope=envelope,
        on_delivery=deliveries.append,
        # So that a slow machine, which emits for longer, sends no more records.
        linger_ms=5_000,
        environ={},
    ) as client:
        for number in range(3_000):
            end_us = 1_790_000_000_000_000 + number * 5_000
            client.emit({**fields(number), "ts_end": end_us})
        assert client.flush(WAIT_S) == 0
        assert (client.stats().delivered, client.stats().in_flight) == (3_000, 0)
    found = read_events(broker, 3_000)
    assert {event["request_id"] for event, _ in found} == {f"r-{n}" for n in range(3_000)}
    assert {event["region"] for event, _ in found} == {"eu"}
    assert {partition for _, partition in found} == {0, 1, 2, 3}
    assert sum(each.events for each in deliveries) == 3_000
    assert len(deliveries) < 100


def test_a_table_arrives_as_columns(broker: EmbeddedBroker) -> None:
    rows = [{**fields(n), "event_id": f"e-{n}"} for n in range(1_000)]
    with Client(bootstrap_servers=broker.bootstrap_servers, environ={}) as client:
        assert client.emit_table(pa.Table.from_pylist(rows)) == 1_000
        assert client.flush(WAIT_S) == 0
    found = read_events(broker, 1_000)
    assert {event["event_id"] for event, _ in found} == {f"e-{n}" for n in range(1_000)}


def test_all_events_of_one_request_go_to_one_partition(broker: EmbeddedBroker) -> None:
    with Client(bootstrap_servers=broker.bootstrap_servers, envelope="json", environ={}) as client:
        for _ in range(20):
            client.emit(fields(1))
    messages = read(broker, "inference.requests", 20)
    assert len({message.partition() for message in messages}) == 1


def test_every_delivery_is_reported_with_its_place_and_size(broker: EmbeddedBroker) -> None:
    deliveries: list[Delivery] = []
    event = InferenceRequest(event_id="e-1", **fields(1))
    with Client(
        bootstrap_servers=broker.bootstrap_servers,
        on_delivery=deliveries.append,
        envelope="json",
        environ={},
    ) as client:
        client.emit(event)
        client.emit(event)
    size = len(codec.encode(event)) + len("r-1")
    assert [(each.offset, each.size_bytes) for each in deliveries] == [(0, size), (1, size)]


def test_a_hook_that_raises_does_not_stop_the_reports(broker: EmbeddedBroker) -> None:
    heard: list[int] = []

    def hook(delivery: Delivery) -> None:
        heard.append(delivery.offset)
        raise RuntimeError("a fault of the caller")

    client = Client(bootstrap_servers=broker.bootstrap_servers, on_delivery=hook, environ={})
    client.emit(fields(1))
    wait_for(lambda: len(heard) == 1)
    client.emit(fields(1))
    wait_for(lambda: len(heard) == 2)
    client.close()


def test_a_large_event_goes_through_where_the_limit_allows_it(broker: EmbeddedBroker) -> None:
    value = b'{"padding":"' + b"x" * 5_000_000 + b'"}'
    with Client(bootstrap_servers=broker.bootstrap_servers, environ={}) as client:
        with pytest.raises(EventTooLargeError, match="1000000"):
            client.emit_record(value)
        assert client.stats().dropped_too_large == 1
    with Client(
        bootstrap_servers=broker.bootstrap_servers, max_event_bytes=6_000_000, environ={}
    ) as client:
        client.emit_record(value, key=b"k")
        assert client.flush(WAIT_S) == 0
    assert [message.value() for message in read(broker, "inference.requests", 1)] == [value]


def test_threads_may_share_a_client(broker: EmbeddedBroker) -> None:
    with Client(bootstrap_servers=broker.bootstrap_servers, environ={}) as client:

        def work(worker: int) -> None:
            for number in range(200):
                client.emit(fields(worker * 1000 + number))

        threads = [threading.Thread(target=work, args=(n,)) for n in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        client.flush(WAIT_S)
        assert (client.stats().emitted, client.stats().delivered) == (800, 800)


def test_a_missed_deadline_is_on_its_topic_before_the_request_ends(broker: EmbeddedBroker) -> None:
    with (
        Client(bootstrap_servers=broker.bootstrap_servers, environ={}) as client,
        client.request(model="m", deadline_ttft_ms=20) as request,
    ):
        message = read(broker, "inference.signals", 1)[0]
        signal = codec.decode_signal(message.value() or b"")
        assert (signal.deadline, signal.request_id) == ("ttft", request.request_id)
    event = codec.decode(read(broker, "inference.requests", 1)[0].value() or b"")
    assert event.deadline_missed


def test_with_the_broker_away_nothing_blocks_and_every_event_is_accounted_for() -> None:
    client = Client(bootstrap_servers=NO_BROKER, buffer_events=100, environ={})
    with RunningTime() as emitting:
        for number in range(150):
            client.emit(fields(number))
    assert emitting.seconds < 1
    assert (client.stats().in_flight, client.stats().dropped_buffer_full) == (100, 50)
    with RunningTime() as closing:
        assert client.close(0.3) == 100
    assert closing.seconds < 3
    stats = client.stats()
    assert (stats.emitted, stats.delivered, stats.failed, stats.in_flight) == (150, 0, 100, 0)


def test_an_event_that_the_broker_does_not_take_in_time_has_failed() -> None:
    client = Client(bootstrap_servers=NO_BROKER, delivery_timeout_s=0.3, environ={})
    client.emit(fields(1))
    wait_for(lambda: client.stats().failed == 1)
    client.close(0)


def test_events_wait_for_a_broker_that_comes_later(broker: EmbeddedBroker) -> None:
    deliveries: list[Delivery] = []
    servers = f"{NO_BROKER},{broker.bootstrap_servers}"
    with Client(bootstrap_servers=servers, on_delivery=deliveries.append, environ={}) as client:
        client.emit(fields(1))
        assert client.flush(WAIT_S) == 0
    assert len(deliveries) == 1


def test_the_end_of_the_process_sends_what_is_buffered(broker: EmbeddedBroker) -> None:
    program = (
        "from inferometer.sdk import Client\n"
        f"client = Client(bootstrap_servers={broker.bootstrap_servers!r}, linger_ms=5000)\n"
        "client.emit({'request_id': 'r', 'model': 'm', 'ts_end': 5, 'status_code': 200})\n"
    )
    subprocess.run([sys.executable, "-c", program], check=True, timeout=2 * WAIT_S)
    assert len(read(broker, "inference.requests", 1)) == 1


def test_a_forked_child_sends_its_own_events_and_not_those_of_its_parent(
    broker: EmbeddedBroker,
) -> None:
    program = (
        "import os\n"
        "from inferometer.sdk import Client\n"
        f"client = Client(bootstrap_servers={broker.bootstrap_servers!r}, linger_ms=1000)\n"
        "event = {'model': 'm', 'ts_end': 5, 'status_code': 200}\n"
        "client.emit({**event, 'request_id': 'parent'})\n"
        "child = os.fork()\n"
        "client.emit({**event, 'request_id': 'parent' if child else 'child'})\n"
        "client.close(60)\n"
        "if child: os.waitpid(child, 0)\n"
    )
    subprocess.run([sys.executable, "-c", program], check=True, timeout=2 * WAIT_S)
    ids = Counter(event["request_id"] for event, _ in read_events(broker, 3))
    assert ids == {"child": 1, "parent": 2}


def test_the_sdk_loads_nothing_heavy() -> None:
    program = (
        "import sys, inferometer.sdk\n"
        "heavy = {'faust', 'mode', 'aiokafka', 'clickhouse_connect', 'chdb', 'numpy', 'pyarrow',"
        " 'numba', 'duckdb'}\n"
        "sys.exit(', '.join(heavy & set(sys.modules)) or None)\n"
    )
    subprocess.run([sys.executable, "-c", program], check=True, timeout=2 * WAIT_S)


def wait_for(condition: Any) -> None:
    end = time.monotonic() + WAIT_S
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.01)
