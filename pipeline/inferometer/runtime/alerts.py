"""`inferometer alerts`: counter, evaluator, notifier and HTTP interface in one process.

Each is a member of a group of its own, so several processes share the work, and one that dies is
replaced by the others; none of them asks the store for anything. Only the history that is kept of
them needs one, and may come later.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import signal
import threading
import time
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, Any

from inferometer import __version__
from inferometer.core.slo.counting_plan import CountingPlan
from inferometer.errors import BrokerError, ConfigError, PipelineError
from inferometer.jobs.count_slos import CountSlos
from inferometer.jobs.count_sources import RequestSource, SignalSource
from inferometer.jobs.evaluate_alerts import EvaluateAlerts, EvaluationPolicy
from inferometer.jobs.send_heartbeats import Heartbeats
from inferometer.kafka.alert_outputs import KafkaAlertOutput, KafkaCounts, KafkaSnapshots
from inferometer.kafka.alert_producer import AlertProducer
from inferometer.kafka.alert_topics import make_alert_topics
from inferometer.kafka.notification_topics import NoticeFollower, NotificationTopics
from inferometer.kafka.partition_reader import PartitionReader
from inferometer.kafka.silence_topic import KafkaSilenceStore
from inferometer.kafka.worker import SinkWorker
from inferometer.prometheus.slo_counters import SloCounters
from inferometer.runtime.alert_delivery import OwnedDelivery
from inferometer.runtime.alert_history import HistoryKeeping
from inferometer.runtime.alert_setup import (
    count_policy,
    load_setup,
    member_settings,
    settled,
    topic_names,
)
from inferometer.runtime.alert_view import BoardsView
from inferometer.runtime.clock import now, now_us
from inferometer.runtime.group_lag_watch import GroupLagWatch
from inferometer.runtime.mapping import price_book, store_settings
from inferometer.runtime.other_boards import READ_EVERY_S, OtherBoards
from inferometer.runtime.ticker import Ticker
from inferometer.web.access import AccessPolicy
from inferometer.web.server import AlertsServer
from inferometer.webhooks.config_text import config_text
from inferometer.webhooks.sender import GuardedSender

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from inferometer.clickhouse.connect import StoreConnection
    from inferometer.clickhouse.settings import StoreSettings
    from inferometer.config import Settings
    from inferometer.kafka.settings import KafkaSettings
    from inferometer.runtime.alert_setup import AlertSetup

BROKER_RETRY_S = 2.0
_US = 1_000_000

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class AlertJobs:
    """The three members of consumer groups."""

    requests: SinkWorker
    signals: SinkWorker
    evaluator: SinkWorker
    evaluation: EvaluateAlerts

    def workers(self) -> dict[str, SinkWorker]:
        """Return the members by role."""
        return {
            "count-requests": self.requests,
            "count-signals": self.signals,
            "evaluate": self.evaluator,
        }


class AlertProcess:
    """Everything that `inferometer alerts` runs; `run` it once, on any loop."""

    def __init__(
        self,
        settings: Settings,
        setup: AlertSetup,
        *,
        run_epoch: str = "",
        makes_topics: bool = True,
        history: StoreSettings | StoreConnection | None = None,
    ) -> None:
        """Work for `setup`; an embedded broker has a run epoch and makes its topics itself.

        What alerts did is kept in `history`, where one is given, by a member of its own.
        """
        self._settings = settings
        self._setup = setup
        self._named = topic_names(settings)
        self._run_epoch = run_epoch
        self._makes_topics = makes_topics
        self._history = history
        self._stopping = asyncio.Event()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._is_stopped = False
        self._failure: BaseException | None = None
        self.jobs: AlertJobs | None = None
        self._counters = SloCounters(setup.declared.slos)
        self._silences: KafkaSilenceStore | None = None

    @property
    def silences(self) -> tuple[KafkaSilenceStore, asyncio.AbstractEventLoop] | None:
        """The silences and the loop that they belong to; None while this does not run."""
        store, loop = self._silences, self._loop
        return None if store is None or loop is None else (store, loop)

    def request_stop(self) -> None:
        """Ask for an orderly end, from any thread; `run` returns soon after."""
        self._is_stopped = True
        if self._loop is not None:
            with contextlib.suppress(RuntimeError):
                self._loop.call_soon_threadsafe(self._stopping.set)

    async def run(self) -> None:
        """Work until a stop is requested.

        1. Topics, then silences: nothing may be told before what mutes it is known.
        2. The counter, the evaluator and the notifier join their groups, each in its own time.
        3. On a stop those that count and evaluate end first, the notifier last.
        Raises what makes it useless to go on.
        """
        self._loop = asyncio.get_running_loop()
        if self._is_stopped:
            return
        kafka = self._kafka(self._named.silences, "silences")
        await self._make_topics(kafka)
        async with contextlib.AsyncExitStack() as stack:
            silences = KafkaSilenceStore(kafka, clock=now)
            await stack.enter_async_context(silences)
            self._silences = silences
            stack.callback(self._forget_silences)
            topics = await stack.enter_async_context(NotificationTopics(kafka, self._named))
            producer = stack.enter_context(AlertProducer(kafka))
            readers = [stack.enter_context(PartitionReader(kafka)) for _ in range(4)]
            lag = stack.enter_context(GroupLagWatch(self._watched_groups()))
            self.jobs = self._jobs(silences, producer, readers, lag)
            notifying = asyncio.create_task(self._notify(topics))
            stack.push_async_callback(self._ended, notifying)
            await stack.enter_async_context(self._serving(silences, producer, readers[3]))
            await self._work(self.jobs)
        if self._failure is not None:
            raise self._failure

    def _forget_silences(self) -> None:
        self._silences = None

    async def _make_topics(self, kafka: KafkaSettings) -> None:
        if not self._makes_topics:
            return
        is_first = True
        while not self._stopping.is_set():
            try:
                created = await make_alert_topics(
                    kafka,
                    self._named,
                    count_partitions=self._settings.alerts.counts_partitions,
                    replication_factor=self._settings.kafka.replication_factor,
                )
            except BrokerError as error:
                if not error.retryable:
                    raise
                if is_first:
                    logger.warning("%s; trying again", error, extra={"reason": "broker_away"})
                is_first = False
                await asyncio.sleep(BROKER_RETRY_S)
            else:
                for name in created:
                    logger.info("topic %s created", name)
                return

    def _kafka(self, topic: str, role: str) -> KafkaSettings:
        kafka = member_settings(self._settings, topic, role).kafka
        return replace(kafka, run_epoch=self._run_epoch)

    def _watched_groups(self) -> list[KafkaSettings]:
        """Return the groups that read requests: those that store them and those that count."""
        settings = self._settings
        counting = self._kafka(settings.kafka.requests_topic, "count")
        return [replace(counting, group=settings.kafka.group), counting]

    def _jobs(
        self,
        silences: KafkaSilenceStore,
        producer: AlertProducer,
        readers: list[PartitionReader],
        lag: GroupLagWatch,
    ) -> AlertJobs:
        settings, declared = self._settings, self._setup.declared
        plan = CountingPlan(
            slos=declared.slos,
            targets=settings.alerts.counts_partitions,
            book=price_book(settings.prices),
            measures=self._setup.measures(),
            gauges=self._setup.gauges(),
        )
        output = self._counters.around(KafkaCounts(producer, self._named.counts))
        policy = count_policy(settings)
        sources: list[Any] = [RequestSource(), SignalSource()]
        counters = [
            CountSlos(plan=plan, source=source, output=output, log=reader, policy=policy, clock=now)
            for source, reader in zip(sources, readers[:2], strict=True)
        ]
        evaluation = EvaluateAlerts(
            topics=(settings.kafka.requests_topic, settings.kafka.signals_topic),
            lanes=self._setup.lanes,
            new_alerts=self._setup.alerts,
            output=KafkaAlertOutput(producer, self._named),
            snapshots=KafkaSnapshots(producer, readers[2], self._named.state),
            mutes=lambda: settled(silences.book()),
            intervals=self._setup.receivers.intervals,
            clock=now,
            monotonic=time.monotonic,
            gauges=lag.gauges,
            policy=EvaluationPolicy(snapshot_every_s=settings.alerts.snapshot_every_s),
        )
        return AlertJobs(
            self._worker(settings.kafka.requests_topic, "count", counters[0]),
            self._worker(settings.kafka.signals_topic, "count-signals", counters[1]),
            self._worker(self._named.counts, "evaluate", evaluation),
            evaluation,
        )

    def _worker(self, topic: str, role: str, processor: Any) -> SinkWorker:
        chosen = member_settings(self._settings, topic, role)
        chosen = replace(chosen, kafka=replace(chosen.kafka, run_epoch=self._run_epoch))
        return SinkWorker(settings=chosen, processor=processor, clock=now)

    async def _work(self, jobs: AlertJobs) -> None:
        members: dict[str, SinkWorker | HistoryKeeping] = {**jobs.workers()}
        if self._history is not None:
            kafka = self._kafka(self._named.transitions, "history")
            members["history"] = HistoryKeeping(kafka, self._named, self._history)
        threads = [
            threading.Thread(target=self._run_member, args=(member,), name=f"inferometer-{role}")
            for role, member in members.items()
        ]
        for thread in threads:
            thread.start()
        try:
            await self._stopping.wait()
        finally:
            for member in members.values():
                member.request_stop()
            for thread in threads:
                await asyncio.to_thread(thread.join)

    def _run_member(self, member: SinkWorker | HistoryKeeping) -> None:
        try:
            asyncio.run(member.run())
        except BaseException as error:  # noqa: BLE001 - raised again by `run`
            self._fail(error)

    def _fail(self, error: BaseException) -> None:
        self._failure = self._failure or error
        self.request_stop()

    async def _notify(self, topics: NotificationTopics) -> None:
        receivers = self._setup.receivers.receivers
        sender = GuardedSender(clock_us=now_us)
        delivery = OwnedDelivery(
            receivers=receivers,
            ledger=topics,
            log=topics.attempts,
            sender=sender,
            clock_us=now_us,
        )
        follower = NoticeFollower(self._kafka(self._named.notices, "notify"), delivery)
        beats = Heartbeats(
            receivers=receivers.values(),
            sender=sender,
            clock_us=now_us,
            last_tick_us=self._last_tick_us,
        )
        try:
            await asyncio.gather(follower.run(self._stopping), beats.run(self._stopping))
        except (PipelineError, OSError) as error:
            self._fail(error)

    def _last_tick_us(self) -> int:
        """Return the oldest last tick of the partitions that are evaluated here."""
        boards = self.jobs.evaluation.boards().values() if self.jobs is not None else ()
        ticks = [board.reducer.last_tick_s or 0 for board, _lock in boards]
        return min(ticks, default=0) * _US

    @staticmethod
    async def _ended(task: asyncio.Task[None]) -> None:
        await task

    @contextlib.asynccontextmanager
    async def _serving(
        self, silences: KafkaSilenceStore, producer: AlertProducer, reader: PartitionReader
    ) -> Any:
        area = self._settings.alerts
        if not area.http_port or self.jobs is None:
            yield
            return
        token = area.http_token.reveal()
        boards = self.jobs.evaluation.boards
        others = OtherBoards(
            setup=self._setup,
            partitions=area.counts_partitions,
            own=lambda: boards().keys(),
            snapshots=KafkaSnapshots(producer, reader, self._named.state),
        )
        server = AlertsServer(
            host=area.http_host,
            port=area.http_port,
            access=AccessPolicy(tokens=(token,) if token else ()),
            store=silences,
            view=BoardsView(boards, self._setup.receivers, others.alerts),
            clock=now,
            version=__version__,
            config=config_text(self._setup.receivers),
            metrics=self._counters.text,
        )
        watch = Ticker("other-boards", READ_EVERY_S, others.read)
        await server.start()
        try:
            with watch:
                yield
        finally:
            await server.stop()


def run_alerts(settings: Settings, environ: Mapping[str, str]) -> None:
    """Count, evaluate and tell until SIGINT or SIGTERM; SIGHUP reads the files again.

    Raises ConfigError where there is nothing to evaluate, BrokerError and StateError where it is no
    use to go on.
    """
    store = settings.store
    history = store_settings(store) if store.url or store.data_dir is not None else None
    setup: AlertSetup | None = load_setup(settings, environ)
    while setup is not None:
        process = AlertProcess(settings, setup, history=history)
        setup = asyncio.run(_run(process, partial(load_setup, settings, environ)))


async def _run(process: AlertProcess, load: Callable[[], AlertSetup]) -> AlertSetup | None:
    """Run to the end; return what to go on with where the files were to be read again."""
    loop = asyncio.get_running_loop()
    loaded: list[AlertSetup] = []

    def reload() -> None:
        try:
            loaded.append(load())
        except ConfigError as error:
            logger.error("the old objectives and receivers stay: %s", error)  # noqa: TRY400 - said
        else:
            logger.info("objectives and receivers are read again")
            process.request_stop()

    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, process.request_stop)
    loop.add_signal_handler(signal.SIGHUP, reload)
    await process.run()
    return loaded[-1] if loaded else None
