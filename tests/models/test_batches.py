import struct
from dataclasses import replace

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.batch_header import BatchFormatError, BatchHeader, BatchKind
from models.batches import Batch, decode_batch, empty_batch, encode_batch, end_mark, heartbeat
from models.detail_layout import check_details
from models.details import AGE_DAYS_MAX, DETAIL, Details
from models.record_batches import OK

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


def details_of(draw: st.DrawFn, rows: int) -> tuple[Details, list[str]]:
    """Draw details of every width, and the regions in the order in which they name them."""
    chosen = [row for row in range(rows) if draw(st.booleans())]
    details = np.empty(len(chosen), DETAIL)
    details["row"] = chosen
    spoken = draw(st.lists(TEXT, min_size=len(chosen), max_size=len(chosen)))
    regions = list(dict.fromkeys(filter(None, spoken)))
    details["region"] = [regions.index(name) + 1 if name else 0 for name in spoken]

    def fill(name: str, *values: st.SearchStrategy[float]) -> None:
        column = st.one_of(values[0], draw(st.sampled_from(values)))
        details[name] = draw(st.lists(column, min_size=len(chosen), max_size=len(chosen)))

    absent = st.just(-1)
    fill("age_days", absent, st.integers(0, AGE_DAYS_MAX))
    fill("sentiment", st.just(np.nan), st.floats(-1, 1, width=32))
    for name in ("followers", "watch_ms"):
        fill(name, absent, st.integers(0, 2**31 - 1), st.integers(0, 2**63 - 1))
    for name in ("via", "comment", "parent"):
        fill(name, st.just(0), UINT64)
    return details, regions


@st.composite
def batches(draw: st.DrawFn) -> Batch:
    """Columns of every width: those that can be left out, narrow ones, and any numbers at all."""
    videos = draw(st.lists(TEXT, min_size=1, max_size=5, unique=True))
    rows = draw(st.integers(0, 8))
    header = draw(headers())
    start = draw(st.integers(0, 2**62))

    def column(dtype: type, *values: st.SearchStrategy[int]) -> np.ndarray:
        chosen = draw(st.sampled_from(values))
        return np.array(draw(st.lists(chosen, min_size=rows, max_size=rows)), dtype)

    times = (st.just(start), st.integers(start, start + 2**31 - 1), INT64)
    time_ms = column(np.int64, *times)
    details, regions = details_of(draw, rows)
    return Batch(
        header=header,
        videos=videos,
        video=column(np.int32, st.integers(0, len(videos) - 1)),
        action=column(np.uint8, st.integers(0, 255)),
        time_ms=time_ms,
        high_ms=time_ms.copy() if draw(st.booleans()) else column(np.int64, *times),
        count=column(np.int64, st.just(1), st.integers(-(2**31) + 1, 2**31 - 1), INT64),
        actor=column(np.uint64, st.just(0), UINT64),
        role=column(np.uint8, st.just(0), st.integers(0, 255)),
        event=column(np.uint64, st.just(0), UINT64),
        offset=column(np.int64, st.integers(header.low + 1, header.low + 2**32), INT64),
        profiles=[(row, draw(TEXT)) for row in range(rows) if draw(st.booleans())],
        details=details,
        regions=regions,
        comments=[(row, draw(TEXT), draw(TEXT)) for row in range(rows) if draw(st.booleans())],
    )


def assert_same(one: Batch, other: Batch) -> None:
    assert one.header == other.header
    assert one.videos == other.videos
    assert one.profiles == other.profiles
    assert (one.regions, one.comments) == (other.regions, other.comments)
    assert one.details.dtype == other.details.dtype
    for name in DETAIL.names or ():
        np.testing.assert_array_equal(one.details[name], other.details[name], err_msg=name)
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


def arrow_stream(metadata: dict[bytes, bytes] | None) -> bytes:
    table = pa.table({"video": ["a"]}).replace_schema_metadata(metadata)
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, table.schema) as writer:
        writer.write_table(table)
    return sink.getvalue().to_pybytes()


def with_field(position: int, form: str, value: int) -> bytes:
    """Return the message of one row with another value in its header."""
    message = bytearray(encode_batch(one_row()))
    struct.pack_into(form, message, position, value)
    return bytes(message)


def test_another_version_is_named() -> None:
    with pytest.raises(BatchFormatError, match="version 1 of the format; this reader knows 3"):
        decode_batch(arrow_stream({b"hotspots": b'{"version":1}'}))
    with pytest.raises(BatchFormatError, match="version 2 of the format; this reader knows 3"):
        decode_batch(with_field(4, "<H", 2))


@pytest.mark.parametrize("metadata", [None, {b"hotspots": b"{"}, {b"hotspots": b"[]"}])
def test_any_other_arrow_stream_is_a_format_error(metadata: dict[bytes, bytes] | None) -> None:
    with pytest.raises(BatchFormatError, match="not one of ours"):
        decode_batch(arrow_stream(metadata))


