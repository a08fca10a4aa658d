"""The spool of one client: its own backlog, and those that dead processes of this machine left."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from inferometer.errors import ConfigError
from inferometer.sdk.spool.backlog import Backlog
from inferometer.sdk.spool.journal import Fsync, Journal
from inferometer.sdk.spool.marks import Marks
from inferometer.sdk.spool.slots import Slot, abandoned, claim
from inferometer.sdk.spread import BY_KEY

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from inferometer.sdk.envelopes import Packer
    from inferometer.sdk.items import Item
    from inferometer.sdk.settings import ClientSettings
    from inferometer.sdk.transport import Transport

_LOOK_EVERY_S = 30.0


class Spool:
    """Items on the disk until the broker has them. Use it from one thread at a time.

    Raises ConfigError where the folder cannot be written; later trouble with the disk is OSError.
    """

    def __init__(
        self,
        settings: ClientSettings,
        *,
        monotonic: Callable[[], float],
        now_ms: Callable[[], int],
        on_refused: Callable[[str], None],
        on_damaged: Callable[[str], None],
        packer: Packer,
        producer: int = BY_KEY,
    ) -> None:
        """`producer` names this process where its items share records; see `spread`."""
        self._packer = packer
        self._producer = producer
        self._settings = settings
        self._root = Path(settings.spool_dir)
        self._monotonic = monotonic
        self._now_ms = now_ms
        self._on_refused = on_refused
        self._on_damaged = on_damaged
        self._look_at = float("-inf")
        self._slot = claim(self._root)
        try:
            self.own = self._backlog(self._slot)
        except OSError as error:
            self._slot.release()
            raise ConfigError(
                [
                    f"spool_dir: cannot write to {self._slot.folder} ({error.strerror}); free the disk"
                ]
            ) from error
        self._adopted: list[tuple[Slot, Backlog]] = []
        self._gone_taken_over = 0
        self._gone_set_aside = 0

    @property
    def backlogs(self) -> Iterator[Backlog]:
        """Its own first."""
        yield self.own
        yield from (backlog for _slot, backlog in list(self._adopted))

    @property
    def is_done(self) -> bool:
        """Whether the broker has everything."""
        return all(backlog.is_done for backlog in self.backlogs)

    @property
    def waiting(self) -> int:
        """How many items the broker has not acknowledged."""
        return sum(backlog.waiting for backlog in self.backlogs)

    @property
    def taken_over(self) -> int:
        """How many items earlier processes left, as far as they are counted."""
        return self._gone_taken_over + sum(backlog.taken_over for backlog in self.backlogs)

    @property
    def set_aside(self) -> int:
        """How many damaged frames and refused items were put aside."""
        return self._gone_set_aside + sum(backlog.set_aside for backlog in self.backlogs)

    @property
    def size_bytes(self) -> int:
        """What it takes on the disk."""
        return sum(backlog.size_bytes for backlog in self.backlogs)

    def oldest_age_s(self) -> float:
        """Return the age of the oldest item that waits; 0 where none does."""
        found = [at for backlog in self.backlogs if (at := backlog.oldest_ms) is not None]
        return max(0.0, (self._now_ms() - min(found)) / 1000) if found else 0.0

    def append(self, batch: Sequence[Item]) -> int:
        """Write items; return how many there was room for."""
        return self.own.append(batch)

    def send(self, transport: Transport, topic: str) -> None:
        """Hand over what waits, as far as the transport takes it. Raises BrokerError."""
        for backlog in self.backlogs:
            backlog.send(transport, topic)

    def settle(self) -> None:
        """Let go of what is delivered, and do what time asks for."""
        for backlog in self.backlogs:
            backlog.settle()
            backlog.sync_when_due()
        for slot, backlog in [each for each in self._adopted if each[1].is_done]:
            self._adopted.remove((slot, backlog))
            self._gone_taken_over += backlog.taken_over
            self._gone_set_aside += backlog.set_aside
            backlog.close()
            slot.release()
        if self._monotonic() >= self._look_at:
            self._look_at = self._monotonic() + _LOOK_EVERY_S
            self._adopted += [(slot, self._backlog(slot)) for slot in abandoned(self._root)]

    def give_up_under_way(self) -> None:
        """Take all that the transport had for failed."""
        for backlog in self.backlogs:
            backlog.give_up_under_way()

    def close(self) -> None:
        """Leave what is not delivered to the next process, and let the folders go."""
        try:
            for backlog in self.backlogs:
                backlog.close()
        finally:
            self._release()

    def abandon(self) -> None:
        """In a forked child: close the files of the parent and touch nothing else."""
        for backlog in self.backlogs:
            backlog.abandon()
        self._release()

    def _release(self) -> None:
        self._slot.release()
        for slot, _backlog in self._adopted:
            slot.release()

    def _backlog(self, slot: Slot) -> Backlog:
        marks = Marks(slot.folder)
        journal = Journal(
            slot.folder,
            max_bytes=self._settings.spool_max_bytes,
            fsync=Fsync(self._settings.spool_fsync),
            fsync_interval_s=self._settings.spool_fsync_interval_s,
            monotonic=self._monotonic,
            now_ms=self._now_ms,
            begin=marks.acknowledged,
        )
        return Backlog(
            journal,
            marks,
            monotonic=self._monotonic,
            on_refused=self._on_refused,
            on_damaged=self._on_damaged,
            packer=self._packer,
            producer=self._producer,
        )
