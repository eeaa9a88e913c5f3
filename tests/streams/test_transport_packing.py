"""Record batches as aiokafka writes them, read by its own parser and by ours; and damaged ones."""

from collections.abc import Sequence
from itertools import pairwise
from unittest.mock import patch

import pytest
from aiokafka.consumer import fetcher
from aiokafka.errors import CorruptRecordException
from aiokafka.record.default_records import DefaultRecordBatchBuilder
from aiokafka.record.legacy_records import LegacyRecordBatchBuilder
from aiokafka.structs import TopicPartition
from hypothesis import given
from hypothesis import strategies as st

from models.packed_chunk import PackedChunk
from models.steps import CREATE_TIME_MS, Chunk
from streams.transport import packing
from streams.transport.chunks import ChunkRecords, ReadableRecords, _Chunks

TP = TopicPartition("input", 0)
LZ4 = 3
CODECS = {"none": 0, "gzip": 1, "snappy": 2, "lz4": LZ4, "zstd": 4}
HEADER_BYTES = 61
LOG_APPEND_TIME_BIT = 0x08

TEXTS = st.none() | st.binary(max_size=300)
HEADERS = st.lists(st.tuples(st.text(max_size=5), TEXTS), max_size=3)
RECORDS = st.lists(st.tuples(st.integers(0, 3), TEXTS, TEXTS, HEADERS), min_size=1, max_size=20)

Record = tuple[int, bytes | None, bytes | None, list[tuple[str, bytes | None]]]


def batch_of(records: Sequence[Record], *, base: int, codec: int = 0) -> bytes:
    """Return a record batch; each record leaves so many offsets out before it."""
    builder = DefaultRecordBatchBuilder(2, codec, 0, -1, -1, -1, 2**20)
    offset = -1
    for skipped, key, value, headers in records:
        offset += 1 + skipped
        builder.append(offset, 1_500_000_000_000, key, value, headers)
    built = bytearray(builder.build())
    built[:8] = base.to_bytes(8, "big")  # the broker sets it; no checksum covers it
    return bytes(built)


def unpacked(
    data: bytes, *, low: int, packed_topics: Sequence[str], check_crcs: bool = True
) -> list[Chunk | PackedChunk]:
    records = ChunkRecords(
        TP, ReadableRecords(data), [], low, _Chunks(packed_topics), None, check_crcs, 1
    )
    return list(records)


def listed(chunks: Sequence[Chunk | PackedChunk]) -> list[tuple[object, ...]]:
    rows: list[tuple[object, ...]] = []
    for chunk in chunks:
        if isinstance(chunk, PackedChunk):
            for row in range(len(chunk)):
                offset, append_ms = int(chunk.offset[row]), int(chunk.append_ms[row])
                rows.append((offset, chunk.key(row), chunk.value(row), append_ms))
        else:
            columns = (chunk.offsets, chunk.keys, chunk.values, chunk.append_ms)
            rows += list(zip(*columns, strict=True))
    return rows


@given(
    batches=st.lists(RECORDS, min_size=1, max_size=4),
    codec=st.sampled_from(sorted(CODECS)),
    base=st.integers(0, 2**40),
    ahead=st.integers(0, 10),
    chunk_bytes=st.sampled_from([64, 1_000, packing.CHUNK_BYTES]),
)
def test_packed_chunks_hold_what_aiokafka_reads(
    batches: list[list[Record]], codec: str, base: int, ahead: int, chunk_bytes: int
) -> None:
    data, at = b"", base
    for records in batches:
        data += batch_of(records, base=at, codec=CODECS[codec])
        at += sum(skipped + 1 for skipped, *_ in records) + 2
    low = base + ahead
    with patch.object(packing, "CHUNK_BYTES", chunk_bytes):
        chunks = unpacked(data, low=low, packed_topics=["input"])
    plain = unpacked(data, low=low, packed_topics=["another"])
    assert all(isinstance(chunk, PackedChunk) for chunk in chunks)
    assert not any(isinstance(chunk, PackedChunk) for chunk in plain)
    assert listed(chunks) == listed(plain)
    assert (chunks[0].low_offset, chunks[-1].next_offset) == (low, plain[-1].next_offset)
    for before, after in pairwise(chunks):
        assert before.next_offset == after.low_offset


def test_the_brokers_time_is_that_of_the_batch() -> None:
    built = bytearray(batch_of([(0, None, b"v", [])], base=0))
    assert listed(unpacked(bytes(built), low=0, packed_topics=["input"]))[0][3] == CREATE_TIME_MS
    built[22] |= LOG_APPEND_TIME_BIT
    (row,) = listed(unpacked(bytes(built), low=0, packed_topics=["input"], check_crcs=False))
    assert row[3] == 1_500_000_000_000


