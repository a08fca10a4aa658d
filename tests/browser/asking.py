"""Asks the query API over HTTP with a token, as a program of a user does."""

from __future__ import annotations

import io
import json
import urllib.error
import urllib.parse
import urllib.request
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.message import Message
from typing import Any

import pyarrow as pa
from pyarrow import csv, parquet

TIMEOUT_S = 180.0


@dataclass(frozen=True, slots=True)
class Answer:
    """Status, headers and body."""

    status: int
    headers: Message
    body: bytes = field(repr=False)

    @property
    def json(self) -> Any:
        """Return the body read as JSON."""
        return json.loads(self.body)

    def lines(self) -> list[dict[str, Any]]:
        """Return the objects of JSON lines."""
        return [json.loads(line) for line in self.body.splitlines()]

    def csv(self) -> pa.Table:
        """Return the rows of CSV, every cell as text."""
        names = self.body.split(b"\n", 1)[0].decode().strip().replace('"', "").split(",")
        texts = csv.ConvertOptions(column_types=dict.fromkeys(names, pa.string()))
        return csv.read_csv(io.BytesIO(self.body), convert_options=texts)

    def rows(self, form: str) -> list[dict[str, Any]]:
        """Return the rows of an export in any form."""
        if form == "jsonl":
            return self.lines()
        found: list[dict[str, Any]] = (self.csv() if form == "csv" else self.parquet()).to_pylist()
        return found

    def parquet(self) -> pa.Table:
        """Return the rows of Parquet."""
        return parquet.read_table(io.BytesIO(self.body))


@dataclass(frozen=True, slots=True)
class Asker:
    """Somebody with a token."""

    url: str
    token: str = field(repr=False)

    def get(self, path: str, /, **parameters: Any) -> Any:
        """Return the JSON of an answer that must be 200."""
        answer = self.ask(path, **parameters)
        assert answer.status == 200, answer.body[:2000]
        return answer.json

    def ask(
        self,
        path: str,
        /,
        *,
        method: str = "GET",
        headers: dict[str, str] | None = None,
        json_body: Any = None,
        **parameters: Any,
    ) -> Answer:
        """Return whatever is answered; `from_` and `to` may be microseconds since 1970."""
        query = urllib.parse.urlencode(_plain(parameters), doseq=True)
        request = urllib.request.Request(
            f"{self.url}/api/v1{path}?{query}",
            method=method,
            data=None if json_body is None else json.dumps(json_body).encode(),
            headers={
                "Authorization": f"Bearer {self.token}",
                "Content-Type": "application/json",
                **(headers or {}),
            },
        )
        try:
            with urllib.request.urlopen(request, timeout=TIMEOUT_S) as answer:
                return Answer(answer.status, answer.headers, answer.read())
        except urllib.error.HTTPError as error:
            with error:
                return Answer(error.code, error.headers, error.read())


def _plain(parameters: dict[str, Any]) -> dict[str, Any]:
    """Return parameters as they stand in a URL; `from_` is `from`, None is left out."""
    return {
        name.rstrip("_"): instant(value) if name in {"from_", "to"} else value
        for name, value in parameters.items()
        if value is not None
    }


def instant(value: int | str) -> str:
    """Return microseconds since 1970 as the query API reads an instant; texts as they are."""
    if isinstance(value, str):
        return value
    return datetime.fromtimestamp(value / 1e6, UTC).isoformat().replace("+00:00", "Z")
