"""Holds the store against the oracle: log, roll-ups, dead letters, ledger; by SQL, nothing else."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import clickhouse_connect
import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from tests.faults import oracle
from tests.faults.oracle import RELATIONS, SKETCHES, VALUES, Relation, Sums
from tests.faults.sent import Sent, is_same_poison
from tests.faults.topic import TopicContent, parse_ids
from tests.faults.traffic import STATUSES, Columns

if TYPE_CHECKING:
    from clickhouse_connect.driver.client import Client

Integers = NDArray[np.int64]

DATABASE = "inferometer"
MAX_EXAMPLES = 8
SLICE_GROUPS = 150_000

_MEASURES = (
    "attempts", "requests", "successes", "errors_4xx", "rate_limited", "client_aborted",
    "errors_5xx", "errors_other", "input_tokens", "output_tokens", "uncached_input_tokens",
    "cache_read_tokens", "cache_write_5m_tokens", "cache_write_1h_tokens", "audio_input_tokens",
    "image_input_tokens", "video_input_tokens", "text_output_tokens", "reasoning_tokens",
    "audio_output_tokens", "image_output_tokens", "images", "characters", "audio_out_us",
    "audio_in_us", "video_us", "gpu_us", "egress_bytes", "cold_starts", "cache_hits",
    "deadlines_missed", "unpriced_requests", "partially_priced_requests",
    *(
        f"{name}_{what}"
        for name in ("queue", "ttft", "ttfa", "prefill", "decode", "e2e", "tpot", "itl")
        for what in ("us_sum", "count")
    ),
)  # fmt: skip
_PICO = "1000000000000"


@dataclass(slots=True)
class Verdict:
    """What one table holds, against what it must hold."""

    name: str
    expected: int
    found: int
    lost: int = 0
    doubled: int = 0
    wrong: int = 0
    """Groups, rows or chunks that are there and say something else."""
    groups: int = 0
    examples: list[str] = field(default_factory=list)

    @property
    def is_exact(self) -> bool:
        """Whether nothing is lost, doubled or wrong."""
        return not (self.lost or self.doubled or self.wrong) and self.expected == self.found

    def note(self, example: str) -> None:
        """Keep an example of what is off."""
        if len(self.examples) < MAX_EXAMPLES:
            self.examples.append(example)


def open_store(port: int) -> Client:
    """Return a client of the store itself, around the proxy."""
    return clickhouse_connect.get_client(
        host="127.0.0.1", port=port, database=DATABASE, autogenerate_session_id=False,
        send_receive_timeout=600,
    )  # fmt: skip


def verify(client: Client, sent: Sent, content: TopicContent) -> list[Verdict]:
    """Return a verdict for the topic and each table."""
    events = sent.columns
    places = _places(events, content)
    return [
        _topic(events, content, places),
        _poison(sent, content),
        _log(client, events, content, places),
        *(_rollup(client, oracle.expected(events, relation), relation) for relation in RELATIONS),
        _dead_letters(client, content),
        _ledger(client, content),
    ]


def _row_of(sent: Columns, producers: Integers, numbers: Integers) -> Integers:
    """Return the row of each event in `sent`; -1 for one that nobody sent."""
    counts = np.bincount(sent.producer, minlength=100)
    starts = np.concatenate(([0], np.cumsum(counts)))[:100]
    known = (producers >= 0) & (producers < len(counts)) & (numbers >= 0)
    safe = np.where(known, producers, 0)
    known &= numbers < counts[safe]
    return np.where(known, starts[safe] + numbers, -1)


def _places(sent: Columns, content: TopicContent) -> Integers:
    """Return the partition of each event that was sent; -1 where the topic does not hold it."""
    rows = _row_of(sent, content.producers, content.numbers)
    places = np.full(len(sent), -1, np.int64)
    places[rows[rows >= 0]] = content.partitions[rows >= 0]
    return places


def _topic(sent: Columns, content: TopicContent, places: Integers) -> Verdict:
    """The producers' side: each event that was handed to the SDK is in the topic."""
    rows = _row_of(sent, content.producers, content.numbers)
    verdict = Verdict("topic", len(sent), int((places >= 0).sum()))
    verdict.lost = int((places < 0).sum())
    verdict.wrong = int((rows < 0).sum())
    for row in np.flatnonzero(places < 0)[:MAX_EXAMPLES].tolist():
        verdict.note(f"producer {sent.producer[row]} event {sent.number[row]} is not in the topic")
    strays = content.partitions[rows >= 0] != places[rows[rows >= 0]]
    verdict.wrong += int(strays.sum())
    return verdict


