"""The pure step of `intake`: a chunk of messages in, a batch for every target partition out."""

from dataclasses import dataclass, field
from typing import Final

import numpy as np
import numpy.typing as npt

from models.batches import (
    NO_TIME_MS,
    Batch,
    BatchHeader,
    BatchKind,
    encode_batch,
    end_mark,
)
from models.decoding import decode
from models.events import END_MARK_KEY, DecodingLimits, EventColumns, Reject
from models.identity import ActorHasher, partitions_of
from models.steps import Chunk
from models.vocabulary import ACTION_CODE, Action

DERIVED_EVENT_BITS: Final = np.uint64(0x9E37_79B9_7F4A_7C15)
"""Told apart by these bits, the two rows of a `derive` are never taken for a repeat of each other;
any odd constant does, this one is 2^64 divided by the golden ratio."""


@dataclass(frozen=True, slots=True)
class IntakeOutput:
    """What a chunk became.

    Attributes:
        batches: For each target partition the messages of `engagement-batches`, in order; at least
            one each, so that every partition sees how far the source has come.
        rejects: The messages that are no events, in log order.
        events: How many messages are events.
    """

    batches: list[list[bytes]]
    rejects: list[Reject]
    events: int


@dataclass(frozen=True, slots=True)
class _Rows:
    """The rows of a chunk over all target partitions; the arrays are those of `Batch`."""

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


@dataclass(frozen=True, slots=True)
class Intake:
    """Validates, normalises, hashes and routes; it holds no state between chunks.

    Args:
        partitions: How many partitions `engagement-batches` has.
        actor_key: The secret of models/identity.py, shared by all workers.
        limits: The bounds that events are held to.

    Raises:
        ValueError: There is no partition, or the key is unfit.
    """

    partitions: int
    actor_key: bytes = field(repr=False)
    limits: DecodingLimits = field(default_factory=DecodingLimits)
    _hasher: ActorHasher = field(init=False, repr=False)

    def __post_init__(self) -> None:
        """Check the arguments."""
        if self.partitions < 1:
            raise ValueError(f"{self.partitions} partitions are none")
        object.__setattr__(self, "_hasher", ActorHasher(self.actor_key))

    def process(self, chunk: Chunk, *, source: int, sources: int, received_ms: int) -> IntakeOutput:
        """Turn one chunk into batches.

        Args:
            chunk: Consecutive messages of source partition `source`; one that holds no message
                still moves the position on.
            source: The source partition, 0 to `sources` - 1.
            sources: How many source partitions there are.
            received_ms: When the chunk was received, ms since the epoch.

        Returns:
            The batches of each target partition, the rejects, and the number of events. An end mark
            (key END_MARK_KEY, null value) splits the chunk, so that nothing stands on both sides.
        """
        batches: list[list[bytes]] = [[] for _ in range(self.partitions)]
        rejects: list[Reject] = []
        events = 0
        for piece, is_end in _split_at_end_marks(chunk):
            low, high = piece.low_offset - 1, piece.next_offset - 1
            if is_end:
                mark = encode_batch(
                    end_mark(
                        source=source, sources=sources, low=low, high=high, received_ms=received_ms
                    ),
                )
                for messages in batches:
                    messages.append(mark)
                continue
            columns, refused = decode(piece, received_ms=received_ms, limits=self.limits)
            rejects += refused
            events += len(columns)
            header = BatchHeader(
                kind=BatchKind.EVENTS,
                source=source,
                sources=sources,
                low=low,
                high=high,
                high_ms=int(columns.time_ms.max()) if len(columns) else NO_TIME_MS,
                idle=False,
                received_ms=received_ms,
            )
            rows = self._rows_of(columns)
            for messages, batch in zip(batches, self._route(rows, header), strict=True):
                messages.append(encode_batch(batch))
        return IntakeOutput(batches, rejects, events)

    def _rows_of(self, columns: EventColumns) -> _Rows:
        """Hash who and what, and add the second row of each `derive`."""
        rows = _Rows(
            videos=columns.videos,
            video=columns.video,
            action=columns.action,
            time_ms=columns.time_ms,
            high_ms=np.maximum.accumulate(columns.time_ms),
            count=columns.count,
            actor=self._hashes_of(columns.actors, columns.actor),
            role=columns.role,
            event=self._hashes_of(columns.events, columns.event),
            offset=columns.offset,
            profiles=columns.profiles,
        )
        return _with_derivations(rows, columns.sources) if columns.sources else rows

    def _hashes_of(self, texts: list[str], codes: npt.NDArray[np.int32]) -> npt.NDArray[np.uint64]:
        # Code -1, for absent, takes the last element: 0.
        return np.append(self._hasher.hash_all(texts), np.uint64(0))[codes]

    def _route(self, rows: _Rows, header: BatchHeader) -> list[Batch]:
        """Return the batch of each target partition; rows keep their order."""
        partition_of_video = partitions_of(rows.videos, self.partitions)
        partition = partition_of_video[rows.video]
        order = np.argsort(partition, kind="stable")
        bounds = np.searchsorted(partition[order], np.arange(self.partitions + 1))
        local = np.empty(len(rows.videos), np.int32)
        at_row = dict(rows.profiles)
        has_profile = np.zeros(len(rows.video), np.bool_)
        has_profile[list(at_row)] = True
        batches = []
        for target in range(self.partitions):
            mine = np.flatnonzero(partition_of_video == target)
            local[mine] = np.arange(len(mine), dtype=np.int32)
            chosen = order[bounds[target] : bounds[target + 1]]
            batches.append(
                Batch(
                    header=header,
                    videos=[rows.videos[video] for video in mine.tolist()],
                    video=local[rows.video[chosen]],
                    action=rows.action[chosen],
                    time_ms=rows.time_ms[chosen],
                    high_ms=rows.high_ms[chosen],
                    count=rows.count[chosen],
                    actor=rows.actor[chosen],
                    role=rows.role[chosen],
                    event=rows.event[chosen],
                    offset=rows.offset[chosen],
                    profiles=_profiles_at(at_row, has_profile, chosen),
                ),
            )
        return batches


