"""The Faust app of the sink: one agent that hands fetches to `ChunkSink`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

import faust
from faust.app.base import BootStrategy
from faust.serializers.codecs import Codec
from faust.tables.manager import TableManager

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from inferometer.kafka.chunk_sink import ChunkSink
    from inferometer.kafka.settings import WorkerSettings
    from inferometer.kafka.stream_identity import StreamIdentity
    from inferometer.kafka.surroundings import Committer
    from inferometer.kafka.transport import BatchConsumer

STREAM_BUFFER_FETCHES = 16


class _AsFetched(Codec):
    """A value that is no bytes any more: what the transport made of a fetch."""

    def _loads(self, s: Any) -> Any:
        return s

    def _dumps(self, obj: Any) -> Any:
        return obj


class _SinkBoot(BootStrategy):
    """Consumer, conductor and agents; the sink produces nothing and serves no web page."""

    enable_kafka_producer = False
    enable_web = False


class NoTables(TableManager):
    """The tables of an app that has none; Faust's would wait for them for a second at each start."""

    async def on_start(self) -> None:
        """Go on at once: what comes of a rebalance goes through here."""
        await self._update_channels()
        await self.recovery.start()


class SinkApp(faust.App):
    """A Faust app with what the transport needs to find: settings, clock and sink."""

    BootStrategy = _SinkBoot

    worker_settings: WorkerSettings
    clock: Callable[[], datetime]
    sink: ChunkSink
    stream_identity: StreamIdentity

    @property
    def batch_consumer(self) -> BatchConsumer:
        """The consumer, as our transport makes it."""
        return cast("BatchConsumer", self.consumer)

    async def _producer_flush(self, _logger: Any) -> None:
        """Flush nothing: there is no producer."""

    def _create_directories(self) -> None:
        """Leave the disk alone: there are no tables."""


def build_app(
    *,
    settings: WorkerSettings,
    sink: ChunkSink,
    stream: StreamIdentity,
    clock: Callable[[], datetime],
    decorate: Callable[[Committer], Committer] = lambda committer: committer,
) -> SinkApp:
    """Return the app, not started; its consumer is the sink's committer."""
    app = SinkApp(
        settings.kafka.group,
        # Where the brokers are is in the settings; the address only names the transport.
        broker="inferometer://broker",
        store="memory://",
        TableManager=NoTables,
        autodiscover=False,
        topic_disable_leader=True,
        topic_allow_declare=False,
        # `wait_empty` of the consumer is ours: it lets running chunks end before a rejoin.
        stream_wait_empty=True,
        stream_recovery_delay=0.0,
        stream_buffer_maxsize=STREAM_BUFFER_FETCHES,
        broker_session_timeout=settings.session_timeout_s,
        broker_heartbeat_interval=settings.heartbeat_interval_s,
        logging_config=None,
    )
    app.worker_settings = settings
    app.clock = clock
    app.sink = sink
    app.stream_identity = stream
    topic = app.topic(
        settings.kafka.topic, value_serializer=_AsFetched(), acks=False, internal=False
    )

    @app.agent(topic, name="sink")
    async def sink_agent(fetches: Any) -> None:
        async for fetched in fetches:
            sink.take(fetched)

    sink.committer = decorate(app.batch_consumer)
    return app
