"""What a client can be told: where the broker is, what may wait, what every event carries."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Self

from inferometer.core.events import InferenceRequest
from inferometer.errors import ConfigError
from inferometer.names import REQUESTS_TOPIC, SIGNALS_TOPIC

if TYPE_CHECKING:
    from collections.abc import Mapping

SETTING_VARIABLES = {
    "bootstrap_servers": "INFEROMETER_KAFKA_BOOTSTRAP_SERVERS",
    "requests_topic": "INFEROMETER_KAFKA_REQUESTS_TOPIC",
    "signals_topic": "INFEROMETER_KAFKA_SIGNALS_TOPIC",
}
"""The names that the commands use too."""

DEFAULT_FIELD_VARIABLES = {
    "source": "INFEROMETER_SOURCE",
    "workspace_id": "INFEROMETER_WORKSPACE_ID",
    "environment": "INFEROMETER_ENVIRONMENT",
    "region": "INFEROMETER_REGION",
    "node_id": "INFEROMETER_NODE_ID",
    "pod_id": "INFEROMETER_POD_ID",
    "gpu_type": "INFEROMETER_GPU_TYPE",
}
"""Fields of every event that may come from the environment, where the code does not give them."""

_KNOWN_FIELDS = frozenset(InferenceRequest.model_fields)


@dataclass(frozen=True, slots=True, kw_only=True)
class ClientSettings:
    """How a client sends; checked by `problems`, complete once made."""

    bootstrap_servers: str
    requests_topic: str = REQUESTS_TOPIC
    signals_topic: str = SIGNALS_TOPIC
    buffer_events: int = 100_000
    """Events that may wait for the broker; one more is dropped and counted."""
    buffer_bytes: int = 64 * 1024 * 1024
    """Bytes that may wait for the broker, counted in whole KiB."""
    max_event_bytes: int = 1_000_000
    """Just below Kafka's own default, so that the refusal comes from here, with a clear error."""
    linger_ms: float = 20.0
    compression: str = "lz4"
    """lz4 cost half the CPU of zstd in the producer; zstd makes records a quarter smaller."""
    delivery_timeout_s: float = 120.0
    """An event that the broker has not taken by then has failed."""
    exit_timeout_s: float = 5.0
    """How long the interpreter's exit waits for what is still in the buffer."""
    kafka: Mapping[str, Any] = field(default_factory=dict, repr=False)
    """Further librdkafka properties (TLS, SASL ...); hidden from `repr`, for it may hold secrets."""

    def problems(self) -> list[str]:
        """Return everything that cannot work."""
        found = []
        if not self.bootstrap_servers:
            found.append(
                "no Kafka address: pass bootstrap_servers='host:9092' or set "
                f"{SETTING_VARIABLES['bootstrap_servers']}"
            )
        for name in ("buffer_events", "max_event_bytes", "delivery_timeout_s"):
            if getattr(self, name) <= 0:
                found.append(f"{name} must be above 0, got {getattr(self, name)}")
        if self.buffer_bytes < 1024:
            found.append(f"buffer_bytes must be at least 1024, got {self.buffer_bytes}")
        if self.linger_ms < 0 or self.exit_timeout_s < 0:
            found.append("linger_ms and exit_timeout_s must not be negative")
        if self.compression not in {"none", "gzip", "snappy", "lz4", "zstd"}:
            found.append(
                f"compression must be none, gzip, snappy, lz4 or zstd, got {self.compression}"
            )
        return found

    @classmethod
    def load(cls, environ: Mapping[str, str], given: Mapping[str, Any]) -> Self:
        """Return settings from arguments, else environment, else defaults; raises ConfigError."""
        settings = cls(
            **{"bootstrap_servers": ""}
            | _from_environment(SETTING_VARIABLES, environ)
            | {name: value for name, value in given.items() if value is not None}
        )
        if problems := settings.problems():
            raise ConfigError(problems)
        return settings


def default_fields(environ: Mapping[str, str], given: Mapping[str, Any]) -> dict[str, Any]:
    """Return the fields that every event starts from: arguments first, then the environment."""
    found = _from_environment(DEFAULT_FIELD_VARIABLES, environ)
    return found | {name: value for name, value in given.items() if value is not None}


def _from_environment(variables: Mapping[str, str], environ: Mapping[str, str]) -> dict[str, Any]:
    return {
        name: environ[variable] for name, variable in variables.items() if environ.get(variable)
    }


def check_names(fields: Mapping[str, Any]) -> None:
    """Raise TypeError for names that are no field of the event."""
    if not fields.keys() <= _KNOWN_FIELDS:
        unknown = ", ".join(sorted(fields.keys() - _KNOWN_FIELDS))
        raise TypeError(
            f"no such field of an event: {unknown}; see InferenceRequest, or put it into metadata"
        )
