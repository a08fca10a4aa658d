from __future__ import annotations

import asyncio
from dataclasses import dataclass, field

import pytest

from inferometer.kafka.tokens import Token, TokenSource, TokenUnavailableError
from inferometer.kafka_security import KafkaSecurity


@dataclass
class Endpoint:
    """A clock, and tokens that count up."""

    life_s: float = 100.0
    now: float = 1000.0
    given: int = 0
    is_away: bool = False
    asked: list[str] = field(default_factory=list)

    def fetch(self, security: KafkaSecurity) -> Token:
        self.asked.append(security.oauth_client_id)
        if self.is_away:
            raise TokenUnavailableError("away")
        self.given += 1
        return Token(f"token {self.given}", self.life_s)

    def source(self) -> TokenSource:
        security = KafkaSecurity(oauth_client_id="me")
        return TokenSource(security, monotonic=lambda: self.now, fetch=self.fetch)


def take(source: TokenSource) -> str:
    return asyncio.run(source.token())


def test_connections_share_a_token_until_most_of_its_life_is_over() -> None:
    endpoint = Endpoint()
    source = endpoint.source()
    assert take(source) == "token 1"
    endpoint.now += 79
    assert take(source) == "token 1"
    endpoint.now += 1
    assert take(source) == "token 2"
    assert endpoint.asked == ["me", "me"]


def test_an_endpoint_that_was_away_is_asked_again() -> None:
    endpoint = Endpoint(is_away=True)
    source = endpoint.source()
    with pytest.raises(TokenUnavailableError):
        take(source)
    endpoint.is_away = False
    assert take(source) == "token 1"


def test_a_token_without_a_life_is_used_once() -> None:
    endpoint = Endpoint(life_s=0.0)
    source = endpoint.source()
    assert [take(source), take(source)] == ["token 1", "token 2"]
