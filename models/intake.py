"""The pure step of `intake`: a chunk of messages in, a batch for every target partition out."""

from dataclasses import dataclass, field
from typing import Final

import numpy as np
import numpy.typing as npt

from models.batch_header import NO_TIME_MS, BatchHeader, BatchKind
from models.batches import Rows, decode_batch, encode_batch, encode_for_targets, end_mark
from models.decoding import decode, every_field
from models.decoding import warm_up as warm_up_decoding
from models.details import Details
from models.events import END_MARK_KEY, DecodingLimits, EventColumns, Reject
from models.identity import HashKeys, partitions_of
from models.packed_chunk import NULL_LENGTH, PackedChunk, packed
from models.steps import Chunk
from models.vocabulary import ACTION_CODE, Action

DERIVED_EVENT_BITS: Final = np.uint64(0x9E37_79B9_7F4A_7C15)
"""Told apart by these bits, the two rows of a `derive` are never taken for a repeat of each other;
any odd constant does, this one is 2^64 divided by the golden ratio."""

MIDDLE_SAMPLE: Final = 64
"""Events that `IntakeOutput.middle_ms` is the median of: a chunk covers a short time, and a handful
of wrong clocks among them move the median by little."""


@dataclass(frozen=True, slots=True)
class IntakeOutput:
    """What a chunk became.

    Attributes:
        batches: For each target partition the messages of `engagement-batches`, in order; at least
            one each, so that every partition sees how far the source has come.
        rejects: The messages that are no events, in log order.
        events: How many messages are events.
        middle_ms: The median event time of a sample of the events, NO_TIME_MS without any: where
            in event time the source stands, whatever a single wrong clock says.
    """

    batches: list[list[bytes]]
    rejects: list[Reject]
    events: int
    middle_ms: int


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
    _keys: HashKeys = field(init=False, repr=False)

    def __post_init__(self) -> None:
        """Check the arguments."""
        if self.partitions < 1:
            raise ValueError(f"{self.partitions} partitions are none")
        object.__setattr__(self, "_keys", HashKeys.of(self.actor_key))

    def warm_up(self) -> None:
        """Compile, or load, every loop that `process` needs; the first time takes seconds."""
        warm_up_decoding()
        event = every_field(self.limits)
        output = self.process(event, source=0, sources=1, received_ms=self.limits.earliest_ms)
        for messages in output.batches:
            decode_batch(messages[0])

    def process(
        self, chunk: PackedChunk | Chunk, *, source: int, sources: int, received_ms: int
    ) -> IntakeOutput:
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
        middle_ms = NO_TIME_MS
        whole = packed(chunk) if isinstance(chunk, Chunk) else chunk
        for piece, is_end in _split_at_end_marks(whole):
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
            columns, refused = decode(
                piece, received_ms=received_ms, limits=self.limits, keys=self._keys
            )
            rejects += refused
            events += len(columns)
            if len(columns):
                middle_ms = _middle_ms(columns)
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
            rows = _rows_of(columns)
            target_of_video = partitions_of(rows.videos, self.partitions)
            messages_of = encode_for_targets(header, rows, target_of_video, self.partitions)
            for messages, message in zip(batches, messages_of, strict=True):
                messages.append(message)
        return IntakeOutput(batches, rejects, events, middle_ms)


def _middle_ms(columns: EventColumns) -> int:
    every = max(1, len(columns) // MIDDLE_SAMPLE)
    return int(np.median(columns.time_ms[::every]))


def _rows_of(columns: EventColumns) -> Rows:
    """Return the rows of the events, with a second one for each `derive`."""
    rows = Rows(
        videos=columns.videos,
        video=columns.video,
        action=columns.action,
        time_ms=columns.time_ms,
        high_ms=np.maximum.accumulate(columns.time_ms),
        count=columns.count,
        actor=columns.actor,
        role=columns.role,
        event=columns.event,
        offset=columns.offset,
        profiles=columns.profiles,
        details=columns.details,
        regions=columns.regions,
        comments=columns.comments,
    )
    return _with_derivations(rows, columns.sources) if columns.sources else rows


def _split_at_end_marks(chunk: PackedChunk) -> list[tuple[PackedChunk, bool]]:
    """Return pieces that cover the chunk's offsets without a gap, and which are end marks."""
    nulls = np.flatnonzero(chunk.value_length == NULL_LENGTH).tolist()
    marks = [row for row in nulls if chunk.key(row) == END_MARK_KEY]
    if not marks:
        return [(chunk, False)]
    pieces = []
    begin, low = 0, chunk.low_offset
    for mark in marks:
        offset = int(chunk.offset[mark])
        if low < offset:
            pieces.append((chunk.rows(begin, mark, low_offset=low, next_offset=offset), False))
        pieces.append((chunk.rows(mark, mark + 1, low_offset=offset, next_offset=offset + 1), True))
        begin, low = mark + 1, offset + 1
    if low < chunk.next_offset:
        rest = chunk.rows(begin, len(chunk), low_offset=low, next_offset=chunk.next_offset)
        pieces.append((rest, False))
    return pieces


def _with_derivations(rows: Rows, sources: list[tuple[int, str]]) -> Rows:
    """Make each `derive` the publication of the new video, and add a row for its source.

    Both rows have the details, as they have the actor and the role, for they are about who did it;
    a profile or a text is about what was made.
    """
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
    return Rows(
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
        details=_with_copies(rows.details, first, copies),
        regions=rows.regions,
        comments=[(int(first[row]), name, text) for row, name, text in rows.comments],
    )


def _with_copies(
    details: Details, first: npt.NDArray[np.int64], copies: npt.NDArray[np.int64]
) -> Details:
    """Return the details of rows of which there are `copies`, 1 or 2, from `first` on."""
    old = details["row"].astype(np.int64)
    repeated = np.repeat(details, copies[old])
    repeated["row"] = np.repeat(first[old], copies[old])
    second = np.cumsum(copies[old])[copies[old] == 2] - 1
    repeated["row"][second] += 1
    return repeated
