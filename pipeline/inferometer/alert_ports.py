"""What the jobs of alerting need from the outside world; each port names its need."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from datetime import datetime

    from inferometer.core.alerts.history import TransitionRecord
    from inferometer.core.alerts.ledger import AttemptRecord, LedgerEntry
    from inferometer.core.alerts.listing import ListedAlert
    from inferometer.core.alerts.mute_book import Entry, MuteBook
    from inferometer.core.alerts.notices import Notice
    from inferometer.core.alerts.receivers import Receiver
    from inferometer.core.alerts.retries import Attempt
    from inferometer.core.alerts.trials import Heartbeat
    from inferometer.core.chunks import StreamPartition
    from inferometer.core.query.objective_facts import ObjectiveFacts
    from inferometer.core.records import RecordColumns
    from inferometer.core.slo.board_snapshots import Kept
    from inferometer.core.slo.definitions import Slo
    from inferometer.core.slo.stored_counts import StoredCounts


class NoticeLedger(Protocol):
    """Where it is kept what became of each notice; the last entry of an id is the one that counts.

    Calls belong to one event loop; what is written in several calls keeps its order.
    """

    async def entries(self) -> Sequence[LedgerEntry]:
        """Return the last entry of every notice; read once, at the start.

        Raises BrokerError, or StateError if an entry cannot be read.
        """

    async def write(self, entries: Iterable[LedgerEntry]) -> None:
        """Store entries; returns once they survive a crash of this process and of a broker.

        Idempotent. Raises BrokerError; then the process must stop sending and restore.
        """

    async def remove(self, notification_ids: Iterable[str]) -> None:
        """Forget entries for good. Idempotent. Raises BrokerError."""


class AttemptLog(Protocol):
    """Where history learns of attempts; rows are told apart by notification and attempt."""

    async def write(self, records: Iterable[AttemptRecord]) -> None:
        """Store rows durably. Idempotent. Raises BrokerError."""


class NoticeSender(Protocol):
    """What carries messages to receivers. Calls run side by side and never raise but when cancelled."""

    async def send(self, receiver: Receiver, notice: Notice) -> Attempt:
        """Make one attempt, within its time limit; a repeated one carries the same message id."""

    async def send_heartbeat(self, receiver: Receiver, beat: Heartbeat) -> Attempt:
        """Make one attempt to say that alerting is alive."""


class CountsOutput(Protocol):
    """The counts topic, for those who count. Calls block and may come from several threads."""

    def publish(self, records: Sequence[tuple[int, bytes]]) -> None:
        """Send (target partition, record), each partition's in order; return once all are durable.

        When it raises, any of them may have arrived. Raises StoreError, always retryable.
        """


class SourceLog(Protocol):
    """What counting reads again of a topic after an assignment. Blocks, raises BrokerError."""

    def offset_at(self, source: StreamPartition, since_ms: int, *, before: int) -> int:
        """Return the first offset that was appended since an instant; `before` where there is none."""

    def records(self, source: StreamPartition, first: int, last: int) -> RecordColumns:
        """Return the records that the broker still holds in [first, last]."""


class AlertOutput(Protocol):
    """Where evaluation tells what came of it. Blocks; called from several threads."""

    def publish(self, notices: Sequence[Notice], transitions: Sequence[TransitionRecord]) -> None:
        """Return once all are durable; repeated ones keep their ids. Raises StoreError (retryable)."""


class SnapshotStore(Protocol):
    """The state of evaluation by partition of the counts topic. Blocks; from several threads."""

    def latest(self, partition: int) -> Kept:
        """Return the last snapshot that was saved whole, and what was told since. Raises StoreError."""

    def save(self, partition: int, snapshot: bytes) -> None:
        """Keep a snapshot in place of the last, and of what was told until then.

        A crash meanwhile leaves both. Raises StoreError.
        """

    def save_told(self, partition: int, told: bytes) -> None:
        """Keep what is about to be told beside the last snapshot, in place of what was told before.

        A crash meanwhile leaves that. Raises StoreError.
        """


class SilenceStore(Protocol):
    """Where silences and maintenance windows are kept."""

    def book(self) -> MuteBook:
        """Return everything that is known now; never blocks, and is kept up to date in place.

        Raises StateError while what was stored has not been read yet: who does not know the
        silences must neither send nor change any.
        """

    async def put(self, entries: Sequence[Entry]) -> None:
        """Store versions of entries, and return once they are durable and in the book.

        Idempotent. Raises BrokerError; the entries may have been stored nevertheless.
        """


class AlertsView(Protocol):
    """The open incidents as this process knows them; never blocks."""

    def alerts(self) -> Sequence[ListedAlert]:
        """Return the incidents that are open, or that resolved a moment ago."""

    def receivers(self) -> Sequence[str]:
        """Return the names of the receivers that are configured."""


class AlertHistory(Protocol):
    """Where everything that alerts did is kept for good. Blocks; called from several threads."""

    def keep_transitions(self, records: Sequence[TransitionRecord], *, token: str) -> None:
        """Store what happened to incidents; a record that is stored again is kept once.

        Raises StoreError; a retryable one is safe to repeat.
        """

    def keep_attempts(self, records: Sequence[AttemptRecord], *, token: str) -> None:
        """Store attempts to deliver notices; as `keep_transitions`."""

    def incidents(self, *, since: datetime, until: datetime, limit: int) -> list[dict[str, Any]]:
        """Return rows of the view `incidents` that were open in [since, until), the latest first."""

    def incidents_named(self, prefix: str) -> list[dict[str, Any]]:
        """Return up to 20 rows of the view `incidents` whose id begins so."""

    def transitions(self, incident_id: str) -> list[dict[str, Any]]:
        """Return what happened to an incident, rows of the view `alerts` in order."""

    def attempts(self, incident_id: str) -> list[dict[str, Any]]:
        """Return the attempts for an incident, rows of the view `notifications` in order."""


class SloHistory(Protocol):
    """What objectives would have counted of stored events. Blocks."""

    def counts(self, slo: Slo, *, since: datetime, until: datetime) -> StoredCounts:
        """Return the cells of an objective in [since, until), ascending by time.

        Raises StoreError, and StateError where stored events cannot tell what it counts.
        """

    def oldest(self) -> datetime | None:
        """Return the event time that the log begins at; None while it is empty."""


class AlertStatus(Protocol):
    """How groups of objectives stand now. Blocks; called from several threads."""

    def rows(self) -> list[dict[str, Any]]:
        """Return rows as `inferometer alerts status --json` prints them.

        Raises BrokerError, StateError or StoreError where nobody can say.
        """


class SilenceDesk(Protocol):
    """Where people silence. Blocks; called from several threads; raises PipelineError."""

    def silences(self, filters: Sequence[str] = ()) -> list[dict[str, Any]]:
        """Return the silences whose matchers meet every filter, as Alertmanager's API v2 does."""

    def windows(self) -> list[dict[str, Any]]:
        """Return the maintenance windows."""

    def add_silence(self, silence: Mapping[str, Any]) -> str:
        """Make a silence and return its id. Raises MuteRefusedError for one that cannot be."""

    def expire(self, entry_id: str) -> str:
        """End a silence or maintenance window now, and say which it was."""


