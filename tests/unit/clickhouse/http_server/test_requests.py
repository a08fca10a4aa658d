from __future__ import annotations

import pytest

from inferometer.clickhouse.http_server.refusals import Refusal
from inferometer.clickhouse.http_server.requests import StoreRequest, read_request


def read(
    *query: tuple[str, str],
    method: str = "POST",
    body: bytes = b"",
    headers: dict[str, str] | None = None,
) -> StoreRequest:
    return read_request(method=method, query=query, headers=headers or {}, body=body)


def test_the_statement_begins_in_the_address_and_goes_on_in_the_body() -> None:
    request = read(("query", "INSERT INTO t FORMAT CSV"), body=b"1,2\n")
    assert bytes(request.data) == b"1,2\n"
    assert read(("query", "SELECT 1,"), body=b"2").statement.text == b"SELECT 1,\n2"


def test_what_is_neither_of_the_interface_nor_a_parameter_is_a_setting() -> None:
    request = read(
        ("database", "d"),
        ("session_id", "s"),
        ("query_id", "q"),
        ("client_protocol_version", "54"),
        ("param_a", "1"),
        ("max_threads", "2"),
        body=b"SELECT 1",
    )
    assert request.settings == {"max_threads": "2"}
    assert request.parameters == {"a": "1"}
    assert request.database == "d"


@pytest.mark.parametrize(
    ("method", "given", "readonly"),
    [("GET", None, "2"), ("HEAD", None, "2"), ("GET", "1", "1"), ("POST", None, None)],
)
def test_what_a_browser_may_repeat_only_reads(
    method: str, given: str | None, readonly: str | None
) -> None:
    query = [("query", "SELECT 1"), *([("readonly", given)] if given else [])]
    assert read(*query, method=method).settings.get("readonly") == readonly


@pytest.mark.parametrize(
    ("text", "query", "headers", "expected"),
    [
        ("SELECT 1", {}, {}, "TabSeparated"),
        ("SELECT 1", {"default_format": "JSON"}, {}, "JSON"),
        ("SELECT 1", {"default_format": "JSON"}, {"X-ClickHouse-Format": "CSV"}, "CSV"),
        ("SELECT 1 FORMAT Native", {"default_format": "JSON"}, {}, "Native"),
    ],
)
def test_the_format_of_the_text_wins_over_header_and_address(
    text: str, query: dict[str, str], headers: dict[str, str], expected: str
) -> None:
    request = read(*query.items(), body=text.encode(), headers=headers)
    assert request.output_format == expected


@pytest.mark.parametrize(
    "query", [{"decompress": "1"}, {"compress": "1"}], ids=["native in", "native out"]
)
def test_compression_of_the_native_protocol_is_refused_by_name(query: dict[str, str]) -> None:
    with pytest.raises(Refusal, match="Content-Encoding") as refused:
        read(*query.items(), body=b"SELECT 1")
    assert (refused.value.code, refused.value.status) == (48, 501)


def test_files_are_refused() -> None:
    with pytest.raises(Refusal, match="clickhouse-client"):
        read(body=b"SELECT 1 INTO OUTFILE 'x.csv'")
