"""The wire format of `engagement-batches`: columns of normalised events, one chunk at a time.

docs/architecture.md, "`engagement-batches`, version 2", is the contract; this file, and
models/batch_layout.py for the bytes of the rows, are the only places that read and write it.
"""

import json
import struct
from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from models import batch_layout as layout
from models.details import Comment, Details, no_details

VERSION: Final = 2
"""Goes up when a reader of the old format could misread the new one."""

NO_TIME_MS: Final = -1
"""`high_ms` of a chunk without a valid event; no valid event is that early (models/events.py)."""

_MAGIC: Final = b"HSBT"
_HEADER: Final = struct.Struct("<4sHBBIIIIIIqqqqq")
"""Magic, version, kind, idle, flags, numbers of rows, videos and profiles, source, sources, low,
high, high_ms, received_ms, base_ms; little-endian, HEADER_BYTES long."""
_START: Final = struct.Struct("<4sH")
_VERSION_1_START: Final = b"\xff\xff\xff\xff"
_VERSION_1_METADATA_KEY: Final = b"hotspots"
_ERRORS: Final = {
    layout.WRONG_LENGTH: "shorter than its header announces",
    layout.WRONG_METADATA: "metadata of a record batch are not those that its header announces",
    layout.WRONG_STRINGS: "offsets of strings go back",
    layout.WRONG_INDEX: "a video or a row is named that is not there",
}


class BatchFormatError(ValueError):
    """A message of `engagement-batches` that is damaged or of a version this reader cannot read."""


class BatchKind(StrEnum):
    """What a message says about its source partition."""

    EVENTS = "events"
    HEARTBEAT = "heartbeat"
    END = "end"


_KIND_CODES: Final = {BatchKind.EVENTS: 0, BatchKind.HEARTBEAT: 1, BatchKind.END: 2}
_KINDS: Final = {code: kind for kind, code in _KIND_CODES.items()}


@dataclass(frozen=True, slots=True)
class BatchHeader:
    """How far a source partition has come.

    Attributes:
        kind: What the message is.
        source: The source partition, 0 to `sources` - 1.
        sources: How many source partitions there are.
        low: The offset before the first that this batch answers for.
        high: The last offset that it answers for; `low` where it answers for none.
        high_ms: The greatest event time of the whole chunk, over all target partitions, or
            NO_TIME_MS.
        idle: Whether the source partition has had nothing new for the set while.
        received_ms: When intake received the chunk, on the clock of its machine.
    """

    kind: BatchKind
    source: int
    sources: int
    low: int
    high: int
    high_ms: int
    idle: bool
    received_ms: int

    def __post_init__(self) -> None:
        """Check what every reader relies on.

        Raises:
            ValueError: The numbers contradict each other.
        """
        if not 0 <= self.source < self.sources:
            raise ValueError(f"source {self.source} is not one of {self.sources} sources")
        if not -1 <= self.low <= self.high:
            raise ValueError(f"offsets ({self.low}, {self.high}] are not a range")
        if self.kind is BatchKind.HEARTBEAT and self.low != self.high:
            raise ValueError(f"a heartbeat answers for no offsets, not ({self.low}, {self.high}]")


@dataclass(frozen=True, slots=True)
class Batch:
    """The rows of one chunk that belong to one target partition; all arrays have one length, n.

    Attributes:
        header: How far the source partition has come.
        videos: The distinct video keys of the rows (models/identity.py).
        video: int32[n], index into `videos`.
        action: uint8[n], code of the action (models/vocabulary.py).
        time_ms: int64[n], event time, ms since the epoch.
        high_ms: int64[n], greatest event time of the chunk up to and with this row.
        count: int64[n], events; negative for what was taken back.
        actor: uint64[n], keyed hash of the actor, 0 when absent.
        role: uint8[n], code of the actor's role.
        event: uint64[n], hash of the event's id, 0 when absent.
        offset: int64[n], source offset.
        profiles: Row index and JSON text of the rows that carry a profile, in order of rows.
        details: DETAIL[d] (models/details.py) of the rows that have any, ascending by row.
        regions: The distinct regions that the details name.
        comments: The comments of the rows that have a text, in order of rows.
    """

    header: BatchHeader
    videos: list[str]
    video: npt.NDArray[np.int32]
    action: npt.NDArray[np.uint8]
    time_ms: npt.NDArray[np.int64]
    high_ms: npt.NDArray[np.int64]
    count: npt.NDArray[np.int64]
    actor: npt.NDArray[np.uint64]
    role: npt.NDArray[np.uint8]
    event: npt.NDArray[np.uint64]
    offset: npt.NDArray[np.int64]
    profiles: list[tuple[int, str]]
    details: Details = field(default_factory=no_details)
    regions: list[str] = field(default_factory=list)
    comments: list[Comment] = field(default_factory=list)

    def __len__(self) -> int:
        """Return the number of rows."""
        return len(self.video)


