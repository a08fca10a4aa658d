"""Settings of the broker connection and of a worker."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from inferometer.kafka.chunk_policy import ChunkPolicy
from inferometer.kafka_security import KafkaSecurity
from inferometer.names import REQUESTS_TOPIC

MEBIBYTE = 1 << 20


@dataclass(frozen=True, slots=True, kw_only=True)
class KafkaSettings:
    """How to reach the broker and as whom."""

    bootstrap_servers: str
    """Comma-separated `host:port`."""
    group: str = "inferometer"
    topic: str = REQUESTS_TOPIC
    instance_id: str = ""
    """Static member of the group; must be unique, the broker fences nobody who shares one."""
    run_epoch: str = ""
    """Identity of the topics where the broker has no topic ids (the embedded one)."""
    security: KafkaSecurity = field(default_factory=KafkaSecurity)

    def problems(self) -> list[str]:
        """Return what cannot work."""
        found = []
        for name in ("bootstrap_servers", "group", "topic"):
            if not getattr(self, name):
                found.append(f"{name} is empty")
        for server in filter(None, self.bootstrap_servers.split(",")):
            _host, colon, port = server.strip().rpartition(":")
            if not colon or not port.isdigit():
                found.append(f"bootstrap_servers: {server!r} is not host:port")
        return found + self.security.problems()

    @property
    def addresses(self) -> list[str]:
        """The brokers to ask first, each `host:port`."""
        return [server.strip() for server in self.bootstrap_servers.split(",") if server.strip()]

    def librdkafka(self) -> dict[str, Any]:
        """Return the connection as properties of librdkafka."""
        return {"bootstrap.servers": self.bootstrap_servers, **self.security.librdkafka()}


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkerSettings:
    """How a worker cuts, holds and retries chunks."""

    kafka: KafkaSettings
    chunk_max_events: int = 200_000
    chunk_max_bytes: int = 96 * MEBIBYTE
    chunk_min_wait_s: float = 1.0
    """Between two chunks of a partition that keeps up; `chunk_max_wait_s` where that is less."""
    chunk_max_wait_s: float = 2.0
    """From the first record that waits in a partition that keeps up."""
    chunk_behind_wait_s: float = 15.0
    """The same in a partition that has fallen behind, so that its chunks are full."""
    chunk_threads: int = 2
    """Chunks of different partitions that are at work at the same time; half of them compute."""
    max_bytes_in_flight: int = 320 * MEBIBYTE
    """Values over all partitions, and what is computed of them; over it nothing is fetched."""
    fetch_max_wait_ms: int = 50
    fetch_max_bytes: int = 32 * MEBIBYTE
    partition_fetch_max_bytes: int = 9 * MEBIBYTE
    """Above the largest record that the broker takes."""
    gapless: bool = False
    """A hole in the offsets is lost data: true on a broker that forgets and has no transactions."""
    idle_interval_s: float = 1.0
    retry_backoff_s: float = 0.2
    retry_backoff_max_s: float = 2.0
    """A store that is back is found again within this time."""
    drain_s: float = 2.0
    """How long a rebalance waits for running chunks; the generation is still valid then."""
    stop_s: float = 30.0
    """How long a stop waits for running chunks."""
    session_timeout_s: float = 6.0
    """Of a dead worker; what it had is taken over after it. A broker takes 6 s at least."""
    heartbeat_interval_s: float = 1.0

    @property
    def lease_s(self) -> float:
        """How long after its last contact with the group a worker may still write."""
        return self.session_timeout_s - self.heartbeat_interval_s

    @property
    def chunk_policy(self) -> ChunkPolicy:
        """When a partition cuts a chunk."""
        return ChunkPolicy(
            max_events=self.chunk_max_events,
            max_bytes=self.chunk_max_bytes,
            min_wait_s=min(self.chunk_min_wait_s, self.chunk_max_wait_s),
            max_wait_s=self.chunk_max_wait_s,
            behind_wait_s=max(self.chunk_behind_wait_s, self.chunk_max_wait_s),
        )

    def problems(self) -> list[str]:
        """Return what cannot work, the broker's settings among it."""
        positive = (
            "chunk_max_events chunk_max_bytes chunk_min_wait_s chunk_max_wait_s chunk_behind_wait_s "
            "chunk_threads max_bytes_in_flight "
            "fetch_max_wait_ms fetch_max_bytes partition_fetch_max_bytes idle_interval_s "
            "retry_backoff_s retry_backoff_max_s drain_s stop_s session_timeout_s "
            "heartbeat_interval_s"
        )
        found = [f"{name} must be above 0" for name in positive.split() if getattr(self, name) <= 0]
        if self.heartbeat_interval_s * 2 > self.session_timeout_s:
            found.append("heartbeat_interval_s must be at most half of session_timeout_s")
        return self.kafka.problems() + found
