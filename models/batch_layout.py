"""How the rows of `engagement-batches` lie in bytes: compiled loops that write and read them.

Each part of a message is an encapsulated Arrow IPC message with one record batch (Apache Arrow,
"Columnar Format", section "Encapsulated message format"): 0xFFFFFFFF, the length of the metadata,
the metadata (a FlatBuffer), the buffers. The metadata of a record batch are the same bytes each
time but for the numbers of rows and bytes, so they are written here, and compared when read: a
message through pyarrow takes 24 us for encoding and decoding 400 rows, this takes a fifth of it
(measured). tests/models/test_batch_layout.py reads what this writes with pyarrow.
"""

from typing import Final

import numpy as np
import numpy.typing as npt

from models.compiled import compiled

Bytes = npt.NDArray[np.uint8]
Integers = npt.NDArray[np.int64]
Hashes = npt.NDArray[np.uint64]

HEADER_BYTES: Final = 72
ROWS_AT: Final = 12
"""Where the header (models/batches.py) holds uint32 numbers of rows, videos and profiles."""

VIDEO_16: Final = 1
TIME_64: Final = 2
HIGH_32: Final = 4
HIGH_64: Final = 8
COUNT_32: Final = 16
COUNT_64: Final = 32
HAS_ACTOR: Final = 64
HAS_ROLE: Final = 128
HAS_EVENT: Final = 256
OFFSET_64: Final = 512
FLAGS_END: Final = 1024
"""Which columns there are, and how wide; the flags of the header are sums of these."""

_COLUMNS: Final = 9
_VIDEO: Final = 0
_ACTION: Final = 1
_TIME: Final = 2
_HIGH: Final = 3
_COUNT: Final = 4
_ACTOR: Final = 5
_ROLE: Final = 6
_EVENT: Final = 7
_OFFSET: Final = 8

_INT_32_MAX: Final = 2**31 - 1
_UINT_32_MAX: Final = 2**32 - 1
_UINT_16_VALUES: Final = 2**16

_METADATA_BYTES: Final = 80
"""Of a record batch without columns; each column adds 16 bytes, and each of its buffers 16."""
_PREFIX_BYTES: Final = 8
_STRING_BUFFERS: Final = 3

OK: Final = 0
WRONG_LENGTH: Final = 1
WRONG_METADATA: Final = 2
WRONG_STRINGS: Final = 3
WRONG_INDEX: Final = 4
"""What is wrong with a message (models/batches.py has the words)."""


@compiled
def _widths(flags: int) -> Integers:
    """Return int64[9]: the bytes of a value in each column, 0 for a column that is left out."""
    widths = np.zeros(_COLUMNS, np.int64)
    widths[_VIDEO] = 2 if flags & VIDEO_16 else 4
    widths[_ACTION] = 1
    widths[_TIME] = 8 if flags & TIME_64 else 4
    widths[_HIGH] = 8 if flags & HIGH_64 else (4 if flags & HIGH_32 else 0)
    widths[_COUNT] = 8 if flags & COUNT_64 else (4 if flags & COUNT_32 else 0)
    widths[_ACTOR] = 8 if flags & HAS_ACTOR else 0
    widths[_ROLE] = 1 if flags & HAS_ROLE else 0
    widths[_EVENT] = 8 if flags & HAS_EVENT else 0
    widths[_OFFSET] = 8 if flags & OFFSET_64 else 4
    return widths


@compiled
def _padded(size: int) -> int:
    """Return the next multiple of 8, to which Arrow aligns buffers."""
    return (size + 7) // 8 * 8


@compiled
def _put(out: Bytes, at: int, value: int, width: int) -> None:
    for byte in range(width):
        out[at + byte] = (value >> (8 * byte)) & 0xFF


