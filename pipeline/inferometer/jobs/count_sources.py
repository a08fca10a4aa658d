"""The two topics that are counted: how each is decoded, and what its rows add."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

import numpy as np
import pyarrow as pa

from inferometer.core import codec
from inferometer.core.admission import admit
from inferometer.core.duplicates import hash_texts
from inferometer.core.gauges import GaugeSample
from inferometer.core.slo.event_view import SignalView
from inferometer.core.slo.gauge_counting import GaugeView
from inferometer.errors import DecodeError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from inferometer.core.admission import Admission
    from inferometer.core.door import DoorPolicy
    from inferometer.core.records import RecordColumns
    from inferometer.core.signals import InferenceSignal
    from inferometer.core.slo.counting_plan import CountingPlan, TablesByTarget

    Hashes = NDArray[np.uint64]
    Offsets = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Identities:
    """What tells the accepted rows of a chunk from others."""

    hashes: Hashes
    """Of the event ids."""
    offsets: Offsets
    dead: int
    """Events that may not enter; the sink keeps them as dead letters."""
    subjects: Hashes | None = None
    """Of what several rows may be about, where each counts once: the requests of signals."""


class DecodedRows(Protocol):
    """The accepted rows of a chunk, duplicates among them."""

    @property
    def identities(self) -> Identities:
        """What tells the rows from others."""

    def count(
        self, kept: NDArray[np.int64], is_first: NDArray[np.bool_], plan: CountingPlan
    ) -> tuple[TablesByTarget, int]:
        """Return what some of the rows add, and the newest event time among them (us, or 0).

        `is_first` says which of them are the first about their subject.
        """


class CountSource(Protocol):
    """How the records of one topic are decoded."""

    def decode(self, records: RecordColumns, door: DoorPolicy) -> DecodedRows:
        """Return the rows of records; a pure function, which never raises for their content."""


@dataclass(frozen=True, slots=True)
class _Requests:
    admission: Admission
    accepted: NDArray[np.int64]
    identities: Identities

    def count(
        self, kept: NDArray[np.int64], is_first: NDArray[np.bool_], plan: CountingPlan
    ) -> tuple[TablesByTarget, int]:
        """Return what some of the requests add."""
        del is_first
        events = self.admission.select(self.accepted[kept])
        newest_us = int(events.numbers["ts_end"].max()) if len(events) else 0
        return plan.of_events(events), newest_us


class RequestSource:
    """The requests topic."""

    def decode(self, records: RecordColumns, door: DoorPolicy) -> DecodedRows:
        """Return the accepted requests of records."""
        admission = admit(records, door)
        accepted = np.flatnonzero(admission.accepted)
        ids = admission.rows.texts("event_id", accepted)
        return _Requests(
            admission,
            accepted,
            Identities(
                hash_texts(ids), admission.rows.offsets[accepted], len(admission.dead_letters)
            ),
        )


@dataclass(frozen=True, slots=True)
class _Signals:
    signals: list[InferenceSignal | GaugeSample]
    identities: Identities

    def count(
        self, kept: NDArray[np.int64], is_first: NDArray[np.bool_], plan: CountingPlan
    ) -> tuple[TablesByTarget, int]:
        """Return what some of the signals and samples add."""
        chosen = [self.signals[place] for place in kept.tolist()]
        newest_us = max((signal.ts for signal in chosen), default=0)
        is_sample = np.array([isinstance(one, GaugeSample) for one in chosen], dtype=np.bool_)
        signals = [one for one in chosen if not isinstance(one, GaugeSample)]
        samples = [one for one in chosen if isinstance(one, GaugeSample)]
        hashes = self.identities.hashes[kept][~is_sample]
        found = plan.of_signals(SignalView(signals, is_first[~is_sample], hashes))
        for target, tables in plan.of_samples(GaugeView(samples)).items():
            found.setdefault(target, []).extend(tables)
        return found, newest_us


class SignalSource:
    """The topic of deadline signals and gauges: few and small, so they are read one by one."""

    def decode(self, records: RecordColumns, door: DoorPolicy) -> DecodedRows:
        """Return the readable signals and samples of records whose time may be true."""
        signals: list[InferenceSignal | GaugeSample] = []
        offsets: list[int] = []
        for row in range(len(records)):
            try:
                signal = codec.decode_signal_or_sample(records.value(row))
            except DecodeError:
                continue
            if door.oldest_us <= signal.ts <= door.newest_us:
                signals.append(signal)
                offsets.append(int(records.offsets[row]))
        ids = pa.array([signal.event_id for signal in signals], pa.string())
        subjects = pa.array([_subject(signal) for signal in signals], pa.string())
        return _Signals(
            signals,
            Identities(
                hash_texts(ids),
                np.array(offsets, dtype=np.int64),
                len(records) - len(signals),
                hash_texts(subjects),
            ),
        )


def _subject(signal: InferenceSignal | GaugeSample) -> str:
    """Return what a row is about: signals of one request count once, samples each."""
    if isinstance(signal, GaugeSample):
        return f"sample/{signal.event_id}"
    return f"request/{signal.request_id}"