def empty_batch(header: BatchHeader) -> Batch:
    """Return a batch without rows."""
    return Batch(
        header=header,
        videos=[],
        video=np.empty(0, np.int32),
        action=np.empty(0, np.uint8),
        time_ms=np.empty(0, np.int64),
        high_ms=np.empty(0, np.int64),
        count=np.empty(0, np.int64),
        actor=np.empty(0, np.uint64),
        role=np.empty(0, np.uint8),
        event=np.empty(0, np.uint64),
        offset=np.empty(0, np.int64),
        profiles=[],
    )


def heartbeat(*, source: int, sources: int, offset: int, idle: bool, received_ms: int) -> Batch:
    """Return a heartbeat: `offset` is the last one read of the source partition, -1 for none.

    Raises:
        ValueError: The numbers contradict each other.
    """
    return empty_batch(
        BatchHeader(
            kind=BatchKind.HEARTBEAT,
            source=source,
            sources=sources,
            low=offset,
            high=offset,
            high_ms=NO_TIME_MS,
            idle=idle,
            received_ms=received_ms,
        ),
    )


def end_mark(*, source: int, sources: int, low: int, high: int, received_ms: int) -> Batch:
    """Return an end mark, which answers for (low, high]: nothing more will come of this source.

    Raises:
        ValueError: The numbers contradict each other.
    """
    return empty_batch(
        BatchHeader(
            kind=BatchKind.END,
            source=source,
            sources=sources,
            low=low,
            high=high,
            high_ms=NO_TIME_MS,
            idle=False,
            received_ms=received_ms,
        ),
    )


@dataclass(frozen=True, slots=True)
class Rows:
    """The rows of a chunk over all target partitions; the columns are those of `Batch`."""

    videos: Sequence[str]
    video: npt.NDArray[np.int32]
    action: npt.NDArray[np.uint8]
    time_ms: npt.NDArray[np.int64]
    high_ms: npt.NDArray[np.int64]
    count: npt.NDArray[np.int64]
    actor: npt.NDArray[np.uint64]
    role: npt.NDArray[np.uint8]
    event: npt.NDArray[np.uint64]
    offset: npt.NDArray[np.int64]
    profiles: Sequence[tuple[int, str]]
    details: Details = field(default_factory=no_details)
    regions: Sequence[str] = ()
    comments: Sequence[Comment] = ()


def encode_batch(batch: Batch) -> bytes:
    """Return the message for a batch.

    Raises:
        ValueError: The columns differ in length, or a row names a video or a profile a row that is
            not there.
    """
    rows = len(batch)
    lengths = [len(batch.action), len(batch.time_ms), len(batch.high_ms), len(batch.count)]
    lengths += [len(batch.actor), len(batch.role), len(batch.event), len(batch.offset)]
    if any(length != rows for length in lengths):
        raise ValueError(f"columns differ in length: {[rows, *lengths]}")
    if rows and not 0 <= batch.video.min() <= batch.video.max() < len(batch.videos):
        raise ValueError(f"a row names none of {len(batch.videos)} videos")
    before = -1
    for row, _ in batch.profiles:
        if not before < row < rows:
            raise ValueError(f"a profile stands at row {row} of {rows}, after one at row {before}")
        before = row
    everything = Rows(
        videos=batch.videos,
        video=batch.video,
        action=batch.action,
        time_ms=batch.time_ms,
        high_ms=batch.high_ms,
        count=batch.count,
        actor=batch.actor,
        role=batch.role,
        event=batch.event,
        offset=batch.offset,
        profiles=batch.profiles,
    )
    (message,) = encode_for_targets(batch.header, everything, np.zeros(len(batch.videos), int), 1)
    return message


