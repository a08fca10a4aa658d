"""Answers what people ask about alerts: how objectives stand, incidents, notices, silences.

A caller of one workspace sees what carries its name, and silences nothing but itself.
"""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from inferometer.core.alerts.instant_texts import instant_us
from inferometer.core.alerts.matchers import Matcher, all_match
from inferometer.core.alerts.mute_book import mute_labels
from inferometer.core.alerts.silences import MuteRefusedError
from inferometer.errors import BrokerError, PipelineError, StateError, StoreError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
    from datetime import datetime

    from inferometer.alert_ports import AlertStatus, IncidentRecords, Objectives, SilenceDesk
    from inferometer.core.query.objective_facts import ObjectiveFacts

Row = dict[str, Any]
WORKSPACE = "workspace"
NO_STATUS = "name the file of objectives with --slo, or in the setting alerts.slo_path"
NO_DESK = "give the address of the running alerts with --alerts-url, and notices can be silenced"


class SilencesAwayError(StateError):
    """Nobody can be asked for silences here, or they cannot be reached."""


class AnswerAlerts:
    """Every question about alerts; safe to call from several threads, blocks.

    Raises StoreError where history is away; the rest is answered without it.
    """

    def __init__(
        self,
        *,
        records: IncidentRecords,
        clock: Callable[[], datetime],
        status: AlertStatus | None = None,
        desk: SilenceDesk | None = None,
        objectives: Objectives | None = None,
    ) -> None:
        self._records = records
        self._clock = clock
        self._status = status
        self._desk = desk
        self._objectives = objectives

    def status(self, workspace: str | None) -> Row:
        """Return how every group of every objective stands, and as of when."""
        if self._status is None:
            return {"is_configured": False, "reason": NO_STATUS, "rows": [], "as_of": None}
        rows = [row for row in self._status.rows() if _is_of(row[WORKSPACE], workspace)]
        return {
            "is_configured": True,
            "reason": "",
            "rows": rows,
            "as_of": max((row["at"] for row in rows), default=None),
        }

    def incidents(
        self,
        workspace: str | None,
        *,
        since: datetime,
        until: datetime,
        state: str = "all",
        limit: int = 500,
    ) -> Row:
        """Return the incidents that were open in [since, until), or that are open now."""
        rows = self._records.incidents(
            workspace, since=since, until=until, is_open_only=state == "open", limit=limit
        )
        silences = self._active_silences()
        return {"rows": [self._told(row, silences) for row in rows]}

    def incident(self, workspace: str | None, incident_id: str) -> Row | None:
        """Return one incident with what happened to it and who was told; None if there is none."""
        found = self._records.incident(workspace, incident_id)
        if found is None:
            return None
        return {
            "incident": self._told(found, self._active_silences()),
            "transitions": self._records.transitions([incident_id]),
            "notifications": self._records.attempts(incident_id),
        }

    def notifications(
        self, workspace: str | None, *, since: datetime, until: datetime, limit: int = 500
    ) -> Row:
        """Return the attempts to tell somebody in [since, until), the latest first."""
        rows = self._records.notifications(workspace, since=since, until=until, limit=limit)
        return {"rows": rows}

    def facts(self, incident: Mapping[str, Any]) -> ObjectiveFacts | None:
        """Return what is declared of the objective that an incident is about."""
        if self._objectives is None:
            return None
        labels = incident["labels"]
        return self._objectives.find(
            str(incident["family"]), labels.get(WORKSPACE, ""), labels.get("slo", "")
        )

    def transitions(self, incident_ids: Sequence[str]) -> list[Row]:
        """Return what happened to incidents that the caller was shown before."""
        return self._records.transitions(incident_ids)

    def silences(self, workspace: str | None) -> Row:
        """Return silences and maintenance windows: of one workspace those that name it."""
        if self._desk is None:
            return {"is_configured": False, "reason": NO_DESK, "rows": [], "windows": []}
        with _asking():
            rows = [row for row in self._desk.silences() if _names(row, workspace)]
            windows = [row for row in self._desk.windows() if _names(row, workspace)]
        return {"is_configured": True, "reason": "", "rows": rows, "windows": windows}

    def add_silence(
        self, workspace: str | None, silence: Mapping[str, Any], *, created_by: str
    ) -> Row:
        """Make a silence; one of a workspace is kept to it.

        Raises MuteRefusedError with every problem, SilencesAwayError.
        """
        wanted = {**silence, "createdBy": created_by, "matchers": _scoped(silence, workspace)}
        if wanted.get("id") and not self._is_own(workspace, str(wanted["id"])):
            raise MuteRefusedError([f"there is no silence {wanted['id']}; leave out the id"])
        with _asking():
            return {"silenceID": self._reached().add_silence(wanted)}

    def expire_silence(self, workspace: str | None, silence_id: str) -> bool:
        """End a silence now; False where the caller sees none of this id."""
        if not self._is_own(workspace, silence_id):
            return False
        with _asking():
            self._reached().expire(silence_id)
        return True

    def _is_own(self, workspace: str | None, silence_id: str) -> bool:
        with _asking():
            rows = self._reached().silences()
        return any(row["id"] == silence_id and _names(row, workspace) for row in rows)

    def _reached(self) -> SilenceDesk:
        if self._desk is None:
            raise SilencesAwayError(NO_DESK)
        return self._desk

    def _active_silences(self) -> list[Row]:
        if self._desk is None:
            return []
        try:
            return [row for row in self._desk.silences() if row["status"]["state"] == "active"]
        except PipelineError:
            # Incidents are worth reading while nobody can say what mutes them.
            return []

    def _told(self, incident: Row, silences: Iterable[Row]) -> Row:
        """Return an incident with what people need beside its row."""
        labels = mute_labels({**incident["labels"], "severity": incident["severity"]})
        muting = [row for row in silences if all_match(matchers_of(row), labels)]
        facts = self.facts(incident)
        return {
            **incident,
            "labels": dict(incident["labels"]),
            "is_open": incident["resolved_at"] is None,
            "silenced_by": [row["id"] for row in muting],
            "silenced_until": max((row["endsAt"] for row in muting), key=instant_us, default=None),
            "description": "" if facts is None else facts.description,
            "owner": "" if facts is None else facts.owner,
            "links": {} if facts is None else dict(facts.links),
            "objective": None
            if facts is None or facts.objective is None
            else float(facts.objective),
        }


