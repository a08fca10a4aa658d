"""Reads a topic with Quix Streams, and sums windows in a dictionary or in its own state."""

from __future__ import annotations

import sys
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from quixstreams import Application
from quixstreams.dataframe.windows import Count, Sum

from tests.benchmarks.peers.speaking import Progress, say
from tests.benchmarks.peers.windows import WINDOW_US, Windows

if TYPE_CHECKING:
    from quixstreams import StreamingDataFrame

_SUMS = ("input_tokens", "output_tokens", "ttft_ms", "e2e_ms")
_US_PER_MS = 1000


def main(work: str, servers: str, topic: str, group: str, number: str, state: str) -> None:
    """Read so many events."""
    events = int(number)
    app = Application(
        broker_address=servers,
        consumer_group=group,
        auto_offset_reset="earliest",
        state_dir=state,
        use_changelog_topics=False,
        loglevel="ERROR",
        consumer_extra_config={
            "fetch.queue.backoff.ms": 10,
            "fetch.wait.max.ms": 50,
            "queued.min.messages": 20_000,
        },
    )
    source = app.topic(topic, value_deserializer="json", timestamp_extractor=_event_time)
    frame = app.dataframe(source)
    if work == "dictionary":
        counted = _dictionary(app, frame, events)
    else:
        counted = _tumbling(app, frame, events)
    say("counted", counted)


def _event_time(value: Any, _headers: Any, _timestamp: float, _kind: Any) -> int:
    return int(value["ts_end"] // _US_PER_MS)


def _dictionary(app: Application, frame: StreamingDataFrame, events: int) -> int:
    windows, progress = Windows(), Progress()

    def add(event: dict[str, Any]) -> None:
        windows.add(event)
        progress.add(1)
        if progress.events >= events:
            app.stop()

    frame.update(add)
    app.run()
    progress.say_last()
    return windows.counted


def _tumbling(app: Application, frame: StreamingDataFrame, events: int) -> int:
    counts: dict[tuple[Any, int], int] = {}
    progress = Progress()

    def note(result: dict[str, Any], key: Any, _timestamp: int, _headers: Any) -> None:
        counts[key, result["start"]] = result["count"]
        progress.add(1)
        if progress.events >= events:
            app.stop()

    grouped = frame.group_by(_group, name="group")
    window = grouped.tumbling_window(
        timedelta(microseconds=WINDOW_US), grace_ms=timedelta(hours=1)
    ).agg(count=Count(), **{name: Sum(name) for name in _SUMS})
    # Every event gives the window's new state, so each is seen once it is in.
    window.current().update(note, metadata=True)
    app.run()
    progress.say_last()
    return sum(counts.values())


def _group(event: dict[str, Any]) -> str:
    return f"{event['model']}|{event['status_code']}"


if __name__ == "__main__":
    main(*sys.argv[1:])
