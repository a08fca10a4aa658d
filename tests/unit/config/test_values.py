"""Texts and TOML values become the values of settings, or say what is expected."""

from __future__ import annotations

from pathlib import Path

import pytest

from inferometer.config import Secret
from inferometer.config.values import parse


@pytest.mark.parametrize("word", ["1", "true", "True", "YES", " on "])
def test_words_for_true(word: str) -> None:
    assert parse(word, bool) is True


@pytest.mark.parametrize("word", ["0", "false", "False", "no", "OFF"])
def test_words_for_false(word: str) -> None:
    assert parse(word, bool) is False


@pytest.mark.parametrize("word", ["", "ja", "2", 1, None])
def test_no_other_word_is_a_boolean(word: object) -> None:
    with pytest.raises(ValueError, match="true or false"):
        parse(word, bool)


@pytest.mark.parametrize(
    ("raw", "kind", "value"),
    [
        ("50_000", int, 50_000),
        (7, int, 7),
        ("2.5", float, 2.5),
        (2, float, 2.0),
        ("data", Path, Path("data")),
        (Path("data"), Path, Path("data")),
        ("text", str, "text"),
        (True, bool, True),
    ],
)
def test_a_fitting_value_is_taken(raw: object, kind: type, value: object) -> None:
    parsed = parse(raw, kind)
    assert parsed == value
    assert type(parsed) is type(value)


@pytest.mark.parametrize(
    ("raw", "kind"),
    [
        ("2.5", int),
        (2.0, int),
        (True, int),
        (True, float),
        ("nan", float),
        ("inf", float),
        (float("inf"), float),
        ("", int),
        ("", Path),
        (b"x", str),
        ("9" * 5000, int),
        (10**400, float),
    ],
    ids=lambda value: value.__name__ if isinstance(value, type) else f"{value!r:.12}",
)
def test_a_value_that_does_not_fit_is_refused(raw: object, kind: type) -> None:
    with pytest.raises(ValueError, match="must be"):
        parse(raw, kind)


def test_a_secret_hides_itself() -> None:
    secret = Secret("hunter2")
    assert "hunter2" not in f"{secret} {secret!r} {[secret]} {secret:>3}"
    assert secret.reveal() == "hunter2"


def test_secrets_compare_by_their_text() -> None:
    assert Secret("a") == Secret("a")
    assert Secret("a") != Secret("b")
    assert len({Secret("a"), Secret("a")}) == 1
    assert Secret("a") != "a"


def test_a_secret_is_made_from_text_only() -> None:
    secret = Secret("a")
    assert parse(secret, Secret) is secret
    assert parse("a", Secret) == secret
    with pytest.raises(ValueError, match="must be text"):
        parse(12345, Secret)


def test_an_empty_secret_counts_as_not_given() -> None:
    assert not Secret("")
    assert str(Secret("")) == ""
