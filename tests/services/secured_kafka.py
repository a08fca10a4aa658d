"""An Apache Kafka with TLS, client certificates, passwords and tokens, each on a port of its own."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import pytest
import trustme
from confluent_kafka.admin import AdminClient
from confluent_kafka.admin._scram import (
    ScramCredentialInfo,
    ScramMechanism,
    UserScramCredentialUpsertion,
)
from cryptography.hazmat.primitives import serialization

from inferometer.kafka.broker_properties import HOST, Listener
from inferometer.kafka.local_broker import LocalBroker, free_port
from inferometer.kafka_security import KafkaSecurity
from tests.services.kafka import JVM_OPTIONS
from tests.services.token_server import AUDIENCE, TokenServer

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

USER, PASSWORD = "fleet", 'correct horse; "battery" \\staple='
CLIENT_ID, CLIENT_SECRET, SCOPE = "inferometer", "client-secret", "kafka.write"
KEY_PASSWORD = "of the key"
SCRAM = {
    "SCRAM-SHA-256": ScramMechanism.SCRAM_SHA_256,
    "SCRAM-SHA-512": ScramMechanism.SCRAM_SHA_512,
}
_OAUTH = "org.apache.kafka.common.security.oauthbearer"


@dataclass(frozen=True)
class SecuredKafka:
    """The broker, and how to get in by each way."""

    plain: str
    ports: dict[str, int]
    folder: Path
    tokens: TokenServer

    def address(self, listener: str) -> str:
        """Return the address of TLS, MTLS, PASSWORD or TOKEN."""
        return f"{HOST}:{self.ports[listener]}"

    @property
    def ca_file(self) -> str:
        """Whom to trust."""
        return str(self.folder / "ca.pem")

    def ways(self) -> dict[str, tuple[str, KafkaSecurity]]:
        """Return listener and settings of every way in."""
        certificate = KafkaSecurity(
            security_protocol="SSL",
            ssl_ca_file=self.ca_file,
            ssl_certificate_file=str(self.folder / "client.pem"),
            ssl_key_file=str(self.folder / "client.key"),
            ssl_key_password=KEY_PASSWORD,
        )
        return {
            "TLS": ("TLS", KafkaSecurity(security_protocol="SSL", ssl_ca_file=self.ca_file)),
            "mTLS": ("MTLS", certificate),
            **{name: ("PASSWORD", self.password(name)) for name in ("PLAIN", *SCRAM)},
            "OAUTHBEARER": ("TOKEN", self.token()),
        }

    def password(self, mechanism: str, password: str = PASSWORD) -> KafkaSecurity:
        """Return the settings of a user with a password."""
        return KafkaSecurity(
            security_protocol="SASL_SSL",
            ssl_ca_file=self.ca_file,
            sasl_mechanism=mechanism,
            sasl_username=USER,
            sasl_password=password,
        )

    def token(self, secret: str = CLIENT_SECRET) -> KafkaSecurity:
        """Return the settings of a client that gets tokens."""
        return KafkaSecurity(
            security_protocol="SASL_SSL",
            ssl_ca_file=self.ca_file,
            sasl_mechanism="OAUTHBEARER",
            oauth_token_url=self.tokens.url,
            oauth_client_id=CLIENT_ID,
            oauth_client_secret=secret,
            oauth_scope=SCOPE,
            oauth_ca_file=self.ca_file,
        )


@pytest.fixture(scope="session")
def secured_kafka(
    kafka_packages: None, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[SecuredKafka]:
    """A broker of the session that lets nobody in unasked, beside its plain port."""
    folder = tmp_path_factory.mktemp("secured-kafka")
    tokens = TokenServer(client_id=CLIENT_ID, client_secret=CLIENT_SECRET, scope=SCOPE)
    certificate = _certificates(folder)
    keys = folder / "keys.json"
    keys.write_text(tokens.key_set(), encoding="utf-8")
    ports: dict[str, int] = {}
    for name in ("TLS", "MTLS", "PASSWORD", "TOKEN"):
        ports[name] = free_port(besides=ports.values())
    broker = LocalBroker(
        listeners=_listeners(folder, ports, keys.as_uri()),
        # Kafka 4 reads only what it is told that it may.
        jvm_options=[
            *JVM_OPTIONS,
            f"-Dorg.apache.kafka.sasl.oauthbearer.allowed.urls={keys.as_uri()}",
        ],
    )
    with tokens.serving(certificate), broker:
        _add_scram_users(broker.bootstrap_servers)
        yield SecuredKafka(broker.bootstrap_servers, ports, folder, tokens)


def _certificates(folder: Path) -> trustme.LeafCert:
    """Write what broker and client show and trust; return the broker's own certificate."""
    authority = trustme.CA()
    authority.cert_pem.write_to_path(folder / "ca.pem")
    server = authority.issue_cert(HOST, "localhost")
    chain = b"".join(blob.bytes() for blob in server.cert_chain_pems)
    (folder / "server.pem").write_bytes(_pkcs8(server) + chain)
    client = authority.issue_cert("client@example.com")
    client.cert_chain_pems[0].write_to_path(folder / "client.pem")
    (folder / "client.key").write_bytes(_pkcs8(client, KEY_PASSWORD))
    return server


