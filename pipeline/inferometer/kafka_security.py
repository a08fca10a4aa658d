"""How to reach a secured Kafka and as whom: one set of names for the SDK, the worker and the tools."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

SECURITY_PROTOCOLS = ("PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL")
OAUTHBEARER = "OAUTHBEARER"
SASL_MECHANISMS = ("PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512", OAUTHBEARER)
VARIABLE_PREFIX = "INFEROMETER_KAFKA_"
FILE_SUFFIX = "_FILE"
"""A secret may stand in a file: its variable then ends so and names the file."""

_SECRETS = ("ssl_key_password", "sasl_password", "oauth_client_secret")
_TLS_NAMES = {
    "ssl_ca_file": "ssl.ca.location",
    "ssl_certificate_file": "ssl.certificate.location",
    "ssl_key_file": "ssl.key.location",
    "ssl_key_password": "ssl.key.password",
}
_PASSWORD_NAMES = {"sasl_username": "sasl.username", "sasl_password": "sasl.password"}
_TOKEN_NAMES = {
    "oauth_token_url": "sasl.oauthbearer.token.endpoint.url",
    "oauth_client_id": "sasl.oauthbearer.client.id",
    "oauth_client_secret": "sasl.oauthbearer.client.secret",
    "oauth_scope": "sasl.oauthbearer.scope",
    "oauth_ca_file": "https.ca.location",
}
SETTINGS = (
    "security_protocol",
    "sasl_mechanism",
    *_TLS_NAMES,
    *_PASSWORD_NAMES,
    *_TOKEN_NAMES,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class KafkaSecurity:
    """TLS and SASL of a connection; secrets do not show in `repr`."""

    security_protocol: str = "PLAINTEXT"
    ssl_ca_file: str = ""
    """Certificates to trust, PEM; empty: the system's."""
    ssl_certificate_file: str = ""
    """The client's own certificate, PEM, where the broker asks for one."""
    ssl_key_file: str = ""
    ssl_key_password: str = field(default="", repr=False)
    sasl_mechanism: str = "PLAIN"
    sasl_username: str = ""
    sasl_password: str = field(default="", repr=False)
    oauth_token_url: str = ""
    """Where client id and secret are changed into a token (OAUTHBEARER, client credentials)."""
    oauth_client_id: str = ""
    oauth_client_secret: str = field(default="", repr=False)
    oauth_scope: str = ""
    oauth_ca_file: str = ""
    """Certificates to trust at the token endpoint, PEM; empty: the system's."""

    @property
    def uses_tls(self) -> bool:
        """Whether the connection is encrypted."""
        return self.security_protocol.endswith("SSL")

    @property
    def uses_sasl(self) -> bool:
        """Whether the client proves who it is by a password or a token."""
        return self.security_protocol.startswith("SASL")

    @property
    def uses_tokens(self) -> bool:
        """Whether the proof is a token."""
        return self.uses_sasl and self.sasl_mechanism == OAUTHBEARER

    def problems(self) -> list[str]:
        """Return everything that cannot work."""
        return [f"{name} {problem}" for name, problem in self.problems_by_name()]

    def problems_by_name(self) -> list[tuple[str, str]]:
        """Return everything that cannot work, each with the setting that it is about."""
        found = []
        if self.security_protocol not in SECURITY_PROTOCOLS:
            found.append(("security_protocol", f"must be one of {', '.join(SECURITY_PROTOCOLS)}"))
        if self.ssl_certificate_file and not self.ssl_key_file:
            found.append(("ssl_certificate_file", "needs its ssl_key_file"))
        if self.ssl_key_file and not self.ssl_certificate_file:
            found.append(("ssl_key_file", "needs its ssl_certificate_file"))
        if self.uses_sasl and self.sasl_mechanism not in SASL_MECHANISMS:
            found.append(("sasl_mechanism", f"must be one of {', '.join(SASL_MECHANISMS)}"))
        elif self.uses_sasl:
            found += [
                (name, f"is needed with {self.security_protocol} and {self.sasl_mechanism}")
                for name in self._needed()
                if not getattr(self, name)
            ]
        url = self.oauth_token_url
        if self.uses_tokens and url and not url.startswith(("https://", "http://")):
            found.append(("oauth_token_url", "must begin with https:// or http://"))
        return found

    def librdkafka(self) -> dict[str, Any]:
        """Return the connection as properties of librdkafka."""
        found: dict[str, Any] = {"security.protocol": self.security_protocol}
        if self.uses_tls:
            found |= self._given(_TLS_NAMES)
        if self.uses_sasl:
            found["sasl.mechanism"] = self.sasl_mechanism
            found |= self._given(_TOKEN_NAMES if self.uses_tokens else _PASSWORD_NAMES)
        if self.uses_tokens:
            found["sasl.oauthbearer.method"] = "oidc"
        return found

    def _given(self, names: Mapping[str, str]) -> dict[str, str]:
        return {
            theirs: getattr(self, ours) for ours, theirs in names.items() if getattr(self, ours)
        }

    def _needed(self) -> Iterable[str]:
        if self.uses_tokens:
            return ("oauth_token_url", "oauth_client_id", "oauth_client_secret")
        return _PASSWORD_NAMES

    @classmethod
    def load(cls, environ: Mapping[str, str]) -> Self:
        """Return the settings of the environment. Raises OSError for a secret's file."""
        given = {}
        for name in SETTINGS:
            variable = VARIABLE_PREFIX + name.upper()
            if environ.get(variable):
                given[name] = environ[variable]
            elif name in _SECRETS and (path := environ.get(variable + FILE_SUFFIX)):
                given[name] = secret_of_file(Path(path))
        return cls(**given)


def secret_of_file(path: Path) -> str:
    """Return the secret that a file holds: its text without the line end. Raises OSError."""
    return path.read_text(encoding="utf-8").rstrip("\r\n")
