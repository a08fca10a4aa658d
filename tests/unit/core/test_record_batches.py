"""The record batch reader against aiokafka's own builder and parser."""

from __future__ import annotations

import struct

import cramjam
import numpy as np
import pytest
from aiokafka.record._crc32c import crc as reference_crc32c
from aiokafka.record.default_records import DefaultRecordBatchBuilder
from aiokafka.record.legacy_records import LegacyRecordBatchBuilder
from aiokafka.record.memory_records import MemoryRecords
from hypothesis import given, settings
from hypothesis import strategies as st

from inferometer.core.batch_kernel import LOG_APPEND_TIME, gather, walk
from inferometer.core.crc32c import crc32c, crc32c_by_tables
from inferometer.core.record_batches import (
    CONTROL,
    TRANSACTIONAL,
    compile_reader,
    read_record_set,
)
from inferometer.core.records import ContentType, content_type_of
from inferometer.errors import DecodeError

COMPRESSIONS = {"none": 0, "gzip": 1, "snappy": 2, "lz4": 3, "zstd": 4}
NO_PRODUCER = -1


def batch(
    values: list[tuple[bytes | None, bytes | None, list[tuple[str, bytes | None]]]],
    *,
    base_offset: int = 0,
    compression: str = "none",
    attributes: int = 0,
    producer_id: int = NO_PRODUCER,
    base_time: int = 1_000,
) -> bytes:
    """Build one batch with aiokafka, then set what its builder cannot."""
    builder = DefaultRecordBatchBuilder(
        magic=2,
        compression_type=COMPRESSIONS[compression],
        is_transactional=0,
        producer_id=producer_id,
        producer_epoch=0,
        base_sequence=0,
        batch_size=1 << 30,
    )
    for index, (key, value, headers) in enumerate(values):
        builder.append(index, timestamp=base_time + index, key=key, value=value, headers=headers)
    return patched(bytes(builder.build()), base_offset=base_offset, attributes=attributes)


def patched(data: bytes, *, base_offset: int, attributes: int) -> bytes:
    """Set base offset and further attribute bits, and the checksum that goes with them."""
    body = bytearray(data)
    struct.pack_into(">q", body, 0, base_offset)
    (old,) = struct.unpack_from(">h", body, 21)
    struct.pack_into(">h", body, 21, old | attributes)
    struct.pack_into(">I", body, 17, reference_crc32c(bytes(body[21:])))
    return bytes(body)


def control(offset: int, *, producer_id: int, control_type: int) -> bytes:
    key = struct.pack(">hh", 0, control_type)
    return batch(
        [(key, b"\x00" * 6, [])],
        base_offset=offset,
        producer_id=producer_id,
        attributes=CONTROL | TRANSACTIONAL,
    )


def plain(*values: bytes | None, **options: object) -> bytes:
    return batch([(None, value, []) for value in values], **options)  # type: ignore[arg-type]


texts = st.binary(max_size=40) | st.none()
headers = st.lists(
    st.tuples(st.text(st.characters(max_codepoint=127), max_size=14), texts), max_size=3
)
records = st.tuples(texts, texts, headers)
batches = st.lists(
    st.tuples(st.lists(records, min_size=1, max_size=8), st.sampled_from(sorted(COMPRESSIONS))),
    min_size=1,
    max_size=5,
)


@pytest.mark.parametrize("compression", ["none", "lz4"])
def test_nothing_but_values_stays_in_memory(compression: str) -> None:
    values = [bytes([65 + number]) * 100 for number in range(20)]
    data = batch([(b"k" * 400, value, []) for value in values], compression=compression)
    read = read_record_set(data, start_offset=0)
    assert [read.records.value(index) for index in range(20)] == values
    assert len(read.records.buffer) == read.records.size_bytes == 2_000


@pytest.mark.parametrize("compression", sorted(COMPRESSIONS))
def test_a_compression_compiles_no_kernel_anew(compression: str) -> None:
    compile_reader()
    before = [len(kernel.signatures) for kernel in (walk, gather)]
    read_record_set(plain(b"one", b"two", compression=compression), start_offset=0)
    assert [len(kernel.signatures) for kernel in (walk, gather)] == before


@given(batches=batches, skip=st.integers(0, 12), cut=st.integers(0, 60))
@settings(max_examples=150, deadline=None)
def test_records_are_those_that_aiokafka_reads(
    batches: list[
        tuple[list[tuple[bytes | None, bytes | None, list[tuple[str, bytes | None]]]], str]
    ],
    skip: int,
    cut: int,
) -> None:
    offset, built = 5, []
    for values, compression in batches:
        built.append(
            batch(values, base_offset=offset, compression=compression, base_time=offset * 7)
        )
        offset += len(values)
    data = b"".join(built)
    # A cut off tail of a further batch, as a fetch limit leaves it.
    data += plain(b"never seen", base_offset=offset)[:cut]
    start = 5 + skip

    expected = []
    reader = MemoryRecords(data)
    while reader.has_next():
        expected += [record for record in reader.next_batch() if record.offset >= start]
    read = read_record_set(data, start_offset=start)

    assert read.records.offsets.tolist() == [record.offset for record in expected]
    assert read.records.append_times_ms.tolist() == [record.timestamp for record in expected]
    assert [read.records.value(index) for index in range(len(expected))] == [
        record.value or b"" for record in expected
    ]
    assert read.next_offset == max(offset, start)


