"""State of alerting that cannot be read says what to do, instead of beginning without incidents."""

from __future__ import annotations

import msgspec
import pytest

from inferometer.core.alerts.engine import Alerts
from inferometer.core.alerts.routing import Route
from inferometer.core.slo.board_snapshots import Kept, restored
from inferometer.errors import StateError

LATER = 99


@pytest.mark.parametrize(
    ("kept", "said"),
    [
        pytest.param(Kept(b"\xc1"), "cannot be read", id="a damaged snapshot"),
        pytest.param(Kept(None, b"\xc1"), "cannot be read", id="damaged notices"),
        pytest.param(
            Kept(msgspec.msgpack.encode([LATER, "run", 0, b"", {}, b"", b""])),
            "format 99",
            id="a snapshot of a later release",
        ),
        pytest.param(
            Kept(None, msgspec.msgpack.encode([LATER, b"", b"", []])),
            "format 99",
            id="notices of a later release",
        ),
    ],
)
def test_state_that_cannot_be_read_is_refused(kept: Kept, said: str) -> None:
    with pytest.raises(StateError, match=said):
        restored(
            kept,
            topics=(),
            lanes={},
            new_alerts=lambda state: Alerts((), routes=Route(receiver="oncall"), state=state),
        )


def test_nothing_that_was_kept_is_a_new_board() -> None:
    found = restored(
        Kept(),
        topics=("requests",),
        lanes={},
        new_alerts=lambda state: Alerts((), routes=Route(receiver="oncall"), state=state),
    )
    assert (found.position, found.untold) == (None, ())
    assert found.board.alerts.incidents() == ()
