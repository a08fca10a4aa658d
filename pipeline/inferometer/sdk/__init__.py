"""What runs beside a model server: client and measurement of one request.

    from inferometer.sdk import Client

    client = Client(bootstrap_servers="kafka:9092", workspace_id="acme", region="eu-west-1")

    with client.request(model="llama-3.1-8b", user_id="u-17", deadline_ttft_ms=2000) as request:
        for chunk in engine.stream(prompt):
            request.chunk(tokens=1)
            send(chunk)
        request.finish(200, input_tokens=812, output_tokens=301, finish_reason="stop")

    client.close()

A request that was measured elsewhere is sent as a whole:

    client.emit({"request_id": "r-1", "ts_end": 1790000000000000, "model": "llama-3.1-8b",
                 "status_code": 200, "input_tokens": 812, "output_tokens": 301, "e2e_ms": 950.0})

A gateway that has encoded its events, or has them in columns, hands over many at once:

    client.emit_records([b'{"event_id": ...}', ...])
    client.emit_table(table)  # pyarrow, columns named as the fields

With a folder on a local disk no event is lost while the broker is away or when the process is
killed; `persist` tells from when on that holds for what was emitted so far:

    client = Client(bootstrap_servers="kafka:9092", spool_dir="/var/lib/inferometer/spool")
"""

from inferometer.core.events import InferenceRequest
from inferometer.core.signals import InferenceSignal
from inferometer.kafka_security import KafkaSecurity
from inferometer.sdk.client import Client
from inferometer.sdk.gauges import Gauges
from inferometer.sdk.measure import Attempt, Request
from inferometer.sdk.refusals import EventTooLargeError, InvalidEventError
from inferometer.sdk.settings import Envelope, SpoolMode
from inferometer.sdk.stats import ClientStats, Delivery, Drop, DropReason

__all__ = [
    "Attempt",
    "Client",
    "ClientStats",
    "Delivery",
    "Drop",
    "DropReason",
    "Envelope",
    "EventTooLargeError",
    "Gauges",
    "InferenceRequest",
    "InferenceSignal",
    "InvalidEventError",
    "KafkaSecurity",
    "Request",
    "SpoolMode",
]
