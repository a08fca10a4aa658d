"""Rows of the store's tables from what happened to incidents and notices.

Invariant: equal records make equal rows, so that a record that is read twice is kept once.
"""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import pyarrow as pa

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from inferometer.core.alerts.history import TransitionRecord
    from inferometer.core.alerts.ledger import AttemptRecord
    from inferometer.core.alerts.notices import ConditionFacts, WindowFacts

_INSTANT = pa.timestamp("us", "UTC")
_LABELS = pa.map_(pa.string(), pa.string())
_WINDOW = (("s", pa.uint32()), ("burn", pa.float64()), ("bad", pa.uint64()), ("total", pa.uint64()))
_CONDITION = pa.struct(
    [
        ("rule", pa.string()),
        ("severity", pa.string()),
        ("is_true", pa.bool_()),
        ("threshold", pa.float64()),
        *((f"{side}_{name}", kind) for side in ("long", "short") for name, kind in _WINDOW),
        ("p_value", pa.float64()),
        ("value", pa.float64()),
        ("unit", pa.string()),
    ]
)
_DRIVER = pa.struct([("dimension", pa.string()), ("value", pa.string()), ("share", pa.float64())])

_ALERTS: dict[str, tuple[pa.DataType, Callable[[TransitionRecord], Any]]] = {
    "workspace_id": (pa.string(), lambda each: each.labels.get("workspace", "")),
    "service": (pa.string(), lambda each: each.labels.get("service", "")),
    "slo": (pa.string(), lambda each: each.labels.get("slo", "")),
    "at": (_INSTANT, lambda each: each.at_us),
    "transition_id": (pa.string(), lambda each: each.transition_id),
    "incident_id": (pa.string(), lambda each: each.incident_id),
    "fingerprint": (pa.string(), lambda each: each.fingerprint),
    "family": (pa.string(), lambda each: str(each.family)),
    "kind": (pa.string(), lambda each: str(each.kind)),
    "rule": (pa.string(), lambda each: each.rule),
    "reason": (pa.string(), lambda each: each.reason),
    "severity": (pa.string(), lambda each: str(each.severity)),
    "episode": (pa.uint32(), lambda each: each.episode),
    "starts_at": (_INSTANT, lambda each: each.starts_at_us),
    "labels": (_LABELS, lambda each: sorted(each.labels.items())),
    "conditions": (
        pa.list_(_CONDITION),
        lambda each: [_condition(facts) for facts in each.conditions],
    ),
    "suppressed_by": (pa.list_(pa.string()), lambda each: list(each.suppressed_by)),
    "is_flapping": (pa.bool_(), lambda each: each.is_flapping),
}

_NOTIFICATIONS: dict[str, tuple[pa.DataType, Callable[[AttemptRecord], Any]]] = {
    "incident_id": (pa.string(), lambda each: each.incident_id),
    "notification_id": (pa.string(), lambda each: each.notification_id),
    "attempt": (pa.uint32(), lambda each: each.attempt),
    "at": (_INSTANT, lambda each: each.at_us),
    "receiver": (pa.string(), lambda each: each.receiver),
    "format": (pa.string(), lambda each: each.format),
    "transition": (pa.string(), lambda each: each.transition),
    "severity": (pa.string(), lambda each: each.severity),
    "outcome": (pa.string(), lambda each: each.outcome),
    "http_status": (pa.uint16(), lambda each: each.http_status),
    "duration_ms": (pa.uint32(), lambda each: each.duration_ms),
    "error": (pa.string(), lambda each: each.error),
    "next_at": (_INSTANT, lambda each: each.next_at_us),
    "drivers": (pa.list_(_DRIVER), lambda each: [asdict(one) for one in each.drivers]),
}


def alert_rows(records: Sequence[TransitionRecord]) -> pa.Table:
    """Return the rows of `alerts_rows`, one a record."""
    return _table(_ALERTS, records)


def notification_rows(records: Sequence[AttemptRecord]) -> pa.Table:
    """Return the rows of `notifications_rows`, one a record."""
    return _table(_NOTIFICATIONS, records)


def _table(
    columns: dict[str, tuple[pa.DataType, Callable[[Any], Any]]], records: Sequence[Any]
) -> pa.Table:
    return pa.table(
        {
            name: pa.array([read(record) for record in records], kind)
            for name, (kind, read) in columns.items()
        }
    )


def _condition(facts: ConditionFacts) -> dict[str, Any]:
    return {
        "rule": facts.rule,
        "severity": str(facts.severity),
        "is_true": facts.is_true,
        "threshold": facts.threshold,
        **_window("long", facts.long),
        **_window("short", facts.short),
        "p_value": facts.p_value,
        "value": facts.value,
        "unit": facts.unit,
    }


def _window(side: str, facts: WindowFacts | None) -> dict[str, Any]:
    if facts is None:
        return {f"{side}_s": 0, f"{side}_burn": 0.0, f"{side}_bad": 0, f"{side}_total": 0}
    return {
        f"{side}_s": facts.window_s,
        f"{side}_burn": facts.burn,
        f"{side}_bad": facts.bad,
        f"{side}_total": facts.total,
    }
