"""Sums a topic in windows of 10 s by Flink SQL; runs in Flink's own Python environment."""

from __future__ import annotations

import json
import re
import socket
import sys
import threading
from http.client import HTTPException
from pathlib import Path
from typing import Any
from urllib.parse import quote
from urllib.request import urlopen

from pyflink.common import Configuration
from pyflink.table import EnvironmentSettings, TableEnvironment

# Each answer costs the engine some 8 ms of CPU, which count as its own work.
_POLL_S = 0.5
_SAID_EVERY_MS = 200
_SUMMED = re.compile(r"\.(Local)?WindowAggregate\[\d+\]\.numRecordsIn$")
_HTTP_TIMEOUT_S = 5.0
_EVENTS_COLUMN = 3
_END = threading.Event()
_SAYING = threading.Lock()

_SUMS = """
    COUNT(*) AS events, SUM(input_tokens) AS input_tokens, SUM(output_tokens) AS output_tokens,
    SUM(ttft_ms) AS ttft_ms, SUM(e2e_ms) AS e2e_ms
"""
_PERCENTILES = """
    , PERCENTILE(ttft_ms, ARRAY[0.5, 0.95, 0.99]) AS ttft_percentiles,
    PERCENTILE(e2e_ms, ARRAY[0.5, 0.95, 0.99]) AS e2e_percentiles
"""
_TABLE = """
CREATE TABLE requests (
    ts_end BIGINT, model STRING, status_code INT, input_tokens BIGINT, output_tokens BIGINT,
    ttft_ms DOUBLE, e2e_ms DOUBLE,
    ended_at AS TO_TIMESTAMP_LTZ(ts_end / 1000, 3),
    WATERMARK FOR ended_at AS ended_at - INTERVAL '5' SECOND
) WITH (
    'connector' = 'kafka',
    'topic' = '{topic}',
    'properties.bootstrap.servers' = '{servers}',
    'properties.group.id' = '{group}',
    'properties.max.poll.records' = '10000',
    'properties.max.partition.fetch.bytes' = '8388608',
    'properties.fetch.max.wait.ms' = '50',
    'scan.startup.mode' = 'earliest-offset',
    'scan.bounded.mode' = 'latest-offset',
    'format' = 'json'
)
"""
_QUERY = """
SELECT window_start, model, status_code, {aggregates}
FROM TABLE(TUMBLE(TABLE requests, DESCRIPTOR(ended_at), INTERVAL '10' SECOND))
GROUP BY window_start, window_end, model, status_code
"""


def main(given: dict[str, Any]) -> None:
    """Run the query over the whole topic; its rows come here and are counted."""
    port = _free_port()
    table = TableEnvironment.create(
        EnvironmentSettings.new_instance()
        .in_streaming_mode()
        .with_configuration(_configuration(given, port))
        .build()
    )
    table.execute_sql(
        _TABLE.format(topic=given["topic"], servers=given["servers"], group=given["group"])
    )
    aggregates = _SUMS + (_PERCENTILES if given["percentiles"] else "")
    threading.Thread(target=_follow, args=(f"http://127.0.0.1:{port}",), daemon=True).start()
    result = table.execute_sql(_QUERY.format(aggregates=aggregates))
    counted = 0
    with result.collect() as rows:
        for row in rows:
            counted += row[_EVENTS_COLUMN]
    _END.set()
    with _SAYING:
        _say("progress", counted)
        _say("counted", counted)


def _configuration(given: dict[str, Any], port: int) -> Configuration:
    configuration = Configuration()
    folder = Path(given["folder"])
    for key, value in {
        **given["settings"],
        "pipeline.jars": f"file://{given['connector']}",
        "execution.checkpointing.dir": f"file://{folder / 'checkpoints'}",
        "io.tmp.dirs": str(folder),
        "rest.bind-address": "127.0.0.1",
        "rest.bind-port": str(port),
        "metrics.fetcher.update-interval": str(_SAID_EVERY_MS),
    }.items():
        configuration.set_string(key, value)
    return configuration


def _follow(address: str) -> None:
    """Say how many events are in windows, until the end, by the engine's own metric."""
    found, most = "", 0
    while not _END.wait(_POLL_S):
        try:
            found = found or _metric(address)
            value = int(_get(found)[0]["value"]) if found else 0
        except (OSError, HTTPException, LookupError, ValueError):
            continue
        with _SAYING:
            # Two of the engine's answers may overtake one another.
            if value > most and not _END.is_set():
                most = value
                _say("progress", value)


def _metric(address: str) -> str:
    """Return the address of how many events the first aggregation has taken; at first there is none."""
    job = _get(f"{address}/jobs")["jobs"][0]["id"]
    for vertex in _get(f"{address}/jobs/{job}")["vertices"]:
        metrics = f"{address}/jobs/{job}/vertices/{vertex['id']}/metrics"
        for metric in _get(metrics):
            if _SUMMED.search(metric["id"]):
                return f"{metrics}?get={quote(metric['id'])}"
    return ""


def _get(address: str) -> Any:
    with urlopen(address, timeout=_HTTP_TIMEOUT_S) as answer:
        return json.load(answer)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _say(word: str, value: object) -> None:
    sys.stdout.write(f"{word} {value}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main(json.loads(sys.argv[1]))
