"""Answers what somebody who was woken asks first: what is broken, since when, for whom, and why.

It says that all is well only where alerts are evaluated and data is fresh; else it says that
nobody knows.
"""

from __future__ import annotations

import threading
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from inferometer.core.cubes import CUBES
from inferometer.core.query.objective_facts import ObjectiveFacts, group_filters
from inferometer.core.query.questions import TimeRange
from inferometer.errors import PipelineError
from inferometer.jobs.investigate_incident import WHERE, Case, InvestigateIncident

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from inferometer.core.query.answers import Freshness
    from inferometer.core.query.margins import Margins, MarginsPlan
    from inferometer.jobs.answer_alerts import AnswerAlerts

Row = dict[str, Any]
INVESTIGATED = 3
"""The worst incidents; who has more to look at begins with these."""
KEPT_FOR = timedelta(seconds=30)
"""An investigation reads hours of the log, and a screen asks every few seconds."""
LOOKS_BACK = timedelta(hours=24)
LONGEST_SPAN = timedelta(hours=2)
"""What happens now matters at night, not what happened this morning."""
SHORTEST_BEFORE = timedelta(hours=1)
LONGEST_LEAD_S = 1800
LONGEST_GAP_S = 6 * 3600
DEFAULT_LEAD_S = 300
MINUTE = timedelta(minutes=1)
STALE_AFTER = timedelta(minutes=5)
GROUP_DIMENSIONS = frozenset(WHERE) | {each.name for cube in CUBES for each in cube.dimensions}
_OPENING = ("firing", "reopened", "escalated", "rule_fired")
_RANK = {"page": 0, "ticket": 1}


@dataclass(frozen=True, slots=True)
class _Kept:
    at: datetime
    found: Row


class AnswerOncall:
    """The night screen; blocks, safe to call from several threads. Raises StoreError."""

    def __init__(
        self,
        *,
        alerts: AnswerAlerts,
        margins: Callable[[MarginsPlan], Margins],
        freshness: Callable[[], Freshness],
        clock: Callable[[], datetime],
    ) -> None:
        self._alerts = alerts
        self._investigate = InvestigateIncident(margins)
        self._freshness = freshness
        self._clock = clock
        self._kept: dict[tuple[str | None, str], _Kept] = {}
        self._lock = threading.Lock()

    def now(self, workspace: str | None, zone: str = "UTC") -> Row:
        """Return the state, the open incidents with what is behind them, and what ended lately."""
        at = self._clock()
        problems: list[str] = []
        status = self._status(workspace, problems)
        rows = self._alerts.incidents(
            workspace, since=at - LOOKS_BACK, until=at + timedelta(days=1)
        )["rows"]
        is_open = [row for row in rows if row["is_open"]]
        is_open.sort(key=_urgency)
        happened = self._alerts.transitions([row["incident_id"] for row in is_open])
        standing = {row["incident_id"]: row for row in status["rows"] if row["incident_id"]}
        incidents = [
            _incident(row, [each for each in happened if each["incident_id"] == row["incident_id"]],
                      standing.get(row["incident_id"]), at)
            for row in is_open
        ]  # fmt: skip
        for incident in incidents[:INVESTIGATED]:
            incident["behind"] = self._behind(workspace, incident, at, zone)
        freshness = self._fresh(at)
        return {
            "as_of": at,
            "state": _state(incidents, freshness, status),
            "is_configured": status["is_configured"],
            "reason": status["reason"],
            "problems": problems,
            "freshness": freshness,
            "incidents": incidents,
            "resolved": [row for row in rows if not row["is_open"]][:10],
            "objectives": _tally(status["rows"]),
        }

    def _status(self, workspace: str | None, problems: list[str]) -> Row:
        try:
            return self._alerts.status(workspace)
        except PipelineError as error:
            problems.append(f"how objectives stand cannot be told: {error}")
            return {"is_configured": True, "reason": "", "rows": [], "as_of": None}

    def _fresh(self, at: datetime) -> Row:
        found = self._freshness()
        lag = None if found.watermark is None else at - found.watermark
        return {
            "watermark": found.watermark,
            "lag_s": None if lag is None else lag.total_seconds(),
            "is_stale": lag is None or lag > STALE_AFTER,
        }

    def _behind(self, workspace: str | None, incident: Row, at: datetime, zone: str) -> Row | None:
        key = (workspace, incident["incident_id"])
        with self._lock:
            kept = self._kept.get(key)
        if kept is not None and timedelta(0) <= at - kept.at < KEPT_FOR:
            return kept.found
        facts = self._alerts.facts(incident)
        case = case_of(incident, facts, workspace=workspace, at=at, zone=zone)
        if case is None:
            return None
        found = self._investigate(case)
        if facts is None:
            found["notes"].append(
                f"{incident['slo']} is not declared here, so failures by status are looked at"
            )
        with self._lock:
            self._kept = {k: v for k, v in self._kept.items() if at - v.at < KEPT_FOR}
            self._kept[key] = _Kept(at, found)
        return found


