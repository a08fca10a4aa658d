"""The explorer finds each rule of the protocol missing: a check that never fails would prove nothing."""

from __future__ import annotations

import pytest

from tests.model.explorer import explore
from tests.model.protocol import Protocol
from tests.model.rules import Bounds, Lease, Rules
from tests.model.world import Table

CALM = Bounds(records=2)
LOSING = Bounds(records=2, losses=1)
ANEW = Bounds(records=2, remakes=1)
WITHOUT_INTENT_ROWS = (Table.LOG, Table.ROLLUP, Table.LEDGER)


def trace_of(rules: Rules, bounds: Bounds) -> str:
    """Return the shortest way to a fault, which there must be."""
    found = explore(Protocol(rules, bounds))
    print(f"{rules}\n{bounds}: fault in state {found.states}\n{found.trace}")
    assert found.fault is not None, f"{found.states} states and no fault"
    assert found.trace.endswith(found.fault)
    return found.trace


@pytest.mark.parametrize(
    ("rules", "bounds", "says"),
    [
        pytest.param(Rules(has_fence=False), CALM, "doubles", id="no fence on commits"),
        pytest.param(
            Rules(acknowledges_first=True),
            CALM,
            "acknowledged and not stored",
            id="acknowledged before inserted",
        ),
        pytest.param(Rules(pins_boundaries=False), CALM, "doubles", id="a replay cuts anew"),
        pytest.param(
            Rules(consults_ledger=False), LOSING, "doubles", id="ledger ignored, offsets go back"
        ),
        pytest.param(Rules(has_tokens=False), CALM, "doubles", id="tokens off"),
        pytest.param(
            Rules(commits_intents=False, order=WITHOUT_INTENT_ROWS),
            CALM,
            "doubles",
            id="intents off",
        ),
        pytest.param(
            Rules(order=WITHOUT_INTENT_ROWS),
            LOSING,
            "doubles",
            id="intent not stored, offsets lost with a half-written chunk",
        ),
        pytest.param(
            Rules(order=(Table.LOG, Table.INTENTS, Table.ROLLUP, Table.LEDGER)),
            LOSING,
            "doubles",
            id="intent stored after the first rows",
        ),
        pytest.param(
            Rules(order=(Table.INTENTS, Table.LEDGER, Table.LOG, Table.ROLLUP)),
            CALM,
            "closes records that are not stored",
            id="ledger row not last",
        ),
        pytest.param(
            Rules(token_names_stream=False),
            ANEW,
            "not stored",
            id="token without the identity of the stream",
        ),
        pytest.param(
            Rules(metadata_names_stream=False),
            ANEW,
            "acknowledged and not stored",
            id="group's offset without the identity of the stream",
        ),
        pytest.param(
            Rules(confirms_topic=False),
            ANEW,
            "all work is done and records are not",
            id="topic not confirmed",
        ),
        pytest.param(
            Rules(lease=Lease.NONE, token_window=1),
            CALM,
            "doubles",
            id="no lease, and tokens forgotten",
        ),
        pytest.param(
            Rules(token_window=1), CALM, "doubles", id="an insert later than the window of tokens"
        ),
        pytest.param(
            Rules(lease=Lease.NONE), LOSING, "doubles", id="no lease, and offsets go back"
        ),
        pytest.param(
            Rules(has_fence=False, lease=Lease.NONE),
            CALM,
            "doubles",
            id="two workers with one instance id, both believing themselves owners",
        ),
    ],
)
def test_without_one_of_its_rules_the_protocol_fails(
    rules: Rules, bounds: Bounds, says: str
) -> None:
    assert says in trace_of(rules, bounds)


def test_a_trace_is_a_story_of_steps() -> None:
    story = trace_of(Rules(has_tokens=False), CALM)
    assert "the owner hears nothing of [0-1] in the log" in story
    assert story.splitlines()[0].endswith("log: -  rollup: -  ledger: -")
