"""What is behind an incident: the store and plain Python say the same of the same rows."""

from __future__ import annotations

import math
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pytest

from inferometer.clickhouse.query_store import ClickHouseQueryStore
from inferometer.core.query.objective_facts import ObjectiveFacts
from inferometer.core.query.questions import Filter, Match, TimeRange
from inferometer.jobs.investigate_incident import Case, InvestigateIncident
from inferometer.testing.query_store import MemoryQueryStore
from tests.integration.query_seed import HOSTILE, query_seed

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.integration.query_seed import QuerySeed

pytestmark = pytest.mark.integration

PLAIN = ObjectiveFacts(name="chat", workspace="acme", service="chat", objective=Decimal("0.9"))
FACTS = {
    "failures": PLAIN,
    "other classes": replace(PLAIN, bad_classes=frozenset({"4xx"}), excluded_classes=frozenset()),
    "slow": replace(PLAIN, duration="ttft", slow_over_ms=200.0),
    "cost": replace(PLAIN, is_about_cost=True),
}
FILTERS: dict[str, tuple[Filter, ...]] = {
    "all": (),
    "hostile users": (Filter("user_id", Match.IS, HOSTILE),),
    "a model": (Filter("model", Match.IS, ("gpt-4o",)),),
}


@pytest.fixture(scope="module")
def seed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[QuerySeed]:
    with query_seed(tmp_path_factory.mktemp("investigation")) as found:
        yield found


def flat(found: Any, place: str = "") -> dict[str, Any]:
    """Return every leaf of an answer under its path."""
    if isinstance(found, dict):
        return {
            k: v for name, each in found.items() for k, v in flat(each, f"{place}/{name}").items()
        }
    if isinstance(found, list):
        return {
            k: v for at, each in enumerate(found) for k, v in flat(each, f"{place}/{at}").items()
        }
    return {place: float(found) if isinstance(found, int | float | Decimal) else found}


def is_same(found: Any, expected: Any) -> bool:
    if isinstance(expected, float):
        return isinstance(found, float) and math.isclose(
            found, expected, rel_tol=1e-12, abs_tol=5e-9
        )
    return bool(found == expected)


@pytest.mark.parametrize("workspace", ["acme", None])
@pytest.mark.parametrize("filters", FILTERS.values(), ids=FILTERS.keys())
@pytest.mark.parametrize("facts", FACTS.values(), ids=FACTS.keys())
def test_the_store_finds_what_plain_python_finds(
    seed: QuerySeed, facts: ObjectiveFacts, filters: tuple[Filter, ...], workspace: str | None
) -> None:
    middle = seed.start + timedelta(hours=30)
    case = Case(
        workspace=workspace,
        facts=facts,
        filters=filters,
        during=TimeRange(middle, middle + timedelta(hours=18)),
        before=TimeRange(seed.start, middle - timedelta(hours=2)),
    )
    found = InvestigateIncident(ClickHouseQueryStore(seed.connection).margins)(case)
    expected = InvestigateIncident(MemoryQueryStore(seed.rows).margins)(case)
    leaves, right = flat(found), flat(expected)
    assert leaves.keys() == right.keys()
    # Sums of floats depend on their order in the last digits.
    off = {place: (leaves[place], right[place]) for place in right
           if not is_same(leaves[place], right[place])}  # fmt: skip
    assert off == {}
    assert found["total"] > 0
    assert found["notes"] == []
