"""The pure halves of latency, burst, start, memory, scaling and profile, by closed forms."""

from __future__ import annotations

import math
import os
import socket
from typing import TYPE_CHECKING

import numpy as np
import pytest

from inferometer.core.chunks import StreamPartition
from inferometer.jobs.seen_events import SeenEvents
from inferometer.jobs.sink_policy import SinkPolicy
from inferometer.testing.stores import MemoryChunkStore
from tests.benchmarks import burst, core_profile, memory, scaling, start, watched_worker
from tests.benchmarks.capacity import Capacity, listener
from tests.benchmarks.open_loop import Phase, Values
from tests.benchmarks.stacks import (
    OTHER,
    Stack,
    by_thread,
    group_of,
    is_waiting,
    read_folded,
    without_machine,
)
from tests.benchmarks.timed_worker import STEPS, Stopwatch
from tests.benchmarks.visible import Sight, due_instants, freshness, latencies

if TYPE_CHECKING:
    from pathlib import Path

MIB = 1 << 20


def test_a_timetable_goes_on_where_its_phase_before_ended() -> None:
    due = due_instants((Phase(10.0, 1.0), Phase(2.0, 1.0)), 100.0)
    assert due.tolist() == pytest.approx([100 + n / 10 for n in range(10)] + [101.0, 101.5])


def test_an_event_is_visible_with_the_first_sight_that_counts_it() -> None:
    # Six events over two partitions: 0, 2, 4 and 1, 3, 5.
    due = due_instants((Phase(1.0, 6.0),), 0.0)
    sights = [Sight(10.0, {0: 1}), Sight(11.0, {0: 2, 1: 3}), Sight(12.0, {0: 3, 1: 3})]
    found = latencies(sights, due, partitions=2)
    assert found.tolist() == [10.0, 11.0 - 1, 11.0 - 2, 11.0 - 3, 12.0 - 4, 11.0 - 5]


def test_what_partitions_held_before_is_not_counted() -> None:
    due = due_instants((Phase(1.0, 2.0),), 0.0)
    sights = [Sight(5.0, {0: 7, 1: 8}), Sight(6.0, {0: 8, 1: 9})]
    found = latencies(sights, due, partitions=2, first_number=14, before={0: 7, 1: 8})
    assert found.tolist() == [6.0, 5.0]


def test_an_event_that_nobody_saw_has_no_latency() -> None:
    found = latencies([Sight(5.0, {0: 1})], due_instants((Phase(1.0, 2.0),), 0.0), partitions=1)
    assert found[0] == 5.0
    assert np.isnan(found[1])


def test_freshness_is_the_age_of_the_oldest_event_not_seen() -> None:
    due = due_instants((Phase(1.0, 4.0),), 0.0)
    sights = [Sight(3.5, {0: 2}), Sight(3.6, {0: 4}), Sight(0.5, {0: 1})]
    assert freshness(sights, due) == [(3.5, 1.5), (3.6, 0.0), (0.5, 0.0)]


def test_values_differ_in_id_and_end_when_they_are_due() -> None:
    values = Values(pool=3)
    first, again = values.value(1, 1_790_000_000_000_001), values.value(4, 1_790_000_000_000_002)
    assert b'"event_id":"00000001' in first
    assert b'"event_id":"00000004' in again
    assert b'"ts_end":1790000000000001,' in first
    assert b'"ts_end":1790000000000002,' in again
    assert first[-200:] == again[-200:]


def test_a_minute_in_six_seconds_takes_54_s_at_twice_the_rate() -> None:
    assert burst.expected_s(6.0) == pytest.approx(54.0)
    assert burst.expected_s(60.0) == pytest.approx(540.0)


def test_caught_up_is_when_freshness_stays_good() -> None:
    fresh = [(0.0, 0.1), (10.0, 9.0), (20.0, 0.5), (30.0, 3.0), (40.0, 0.4), (50.0, 0.2)]
    assert burst.caught_up_s(fresh, burst_at_s=5.0, burst_s=1.0, limit_s=1.0) == 35.0
    assert math.isinf(burst.caught_up_s(fresh[:4], burst_at_s=5.0, burst_s=1.0, limit_s=1.0))


def test_two_workers_that_cost_as_much_an_event_are_twice_as_fast_on_cores_of_their_own() -> None:
    found = {1: [Capacity(100, 10.0, 5.0, 1.0)], 2: [Capacity(100, 8.0, 5.0, 1.0)]}
    assert scaling.speedup_by_cpu(found) == pytest.approx(2.0)
    assert scaling.speedup_by_wall(found) == pytest.approx(10 / 8)


def test_what_small_chunks_cost_more_is_what_a_chunk_costs() -> None:
    plan = scaling.ScalingPlan(small_backlog=1_000)
    large = [Capacity(1_000, 1.0, 0.005, 0.010)]
    small = Capacity(500, 1.0, 0.0075, 0.015, chunks=10)
    # 100 events a chunk; worker 15 - 5 us, store 30 - 10 us an event more.
    assert scaling.chunk_costs_ms(large, small, plan) == pytest.approx((1.0, 2.0))


def test_the_process_that_listens_is_found_by_its_port() -> None:
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        assert listener(server.getsockname()[1]) == 0
        server.listen()
        assert listener(server.getsockname()[1]) == os.getpid()