@given(data=st.binary(max_size=200), start=st.integers(0, 5))
@settings(max_examples=200, deadline=None)
def test_any_bytes_give_records_or_a_decode_error(data: bytes, start: int) -> None:
    try:
        read = read_record_set(data, start_offset=start)
    except DecodeError:
        return
    assert read.next_offset >= start


@given(garbage=st.binary(min_size=1, max_size=60), count=st.integers(0, 4))
@settings(max_examples=200, deadline=None)
def test_garbage_with_a_right_checksum_gives_records_or_a_decode_error(
    garbage: bytes, count: int
) -> None:
    body = bytearray(plain(b"x")[:61] + garbage)
    struct.pack_into(">i", body, 8, len(body) - 12)
    struct.pack_into(">i", body, 57, count)
    data = patched(bytes(body), base_offset=0, attributes=0)
    try:
        read = read_record_set(data, start_offset=0)
    except DecodeError:
        return
    assert len(read.records) <= count


@pytest.mark.parametrize("place", [0, 12, 16, 17, 25, 60, 61, 65])
def test_a_changed_byte_is_found(place: int) -> None:
    data = bytearray(plain(b"value one", b"value two"))
    data[place] ^= 0x01
    if place in {0, 12}:
        # Base offset and leader epoch are set by the broker and not under the checksum.
        assert len(read_record_set(bytes(data), start_offset=0).records) == 2
        return
    with pytest.raises(DecodeError):
        read_record_set(bytes(data), start_offset=0)


def test_a_wrong_checksum_is_named() -> None:
    data = bytearray(plain(b"value"))
    data[-2] ^= 0xFF
    with pytest.raises(DecodeError, match="CRC-32C") as caught:
        read_record_set(bytes(data), start_offset=0)
    assert caught.value.reason == "record_batch_checksum"


@pytest.mark.parametrize("magic", [0, 1])
def test_an_old_message_set_is_refused_by_name(magic: int) -> None:
    builder = LegacyRecordBatchBuilder(magic=magic, compression_type=0, batch_size=1 << 20)
    builder.append(0, timestamp=1, key=b"k", value=b"v" * 40)
    with pytest.raises(DecodeError) as caught:
        read_record_set(bytes(builder.build()), start_offset=0)
    assert caught.value.reason == "old_message_format"


CONTENT_TYPES: dict[str, tuple[list[tuple[str, bytes | None]], ContentType]] = {
    "absent": ([], ContentType.JSON),
    "json": ([("content-type", b"application/json")], ContentType.JSON),
    "json with a parameter": (
        [("Content-Type", b"application/json; charset=utf-8")],
        ContentType.JSON,
    ),
    "upper case": ([("CONTENT-TYPE", b"Application/X-NDJSON")], ContentType.NDJSON),
    "arrow": ([("content-type", b" application/vnd.apache.arrow.stream ")], ContentType.ARROW),
    "another": ([("content-type", b"text/csv")], ContentType.UNKNOWN),
    "only a prefix": ([("content-type", b"application/js")], ContentType.UNKNOWN),
    "null": ([("content-type", None)], ContentType.JSON),
    "another header": ([("content-typo", b"text/csv"), ("ce_id", b"1")], ContentType.JSON),
    "among others": (
        [("ce_id", b"1"), ("content-type", b"application/x-ndjson"), ("ce_type", b"t")],
        ContentType.NDJSON,
    ),
}


@pytest.mark.parametrize("case", CONTENT_TYPES)
def test_the_content_type_header_is_read(case: str) -> None:
    headers, expected = CONTENT_TYPES[case]
    read = read_record_set(batch([(b"key", b"{}", headers)]), start_offset=0)
    assert read.records.content_types.tolist() == [int(expected)]


def test_log_append_time_is_the_batchs_own() -> None:
    read = read_record_set(plain(b"a", b"b", b"c", attributes=LOG_APPEND_TIME), start_offset=0)
    assert read.records.append_times_ms.tolist() == [1002, 1002, 1002]


def test_control_batches_yield_nothing_but_move_the_offset() -> None:
    data = plain(b"a") + control(1, producer_id=7, control_type=1)
    read = read_record_set(data, start_offset=0)
    assert read.records.offsets.tolist() == [0]
    assert read.next_offset == 2


def test_aborted_transactions_are_skipped_and_committed_ones_kept() -> None:
    data = b"".join(
        [
            plain(b"aborted", base_offset=0, producer_id=7, attributes=TRANSACTIONAL),
            plain(b"committed", base_offset=1, producer_id=8, attributes=TRANSACTIONAL),
            plain(b"outside", base_offset=2, producer_id=7),
            control(3, producer_id=7, control_type=0),
            control(4, producer_id=8, control_type=1),
            plain(
                b"next of the same producer", base_offset=5, producer_id=7, attributes=TRANSACTIONAL
            ),
        ]
    )
    read = read_record_set(data, start_offset=0, aborted=[(7, 0)])
    assert [read.records.value(index) for index in range(len(read.records))] == [
        b"committed",
        b"outside",
        b"next of the same producer",
    ]
    assert read.next_offset == 6


