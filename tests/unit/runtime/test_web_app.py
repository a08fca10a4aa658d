"""Who may come in: a token of this run on the loopback, tokens of a file everywhere else."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest

from inferometer.config import WebConfig
from inferometer.errors import ConfigError, StateError
from inferometer.runtime.web_app import token_book
from inferometer.web.identity.roles import Role
from inferometer.web.identity.token_book import TokenBook
from inferometer.web.identity.tokens_file import TokensFile

if TYPE_CHECKING:
    from pathlib import Path

OTHERS = ("0.0.0.0", "::", "10.0.0.1", "192.168.1.4", "some.name.example", "127.0.0.1.example")


def made(path: Path, lifetime: timedelta | None = None) -> str:
    book = TokenBook(TokensFile(path), lambda: datetime(2026, 1, 1, tzinfo=UTC))
    expires_at = None if lifetime is None else datetime(2026, 1, 1, tzinfo=UTC) + lifetime
    return book.create(name="ann", role=Role.VIEWER, workspace=None, expires_at=expires_at).text


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "::1", "127.9.9.9"])
def test_the_loopback_gets_a_token_of_this_run(host: str) -> None:
    book, text = token_book(WebConfig(host=host))
    caller = book.find(text).record.caller()
    assert (caller.role, caller.workspace) == (Role.ADMIN, None)


def test_each_run_has_another() -> None:
    assert token_book(WebConfig())[1] != token_book(WebConfig())[1]


@pytest.mark.parametrize("host", OTHERS)
def test_others_are_not_let_in_without_a_file(host: str) -> None:
    with pytest.raises(ConfigError, match="inferometer token create"):
        token_book(WebConfig(host=host))


@pytest.mark.parametrize("host", OTHERS)
def test_others_are_not_let_in_while_nobody_has_a_token(host: str, tmp_path: Path) -> None:
    area = WebConfig(host=host, tokens_file=tmp_path / "tokens.json")
    with pytest.raises(ConfigError, match="holds no token that is in force"):
        token_book(area)
    made(tmp_path / "tokens.json", timedelta(hours=1))
    with pytest.raises(ConfigError, match="holds no token that is in force"):
        token_book(area)


@pytest.mark.parametrize("host", [*OTHERS, "127.0.0.1"])
def test_a_file_with_a_token_opens_to_its_owner_and_makes_no_other(
    host: str, tmp_path: Path
) -> None:
    text = made(tmp_path / "tokens.json")
    book, link_text = token_book(WebConfig(host=host, tokens_file=tmp_path / "tokens.json"))
    assert link_text == ""
    assert book.find(text).record.name == "ann"
    assert len(book.tokens()) == 1


def test_a_file_that_cannot_be_believed_starts_nothing(tmp_path: Path) -> None:
    made(tmp_path / "tokens.json")
    (tmp_path / "tokens.json").chmod(0o666)
    with pytest.raises(StateError, match="chmod 600"):
        token_book(WebConfig(host="0.0.0.0", tokens_file=tmp_path / "tokens.json"))
