"""The header of a message of `engagement-batches`: how far a source partition has come.

docs/architecture.md, "`engagement-batches`, version 3", is the contract.
"""

import json
import struct
from dataclasses import dataclass
from enum import StrEnum
from typing import Final, NamedTuple

import pyarrow as pa

from models import detail_layout

VERSION: Final = 3
"""Goes up when a reader of the old format could misread the new one."""

NO_TIME_MS: Final = -1
"""`high_ms` of a chunk without a valid event; no valid event is that early (models/events.py)."""

_MAGIC: Final = b"HSBT"
_HEADER: Final = struct.Struct("<4sHBBI7IIIqqqqq")
"""Magic, version, kind, idle, flags, `Numbers`, source, sources, low, high, high_ms, received_ms,
base_ms; little-endian, models/batch_layout.py's HEADER_BYTES long."""
_START: Final = struct.Struct("<4sH")
_VERSION_1_START: Final = b"\xff\xff\xff\xff"
_VERSION_1_METADATA_KEY: Final = b"hotspots"


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


class Numbers(NamedTuple):
    """How much a message holds, as its header says it in uint32 each."""

    rows: int
    videos: int
    profiles: int
    details: int
    regions: int
    texts: int
    ids: int

    @property
    def behind_rows(self) -> tuple[int, ...]:
        """What lies behind the rows, their videos and their profiles."""
        return self[3:]


NO_NUMBERS: Final = Numbers(0, 0, 0, 0, 0, 0, 0)
"""Of a message without rows."""


def header_bytes(header: BatchHeader, flags: int, base_ms: int) -> bytes:
    """Return the header of a message that holds nothing yet."""
    return _HEADER.pack(
        _MAGIC,
        VERSION,
        _KIND_CODES[header.kind],
        header.idle,
        flags,
        *NO_NUMBERS,  # each target has its own
        header.source,
        header.sources,
        header.low,
        header.high,
        header.high_ms,
        header.received_ms,
        base_ms,
    )


def read_header(value: bytes) -> tuple[BatchHeader, int, int, Numbers]:
    """Return the header, the flags, `base_ms`, and how much there is of everything.

    Raises:
        BatchFormatError: It is damaged, or of another version.
    """
    if value[:4] == _VERSION_1_START:
        raise BatchFormatError(_other_format(value))
    if len(value) < _START.size or value[:4] != _MAGIC:
        raise BatchFormatError("not a message of `engagement-batches`")
    _, version = _START.unpack_from(value)
    if version != VERSION:
        raise BatchFormatError(f"version {version} of the format; this reader knows {VERSION}")
    if len(value) < _HEADER.size:
        raise BatchFormatError("shorter than a header")
    _, _, kind, idle, flags, *others = _HEADER.unpack_from(value)
    numbers = Numbers(*others[: len(NO_NUMBERS)])
    *fields, base_ms = others[len(NO_NUMBERS) :]
    if kind not in _KINDS or idle > 1 or flags >= detail_layout.FLAGS_END:
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
    return header, flags, base_ms, numbers


def _other_format(value: bytes) -> str:
    """Say what an Arrow stream is: version 1 was one, with its header in the schema's metadata."""
    try:
        with pa.ipc.open_stream(pa.py_buffer(value)) as reader:
            metadata = reader.schema.metadata or {}
        version = json.loads(metadata[_VERSION_1_METADATA_KEY])["version"]
    except (pa.ArrowException, OSError, ValueError, KeyError, TypeError) as error:
        return f"an Arrow stream, but not one of ours: {error!r}"
    return f"version {version!r} of the format; this reader knows {VERSION}"
