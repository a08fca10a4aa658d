"""What alerts did, and who silences, in memory: fakes of IncidentRecords and SilenceDesk."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING, Any

from inferometer.core.alerts.mute_json import silence_answer, silence_from
from inferometer.core.alerts.silences import changes, ending

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence
    from datetime import datetime

    from inferometer.core.alerts.silences import Silence

Row = dict[str, Any]


class MemoryIncidentRecords:
    """An `IncidentRecords` of rows that a test puts in."""

    def __init__(
        self,
        incidents: Iterable[Row] = (),
        *,
        transitions: Mapping[str, Sequence[Row]] | None = None,
        attempts: Mapping[str, Sequence[Row]] | None = None,
    ) -> None:
        """Take rows of the view `incidents`, and by their ids what happened and who was told."""
        self.rows = list(incidents)
        self._transitions = defaultdict(list, {k: list(v) for k, v in (transitions or {}).items()})
        self._attempts = defaultdict(list, {k: list(v) for k, v in (attempts or {}).items()})

    def incidents(
        self,
        workspace: str | None,
        *,
        since: datetime,
        until: datetime,
        is_open_only: bool,
        limit: int,
    ) -> list[Row]:
        """Return the incidents of a span; see `IncidentRecords.incidents`."""
        found = [
            row
            for row in self._of(workspace)
            if row["detected_at"] < until
            and (row["resolved_at"] is None or (not is_open_only and row["resolved_at"] >= since))
        ]
        found.sort(key=lambda row: (-row["detected_at"].timestamp(), row["incident_id"]))
        return found[:limit]

    def incident(self, workspace: str | None, incident_id: str) -> Row | None:
        """Return one incident; see `IncidentRecords.incident`."""
        found = [row for row in self._of(workspace) if row["incident_id"] == incident_id]
        return found[0] if found else None

    def transitions(self, incident_ids: Sequence[str]) -> list[Row]:
        """Return what happened; see `IncidentRecords.transitions`."""
        found = [
            {"incident_id": incident_id, **row}
            for incident_id in incident_ids
            for row in self._transitions[incident_id]
        ]
        return sorted(found, key=lambda row: row["at"])

    def attempts(self, incident_id: str) -> list[Row]:
        """Return who was told; see `IncidentRecords.attempts`."""
        return sorted(self._attempts[incident_id], key=lambda row: row["at"])

    def notifications(
        self, workspace: str | None, *, since: datetime, until: datetime, limit: int
    ) -> list[Row]:
        """Return attempts of a span; see `IncidentRecords.notifications`."""
        found = [
            {
                **attempt,
                "incident_id": row["incident_id"],
                **{name: row[name] for name in ("service", "slo", "labels")},
            }
            for row in self._of(workspace)
            for attempt in self._attempts[row["incident_id"]]
            if since <= attempt["at"] < until
        ]
        found.sort(key=lambda row: row["at"], reverse=True)
        return found[:limit]

    def _of(self, workspace: str | None) -> list[Row]:
        return [row for row in self.rows if workspace in (None, row["workspace_id"])]


class MemorySilenceDesk:
    """A `SilenceDesk` without an HTTP interface behind it."""

    def __init__(self, now_us: Callable[[], int]) -> None:
        self._now_us = now_us
        self._silences: dict[str, Silence] = {}
        self.failure: Exception | None = None
        """What every call raises, where a test sets it."""
        self.maintenance: list[Row] = []
        """The maintenance windows, where a test sets them."""

    def silences(self, filters: Sequence[str] = ()) -> list[Row]:
        """Return all silences, whatever the filters; see `SilenceDesk.silences`."""
        self._reach()
        return [silence_answer(each, self._now_us()) for each in self._silences.values()]

    def windows(self) -> list[Row]:
        """Return the maintenance windows; see `SilenceDesk.windows`."""
        self._reach()
        return [dict(row) for row in self.maintenance]

    def add_silence(self, silence: Mapping[str, Any]) -> str:
        """Keep a silence; see `SilenceDesk.add_silence`."""
        self._reach()
        wanted = silence_from(dict(silence), now_us=self._now_us())
        before = self._silences.get(wanted.id)
        new_id = f"00000000-0000-4000-8000-{len(self._silences):012}"
        versions = changes(wanted, before, now_us=self._now_us(), new_id=new_id)
        self._silences |= {version.id: version for version in versions}
        return versions[-1].id

    def expire(self, entry_id: str) -> str:
        """End a silence; see `SilenceDesk.expire`."""
        self._reach()
        ended = ending(self._silences[entry_id], self._now_us())
        if ended is not None:
            self._silences[entry_id] = ended
        return "silence"

    def _reach(self) -> None:
        if self.failure is not None:
            raise self.failure
