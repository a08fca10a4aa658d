"""From the one configuration to what each room wants to be told."""

from __future__ import annotations

from dataclasses import asdict, replace
from datetime import timedelta
from typing import TYPE_CHECKING

from inferometer.clickhouse.settings import Retention, StoreSettings
from inferometer.core.dimension_caps import CapPolicy
from inferometer.jobs.sink_policy import SinkPolicy
from inferometer.kafka.settings import KafkaSettings, WorkerSettings
from inferometer.prices import load_book

if TYPE_CHECKING:
    from pathlib import Path

    from inferometer.config import Settings
    from inferometer.config.areas import PriceConfig, StoreConfig
    from inferometer.core.price_book import PriceBook


def store_settings(area: StoreConfig, *, data_dir: Path | None = None) -> StoreSettings:
    """Return the store that the configuration names, or the embedded one of a folder."""
    chosen = StoreSettings(
        data_dir=area.data_dir,
        url=area.url,
        database=area.database,
        user=area.user,
        password=area.password.reveal(),
        replicated=area.replicated,
        retention=Retention(
            requests_days=area.requests_retention_days,
            rollup_10s_days=area.rollup_10s_retention_days,
            rollup_1m_days=area.rollup_1m_retention_days,
            rollup_1h_days=area.rollup_1h_retention_days,
            dead_letters_days=area.dead_letters_retention_days,
            ledger_days=area.ledger_retention_days,
            watermarks_days=area.watermarks_retention_days,
            alerts_days=area.alerts_retention_days,
        ),
    )
    if data_dir is None:
        return chosen
    return replace(chosen, data_dir=data_dir, url="", replicated=False)


def sink_policy(settings: Settings, *, watermark_bound: timedelta | None = None) -> SinkPolicy:
    """Return how the sink judges time; the door keeps what the log keeps."""
    worker = settings.worker
    return SinkPolicy(
        retention=timedelta(days=settings.store.requests_retention_days),
        future_tolerance=timedelta(seconds=worker.future_tolerance_s),
        watermark_bound=watermark_bound
        if watermark_bound is not None
        else timedelta(seconds=worker.watermark_bound_s),
        dedupe_horizon=timedelta(seconds=worker.dedupe_horizon_s),
        dedupe_max_events=worker.dedupe_max_events,
        caps=CapPolicy.by_name(asdict(settings.cardinality)),
    )


def worker_settings(settings: Settings) -> WorkerSettings:
    """Return how a worker reaches the broker and cuts chunks."""
    kafka, worker = settings.kafka, settings.worker
    return WorkerSettings(
        kafka=KafkaSettings(
            bootstrap_servers=kafka.bootstrap_servers,
            group=kafka.group,
            topic=kafka.requests_topic,
            instance_id=kafka.instance_id,
            security=kafka.security(),
        ),
        chunk_max_events=worker.chunk_max_events,
        chunk_max_bytes=worker.chunk_max_bytes,
        chunk_min_wait_s=worker.chunk_min_wait_s,
        chunk_max_wait_s=worker.chunk_max_wait_s,
        chunk_threads=worker.chunk_threads,
        max_bytes_in_flight=worker.in_flight_max_bytes,
    )


def price_book(area: PriceConfig) -> PriceBook:
    """Return the shipped prices under the overlay of the configuration."""
    files = () if area.overlay_file is None else (area.overlay_file,)
    return load_book(files, with_shipped=area.source != "none")
