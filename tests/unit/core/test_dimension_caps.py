from __future__ import annotations

from dataclasses import fields

import pytest

from inferometer.config import CardinalityConfig
from inferometer.core.chunks import GroupMetadata, Intent, PartitionSpan
from inferometer.core.cubes import CUBES, DimensionKind
from inferometer.core.dimension_caps import (
    CAPPED_DIMENSIONS,
    DEFAULT_CAPS,
    OTHER,
    CapPolicy,
    month_of,
)
from inferometer.core.events import InferenceRequest
from inferometer.errors import StateError
from inferometer.jobs.seen_events import MAX_SPANS_ELSEWHERE

MAX_METADATA_BYTES = 4096
CLOSED = {"model_type", "deployment_type", "traffic_class", "status_class"}


def test_every_dimension_that_is_no_closed_list_has_a_cap_and_a_setting() -> None:
    names = {d.name for cube in CUBES for d in cube.dimensions if d.kind is DimensionKind.CODE}
    assert set(CAPPED_DIMENSIONS) == names - CLOSED
    settings = {setting.name: setting.default for setting in fields(CardinalityConfig)}
    assert settings == DEFAULT_CAPS


def test_closed_lists_are_closed_by_the_contract() -> None:
    schema = InferenceRequest.model_json_schema()["properties"]
    assert all("enum" in schema[name] for name in CLOSED - {"status_class"})


def test_a_hundred_thousand_users_and_ten_thousand_teams_are_counted_apart() -> None:
    assert CapPolicy().of("user_id") == 100_000
    assert CapPolicy().of("team_id") == 10_000


def test_a_policy_by_name_changes_what_it_names() -> None:
    policy = CapPolicy.by_name({"user_id": 7})
    assert policy.of("user_id") == 7
    assert policy.of("model") == DEFAULT_CAPS["model"]
    assert CapPolicy.pinned(policy.caps) == policy


def test_an_intent_without_caps_has_the_defaults() -> None:
    assert CapPolicy.pinned(()) == CapPolicy()


@pytest.mark.parametrize("caps", [(1, 2), (0,) * len(CAPPED_DIMENSIONS)], ids=["number", "zero"])
def test_caps_that_fit_no_dimensions_are_refused(caps: tuple[int, ...]) -> None:
    with pytest.raises(StateError, match="user_id"):
        CapPolicy.pinned(caps)


def test_the_largest_intent_fits_into_what_a_broker_keeps_beside_an_offset() -> None:
    far = 10**12
    intent = Intent(
        first_offset=far,
        last_offset=far,
        decided_at_us=10**16,
        dedupe_floor=far,
        price_version="genai-prices 0.0.40 + prices.yaml 0123456789abcdef",
        cubes_version="1",
        partition_count=999,
        elsewhere=(PartitionSpan(999, 10**10, 10**10),) * MAX_SPANS_ELSEWHERE,
        caps=(10_000_000,) * len(CAPPED_DIMENSIONS),
    )
    text = GroupMetadata("A" * 22, intent).to_text()
    assert len(text) <= MAX_METADATA_BYTES
    assert GroupMetadata.from_text(text) == GroupMetadata("A" * 22, intent)


@pytest.mark.parametrize(
    ("instant_us", "month"),
    [
        (1_764_547_199_999_999, "2025-11-01"),
        (1_764_547_200_000_000, "2025-12-01"),
        (0, "1970-01-01"),
    ],
)
def test_a_month_begins_at_midnight_utc(instant_us: int, month: str) -> None:
    assert month_of(instant_us).isoformat() == month


def test_the_mark_of_folded_values_is_part_of_the_sql_surface() -> None:
    assert OTHER == "__other__"
