import json

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.batches import (
    Batch,
    BatchFormatError,
    BatchHeader,
    BatchKind,
    decode_batch,
    empty_batch,
    encode_batch,
    end_mark,
    heartbeat,
)

ARRAYS = ("video", "action", "time_ms", "high_ms", "count", "actor", "role", "event", "offset")
INT64 = st.integers(-(2**63), 2**63 - 1)
UINT64 = st.integers(0, 2**64 - 1)
TEXT = st.text(st.characters(codec="utf-8"), max_size=8)


@st.composite
def headers(draw: st.DrawFn) -> BatchHeader:
    sources = draw(st.integers(1, 100))
    low = draw(st.integers(-1, 2**62))
    kind = draw(st.sampled_from(BatchKind))
    return BatchHeader(
        kind=kind,
        source=draw(st.integers(0, sources - 1)),
        sources=sources,
        low=low,
        high=low if kind is BatchKind.HEARTBEAT else draw(st.integers(low, 2**63 - 1)),
        high_ms=draw(st.integers(-1, 2**62)),
        idle=draw(st.booleans()),
        received_ms=draw(st.integers(0, 2**62)),
    )


@st.composite
def batches(draw: st.DrawFn) -> Batch:
    videos = draw(st.lists(TEXT, min_size=1, max_size=5, unique=True))
    rows = draw(st.integers(0, 8))

    def column(values: st.SearchStrategy[int], dtype: type) -> np.ndarray:
        return np.array(draw(st.lists(values, min_size=rows, max_size=rows)), dtype)

    return Batch(
        header=draw(headers()),
        videos=videos,
        video=column(st.integers(0, len(videos) - 1), np.int32),
        action=column(st.integers(0, 255), np.uint8),
        time_ms=column(INT64, np.int64),
        high_ms=column(INT64, np.int64),
        count=column(INT64, np.int64),
        actor=column(UINT64, np.uint64),
        role=column(st.integers(0, 255), np.uint8),
        event=column(UINT64, np.uint64),
        offset=column(INT64, np.int64),
        profiles=[(row, draw(TEXT)) for row in range(rows) if draw(st.booleans())],
    )


def assert_same(one: Batch, other: Batch) -> None:
    assert one.header == other.header
    assert one.videos == other.videos
    assert one.profiles == other.profiles
    for name in ARRAYS:
        left, right = getattr(one, name), getattr(other, name)
        assert left.dtype == right.dtype, name
        np.testing.assert_array_equal(left, right, err_msg=name)


@given(batch=batches())
def test_a_batch_survives_the_wire(batch: Batch) -> None:
    assert_same(decode_batch(encode_batch(batch)), batch)


@given(batch=batches())
def test_the_same_batch_is_the_same_message(batch: Batch) -> None:
    assert encode_batch(batch) == encode_batch(decode_batch(encode_batch(batch)))


def test_a_heartbeat_and_an_end_mark_hold_no_rows() -> None:
    beat = decode_batch(
        encode_batch(heartbeat(source=1, sources=3, offset=41, idle=True, received_ms=7))
    )
    assert beat.header == BatchHeader(BatchKind.HEARTBEAT, 1, 3, 41, 41, -1, True, 7)
    end = decode_batch(encode_batch(end_mark(source=1, sources=3, low=41, high=42, received_ms=8)))
    assert end.header == BatchHeader(BatchKind.END, 1, 3, 41, 42, -1, False, 8)
    assert len(beat) == len(end) == 0


@pytest.mark.parametrize(
    ("source", "sources", "low", "high"),
    [(3, 3, 0, 1), (-1, 3, 0, 1), (0, 0, 0, 1), (0, 1, 5, 4), (0, 1, -2, 4)],
)
def test_a_header_that_contradicts_itself_is_refused(
    source: int, sources: int, low: int, high: int
) -> None:
    with pytest.raises(ValueError, match=r"source|range"):
        BatchHeader(BatchKind.EVENTS, source, sources, low, high, -1, False, 0)
    with pytest.raises(ValueError, match="heartbeat"):
        BatchHeader(BatchKind.HEARTBEAT, 0, 1, 1, 2, -1, False, 0)


HEADER = BatchHeader(BatchKind.EVENTS, 0, 1, -1, 3, 5, False, 9)


def one_row() -> Batch:
    return Batch(
        header=HEADER,
        videos=["douyin\x1f1"],
        video=np.zeros(1, np.int32),
        action=np.ones(1, np.uint8),
        time_ms=np.full(1, 5),
        high_ms=np.full(1, 5),
        count=np.ones(1, np.int64),
        actor=np.ones(1, np.uint64),
        role=np.zeros(1, np.uint8),
        event=np.zeros(1, np.uint64),
        offset=np.full(1, 3),
        profiles=[],
    )


def with_metadata(metadata: dict[bytes, bytes] | None) -> bytes:
    with pa.ipc.open_stream(encode_batch(one_row())) as reader:
        table = reader.read_all().replace_schema_metadata(metadata)
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, table.schema) as writer:
        writer.write_table(table)
    return sink.getvalue().to_pybytes()


def test_another_version_is_named() -> None:
    with pytest.raises(BatchFormatError, match="version 2 of the format; this reader knows 1"):
        decode_batch(with_metadata({b"hotspots": b'{"version":2}'}))


@pytest.mark.parametrize(
    "metadata",
    [
        None,
        {b"hotspots": b"{"},
        {b"hotspots": b"[]"},
        {b"hotspots": b'{"version":1}'},
        {b"hotspots": json.dumps({"version": 1, "kind": "other"}).encode()},
    ],
)
def test_a_header_that_cannot_be_read_is_a_format_error(
    metadata: dict[bytes, bytes] | None,
) -> None:
    with pytest.raises(BatchFormatError):
        decode_batch(with_metadata(metadata))


@given(junk=st.binary(max_size=64))
def test_bytes_that_are_no_arrow_stream_are_a_format_error(junk: bytes) -> None:
    with pytest.raises(BatchFormatError):
        decode_batch(junk)


@given(cut=st.integers(0, 2000), data=st.data())
def test_a_damaged_message_is_read_or_refused_but_never_crashes(
    cut: int, data: st.DataObject
) -> None:
    message = bytearray(encode_batch(one_row()))
    position = data.draw(st.integers(0, len(message) - 1))
    message[position] ^= data.draw(st.integers(1, 255))
    for damaged in (bytes(message), bytes(message[:cut])):
        try:
            batch = decode_batch(damaged)
        except BatchFormatError:
            continue
        assert len(batch) == len(batch.profiles) + len(batch.time_ms)


def test_columns_of_other_types_are_a_format_error() -> None:
    table = pa.table({"video": ["a"]}).replace_schema_metadata({b"hotspots": b'{"version":1}'})
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, table.schema) as writer:
        writer.write_table(table)
    with pytest.raises(BatchFormatError, match="unexpected columns"):
        decode_batch(sink.getvalue().to_pybytes())


def test_an_inconsistent_batch_is_not_encoded() -> None:
    row = one_row()
    shorter = {name: getattr(row, name) for name in ARRAYS} | {"count": np.ones(2, np.int64)}
    with pytest.raises(ValueError, match="differ in length"):
        encode_batch(Batch(header=HEADER, videos=row.videos, profiles=[], **shorter))
    empty = empty_batch(HEADER)
    columns = {name: getattr(empty, name) for name in ARRAYS}
    misplaced = Batch(header=HEADER, videos=[], profiles=[(1, "{}")], **columns)
    with pytest.raises(ValueError, match="stands at row 1 of 0"):
        encode_batch(misplaced)
