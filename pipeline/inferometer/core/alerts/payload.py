"""What a notice says, before any product's format: its data, its texts and its labels.

Invariants: the data are JSON values without NaN or infinity; what is money is text, since JSON's
numbers are binary; a text never holds more than its limit.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from inferometer.core.alerts.condition_payload import (
    condition_data,
    condition_text,
    duration,
    finite,
    rough_duration,
)
from inferometer.core.alerts.notices import Family, Notice, Status, Transition
from inferometer.core.slo.definitions import Severity

if TYPE_CHECKING:
    from collections.abc import Mapping

    from inferometer.core.alerts.notices import BudgetFacts

SCHEMA = "1"
SECOND_US = 1_000_000
ALERTMANAGER_GROUP = ("workspace", "service", "slo")


def instant(at_us: int | None) -> str | None:
    """Return an instant as RFC 3339 in UTC, in seconds where it is whole."""
    if at_us is None:
        return None
    seconds, micros = divmod(at_us, SECOND_US)
    text = datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%S")
    return f"{text}.{micros:06}Z" if micros else f"{text}Z"


def happened_at_us(notice: Notice) -> int:
    """Return the instant that the notice is about, in event time."""
    if notice.status is Status.RESOLVED and notice.resolved_at_us is not None:
        return notice.resolved_at_us
    return notice.detected_at_us


def notice_data(notice: Notice) -> dict[str, Any]:
    """Return the `data` of the standard format."""
    return {
        "schema": SCHEMA,
        "incident_id": notice.incident_id,
        "seq": notice.seq,
        "episode": notice.episode,
        "severity": str(notice.severity),
        "status": str(notice.status),
        "reason": notice.reason,
        "fingerprint": notice.fingerprint,
        "summary": summary(notice),
        "labels": dict(notice.labels),
        "annotations": dict(notice.annotations),
        "starts_at": instant(notice.starts_at_us),
        "detected_at": instant(notice.detected_at_us),
        "condition_cleared_at": instant(notice.condition_cleared_at_us),
        "resolved_at": instant(notice.resolved_at_us),
        **_budget(notice.family, notice.budget),
        "conditions": [condition_data(one) for one in notice.conditions],
        "drivers": [
            {"dim": one.dimension, "value": one.value, "share": finite(one.share)}
            for one in notice.drivers
        ],
        "members": notice.stands_for,
        "member_labels": [dict(one) for one in notice.members],
        "suppressed": list(notice.suppressed),
        "detected_late": notice.is_detected_late,
        "flapping": notice.is_flapping,
        "links": dict(notice.links),
        "details": _json(dict(notice.details)),
    }


def _budget(family: Family, budget: BudgetFacts | None) -> dict[str, Any]:
    if budget is None:
        return {}
    shared = {
        "period": duration(budget.period_s),
        "budget_remaining": finite(budget.remaining),
        "exhausts_in_s": budget.exhausts_in_s,
    }
    if family is Family.COST:
        return {"budget": {"amount_usd": str(budget.target), **shared}}
    return {"slo": {"target": float(budget.target), **shared}}


def _json(value: Any) -> Any:
    """Return a value as JSON can hold it: other types become text."""
    match value:
        case dict():
            return {str(name): _json(one) for name, one in value.items()}
        case list() | tuple():
            return [_json(one) for one in value]
        case float():
            return finite(value)
        case None | bool() | int() | str():
            return value
        case _:
            return str(value)


def summary(notice: Notice) -> str:
    """Return one line: what happened, to what, since when it matters."""
    word = {
        Transition.TEST: "TEST",
        Transition.RESOLVED: "RESOLVED",
        Transition.ESCALATED: "ESCALATED",
    }.get(notice.transition, str(notice.severity).upper())
    return f"[{word}] {_title(notice)}{_because(notice)}"


def _title(notice: Notice) -> str:
    """Return what it is about, without the rules: their numbers follow."""
    title = notice.annotations.get("summary") or _subject(notice.labels)
    rules = notice.details.get("rules")
    named = f": {', '.join(map(str, rules))}" if isinstance(rules, list | tuple) else ""
    return title.removesuffix(named) if named else title


def _subject(labels: Mapping[str, str]) -> str:
    head = [labels[name] for name in ALERTMANAGER_GROUP if labels.get(name)]
    rest = [f"{n}={v}" for n, v in sorted(labels.items()) if n not in ALERTMANAGER_GROUP and v]
    return " ".join(filter(None, ["/".join(head), ", ".join(rest)])) or "alert"


def _because(notice: Notice) -> str:
    if notice.transition is Transition.TEST:
        return ": test notice, nothing is wrong"
    if notice.stands_for > 1:
        return f": {notice.stands_for} incidents"
    if notice.status is Status.RESOLVED:
        until = notice.condition_cleared_at_us or notice.resolved_at_us or notice.detected_at_us
        spell_s = max(0, until - notice.starts_at_us) // SECOND_US
        return f": over after {rough_duration(spell_s)}"
    true = [facts for facts in notice.conditions if facts.is_true]
    return f": {condition_text(true[0])}" if true else ""


def lines(notice: Notice) -> list[str]:
    """Return the long text, one fact a line."""
    found = [notice.annotations["description"]] if notice.annotations.get("description") else []
    found += [condition_text(facts) for facts in notice.conditions if facts.is_true]
    if notice.budget is not None:
        found.append(_budget_text(notice.family, notice.budget))
    if notice.drivers:
        parts = [
            f"{d.dimension} {d.value} {d.share:.0%}".replace("  ", " ") for d in notice.drivers
        ]
        found.append(f"Drivers: {', '.join(parts)}")
    found += [f"{name}: {value}" for name, value in _people(notice.annotations)]
    if notice.is_detected_late:
        found.append("Detected late: it was over, or long under way, when it became known.")
    if notice.is_flapping:
        found.append("Flapping: it is held open longer than usual.")
    if notice.suppressed:
        found.append(f"Muted by it: {', '.join(notice.suppressed)}")
    return found


def _people(annotations: Mapping[str, str]) -> list[tuple[str, str]]:
    names = {"owner": "Owner", "cost_responder": "Cost responder"}
    return [(names[name], annotations[name]) for name in names if annotations.get(name)]


def _budget_text(family: Family, budget: BudgetFacts) -> str:
    what = f"${budget.target}" if family is Family.COST else f"objective {budget.target}"
    text = f"Budget: {budget.remaining:.1%} left of {duration(budget.period_s)} ({what})"
    if budget.exhausts_in_s is not None:
        text += f", gone in {rough_duration(budget.exhausts_in_s)} at this rate"
    return text


def shortened(text: str, limit: int) -> str:
    """Return a text of at most so many characters; what was cut shows as an ellipsis."""
    return text if len(text) <= limit else f"{text[: limit - 1]}…"


def severity_word(notice: Notice) -> str:
    """Return the severity as PagerDuty names it."""
    if notice.transition is Transition.TEST:
        return "info"
    return "critical" if notice.severity is Severity.PAGE else "warning"
