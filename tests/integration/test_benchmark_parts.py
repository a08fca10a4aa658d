"""A part of the benchmarks runs on real services, on a few events, and finds what it looks for."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.benchmarks import latency
from tests.benchmarks.latency import LatencyPlan

if TYPE_CHECKING:
    from pathlib import Path

    from tests.services.kafka import KafkaService

pytestmark = pytest.mark.integration


def test_a_tiny_latency_run_sees_every_event(kafka_broker: KafkaService, tmp_path: Path) -> None:
    plan = LatencyPlan(partitions=2, backlog=2_000, seconds=1.0, settle_s=0.5, idle_rate=20.0)
    loaded, idle = latency.measure(kafka_broker.bootstrap_servers, tmp_path, plan)
    assert 0 < loaded.p50_s <= loaded.p99_s <= loaded.most_s < 60
    assert idle.events == 20
    assert idle.p50_s > 0
