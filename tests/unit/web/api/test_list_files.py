"""Files of `/models`, `/changes` and `/reconciliation`: they hold what the pages show."""

from __future__ import annotations

import csv
import io
from datetime import date
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import orjson
import pyarrow.parquet as pq
import pytest

from tests.unit.web.api.asking import rows as attempts

if TYPE_CHECKING:
    from tests.unit.web.api.asking import Bench

MODELS = "/models?from=now-3h&percentile=0.9"
CHANGES = "/changes?measure=requests&from=now-3h"
BILLS = "/reconciliation?from=2026-01-04&to=2026-01-06"
LISTS = {MODELS: "models", CHANGES: "changes", BILLS: "days"}


def lines_of(response: Any) -> list[dict[str, Any]]:
    return [orjson.loads(line) for line in response.content.splitlines()]


def plain(value: Any) -> Any:
    """Return a value as JSON lines have it: money as a float, days as texts."""
    if isinstance(value, Decimal):
        return float(value)
    return value.isoformat() if isinstance(value, date) else value


@pytest.mark.parametrize("path", LISTS)
@pytest.mark.parametrize("by", ["format", "Accept"])
def test_every_form_has_the_same_rows(filled: Bench, path: str, by: str) -> None:
    def get(form: str, accept: str) -> Any:
        if by == "format":
            return filled.get(f"{path}&format={form}")
        return filled.get(path, headers={"Accept": accept})

    lines = get("jsonl", "application/x-ndjson")
    rows = lines_of(lines)
    assert rows
    assert lines.headers["X-Row-Count"] == str(len(rows))
    assert lines.headers["Content-Type"] == "application/x-ndjson"
    file = get("parquet", "application/vnd.apache.parquet")
    table = pq.read_table(io.BytesIO(file.content))
    assert table.column_names == list(rows[0])
    assert [[plain(value) for value in row.values()] for row in table.to_pylist()] == [
        [plain(value) for value in row.values()] for row in rows
    ]
    text = get("csv", "text/csv")
    assert text.headers["Content-Type"].startswith("text/csv")
    assert f"{path[1:].partition('?')[0]}-2026" in text.headers["Content-Disposition"]
    cells = list(csv.DictReader(io.StringIO(text.text)))
    assert [list(row) for row in cells] == [list(row) for row in rows]
    for row, wanted in zip(cells, rows, strict=True):
        for name, value in wanted.items():
            if isinstance(value, int | float) and not isinstance(value, bool):
                assert float(row[name]) == pytest.approx(value)
            else:
                assert row[name] == {None: "", True: "true", False: "false"}.get(value, value)


@pytest.mark.parametrize(("path", "member"), LISTS.items(), ids=LISTS.values())
def test_a_file_has_the_rows_of_its_page_in_their_order(
    filled: Bench, path: str, member: str
) -> None:
    page = filled.body(path)[member]
    rows = lines_of(filled.get(f"{path}&format=jsonl"))
    shown = [
        {
            **each,
            **{f"previous_{name}": value for name, value in (each.get("previous") or {}).items()},
        }
        for each in page
    ]
    assert len(rows) == len(shown) > 1
    for row, wanted in zip(rows, shown, strict=True):
        assert {name: wanted.get(name) for name in row} == pytest.approx(row)
    if member == "models":
        assert rows[0]["previous_requests"] > 0
        assert rows[0]["ttft_ms"] > 0


def test_money_has_all_of_its_digits(filled: Bench) -> None:
    rows = list(csv.DictReader(io.StringIO(filled.get(f"{BILLS}&format=csv").text)))
    priced = {(row["day"], row["provider"]): row["priced_usd"] for row in rows}
    wanted = sum(row["price_cost"] for row in attempts() if row["ts_end"].day == 5)
    assert Decimal(priced["2026-01-05", "openai"]) == wanted
    assert len(priced["2026-01-05", "openai"].partition(".")[2]) > 9
    assert priced["2026-01-04", "openai"] == ""
    file = filled.get(f"{BILLS}&format=parquet")
    exact = pq.read_table(io.BytesIO(file.content)).column("priced_usd").to_pylist()
    assert wanted in exact


def test_a_caller_gets_files_of_its_own_workspace_only(filled: Bench) -> None:
    whole, own = (
        sum(row["requests"] for row in lines_of(filled.get(f"{MODELS}&format=jsonl", token=token)))
        for token in ("chief", "viewer")
    )
    assert 0 < own < whole
    for token in ("viewer", "all-viewer", "admin"):
        assert filled.get(f"{BILLS}&format=csv", token=token).status_code == 403
    assert filled.get(f"{MODELS}&workspace=umbrella&format=csv", token="viewer").status_code == 403


@pytest.mark.parametrize("path", LISTS)
def test_another_form_is_refused_by_its_name(filled: Bench, path: str) -> None:
    assert set(filled.refused(f"{path}&format=xml&frm=now")) == {"format", "frm"}
    assert filled.get(path, headers={"Accept": "text/html"}).status_code == 406