@compiled
def _write_metadata(out: Bytes, at: int, rows: int, columns: int, buffer_bytes: Integers) -> int:
    """Write the prefix and the metadata of a record batch; return where its body begins.

    The FlatBuffer has two tables, `Message` and `RecordBatch` (format/Message.fbs of Apache Arrow),
    and two vectors, of `FieldNode` and of `Buffer`; positions are relative to its beginning.
    `buffer_bytes` holds the bytes of each buffer, in order.
    """
    buffers = len(buffer_bytes)
    size = _METADATA_BYTES + 16 * columns + 16 * buffers
    _put(out, at, 0xFFFFFFFF, 4)
    _put(out, at + 4, size, 4)
    at += _PREFIX_BYTES
    _put(out, at, 16, 4)  # where the root table is
    for slot, offset in enumerate((12, 20, 16, 18, 4, 8)):  # vtable of Message
        _put(out, at + 4 + 2 * slot, offset, 2)
    _put(out, at + 16, 12, 4)  # Message: how far back its vtable is
    _put(out, at + 20, 28, 4)  # header: a RecordBatch
    _put(out, at + 32, 4, 2)  # version: V5
    _put(out, at + 34, 3, 1)  # header_type: RecordBatch
    for slot, offset in enumerate((10, 20, 8, 4, 16)):  # vtable of RecordBatch
        _put(out, at + 36 + 2 * slot, offset, 2)
    _put(out, at + 48, 12, 4)  # RecordBatch: how far back its vtable is
    _put(out, at + 52, 16, 4)  # nodes
    _put(out, at + 56, rows, 8)
    _put(out, at + 64, 12 + 16 * columns, 4)  # buffers
    _put(out, at + 68, columns, 4)
    for column in range(columns):
        _put(out, at + 72 + 16 * column, rows, 8)  # and no nulls
    _put(out, at + 76 + 16 * columns, buffers, 4)
    body = 0
    for buffer in range(buffers):
        where = at + 80 + 16 * columns + 16 * buffer
        _put(out, where, body, 8)
        _put(out, where + 8, buffer_bytes[buffer], 8)
        body += _padded(buffer_bytes[buffer])
    _put(out, at + 24, body, 8)
    return at + size


@compiled
def _row_buffers(rows: int, widths: Integers) -> Integers:
    """Return the bytes of each buffer of the rows; none has a bitmap of nulls."""
    columns = 0
    for width in widths:
        columns += 1 if width else 0
    sizes = np.zeros(2 * columns, np.int64)
    at = 0
    for width in widths:
        if width:
            sizes[at + 1] = width * rows
            at += 2
    return sizes


@compiled
def _rows_size(rows: int, widths: Integers) -> int:
    if rows == 0:
        return 0
    sizes = _row_buffers(rows, widths)
    size = _PREFIX_BYTES + _METADATA_BYTES + 8 * len(sizes) + 16 * len(sizes)
    for buffer in sizes:
        size += _padded(buffer)
    return size


@compiled
def _string_buffers(strings: int, string_bytes: int, with_rows: bool) -> Integers:
    """Return the bytes of each buffer of a column of strings, after one of row numbers or alone."""
    before = 2 if with_rows else 0
    sizes = np.zeros(before + _STRING_BUFFERS, np.int64)
    if with_rows:
        sizes[1] = 4 * strings
    sizes[before + 1] = 4 * (strings + 1)
    sizes[before + 2] = string_bytes
    return sizes


@compiled
def _strings_size(strings: int, string_bytes: int, with_rows: bool) -> int:
    if strings == 0:
        return 0
    sizes = _string_buffers(strings, string_bytes, with_rows)
    size = _PREFIX_BYTES + _METADATA_BYTES + 16 * len(sizes) + (32 if with_rows else 16)
    for buffer in sizes:
        size += _padded(buffer)
    return size


@compiled
def choose_flags(
    videos_max: int,
    low: int,
    time_ms: Integers,
    high_ms: Integers,
    count: Integers,
    actor: Hashes,
    role: Bytes,
    event: Hashes,
    offset: Integers,
) -> tuple[int, int]:
    """Return the narrowest flags that hold all rows, and the earliest event time.

    `videos_max` is the greatest number of videos that a message has, `low` the header's.
    """
    flags = VIDEO_16 if videos_max <= _UINT_16_VALUES else 0
    if len(time_ms) == 0:
        return flags, 0
    base = time_ms.min()
    # Differences may wrap where times are absurd: hence both ways round.
    latest = max(time_ms.max(), high_ms.max())
    span = latest - base
    is_narrow = high_ms.min() >= base and 0 <= span <= _INT_32_MAX
    flags |= 0 if is_narrow else TIME_64
    if not np.array_equal(time_ms, high_ms):
        flags |= HIGH_32 if is_narrow else HIGH_64
    least, most = count.min(), count.max()
    if least != 1 or most != 1:
        flags |= COUNT_32 if least >= -_INT_32_MAX and most <= _INT_32_MAX else COUNT_64
    flags |= HAS_ACTOR if np.any(actor) else 0
    flags |= HAS_ROLE if np.any(role) else 0
    flags |= HAS_EVENT if np.any(event) else 0
    if offset.min() <= low or offset.max() - (low + 1) > _UINT_32_MAX:
        flags |= OFFSET_64
    return flags, base


