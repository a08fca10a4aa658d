"""Values that a cap folded, in a store of their own: an engine keeps to one folder while it is open."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from inferometer.clickhouse.query_store import ClickHouseQueryStore
from inferometer.core.query.plans import OTHER
from inferometer.testing.query_store import MemoryQueryStore
from tests.integration.query.questions import measured_plan
from tests.integration.query_seed import query_seed

if TYPE_CHECKING:
    from collections.abc import Iterable

    from inferometer.core.query.answers import MeasuredRow


def requests_of(rows: Iterable[MeasuredRow]) -> dict[Any, Any]:
    """Return the first measure of each cell."""
    return {(row.window_start, row.group): row.values[0] for row in rows}


def test_what_a_cap_folded_joins_the_rest(tmp_path_factory: pytest.TempPathFactory) -> None:
    with query_seed(tmp_path_factory.mktemp("folded"), caps={"model": 2}) as seeded:
        store = ClickHouseQueryStore(seeded.connection)
        kept = {
            row["model"]
            for row in seeded.connection.reader()
            .query("SELECT DISTINCT model FROM service_1h_rows")
            .named_results()
        }
        assert OTHER in kept
        memory = MemoryQueryStore(
            seeded.rows,
            folded_values={"model": frozenset(row["model"] for row in seeded.rows) - kept},
        )
        for top in (1, 2, 10):
            plan = measured_plan(seeded, group_by=("model",), top=top)
            found, groups = store.measured(plan)
            expected, expected_groups = memory.measured(plan)
            assert groups == expected_groups == 3
            assert requests_of(found) == requests_of(expected)
        assert store.folded()[0]["dimension"] == "model"
