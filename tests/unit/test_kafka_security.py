from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from inferometer.kafka_security import SETTINGS, KafkaSecurity

if TYPE_CHECKING:
    from pathlib import Path

OAUTH = {
    "security_protocol": "SASL_SSL",
    "sasl_mechanism": "OAUTHBEARER",
    "oauth_token_url": "https://login.example.com/token",
    "oauth_client_id": "me",
    "oauth_client_secret": "hidden",
}


@pytest.mark.parametrize(
    ("given", "named"),
    [
        ({}, []),
        ({"security_protocol": "TLS"}, ["security_protocol"]),
        ({"security_protocol": "SSL", "ssl_certificate_file": "a"}, ["ssl_certificate_file"]),
        ({"security_protocol": "SSL", "ssl_key_file": "a"}, ["ssl_key_file"]),
        ({"security_protocol": "SASL_SSL", "sasl_mechanism": "GSSAPI"}, ["sasl_mechanism"]),
        ({"security_protocol": "SASL_SSL"}, ["sasl_username", "sasl_password"]),
        (OAUTH, []),
        ({**OAUTH, "oauth_client_id": ""}, ["oauth_client_id"]),
        ({**OAUTH, "oauth_token_url": "login.example.com"}, ["oauth_token_url"]),
        # What is not used may stand there.
        ({"sasl_mechanism": "GSSAPI", "oauth_token_url": "x"}, []),
    ],
)
def test_what_cannot_work_is_named(given: dict[str, Any], named: list[str]) -> None:
    found = KafkaSecurity(**given).problems()
    assert [problem.split()[0] for problem in found] == named


def test_a_password_reaches_the_client_and_no_log() -> None:
    security = KafkaSecurity(
        security_protocol="SASL_SSL",
        sasl_mechanism="SCRAM-SHA-512",
        sasl_username="me",
        sasl_password="hidden",
        ssl_ca_file="ca.pem",
        ssl_certificate_file="me.pem",
        ssl_key_file="me.key",
        ssl_key_password="hidden too",
        oauth_client_id="unused",
    )
    assert "hidden" not in repr(security)
    assert security.librdkafka() == {
        "security.protocol": "SASL_SSL",
        "ssl.ca.location": "ca.pem",
        "ssl.certificate.location": "me.pem",
        "ssl.key.location": "me.key",
        "ssl.key.password": "hidden too",
        "sasl.mechanism": "SCRAM-SHA-512",
        "sasl.username": "me",
        "sasl.password": "hidden",
    }


def test_tokens_come_by_client_credentials() -> None:
    security = KafkaSecurity(**OAUTH, oauth_scope="kafka", oauth_ca_file="ca.pem")
    assert "hidden" not in repr(security)
    assert security.librdkafka() == {
        "security.protocol": "SASL_SSL",
        "sasl.mechanism": "OAUTHBEARER",
        "sasl.oauthbearer.method": "oidc",
        "sasl.oauthbearer.token.endpoint.url": "https://login.example.com/token",
        "sasl.oauthbearer.client.id": "me",
        "sasl.oauthbearer.client.secret": "hidden",
        "sasl.oauthbearer.scope": "kafka",
        "https.ca.location": "ca.pem",
    }


def test_a_plain_connection_tells_nothing_of_tls_and_passwords() -> None:
    security = KafkaSecurity(ssl_ca_file="ca.pem", sasl_username="me", sasl_password="hidden")
    assert security.librdkafka() == {"security.protocol": "PLAINTEXT"}


def test_the_environment_gives_every_setting_and_secrets_by_file(tmp_path: Path) -> None:
    environ = {f"INFEROMETER_KAFKA_{name.upper()}": name for name in SETTINGS}
    found = KafkaSecurity.load(environ)
    assert all(getattr(found, name) == name for name in SETTINGS)
    secret = tmp_path / "secret"
    secret.write_text("hidden\n")
    by_file = KafkaSecurity.load({"INFEROMETER_KAFKA_SASL_PASSWORD_FILE": str(secret)})
    assert by_file.sasl_password == "hidden"
    with pytest.raises(FileNotFoundError):
        KafkaSecurity.load({"INFEROMETER_KAFKA_SASL_PASSWORD_FILE": str(tmp_path / "absent")})