def encode_for_targets(
    header: BatchHeader, rows: Rows, target_of_video: npt.NDArray[np.integer[Any]], targets: int
) -> list[bytes]:
    """Return one message for each target, with the rows of its videos in their order.

    Args:
        header: What all the messages say.
        rows: Rows and videos that are consistent (`encode_batch` checks that, this does not).
        target_of_video: integer[m], 0 to `targets` - 1, for each of the m videos.
        targets: How many targets there are.
    """
    target = np.ascontiguousarray(target_of_video, np.int32)
    key_begin, keys = _strings_of(rows.videos)
    profile_row = np.array([row for row, _ in rows.profiles], np.int64)
    profile_begin, profiles = _strings_of([text for _, text in rows.profiles])
    videos_max = int(np.bincount(target, minlength=1).max())
    columns = (
        np.ascontiguousarray(rows.time_ms, np.int64),
        np.ascontiguousarray(rows.high_ms, np.int64),
        np.ascontiguousarray(rows.count, np.int64),
        np.ascontiguousarray(rows.actor, np.uint64),
        np.ascontiguousarray(rows.role, np.uint8),
        np.ascontiguousarray(rows.event, np.uint64),
        np.ascontiguousarray(rows.offset, np.int64),
    )
    flags, base_ms = layout.choose_flags(videos_max, header.low, *columns)
    encoded, begin = layout.encode_messages(
        targets,
        np.frombuffer(bytearray(_header_bytes(header, flags, base_ms)), np.uint8),
        flags,
        base_ms,
        header.low,
        target,
        key_begin,
        keys,
        np.ascontiguousarray(rows.video, np.int32),
        np.ascontiguousarray(rows.action, np.uint8),
        *columns,
        profile_row,
        profile_begin,
        profiles,
    )
    # One copy each: a view would keep the messages of all targets in memory.
    bounds = begin.tolist()
    return [encoded[bounds[at] : bounds[at + 1]].tobytes() for at in range(targets)]


def decode_batch(value: bytes) -> Batch:
    """Return the batch of a message.

    Raises:
        BatchFormatError: The message is damaged, or of another version.
    """
    header, flags, base_ms, rows, videos, profiles = _read_header(value)
    if rows == 0 and videos == 0 and profiles == 0 and len(value) == layout.HEADER_BYTES:
        return empty_batch(header)
    # Every row has at least 9 bytes, every string 4: nothing is allocated on the header's word.
    if len(value) % 8 or 9 * rows + 4 * (videos + profiles) > len(value):
        raise BatchFormatError(_ERRORS[layout.WRONG_LENGTH])
    message = np.frombuffer(value, np.uint8)
    batch = Batch(
        header=header,
        videos=[],
        video=np.empty(rows, np.int32),
        action=np.empty(rows, np.uint8),
        time_ms=np.empty(rows, np.int64),
        high_ms=np.empty(rows, np.int64),
        count=np.empty(rows, np.int64),
        actor=np.empty(rows, np.uint64),
        role=np.empty(rows, np.uint8),
        event=np.empty(rows, np.uint64),
        offset=np.empty(rows, np.int64),
        profiles=[],
    )
    status, at = layout.decode_rows(
        message,
        flags,
        base_ms,
        header.low,
        videos,
        batch.video,
        batch.action,
        batch.time_ms,
        batch.high_ms,
        batch.count,
        batch.actor,
        batch.role,
        batch.event,
        batch.offset,
    )
    _check(status)
    status, _, begin, text, at = layout.locate_strings(message, at, videos, 0, False)
    _check(status)
    batch.videos.extend(_texts(value, videos, begin, text, at))
    status, row, begin, text, at = layout.locate_strings(message, at, profiles, rows, True)
    _check(status)
    if at != len(value):
        raise BatchFormatError(f"{len(value) - at} bytes too many")
    if profiles:
        places = message[row : row + 4 * profiles].view(np.uint32).tolist()
        batch.profiles.extend(zip(places, _texts(value, profiles, begin, text, at), strict=True))
    return batch