def _pkcs8(certificate: trustme.LeafCert, password: str = "") -> bytes:
    key = serialization.load_pem_private_key(certificate.private_key_pem.bytes(), None)
    return key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.BestAvailableEncryption(password.encode())
        if password
        else serialization.NoEncryption(),
    )


def _listeners(folder: Path, ports: dict[str, int], keys_url: str) -> list[Listener]:
    tls = {
        "ssl.keystore.type": "PEM",
        "ssl.keystore.location": str(folder / "server.pem"),
        "ssl.truststore.type": "PEM",
        "ssl.truststore.location": str(folder / "ca.pem"),
    }
    quoted = PASSWORD.replace("\\", "\\\\").replace('"', '\\"')
    plain = "org.apache.kafka.common.security.plain.PlainLoginModule"
    scram = "org.apache.kafka.common.security.scram.ScramLoginModule"
    passwords = {
        "sasl.enabled.mechanisms": ",".join(["PLAIN", *SCRAM]),
        "plain.sasl.jaas.config": f'{plain} required user_{USER}="{quoted}";',
        "scram-sha-256.sasl.jaas.config": f"{scram} required;",
        "scram-sha-512.sasl.jaas.config": f"{scram} required;",
    }
    tokens = {
        "sasl.enabled.mechanisms": "OAUTHBEARER",
        "oauthbearer.sasl.server.callback.handler.class": (
            f"{_OAUTH}.OAuthBearerValidatorCallbackHandler"
        ),
        "oauthbearer.sasl.jaas.config": f"{_OAUTH}.OAuthBearerLoginModule required;",
        "oauthbearer.sasl.oauthbearer.jwks.endpoint.url": keys_url,
        "oauthbearer.sasl.oauthbearer.expected.audience": AUDIENCE,
        # A connection ends with its token.
        "oauthbearer.connections.max.reauth.ms": "3600000",
    }
    given = {
        "TLS": ("SSL", tls),
        "MTLS": ("SSL", {**tls, "ssl.client.auth": "required"}),
        "PASSWORD": ("SASL_SSL", {**tls, **passwords}),
        "TOKEN": ("SASL_SSL", {**tls, **tokens}),
    }
    return [
        Listener(name=name, protocol=protocol, port=ports[name], properties=properties)
        for name, (protocol, properties) in given.items()
    ]


def _add_scram_users(bootstrap_servers: str) -> None:
    admin = AdminClient({"bootstrap.servers": bootstrap_servers})
    for mechanism in SCRAM.values():
        change = UserScramCredentialUpsertion(
            USER, ScramCredentialInfo(mechanism, 4096), PASSWORD.encode()
        )
        for future in admin.alter_user_scram_credentials([change]).values():
            future.result(30)
