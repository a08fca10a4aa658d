"""Asks a broker whether it works: not its port, but its metadata and its group coordinator."""

from __future__ import annotations

from inferometer.errors import BrokerError

PROBE_GROUP = "inferometer-readiness"


def check_answers(bootstrap_servers: str, *, timeout_s: float) -> None:
    """Return once metadata and a coordinator have answered. Raises BrokerError if they do not."""
    from confluent_kafka import KafkaError, KafkaException
    from confluent_kafka.admin import AdminClient

    admin = AdminClient(
        {
            "bootstrap.servers": bootstrap_servers,
            "log_level": 0,
            # It may be asked while it starts; the next try should not wait for seconds.
            "reconnect.backoff.max.ms": 200,
        }
    )
    try:
        if not admin.list_topics(timeout=timeout_s).brokers:
            raise BrokerError(f"{bootstrap_servers} knows no broker yet", retryable=True)
        # To ask for offsets would crash librdkafka 2.16 where the coordinator still loads.
        asked = admin.describe_consumer_groups([PROBE_GROUP], request_timeout=timeout_s)
        asked[PROBE_GROUP].result(timeout_s)
    except KafkaException as error:
        if error.args[0].code() != KafkaError.GROUP_ID_NOT_FOUND:
            raise _not_yet(bootstrap_servers, error) from error
    except TimeoutError as error:
        raise _not_yet(bootstrap_servers, error) from error


def _not_yet(bootstrap_servers: str, error: Exception) -> BrokerError:
    return BrokerError(f"{bootstrap_servers} does not answer yet: {error}", retryable=True)
