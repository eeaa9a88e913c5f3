"""Numbers for distinct texts of a chunk, told apart by their bytes and not only by a hash of them.

The keys (models/identity.py) are written side by side, so that they become text at once and a
look-up touches memory that is near.
"""

from collections.abc import Sequence
from typing import Final

import numpy as np
import numpy.typing as npt

from models.compiled import compiled
from models.identity import KEY_SEPARATOR
from models.words import Bytes, same_bytes, word_of

Integers = npt.NDArray[np.int64]

_SEPARATOR: Final = ord(KEY_SEPARATOR)
_BETWEEN: Final = ord("\n")
"""Stands behind each key; ids that hold a control character never come here."""

_EMPTY: Final = -1
_MULTIPLIER: Final = np.uint64(0x9E37_79B9_7F4A_7C15)
"""2^64 divided by the golden ratio (Knuth, TAOCP 3, section 6.4: multiplicative hashing)."""

_HALF: Final = np.uint64(32)


def number_videos(
    data: Bytes,
    begin: Integers,
    length: npt.NDArray[np.int32],
    platform: npt.NDArray[np.uint8],
    platforms: Sequence[bytes],
    *,
    seed: int,
) -> tuple[list[str], npt.NDArray[np.int32]]:
    """Return the distinct keys in order of their first appearance, and int32[n] indices into them.

    Args:
        data: Where the ids of the videos lie, as UTF-8 without control characters.
        begin: int64[n], where each begins.
        length: int32[n], its bytes.
        platform: uint8[n], index into `platforms`; one platform has one index.
        platforms: The names of the platforms.
        seed: 0 to 2^64 - 1; who does not know it cannot choose ids that are slow to tell apart.
    """
    keys, _, video = _numbered(data, begin, length, platform, platforms, seed=seed)
    return (keys.tobytes().decode().split("\n") if keys.size else []), video


def number_spans(
    data: Bytes, begin: Integers, length: npt.NDArray[np.int32], *, seed: int
) -> tuple[Integers, npt.NDArray[np.int32]]:
    """Return the first row of each distinct span of bytes, int64[k], and int32[n] indices into it.

    Args:
        data: Where the spans lie.
        begin: int64[n], where each begins.
        length: int32[n], its bytes.
        seed: As for `number_videos`.
    """
    _, first_row, code = _numbered(
        data, begin, length, np.zeros(len(begin), np.uint8), [b""], seed=seed
    )
    return first_row, code


def _numbered(
    data: Bytes,
    begin: Integers,
    length: npt.NDArray[np.int32],
    platform: npt.NDArray[np.uint8],
    platforms: Sequence[bytes],
    *,
    seed: int,
) -> tuple[Bytes, Integers, npt.NDArray[np.int32]]:
    """Return the keys with a newline between each two, the first row of each, and the numbers."""
    rows = len(begin)
    code = np.empty(rows, np.int32)
    first_row = np.empty(rows, np.int64)
    if not rows:
        return np.empty(0, np.uint8), first_row, code
    names = np.frombuffer(bytearray().join(platforms), np.uint8)
    name_length = np.array([len(name) for name in platforms], np.int64)
    keys = np.empty(int(length.sum() + name_length[platform].sum()) + 2 * rows, np.uint8)
    # At most half full: looking on from an occupied slot stays short.
    slots = np.full(1 << (2 * rows - 1).bit_length(), _EMPTY, np.int32)
    count, used = _number(
        data,
        begin,
        length,
        platform,
        names,
        np.cumsum(name_length) - name_length,
        name_length,
        np.uint64(seed),
        slots,
        np.empty(rows, np.uint64),
        np.empty(rows, np.int64),
        np.empty(rows, np.int64),
        np.empty(rows, np.uint8),
        keys,
        first_row,
        code,
    )
    return keys[: used - 1], first_row[:count], code


def in_order_of_appearance(
    names: Sequence[str], number: npt.NDArray[np.int32]
) -> tuple[list[str], npt.NDArray[np.int32]]:
    """Number distinct names anew, in the order in which `number`, int32[n], first says them.

    Each name is said at least once.
    """
    first = np.empty(len(names), np.int64)
    first[number[::-1]] = np.arange(len(number))[::-1]  # of equal numbers, the last one wins
    order = np.argsort(first)
    anew = np.empty(len(names), np.int32)
    anew[order] = np.arange(len(names), dtype=np.int32)
    return [names[old] for old in order.tolist()], anew[number]


@compiled
def _number(
    data: Bytes,
    begin: Integers,
    length: npt.NDArray[np.int32],
    platform: npt.NDArray[np.uint8],
    names: Bytes,
    name_begin: Integers,
    name_length: Integers,
    seed: np.uint64,
    slots: npt.NDArray[np.int32],
    hashes: npt.NDArray[np.uint64],
    id_begin: Integers,
    id_length: Integers,
    scopes: npt.NDArray[np.uint8],
    keys: Bytes,
    first_row: Integers,
    code: npt.NDArray[np.int32],
) -> tuple[int, int]:
    """Fill `keys`, `first_row` and `code`; return how many numbers and bytes of `keys` there are.

    `hashes`, `id_begin`, `id_length` and `scopes` are room for what is known of each number.
    """
    mask = np.uint64(slots.size - 1)
    count = 0
    used = 0
    for row in range(begin.size):
        at = begin[row]
        size = int(np.int64(length[row]))
        scope = platform[row]
        mixed = seed + np.uint64(scope)
        for position in range(0, size, 8):
            mixed = (mixed ^ word_of(data, at + position, size - position)) * _MULTIPLIER
            mixed ^= mixed >> _HALF
        slot = mixed & mask
        number = slots[slot]
        while number != _EMPTY and not (
            hashes[number] == mixed
            and scopes[number] == scope
            and id_length[number] == size
            and same_bytes(keys, id_begin[number], data, at, size)
        ):
            slot = (slot + np.uint64(1)) & mask
            number = slots[slot]
        if number == _EMPTY:
            number = count
            count += 1
            slots[slot] = number
            first_row[number] = row
            hashes[number] = mixed
            scopes[number] = scope
            for position in range(name_begin[scope], name_begin[scope] + name_length[scope]):
                keys[used] = names[position]
                used += 1
            keys[used] = _SEPARATOR
            used += 1
            id_begin[number] = used
            id_length[number] = size
            for position in range(at, at + size):
                keys[used] = data[position]
                used += 1
            keys[used] = _BETWEEN
            used += 1
        code[row] = number
    return count, used