def _poison(sent: Sent, content: TopicContent) -> Verdict:
    """Each poisonous record that was handed to the SDK is in the topic, with its bytes."""
    found = {
        key for place, key in content.poison_keys.items()
        if is_same_poison(sent.poison.get(key, b""), content.poison[place])
    }  # fmt: skip
    verdict = Verdict("topic, poison", len(sent.poison), len(found & sent.poison.keys()))
    for key in sorted(sent.poison.keys() - found):
        verdict.lost += 1
        verdict.note(f"{key.decode()} is not in the topic as it was sent")
    return verdict


_LOG_SQL = f"""
SELECT
    event_id,
    kafka_partition AS partition,
    kafka_offset AS offset,
    kafka_index AS place,
    toUnixTimestamp64Micro(ts_end) AS ts_end,
    status_code AS status,
    toInt64(is_final) AS is_final,
    input_tokens, output_tokens, uncached_input_tokens, cache_read_tokens AS cache_read,
    reasoning_tokens AS reasoning, images,
    ifNull(toInt64(queue_ms * 1000), -1) AS queue_us,
    ifNull(toInt64(ttft_ms * 1000), -1) AS ttft_us,
    ifNull(toInt64(e2e_ms * 1000), -1) AS e2e_us,
    ifNull(toInt64(tpot_ms * 1000), -1) AS tpot_us,
    toInt64(toDecimal128(price_cost, 12) * {_PICO}) AS cost,
    toInt64(gpu_seconds * 1000000) AS gpu_us,
    egress_bytes
FROM requests
WHERE kafka_partition = {{partition:UInt32}}
"""


def _log(client: Client, sent: Columns, content: TopicContent, places: Integers) -> Verdict:
    """Each event once, in its partition, with its values; and no value of another."""
    verdict = Verdict("requests", len(sent), 0)
    wanted = {
        "partition": places, "ts_end": sent.ts_end, "status": np.array(STATUSES)[sent.status],
        "is_final": sent.is_final, "input_tokens": sent.input_tokens,
        "output_tokens": sent.output_tokens, "cache_read": sent.cache_read,
        "uncached_input_tokens": sent.input_tokens - sent.cache_read - sent.cache_write,
        "reasoning": sent.reasoning, "images": sent.images, "queue_us": sent.queue_us,
        "ttft_us": sent.ttft_us, "e2e_us": sent.e2e_us, "tpot_us": oracle.tpot_us(sent),
        "cost": oracle.pico_dollars(sent), "gpu_us": sent.gpu_us,
        "egress_bytes": sent.egress_bytes,
    }  # fmt: skip
    times = np.zeros(len(sent), np.int64)
    for partition in content.ends:
        found = client.query_arrow(_LOG_SQL, parameters={"partition": partition})
        if found.num_rows == 0:
            continue
        ids = np.array(found["event_id"].to_pylist(), "S").astype("S20")
        rows = _row_of(sent, *parse_ids(ids))
        verdict.found += len(rows)
        verdict.wrong += int((rows < 0).sum())
        known = np.flatnonzero(rows >= 0)
        np.add.at(times, rows[known], 1)
        off = np.zeros(len(known), np.bool_)
        for name, values in wanted.items():
            differs = _integers(found[name])[known] != values[rows[known]]
            if differs.any():
                place = int(np.flatnonzero(differs)[0])
                verdict.note(f"{name} of {ids[known[place]].decode()} in {partition} differs")
            off |= differs
        verdict.wrong += int(off.sum())
    verdict.lost = int((times == 0).sum())
    verdict.doubled = int(np.maximum(times - 1, 0).sum())
    for row in np.flatnonzero(times != 1)[:MAX_EXAMPLES].tolist():
        ident = oracle_id(sent, row)
        verdict.note(f"{ident} of partition {places[row]} is there {times[row]} times")
    return verdict


