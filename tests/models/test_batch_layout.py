"""What the compiled loops write is Arrow: pyarrow reads it, and finds nothing wrong."""

import struct

import numpy as np
import pyarrow as pa
from hypothesis import given
from hypothesis import strategies as st

from models.batch_layout import (
    COUNT_32,
    COUNT_64,
    HAS_ACTOR,
    HAS_EVENT,
    HAS_ROLE,
    HEADER_BYTES,
    HIGH_32,
    HIGH_64,
    OFFSET_64,
    ROWS_AT,
    TIME_64,
    VIDEO_16,
)
from models.batches import Batch, BatchHeader, BatchKind, Rows, decode_batch, encode_for_targets

LOW = 99
START_MS = 1_700_000_000_000


def schema_of(flags: int) -> pa.Schema:
    """Return the columns that docs/architecture.md names, for the flags of a header."""
    columns = [
        ("video", pa.uint16() if flags & VIDEO_16 else pa.int32()),
        ("action", pa.uint8()),
        ("time_ms", pa.int64() if flags & TIME_64 else pa.int32()),
    ]
    if flags & (HIGH_32 | HIGH_64):
        columns.append(("high_ms", pa.int64() if flags & HIGH_64 else pa.int32()))
    if flags & (COUNT_32 | COUNT_64):
        columns.append(("count", pa.int64() if flags & COUNT_64 else pa.int32()))
    columns += [("actor", pa.uint64())] if flags & HAS_ACTOR else []
    columns += [("role", pa.uint8())] if flags & HAS_ROLE else []
    columns += [("event", pa.uint64())] if flags & HAS_EVENT else []
    columns.append(("offset", pa.int64() if flags & OFFSET_64 else pa.uint32()))
    return pa.schema([pa.field(name, kind, nullable=False) for name, kind in columns])


VIDEOS = pa.schema([pa.field("video", pa.utf8(), nullable=False)])
PROFILES = pa.schema(
    [pa.field("row", pa.uint32(), nullable=False), pa.field("profile", pa.utf8(), nullable=False)]
)


def read_by_pyarrow(message: bytes) -> list[pa.RecordBatch | None]:
    """Return the three record batches after the header, None for one that is not there."""
    flags, *numbers = struct.unpack_from("<4I", message, ROWS_AT - 4)
    rest = pa.BufferReader(pa.py_buffer(message).slice(HEADER_BYTES))
    read: list[pa.RecordBatch | None] = []
    for number, schema in zip(numbers, (schema_of(flags), VIDEOS, PROFILES), strict=True):
        if number == 0:
            read.append(None)
            continue
        batch = pa.ipc.read_record_batch(pa.ipc.read_message(rest), schema)
        batch.validate(full=True)
        assert len(batch) == number
        read.append(batch)
    assert rest.read() == b""
    return read


@st.composite
def rows(draw: st.DrawFn) -> Rows:
    videos = draw(st.lists(st.text(max_size=5), min_size=1, max_size=9, unique=True))
    n = draw(st.integers(0, 20))
    random = np.random.default_rng(draw(st.integers(0, 1_000)))
    wide = draw(st.integers(0, 255))

    def either(bit: int, one: np.ndarray, other: np.ndarray) -> np.ndarray:
        return one if wide & bit else other

    time_ms = START_MS + random.integers(0, either(1, np.array(2**40), np.array(99)), n)
    return Rows(
        videos=videos,
        video=random.integers(0, len(videos), n).astype(np.int32),
        action=random.integers(0, 20, n).astype(np.uint8),
        time_ms=time_ms,
        high_ms=either(2, np.maximum.accumulate(time_ms), time_ms),
        count=either(4, random.integers(-(2**35), 2**35, n), np.ones(n, np.int64)),
        actor=either(8, random.integers(0, 2**64, n, np.uint64), np.zeros(n, np.uint64)),
        role=either(16, random.integers(0, 8, n).astype(np.uint8), np.zeros(n, np.uint8)),
        event=either(32, random.integers(0, 2**64, n, np.uint64), np.zeros(n, np.uint64)),
        offset=LOW + 1 + either(64, np.arange(n) * 2**32, np.arange(n)),
        profiles=[(row, draw(st.text(max_size=5))) for row in range(n) if draw(st.booleans())],
    )


def header_of(rows: Rows) -> BatchHeader:
    high = int(rows.offset.max(initial=LOW))
    return BatchHeader(BatchKind.EVENTS, 1, 2, LOW, high, START_MS, False, START_MS)


@given(rows=rows())
def test_pyarrow_reads_what_is_written(rows: Rows) -> None:
    (message,) = encode_for_targets(header_of(rows), rows, np.zeros(len(rows.videos), int), 1)
    columns, videos, profiles = read_by_pyarrow(message)
    assert videos is not None
    assert videos.column("video").to_pylist() == rows.videos
    listed = [] if profiles is None else profiles.to_pylist()
    assert [(row["row"], row["profile"]) for row in listed] == rows.profiles
    if columns is None:
        assert len(rows.video) == 0
        return
    assert columns.column("video").to_pylist() == rows.video.tolist()
    assert columns.column("action").to_pylist() == rows.action.tolist()
    for name in set(columns.schema.names) & {"count", "actor", "role", "event"}:
        assert columns.column(name).to_pylist() == getattr(rows, name).tolist()


@given(rows=rows(), targets=st.integers(1, 5), seed=st.integers(0, 1_000))
def test_each_target_gets_the_rows_of_its_videos_in_their_order(
    rows: Rows, targets: int, seed: int
) -> None:
    target_of_video = np.random.default_rng(seed).integers(0, targets, len(rows.videos))
    messages = encode_for_targets(header_of(rows), rows, target_of_video, targets)
    assert len(messages) == targets
    for target, message in enumerate(messages):
        read_by_pyarrow(message)
        batch = decode_batch(message)
        mine = np.flatnonzero(target_of_video[rows.video] == target)
        assert batch.header == header_of(rows)
        assert batch.videos == [
            key for key, to in zip(rows.videos, target_of_video, strict=True) if to == target
        ]
        assert keys_of(batch) == [rows.videos[video] for video in rows.video[mine]]
        for name in ("action", "time_ms", "high_ms", "count", "actor", "role", "event", "offset"):
            assert getattr(batch, name).tolist() == getattr(rows, name)[mine].tolist(), name
        places = {int(row): at for at, row in enumerate(mine)}
        assert batch.profiles == [
            (places[row], text) for row, text in rows.profiles if row in places
        ]


def keys_of(batch: Batch) -> list[str]:
    return [batch.videos[video] for video in batch.video]


def test_more_videos_than_16_bits_count_have_wider_indices() -> None:
    videos = [f"p\x1f{number}" for number in range(2**16 + 1)]
    n = len(videos)
    times = np.full(n, START_MS)
    wide = Rows(
        videos=videos,
        video=np.arange(n, dtype=np.int32),
        action=np.zeros(n, np.uint8),
        time_ms=times,
        high_ms=times,
        count=np.ones(n, np.int64),
        actor=np.zeros(n, np.uint64),
        role=np.zeros(n, np.uint8),
        event=np.zeros(n, np.uint64),
        offset=LOW + 1 + np.arange(n),
        profiles=[],
    )
    (message,) = encode_for_targets(header_of(wide), wide, np.zeros(n, int), 1)
    columns, _, _ = read_by_pyarrow(message)
    assert columns is not None
    assert columns.schema.field("video").type == pa.int32()
    assert keys_of(decode_batch(message)) == videos
