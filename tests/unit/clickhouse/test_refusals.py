from __future__ import annotations

import pytest
from clickhouse_connect.driver.exceptions import DatabaseError, OperationalError

from inferometer.clickhouse.refusals import redact, store_errors, to_store_error
from inferometer.errors import StoreError

UNKNOWN = (
    "Code: 47. DB::Exception: Unknown expression identifier `nope`.\n (UNKNOWN_IDENTIFIER) "
    "(version 26.2.4.23 (official build))"
)


def test_a_message_is_one_line_without_the_library_around_it() -> None:
    error = to_store_error(DatabaseError(UNKNOWN), place="x")
    assert str(error).startswith("Unknown expression identifier `nope`. (UNKNOWN_IDENTIFIER); ")
    assert "version" not in str(error)


def test_the_list_of_everything_a_parser_expected_is_left_out() -> None:
    text = "Code: 62. DB::Exception: Syntax error: at 1. Expected one of: A, B, C. (SYNTAX_ERROR)"
    error = to_store_error(DatabaseError(text), place="x")
    assert str(error) == "Syntax error: at 1 (SYNTAX_ERROR)"


def test_an_engine_that_cannot_open_a_folder_names_it_and_what_may_have_happened() -> None:
    text = (
        "Unable to open the chdb engine at 'd/clickhouse': Failed to create connection: Code: 36. "
        "DB::Exception: Error initializing EmbeddedServer: . (BAD_ARGUMENTS)"
    )
    error = to_store_error(DatabaseError(text), place="d")
    assert str(error).startswith("the engine cannot open the store in d; its own message on stderr")
    assert not error.retryable


def test_a_long_message_is_cut() -> None:
    error = to_store_error(DatabaseError("Code: 1. DB::Exception: " + "x" * 5000), place="x")
    assert len(str(error)) <= 400


def test_an_absent_server_is_worth_another_try_and_named_without_its_password() -> None:
    error = to_store_error(OperationalError("refused http://u:pw@ch:8123/"), place="http://u:pw@ch")
    assert error.retryable
    assert "pw" not in str(error)
    assert "is it running?" in str(error)


@pytest.mark.parametrize(
    ("code", "retryable"), [(252, True), (241, True), (999, True), (47, False), (516, False)]
)
def test_only_refusals_that_pass_by_themselves_are_retryable(code: int, retryable: bool) -> None:
    error = DatabaseError(f"Code: {code}. DB::Exception: x", code=code)
    assert to_store_error(error, place="x").retryable is retryable


def test_errors_of_the_library_leave_as_store_errors_with_their_cause() -> None:
    with pytest.raises(StoreError) as caught, store_errors("x"):
        raise DatabaseError(UNKNOWN)
    assert isinstance(caught.value.__cause__, DatabaseError)


def test_redacting_leaves_other_text_alone() -> None:
    assert redact("mail a@b, http://h/x and https://me:x@h/y") == (
        "mail a@b, http://h/x and https://***@h/y"
    )