def oracle_id(sent: Columns, row: int) -> str:
    """Return the event id of a row."""
    return f"e{sent.producer[row]:02d}-{sent.number[row]:016d}"


def _integers(column: pa.ChunkedArray) -> Integers:
    found: Integers = np.asarray(column.combine_chunks()).astype(np.int64)
    return found


def _rollup(client: Client, wanted: Sums, relation: Relation) -> Verdict:
    found = _stored(client, wanted, relation)
    nothing = np.zeros(0, np.int64)
    keys = np.union1d(wanted.keys, found.keys)
    verdict = Verdict(relation.table, 0, 0, groups=len(wanted.keys))
    off = np.zeros(len(keys), np.bool_)
    for name in sorted({*wanted.measures, *found.measures}):
        here = _spread(keys, wanted, wanted.measures.get(name, nothing))
        there = _spread(keys, found, found.measures.get(name, nothing))
        differs = here != there
        if name == "attempts":
            verdict.expected, verdict.found = int(here.sum()), int(there.sum())
            verdict.lost = int(np.maximum(here - there, 0).sum())
            verdict.doubled = int(np.maximum(there - here, 0).sum())
        for place in np.flatnonzero(differs)[:2].tolist():
            verdict.note(
                f"{name}: {there[place]} instead of {here[place]} at "
                f"{oracle.describe(int(keys[place]), relation)}"
            )
        off |= differs
    verdict.wrong = int(off.sum())
    return verdict


def _spread(keys: Integers, sums: Sums, values: Integers) -> Integers:
    """Return the values of a measure at all keys, zero where there is no group."""
    result = np.zeros(len(keys), np.int64)
    if len(values):
        result[np.searchsorted(keys, sums.keys)] = values
    return result


def _stored(client: Client, wanted: Sums, relation: Relation) -> Sums:
    """Return what a relation holds, every measure of every group, slice by slice of windows."""
    columns = {
        **{name: f"sum({name})" for name in _MEASURES},
        "cost_usd": f"toInt64(sum(cost_usd) * {_PICO})",
        **{f"{name}_bins": f"sum(arraySum(mapValues({name}_bins)))" for name in SKETCHES},
        **{f"{name}_print": oracle.fingerprint_sql(f"{name}_bins") for name in SKETCHES},
    }
    dimensions = ", ".join(relation.dimensions)
    selected = ", ".join(f"{text} AS found_{name}" for name, text in columns.items())
    parts = []
    for low, high in _slices(wanted, relation):
        found = client.query_arrow(
            f"SELECT toUnixTimestamp(window_start) AS starts_s, {dimensions}, {selected} "
            f"FROM {relation.table} "
            f"WHERE window_start >= toDateTime({low}, 'UTC') "
            f"AND window_start < toDateTime({high}, 'UTC') "
            f"GROUP BY window_start, {dimensions}"
        )
        parts.append(_as_sums(found, relation, columns))
    keys = np.concatenate([part.keys for part in parts])
    order = np.argsort(keys)
    measures = {
        name: np.concatenate([part.measures[name] for part in parts])[order] for name in columns
    }
    return Sums(keys[order], {name: values for name, values in measures.items() if values.any()})


def _slices(wanted: Sums, relation: Relation) -> Iterator[tuple[int, int]]:
    """Yield spans of windows, seconds since 1970, that cover all time."""
    per_window = int(np.prod([len(VALUES[name]) + 1 for name in relation.dimensions]))
    windows = wanted.keys // per_window
    cuts = windows[SLICE_GROUPS::SLICE_GROUPS] * relation.window_s
    edges = [0, *dict.fromkeys(cuts.tolist()), 2**32 - 1]
    yield from itertools.pairwise(edges)


