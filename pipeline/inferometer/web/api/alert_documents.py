"""Answers about alerts as documents. Rows have the names of the store's views; more may be added."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

from inferometer.web.api.documents import Amount, Document


class OpenDocument(BaseModel):
    """A JSON object that may have more members than these."""

    model_config = ConfigDict(extra="allow")


class StandingRow(OpenDocument):
    """How one group of an objective, budget or rule stands."""

    workspace: str
    service: str
    slo: str
    group: dict[str, str]
    state: str = Field(description="ok, firing, stale, resolved or no data")
    severity: str
    incident_id: str
    burn: Amount = Field(
        description="over the long window of the rule that fires, or else the first"
    )
    budget_left: Amount = Field(description="the share of the budget that is left")
    exhausts_in_s: Amount
    true_rules: list[str]
    suppressed_by: list[str] = Field(
        description="while it fires: silences, maintenance windows and incidents that mute it"
    )
    at: datetime


class StatusDocument(Document):
    """How every group of every objective stands."""

    is_configured: bool
    reason: str
    rows: list[StandingRow]
    as_of: datetime | None


class IncidentRow(OpenDocument):
    """One incident: a row of the view `incidents`, and what is declared of its objective."""

    incident_id: str
    workspace_id: str
    service: str
    slo: str
    family: str
    labels: dict[str, str]
    severity: str
    starts_at: datetime | None
    detected_at: datetime
    resolved_at: datetime | None
    is_open: bool
    silenced_by: list[str]


class IncidentsDocument(Document):
    """Incidents of a span, the latest first."""

    rows: list[IncidentRow]


class IncidentDocument(Document):
    """One incident, what happened to it, and who was told."""

    incident: IncidentRow
    transitions: list[dict[str, Any]]
    notifications: list[dict[str, Any]]


class NotificationsDocument(Document):
    """Attempts to tell somebody, the latest first."""

    rows: list[dict[str, Any]]


class MatcherDocument(Document):
    """A condition on a label, as Alertmanager has it."""

    name: str = Field(min_length=1, max_length=256)
    value: str = Field(max_length=4096)
    isRegex: bool = False  # noqa: N815 - Alertmanager's names
    isEqual: bool = True  # noqa: N815


class SilenceRow(OpenDocument):
    """A silence, with Alertmanager's names."""

    id: str
    matchers: list[MatcherDocument]
    startsAt: str  # noqa: N815
    endsAt: str  # noqa: N815
    createdBy: str  # noqa: N815
    comment: str
    status: dict[str, str]


class MaintenanceRow(OpenDocument):
    """A maintenance window; without an end it holds until somebody ends it."""

    id: str
    matchers: list[MatcherDocument]
    effect: str = Field(description="what it does to what happens in it")
    reason: str
    createdBy: str  # noqa: N815
    startsAt: str  # noqa: N815
    endsAt: str | None = None  # noqa: N815
    time_intervals: list[dict[str, Any]] = Field(
        default=[], description="when it holds between start and end; without any, all the time"
    )
    status: dict[str, str]


class SilencesDocument(Document):
    """The silences, and the maintenance windows beside them."""

    is_configured: bool
    reason: str
    rows: list[SilenceRow]
    windows: list[MaintenanceRow]


class SilenceBody(Document):
    """A silence to make; it is signed with the name of the token."""

    matchers: list[MatcherDocument] = Field(min_length=1, max_length=100)
    startsAt: AwareDatetime | None = Field(default=None, description="by default now")  # noqa: N815
    endsAt: AwareDatetime  # noqa: N815
    comment: str = Field(default="", max_length=4096)
    id: str | None = Field(default=None, max_length=64, description="of a silence to change")


class SilenceMade(Document):
    """The silence that is in force now."""

    silenceID: str  # noqa: N815


class OncallDocument(OpenDocument):
    """What is broken, since when, for whom, and what is behind it."""

    as_of: datetime
    state: str = Field(description="page, ticket, silenced, unknown or quiet")
    is_configured: bool
    reason: str
    problems: list[str]
    freshness: dict[str, Any]
    incidents: list[dict[str, Any]]
    resolved: list[IncidentRow]
    objectives: dict[str, Any]
