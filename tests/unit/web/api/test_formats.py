"""The form of an answer is what the client likes most of what there is."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from inferometer.web.api.formats import ALL_FORMATS, Format, accepted, file_headers, takes_gzip
from inferometer.web.api.problems import NotAcceptableError

BROWSER = "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"


@pytest.mark.parametrize(
    ("header", "form"),
    [
        ("", Format.JSON),
        ("*/*", Format.JSON),
        (BROWSER, Format.JSON),
        ("application/json", Format.JSON),
        ("text/csv", Format.CSV),
        ("text/*", Format.CSV),
        ("TEXT/CSV; charset=utf-8", Format.CSV),
        ("application/x-ndjson", Format.JSONL),
        ("application/jsonl", Format.JSONL),
        ("application/vnd.apache.parquet", Format.PARQUET),
        ("application/json;q=0.2, text/csv;q=0.9", Format.CSV),
        ("application/json;q=0, */*", Format.CSV),
        ("application/json;q=nonsense", Format.JSON),
    ],
)
def test_the_form_that_a_client_likes_most_is_sent(header: str, form: Format) -> None:
    assert accepted(header, ALL_FORMATS) is form


@pytest.mark.parametrize("header", ["text/html", "image/*", "application/json;q=0", ",", ";;;"])
def test_a_client_that_accepts_nothing_of_it_is_told_what_there_is(header: str) -> None:
    with pytest.raises(NotAcceptableError, match=r"application/vnd\.apache\.parquet"):
        accepted(header, ALL_FORMATS)


def test_a_page_without_tables_sends_json_only() -> None:
    with pytest.raises(NotAcceptableError, match="application/json only"):
        accepted("text/csv", (Format.JSON,))


@pytest.mark.parametrize(
    ("header", "is_taken"),
    [("gzip, deflate", True), ("*", True), ("gzip;q=0", False), ("br", False), ("", False)],
)
def test_what_a_client_cannot_unpack_is_not_packed(header: str, is_taken: bool) -> None:
    assert takes_gzip(header) is is_taken


def test_a_file_has_a_name_with_the_instant_that_it_was_asked_at() -> None:
    at = datetime(2026, 1, 5, 12, 30, 0, 0, UTC)
    headers = file_headers("requests", Format.CSV, at)
    assert headers["Content-Disposition"] == 'attachment; filename="requests-20260105T123000Z.csv"'