def test_old_formats_are_read_as_before() -> None:
    builder = LegacyRecordBatchBuilder(1, 0, 2**20)
    builder.append(0, 1_500_000_000_000, b"k", b"v")
    chunks = unpacked(bytes(builder.build()), low=0, packed_topics=["input"])
    assert all(isinstance(chunk, Chunk) for chunk in chunks)
    assert listed(chunks) == [(0, b"k", b"v", CREATE_TIME_MS)]


def test_a_wrong_checksum_comes_after_what_is_whole() -> None:
    whole = batch_of([(0, None, b"whole", [])], base=0)
    damaged = bytearray(batch_of([(0, None, b"damaged", [])], base=1))
    damaged[-1] ^= 1
    records = ChunkRecords(
        TP, ReadableRecords(whole + bytes(damaged)), [], 0, _Chunks(["input"]), None, True, 1
    )
    assert listed([next(records)])[0][2] == b"whole"
    with pytest.raises(CorruptRecordException, match="CRC"):
        next(records)
    assert records.next_fetch_offset == 1


@given(
    records=RECORDS,
    codec=st.sampled_from(["none", "lz4"]),
    data=st.data(),
    damages=st.integers(1, 4),
)
def test_a_damaged_batch_is_refused_or_read_within_its_bounds(
    records: list[Record], codec: str, data: st.DataObject, damages: int
) -> None:
    """No checksum: any bytes may be wrong, and also the number of records."""
    built = bytearray(batch_of(records, base=0, codec=CODECS[codec]))
    for _ in range(damages):
        at = data.draw(st.integers(HEADER_BYTES - 4, len(built) - 1))
        built[at] = data.draw(st.integers(0, 255))
    try:
        chunks = unpacked(bytes(built), low=0, packed_topics=["input"], check_crcs=False)
    except CorruptRecordException:
        return
    for chunk in chunks:
        assert isinstance(chunk, PackedChunk)
        for begin, length in (
            (chunk.key_begin, chunk.key_length),
            (chunk.value_begin, chunk.value_length),
        ):
            assert (begin >= 0).all()
            assert (begin + length <= len(chunk.buffer)).all()
            assert (length >= -1).all()


@given(payload=st.binary(max_size=80), records=st.integers(-1, 12))
def test_any_bytes_are_refused_or_read_as_aiokafka_reads_them(payload: bytes, records: int) -> None:
    header = bytearray(batch_of([(0, None, None, [])], base=0)[:HEADER_BYTES])
    header[8:12] = (HEADER_BYTES - 12 + len(payload)).to_bytes(4, "big")
    header[57:61] = records.to_bytes(4, "big", signed=True)
    data = bytes(header) + payload
    try:
        ours = listed(unpacked(data, low=0, packed_topics=["input"], check_crcs=False))
    except CorruptRecordException:
        return
    assert ours == listed(unpacked(data, low=0, packed_topics=[], check_crcs=False))


def test_every_way_to_be_wrong_is_told() -> None:
    good = batch_of([(0, b"k", b"value", [("h", b"x")])], base=0)
    body = good[HEADER_BYTES:]
    # length, attributes, timestamp, offset, key (1), value (5), headers (1: 1, 1)
    assert len(body) == 17
    for at, value, message in [
        (0, 0x7F, "negative"),
        (0, 0x22, "ends beyond"),  # one byte longer than there is
        (6, 0x7E, "ends beyond"),
        (12, 0x01, "negative"),
        (12, 0x00, "not as long"),
        (13, 0x01, "negative"),
    ]:
        damaged = bytearray(good)
        damaged[HEADER_BYTES + at] = value
        with pytest.raises(CorruptRecordException, match=message):
            unpacked(bytes(damaged), low=0, packed_topics=["input"], check_crcs=False)
    twice = bytearray(batch_of([(0, None, b"a", []), (0, None, b"b", [])], base=0))
    twice[HEADER_BYTES + 8 + 3] = 0  # both at offset 0
    with pytest.raises(CorruptRecordException, match="ascend"):
        unpacked(bytes(twice), low=0, packed_topics=["input"], check_crcs=False)


def test_the_consumer_of_others_is_left_alone() -> None:
    data = batch_of([(0, b"k", b"v", [])], base=7)
    records = ChunkRecords(TP, ReadableRecords(data), [], 7, None, None, True, 1)
    (record,) = list(records)
    assert isinstance(record, fetcher.ConsumerRecord)
    assert (record.offset, record.key, record.value) == (7, b"k", b"v")
