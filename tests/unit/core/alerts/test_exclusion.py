"""Maintenance windows that exclude: their events burn no budget, all others do."""

from __future__ import annotations

import numpy as np
import pytest

from inferometer.core.alerts.conditions import Condition
from inferometer.core.alerts.maintenance import Effect, Maintenance
from inferometer.core.alerts.matchers import Matcher
from inferometer.core.alerts.mute_book import MuteBook
from inferometer.core.slo.counting import CountTable
from inferometer.core.slo.slo_lane import SloLane
from tests.unit.jobs.alert_pipeline import START_S, chat_slo

S = 1_000_000
CELLS = 12
"""Two minutes, the second of which is maintained."""
MIDDLE_S = START_S + 60


def counts() -> CountTable:
    """Return ten requests each ten seconds, all failing in the second minute."""
    cells = START_S + 10 * np.arange(CELLS, dtype=np.int64)
    bad = np.where(cells >= MIDDLE_S, 10, 0).astype(np.int64)
    return CountTable(
        name="chat-success",
        digest="",
        groups=(("m",),),
        group=np.zeros(CELLS, dtype=np.int32),
        cells_s=cells,
        columns={
            "total": np.full(CELLS, 10, dtype=np.int64),
            "bad": bad,
            "principal_low": np.zeros(CELLS, dtype=np.int64),
            "principal_high": np.full(CELLS, 1, dtype=np.int64),
        },
    )


def window(effect: Effect, model: str = "m") -> Maintenance:
    return Maintenance(
        id="w",
        matchers=(Matcher("slo", "chat-success"), Matcher("model", model)),
        effect=effect,
        reason="upgrade",
        created_by="ci",
        updated_at_us=START_S * S,
        starts_at_us=MIDDLE_S * S,
        ends_at_us=(MIDDLE_S + 600) * S,
    )


@pytest.mark.parametrize(
    ("effect", "model", "excluded", "condition"),
    [
        (Effect.BOTH, "m", 60, Condition.FALSE),
        (Effect.EXCLUDE_FROM_BUDGET, "m", 60, Condition.FALSE),
        (Effect.MUTE, "m", 0, Condition.TRUE),
        (Effect.BOTH, "other", 0, Condition.TRUE),
    ],
)
def test_only_a_window_that_excludes_keeps_its_events_from_the_budget(
    effect: Effect, model: str, excluded: int, condition: Condition
) -> None:
    lane = SloLane(chat_slo())
    lane.add(counts(), MuteBook([window(effect, model)]).excluded_by)
    assert lane.excluded == excluded
    subject = lane.definition.subject(("m",))
    (seen,) = lane.observe(START_S + 120, [subject])
    readings = {reading.rule: reading for reading in seen.readings}
    assert readings["page-fast"].condition is condition
