"""The embedded broker: librdkafka's mock cluster, real protocol over TCP, in this process's memory.

It keeps the newest 5 MB and 100,000 records of a partition and drops what is older, has no topic ids
and no CreateTopics; producers are therefore paced (`inferometer.kafka.pace`), and each run carries an
epoch of its own, so that offsets of one run never meet those of another in a store that outlives it.
"""

from __future__ import annotations

import ctypes
import uuid
from pathlib import Path
from typing import TYPE_CHECKING, Self

from inferometer.errors import BrokerError, ConfigError

if TYPE_CHECKING:
    from collections.abc import Mapping
    from types import TracebackType

KEPT_BYTES = 5_000_000
"""What a partition keeps; older records are gone."""
KEPT_RECORDS = 100_000

_PRODUCER = 0
_ERROR_TEXT_BYTES = 512
_LIBRARY_PATTERNS = (
    "confluent_kafka.libs/librdkafka*.so*",
    "confluent_kafka/.dylibs/librdkafka*.dylib",
    "confluent_kafka.libs/librdkafka*.dylib",
    "confluent_kafka/librdkafka*.so*",
)


class EmbeddedBroker:
    """One broker in this process; start it once, close it once.

    Closing loses every record and every committed offset.
    """

    def __init__(self) -> None:
        self.run_epoch = uuid.uuid4().hex
        """Identity of this run's topics, the `stream_id` of their partitions."""
        self._library: ctypes.CDLL | None = None
        self._client: int | None = None
        self._cluster: int | None = None
        self._bootstrap_servers = ""

    @property
    def bootstrap_servers(self) -> str:
        """Address of the broker. Raises BrokerError before start and after close."""
        if self._cluster is None:
            raise BrokerError("the embedded broker is not running: start it first", retryable=False)
        return self._bootstrap_servers

    def start(self, topics: Mapping[str, int]) -> None:
        """Open the port and create the topics, each with its number of partitions.

        Raises BrokerError, with librdkafka's own words.
        """
        if self._cluster is not None:
            raise BrokerError("the embedded broker is already running", retryable=False)
        _check_topics(topics)
        self._library = library = _load_library()
        self._client = _new_client(library)
        self._cluster = library.rd_kafka_mock_cluster_new(self._client, 1)
        if not self._cluster:
            self.close()
            raise BrokerError("the embedded broker cannot open a port on 127.0.0.1", retryable=True)
        library.rd_kafka_mock_group_initial_rebalance_delay_ms(self._cluster, 0)
        for topic, partitions in topics.items():
            self._create_topic(library, topic, partitions)
        self._bootstrap_servers = library.rd_kafka_mock_cluster_bootstraps(self._cluster).decode()

    def _create_topic(self, library: ctypes.CDLL, topic: str, partitions: int) -> None:
        code = library.rd_kafka_mock_topic_create(self._cluster, topic.encode(), partitions, 1)
        if code:
            self.close()
            reason = library.rd_kafka_err2str(code).decode()
            raise BrokerError(
                f"the embedded broker cannot create {topic}: {reason}", retryable=False
            )

    def close(self) -> None:
        """Close the port and free the memory; again is harmless."""
        library, cluster, client = self._library, self._cluster, self._client
        self._library = self._cluster = self._client = None
        if library is None:
            return
        if cluster:
            library.rd_kafka_mock_cluster_destroy(cluster)
        if client:
            library.rd_kafka_destroy(client)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()


def _check_topics(topics: Mapping[str, int]) -> None:
    problems = [
        f"topic {name!r} needs at least one partition, not {partitions}"
        for name, partitions in topics.items()
        if partitions < 1
    ]
    if problems:
        raise ConfigError(problems)


def _new_client(library: ctypes.CDLL) -> int:
    text = ctypes.create_string_buffer(_ERROR_TEXT_BYTES)
    configuration = library.rd_kafka_conf_new()
    # The client has no broker of its own and would say so on stderr.
    library.rd_kafka_conf_set(configuration, b"log_level", b"2", text, _ERROR_TEXT_BYTES)
    client = library.rd_kafka_new(_PRODUCER, configuration, text, _ERROR_TEXT_BYTES)
    if not client:
        raise BrokerError(f"librdkafka does not start: {text.value.decode()}", retryable=False)
    return int(client)


def _load_library() -> ctypes.CDLL:
    """Return the librdkafka that the confluent-kafka wheel carries, with its functions declared."""
    try:
        import confluent_kafka
    except ImportError as error:
        raise BrokerError(
            "the embedded broker needs confluent-kafka: pip install 'inferometer[server]'",
            retryable=False,
        ) from error
    site = Path(confluent_kafka.__file__).parent.parent
    found = [path for pattern in _LIBRARY_PATTERNS for path in sorted(site.glob(pattern))]
    # Without a bundled library (a build against the system's) the loaded module still exports it.
    candidates = [str(path) for path in found] or [confluent_kafka.cimpl.__file__]
    problems: list[str] = []
    for candidate in candidates:
        try:
            return _declared(ctypes.CDLL(candidate))
        except (OSError, AttributeError) as error:
            problems.append(f"{candidate}: {error}")
    raise BrokerError(
        "no librdkafka with a mock cluster in the installed confluent-kafka; install its binary "
        f"wheel ({'; '.join(problems)})",
        retryable=False,
    )


def _declared(library: ctypes.CDLL) -> ctypes.CDLL:
    pointer, text, number = ctypes.c_void_p, ctypes.c_char_p, ctypes.c_int
    signatures: dict[str, tuple[object, list[object]]] = {
        "rd_kafka_conf_new": (pointer, []),
        "rd_kafka_conf_set": (number, [pointer, text, text, text, ctypes.c_size_t]),
        "rd_kafka_new": (pointer, [number, pointer, text, ctypes.c_size_t]),
        "rd_kafka_destroy": (None, [pointer]),
        "rd_kafka_err2str": (text, [number]),
        "rd_kafka_mock_cluster_new": (pointer, [pointer, number]),
        "rd_kafka_mock_cluster_destroy": (None, [pointer]),
        "rd_kafka_mock_cluster_bootstraps": (text, [pointer]),
        "rd_kafka_mock_topic_create": (number, [pointer, text, number, number]),
        "rd_kafka_mock_group_initial_rebalance_delay_ms": (None, [pointer, ctypes.c_int32]),
    }
    for name, (result, arguments) in signatures.items():
        function = getattr(library, name)
        function.restype = result
        function.argtypes = arguments
    return library
