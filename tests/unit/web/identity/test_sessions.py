"""Sessions of browsers: a value that stands for a token and ends with it."""

from __future__ import annotations

from datetime import timedelta

import pytest

from inferometer.web.identity.desks import IssuedToken
from inferometer.web.identity.roles import NotIdentifiedError, Role
from inferometer.web.identity.sessions import Sessions
from inferometer.web.identity.token_book import TokenBook
from inferometer.web.identity.tokens_file import MemoryTokens
from tests.unit.web.identity.clocks import NOW, Clock

HOUR = timedelta(hours=1)
KEY = b"k" * 32


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def book(clock: Clock) -> TokenBook:
    return TokenBook(MemoryTokens(), clock)


@pytest.fixture
def sessions(book: TokenBook, clock: Clock) -> Sessions:
    return Sessions(book, clock, key=KEY, lifetime=2 * HOUR)


def made(book: TokenBook, lifetime: timedelta | None = None) -> IssuedToken:
    expires_at = None if lifetime is None else NOW + lifetime
    return book.create(name="ann", role=Role.VIEWER, workspace="acme", expires_at=expires_at)


def opened(sessions: Sessions, book: TokenBook, text: str) -> str:
    return sessions.open(book.find(text))[0]


def is_open(sessions: Sessions, value: str) -> bool:
    try:
        sessions.find(value)
    except NotIdentifiedError:
        return False
    return True


def test_a_session_is_its_token_and_does_not_hold_its_secret(
    sessions: Sessions, book: TokenBook
) -> None:
    text = made(book).text
    value = opened(sessions, book, text)
    assert sessions.find(value).record.name == "ann"
    assert text.rpartition("_")[2] not in value


def test_a_session_ends_in_its_time(sessions: Sessions, book: TokenBook, clock: Clock) -> None:
    value = opened(sessions, book, made(book).text)
    clock.move(2 * HOUR - timedelta(seconds=1))
    assert is_open(sessions, value)
    clock.move(timedelta(seconds=1))
    assert not is_open(sessions, value)


def test_a_session_ends_with_its_token(sessions: Sessions, book: TokenBook, clock: Clock) -> None:
    issued = made(book, HOUR)
    value, lifetime = sessions.open(book.find(issued.text))
    assert lifetime == HOUR
    clock.move(HOUR)
    assert not is_open(sessions, value)


@pytest.mark.parametrize("action", ["rotate", "revoke"])
def test_a_session_ends_with_the_secret(sessions: Sessions, book: TokenBook, action: str) -> None:
    issued = made(book)
    value = opened(sessions, book, issued.text)
    getattr(book, action)(issued.facts.id)
    assert not is_open(sessions, value)


def test_a_session_lives_on_while_the_old_secret_is_kept(
    sessions: Sessions, book: TokenBook, clock: Clock
) -> None:
    issued = made(book)
    value = opened(sessions, book, issued.text)
    book.rotate(issued.facts.id, old_for=HOUR)
    assert is_open(sessions, value)
    clock.move(HOUR)
    assert not is_open(sessions, value)


def test_a_closed_session_stays_closed_and_no_other(sessions: Sessions, book: TokenBook) -> None:
    text = made(book).text
    one, other = opened(sessions, book, text), opened(sessions, book, text)
    sessions.close(one)
    assert not is_open(sessions, one)
    assert is_open(sessions, other)


def test_who_knows_what_is_kept_cannot_make_a_session(book: TokenBook, clock: Clock) -> None:
    found = book.find(made(book).text)
    guessed = Sessions(book, clock, key=b"g" * 32).open(found)[0]
    assert not is_open(Sessions(book, clock, key=KEY), guessed)


def test_processes_with_one_key_share_sessions(book: TokenBook, clock: Clock) -> None:
    value = opened(Sessions(book, clock, key=KEY), book, made(book).text)
    assert is_open(Sessions(book, clock, key=KEY), value)
    assert not is_open(Sessions(book, clock), value)


@pytest.mark.parametrize("place", range(5))
def test_a_changed_value_is_none(sessions: Sessions, book: TokenBook, place: int) -> None:
    parts = opened(sessions, book, made(book).text).split(".")
    parts[place] = parts[place][:-1] + ("1" if parts[place][-1] != "1" else "2")
    assert not is_open(sessions, ".".join(parts))


@pytest.mark.parametrize("value", ["", "1", "1.2.3.4.5", "x" * 5000, "1." + "0" * 12 + ".9.a.b"])
def test_nonsense_is_none(sessions: Sessions, value: str) -> None:
    assert not is_open(sessions, value)
    sessions.close(value)