def case_of(
    incident: Row, facts: ObjectiveFacts | None, *, workspace: str | None, at: datetime, zone: str
) -> Case | None:
    """Return what to look into; None where no requests are to blame, as for the pipeline itself."""
    if incident["family"] == "system" or (facts is not None and facts.metric):
        return None
    labels, lead_s, gap_s = incident["labels"], incident["lead_s"], incident["gap_s"]
    begun = incident["starts_at"] or incident["detected_at"]
    end = incident["cleared_at"] or at
    start = max(begun - timedelta(seconds=lead_s), end - LONGEST_SPAN)
    # Whole minutes, so that roll-ups can answer.
    start, end = _minute(start), _minute(end) + MINUTE
    length = max(end - start, SHORTEST_BEFORE)
    # What made it fire began up to a long window earlier; before that it was well.
    until = _minute(begun - timedelta(seconds=max(lead_s, gap_s)))
    facts = facts or ObjectiveFacts(
        name=incident["slo"], workspace=labels.get("workspace", ""), service=incident["service"],
        is_about_cost=incident["family"] == "cost",
    )  # fmt: skip
    return Case(
        workspace=workspace or labels.get("workspace") or None,
        facts=facts,
        filters=(*facts.filters, *group_filters(labels, GROUP_DIMENSIONS - {"workspace_id"})),
        during=TimeRange(start, end, zone),
        before=TimeRange(until - length, until, zone),
    )


def _minute(at: datetime) -> datetime:
    return at.replace(second=0, microsecond=0)


def _incident(row: Row, happened: Sequence[Row], standing: Row | None, at: datetime) -> Row:
    """Return an incident with the numbers that fired and where it stands."""
    numbers: dict[str, Row] = {}
    cleared_at: datetime | None = None
    for each in happened:
        if each["kind"] in _OPENING:
            cleared_at = None
            for facts in each["conditions"]:
                if facts["is_true"]:
                    numbers[facts["rule"]] = dict(facts)
        elif each["kind"] == "cleared":
            cleared_at = each["at"]
    shorts = [facts["short_s"] for facts in numbers.values() if facts["short_s"]]
    longs = [facts["long_s"] for facts in numbers.values() if facts["long_s"]]
    begun = row["starts_at"] or row["detected_at"]
    return {
        **row,
        "age_s": max(0.0, (at - begun).total_seconds()),
        "cleared_at": cleared_at,
        "lead_s": min(min(shorts, default=DEFAULT_LEAD_S), LONGEST_LEAD_S),
        "gap_s": min(min(longs, default=0), LONGEST_GAP_S),
        "numbers": list(numbers.values()),
        "burn": None if standing is None else standing["burn"],
        "budget_left": None if standing is None else standing["budget_left"],
        "exhausts_in_s": None if standing is None else standing["exhausts_in_s"],
        "behind": None,
    }


def _urgency(row: Row) -> tuple[bool, int, float, str]:
    begun = row["starts_at"] or row["detected_at"]
    is_muted = bool(row["silenced_by"])
    return is_muted, _RANK.get(row["severity"], 2), -begun.timestamp(), row["incident_id"]


def _state(incidents: Sequence[Row], freshness: Row, status: Row) -> str:
    """Return `page`, `ticket`, `silenced`, `unknown` or `quiet`: the worst that holds."""
    loud = {row["severity"] for row in incidents if not row["silenced_by"]}
    if loud:
        return "page" if "page" in loud else "ticket"
    if freshness["is_stale"] or not status["is_configured"]:
        return "unknown"
    return "silenced" if incidents else "quiet"


def _tally(rows: Sequence[Row]) -> Row:
    """Return how many groups of objectives are in each state, and the least budget left."""
    states: dict[str, int] = {}
    for row in rows:
        states[row["state"]] = states.get(row["state"], 0) + 1
    left = [row["budget_left"] for row in rows if row["budget_left"] is not None]
    return {"groups": len(rows), "states": states, "least_budget_left": min(left, default=None)}
