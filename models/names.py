"""A closed set of words looked up by their bytes, for compiled loops.

A word of up to WORD_LENGTH_MAX bytes is three 64-bit words, padded with zeros; a small table with
open addressing finds it. Words with a zero byte or an escape are never in the set.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from models.compiled import inlined
from models.words import Bytes, word_of

UNKNOWN: Final = -1

_WORDS: Final = 3
WORD_LENGTH_MAX: Final = 8 * _WORDS
"""The longest word of the contract, `creator_followers`, has 17 bytes."""

_SLOTS: Final = 128
"""Four times the fields of the contract: most look-ups end at the first slot."""

_MULTIPLIER: Final = np.uint64(0x9E37_79B9_7F4A_7C15)
"""2^64 divided by the golden ratio (Knuth, TAOCP 3, section 6.4: multiplicative hashing)."""

_SLOT_SHIFT: Final = np.uint64(64 - 7)  # the upper bits, 2^7 slots


@dataclass(frozen=True, slots=True)
class Names:
    """A closed set of words.

    Attributes:
        words: uint64[_SLOTS, _WORDS], the bytes of the word in each slot.
        codes: int64[_SLOTS], its code, UNKNOWN where the slot is empty.
    """

    words: npt.NDArray[np.uint64]
    codes: npt.NDArray[np.int64]


def names_of(words: Iterable[str]) -> Names:
    """Return the table in which each word has its position as code.

    Raises:
        ValueError: A word is empty, too long, or there are too many of them.
    """
    names = Names(np.zeros((_SLOTS, _WORDS), np.uint64), np.full(_SLOTS, UNKNOWN, np.int64))
    for code, word in enumerate(words):
        encoded = word.encode()
        if not 0 < len(encoded) <= WORD_LENGTH_MAX or code >= _SLOTS // 2:
            raise ValueError(f"{word!r}, word {code}, does not fit into the table")
        parts = np.frombuffer(encoded.ljust(WORD_LENGTH_MAX, b"\0"), "<u8")
        mixed = int(np.bitwise_xor.reduce(parts)) * int(_MULTIPLIER) % 2**64
        slot = mixed >> int(_SLOT_SHIFT)
        while names.codes[slot] != UNKNOWN:
            slot = (slot + 1) % _SLOTS
        names.words[slot] = parts
        names.codes[slot] = code
    return names


@inlined
def code_of(
    data: Bytes,
    begin: int,
    length: int,
    words: npt.NDArray[np.uint64],
    codes: npt.NDArray[np.int64],
) -> int:
    """Return the code of the word that stands in `length` bytes from `begin` on, or UNKNOWN."""
    if length > WORD_LENGTH_MAX or length <= 0:
        return UNKNOWN
    first = word_of(data, begin, length)
    second = word_of(data, begin + 8, length - 8)
    third = word_of(data, begin + 16, length - 16)
    slot = np.int64(((first ^ second ^ third) * _MULTIPLIER) >> _SLOT_SHIFT)
    while codes[slot] != UNKNOWN:
        if words[slot, 0] == first and words[slot, 1] == second and words[slot, 2] == third:
            return int(codes[slot])
        slot = (slot + 1) % _SLOTS
    return UNKNOWN