class IncidentRecords(Protocol):
    """What alerts did, for those who ask. Blocks; from several threads; raises StoreError.

    `workspace` None: of all workspaces; else of that one only.
    """

    def incidents(
        self,
        workspace: str | None,
        *,
        since: datetime,
        until: datetime,
        is_open_only: bool,
        limit: int,
    ) -> list[dict[str, Any]]:
        """Return rows of the view `incidents` that were open in [since, until), the latest first."""

    def incident(self, workspace: str | None, incident_id: str) -> dict[str, Any] | None:
        """Return the row of one incident."""

    def transitions(self, incident_ids: Sequence[str]) -> list[dict[str, Any]]:
        """Return what happened to incidents, rows of the view `alerts` in the order of time."""

    def attempts(self, incident_id: str) -> list[dict[str, Any]]:
        """Return the attempts to tell somebody of an incident, in the order of time."""

    def notifications(
        self, workspace: str | None, *, since: datetime, until: datetime, limit: int
    ) -> list[dict[str, Any]]:
        """Return attempts of all incidents in [since, until), with their labels; latest first."""


class Objectives(Protocol):
    """What is declared; never blocks."""

    def find(self, family: str, workspace: str, name: str) -> ObjectiveFacts | None:
        """Return what an incident of this objective, budget or rule is about."""
