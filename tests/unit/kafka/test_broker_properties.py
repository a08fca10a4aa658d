from __future__ import annotations

import base64

from inferometer.kafka.broker_properties import (
    Listener,
    new_cluster_id,
    properties_text,
    server_properties,
)


def test_one_node_is_broker_and_controller_on_loopback() -> None:
    found = server_properties(port=9092, controller_port=9093, log_dir="log")
    assert found["process.roles"] == "broker,controller"
    assert found["listeners"] == "PLAINTEXT://127.0.0.1:9092,CONTROLLER://127.0.0.1:9093"
    assert found["advertised.listeners"] == "PLAINTEXT://127.0.0.1:9092"
    assert found["controller.quorum.voters"] == "1@127.0.0.1:9093"
    assert found["auto.create.topics.enable"] == "false"
    assert found["message.max.bytes"] == str(8 * 1024 * 1024)
    factors = {value for key, value in found.items() if key.endswith("replication.factor")}
    assert factors == {"1"}


def test_a_listener_has_a_port_a_protocol_and_properties_of_its_own() -> None:
    secure = Listener(
        name="SECURE", protocol="SASL_SSL", port=9094, properties={"ssl.client.auth": "required"}
    )
    found = server_properties(port=9092, controller_port=9093, log_dir="log", listeners=[secure])
    assert "SECURE://127.0.0.1:9094" in found["advertised.listeners"]
    assert "SECURE:SASL_SSL" in found["listener.security.protocol.map"]
    assert found["listener.name.secure.ssl.client.auth"] == "required"


def test_what_is_asked_for_wins_over_the_defaults() -> None:
    extra = {"message.max.bytes": "1", "log.dirs": "elsewhere"}
    found = server_properties(port=1, controller_port=2, log_dir="log", extra=extra)
    assert found["message.max.bytes"] == "1"
    assert found["log.dirs"] == "elsewhere"


def test_values_are_written_so_that_java_reads_them_back() -> None:
    text = properties_text({"a": "x\\y", "b": "one\ntwo", "c": "  blank", "d": "k=v;"})
    assert text == "a=x\\\\y\nb=one\\ntwo\nc=\\  blank\nd=k=v;\n"


def test_a_cluster_id_is_sixteen_bytes_and_no_flag() -> None:
    for _ in range(200):
        found = new_cluster_id()
        assert len(base64.urlsafe_b64decode(found + "==")) == 16
        assert not found.startswith("-")
