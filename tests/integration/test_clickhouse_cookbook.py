from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest

from inferometer.schemas import schema_path
from tests.integration.clickhouse_seed import Seed, seeded_store

if TYPE_CHECKING:
    from collections.abc import Iterator

TEXT = schema_path("clickhouse").joinpath("cookbook.md").read_text(encoding="utf-8")
RECIPES = re.findall(r"^### (.+?)\n\n```sql\n(.+?)\n```", TEXT, re.MULTILINE | re.DOTALL)
README = schema_path("clickhouse").joinpath("README.md").read_text(encoding="utf-8")

EMPTY = {
    "Every event is accounted for: this has no row",
    "Prices of one model, in every book that priced requests in the last day",
    "Requests a second by model, last quarter of an hour",
    "The dashboard line: rate, success and tail latency by model and minute",
    "Requests and tokens a minute (RPM, TPM), the peak of each model today",
}
"""Recipes that may find nothing in the seeded hours, which lie a little in the past."""


@pytest.fixture(scope="module")
def seed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Seed]:
    with seeded_store(tmp_path_factory.mktemp("cookbook")) as seeded:
        yield seeded


def test_no_query_of_the_cookbook_goes_untested() -> None:
    assert len(RECIPES) == TEXT.count("```sql") >= 20


@pytest.mark.parametrize(("title", "query"), RECIPES, ids=[title for title, _ in RECIPES])
def test_a_recipe_answers(seed: Seed, title: str, query: str) -> None:
    rows = seed.rows(query)
    assert rows or title in EMPTY


def test_the_readme_names_every_table_view_and_function(seed: Seed) -> None:
    tables = [row["name"] for row in seed.rows("SHOW TABLES")]
    functions = [
        row["name"]
        for row in seed.rows("SELECT name FROM system.functions WHERE origin = 'SQLUserDefined'")
    ]
    missing = [name for name in tables + functions if f"`{name}" not in README]
    assert missing == []
    assert len(functions) >= 6


def test_the_readme_names_every_column_of_the_views(seed: Seed) -> None:
    columns = {
        row["name"]
        for row in seed.rows(
            "SELECT DISTINCT name FROM system.columns WHERE database = currentDatabase() AND table "
            "IN ('service_1m', 'usage_1m', 'model_1m', 'freshness', 'unpriced_models', "
            "'dead_letters', 'chunk_ledger', 'price_book', 'incidents', 'alerts', 'notifications', "
            "'bills', 'reconciliation')"
        )
    }
    patterns = re.compile(
        r"(queue|ttft|ttfa|prefill|decode|e2e|tpot|itl)_(ms_sum|ms_count|bins|p\d\d_ms)"
    )
    assert sorted(c for c in columns if not patterns.fullmatch(c) and f"`{c}`" not in README) == []