@pytest.mark.parametrize(
    ("position", "form", "value"),
    [
        (6, "B", 3),  # kind
        (7, "B", 2),  # idle
        (8, "<I", 1 << 21),  # flags
        (8, "<I", 1),  # flags without the actors that are there
        (12, "<I", 2),  # rows
        (12, "<I", 2**32 - 1),
        (16, "<I", 0),  # videos
        (16, "<I", 2**32 - 1),
        (20, "<I", 1),  # profiles
        (24, "<I", 1),  # details
        (28, "<I", 1),  # regions
        (32, "<I", 1),  # texts
        (36, "<I", 1),  # ids of comments
        (40, "<I", 7),  # source
        (48, "<q", 4),  # low above high
    ],
)
def test_a_header_that_does_not_fit_is_a_format_error(position: int, form: str, value: int) -> None:
    with pytest.raises(BatchFormatError):
        decode_batch(with_field(position, form, value))


@given(junk=st.binary(max_size=64))
def test_bytes_that_are_no_arrow_stream_are_a_format_error(junk: bytes) -> None:
    with pytest.raises(BatchFormatError):
        decode_batch(junk)


@given(batch=batches(), cut=st.integers(0, 2000), data=st.data())
def test_a_damaged_message_is_read_or_refused_but_never_crashes(
    batch: Batch, cut: int, data: st.DataObject
) -> None:
    message = bytearray(encode_batch(batch))
    position = data.draw(st.integers(0, len(message) - 1))
    message[position] ^= data.draw(st.integers(1, 255))
    for damaged in (bytes(message), bytes(message[:cut])):
        try:
            read = decode_batch(damaged)
        except BatchFormatError:
            continue
        assert len(read.time_ms) == len(read)
        assert all(0 <= video < len(read.videos) for video in read.video)
        assert all(0 <= row < len(read) for row, _ in read.profiles)
        assert all(0 <= row < len(read) for row, _, _ in read.comments)
        assert check_details(read.details, len(read), len(read.regions)) == OK


def test_strings_that_are_not_utf_8_are_a_format_error() -> None:
    message = encode_batch(one_row())
    with pytest.raises(BatchFormatError, match="UTF-8"):
        decode_batch(message.replace(b"douyin", b"douyi\xff"))


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
    nameless = {name: getattr(row, name) for name in ARRAYS} | {"video": np.ones(1, np.int32)}
    with pytest.raises(ValueError, match="names none of 1 videos"):
        encode_batch(Batch(header=HEADER, videos=row.videos, profiles=[], **nameless))


def with_details(comments: list[tuple[int, str, str]], **fields: float) -> Batch:
    """Return the batch of one row, with these comments and one detail that says so."""
    details = np.zeros(1, DETAIL)
    for name, value in {"age_days": -1, "followers": -1, "watch_ms": -1, **fields}.items():
        details[name] = value
    return replace(one_row(), details=details, regions=["杭州"], comments=comments)


@pytest.mark.parametrize(
    "fields",
    [
        {"row": 1},
        {"region": 2},
        {"age_days": -2},
        {"followers": -2},
        {"watch_ms": -2},
        {"sentiment": 1.5},
        {"sentiment": -np.inf},
    ],
)
def test_a_detail_that_no_event_may_have_is_neither_written_nor_read(
    fields: dict[str, float],
) -> None:
    with pytest.raises(ValueError, match=r"not there|no event may have"):
        encode_batch(with_details([], **fields))
    encode_batch(with_details([], **dict.fromkeys(fields, 0)))


@pytest.mark.parametrize(
    ("was", "becomes"),
    [
        (struct.pack("<f", 0.5), struct.pack("<f", 1.5)),
        (struct.pack("<q", 2**60 - 7), struct.pack("<q", -2)),
        (struct.pack("<i", 77_777), struct.pack("<i", -2)),
    ],
)
def test_a_value_that_no_event_may_have_is_a_format_error(was: bytes, becomes: bytes) -> None:
    message = encode_batch(with_details([], sentiment=0.5, watch_ms=2**60 - 7, age_days=77_777))
    assert message.count(was) == 1
    with pytest.raises(BatchFormatError, match="no event may have"):
        decode_batch(message.replace(was, becomes))


def test_comments_and_their_ids_name_one_row_each() -> None:
    message = encode_batch(with_details([(0, "c1", "好看")]))
    assert decode_batch(message).comments == [(0, "c1", "好看")]
    with pytest.raises(ValueError, match="stands at row 0, after one at row 0"):
        encode_batch(with_details([(0, "", "a"), (0, "", "b")]))
    two = replace(one_row(), **{name: getattr(one_row(), name).repeat(2) for name in ARRAYS})
    message = encode_batch(replace(two, comments=[(0, "c", "t")]))
    rows = [at for at in range(0, len(message), 8) if message[at : at + 9] == bytes(9)]
    # One of these is the row of the id: moved to a row without a text, it says nothing.
    errors = set()
    for at in rows:
        moved = bytearray(message)
        moved[at] = 1
        try:
            decode_batch(bytes(moved))
        except BatchFormatError as error:
            errors.add(str(error))
    assert "a comment without a text has an id" in errors
