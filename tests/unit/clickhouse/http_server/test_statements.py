from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from inferometer.clickhouse.http_server.statements import Kind, parse


@pytest.mark.parametrize(
    ("text", "kind", "format_name"),
    [
        ("SELECT 1", Kind.SELECT, None),
        ("  -- why\n/* not */ select 1 format JSON", Kind.SELECT, "JSON"),
        ("SELECT 1 FORMAT CSV SETTINGS max_threads = 1", Kind.SELECT, "CSV"),
        ("SELECT format FROM t", Kind.SELECT, None),
        ("SELECT 'FORMAT JSON'", Kind.SELECT, None),
        ("SELECT (SELECT 1 FORMAT CSV)", Kind.SELECT, None),
        ("(SELECT 1) UNION ALL (SELECT 2)", Kind.SELECT, None),
        ("WITH 1 AS x SELECT x FORMAT Native;", Kind.SELECT, "Native"),
        ("EXISTS TABLE t", Kind.ANSWER, None),
        ("SHOW TABLES FORMAT TSV", Kind.ANSWER, "TSV"),
        ("CREATE TABLE t (x Int8) ENGINE = Memory", Kind.COMMAND, None),
        ("INSERT INTO t SELECT 1", Kind.COMMAND, None),
        ("INSERT INTO t (a) WITH 1 AS x SELECT x", Kind.COMMAND, None),
        ("", Kind.COMMAND, None),
    ],
)
def test_a_statement_says_what_it_needs(text: str, kind: Kind, format_name: str | None) -> None:
    statement = parse(text.encode())
    assert (statement.kind, statement.format) == (kind, format_name)
    assert statement.text == text.encode()


@pytest.mark.parametrize(
    ("whole", "text", "format_name", "data"),
    [
        ("INSERT INTO t FORMAT CSV\n1,2\n", "INSERT INTO t ", "CSV", "1,2\n"),
        ("INSERT INTO t (a, `b)`) FORMAT TSV\r\n1", "INSERT INTO t (a, `b)`) ", "TSV", "1"),
        ("insert into t format JSONEachRow {}", "insert into t ", "JSONEachRow", "{}"),
        ("INSERT INTO t FORMAT CSV; 1", "INSERT INTO t ", "CSV", "1"),
        ("INSERT INTO t VALUES (1, 'FORMAT')", "INSERT INTO t ", "Values", "(1, 'FORMAT')"),
        ("INSERT INTO t /* FORMAT CSV */ VALUES(1)", "INSERT INTO t /* FORMAT CSV */ ", "Values", "(1)"),
        ("INSERT INTO t FORMAT TSV\n\n1", "INSERT INTO t ", "TSV", "\n1"),
        ("INSERT INTO t (format, values) VALUES (1, 2)", "INSERT INTO t (format, values) ", "Values", "(1, 2)"),
        ("INSERT INTO t", "INSERT INTO t", None, ""),
    ],
    ids=lambda value: repr(value)[:30],
)  # fmt: skip
def test_the_data_of_an_insert_begins_where_clickhouse_says(
    whole: str, text: str, format_name: str | None, data: str
) -> None:
    statement = parse(whole.encode())
    assert statement.kind is Kind.INSERT
    assert statement.text == text.encode()
    assert statement.format == format_name
    assert whole.encode()[statement.data_start :] == data.encode()


def test_the_file_stands_before_the_settings() -> None:
    whole = b"INSERT INTO t (a) SETTINGS async_insert = 0 FORMAT CSV\n1"
    assert parse(whole).from_file("/f") == (
        b"INSERT INTO t (a)  FROM INFILE '/f' SETTINGS async_insert = 0  FORMAT CSV"
    )
    assert (
        parse(b"INSERT INTO t").from_file("/f") == b"INSERT INTO t FROM INFILE '/f'  FORMAT Values"
    )


@pytest.mark.parametrize(
    ("text", "touches"),
    [
        ("SELECT 1 INTO OUTFILE 'x.csv'", True),
        ("SELECT 1 into /* a */ outfile 'x.csv' FORMAT CSV", True),
        ("INSERT INTO t FROM INFILE '/etc/passwd' FORMAT CSV", True),
        ("SELECT 'INTO OUTFILE'", False),
        ("INSERT INTO t FORMAT CSV\nFROM INFILE", False),
    ],
)
def test_files_of_a_client_are_noticed(text: str, touches: bool) -> None:
    assert parse(text.encode()).touches_files is touches


@given(st.binary(max_size=300))
def test_data_is_never_read_as_text(data: bytes) -> None:
    head = b"INSERT INTO t FORMAT ArrowStream\n"
    statement = parse(head + data)
    assert (head + data)[statement.data_start :] == data


@given(st.binary(max_size=300))
def test_any_bytes_are_a_statement(whole: bytes) -> None:
    statement = parse(whole)
    assert statement.data_start <= len(whole)
