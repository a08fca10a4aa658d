"""A token endpoint over HTTPS: client credentials in, a signed JWT out."""

from __future__ import annotations

import base64
import json
import ssl
import threading
import time
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding, rsa

if TYPE_CHECKING:
    from collections.abc import Iterator

    import trustme

AUDIENCE = "kafka"
KEY_ID = "test"


@dataclass
class TokenServer:
    """Who may ask, how long a token lives, and how often it was asked."""

    client_id: str
    client_secret: str
    scope: str
    life_s: float = 300.0
    answers_with: int = 200
    issued: int = 0
    port: int = 0
    _key: rsa.RSAPrivateKey = field(
        default_factory=lambda: rsa.generate_private_key(public_exponent=65537, key_size=2048)
    )

    @property
    def url(self) -> str:
        """Where a client asks."""
        return f"https://127.0.0.1:{self.port}/token"

    def key_set(self) -> str:
        """Return the public key, as the broker reads it."""
        numbers = self._key.public_key().public_numbers()
        key = {
            "kty": "RSA",
            "kid": KEY_ID,
            "alg": "RS256",
            "use": "sig",
            "n": _encoded(numbers.n.to_bytes(256, "big")),
            "e": _encoded(numbers.e.to_bytes(3, "big")),
        }
        return json.dumps({"keys": [key]})

    def answer(self, authorization: str, form: dict[str, list[str]]) -> tuple[int, dict[str, Any]]:
        """Return status and body for a request."""
        pair = f"{self.client_id}:{self.client_secret}"
        expected = "Basic " + base64.b64encode(pair.encode()).decode()
        if self.answers_with != 200:
            return self.answers_with, {"error": "temporarily_unavailable"}
        if authorization != expected or form.get("grant_type") != ["client_credentials"]:
            return 401, {"error": "invalid_client"}
        if form.get("scope") != [self.scope]:
            return 400, {"error": "invalid_scope"}
        self.issued += 1
        return 200, {
            "access_token": self.token(),
            "token_type": "Bearer",
            "expires_in": self.life_s,
        }

    def token(self) -> str:
        """Return a signed JWT."""
        now = time.time()
        claims = {
            "sub": self.client_id,
            "aud": AUDIENCE,
            "scope": self.scope,
            "iat": int(now),
            "exp": int(now + self.life_s),
        }
        header = {"alg": "RS256", "kid": KEY_ID, "typ": "JWT"}
        signed = f"{_json(header)}.{_json(claims)}"
        signature = self._key.sign(signed.encode(), padding.PKCS1v15(), hashes.SHA256())
        return f"{signed}.{_encoded(signature)}"

    @contextmanager
    def serving(self, certificate: trustme.LeafCert) -> Iterator[TokenServer]:
        """Answer on a free port of 127.0.0.1."""
        server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(self))
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        certificate.configure_cert(context)
        server.socket = context.wrap_socket(server.socket, server_side=True)
        self.port = server.server_address[1]
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        try:
            yield self
        finally:
            server.shutdown()
            server.server_close()
            thread.join()


def _handler(tokens: TokenServer) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            length = int(self.headers.get("Content-Length", "0"))
            form = parse_qs(self.rfile.read(length).decode())
            status, body = tokens.answer(self.headers.get("Authorization", ""), form)
            content = json.dumps(body).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *_: object) -> None:
            pass

    return Handler


def _json(fields: dict[str, Any]) -> str:
    return _encoded(json.dumps(fields).encode())


def _encoded(content: bytes) -> str:
    return base64.urlsafe_b64encode(content).decode().rstrip("=")
