"""What counts as an effective fault: from traces that are written by hand."""

from __future__ import annotations

from pathlib import Path
from typing import cast

from tests.faults.effects import Effects, observe, open_chunks
from tests.faults.fleet import Life
from tests.faults.trace import read_trace


def life(folder: Path, number: int, cause: str, lines: list[str], ended_s: float) -> Life:
    """Return a worker whose trace has these lines."""
    trace = folder / f"{number}.trace"
    trace.write_text("".join(f"{line}\n" for line in lines))
    made = Life(
        number=number,
        slot=number,
        trace=trace,
        log=folder / f"{number}.log",
        process=cast("object", None),  # type: ignore[arg-type]
        started_s=0.0,
        fate=folder / f"{number}.fate",
        instance_id="",
        chunk_events=10,
    )
    made.cause, made.ended_s = cause, ended_s
    return made


def seen(*lives: Life) -> Effects:
    return observe(list(lives), {}, [])


BEGUN = ["1.0 intent 0 10 19 4", "1.1 insert 0 10 19 requests", "1.2 stored 0 10 19 requests"]


def test_a_chunk_without_acknowledgement_is_open_at_the_kill(tmp_path: Path) -> None:
    effects = seen(life(tmp_path, 0, "kill", BEGUN, 2.0))
    assert (effects.kills, effects.kills_with_open_chunk) == (1, 1)


def test_an_acknowledged_chunk_is_not_open(tmp_path: Path) -> None:
    worker = life(tmp_path, 0, "kill", [*BEGUN, "1.3 done 0 20 -1 -"], 2.0)
    assert open_chunks(list(read_trace(worker.trace))) == set()
    assert seen(worker).kills_with_open_chunk == 0


def test_a_commit_that_only_repeats_the_position_closes_nothing(tmp_path: Path) -> None:
    worker = life(tmp_path, 0, "kill", [*BEGUN, "1.3 done 0 10 -1 -"], 2.0)
    assert seen(worker).kills_with_open_chunk == 1


def test_an_orderly_stop_is_no_kill(tmp_path: Path) -> None:
    assert seen(life(tmp_path, 0, "stop", BEGUN, 2.0)).kills == 0


def test_a_chunk_that_another_worker_begins_again_was_open_at_take_over(tmp_path: Path) -> None:
    again = [line.replace("1.", "3.") for line in BEGUN]
    effects = seen(
        life(tmp_path, 0, "kill", BEGUN, 2.0), life(tmp_path, 1, "stop", [*again, ""][:-1], 9.0)
    )
    assert effects.open_at_take_over == 1
    assert effects.chunks == 1
    assert (effects.inserts, effects.inserts_repeated, effects.tokens_met) == (2, 1, 1)


def test_a_retry_after_a_lost_answer_repeats_and_meets_nothing_known(tmp_path: Path) -> None:
    lines = [*BEGUN[:2], "1.2 failed 0 10 19 requests", *BEGUN[1:]]
    effects = seen(life(tmp_path, 0, "stop", lines, 9.0))
    assert (effects.inserts_failed, effects.inserts_repeated, effects.tokens_met) == (1, 1, 0)


def test_an_insert_by_a_worker_that_was_replaced_is_late(tmp_path: Path) -> None:
    effects = seen(
        life(tmp_path, 0, "stop", [*BEGUN, "5.0 insert 0 10 19 usage_1m_rows"], 9.0),
        life(tmp_path, 1, "stop", ["4.0 intent 0 10 19 5"], 9.0),
    )
    assert effects.late_inserts == 1
    assert effects.generations == 2


def test_the_step_of_a_death_is_counted(tmp_path: Path) -> None:
    effects = seen(life(tmp_path, 0, "step", [*BEGUN, "1.3 dying -1 -1 -1 after:intent"], 2.0))
    assert effects.kills_by_step == {"after:intent": 1}


def test_a_lone_kill_is_over_when_the_rate_is_back(tmp_path: Path) -> None:
    """A chunk of 10 every half second, a hole of 6 s after the kill at 20 s."""
    lines = []
    for number in range(160):
        at_s = number / 2
        if not 20.0 <= at_s < 26.0:
            first = number * 10
            lines.append(f"{at_s} stored 0 {first} {first + 9} chunk_ledger")
    effects = seen(life(tmp_path, 0, "kill", [], 20.0), life(tmp_path, 1, "stop", lines, 99.0))
    [recovery_s] = effects.recovery_s
    assert 5.0 <= recovery_s <= 8.5
    assert effects.longest_gap_s == 6.5


def test_a_kill_near_another_fault_measures_no_recovery(tmp_path: Path) -> None:
    lines = [f"{n} stored 0 {n * 10} {n * 10 + 9} chunk_ledger" for n in range(90)]
    lives = [life(tmp_path, 0, "kill", [], 20.0), life(tmp_path, 1, "stop", lines, 99.0)]
    assert observe(lives, {}, [30.0]).recovery_s == []
    assert observe(lives, {}, [80.0]).recovery_s == [0.0]