@compiled
def _scatter(
    out: npt.NDArray[np.generic],
    first: Integers,
    target: npt.NDArray[np.int32],
    place: npt.NDArray[np.int32],
    column: npt.NDArray[np.generic],
    base: int,
) -> None:
    """Write `column` - `base` of each row to its place among the rows of its target."""
    for row in range(len(column)):
        out[first[target[row]] + place[row]] = column[row] - base


@compiled
def _write_strings(
    out: Bytes, at: int, chosen: Integers, begin: npt.NDArray[np.int32], text: Bytes, rows: Integers
) -> int:
    """Write the part of those strings that are `chosen`; return where the next part begins.

    `rows` holds a number for each chosen string, or nothing.
    """
    strings = len(chosen)
    if strings == 0:
        return at
    size = 0
    for which in chosen:
        size += begin[which + 1] - begin[which]
    with_rows = len(rows) > 0
    sizes = _string_buffers(strings, size, with_rows)
    at = _write_metadata(out, at, strings, 2 if with_rows else 1, sizes)
    numbers = out.view(np.uint32)
    if with_rows:
        for row in range(strings):
            numbers[at // 4 + row] = rows[row]
        at += _padded(4 * strings)
    bytes_at = at + _padded(4 * (strings + 1))
    end = 0
    for row in range(strings):
        which = chosen[row]
        numbers[at // 4 + row] = end
        for byte in range(begin[which], begin[which + 1]):
            out[bytes_at + end] = text[byte]
            end += 1
    numbers[at // 4 + strings] = end
    return bytes_at + _padded(size)


@compiled
def _grouped(target: npt.NDArray[np.int32], number_of: Integers) -> Integers:
    """Return the indices of `target`, in order of targets, and of one target in their own order."""
    following = np.cumsum(number_of) - number_of
    grouped = np.empty(len(target), np.int64)
    for which in range(len(target)):
        grouped[following[target[which]]] = which
        following[target[which]] += 1
    return grouped


@compiled
def encode_messages(  # noqa: C901, PLR0912, PLR0915 - one branch for each column and width
    partitions: int,
    header: Bytes,
    flags: int,
    base_ms: int,
    low: int,
    target_of_video: npt.NDArray[np.int32],
    key_begin: npt.NDArray[np.int32],
    keys: Bytes,
    video: npt.NDArray[np.int32],
    action: Bytes,
    time_ms: Integers,
    high_ms: Integers,
    count: Integers,
    actor: Hashes,
    role: Bytes,
    event: Hashes,
    offset: Integers,
    profile_row: Integers,
    profile_begin: npt.NDArray[np.int32],
    profiles: Bytes,
) -> tuple[Bytes, Integers]:
    """Return the messages of all target partitions in one array, and where each begins and ends.

    `header`, uint8[HEADER_BYTES], is what all messages have; the numbers are filled in here.
    `flags` and `base_ms` come from `choose_flags`; offsets of 32 bits count from `low` + 1.

    `target_of_video`, int32[m], is the target of each video, 0 to `partitions` - 1; its key begins
    at `key_begin`, int32[m + 1], in the UTF-8 of all `keys`. `video`, int32[n], is below m, and the
    columns that follow are those of `Batch`. The rows that have a profile, `profile_row`, int64[p],
    ascend; a profile begins at `profile_begin`, int32[p + 1], in the UTF-8 of all `profiles`.
    """
    rows, videos = len(video), len(target_of_video)
    local = np.empty(videos, np.int32)
    videos_of = np.zeros(partitions, np.int64)
    key_bytes_of = np.zeros(partitions, np.int64)
    for which in range(videos):
        to = target_of_video[which]
        local[which] = videos_of[to]
        videos_of[to] += 1
        key_bytes_of[to] += key_begin[which + 1] - key_begin[which]
    target = np.empty(rows, np.int32)
    place = np.empty(rows, np.int32)
    rows_of = np.zeros(partitions, np.int64)
    for row in range(rows):
        to = target_of_video[video[row]]
        target[row] = to
        place[row] = rows_of[to]
        rows_of[to] += 1
    profiles_of = np.zeros(partitions, np.int64)
    profile_bytes_of = np.zeros(partitions, np.int64)
    for which in range(len(profile_row)):
        to = target[profile_row[which]]
        profiles_of[to] += 1
        profile_bytes_of[to] += profile_begin[which + 1] - profile_begin[which]

    widths = _widths(flags)
    begin = np.zeros(partitions + 1, np.int64)
    for to in range(partitions):
        begin[to + 1] = (
            begin[to]
            + HEADER_BYTES
            + _rows_size(rows_of[to], widths)
            + _strings_size(videos_of[to], key_bytes_of[to], False)
            + _strings_size(profiles_of[to], profile_bytes_of[to], True)
        )
    out = np.zeros(begin[partitions], np.uint8)
    first = np.zeros((_COLUMNS, partitions), np.int64)  # in values, not in bytes
    videos_by_target = _grouped(target_of_video, videos_of)
    profiles_by_target = _grouped(target[profile_row], profiles_of)
    video_at = profile_at = 0
    for to in range(partitions):
        at = begin[to]
        out[at : at + HEADER_BYTES] = header
        _put(out, at + ROWS_AT, rows_of[to], 4)
        _put(out, at + ROWS_AT + 4, videos_of[to], 4)
        _put(out, at + ROWS_AT + 8, profiles_of[to], 4)
        at += HEADER_BYTES
        if rows_of[to]:
            sizes = _row_buffers(rows_of[to], widths)
            at = _write_metadata(out, at, rows_of[to], len(sizes) // 2, sizes)
            for column in range(_COLUMNS):
                if widths[column]:
                    first[column, to] = at // widths[column]
                    at += _padded(widths[column] * rows_of[to])
        chosen = videos_by_target[video_at : video_at + videos_of[to]]
        at = _write_strings(out, at, chosen, key_begin, keys, np.zeros(0, np.int64))
        video_at += videos_of[to]
        chosen = profiles_by_target[profile_at : profile_at + profiles_of[to]]
        places = place[profile_row[chosen]].astype(np.int64)
        _write_strings(out, at, chosen, profile_begin, profiles, places)
        profile_at += profiles_of[to]

    as_64 = out.view(np.int64)
    as_32 = out.view(np.int32)
    if flags & VIDEO_16:
        _scatter(out.view(np.uint16), first[_VIDEO], target, place, local[video], 0)
    else:
        _scatter(as_32, first[_VIDEO], target, place, local[video], 0)
    _scatter(out, first[_ACTION], target, place, action, 0)
    if flags & TIME_64:
        _scatter(as_64, first[_TIME], target, place, time_ms, 0)
    else:
        _scatter(as_32, first[_TIME], target, place, time_ms, base_ms)
    if flags & HIGH_64:
        _scatter(as_64, first[_HIGH], target, place, high_ms, 0)
    elif flags & HIGH_32:
        _scatter(as_32, first[_HIGH], target, place, high_ms, base_ms)
    if flags & COUNT_64:
        _scatter(as_64, first[_COUNT], target, place, count, 0)
    elif flags & COUNT_32:
        _scatter(as_32, first[_COUNT], target, place, count, 0)
    if flags & HAS_ACTOR:
        _scatter(as_64, first[_ACTOR], target, place, actor.view(np.int64), 0)
    if flags & HAS_ROLE:
        _scatter(out, first[_ROLE], target, place, role, 0)
    if flags & HAS_EVENT:
        _scatter(as_64, first[_EVENT], target, place, event.view(np.int64), 0)
    if flags & OFFSET_64:
        _scatter(as_64, first[_OFFSET], target, place, offset, 0)
    else:
        _scatter(out.view(np.uint32), first[_OFFSET], target, place, offset, low + 1)
    return out, begin


@compiled
def _equal_metadata(message: Bytes, at: int, rows: int, columns: int, sizes: Integers) -> int:
    """Return where the body begins, -1 where other metadata are written than we would write."""
    expected = np.zeros(_PREFIX_BYTES + _METADATA_BYTES + 16 * (columns + len(sizes)), np.uint8)
    size = _write_metadata(expected, 0, rows, columns, sizes)
    if at + size > len(message):
        return -1
    for byte in range(size):
        if message[at + byte] != expected[byte]:
            return -1
    return at + size


@compiled
def locate_strings(  # noqa: PLR0911 - an early return for each thing that may be wrong
    message: Bytes, at: int, strings: int, rows_end: int, with_rows: bool
) -> tuple[int, int, int, int, int]:
    """Find a part that holds strings and check it.

    Args:
        message: The whole message, a multiple of 8 bytes.
        at: Where the part begins.
        strings: How many strings the header announces; without any there is no part.
        rows_end: What the row numbers must stay below.
        with_rows: Whether a row number stands before each string; they ascend.

    Returns:
        What is wrong or OK; where the row numbers, the offsets and the bytes begin; where the next
        part begins.
    """
    if strings == 0:
        return OK, at, at, at, at
    columns = 2 if with_rows else 1
    buffers = columns * 2 + 1
    rows_at = at + _PREFIX_BYTES + _METADATA_BYTES + 16 * (columns + buffers)
    offsets_at = rows_at + (_padded(4 * strings) if with_rows else 0)
    bytes_at = offsets_at + _padded(4 * (strings + 1))
    if bytes_at > len(message):
        return WRONG_LENGTH, 0, 0, 0, 0
    numbers = message.view(np.uint32)
    size = int(numbers[offsets_at // 4 + strings])
    following = bytes_at + _padded(size)
    if following > len(message):
        return WRONG_LENGTH, 0, 0, 0, 0
    sizes = _string_buffers(strings, size, with_rows)
    if _equal_metadata(message, at, strings, columns, sizes) != rows_at:
        return WRONG_METADATA, 0, 0, 0, 0
    if numbers[offsets_at // 4] != 0:
        return WRONG_STRINGS, 0, 0, 0, 0
    for which in range(strings):
        if numbers[offsets_at // 4 + which] > numbers[offsets_at // 4 + which + 1]:
            return WRONG_STRINGS, 0, 0, 0, 0
        if with_rows:
            row = numbers[rows_at // 4 + which]
            if row >= rows_end or (which > 0 and row <= numbers[rows_at // 4 + which - 1]):
                return WRONG_INDEX, 0, 0, 0, 0
    return OK, rows_at, offsets_at, bytes_at, following


@compiled
def _gather(out: npt.NDArray[np.generic], column: npt.NDArray[np.generic], base: int) -> None:
    """Write `column` + `base` into `out`."""
    for row in range(len(out)):
        out[row] = np.int64(column[row]) + base


@compiled
def decode_rows(  # noqa: C901, PLR0912, PLR0915 - one branch for each column and width
    message: Bytes,
    flags: int,
    base_ms: int,
    low: int,
    videos: int,
    video: npt.NDArray[np.int32],
    action: Bytes,
    time_ms: Integers,
    high_ms: Integers,
    count: Integers,
    actor: Hashes,
    role: Bytes,
    event: Hashes,
    offset: Integers,
) -> tuple[int, int]:
    """Fill the columns of a batch; return what is wrong or OK, and where the next part begins.

    `message` is whole, a multiple of 8 bytes; `flags`, `base_ms` and `low` are its header's.
    Indices must stay below `videos`. All columns from `video` on have the header's number of rows.
    """
    rows = len(video)
    if rows == 0:
        return OK, HEADER_BYTES
    widths = _widths(flags)
    sizes = _row_buffers(rows, widths)
    following = HEADER_BYTES + _rows_size(rows, widths)
    if following > len(message):
        return WRONG_LENGTH, 0
    at = _equal_metadata(message, HEADER_BYTES, rows, len(sizes) // 2, sizes)
    if at < 0:
        return WRONG_METADATA, 0
    first = np.zeros(_COLUMNS, np.int64)
    for column in range(_COLUMNS):
        if widths[column]:
            first[column] = at // widths[column]
            at += _padded(widths[column] * rows)
    as_64, as_32 = message.view(np.int64), message.view(np.int32)
    if flags & VIDEO_16:
        _gather(video, message.view(np.uint16)[first[_VIDEO] :], 0)
    else:
        _gather(video, as_32[first[_VIDEO] :], 0)
    for row in range(rows):
        if not 0 <= video[row] < videos:
            return WRONG_INDEX, 0
    _gather(action, message[first[_ACTION] :], 0)
    if flags & TIME_64:
        _gather(time_ms, as_64[first[_TIME] :], 0)
    else:
        _gather(time_ms, as_32[first[_TIME] :], base_ms)
    if flags & HIGH_64:
        _gather(high_ms, as_64[first[_HIGH] :], 0)
    elif flags & HIGH_32:
        _gather(high_ms, as_32[first[_HIGH] :], base_ms)
    else:
        high_ms[:] = time_ms
    if flags & COUNT_64:
        _gather(count, as_64[first[_COUNT] :], 0)
    elif flags & COUNT_32:
        _gather(count, as_32[first[_COUNT] :], 0)
    else:
        count[:] = 1
    if flags & HAS_ACTOR:
        _gather(actor.view(np.int64), as_64[first[_ACTOR] :], 0)
    else:
        actor[:] = 0
    if flags & HAS_ROLE:
        _gather(role, message[first[_ROLE] :], 0)
    else:
        role[:] = 0
    if flags & HAS_EVENT:
        _gather(event.view(np.int64), as_64[first[_EVENT] :], 0)
    else:
        event[:] = 0
    if flags & OFFSET_64:
        _gather(offset, as_64[first[_OFFSET] :], 0)
    else:
        _gather(offset, message.view(np.uint32)[first[_OFFSET] :], low + 1)
    return OK, following
