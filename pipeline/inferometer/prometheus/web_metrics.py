"""The metrics of the process that serves query API and console."""

from __future__ import annotations

from typing import TYPE_CHECKING

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4
from prometheus_client.platform_collector import PlatformCollector
from prometheus_client.process_collector import ProcessCollector

if TYPE_CHECKING:
    from collections.abc import Callable

REQUEST_BUCKETS_S = (0.005, 0.01, 0.025, 0.05, 0.1, 0.15, 0.25, 0.5, 1, 2.5, 5, 10, 30)


class WebMetrics:
    """Every metric of one serving process, in a registry of its own. Safe for threads."""

    def __init__(self, *, version: str, is_store_up: Callable[[], bool]) -> None:
        self.registry = registry = CollectorRegistry()
        ProcessCollector(registry=registry)
        PlatformCollector(registry=registry)
        self._requests = Counter(
            "inferometer_web_requests",
            "Answers, by method, route and status; a route is a path with its parameters' names.",
            ["method", "route", "status"],
            registry=registry,
        )
        self._duration = Histogram(
            "inferometer_web_request_seconds",
            "Time until an answer was sent whole, by route; live views are not among them.",
            ["route"],
            registry=registry,
            buckets=REQUEST_BUCKETS_S,
        )
        self._under_way = Gauge(
            "inferometer_web_requests_under_way",
            "Requests that are being answered, live views among them.",
            registry=registry,
        )
        Gauge(
            "inferometer_web_store_up", "1 while the store answers.", registry=registry
        ).set_function(lambda: float(is_store_up()))
        Gauge(
            "inferometer_build_info", "1, with the version.", ["version"], registry=registry
        ).labels(version).set(1)

    def request_began(self) -> None:
        """Count a request that is under way."""
        self._under_way.inc()

    def request_ended(
        self, *, method: str, route: str, status: int, seconds: float, is_stream: bool
    ) -> None:
        """Count its answer."""
        self._under_way.dec()
        self._requests.labels(method, route, str(status)).inc()
        if not is_stream:
            self._duration.labels(route).observe(seconds)

    def exposition(self) -> tuple[str, bytes]:
        """Return the media type and the text that Prometheus reads."""
        return CONTENT_TYPE_PLAIN_0_0_4, generate_latest(self.registry)
