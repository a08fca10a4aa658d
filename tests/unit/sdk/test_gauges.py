"""Gauges through a client: what reaches the signals topic, and what is refused."""

from __future__ import annotations

import threading

import pytest

from inferometer.names import SIGNALS_TOPIC
from inferometer.sdk import Gauges, InvalidEventError
from tests.unit.sdk.recording import RecordingTransport, bench

SOURCE = "vllm-7"


def test_a_sample_carries_the_dimensions_of_its_client_and_its_own() -> None:
    made = bench(source=SOURCE, workspace_id="acme")
    Gauges(made.client).report("enqueued_tokens", 8_200_000_000, model="m-large")
    (record,) = [one for one in made.transport.sent if one.topic == SIGNALS_TOPIC]
    (sample,) = made.transport.signals()
    assert sample.pop("event_id")
    assert sample == {
        "source": SOURCE,
        "ts": made.clock.wall_ns() // 1000,
        "kind": "gauge",
        "gauge": "enqueued_tokens",
        "value": 8_200_000_000,
        "workspace_id": "acme",
        "model": "m-large",
    }
    assert (record.key, dict(record.headers)["ce_type"]) == (SOURCE.encode(), b"inference.gauge.v1")


@pytest.mark.parametrize(
    ("gauge", "value", "fields"),
    [
        ("temperature", 1.0, {}),
        ("enqueued_tokens", -1.0, {}),
        ("enqueued_tokens", float("nan"), {}),
        ("enqueued_tokens", 1.0, {"team": "t"}),
    ],
)
def test_what_makes_no_sample_is_refused(gauge: str, value: float, fields: dict[str, str]) -> None:
    made = bench(source=SOURCE)
    with pytest.raises(InvalidEventError):
        Gauges(made.client).report(gauge, value, **fields)
    assert made.transport.signals() == []


class _Heard(RecordingTransport):
    heard = threading.Event()

    def send(self, *arguments: object) -> bool:
        taken = super().send(*arguments)  # type: ignore[arg-type]
        self.heard.set()
        return taken


def test_a_source_says_that_it_lives_and_that_it_leaves() -> None:
    transports: list[_Heard] = []

    def new_transport(*arguments: object) -> _Heard:
        transports.append(_Heard(*arguments))  # type: ignore[arg-type]
        return transports[-1]

    made = bench(source=SOURCE, new_transport=new_transport)
    with Gauges(made.client, heartbeat_s=3600):
        assert _Heard.heard.wait(60)
    gauges = [sample["gauge"] for one in transports for sample in one.signals()]
    assert gauges == ["heartbeat", "farewell"]


def test_heartbeats_need_a_name() -> None:
    with pytest.raises(ValueError, match="source="):
        Gauges(bench().client, heartbeat_s=10)