def _as_sums(found: pa.Table, relation: Relation, columns: Mapping[str, str]) -> Sums:
    windows = _integers(found["starts_s"]) // relation.window_s
    places = [_codes(found[name], VALUES[name]) for name in relation.dimensions]
    measures = {
        name: np.asarray(found[f"found_{name}"].combine_chunks()).astype(np.uint64).view(np.int64)
        for name in columns
    }
    return Sums(oracle.pack(windows, places, relation.dimensions), measures)


def _codes(column: pa.ChunkedArray, values: tuple[str, ...]) -> Integers:
    """Return the place of each value; one past the last for a value that nobody sent."""
    encoded = column.combine_chunks().cast(pa.string()).dictionary_encode()
    known = {value: place for place, value in enumerate(values)}
    places = [known.get(text, len(values)) for text in encoded.dictionary.to_pylist()]
    found: Integers = np.array(places or [0], np.int64)[np.asarray(encoded.indices)]
    return found


def _dead_letters(client: Client, content: TopicContent) -> Verdict:
    """Exactly the poison, by partition, offset, index and bytes."""
    result = client.query(
        "SELECT kafka_partition, kafka_offset, kafka_index, hex(value), reason FROM dead_letters"
    )
    verdict = Verdict("dead_letters", len(content.poison), len(result.result_rows))
    seen: set[tuple[int, int, int]] = set()
    for partition, offset, index, value, reason in result.result_rows:
        place = (partition, offset, index)
        where = f"{partition}/{offset}/{index}"
        if place not in content.poison:
            verdict.wrong += 1
            verdict.note(f"{where} is no poison ({reason})")
        elif place in seen:
            verdict.doubled += 1
            verdict.note(f"{where} is there again")
        elif not is_same_poison(content.poison[place], bytes.fromhex(value)):
            verdict.wrong += 1
            verdict.note(f"{where} has other bytes")
        seen.add(place)
    for partition, offset, index in sorted(content.poison.keys() - seen):
        verdict.lost += 1
        verdict.note(f"{partition}/{offset}/{index} is missing")
    return verdict


def _ledger(client: Client, content: TopicContent) -> Verdict:
    """Each record of the topic in exactly one chunk, and the chunks' own counts add up."""
    rows = client.query(
        "SELECT kafka_partition, first_offset, last_offset, records, events, stored, dead, "
        "duplicates FROM chunk_ledger ORDER BY kafka_partition, first_offset"
    ).result_rows
    verdict = Verdict("chunk_ledger", content.records, sum(row[3] for row in rows))
    verdict.groups = len(rows)
    distinct = len(np.unique(content.producers * 10**16 + content.numbers))
    wanted = {
        "events": content.events, "stored": distinct, "dead": len(content.poison),
        "duplicates": len(content.numbers) - distinct,
    }  # fmt: skip
    for place, name in enumerate(wanted, start=4):
        total = sum(row[place] for row in rows)
        if total != wanted[name]:
            verdict.wrong += 1
            verdict.note(f"{name}: {total} instead of {wanted[name]}")
    ends: dict[int, int] = {}
    for partition, first, last, *_ in rows:
        if first < ends.get(partition, 0):
            verdict.doubled += 1
            verdict.note(f"chunk {first}-{last} of partition {partition} overlaps one before it")
        ends[partition] = max(ends.get(partition, 0), last + 1)
    for partition, end in content.ends.items():
        verdict.lost += max(0, end - ends.get(partition, 0))
    return verdict


def deduplicated_blocks(client: Client) -> int:
    """Return how many inserted blocks the store found to be there already, since it was started."""
    rows = client.query(
        "SELECT value FROM system.events WHERE event = 'DuplicatedInsertedBlocks'"
    ).result_rows
    return int(rows[0][0]) if rows else 0