def test_the_parts_of_memory_sum_to_the_whole() -> None:
    fullest = {
        "resident": 900.0 * MIB, "anonymous": 700.0 * MIB, "mapped_files": 200.0 * MIB,
        "arrow_pool": 100.0 * MIB, "hashes": 160.0 * MIB, "malloc_free": 60.0 * MIB,
    }  # fmt: skip
    first = {"anonymous": 150.0 * MIB, "malloc_free": 10.0 * MIB}
    found = memory.Memory(
        horizon=20, groups=10, events_per_s=1.0, peak=0.0, peak_recalling=0.0, in_flight=0.0,
        first=first, recalled=fullest, fullest=fullest,
    )  # fmt: skip
    parts = memory.composition(found)
    assert sum(size for _name, size in parts) == pytest.approx(900.0 * MIB)
    assert parts[-1][1] == pytest.approx((900 - 200 - 150 - 160 - 100 - 50) * MIB)


def test_the_hashes_of_every_partition_are_found_among_the_objects() -> None:
    before = watched_worker._hashes()
    kept = []
    for partition in range(2):
        source = StreamPartition("t", partition, "s")
        seen = SeenEvents(MemoryChunkStore(), SinkPolicy(), source, 2)
        seen._horizon.add(np.arange(5, dtype=np.uint64), last_offset=4)
        kept.append(seen)
    assert watched_worker._hashes() - before == 2 * 5 * 8
    assert watched_worker.sample(80.0)["resident"] > 0


def test_imports_are_ranked_by_package() -> None:
    output = (
        "import time: self [us] | cumulative | imported package\n"
        "import time:       100 |        100 |     numpy.core\n"
        "import time:       500 |     900000 |   numpy\n"
        "import time:       100 |    2000000 | numba\n"
        "import time:        10 |    3000000 | inferometer.runtime.worker\n"
    )
    assert [each.name for each in start.read_imports(output)] == [
        "inferometer.runtime.worker",
        "numba",
        "numpy",
    ]


def test_steps_of_a_start_are_counted_from_the_making_of_the_process() -> None:
    lines: list[dict[str, object]] = [
        {"step": "b", "from_s": 12.0, "to_s": 13.0, "cpu_from_s": 1.0, "cpu_to_s": 1.5},
        {"step": "a", "from_s": 10.5, "to_s": 11.0, "cpu_from_s": 0.1, "cpu_to_s": 0.4},
    ]
    steps = start.read_steps(lines, spawned_at=10.0)
    assert [step.name for step in steps] == ["a", "b"]
    assert steps[1].from_s == 2.0
    assert steps[1].cpu_s == 0.5


@pytest.mark.parametrize(("step", "module", "name"), STEPS)
def test_every_step_that_the_stopwatch_times_is_there(
    step: str, module: str, name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import importlib

    home = importlib.import_module(module)
    *path, last = name.split(".")
    for part in path:
        home = getattr(home, part)
    # Put back what the stopwatch is about to replace.
    monkeypatch.setattr(home, last, home.__dict__[last])
    assert Stopwatch(tmp_path / "times").put_around(step, module, name)


def stack(*frames: str, thread: str = "t", samples: int = 1) -> Stack:
    return Stack(thread, frames, samples)


@pytest.mark.parametrize(
    ("frames", "group"),
    [
        (("run (inferometer/jobs/process_chunk.py)",), "job, between the steps"),
        (
            ("run (inferometer/jobs/process_chunk.py)", "decode (inferometer/core/decoder.py)"),
            "decode and judge",
        ),
        (
            ("decode (inferometer/core/decoder.py)", "unique (site-packages/numpy/lib/x.py)"),
            "decode and judge",
        ),
        (
            ("_insert (inferometer/clickhouse/store.py)", "_to_arrow_stream (inferometer/clickhouse/store.py)"),
            "serialise for the store",
        ),
        (("f (site-packages/unknown/x.py)",), OTHER),
    ],
)  # fmt: skip
def test_a_sample_belongs_to_the_innermost_frame_that_has_a_group(
    frames: tuple[str, ...], group: str
) -> None:
    assert group_of(stack(*frames)) == group


def test_folded_stacks_are_read_with_their_thread() -> None:
    text = "thread (0x7f): inferometer-chunk_0;run (a.py:1);step (b.py:2) 12\nbroken\n"
    (found,) = read_folded(text)
    assert found == Stack("inferometer-chunk_0", ("run (a.py:1)", "step (b.py:2)"), 12)
    assert by_thread([found]) == {"inferometer-chunk": 12}


def test_a_thread_in_a_select_waits() -> None:
    assert is_waiting(stack("run (asyncio/base_events.py:1)", "select (selectors.py:468)"))
    assert not is_waiting(stack("decode (inferometer/core/decoder.py:1)"))


def test_no_folder_of_the_machine_stays_in_a_stack() -> None:
    given = "f (/srv/x/site-packages/numpy/a.py:1);g (/opt/y/pipeline/inferometer/b.py:2) 1"
    assert (
        without_machine(given) == "f (site-packages/numpy/a.py:1);g (pipeline/inferometer/b.py:2) 1"
    )


def test_a_report_of_perf_is_read_by_library() -> None:
    output = "# Overhead  Shared Object\n    42.30%  [JIT] tid 12\n    10.40%  [kernel.kallsyms]\n"
    shares = dict(core_profile.read_perf(output))
    assert list(shares) == ["compiled kernels (numba)", "the kernel"]
    assert list(shares.values()) == pytest.approx([0.423, 0.104])
