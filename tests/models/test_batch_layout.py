"""What the compiled loops write is Arrow: pyarrow reads it, and finds nothing wrong."""

import struct
from collections.abc import Sequence

import numpy as np
import pyarrow as pa
from hypothesis import given
from hypothesis import strategies as st

from models.batch_header import BatchHeader, BatchKind
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
from models.batches import Batch, Rows, decode_batch, encode_for_targets
from models.detail_layout import (
    FOLLOWERS_32,
    FOLLOWERS_64,
    HAS_AGE,
    HAS_COMMENT,
    HAS_PARENT,
    HAS_SENTIMENT,
    HAS_VIA,
    REGION_16,
    REGION_32,
    WATCH_32,
    WATCH_64,
)
from models.details import DETAIL, Details

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
REGIONS = pa.schema([pa.field("region", pa.utf8(), nullable=False)])


def of_rows(name: str) -> pa.Schema:
    row = pa.field("row", pa.uint32(), nullable=False)
    return pa.schema([row, pa.field(name, pa.utf8(), nullable=False)])


def detail_schema_of(flags: int) -> pa.Schema:
    """Return the columns of the details that docs/architecture.md names."""
    columns = [("row", pa.uint32())]
    if flags & (REGION_16 | REGION_32):
        columns.append(("region", pa.uint32() if flags & REGION_32 else pa.uint16()))
    columns += [("age_days", pa.int32())] if flags & HAS_AGE else []
    columns += [("sentiment", pa.float32())] if flags & HAS_SENTIMENT else []
    if flags & (FOLLOWERS_32 | FOLLOWERS_64):
        columns.append(("followers", pa.int64() if flags & FOLLOWERS_64 else pa.int32()))
    columns += [("via", pa.uint64())] if flags & HAS_VIA else []
    columns += [("comment", pa.uint64())] if flags & HAS_COMMENT else []
    columns += [("parent", pa.uint64())] if flags & HAS_PARENT else []
    if flags & (WATCH_32 | WATCH_64):
        columns.append(("watch_ms", pa.int64() if flags & WATCH_64 else pa.int32()))
    return pa.schema([pa.field(name, kind, nullable=False) for name, kind in columns])


def read_by_pyarrow(message: bytes) -> list[pa.RecordBatch | None]:
    """Return the seven record batches after the header, None for one that is not there."""
    flags, *numbers = struct.unpack_from("<8I", message, ROWS_AT - 4)
    rest = pa.BufferReader(pa.py_buffer(message).slice(HEADER_BYTES))
    read: list[pa.RecordBatch | None] = []
    schemas = (
        *(schema_of(flags), VIDEOS, of_rows("profile"), detail_schema_of(flags), REGIONS),
        *(of_rows("text"), of_rows("comment")),
    )
    for number, schema in zip(numbers, schemas, strict=True):
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

    details = np.empty(n if wide & 128 else n // 2, DETAIL)
    details["row"] = np.sort(random.permutation(n)[: len(details)])
    regions = draw(st.lists(st.text(max_size=5), max_size=4, unique=True))
    details["region"] = random.integers(0, len(regions) + 1, len(details))
    details["age_days"] = either(1, random.integers(-1, 9, len(details)), np.array(-1))
    details["sentiment"] = either(2, random.random(len(details)), np.array(np.nan))
    details["followers"] = either(4, random.integers(-1, 2**40, len(details)), np.array(7))
    for bit, name in ((8, "via"), (16, "comment"), (32, "parent")):
        hashes = random.integers(0, 2**64, len(details), np.uint64)
        details[name] = either(bit, hashes, np.array(0))
    details["watch_ms"] = either(64, random.integers(-1, 2**40, len(details)), np.array(-1))
    texts = st.tuples(st.sampled_from(["", "c", "评"]), st.text(max_size=5))
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
        details=details,
        regions=regions,
        comments=[(row, *draw(texts)) for row in range(n) if draw(st.booleans())],
    )


def header_of(rows: Rows) -> BatchHeader:
    high = int(rows.offset.max(initial=LOW))
    return BatchHeader(BatchKind.EVENTS, 1, 2, LOW, high, START_MS, False, START_MS)


@given(rows=rows())
def test_pyarrow_reads_what_is_written(rows: Rows) -> None:
    (message,) = encode_for_targets(header_of(rows), rows, np.zeros(len(rows.videos), int), 1)
    columns, videos, profiles, details, regions, texts, ids = read_by_pyarrow(message)
    assert videos is not None
    assert videos.column("video").to_pylist() == rows.videos
    listed = [] if profiles is None else profiles.to_pylist()
    assert [(row["row"], row["profile"]) for row in listed] == rows.profiles
    said = [] if texts is None else texts.to_pylist()
    assert [(row["row"], row["text"]) for row in said] == [
        (row, text) for row, _, text in rows.comments
    ]
    named = [] if ids is None else ids.to_pylist()
    assert [(row["row"], row["comment"]) for row in named] == [
        (row, name) for row, name, _ in rows.comments if name
    ]
    if details is not None:
        names = [] if regions is None else regions.column("region").to_pylist()
        for name in set(details.schema.names) - {"region"}:
            np.testing.assert_array_equal(details.column(name), rows.details[name], err_msg=name)
        if "region" in details.schema.names:
            told = [["", *names][each] for each in details.column("region").to_pylist()]
            assert told == [["", *rows.regions][each] for each in rows.details["region"]]
    assert (details is None) == (len(rows.details) == 0)
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
        assert batch.comments == [
            (places[row], *rest) for row, *rest in rows.comments if row in places
        ]
        own = {row: row for row in range(len(batch))}
        assert told(batch.regions, batch.details, own) == told(rows.regions, rows.details, places)
        assert set(batch.details["region"].tolist()) | {0} == set(range(len(batch.regions) + 1))


def told(regions: Sequence[str], details: Details, places: dict[int, int]) -> list[object]:
    """Return the details of the rows in `places`, with the names of regions and no other code."""
    return [
        (places[row], ["", *regions][region], *(repr(value) for value in rest))
        for row, region, *rest in details.tolist()
        if row in places
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
    columns, *_ = read_by_pyarrow(message)
    assert columns is not None
    assert columns.schema.field("video").type == pa.int32()
    assert keys_of(decode_batch(message)) == videos


def test_more_regions_than_16_bits_count_have_wider_indices() -> None:
    n = 2**16 + 1
    details = np.zeros(n, DETAIL)
    details["row"], details["region"] = np.arange(n), np.arange(1, n + 1)
    regions = [f"r{number}" for number in range(n)]
    times = np.full(n, START_MS)
    wide = Rows(
        videos=["v"],
        video=np.zeros(n, np.int32),
        action=np.zeros(n, np.uint8),
        time_ms=times,
        high_ms=times,
        count=np.ones(n, np.int64),
        actor=np.zeros(n, np.uint64),
        role=np.zeros(n, np.uint8),
        event=np.zeros(n, np.uint64),
        offset=LOW + 1 + np.arange(n),
        profiles=[],
        details=details,
        regions=regions,
    )
    (message,) = encode_for_targets(header_of(wide), wide, np.zeros(1, int), 1)
    read = decode_batch(message)
    assert [read.regions[region - 1] for region in read.details["region"]] == regions
