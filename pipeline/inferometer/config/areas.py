"""The areas of the configuration: every setting with its default, bounds and meaning."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar

from inferometer import names
from inferometer.config.area import MAX_PORT, Area, setting
from inferometer.config.web_areas import WebConfig
from inferometer.core.dimension_caps import DEFAULT_CAPS
from inferometer.core.secret import Secret
from inferometer.kafka_security import SASL_MECHANISMS, SECURITY_PROTOCOLS, KafkaSecurity
from inferometer.kafka_security import SETTINGS as SECURITY_SETTINGS

MIB = 1024 * 1024
MAX_DAYS = 18_250
"""What the store can keep, `inferometer.clickhouse.settings`; more would end after 2106."""
MAX_CAP = 10_000_000


@dataclass(frozen=True, kw_only=True)
class KafkaConfig(Area):
    """The broker, its topics, and this process as a member of a consumer group."""

    SECTION: ClassVar[str] = "kafka"

    bootstrap_servers: str = setting("localhost:9092", "host:port of brokers, comma-separated")
    requests_topic: str = setting(names.REQUESTS_TOPIC, "topic of request events")
    signals_topic: str = setting(names.SIGNALS_TOPIC, "topic of deadline signals")
    partitions: int = setting(
        12, "partitions of a topic made by `inferometer topics`", minimum=1, maximum=10_000
    )
    replication_factor: int = setting(
        1, "copies of a topic made by `inferometer topics`; 3 on a cluster", minimum=1, maximum=10
    )
    group: str = setting("inferometer", "consumer group of the workers")
    instance_id: str = setting(
        "", "static group membership: unique for each worker and the same after a restart"
    )
    security_protocol: str = setting(
        "PLAINTEXT", "how to reach the broker", choices=SECURITY_PROTOCOLS
    )
    ssl_ca_file: Path | None = setting(None, "certificates to trust, PEM; absent: the system's")
    ssl_certificate_file: Path | None = setting(
        None, "our own certificate, PEM, where the broker asks for one"
    )
    ssl_key_file: Path | None = setting(None, "key of our certificate, PEM")
    ssl_key_password: Secret = setting(Secret(""), "password of the key, where it has one")
    sasl_mechanism: str = setting("PLAIN", "how to prove who we are", choices=SASL_MECHANISMS)
    sasl_username: str = setting("", "user name, for PLAIN and SCRAM")
    sasl_password: Secret = setting(Secret(""), "password, for PLAIN and SCRAM")
    oauth_token_url: str = setting(
        "", "where OAUTHBEARER gets its tokens, by client credentials; https://..."
    )
    oauth_client_id: str = setting("", "client id at the token endpoint")
    oauth_client_secret: Secret = setting(Secret(""), "client secret at the token endpoint")
    oauth_scope: str = setting("", "scope of the token, where the endpoint wants one")
    oauth_ca_file: Path | None = setting(
        None, "certificates to trust at the token endpoint, PEM; absent: the system's"
    )

    def problems(self) -> list[str]:
        """Return what cannot work, each as `key: what, and what to do`."""
        found = super().problems()
        found += [
            f"{key}: must not be empty"
            for key in ("requests_topic", "signals_topic", "group")
            if not getattr(self, key)
        ]
        if not all(_is_host_and_port(server) for server in self.bootstrap_servers.split(",")):
            found.append("bootstrap_servers: must be host:port, comma-separated")
        found += [f"{key}: {problem}" for key, problem in self.security().problems_by_name()]
        return found

    def security(self) -> KafkaSecurity:
        """Return how to reach the broker and as whom."""
        return KafkaSecurity(
            **{name: _plain_text(getattr(self, name)) for name in SECURITY_SETTINGS}
        )


@dataclass(frozen=True, kw_only=True)
class StoreConfig(Area):
    """ClickHouse, embedded in a folder or a server, and how long each table keeps its rows."""

    SECTION: ClassVar[str] = "store"

    url: str = setting("", "ClickHouse server, http(s)://host:port; excludes data_dir")
    data_dir: Path | None = setting(None, "folder of the embedded store; excludes url")
    database: str = setting("inferometer", "database of all tables and views")
    user: str = setting("default", "user at the server")
    password: Secret = setting(Secret(""), "password at the server")
    replicated: bool = setting(False, "make replicated tables; needs a cluster")
    requests_retention_days: int = setting(
        14,
        "event time kept in the log; also the oldest event that the door accepts",
        minimum=1,
        maximum=MAX_DAYS,
    )
    rollup_10s_retention_days: int = setting(
        7, "event time kept in roll-ups of 10 s", minimum=1, maximum=MAX_DAYS
    )
    rollup_1m_retention_days: int = setting(
        90, "event time kept in roll-ups of 1 min", minimum=1, maximum=MAX_DAYS
    )
    rollup_1h_retention_days: int = setting(
        1095, "event time kept in roll-ups of 1 h", minimum=1, maximum=MAX_DAYS
    )
    dead_letters_retention_days: int = setting(
        14, "how long a dead letter is kept", minimum=1, maximum=MAX_DAYS
    )
    ledger_retention_days: int = setting(
        90, "how long the account of a chunk is kept", minimum=1, maximum=MAX_DAYS
    )
    watermarks_retention_days: int = setting(
        90, "how long a watermark is kept", minimum=1, maximum=MAX_DAYS
    )
    alerts_retention_days: int = setting(
        1095, "how long the history of alerts is kept", minimum=1, maximum=MAX_DAYS
    )

    def problems(self) -> list[str]:
        """Return what cannot work, each as `key: what, and what to do`."""
        found = super().problems()
        if self.url and self.data_dir is not None:
            found.append("url: excludes data_dir; keep one of the two")
        if self.url and not self.url.startswith(("http://", "https://")):
            found.append("url: must begin with http:// or https://")
        if "@" in self.url:
            found.append(
                "url: must not carry a user or password; use the settings user and password"
            )
        if self.replicated and not self.url:
            found.append("replicated: needs a server; give its url")
        if not self.database.isidentifier():
            found.append("database: must be a plain name of letters, digits and underscores")
        return found


@dataclass(frozen=True, kw_only=True)
class WorkerConfig(Area):
    """How a worker cuts chunks, bounds its memory, and judges time."""

    SECTION: ClassVar[str] = "worker"

    chunk_max_events: int = setting(
        200_000, "events of a chunk at most", minimum=1, maximum=10_000_000
    )
    chunk_max_bytes: int = setting(
        96 * MIB, "bytes of a chunk's records at most", minimum=MIB, maximum=2047 * MIB
    )
    chunk_min_wait_s: float = setting(
        1.0,
        "how long after a chunk the next one may follow, while a partition keeps up; counts as "
        "chunk_max_wait_s where that is less",
        minimum=0.01,
        maximum=3600,
    )
    chunk_max_wait_s: float = setting(
        2.0,
        "how long a record waits for others at most, while a partition keeps up",
        minimum=0.01,
        maximum=3600,
    )
    in_flight_max_bytes: int = setting(
        320 * MIB,
        "bytes fetched and not yet stored, with what is computed of them; over it nothing is fetched",
        minimum=MIB,
    )
    chunk_threads: int = setting(
        2,
        "chunks of different partitions at work at the same time; half of them compute, so that "
        "one computes while another is inserted",
        minimum=1,
        maximum=256,
    )
    watermark_bound_s: float = setting(
        10.0, "how late an event may end before its window counts as final", minimum=0
    )
    future_tolerance_s: float = setting(
        300.0, "how far an event may end in the future; beyond it is a dead letter", minimum=0
    )
    dedupe_horizon_s: float = setting(
        600.0, "append time over which an event_id is remembered", minimum=0
    )
    dedupe_max_events: int = setting(
        5_000_000, "event ids remembered a partition at most", minimum=0
    )
    longest_outage_s: float = setting(
        900.0,
        "after how long away a worker still retries safely; the deduplication windows of the tables "
        "are checked against it",
        minimum=1,
    )
    metrics_host: str = setting(
        "127.0.0.1", "address of /metrics, /healthz and /readyz; 0.0.0.0 for all"
    )
    metrics_port: int = setting(
        0,
        "port of /metrics, /healthz and /readyz, another for each worker of a machine; 0: none",
        minimum=0,
        maximum=MAX_PORT - 1,
    )

    def problems(self) -> list[str]:
        """Return what cannot work, each as `key: what, and what to do`."""
        found = super().problems()
        if self.in_flight_max_bytes < self.chunk_max_bytes:
            found.append("in_flight_max_bytes: must be at least chunk_max_bytes")
        if not self.metrics_host:
            found.append("metrics_host: must not be empty; 0.0.0.0 is every address")
        return found


def _cap(name: str) -> Any:
    return setting(DEFAULT_CAPS[name], f"values of {name} at most", minimum=1, maximum=MAX_CAP)


@dataclass(frozen=True, kw_only=True)
class CardinalityConfig(Area):
    """How many values of a dimension a partition counts apart in a month; the rest is `__other__`."""

    SECTION: ClassVar[str] = "cardinality"

    workspace_id: int = _cap("workspace_id")
    environment: int = _cap("environment")
    provider: int = _cap("provider")
    model: int = _cap("model")
    model_version: int = _cap("model_version")
    region: int = _cap("region")
    error_type: int = _cap("error_type")
    virtual_model: int = _cap("virtual_model")
    team_id: int = _cap("team_id")
    user_id: int = _cap("user_id")
    virtual_account_id: int = _cap("virtual_account_id")


@dataclass(frozen=True, kw_only=True)
class PriceConfig(Area):
    """Where prices come from."""

    SECTION: ClassVar[str] = "prices"

    source: str = setting(
        "genai-prices", "the price book beneath the overlay", choices=("genai-prices", "none")
    )
    overlay_file: Path | None = setting(
        None, "price file whose entries win over the source; see `inferometer schema prices`"
    )


@dataclass(frozen=True, kw_only=True)
class AlertsConfig(Area):
    """What `inferometer alerts` evaluates, whom it tells, and its HTTP interface."""

    SECTION: ClassVar[str] = "alerts"

    slo_path: Path | None = setting(None, "file or folder of objectives, budgets and rules")
    receivers_file: Path | None = setting(None, "file of receivers and routes")
    group: str = setting(
        "inferometer-alerts", "consumer groups of alerting begin with it; its processes share work"
    )
    topic_prefix: str = setting("inference.", "what the names of its topics begin with")
    counts_partitions: int = setting(
        4, "partitions of the counts, and so evaluators at work at most", minimum=1, maximum=1000
    )
    lateness_s: float = setting(
        30.0, "how late an event may come and still be seen by its tick", minimum=0, maximum=3600
    )
    snapshot_every_s: float = setting(
        60.0, "how often evaluation keeps its state", minimum=1, maximum=3600
    )
    http_host: str = setting("127.0.0.1", "address of the HTTP interface; others need a token")
    http_port: int = setting(
        9093, "port of the HTTP interface, which amtool speaks to; 0: none",
        minimum=0, maximum=MAX_PORT - 1,
    )  # fmt: skip
    http_token: Secret = setting(Secret(""), "bearer token that silencing needs")

    def problems(self) -> list[str]:
        """Return what cannot work, each as `key: what, and what to do`."""
        found = super().problems()
        return found if self.group else [*found, "group: must not be empty"]


@dataclass(frozen=True, kw_only=True)
class LogConfig(Area):
    """What is logged, always to stderr."""

    SECTION: ClassVar[str] = "log"

    level: str = setting(
        "info", "least level that is logged", choices=("debug", "info", "warning", "error")
    )
    format: str = setting("text", "for people or machines", choices=("text", "json"))


@dataclass(frozen=True, kw_only=True)
class Settings:
    """The whole configuration of a process."""

    kafka: KafkaConfig = field(default_factory=KafkaConfig)
    store: StoreConfig = field(default_factory=StoreConfig)
    worker: WorkerConfig = field(default_factory=WorkerConfig)
    cardinality: CardinalityConfig = field(default_factory=CardinalityConfig)
    prices: PriceConfig = field(default_factory=PriceConfig)
    alerts: AlertsConfig = field(default_factory=AlertsConfig)
    web: WebConfig = field(default_factory=WebConfig)
    log: LogConfig = field(default_factory=LogConfig)


AREAS: tuple[type[Area], ...] = (
    KafkaConfig,
    StoreConfig,
    WorkerConfig,
    CardinalityConfig,
    PriceConfig,
    AlertsConfig,
    WebConfig,
    LogConfig,
)


def _plain_text(value: str | Path | Secret | None) -> str:
    return value.reveal() if isinstance(value, Secret) else str(value or "")


def _is_host_and_port(server: str) -> bool:
    host, _, port = server.strip().rpartition(":")
    return bool(host) and port.isascii() and port.isdigit() and 0 < int(port) < MAX_PORT