def test_an_aborted_end_still_moves_the_offset() -> None:
    data = plain(b"a", b"b", base_offset=10, producer_id=7, attributes=TRANSACTIONAL)
    read = read_record_set(data, start_offset=10, aborted=[(7, 10)])
    assert len(read.records) == 0
    assert read.next_offset == 12


def test_snappy_in_blocks_is_read() -> None:
    clear = plain(b"value one", b"value two")
    blocks = b"\x82SNAPPY\x00" + struct.pack(">ii", 1, 1)
    for piece in (clear[61:70], clear[70:]):
        packed = bytes(cramjam.snappy.compress_raw(piece))
        blocks += struct.pack(">i", len(packed)) + packed
    body = bytearray(clear[:61] + blocks)
    struct.pack_into(">i", body, 8, len(body) - 12)
    data = patched(bytes(body), base_offset=0, attributes=COMPRESSIONS["snappy"])
    read = read_record_set(data, start_offset=0)
    assert [read.records.value(index) for index in range(2)] == [b"value one", b"value two"]


def test_values_lie_back_to_back() -> None:
    read = read_record_set(plain(b"ab", None, b"cde"), start_offset=0)
    assert read.records.buffer.tobytes() == b"abcde"
    assert read.records.starts.tolist() == [0, 2, 2]
    assert read.records.lengths.tolist() == [2, 0, 3]


def test_a_cut_off_batch_alone_leaves_the_offset_where_it_was() -> None:
    read = read_record_set(plain(b"value")[:30], start_offset=4)
    assert len(read.records) == 0
    assert read.next_offset == 4


def test_a_batch_of_five_million_bytes_is_read() -> None:
    value = bytes(range(256)) * 20_000
    read = read_record_set(plain(value), start_offset=0)
    assert read.records.value(0) == value


@given(data=st.binary(max_size=300), start=st.integers(0, 9))
@settings(max_examples=100, deadline=None)
def test_both_checksums_are_those_of_aiokafka(data: bytes, start: int) -> None:
    array = np.frombuffer(data, dtype=np.uint8)
    start = min(start, len(data))
    expected = reference_crc32c(data[start:])
    assert crc32c(array, start, len(data)) == expected
    assert crc32c_by_tables(array, start, len(data)) == expected


def recompressed(attributes: int, payload: bytes) -> bytes:
    """Give a batch of one record another body, under an honest length and checksum."""
    body = bytearray(plain(b"x")[:61] + payload)
    struct.pack_into(">i", body, 8, len(body) - 12)
    return patched(bytes(body), base_offset=0, attributes=attributes)


@pytest.mark.parametrize(
    ("attributes", "reason"), [(5, "unknown_compression"), (4, "corrupt_record_batch")]
)
def test_a_body_that_cannot_be_decompressed_has_a_reason(attributes: int, reason: str) -> None:
    with pytest.raises(DecodeError) as caught:
        read_record_set(recompressed(attributes, b"no frame at all"), start_offset=0)
    assert caught.value.reason == reason


def test_snappy_without_the_framing_of_java_is_read() -> None:
    payload = bytes(cramjam.snappy.compress_raw(plain(b"x")[61:]))
    read = read_record_set(recompressed(2, payload), start_offset=0)
    assert read.records.value(0) == b"x"


def test_an_empty_record_set_leaves_the_offset_where_it_is() -> None:
    read = read_record_set(b"", start_offset=7)
    assert (len(read.records), read.next_offset) == (0, 7)


def test_the_reader_is_compiled_without_records() -> None:
    compile_reader()


def test_a_control_record_without_a_key_is_corrupt() -> None:
    data = recompressed(CONTROL | TRANSACTIONAL, b"\x02\x00")
    with pytest.raises(DecodeError) as caught:
        read_record_set(data, start_offset=0, aborted=[(1, 0)])
    assert caught.value.reason == "corrupt_record_batch"


STATED = st.sampled_from(
    [
        b"application/json", b"application/x-ndjson", b"application/vnd.apache.arrow.stream",
        b"Application/X-NDJSON", b"text/plain", b"",
    ]
)  # fmt: skip
AROUND = st.sampled_from([b"", b" ", b"\t", b"; charset=utf-8", b" ;x", b";", b"x", b"\n"])
HEADERS = st.lists(
    st.tuples(
        st.sampled_from(["content-type", "Content-Type", "ce_id", "content-types"]),
        st.none() | st.tuples(AROUND, STATED, AROUND).map(b"".join),
    ),
    max_size=3,
)


@settings(max_examples=200, deadline=None)
@given(HEADERS)
def test_a_content_type_is_read_alike_in_a_batch_and_by_itself(
    headers: list[tuple[str, bytes | None]],
) -> None:
    records = read_record_set(batch([(None, b"x", headers)]), start_offset=0).records
    assert records.content_types.tolist() == [content_type_of(headers)]