@contextmanager
def _asking() -> Iterator[None]:
    """Say of whatever keeps a desk from answering that it is away; a refusal stays one."""
    try:
        yield
    except (MuteRefusedError, BrokerError, StateError, StoreError):
        raise
    except PipelineError as error:
        raise SilencesAwayError(str(error)) from error


def matchers_of(silence: Mapping[str, Any]) -> list[Matcher]:
    """Return the matchers of a silence as Alertmanager writes it."""
    return [
        Matcher(
            str(each.get("name", "")),
            str(each.get("value", "")),
            is_regex=bool(each.get("isRegex", False)),
            is_equal=bool(each.get("isEqual", True)),
        )
        for each in silence["matchers"]
    ]


def _is_of(found: str, workspace: str | None) -> bool:
    return workspace is None or found == workspace


def _names(silence: Mapping[str, Any], workspace: str | None) -> bool:
    """Whether a silence is of a workspace by its own words, so that it tells nothing of others."""
    return workspace is None or Matcher(WORKSPACE, workspace) in matchers_of(silence)


def _scoped(silence: Mapping[str, Any], workspace: str | None) -> list[Row]:
    """Return the matchers of a silence, kept to a workspace. Raises MuteRefusedError."""
    given = silence.get("matchers")
    if not isinstance(given, list) or not all(isinstance(each, dict) for each in given):
        raise MuteRefusedError(["matchers must be a list of {name, value, isRegex, isEqual}"])
    if workspace is None:
        return [dict(each) for each in given]
    own = Matcher(WORKSPACE, workspace)
    about = [each for each in matchers_of(silence) if each.name == WORKSPACE]
    if any(each != own for each in about):
        raise MuteRefusedError([f"this token may silence workspace {workspace} only"])
    scope = {"name": WORKSPACE, "value": workspace, "isRegex": False, "isEqual": True}
    return [*(dict(each) for each in given), *([] if about else [scope])]
