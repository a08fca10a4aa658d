"""What a client can be told: where the broker is, what may wait, what every event carries."""

from __future__ import annotations

import enum
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Self

from inferometer.core.events import InferenceRequest
from inferometer.errors import ConfigError
from inferometer.kafka_security import KafkaSecurity
from inferometer.names import REQUESTS_TOPIC, SIGNALS_TOPIC

if TYPE_CHECKING:
    from collections.abc import Mapping

SETTING_VARIABLES = {
    "bootstrap_servers": "INFEROMETER_KAFKA_BOOTSTRAP_SERVERS",
    "requests_topic": "INFEROMETER_KAFKA_REQUESTS_TOPIC",
    "signals_topic": "INFEROMETER_KAFKA_SIGNALS_TOPIC",
    "spool_dir": "INFEROMETER_SPOOL_DIR",
    "spool": "INFEROMETER_SPOOL",
    "envelope": "INFEROMETER_ENVELOPE",
}
"""The names that the commands use too."""


class Envelope(enum.Enum):
    """What one Kafka record carries."""

    NDJSON = "ndjson"
    """Many events, each a line of JSON: a tenth of the cost of a record an event, here, at the
    broker and at the sink."""
    ARROW = "arrow"
    """Many events as columns of an Arrow IPC stream; for callers that have columns already
    (`emit_table`), and for the least work at the sink. Needs `inferometer[sdk-arrow]`."""
    JSON = "json"
    """One event, keyed by its request id, with CloudEvents headers."""


class SpoolMode(enum.Enum):
    """When an event is written to the spool, where there is one."""

    ALWAYS = "always"
    """Before it is sent, some milliseconds after `emit`: a kill of the process, a broker that is
    away and an exit in a hurry lose nothing that was written."""
    OVERFLOW = "overflow"
    """Only where the producer cannot take it, gives it up, or still has it at the exit: nothing is
    written while the broker is well, but a kill loses what was in memory."""


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

KNOWN_FIELDS = frozenset(InferenceRequest.model_fields)

MAX_BATCH_EVENTS = 10_000
"""The sink refuses records of more than 65,536 events; large ones only cost memory at both ends."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ClientSettings:
    """How a client sends; checked by `problems`, complete once made."""

    bootstrap_servers: str
    requests_topic: str = REQUESTS_TOPIC
    signals_topic: str = SIGNALS_TOPIC
    buffer_events: int = 100_000
    """Events that may wait for the broker; one more is dropped and counted."""
    buffer_bytes: int = 64 * 1024 * 1024
    """Bytes of events that may wait for the broker; the producer holds a copy of those it has."""
    max_event_bytes: int = 1_000_000
    """Just below Kafka's own default, so that the refusal comes from here, with a clear error."""
    envelope: str = Envelope.NDJSON.value
    """See `Envelope`."""
    linger_ms: float = 50.0
    """How long an event waits for others to share its record, or its request to the broker."""
    batch_max_events: int = 500
    """Events of one record; a gather that reaches it is sent without waiting longer."""
    batch_max_bytes: int = 512 * 1024
    """Bytes of the events of one record; one event alone may have `max_event_bytes`."""
    compression: str = "lz4"
    """Of the requests to the broker. zstd halves the bytes of lz4 for a third more CPU here, and
    costs the sink more; it is the default for `arrow`, whose columns hold less to begin with."""
    delivery_timeout_s: float = 120.0
    """An event that the broker has not taken by then has failed; with the spool `overflow` it goes
    there, and with `always` there is no such limit."""
    exit_timeout_s: float = 5.0
    """How long the interpreter's exit waits for what is still in the buffer."""
    spool_dir: str = ""
    """Folder of the disk spool on a local disk, shared by the processes of this machine, each of
    which takes a folder of its own inside; empty for none."""
    spool: str = SpoolMode.ALWAYS.value
    """See `SpoolMode`. `always` is the default: model servers die of the OOM killer without a word."""
    spool_max_bytes: int = 1 << 30
    """What the spool of one process may take; a full one takes nothing new, and what the producer
    cannot take either is dropped and counted. Nothing that was written is ever dropped for room."""
    spool_fsync: str = "interval"
    """batch, interval or never; see `inferometer.sdk.spool.journal.Fsync`."""
    spool_fsync_interval_s: float = 1.0
    security: KafkaSecurity = field(default_factory=KafkaSecurity)
    """How to reach the broker and as whom."""
    kafka: Mapping[str, Any] = field(default_factory=dict, repr=False)
    """Further librdkafka properties; hidden from `repr`, for it may hold secrets."""

    def problems(self) -> list[str]:
        """Return everything that cannot work."""
        found = []
        if not self.bootstrap_servers:
            found.append(
                "no Kafka address: pass bootstrap_servers='host:9092' or set "
                f"{SETTING_VARIABLES['bootstrap_servers']}"
            )
        for name in (
            "buffer_events", "max_event_bytes", "delivery_timeout_s", "batch_max_events",
            "batch_max_bytes",
        ):  # fmt: skip
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
        if self.envelope not in {each.value for each in Envelope}:
            found.append(f"envelope must be ndjson, arrow or json, got {self.envelope}")
        if self.batch_max_events > MAX_BATCH_EVENTS:
            found.append(
                f"batch_max_events must be at most {MAX_BATCH_EVENTS}, got {self.batch_max_events}"
            )
        found += self.security.problems()
        if self.spool_dir:
            found += self._spool_problems()
        return found

    def _spool_problems(self) -> list[str]:
        found = []
        if self.spool not in {mode.value for mode in SpoolMode}:
            found.append(f"spool must be always or overflow, got {self.spool}")
        if self.spool_fsync not in {"batch", "interval", "never"}:
            found.append(f"spool_fsync must be batch, interval or never, got {self.spool_fsync}")
        if self.spool_fsync_interval_s <= 0:
            found.append("spool_fsync_interval_s must be above 0")
        if self.spool_max_bytes < 2 * self.max_event_bytes:
            found.append("spool_max_bytes must be at least twice max_event_bytes")
        return found

    @classmethod
    def load(cls, environ: Mapping[str, str], given: Mapping[str, Any]) -> Self:
        """Return settings from arguments, else environment, else defaults; raises ConfigError."""
        try:
            security = KafkaSecurity.load(environ)
        except OSError as error:
            raise ConfigError(
                [f"{error.filename}: {error.strerror}; it should hold a secret"]
            ) from error
        start: dict[str, Any] = {"bootstrap_servers": "", "security": security}
        told = _from_environment(SETTING_VARIABLES, environ) | {
            name: value for name, value in given.items() if value is not None
        }
        if told.get("envelope") == Envelope.ARROW.value:
            start["compression"] = "zstd"
        settings = cls(**start | told)
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
    if not fields.keys() <= KNOWN_FIELDS:
        unknown = ", ".join(sorted(fields.keys() - KNOWN_FIELDS))
        raise TypeError(
            f"no such field of an event: {unknown}; see InferenceRequest, or put it into metadata"
        )
