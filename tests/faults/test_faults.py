"""The fault harness, short: nothing is lost or doubled; and without the protocol it tells."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from tests.faults import report
from tests.faults.run import Outcome, run
from tests.faults.scene import Plan
from tests.faults.schedule import HALF_STORED, SHORT, Kind
from tests.faults.store_proxy import Spoil

pytestmark = [
    pytest.mark.integration,
    pytest.mark.usefixtures("kafka_packages"),
    # Connections die by design here, with what waited in them.
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
    pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning"),
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
]

SEED = 11
FULL = Plan(seed=SEED, events=300_000, minutes=2.5, mix=SHORT)
BRIEF = Plan(seed=SEED, events=10_000, minutes=0.4, mix=HALF_STORED, workers=3, step_wait_s=120.0)


def ran(plan: Plan, folder: Path) -> Outcome:
    outcome = run(plan, folder, print)
    print(report.json_line(outcome))
    return outcome


def test_nothing_is_lost_or_doubled_whatever_dies(tmp_path: Path) -> None:
    outcome = ran(FULL, tmp_path)
    assert not outcome.problems
    off = {each.name: each.examples for each in outcome.verdicts if not each.is_exact}
    assert not off, json.dumps(off, indent=1)
    assert outcome.audit.get("ok"), outcome.audit
    # That all of it took place, and mattered.
    effects = outcome.effects
    assert {kind for kind in Kind if outcome.injected[kind.value]} == set(Kind)
    assert set(effects.spoiled) == {spoil.value for spoil in Spoil}
    assert effects.kills_with_open_chunk >= 0.3 * effects.kills
    assert effects.open_at_take_over
    assert effects.inserts_repeated
    assert effects.tokens_met
    assert min(outcome.sent[name] for name in ("envelopes", "repeats", "poison", "late")) > 0


@pytest.mark.parametrize("part", ["intents", "tokens"])
def test_without_a_part_of_the_protocol_the_harness_tells(part: str, tmp_path: Path) -> None:
    outcome = ran(replace(BRIEF, without=part), tmp_path)
    assert outcome.injected[Kind.STEP.value] > 0
    assert outcome.lost + outcome.doubled > 0
