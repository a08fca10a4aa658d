"""What alerts would have recorded of the data set: the outage, resolved, and the limit, open."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from inferometer.core.alerts.history import RecordKind, TransitionRecord
from inferometer.core.alerts.ledger import AttemptRecord
from inferometer.core.alerts.notices import ConditionFacts, Driver, Family, WindowFacts
from inferometer.core.slo.definitions import Severity
from tests.browser.data_set import LIMITED_MODEL, OUTAGE_MODEL, OUTAGE_NODE

if TYPE_CHECKING:
    from tests.browser.data_set import DataSet

SECOND_US = 1_000_000
OUTAGE_INCIDENT = "inc-outage"
LIMIT_INCIDENT = "inc-limit"
SLO = "chat-success"
DRIVERS = (
    Driver(dimension="error_type", value="model_overloaded", share=0.96),
    Driver(dimension="node_id", value=OUTAGE_NODE, share=0.613),
)


def alert_records(data_set: DataSet) -> tuple[list[TransitionRecord], list[AttemptRecord]]:
    """Return every transition and every attempt to tell somebody."""
    begin, end = data_set.outage
    limited = data_set.limited_since_us
    transitions = [
        _happened(OUTAGE_INCIDENT, OUTAGE_MODEL, begin, RecordKind.RULE_FIRED, 110,
                  rule="page-fast", conditions=(_facts(15.1),)),
        _happened(OUTAGE_INCIDENT, OUTAGE_MODEL, begin, RecordKind.FIRING, 110,
                  conditions=(_facts(15.1),)),
        _happened(OUTAGE_INCIDENT, OUTAGE_MODEL, begin, RecordKind.CLEARED,
                  (end - begin) // SECOND_US + 120),
        _happened(OUTAGE_INCIDENT, OUTAGE_MODEL, begin, RecordKind.RESOLVED,
                  (end - begin) // SECOND_US + 420, reason="cleared"),
        _happened(LIMIT_INCIDENT, LIMITED_MODEL, limited, RecordKind.RULE_FIRED, 70,
                  rule="page-fast", conditions=(_facts(31.4),)),
        _happened(LIMIT_INCIDENT, LIMITED_MODEL, limited, RecordKind.FIRING, 70,
                  conditions=(_facts(31.4),)),
    ]  # fmt: skip
    attempts = [
        _told(OUTAGE_INCIDENT, "firing", 1, begin + 111 * SECOND_US, "retry", 503),
        _told(OUTAGE_INCIDENT, "firing", 2, begin + 116 * SECOND_US, "delivered", 204),
        _told(OUTAGE_INCIDENT, "resolved", 1, end + 421 * SECOND_US, "delivered", 204),
        _told(LIMIT_INCIDENT, "firing", 1, limited + 71 * SECOND_US, "delivered", 204),
    ]
    return transitions, attempts


def _facts(burn: float) -> ConditionFacts:
    return ConditionFacts(
        rule="page-fast",
        severity=Severity.PAGE,
        is_true=True,
        threshold=14.4,
        long=WindowFacts(window_s=3600, burn=burn, bad=151, total=10_021),
        short=WindowFacts(window_s=300, burn=12 * burn, bad=150, total=829),
        p_value=1e-12,
    )


def _happened(
    incident: str, model: str, since_us: int, kind: RecordKind, after_s: int, **changes: Any
) -> TransitionRecord:
    return TransitionRecord(
        transition_id=f"{incident}-{kind}",
        incident_id=incident,
        fingerprint=f"of-{incident}",
        family=Family.SLO,
        kind=kind,
        at_us=since_us + after_s * SECOND_US,
        severity=Severity.PAGE,
        episode=1,
        starts_at_us=since_us + 60 * SECOND_US,
        labels={"workspace": "acme", "service": "chat", "slo": SLO, "model": model},
        **changes,
    )


def _told(
    incident: str, transition: str, attempt: int, at_us: int, outcome: str, status: int
) -> AttemptRecord:
    return AttemptRecord(
        notification_id=f"msg_{incident}_{transition}",
        incident_id=incident,
        receiver="oncall",
        format="standard",
        transition=transition,
        severity="page",
        attempt=attempt,
        at_us=at_us,
        outcome=outcome,
        http_status=status,
        duration_ms=12,
        error="" if outcome == "delivered" else "HTTP 503",
        next_at_us=at_us + 5 * SECOND_US if outcome == "retry" else None,
        drivers=DRIVERS if transition == "firing" else (),
    )
