"""How details and comments lie behind the rows of `engagement-batches`: what few rows have.

Four parts (models/record_batches.py): columns of the details, the regions that they name, texts of
comments, and ids of the comments that have a text and an id. Each is left out when it is empty.
"""

from typing import Final

import numpy as np
import numpy.typing as npt

from models.batch_layout import ROW_FLAGS_END
from models.compiled import compiled
from models.details import NO_NUMBER, NO_REGION, Details
from models.record_batches import (
    OK,
    WRONG_INDEX,
    WRONG_VALUE,
    Bytes,
    Integers,
    begin_columns,
    columns_size,
    find_columns,
    grouped,
    string_totals,
    strings_size,
    write_strings,
)

NUMBERS_AT: Final = 24
"""Where the header (models/batches.py) holds uint32 numbers of details, regions, texts and ids."""

REGION_16: Final = ROW_FLAGS_END
REGION_32: Final = REGION_16 * 2
HAS_AGE: Final = REGION_16 * 4
HAS_SENTIMENT: Final = REGION_16 * 8
FOLLOWERS_32: Final = REGION_16 * 16
FOLLOWERS_64: Final = REGION_16 * 32
HAS_VIA: Final = REGION_16 * 64
HAS_COMMENT: Final = REGION_16 * 128
HAS_PARENT: Final = REGION_16 * 256
WATCH_32: Final = REGION_16 * 512
WATCH_64: Final = REGION_16 * 1024
FLAGS_END: Final = REGION_16 * 2048
"""Which columns the details have, and how wide; added to the flags of the rows."""

_COLUMNS: Final = 9
_ROW: Final = 0
_REGION: Final = 1
_AGE: Final = 2
_SENTIMENT: Final = 3
_FOLLOWERS: Final = 4
_VIA: Final = 5
_COMMENT: Final = 6
_PARENT: Final = 7
_WATCH: Final = 8

_DETAILS: Final = 0
_REGIONS: Final = 1
_TEXTS: Final = 2
_IDS: Final = 3
PARTS: Final = 4

_INT_32_MAX: Final = 2**31 - 1
_UINT_16_MAX: Final = 2**16 - 1


@compiled
def _widths(flags: int) -> Integers:
    """Return int64[9]: the bytes of a value in each column, 0 for a column that is left out."""
    widths = np.zeros(_COLUMNS, np.int64)
    widths[_ROW] = 4
    widths[_REGION] = 2 if flags & REGION_16 else (4 if flags & REGION_32 else 0)
    widths[_AGE] = 4 if flags & HAS_AGE else 0
    widths[_SENTIMENT] = 4 if flags & HAS_SENTIMENT else 0
    widths[_FOLLOWERS] = 8 if flags & FOLLOWERS_64 else (4 if flags & FOLLOWERS_32 else 0)
    widths[_VIA] = 8 if flags & HAS_VIA else 0
    widths[_COMMENT] = 8 if flags & HAS_COMMENT else 0
    widths[_PARENT] = 8 if flags & HAS_PARENT else 0
    widths[_WATCH] = 8 if flags & WATCH_64 else (4 if flags & WATCH_32 else 0)
    return widths


@compiled
def choose_detail_flags(details: Details) -> int:
    """Return the narrowest flags that hold all details, DETAIL[d]; 0 without any."""
    flags = 0
    region, followers, watch_ms = NO_REGION, NO_NUMBER, NO_NUMBER
    for detail in details:
        region = max(region, int(np.int64(detail["region"])))
        followers = max(followers, int(detail["followers"]))
        watch_ms = max(watch_ms, int(detail["watch_ms"]))
        flags |= HAS_AGE if detail["age_days"] != NO_NUMBER else 0
        flags |= 0 if np.isnan(detail["sentiment"]) else HAS_SENTIMENT
        flags |= HAS_VIA if detail["via"] else 0
        flags |= HAS_COMMENT if detail["comment"] else 0
        flags |= HAS_PARENT if detail["parent"] else 0
    if region != NO_REGION:
        flags |= REGION_16 if region <= _UINT_16_MAX else REGION_32
    if followers != NO_NUMBER:
        flags |= FOLLOWERS_32 if followers <= _INT_32_MAX else FOLLOWERS_64
    if watch_ms != NO_NUMBER:
        flags |= WATCH_32 if watch_ms <= _INT_32_MAX else WATCH_64
    return flags


