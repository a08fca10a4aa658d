"""Tokens: who is let in, and what ends it."""

from __future__ import annotations

import hmac
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from inferometer.web.identity.desks import IssuedToken, TokenRefusedError, TokenUnknownError
from inferometer.web.identity.roles import NotIdentifiedError, Role
from inferometer.web.identity.token_book import TokenBook
from inferometer.web.identity.token_texts import digest_of, id_of, new_id, new_text
from inferometer.web.identity.tokens_file import MemoryTokens
from tests.unit.web.identity.clocks import NOW, Clock

HOUR = timedelta(hours=1)


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def storage() -> MemoryTokens:
    return MemoryTokens()


@pytest.fixture
def book(storage: MemoryTokens, clock: Clock) -> TokenBook:
    return TokenBook(storage, clock)


def made(book: TokenBook, lifetime: timedelta | None = None) -> IssuedToken:
    expires_at = None if lifetime is None else NOW + lifetime
    return book.create(name="ann", role=Role.VIEWER, workspace="acme", expires_at=expires_at)


def is_let_in(book: TokenBook, text: str) -> bool:
    try:
        book.find(text)
    except NotIdentifiedError:
        return False
    return True


def test_a_token_lets_in_whom_it_was_made_for(book: TokenBook) -> None:
    caller = book.find(made(book).text).record.caller()
    assert (caller.name, caller.role, caller.workspace) == ("ann", Role.VIEWER, "acme")


def test_a_text_has_its_form_and_names_its_id() -> None:
    token_id = new_id()
    text = new_text(token_id)
    assert text.startswith(f"imt_{token_id}_")
    assert id_of(text) == token_id


def test_secrets_are_never_the_same() -> None:
    assert len({new_text("0" * 12) for _ in range(1000)}) == 1000


def test_nothing_that_is_kept_shows_the_secret(book: TokenBook, storage: MemoryTokens) -> None:
    text = made(book).text
    (record,) = storage.load()
    secret = text.rpartition("_")[2]
    assert secret not in str(record.to_json()) + repr(record)
    assert record.sha256 == digest_of(text)


@given(st.text(max_size=300))
def test_any_other_text_lets_nobody_in(text: str) -> None:
    book = TokenBook(MemoryTokens(), Clock())
    made(book)
    assert not is_let_in(book, text)


@pytest.mark.parametrize("changed", ["last", "first", "swapped id", "longer", "upper id"])
def test_a_text_that_is_nearly_right_is_wrong(book: TokenBook, changed: str) -> None:
    text, other = made(book).text, made(book).text
    nearly = {
        "last": text[:-1] + ("a" if text[-1] != "a" else "b"),
        "first": text[:17] + ("a" if text[17] != "a" else "b") + text[18:],
        "swapped id": other[:17] + text[17:],
        "longer": text + "a",
        "upper id": text[:4] + text[4:16].upper() + text[16:],
    }[changed]
    assert nearly == text or not is_let_in(book, nearly)


def test_an_expired_token_says_so_and_lets_nobody_in(book: TokenBook, clock: Clock) -> None:
    text = made(book, HOUR).text
    clock.move(HOUR - timedelta(seconds=1))
    assert is_let_in(book, text)
    clock.move(timedelta(seconds=1))
    with pytest.raises(NotIdentifiedError, match="expired at 2026-01-05T09:00:00"):
        book.find(text)


def test_a_wrong_secret_learns_nothing_of_the_expiry(book: TokenBook, clock: Clock) -> None:
    text = made(book, HOUR).text
    clock.move(2 * HOUR)
    with pytest.raises(NotIdentifiedError, match="not known"):
        book.find(text[:-1] + ("a" if text[-1] != "a" else "b"))


def test_a_rotated_token_ends_the_old_secret_at_once(book: TokenBook) -> None:
    before = made(book)
    after = book.rotate(before.facts.id)
    assert not is_let_in(book, before.text)
    assert is_let_in(book, after.text)
    assert after.facts.id == before.facts.id


def test_a_rotation_may_keep_the_old_secret_for_a_while(book: TokenBook, clock: Clock) -> None:
    before = made(book)
    after = book.rotate(before.facts.id, old_for=HOUR)
    assert is_let_in(book, before.text)
    clock.move(HOUR)
    assert not is_let_in(book, before.text)
    assert is_let_in(book, after.text)


