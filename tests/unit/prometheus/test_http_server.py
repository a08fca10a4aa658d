"""The endpoints of an operator, over real sockets of the loopback."""

from __future__ import annotations

import http.client
import socket
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import pytest
from prometheus_client.openmetrics.parser import text_string_to_metric_families

from inferometer.errors import ConfigError
from inferometer.prometheus.http_server import OperationServer
from tests.unit.prometheus.scraping import Bench

if TYPE_CHECKING:
    from collections.abc import Iterator


@dataclass
class Served:
    """A server whose checks the test sets."""

    problems: list[str] = field(default_factory=list)
    obstacles: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.server = OperationServer(
            host="127.0.0.1",
            port=0,
            registry=Bench().metrics.registry,
            health=lambda: self.problems,
            readiness=lambda: self.obstacles,
        )

    def ask(self, path: str, method: str = "GET", accept: str = "*/*") -> tuple[int, str]:
        connection = http.client.HTTPConnection("127.0.0.1", self.server.port, timeout=60)
        try:
            connection.request(method, path, headers={"Accept": accept})
            answer = connection.getresponse()
            return answer.status, answer.read().decode()
        finally:
            connection.close()


@pytest.fixture
def served() -> Iterator[Served]:
    found = Served()
    with found.server:
        yield found


def test_metrics_are_in_the_text_format(served: Served) -> None:
    status, text = served.ask("/metrics")
    assert status == 200
    assert "# TYPE inferometer_worker_chunks_total counter" in text
    assert "process_resident_memory_bytes" in text


def test_metrics_are_in_open_metrics_where_that_is_asked_for(served: Served) -> None:
    # What Prometheus asks for; its parser is stricter than the one of the text format.
    _status, text = served.ask("/metrics", accept="application/openmetrics-text; version=1.0.0")
    families = {family.name: family for family in text_string_to_metric_families(text)}  # type: ignore[no-untyped-call]
    assert families["inferometer_worker_chunks"].type == "counter"
    assert families["inferometer_worker_chunk_step_seconds"].type == "histogram"


def test_a_single_metric_can_be_asked_for(served: Served) -> None:
    _status, text = served.ask("/metrics?name[]=inferometer_worker_store_up")
    assert "inferometer_worker_store_up 0.0" in text
    assert "inferometer_worker_chunks_total" not in text


@pytest.mark.parametrize("path", ["/healthz", "/readyz"])
def test_without_problems_the_answer_is_ok(served: Served, path: str) -> None:
    assert served.ask(path) == (200, "ok\n")


def test_a_problem_of_health_is_said_with_a_status_that_probes_understand(served: Served) -> None:
    served.problems = ["the loop has not moved for 40 s"]
    assert served.ask("/healthz") == (503, "the loop has not moved for 40 s\n")


def test_a_worker_can_be_healthy_and_not_ready(served: Served) -> None:
    served.obstacles = ["no assignment", "no store"]
    assert served.ask("/readyz") == (503, "no assignment\nno store\n")
    assert served.ask("/healthz")[0] == 200


def test_another_path_names_those_that_there_are(served: Served) -> None:
    assert served.ask("/") == (404, "/metrics /healthz /readyz\n")


def test_nothing_can_be_written(served: Served) -> None:
    assert served.ask("/metrics", "POST")[0] == 405


def test_a_client_that_says_nothing_holds_nobody_up(served: Served) -> None:
    with socket.create_connection(("127.0.0.1", served.server.port)):
        assert served.ask("/healthz")[0] == 200


def test_a_port_that_is_taken_is_said_before_anything_begins(served: Served) -> None:
    other = OperationServer(
        host="127.0.0.1",
        port=served.server.port,
        registry=Bench().metrics.registry,
        health=list,
        readiness=list,
    )
    with pytest.raises(ConfigError, match="each worker needs its own"):
        other.__enter__()


def test_after_the_end_the_port_is_closed() -> None:
    served = Served()
    with served.server:
        port = served.server.port
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", port))