@compiled
def _local_regions(
    details: Details, by_target: Integers, details_of: Integers, region_begin: npt.NDArray[np.int32]
) -> tuple[npt.NDArray[np.uint32], Integers, Integers, Integers]:
    """Number the regions of each target anew, in the order in which its details name them.

    Returns:
        uint32[d], the new number (1 + index) of each detail; int64[k], the old indices of the
        regions of all targets, one target after the other; how many regions and how many bytes of
        them each target has.
    """
    targets = len(details_of)
    local = np.zeros(len(details), np.uint32)
    chosen = np.empty(len(details), np.int64)
    regions_of = np.zeros(targets, np.int64)
    bytes_of = np.zeros(targets, np.int64)
    number = np.zeros(len(region_begin), np.uint32)  # of the target that `named_by` says
    named_by = np.full(len(region_begin), -1, np.int64)
    at = all_regions = 0
    for to in range(targets):
        for which in by_target[at : at + details_of[to]]:
            region = np.int64(details[which]["region"])
            if region == NO_REGION:
                continue
            if named_by[region] != to:
                named_by[region] = to
                regions_of[to] += 1
                number[region] = regions_of[to]
                bytes_of[to] += region_begin[region] - region_begin[region - 1]
                chosen[all_regions] = region - 1
                all_regions += 1
            local[which] = number[region]
        at += details_of[to]
    return local, chosen[:all_regions], regions_of, bytes_of


@compiled
def encode_details(
    partitions: int,
    flags: int,
    target: npt.NDArray[np.int32],
    place: npt.NDArray[np.int32],
    details: Details,
    region_begin: npt.NDArray[np.int32],
    regions: Bytes,
    text_row: Integers,
    text_begin: npt.NDArray[np.int32],
    texts: Bytes,
    id_row: Integers,
    id_begin: npt.NDArray[np.int32],
    ids: Bytes,
) -> tuple[Bytes, Integers, npt.NDArray[np.uint32]]:
    """Return what stands behind the rows of all messages, where each begins, and the numbers.

    `flags` come from `choose_detail_flags`, `target` and `place`, int32[n], from `encode_messages`.
    `details`, DETAIL[d], ascend by row; a region begins at `region_begin`, int32[r + 1], in the
    UTF-8 of all `regions`, and likewise the texts and the ids, whose rows ascend.

    Returns:
        uint8[...]; int64[partitions + 1], where the parts of each target begin; uint32[partitions,
        PARTS], how many details, regions, texts and ids each has.
    """
    detail_target = target[details["row"].astype(np.int64)]
    details_of = np.zeros(partitions, np.int64)
    for to in detail_target:
        details_of[to] += 1
    details_by_target = grouped(detail_target, details_of)
    local, chosen_regions, regions_of, region_bytes_of = _local_regions(
        details, details_by_target, details_of, region_begin
    )
    texts_of, text_bytes_of = string_totals(target[text_row], text_begin, partitions)
    ids_of, id_bytes_of = string_totals(target[id_row], id_begin, partitions)
    texts_by_target = grouped(target[text_row], texts_of)
    ids_by_target = grouped(target[id_row], ids_of)

    widths = _widths(flags)
    begin = np.zeros(partitions + 1, np.int64)
    numbers = np.zeros((partitions, PARTS), np.uint32)
    for to in range(partitions):
        numbers[to, _DETAILS] = details_of[to]
        numbers[to, _REGIONS] = regions_of[to]
        numbers[to, _TEXTS] = texts_of[to]
        numbers[to, _IDS] = ids_of[to]
        begin[to + 1] = (
            begin[to]
            + columns_size(details_of[to], widths)
            + strings_size(regions_of[to], region_bytes_of[to], False)
            + strings_size(texts_of[to], text_bytes_of[to], True)
            + strings_size(ids_of[to], id_bytes_of[to], True)
        )
    out = np.zeros(begin[partitions], np.uint8)
    detail_at = region_at = text_at = id_at = 0
    for to in range(partitions):
        at = begin[to]
        chosen = details_by_target[detail_at : detail_at + details_of[to]]
        if details_of[to]:
            first, at = begin_columns(out, at, details_of[to], widths)
            _write_details(out, first, flags, chosen, details, place, local)
        detail_at += details_of[to]
        chosen = chosen_regions[region_at : region_at + regions_of[to]]
        at = write_strings(out, at, chosen, region_begin, regions, np.zeros(0, np.int64))
        region_at += regions_of[to]
        chosen = texts_by_target[text_at : text_at + texts_of[to]]
        places = place[text_row[chosen]].astype(np.int64)
        at = write_strings(out, at, chosen, text_begin, texts, places)
        text_at += texts_of[to]
        chosen = ids_by_target[id_at : id_at + ids_of[to]]
        places = place[id_row[chosen]].astype(np.int64)
        write_strings(out, at, chosen, id_begin, ids, places)
        id_at += ids_of[to]
    return out, begin, numbers


