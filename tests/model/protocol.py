"""The rules of the sink as steps of the model, each of which a mutant may switch off.

The decision where to go on after an assignment is the real one, `inferometer.core.resumption`.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from tests.model.decision import decided
from tests.model.rules import Bounds, Lease, Rules
from tests.model.world import (
    EMPTY,
    Chunk,
    Phase,
    Position,
    Request,
    State,
    Table,
    Worker,
    doubled,
    show_chunk,
    show_position,
    show_state,
    stored,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

Step = tuple[str, State]
UNDONE = Worker(Phase.ASSIGNED)


@dataclass(frozen=True)
class Protocol:
    """The model that `explore` explores."""

    rules: Rules = field(default_factory=Rules)
    bounds: Bounds = field(default_factory=Bounds)

    @property
    def initial(self) -> State:
        """Return an empty store and a group that nobody has joined yet."""
        bounds = self.bounds
        return State(None, frozenset(), EMPTY, None, None, (), 0, bounds.losses, bounds.remakes)

    def show(self, state: State) -> str:
        """Return a state as one line."""
        return show_state(state)

    # What is wrong

    def fault(self, state: State) -> str | None:
        """Say what is wrong with a state: doubled, closed or acknowledged but absent, lost."""
        for table in (Table.LOG, Table.ROLLUP, Table.LEDGER):
            twice = doubled(state.rows[table])
            if twice is not None:
                return f"{show_chunk(twice)} doubles records in the {table.name.lower()}"
        whole = [stored(state.rows[table], state.stream) for table in (Table.LOG, Table.ROLLUP)]
        closed = stored(state.rows[Table.LEDGER], state.stream)
        if any(closed & ~held for held in whole):
            return "the ledger closes records that are not stored"
        group = state.group
        if group is not None and group.stream == state.stream:
            acknowledged = (1 << group.offset) - 1
            if any(acknowledged & ~held for held in (*whole, closed)):
                return f"records before {group.offset} are acknowledged and not stored"
        return None

    def lack(self, state: State) -> str | None:
        """Say what is wrong once all work is done: a record is not in each table."""
        wanted = (1 << self._records(state)) - 1
        for table in (Table.LOG, Table.ROLLUP, Table.LEDGER):
            if stored(state.rows[table], state.stream) != wanted:
                return f"all work is done and records are not in the {table.name.lower()}"
        return None

    # What may happen

    def successors(self, state: State) -> Iterator[Step]:
        """Return every step that can follow."""
        yield from self._group_steps(state)
        yield from self._flight_steps(state)
        if state.owner is not None:
            yield from self._worker_steps(state, state.owner, is_owner=True)
            yield "the owner crashes", self._dropped(state, is_owner=True)
        if state.former is not None:
            yield from self._worker_steps(state, state.former, is_owner=False)
            yield "the former owner crashes", self._dropped(state, is_owner=False)

    def undisturbed(self, state: State) -> State | None:
        """Return the next state of one healthy owner; None once it has nothing left to do."""
        if state.in_flight:
            return self._landed(state._replace(in_flight=state.in_flight[1:]), state.in_flight[0])
        owner = state.owner
        if owner is None:
            return state._replace(owner=UNDONE)
        for _label, following in self._worker_steps(state, owner, is_owner=True):
            return following
        return None

    def _records(self, state: State) -> int:
        return self.bounds.records if state.stream == 0 else self.bounds.records_anew

    def _group_steps(self, state: State) -> Iterator[Step]:
        if state.owner is None:
            yield "the group gives the partition to a worker", state._replace(owner=UNDONE)
        else:
            # The other one gets it: whatever that was doing is over, but for what it has sent.
            free = self._dropped(state, is_owner=False)
            yield (
                "the group gives the partition to the other worker",
                free._replace(owner=UNDONE, former=self._surviving(state.owner)),
            )
        if state.losses:
            left = state._replace(losses=state.losses - 1)
            if state.group is not None:
                yield "the group's offsets expire", self._remembering(left, None)
            for earlier in sorted(state.past, key=str):
                if earlier != state.group:
                    yield (
                        f"the group's offset goes back to {show_position(earlier)}",
                        self._remembering(left, earlier),
                    )
        if state.remakes:
            yield (
                "the topic is deleted and made anew",
                state._replace(stream=state.stream + 1, remakes=state.remakes - 1),
            )

    def _surviving(self, worker: Worker) -> Worker | None:
        """Return what a worker that lost its partition still does about it."""
        if worker.phase in (Phase.ASSIGNED, Phase.POSITIONED):
            return None
        if self.rules.lease is Lease.IDEAL and worker.phase is Phase.SENT:
            return None
        return worker

    def _remembering(self, state: State, committed: Position | None) -> State:
        """Return a state with another position of the group."""
        past = state.past if state.group is None else state.past | {state.group}
        return state._replace(group=committed, past=past if state.losses else frozenset())

    def _flight_steps(self, state: State) -> Iterator[Step]:
        for request in state.in_flight:
            rest = tuple(each for each in state.in_flight if each is not request)
            what = f"{show_chunk(request.chunk)} into the {request.table.name.lower()}"
            yield (
                f"a late insert of {what} lands",
                self._landed(state._replace(in_flight=rest), request),
            )
            yield f"a late insert of {what} is lost", state._replace(in_flight=rest)

    # The store

    def _landed(self, state: State, request: Request) -> State:
        table, chunk = request
        rows = state.rows[table]
        if self._is_known(rows, chunk):
            return state
        # When it was decided, the store tells of intents only; what is left out makes states one.
        landed = (*rows, chunk if table is Table.INTENTS else chunk._replace(decided=0))
        if self.rules.token_window is None:
            # The order is of no consequence, and so many states are one.
            landed = tuple(sorted(landed))
        return state._replace(rows=(*state.rows[:table], landed, *state.rows[table + 1 :]))

    def _is_known(self, rows: tuple[Chunk, ...], chunk: Chunk) -> bool:
        if not self.rules.has_tokens:
            return False
        window = self.rules.token_window
        known = rows if window is None else rows[-window:]
        if self.rules.token_names_stream:
            return any(each[:3] == chunk[:3] for each in known)
        return any(each[1:3] == chunk[1:3] for each in known)

    # The workers

    def _set(self, state: State, worker: Worker | None, *, is_owner: bool) -> State:
        return state._replace(owner=worker) if is_owner else state._replace(former=worker)

    def _dropped(self, state: State, *, is_owner: bool) -> State:
        """Return a state without a worker; what it had sent is still on its way."""
        worker = state.owner if is_owner else state.former
        without = self._set(state, None, is_owner=is_owner)
        if worker is None or worker.phase is not Phase.SENT:
            return without
        return self._adrift(without, worker)

    def _adrift(self, state: State, worker: Worker) -> State:
        """Return a state in which nobody waits for what a worker has sent."""
        if self.rules.lease is Lease.IDEAL or len(state.in_flight) == self.bounds.in_flight:
            return state
        assert worker.chunk is not None
        request = Request(self.rules.order[worker.step], worker.chunk)
        return state._replace(in_flight=tuple(sorted((*state.in_flight, request))))

    def _worker_steps(self, state: State, worker: Worker, *, is_owner: bool) -> Iterator[Step]:
        """Return what a worker may do; first what it does when nothing fails."""
        who = "the owner" if is_owner else "the former owner"
        for what, following in self._steps(state, worker, is_owner=is_owner):
            yield f"{who} {what}", following

    def _steps(self, state: State, worker: Worker, *, is_owner: bool) -> Iterator[Step]:
        match worker.phase:
            case Phase.ASSIGNED:
                told = Worker(Phase.POSITIONED, state.stream, state.group)
                yield (
                    f"reads the group's position, {show_position(state.group)}",
                    self._set(state, told, is_owner=is_owner),
                )
            case Phase.POSITIONED:
                yield self._resumed(state, worker, is_owner=is_owner)
            case Phase.PLACED:
                yield from self._acknowledged(state, worker, is_owner=is_owner)
            case Phase.READY:
                yield from self._cut(state, worker, is_owner=is_owner)
            case Phase.CUT:
                yield self._confirmed(state, worker, is_owner=is_owner)
            case Phase.CONFIRMED:
                yield from self._committed(state, worker, is_owner=is_owner)
            case Phase.INSERTING:
                yield self._sent(state, worker, is_owner=is_owner)
            case Phase.SENT:
                yield from self._answered(state, worker, is_owner=is_owner)
            case Phase.STORED:
                yield from self._acknowledged(state, worker, is_owner=is_owner)
                yield from self._cut(state, worker, is_owner=is_owner)

    def _resumed(self, state: State, worker: Worker, *, is_owner: bool) -> Step:
        seen = worker.seen
        if seen is not None and seen.stream != worker.stream and self.rules.metadata_names_stream:
            seen = None
        offset, intent = None, None
        if seen is not None:
            offset, intent = seen.offset, seen.intent
        at, chunk = decided(offset, intent, *self._progress(state, worker.stream))
        what = f"asks the store and goes on at {at}"
        if chunk is not None and self.rules.pins_boundaries:
            what = f"{what} with the open chunk {show_chunk(chunk)}"
        else:
            chunk = None
        is_there = chunk is not None or worker.seen == Position(worker.stream, at, None)
        phase = Phase.READY if is_there else Phase.PLACED
        told = Worker(phase, worker.stream, None, at, chunk)
        return what, self._set(state, told, is_owner=is_owner)

    def _progress(self, state: State, stream: int) -> tuple[int | None, Chunk | None]:
        """Return what the store answers: the ledger's end and an open chunk, the last decided."""
        ends = [chunk.stop for chunk in state.rows[Table.LEDGER] if chunk.stream == stream]
        if not self.rules.consults_ledger:
            return None, None
        end = max(ends, default=0)
        beyond = [
            chunk
            for chunk in state.rows[Table.INTENTS]
            if chunk.stream == stream and chunk.first >= end
        ]
        latest = min(beyond, key=lambda chunk: (chunk.first, -chunk.decided), default=None)
        return (end if ends else None), latest

    def _cut(self, state: State, worker: Worker, *, is_owner: bool) -> Iterator[Step]:
        end = self._records(state)
        if worker.stream != state.stream and (self.rules.confirms_topic or worker.offset > end):
            yield "finds another topic", self._set(state, UNDONE, is_owner=is_owner)
            return
        stops, decided_as = range(end, worker.offset, -1), 0
        if worker.chunk is not None:
            stops, decided_as = range(worker.chunk.stop, end + 1)[:1], worker.chunk.decided
        # Without a second incarnation there is nothing to confirm, which makes states one.
        phase = Phase.CUT if self.bounds.remakes else Phase.CONFIRMED
        for stop in stops:
            chunk = Chunk(worker.stream, worker.offset, stop, state.stream, decided_as)
            has_cut = Worker(phase, worker.stream, None, worker.offset, chunk)
            yield f"cuts {show_chunk(chunk)}", self._set(state, has_cut, is_owner=is_owner)

    def _confirmed(self, state: State, worker: Worker, *, is_owner: bool) -> Step:
        if worker.stream != state.stream and self.rules.confirms_topic:
            return "finds another topic", self._set(state, UNDONE, is_owner=is_owner)
        confirmed = worker._replace(phase=Phase.CONFIRMED)
        return "confirms the topic", self._set(state, confirmed, is_owner=is_owner)

    def _committed(self, state: State, worker: Worker, *, is_owner: bool) -> Iterator[Step]:
        chunk = worker.chunk
        assert chunk is not None
        if chunk.decided == 0:
            chunk = chunk._replace(decided=1 + _latest(state, chunk))
            worker = worker._replace(chunk=chunk)
        intent = chunk if self.rules.commits_intents else None
        position = Position(chunk.stream, chunk.first, intent)
        if self.rules.acknowledges_first:
            position = Position(chunk.stream, chunk.stop, None)
        told = worker._replace(phase=Phase.INSERTING)
        yield from self._commit(state, position, worker, told, is_owner=is_owner)

    def _acknowledged(self, state: State, worker: Worker, *, is_owner: bool) -> Iterator[Step]:
        position = Position(worker.stream, worker.offset, None)
        told = worker._replace(phase=Phase.READY)
        yield from self._commit(state, position, worker, told, is_owner=is_owner)

    def _commit(
        self, state: State, position: Position, before: Worker, after: Worker, *, is_owner: bool
    ) -> Iterator[Step]:
        if not is_owner and self.rules.has_fence:
            yield "is refused its commit and drops the chunk", state._replace(former=None)
            return
        accepted = self._remembering(state, position)
        what = f"commits {show_position(position)}"
        yield what, self._set(accepted, after, is_owner=is_owner)
        yield f"{what} and hears no answer", self._set(accepted, before, is_owner=is_owner)

    def _sent(self, state: State, worker: Worker, *, is_owner: bool) -> Step:
        if not is_owner and self.rules.lease is not Lease.NONE:
            return "finds its lease over and drops the chunk", state._replace(former=None)
        sent = worker._replace(phase=Phase.SENT)
        table = self.rules.order[worker.step].name.lower()
        what = f"sends {show_chunk(worker.chunk)} to the {table}"
        return what, self._set(state, sent, is_owner=is_owner)

    def _answered(self, state: State, worker: Worker, *, is_owner: bool) -> Iterator[Step]:
        chunk, table = worker.chunk, self.rules.order[worker.step]
        assert chunk is not None
        landed = self._landed(state, Request(table, chunk))
        if worker.step + 1 < len(self.rules.order):
            told = worker._replace(phase=Phase.INSERTING, step=worker.step + 1)
        else:
            told = Worker(Phase.STORED, worker.stream, None, chunk.stop)
        again = self._set(state, worker._replace(phase=Phase.INSERTING), is_owner=is_owner)
        what = f"{show_chunk(chunk)} in the {table.name.lower()}"
        yield f"has {what}", self._set(landed, told, is_owner=is_owner)
        yield f"is refused {what}", again
        yield f"hears nothing of {what}", self._adrift(again, worker)


def _latest(state: State, chunk: Chunk) -> int:
    """Return how many chunks with the same beginning were decided before and are not forgotten."""
    known = [position.intent for position in (state.group, *state.past) if position is not None]
    known += [worker.chunk for worker in (state.owner, state.former) if worker is not None]
    known += [*state.rows[Table.INTENTS], *(request.chunk for request in state.in_flight)]
    return max(each.decided for each in known if each is not None and each[:2] == chunk[:2])
