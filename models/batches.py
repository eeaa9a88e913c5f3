"""The wire format of `engagement-batches`: columns of normalised events, one chunk at a time.

docs/architecture.md, "`engagement-batches`, version 1", is the contract; this file is the only
place that reads and writes it.
"""

import json
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

VERSION: Final = 1
"""Goes up when a reader of the old format could misread the new one."""

NO_TIME_MS: Final = -1
"""`high_ms` of a chunk without a valid event; no valid event is that early (models/events.py)."""

_METADATA_KEY: Final = b"hotspots"
_COLUMNS: Final = (
    ("video", pa.dictionary(pa.int32(), pa.utf8())),
    ("action", pa.uint8()),
    ("time_ms", pa.int64()),
    ("high_ms", pa.int64()),
    ("count", pa.int64()),
    ("actor", pa.uint64()),
    ("role", pa.uint8()),
    ("event", pa.uint64()),
    ("offset", pa.int64()),
    ("profile", pa.utf8()),
)
_FIELDS: Final = tuple(pa.field(name, kind, nullable=name == "profile") for name, kind in _COLUMNS)
_SCHEMA: Final = pa.schema(_FIELDS)


class BatchFormatError(ValueError):
    """A message of `engagement-batches` that is damaged or of a version this reader cannot read."""


class BatchKind(StrEnum):
    """What a message says about its source partition."""

    EVENTS = "events"
    HEARTBEAT = "heartbeat"
    END = "end"


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


def encode_batch(batch: Batch) -> bytes:
    """Return the message for a batch.

    Raises:
        ValueError: The columns differ in length or a profile stands at no row.
    """
    rows = len(batch)
    profiles: list[str | None] = [None] * rows
    for row, text in batch.profiles:
        if not 0 <= row < rows:
            raise ValueError(f"a profile stands at row {row} of {rows}")
        profiles[row] = text
    video = pa.DictionaryArray.from_arrays(
        pa.array(batch.video, pa.int32()),
        pa.array(batch.videos, pa.utf8()),
    )
    columns = [
        video,
        pa.array(batch.action, pa.uint8()),
        pa.array(batch.time_ms, pa.int64()),
        pa.array(batch.high_ms, pa.int64()),
        pa.array(batch.count, pa.int64()),
        pa.array(batch.actor, pa.uint64()),
        pa.array(batch.role, pa.uint8()),
        pa.array(batch.event, pa.uint64()),
        pa.array(batch.offset, pa.int64()),
        pa.array(profiles, pa.utf8()),
    ]
    if any(len(column) != rows for column in columns):
        raise ValueError(f"columns differ in length: {[len(column) for column in columns]}")
    schema = _SCHEMA.with_metadata({_METADATA_KEY: _header_to_json(batch.header)})
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, schema) as writer:
        writer.write_batch(pa.record_batch(columns, schema=schema))
    encoded: bytes = sink.getvalue().to_pybytes()
    return encoded


def decode_batch(value: bytes) -> Batch:
    """Return the batch of a message; its arrays are read-only views of `value`.

    Raises:
        BatchFormatError: The message is damaged, or of another version.
    """
    try:
        with pa.ipc.open_stream(pa.py_buffer(value)) as reader:
            header = _header_of(reader.schema)
            record_batch = reader.read_next_batch()
            record_batch.validate(full=True)
    except (pa.ArrowException, OSError, StopIteration) as error:
        raise BatchFormatError(f"not an Arrow stream of one batch: {error}") from error
    if any(column.null_count for column in record_batch.columns[:-1]):
        raise BatchFormatError("a column that every row must have holds nulls")
    video = record_batch.column("video")
    profile = record_batch.column("profile")
    if video.dictionary.null_count:
        raise BatchFormatError("the dictionary of videos holds nulls")
    return Batch(
        header=header,
        videos=video.dictionary.to_pylist(),
        video=_to_numpy(video.indices),
        action=_to_numpy(record_batch.column("action")),
        time_ms=_to_numpy(record_batch.column("time_ms")),
        high_ms=_to_numpy(record_batch.column("high_ms")),
        count=_to_numpy(record_batch.column("count")),
        actor=_to_numpy(record_batch.column("actor")),
        role=_to_numpy(record_batch.column("role")),
        event=_to_numpy(record_batch.column("event")),
        offset=_to_numpy(record_batch.column("offset")),
        profiles=_profiles_of(profile),
    )


def _profiles_of(profile: Any) -> list[tuple[int, str]]:  # noqa: ANN401 - pyarrow ships no types
    if profile.null_count == len(profile):
        return []
    rows = pc.indices_nonzero(profile.is_valid())
    return list(zip(rows.to_pylist(), profile.take(rows).to_pylist(), strict=True))


def _to_numpy(column: Any) -> npt.NDArray[Any]:  # noqa: ANN401 - pyarrow ships no types
    array: npt.NDArray[Any] = column.to_numpy(zero_copy_only=True)
    return array


def _header_to_json(header: BatchHeader) -> bytes:
    return json.dumps(
        {
            "version": VERSION,
            "kind": header.kind.value,
            "source": header.source,
            "sources": header.sources,
            "low": header.low,
            "high": header.high,
            "high_ms": header.high_ms,
            "idle": header.idle,
            "received_ms": header.received_ms,
        },
        separators=(",", ":"),
    ).encode()


def _header_of(schema: Any) -> BatchHeader:  # noqa: ANN401 - pyarrow ships no types
    """Read the header and check the columns, before any row is trusted."""
    text = (schema.metadata or {}).get(_METADATA_KEY)
    if text is None:
        raise BatchFormatError("an Arrow stream, but not one of ours: no `hotspots` metadata")
    try:
        fields = json.loads(text)
        version = fields["version"]
    except (ValueError, KeyError, TypeError) as error:
        raise BatchFormatError(f"unreadable header: {error!r}") from error
    if version != VERSION:
        raise BatchFormatError(f"version {version!r} of the format; this reader knows {VERSION}")
    if not schema.equals(_SCHEMA):
        raise BatchFormatError(
            f"unexpected columns: {schema.to_string(show_schema_metadata=False)}"
        )
    try:
        return BatchHeader(
            kind=BatchKind(fields["kind"]),
            source=int(fields["source"]),
            sources=int(fields["sources"]),
            low=int(fields["low"]),
            high=int(fields["high"]),
            high_ms=int(fields["high_ms"]),
            idle=bool(fields["idle"]),
            received_ms=int(fields["received_ms"]),
        )
    except (ValueError, KeyError, TypeError) as error:
        raise BatchFormatError(f"unreadable header: {error!r}") from error
