"""How the rows of `engagement-batches` lie in bytes: compiled loops that write and read them.

The header is that of models/batches.py, the parts behind it are those of models/record_batches.py;
what few rows have lies behind the rows (models/detail_layout.py).
"""

from typing import Final

import numpy as np
import numpy.typing as npt

from models.compiled import compiled
from models.record_batches import (
    OK,
    WRONG_INDEX,
    Bytes,
    Integers,
    begin_columns,
    columns_size,
    find_columns,
    gather,
    grouped,
    put,
    scatter,
    string_totals,
    strings_size,
    write_strings,
)

Hashes = npt.NDArray[np.uint64]

HEADER_BYTES: Final = 88
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
ROW_FLAGS_END: Final = 1024
"""Which columns the rows have, and how wide; the flags of the header are sums of these and of those
of models/detail_layout.py."""

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
) -> tuple[Bytes, Integers, npt.NDArray[np.int32], npt.NDArray[np.int32]]:
    """Return the messages of all target partitions in one array, and where each begins and ends.

    Return also the target of each row, int32[n], and its place among the rows of its target.

    `header`, uint8[HEADER_BYTES], is what all messages have; the numbers are filled in here.
    `flags` and `base_ms` come from `choose_flags`; offsets of 32 bits count from `low` + 1.

    `target_of_video`, int32[m], is the target of each video, 0 to `partitions` - 1; its key begins
    at `key_begin`, int32[m + 1], in the UTF-8 of all `keys`. `video`, int32[n], is below m, and the
    columns that follow are those of `Batch`. The rows that have a profile, `profile_row`, int64[p],
    ascend; a profile begins at `profile_begin`, int32[p + 1], in the UTF-8 of all `profiles`.
    """
    rows, videos = len(video), len(target_of_video)
    videos_of, key_bytes_of = string_totals(target_of_video, key_begin, partitions)
    videos_by_target = grouped(target_of_video, videos_of)
    local = np.empty(videos, np.int32)
    seen = np.zeros(partitions, np.int64)
    for which in range(videos):
        to = target_of_video[which]
        local[which] = seen[to]
        seen[to] += 1
    target = np.empty(rows, np.int32)
    place = np.empty(rows, np.int32)
    rows_of = np.zeros(partitions, np.int64)
    for row in range(rows):
        to = target_of_video[video[row]]
        target[row] = to
        place[row] = rows_of[to]
        rows_of[to] += 1
    profile_target = target[profile_row]
    profiles_of, profile_bytes_of = string_totals(profile_target, profile_begin, partitions)
    profiles_by_target = grouped(profile_target, profiles_of)

    widths = _widths(flags)
    begin = np.zeros(partitions + 1, np.int64)
    for to in range(partitions):
        begin[to + 1] = (
            begin[to]
            + HEADER_BYTES
            + columns_size(rows_of[to], widths)
            + strings_size(videos_of[to], key_bytes_of[to], False)
            + strings_size(profiles_of[to], profile_bytes_of[to], True)
        )
    out = np.zeros(begin[partitions], np.uint8)
    first = np.zeros((_COLUMNS, partitions), np.int64)  # in values, not in bytes
    video_at = profile_at = 0
    for to in range(partitions):
        at = begin[to]
        out[at : at + HEADER_BYTES] = header
        put(out, at + ROWS_AT, rows_of[to], 4)
        put(out, at + ROWS_AT + 4, videos_of[to], 4)
        put(out, at + ROWS_AT + 8, profiles_of[to], 4)
        at += HEADER_BYTES
        if rows_of[to]:
            first[:, to], at = begin_columns(out, at, rows_of[to], widths)
        chosen = videos_by_target[video_at : video_at + videos_of[to]]
        at = write_strings(out, at, chosen, key_begin, keys, np.zeros(0, np.int64))
        video_at += videos_of[to]
        chosen = profiles_by_target[profile_at : profile_at + profiles_of[to]]
        places = place[profile_row[chosen]].astype(np.int64)
        write_strings(out, at, chosen, profile_begin, profiles, places)
        profile_at += profiles_of[to]

    as_64 = out.view(np.int64)
    as_32 = out.view(np.int32)
    if flags & VIDEO_16:
        scatter(out.view(np.uint16), first[_VIDEO], target, place, local[video], 0)
    else:
        scatter(as_32, first[_VIDEO], target, place, local[video], 0)
    scatter(out, first[_ACTION], target, place, action, 0)
    if flags & TIME_64:
        scatter(as_64, first[_TIME], target, place, time_ms, 0)
    else:
        scatter(as_32, first[_TIME], target, place, time_ms, base_ms)
    if flags & HIGH_64:
        scatter(as_64, first[_HIGH], target, place, high_ms, 0)
    elif flags & HIGH_32:
        scatter(as_32, first[_HIGH], target, place, high_ms, base_ms)
    if flags & COUNT_64:
        scatter(as_64, first[_COUNT], target, place, count, 0)
    elif flags & COUNT_32:
        scatter(as_32, first[_COUNT], target, place, count, 0)
    if flags & HAS_ACTOR:
        scatter(as_64, first[_ACTOR], target, place, actor.view(np.int64), 0)
    if flags & HAS_ROLE:
        scatter(out, first[_ROLE], target, place, role, 0)
    if flags & HAS_EVENT:
        scatter(as_64, first[_EVENT], target, place, event.view(np.int64), 0)
    if flags & OFFSET_64:
        scatter(as_64, first[_OFFSET], target, place, offset, 0)
    else:
        scatter(out.view(np.uint32), first[_OFFSET], target, place, offset, low + 1)
    return out, begin, target, place


@compiled
def decode_rows(  # noqa: C901, PLR0912 - one branch for each column and width
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
    status, first, following = find_columns(message, HEADER_BYTES, rows, _widths(flags))
    if status != OK:
        return status, 0
    as_64, as_32 = message.view(np.int64), message.view(np.int32)
    if flags & VIDEO_16:
        gather(video, message.view(np.uint16)[first[_VIDEO] :], 0)
    else:
        gather(video, as_32[first[_VIDEO] :], 0)
    for row in range(rows):
        if not 0 <= video[row] < videos:
            return WRONG_INDEX, 0
    gather(action, message[first[_ACTION] :], 0)
    if flags & TIME_64:
        gather(time_ms, as_64[first[_TIME] :], 0)
    else:
        gather(time_ms, as_32[first[_TIME] :], base_ms)
    if flags & HIGH_64:
        gather(high_ms, as_64[first[_HIGH] :], 0)
    elif flags & HIGH_32:
        gather(high_ms, as_32[first[_HIGH] :], base_ms)
    else:
        high_ms[:] = time_ms
    if flags & COUNT_64:
        gather(count, as_64[first[_COUNT] :], 0)
    elif flags & COUNT_32:
        gather(count, as_32[first[_COUNT] :], 0)
    else:
        count[:] = 1
    if flags & HAS_ACTOR:
        gather(actor.view(np.int64), as_64[first[_ACTOR] :], 0)
    else:
        actor[:] = 0
    if flags & HAS_ROLE:
        gather(role, message[first[_ROLE] :], 0)
    else:
        role[:] = 0
    if flags & HAS_EVENT:
        gather(event.view(np.int64), as_64[first[_EVENT] :], 0)
    else:
        event[:] = 0
    if flags & OFFSET_64:
        gather(offset, as_64[first[_OFFSET] :], 0)
    else:
        gather(offset, message.view(np.uint32)[first[_OFFSET] :], low + 1)
    return OK, following