def _check(status: int) -> None:
    if status != layout.OK:
        raise BatchFormatError(_ERRORS[status])


def _strings_of(texts: Sequence[str]) -> tuple[npt.NDArray[np.int32], npt.NDArray[np.uint8]]:
    """Return int32[n + 1], where each text begins, and the UTF-8 of all of them."""
    _, begin, data = pa.array(texts, pa.utf8()).buffers()
    if not texts or not data:
        return np.zeros(len(texts) + 1, np.int32), np.empty(0, np.uint8)
    return (
        np.frombuffer(begin, np.int32, len(texts) + 1),
        np.frombuffer(data, np.uint8),
    )


def _texts(value: bytes, texts: int, begin: int, text: int, end: int) -> list[str]:
    """Return the strings of a part that `locate_strings` has checked.

    Raises:
        BatchFormatError: They are not UTF-8.
    """
    if texts == 0:
        return []
    whole = pa.py_buffer(value)
    strings = pa.StringArray.from_buffers(
        texts, whole.slice(begin, 4 * (texts + 1)), whole.slice(text, end - text)
    )
    try:
        listed: list[str] = strings.to_pylist()
    except UnicodeDecodeError as error:
        raise BatchFormatError(f"a string is not UTF-8: {error}") from error
    return listed


def _header_bytes(header: BatchHeader, flags: int, base_ms: int) -> bytes:
    return _HEADER.pack(
        _MAGIC,
        VERSION,
        _KIND_CODES[header.kind],
        header.idle,
        flags,
        0,  # numbers of rows, videos and profiles: each target has its own
        0,
        0,
        header.source,
        header.sources,
        header.low,
        header.high,
        header.high_ms,
        header.received_ms,
        base_ms,
    )


def _read_header(value: bytes) -> tuple[BatchHeader, int, int, int, int, int]:
    """Return the header, the flags, `base_ms`, and the numbers of rows, videos and profiles."""
    if value[:4] == _VERSION_1_START:
        raise BatchFormatError(_other_format(value))
    if len(value) < _START.size or value[:4] != _MAGIC:
        raise BatchFormatError("not a message of `engagement-batches`")
    _, version = _START.unpack_from(value)
    if version != VERSION:
        raise BatchFormatError(f"version {version} of the format; this reader knows {VERSION}")
    if len(value) < _HEADER.size:
        raise BatchFormatError(_ERRORS[layout.WRONG_LENGTH])
    _, _, kind, idle, flags, rows, videos, profiles, *fields, base_ms = _HEADER.unpack_from(value)
    if kind not in _KINDS or idle > 1 or flags >= layout.FLAGS_END:
        raise BatchFormatError(f"unreadable header: kind {kind}, idle {idle}, flags {flags}")
    source, sources, low, high, high_ms, received_ms = fields
    try:
        header = BatchHeader(
            kind=_KINDS[kind],
            source=source,
            sources=sources,
            low=low,
            high=high,
            high_ms=high_ms,
            idle=bool(idle),
            received_ms=received_ms,
        )
    except ValueError as error:
        raise BatchFormatError(f"unreadable header: {error!r}") from error
    return header, flags, base_ms, rows, videos, profiles


def _other_format(value: bytes) -> str:
    """Say what an Arrow stream is: version 1 was one, with its header in the schema's metadata."""
    try:
        with pa.ipc.open_stream(pa.py_buffer(value)) as reader:
            metadata = reader.schema.metadata or {}
        version = json.loads(metadata[_VERSION_1_METADATA_KEY])["version"]
    except (pa.ArrowException, OSError, ValueError, KeyError, TypeError) as error:
        return f"an Arrow stream, but not one of ours: {error!r}"
    return f"version {version!r} of the format; this reader knows {VERSION}"