def test_an_old_secret_does_not_outlive_its_own_expiry(book: TokenBook, clock: Clock) -> None:
    before = made(book, HOUR)
    clock.move(HOUR / 2)
    book.rotate(before.facts.id, old_for=3 * HOUR)
    clock.move(HOUR / 2)
    assert not is_let_in(book, before.text)


def test_an_expired_token_comes_back_by_rotation_with_a_new_secret_only(
    book: TokenBook, clock: Clock
) -> None:
    before = made(book, HOUR)
    clock.move(2 * HOUR)
    after = book.rotate(before.facts.id, old_for=HOUR)
    assert not is_let_in(book, before.text)
    assert is_let_in(book, after.text)
    assert after.facts.expires_at == clock.now + HOUR


def test_a_second_rotation_ends_the_first_secret(book: TokenBook) -> None:
    first = made(book)
    second = book.rotate(first.facts.id, old_for=HOUR)
    book.rotate(first.facts.id, old_for=HOUR)
    assert not is_let_in(book, first.text)
    assert is_let_in(book, second.text)


def test_an_overlap_of_months_is_refused(book: TokenBook) -> None:
    with pytest.raises(TokenRefusedError, match="keep_old"):
        book.rotate(made(book).facts.id, old_for=timedelta(days=60))


def test_a_revoked_token_lets_nobody_in(book: TokenBook) -> None:
    issued, other = made(book), made(book)
    book.revoke(issued.facts.id)
    assert not is_let_in(book, issued.text)
    assert is_let_in(book, other.text)


@pytest.mark.parametrize("action", ["rotate", "revoke"])
def test_an_unknown_id_is_told(book: TokenBook, action: str) -> None:
    with pytest.raises(TokenUnknownError, match="inferometer token list"):
        getattr(book, action)("000000000000")


@pytest.mark.parametrize("name", ["", " ann", "a\nb", "x" * 101])
def test_a_name_must_be_readable(book: TokenBook, name: str) -> None:
    with pytest.raises(TokenRefusedError, match="name"):
        book.create(name=name, role=Role.VIEWER, workspace=None, expires_at=None)


@pytest.mark.parametrize("workspace", ["", "a\0b"])
def test_an_empty_workspace_is_not_all_of_them(book: TokenBook, workspace: str) -> None:
    with pytest.raises(TokenRefusedError, match="workspace"):
        book.create(name="ann", role=Role.VIEWER, workspace=workspace, expires_at=None)


def test_a_token_cannot_be_made_expired(book: TokenBook) -> None:
    with pytest.raises(TokenRefusedError, match="expires_at"):
        made(book, timedelta(0))


def test_every_text_is_compared_as_often_and_as_long_as_a_known_one() -> None:
    compared: list[tuple[int, int]] = []

    def counted(left: str, right: str) -> bool:
        compared.append((len(left), len(right)))
        return hmac.compare_digest(left, right)

    book = TokenBook(MemoryTokens(), Clock(), is_same=counted)
    for text in (made(book).text, new_text("f" * 12), "nonsense", ""):
        is_let_in(book, text)
    assert compared == [(64, 64)] * 4


def test_both_secrets_of_a_rotation_are_always_compared() -> None:
    compared: list[str] = []

    def counted(left: str, right: str) -> bool:
        compared.append(right)
        return hmac.compare_digest(left, right)

    book = TokenBook(MemoryTokens(), Clock(), is_same=counted)
    before = made(book)
    after = book.rotate(before.facts.id, old_for=HOUR)
    for text in (before.text, after.text):
        assert is_let_in(book, text)
    assert len(compared) == 4


def test_secrets_are_compared_in_constant_time() -> None:
    assert TokenBook(MemoryTokens(), Clock())._is_same is hmac.compare_digest


def test_who_may_come_in_leaves_a_trace_without_a_secret(
    book: TokenBook, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO")
    issued = made(book)
    after = book.rotate(issued.facts.id)
    book.revoke(issued.facts.id)
    reasons = [record.__dict__["reason"] for record in caplog.records]
    assert reasons == ["token_made", "token_rotated", "token_revoked"]
    for text in (issued.text, after.text):
        assert text.rpartition("_")[2] not in caplog.text