@compiled
def _write_details(  # noqa: C901 - one branch for each column and width
    out: Bytes,
    first: Integers,
    flags: int,
    chosen: Integers,
    details: Details,
    place: npt.NDArray[np.int32],
    local: npt.NDArray[np.uint32],
) -> None:
    """Write the columns of the chosen details; `first` comes from `begin_columns`."""
    as_u16, as_u32, as_u64 = out.view(np.uint16), out.view(np.uint32), out.view(np.uint64)
    as_32, as_64, as_float = out.view(np.int32), out.view(np.int64), out.view(np.float32)
    for to in range(len(chosen)):
        which = chosen[to]
        detail = details[which]
        as_u32[first[_ROW] + to] = place[detail["row"]]
        if flags & REGION_16:
            as_u16[first[_REGION] + to] = local[which]
        elif flags & REGION_32:
            as_u32[first[_REGION] + to] = local[which]
        if flags & HAS_AGE:
            as_32[first[_AGE] + to] = detail["age_days"]
        if flags & HAS_SENTIMENT:
            as_float[first[_SENTIMENT] + to] = detail["sentiment"]
        if flags & FOLLOWERS_64:
            as_64[first[_FOLLOWERS] + to] = detail["followers"]
        elif flags & FOLLOWERS_32:
            as_32[first[_FOLLOWERS] + to] = detail["followers"]
        if flags & HAS_VIA:
            as_u64[first[_VIA] + to] = detail["via"]
        if flags & HAS_COMMENT:
            as_u64[first[_COMMENT] + to] = detail["comment"]
        if flags & HAS_PARENT:
            as_u64[first[_PARENT] + to] = detail["parent"]
        if flags & WATCH_64:
            as_64[first[_WATCH] + to] = detail["watch_ms"]
        elif flags & WATCH_32:
            as_32[first[_WATCH] + to] = detail["watch_ms"]


@compiled
def decode_details(
    message: Bytes, at: int, flags: int, rows: int, regions: int, details: Details
) -> tuple[int, int]:
    """Fill the details, DETAIL[d]; return what is wrong or OK, and where the next part begins.

    `message` is whole, a multiple of 8 bytes; `flags` are its header's. Rows must ascend and stay
    below `rows`, regions be at most `regions`, and values be those that an event may have.
    """
    if len(details) == 0:
        return OK, at
    status, first, following = find_columns(message, at, len(details), _widths(flags))
    if status != OK:
        return status, 0
    _read_details(message, first, flags, details)
    return check_details(details, rows, regions), following


@compiled
def check_details(details: Details, rows: int, regions: int) -> int:
    """Return what is wrong with the details of so many rows and regions, or OK."""
    before = -1
    for detail in details:
        row = int(np.int64(detail["row"]))
        if not before < row < rows or np.int64(detail["region"]) > regions:
            return WRONG_INDEX
        before = row
        if min(np.int64(detail["age_days"]), detail["followers"], detail["watch_ms"]) < NO_NUMBER:
            return WRONG_VALUE
        if abs(detail["sentiment"]) > 1:
            return WRONG_VALUE
    return OK


@compiled
def _read_details(message: Bytes, first: Integers, flags: int, details: Details) -> None:
    """Read the columns; what is left out is absent."""
    as_u16, as_u32 = message.view(np.uint16), message.view(np.uint32)
    as_u64, as_64 = message.view(np.uint64), message.view(np.int64)
    as_32, as_float = message.view(np.int32), message.view(np.float32)
    for to in range(len(details)):
        detail = details[to]
        detail["row"] = as_u32[first[_ROW] + to]
        detail["region"] = NO_REGION
        if flags & REGION_16:
            detail["region"] = as_u16[first[_REGION] + to]
        elif flags & REGION_32:
            detail["region"] = as_u32[first[_REGION] + to]
        detail["age_days"] = as_32[first[_AGE] + to] if flags & HAS_AGE else NO_NUMBER
        detail["sentiment"] = (
            as_float[first[_SENTIMENT] + to] if flags & HAS_SENTIMENT else np.float32(np.nan)
        )
        detail["followers"] = NO_NUMBER
        if flags & FOLLOWERS_64:
            detail["followers"] = as_64[first[_FOLLOWERS] + to]
        elif flags & FOLLOWERS_32:
            detail["followers"] = as_32[first[_FOLLOWERS] + to]
        detail["via"] = as_u64[first[_VIA] + to] if flags & HAS_VIA else np.uint64(0)
        detail["comment"] = as_u64[first[_COMMENT] + to] if flags & HAS_COMMENT else np.uint64(0)
        detail["parent"] = as_u64[first[_PARENT] + to] if flags & HAS_PARENT else np.uint64(0)
        detail["watch_ms"] = NO_NUMBER
        if flags & WATCH_64:
            detail["watch_ms"] = as_64[first[_WATCH] + to]
        elif flags & WATCH_32:
            detail["watch_ms"] = as_32[first[_WATCH] + to]
