"""Eight bytes at a time: the loops over text read it in little-endian words of 64 bits.

These functions are for compiled loops (models/compiled.py). Constants are typed, for numba makes a
float64 of a uint64 and a plain number.
"""

from typing import Final

import numpy as np
import numpy.typing as npt

from models.compiled import inlined

Bytes = npt.NDArray[np.uint8]

WORD_BYTES: Final = 8

_ZERO: Final = np.uint64(0)
_ONE: Final = np.uint64(1)
_TWO: Final = np.uint64(2)
_THREE: Final = np.uint64(3)
_FOUR: Final = np.uint64(4)
_FIVE: Final = np.uint64(5)
_SIX: Final = np.uint64(6)
_SEVEN: Final = np.uint64(7)
_BITS_8: Final = np.uint64(8)
_BITS_16: Final = np.uint64(16)
_BITS_24: Final = np.uint64(24)
_BITS_32: Final = np.uint64(32)
_BITS_40: Final = np.uint64(40)
_BITS_48: Final = np.uint64(48)
_BITS_56: Final = np.uint64(56)
_ALL: Final = np.uint64(0xFFFF_FFFF_FFFF_FFFF)


@inlined
def _last_word(data: Bytes, begin: int) -> np.uint64:
    word = _ZERO
    for at in range(data.size - 1, begin - 1, -1):
        word = (word << _BITS_8) | np.uint64(data[at])
    return word


@inlined
def word_at(data: Bytes, begin: int) -> np.uint64:
    """Return the eight bytes from `begin` on, the first one lowest; 0 stands behind the end."""
    if begin + WORD_BYTES > data.size:
        return _last_word(data, begin)
    # Written so that the compiler sees one load of 64 bits; unsigned indices never count from the
    # end, so there is no test for that.
    at = np.uint64(begin)
    return (
        np.uint64(data[at])
        | (np.uint64(data[at + _ONE]) << _BITS_8)
        | (np.uint64(data[at + _TWO]) << _BITS_16)
        | (np.uint64(data[at + _THREE]) << _BITS_24)
        | (np.uint64(data[at + _FOUR]) << _BITS_32)
        | (np.uint64(data[at + _FIVE]) << _BITS_40)
        | (np.uint64(data[at + _SIX]) << _BITS_48)
        | (np.uint64(data[at + _SEVEN]) << _BITS_56)
    )


@inlined
def word_of(data: Bytes, begin: int, length: int) -> np.uint64:
    """Return the first `length` bytes (0 to 8, more count as 8) from `begin` on as a word."""
    if length <= 0:
        return _ZERO
    word = word_at(data, begin)
    return word if length >= WORD_BYTES else word & (_ALL >> np.uint64(64 - 8 * length))


@inlined
def same_bytes(some: Bytes, some_begin: int, other: Bytes, other_begin: int, length: int) -> bool:
    """Tell whether two runs of `length` bytes are equal."""
    at = 0
    while at + WORD_BYTES <= length:
        if word_at(some, some_begin + at) != word_at(other, other_begin + at):
            return False
        at += WORD_BYTES
    rest = length - at
    return bool(word_of(some, some_begin + at, rest) == word_of(other, other_begin + at, rest))