def _profiles_at(
    at_row: dict[int, str], has_profile: npt.NDArray[np.bool_], chosen: npt.NDArray[np.int64]
) -> list[tuple[int, str]]:
    return [(at, at_row[int(chosen[at])]) for at in np.flatnonzero(has_profile[chosen]).tolist()]


def _split_at_end_marks(chunk: Chunk) -> list[tuple[Chunk, bool]]:
    """Return pieces that cover the chunk's offsets without a gap, and which are end marks."""
    if None not in chunk.values:
        return [(chunk, False)]
    marks = [
        at
        for at, (key, value) in enumerate(zip(chunk.keys, chunk.values, strict=True))
        if value is None and key == END_MARK_KEY
    ]
    pieces = []
    begin, low = 0, chunk.low_offset
    for mark in marks:
        offset = chunk.offsets[mark]
        if low < offset:
            pieces.append((_piece(chunk, begin, mark, low, offset), False))
        pieces.append((_piece(chunk, mark, mark + 1, offset, offset + 1), True))
        begin, low = mark + 1, offset + 1
    if low < chunk.next_offset or not marks:
        pieces.append((_piece(chunk, begin, len(chunk.values), low, chunk.next_offset), False))
    return pieces


def _piece(chunk: Chunk, begin: int, end: int, low_offset: int, next_offset: int) -> Chunk:
    if begin == 0 and end == len(chunk.values):
        return Chunk(
            low_offset, next_offset, chunk.offsets, chunk.keys, chunk.values, chunk.append_ms
        )
    return Chunk(
        low_offset=low_offset,
        next_offset=next_offset,
        offsets=chunk.offsets[begin:end],
        keys=chunk.keys[begin:end],
        values=chunk.values[begin:end],
        append_ms=chunk.append_ms[begin:end],
    )


def _with_derivations(rows: _Rows, sources: list[tuple[int, str]]) -> _Rows:
    """Make each `derive` the publication of the new video, and add a row for its source."""
    at = np.array([row for row, _ in sources], np.int64)
    code_of = {key: code for code, key in enumerate(rows.videos)}
    source_codes = [code_of.setdefault(key, len(code_of)) for _, key in sources]
    copies = np.ones(len(rows.video), np.int64)
    copies[at] = 2
    origin = np.repeat(np.arange(len(rows.video)), copies)
    first = np.cumsum(copies) - copies  # where each old row begins among the new ones
    added = first[at] + 1
    video, action, event = rows.video[origin], rows.action[origin], rows.event[origin]
    video[added] = source_codes
    action[first[at]] = ACTION_CODE[Action.PUBLISH.value]
    named = added[event[added] != 0]
    event[named] ^= DERIVED_EVENT_BITS
    event[named] = np.where(event[named] == 0, DERIVED_EVENT_BITS, event[named])
    return _Rows(
        videos=list(code_of),
        video=video,
        action=action,
        time_ms=rows.time_ms[origin],
        high_ms=rows.high_ms[origin],
        count=rows.count[origin],
        actor=rows.actor[origin],
        role=rows.role[origin],
        event=event,
        offset=rows.offset[origin],
        profiles=[(int(first[row]), text) for row, text in rows.profiles],
    )
