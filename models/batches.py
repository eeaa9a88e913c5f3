"""The wire format of `engagement-batches`: columns of normalised events, one chunk at a time.

docs/architecture.md, "`engagement-batches`, version 3", is the contract; this file, with
models/batch_layout.py and models/detail_layout.py for the bytes, is the only place that reads and
writes it.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from models import batch_layout as layout
from models import detail_layout
from models import record_batches as parts
from models.batch_header import (
    NO_TIME_MS,
    BatchFormatError,
    BatchHeader,
    BatchKind,
    Numbers,
    header_bytes,
    read_header,
)
from models.details import DETAIL, Comment, Details, no_details

_ERRORS: Final = {
    parts.WRONG_LENGTH: "shorter than its header announces",
    parts.WRONG_METADATA: "metadata of a record batch are not those that its header announces",
    parts.WRONG_STRINGS: "offsets of strings go back",
    parts.WRONG_INDEX: "a video, a region or a row is named that is not there",
    parts.WRONG_VALUE: "a detail has a value that no event may have",
}


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
        ValueError: The columns differ in length, a row names a video, or a profile, a detail or a
            comment a row that is not there, or a detail has a value that no event may have.
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
    _check_details_of(batch)
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
        details=batch.details,
        regions=batch.regions,
        comments=batch.comments,
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
    has_details = len(rows.details) > 0 or len(rows.comments) > 0
    if has_details:
        flags |= detail_layout.choose_detail_flags(rows.details)
    encoded, begin, target_of_row, place = layout.encode_messages(
        targets,
        np.frombuffer(bytearray(header_bytes(header, flags, base_ms)), np.uint8),
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
    behind = _encoded_details(rows, flags, target_of_row, place, targets) if has_details else []
    bounds = begin.tolist()
    for at, (numbers, _) in zip(bounds, behind, strict=False):
        encoded[at + detail_layout.NUMBERS_AT :][: len(numbers)] = numbers
    # One copy each: a view would keep the messages of all targets in memory.
    messages = [encoded[bounds[at] : bounds[at + 1]].tobytes() for at in range(targets)]
    if not behind:
        return messages
    return [message + rest for message, (_, rest) in zip(messages, behind, strict=True)]


def _encoded_details(
    rows: Rows,
    flags: int,
    target_of_row: npt.NDArray[np.int32],
    place: npt.NDArray[np.int32],
    targets: int,
) -> list[tuple[npt.NDArray[np.uint8], bytes]]:
    """Return for each target the numbers for its header, as bytes, and what follows its rows."""
    named = [(row, name) for row, name, _ in rows.comments if name]
    encoded, begin, numbers = detail_layout.encode_details(
        targets,
        flags,
        target_of_row,
        place,
        np.ascontiguousarray(rows.details),
        *_strings_of(rows.regions),
        np.array([row for row, _, _ in rows.comments], np.int64),
        *_strings_of([text for _, _, text in rows.comments]),
        np.array([row for row, _ in named], np.int64),
        *_strings_of([name for _, name in named]),
    )
    bounds = begin.tolist()
    return [
        (numbers[at].astype("<u4").view(np.uint8), encoded[bounds[at] : bounds[at + 1]].tobytes())
        for at in range(targets)
    ]


def _check_details_of(batch: Batch) -> None:
    """Check what `decode_batch` would check.

    Raises:
        ValueError: It would not read these details and comments.
    """
    status = detail_layout.check_details(batch.details, len(batch), len(batch.regions))
    if status != parts.OK:
        raise ValueError(_ERRORS[status])
    before = -1
    for row, _, _ in batch.comments:
        if not before < row < len(batch):
            raise ValueError(f"a comment stands at row {row}, after one at row {before}")
        before = row


def decode_batch(value: bytes) -> Batch:
    """Return the batch of a message.

    Raises:
        BatchFormatError: The message is damaged, or of another version.
    """
    header, flags, base_ms, numbers = read_header(value)
    if not any(numbers) and len(value) == layout.HEADER_BYTES:
        return empty_batch(header)
    # Every row has at least 9 bytes, anything else 4: nothing is allocated on the header's word.
    if len(value) % 8 or 5 * numbers.rows + 4 * sum(numbers) > len(value):
        raise BatchFormatError(_ERRORS[parts.WRONG_LENGTH])
    rows = numbers.rows
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
        details=np.empty(numbers.details, DETAIL),
    )
    message = np.frombuffer(value, np.uint8)
    status, at = layout.decode_rows(
        message,
        flags,
        base_ms,
        header.low,
        numbers.videos,
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
    videos, at = _read_texts(value, message, at, numbers.videos)
    batch.videos.extend(videos)
    profiles, at = _read_texts_of_rows(value, message, at, numbers.profiles, rows)
    batch.profiles.extend(profiles)
    if any(numbers.behind_rows):
        at = _read_details(value, message, at, flags, numbers, batch)
    if at != len(value):
        raise BatchFormatError(f"{len(value) - at} bytes too many")
    return batch


def _read_details(
    value: bytes,
    message: npt.NDArray[np.uint8],
    at: int,
    flags: int,
    numbers: Numbers,
    batch: Batch,
) -> int:
    """Read into the batch what stands behind its rows; return where it ends.

    Raises:
        BatchFormatError: It is damaged.
    """
    status, at = detail_layout.decode_details(
        message, at, flags, numbers.rows, numbers.regions, batch.details
    )
    _check(status)
    regions, at = _read_texts(value, message, at, numbers.regions)
    batch.regions.extend(regions)
    texts, at = _read_texts_of_rows(value, message, at, numbers.texts, numbers.rows)
    ids, at = _read_texts_of_rows(value, message, at, numbers.ids, numbers.rows)
    id_of_row = dict(ids)
    batch.comments.extend((row, id_of_row.pop(row, ""), text) for row, text in texts)
    if id_of_row:
        raise BatchFormatError("a comment without a text has an id")
    return at


def _read_texts(
    value: bytes, message: npt.NDArray[np.uint8], at: int, texts: int
) -> tuple[list[str], int]:
    """Return the strings of a part, and where the next one begins.

    Raises:
        BatchFormatError: It is damaged.
    """
    status, _, begin, text, following = parts.locate_strings(message, at, texts, 0, False)
    _check(status)
    return _texts(value, texts, begin, text, following), following


def _read_texts_of_rows(
    value: bytes, message: npt.NDArray[np.uint8], at: int, texts: int, rows: int
) -> tuple[Iterable[tuple[int, str]], int]:
    """Return rows and strings of a part, and where the next one begins.

    Raises:
        BatchFormatError: It is damaged.
    """
    if texts == 0:
        return (), at
    status, row, begin, text, following = parts.locate_strings(message, at, texts, rows, True)
    _check(status)
    places = message[row : row + 4 * texts].view(np.uint32).tolist()
    return zip(places, _texts(value, texts, begin, text, following), strict=True), following


def _check(status: int) -> None:
    if status != parts.OK:
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
