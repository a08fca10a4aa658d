"""The configuration of the local broker: one node, broker and controller, as Java properties."""

from __future__ import annotations

import base64
import re
import uuid
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from inferometer.kafka.topics import MAX_MESSAGE_BYTES

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

HOST = "127.0.0.1"
"""Loopback only: the local broker is for one machine."""
MAIN_LISTENER = "PLAINTEXT"

_ONE_NODE = {
    "process.roles": "broker,controller",
    "node.id": "1",
    "controller.listener.names": "CONTROLLER",
    "inter.broker.listener.name": MAIN_LISTENER,
    "offsets.topic.replication.factor": "1",
    # Each is a folder with files; Kafka's 50 are for clusters.
    "offsets.topic.num.partitions": "4",
    "transaction.state.log.replication.factor": "1",
    "transaction.state.log.min.isr": "1",
    "transaction.state.log.num.partitions": "4",
    "share.coordinator.state.topic.replication.factor": "1",
    "share.coordinator.state.topic.min.isr": "1",
    "share.coordinator.state.topic.num.partitions": "4",
    "group.initial.rebalance.delay.ms": "0",
    # After kill -9 the node waits until its own former session is over: 9 s with Kafka's default.
    "broker.session.timeout.ms": "3000",
    "broker.heartbeat.interval.ms": "500",
    "message.max.bytes": str(MAX_MESSAGE_BYTES),
    # Topics come from `inferometer topics`, with the settings that they need.
    "auto.create.topics.enable": "false",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Listener:
    """One more port of the broker, beside the plain one, such as one with TLS and SASL."""

    name: str
    protocol: str
    """SSL, SASL_PLAINTEXT or SASL_SSL."""
    port: int
    properties: Mapping[str, str] = field(default_factory=dict)
    """Properties of this listener alone, such as `sasl.enabled.mechanisms`."""


def server_properties(
    *,
    port: int,
    controller_port: int,
    log_dir: str,
    listeners: Sequence[Listener] = (),
    extra: Mapping[str, str] | None = None,
) -> dict[str, str]:
    """Return the properties of a node; `extra` wins over all of them."""
    plain = Listener(name=MAIN_LISTENER, protocol="PLAINTEXT", port=port)
    controller = Listener(name="CONTROLLER", protocol="PLAINTEXT", port=controller_port)
    clients = [plain, *listeners]
    return {
        **_ONE_NODE,
        # A static quorum: its port may be another at each start.
        "controller.quorum.voters": f"1@{HOST}:{controller_port}",
        "listeners": _addresses([*clients, controller]),
        "advertised.listeners": _addresses(clients),
        "listener.security.protocol.map": ",".join(
            f"{each.name}:{each.protocol}" for each in (*clients, controller)
        ),
        "log.dirs": log_dir,
        **{
            f"listener.name.{each.name.lower()}.{key}": value
            for each in listeners
            for key, value in each.properties.items()
        },
        **(extra or {}),
    }


def properties_text(properties: Mapping[str, str]) -> str:
    """Return properties as Java reads them from a file."""
    return "".join(f"{key}={_escaped(value)}\n" for key, value in properties.items())


def new_cluster_id() -> str:
    """Return an id as Kafka makes them: 16 bytes in base64url, and no dash in front.

    The tool that takes it would read a dash as the beginning of a flag.
    """
    while True:
        text = base64.urlsafe_b64encode(uuid.uuid4().bytes).decode().rstrip("=")
        if not text.startswith("-"):
            return text


def _addresses(listeners: Sequence[Listener]) -> str:
    return ",".join(f"{each.name}://{HOST}:{each.port}" for each in listeners)


def _escaped(value: str) -> str:
    escaped = value.replace("\\", "\\\\").replace("\n", "\\n").replace("\r", "\\r")
    # Java drops blanks in front of a value.
    return re.sub(r"^(?=[ \t])", r"\\", escaped)
