"""Does what the timetable says to a scene, each fault on a thread of its own."""

from __future__ import annotations

import itertools
import threading
import time
from dataclasses import dataclass, field, replace

from tests.faults.fleet import Workers
from tests.faults.scene import PARTITIONS, WATCH_S, Scene
from tests.faults.schedule import WAVE_S, Fault, Kind, timetable
from tests.faults.services import START_TIMEOUT_S
from tests.faults.steps import RARE_STEPS, Fate
from tests.faults.store_proxy import Spoil

VICTIM_WAIT_S = 12.0
AT_WORK_WAIT_S = 25.0
STEP_ATTEMPTS = 3
DURING_S = 0.04
"""How long an insert takes, about: a kill `during` one comes somewhere in this time."""


@dataclass
class Injection:
    """The faults of one run."""

    scene: Scene
    workers: Workers
    disturbed_s: list[float] = field(default_factory=list)
    """When something else than a kill was done."""

    def __post_init__(self) -> None:
        self._broker_lock, self._store_lock = threading.Lock(), threading.Lock()

    def run(self) -> None:
        """Return once the last wave is over and every fault is through."""
        plan = self.scene.plan
        faults = timetable(
            plan.seed, minutes=plan.minutes, mix=plan.mix, session_timeout_s=plan.session_timeout_s
        )
        threads: list[threading.Thread] = []
        started_s = time.monotonic()
        for number, wave in itertools.groupby(faults, key=lambda fault: fault.wave):
            self._wait_until_at_work()
            self._watch_until(started_s + number * WAVE_S)
            began_s = time.monotonic()
            for fault in wave:
                self._watch_until(began_s + fault.at_s)
                threads.append(threading.Thread(target=self._do, args=(fault,), daemon=True))
                threads[-1].start()
            self._watch_until(began_s + WAVE_S)
        while any(each.is_alive() for each in threads):
            self.scene.watch(WATCH_S)

    def _watch_until(self, at_s: float) -> None:
        while (left_s := at_s - time.monotonic()) > 0:
            self.scene.watch(min(left_s, WATCH_S))

    def _wait_until_at_work(self) -> None:
        """Wait until every partition got on since the last look; for a while, then go on anyhow."""
        before = dict(self.scene.stored)
        patience_s = time.monotonic() + AT_WORK_WAIT_S
        while time.monotonic() < patience_s:
            self.scene.watch(WATCH_S)
            after = self.scene.stored
            got_on = [each for each in after if after[each] > before.get(each, 0)]
            if len(got_on) >= min(PARTITIONS, max(1, self.scene.lag)):
                return

    def _do(self, fault: Fault) -> None:
        if fault.kind not in {Kind.KILL, Kind.STEP}:
            self.disturbed_s.append(time.monotonic())
        try:
            done = getattr(self, f"_{fault.kind.value}")(fault)
        except Exception as error:  # noqa: BLE001 - on a thread of its own nobody else would hear it
            self.scene.problems.append(f"{fault.kind.value} could not be done: {error!r}")
            return
        if done:
            self.scene.injected[fault.kind.value] += 1

    def _victim(self, fault: Fault) -> int | None:
        """Return a worker with a chunk open; after a while without one, any."""
        patience_s = time.monotonic() + VICTIM_WAIT_S
        while not (slots := self.workers.busy()) and time.monotonic() < patience_s:
            time.sleep(fault.victim % 97 / 1000)
        slots = slots or self.workers.running()
        return slots[fault.victim % len(slots)] if slots else None

    def _kill(self, fault: Fault) -> bool:
        slot = self._victim(fault)
        return slot is not None and self.workers.kill(slot)

    def _step(self, fault: Fault) -> bool:
        fate = Fate(
            fault.detail,
            1 if fault.detail in RARE_STEPS else fault.nth,
            fault.victim % 1000 / 1000 * DURING_S,
        )
        for attempt in range(STEP_ATTEMPTS):
            slot = self._victim(replace(fault, victim=fault.victim + attempt))
            if slot is not None and self.workers.doom(
                slot, fate, within_s=self.scene.plan.step_wait_s
            ):
                return True
        return False

    def _freeze(self, fault: Fault) -> bool:
        slot = self._victim(fault)
        if slot is None or not self.workers.freeze(slot):
            return False
        time.sleep(fault.lasts_s)
        self.workers.thaw(slot)
        return True

    def _leave(self, fault: Fault) -> bool:
        slot = self._victim(fault)
        if slot is None or not self.workers.leave(slot):
            return False
        self.workers.fill(slot, fault.lasts_s)
        return True

    def _join(self, fault: Fault) -> bool:
        slot = self.scene.plan.workers + fault.victim % 100
        self.workers.fill(slot)
        time.sleep(fault.lasts_s)
        self.workers.leave(slot)
        return True

    def _broker(self, fault: Fault) -> bool:
        with self._broker_lock:
            self.scene.broker.kill()
            log = self.scene.broker.folder / "broker.log"
            # Each start begins it anew, and what stands there may be wanted.
            log.rename(log.with_name(f"broker-{len(self.disturbed_s)}.log"))
            time.sleep(fault.lasts_s)
            self.scene.broker.start(timeout_s=START_TIMEOUT_S)
        return True

    def _store(self, fault: Fault) -> bool:
        with self._store_lock:
            self.scene.store.kill()
            time.sleep(fault.lasts_s)
            self.scene.store.start()
        return True

    def _spoil(self, fault: Fault) -> bool:
        self.scene.proxy.order(Spoil(fault.detail), fault.lasts_s)
        return True

    def _producer(self, fault: Fault) -> bool:
        producers = self.scene.producers
        producer = producers[fault.victim % len(producers)]
        if not producer.kill():
            return False
        time.sleep(fault.lasts_s)
        producer.start()
        return True
