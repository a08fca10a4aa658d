"""One page as its records: fired, cleared, resolved, and told at the second try."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

from inferometer.core.alerts.history import RecordKind, TransitionRecord
from inferometer.core.alerts.ledger import AttemptRecord
from inferometer.core.alerts.notices import ConditionFacts, Driver, Family, WindowFacts
from inferometer.core.slo.definitions import Severity

START = datetime.now(tz=UTC).replace(minute=0, second=0, microsecond=0) - timedelta(hours=5)
LABELS = {"workspace": "acme", "service": "chat", "slo": "chat-success", "model": "m-large"}
FACTS = ConditionFacts(
    rule="page-fast",
    severity=Severity.PAGE,
    is_true=True,
    threshold=14.4,
    long=WindowFacts(window_s=3600, burn=15.1, bad=151, total=10_021),
    short=WindowFacts(window_s=300, burn=181.0, bad=150, total=829),
    p_value=1e-12,
)


def us(after_s: float) -> int:
    return round((START.timestamp() + after_s) * 1e6)


def happened(number: int, kind: RecordKind, after_s: float, **changes: Any) -> TransitionRecord:
    record = TransitionRecord(
        transition_id=f"t{number}", incident_id="q7c", fingerprint="9f86", family=Family.SLO,
        kind=kind, at_us=us(after_s), severity=Severity.PAGE, episode=1, starts_at_us=us(60),
        labels=LABELS,
    )  # fmt: skip
    return replace(record, **changes)


HISTORY = [
    happened(1, RecordKind.RULE_FIRED, 110, rule="page-fast", conditions=(FACTS,)),
    happened(2, RecordKind.FIRING, 110, conditions=(FACTS,)),
    happened(3, RecordKind.CLEARED, 900),
    happened(4, RecordKind.RESOLVED, 1200, reason="cleared"),
]
DRIVERS = (
    Driver(dimension="error_type", value="timeout", share=0.92),
    Driver(dimension="model", value="m-large", share=0.8),
)
ATTEMPTS = [
    AttemptRecord(
        notification_id=f"msg_{transition}", incident_id="q7c", receiver="oncall",
        format="standard", transition=transition, severity="page", attempt=attempt, at_us=us(after_s),
        outcome=outcome, http_status=status, duration_ms=12, error="", next_at_us=next_at,
        drivers=DRIVERS if transition == "firing" else (),
    )
    for transition, attempt, after_s, outcome, status, next_at in [
        ("firing", 1, 111, "retry", 503, us(116)),
        ("firing", 2, 116, "delivered", 204, None),
        ("resolved", 1, 1201, "delivered", 204, None),
    ]
]  # fmt: skip
