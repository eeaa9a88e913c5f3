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
from models.words import Bytes, word_at, word_of

UNKNOWN: Final = -1

_WORDS: Final = 3
WORD_LENGTH_MAX: Final = 8 * _WORDS - len('":')
"""The longest word of the contract, `creator_followers`, has 17 bytes."""

_SLOTS: Final = 128
"""Four times the fields of the contract: most look-ups end at the first slot."""

_MULTIPLIER: Final = np.uint64(0x9E37_79B9_7F4A_7C15)
"""2^64 divided by the golden ratio (Knuth, TAOCP 3, section 6.4: multiplicative hashing)."""

_NOTHING: Final = np.uint64(0)
_SLOT_SHIFT: Final = np.uint64(64 - 7)  # the upper bits, 2^7 slots


@dataclass(frozen=True, slots=True)
class Names:
    """A closed set of words.

    Attributes:
        words: uint64[_SLOTS, _WORDS], the bytes of the word in each slot.
        codes: int64[_SLOTS], its code, UNKNOWN where the slot is empty.
        keys: uint64[n, 2 * _WORDS], the bytes of each word as a key of JSON (from behind its first
            quote to its colon), and a mask of them.
        key_length: int64[n], how many bytes these are.
    """

    words: npt.NDArray[np.uint64]
    codes: npt.NDArray[np.int64]
    keys: npt.NDArray[np.uint64]
    key_length: npt.NDArray[np.int64]


def names_of(words: Iterable[str]) -> Names:
    """Return the table in which each word has its position as code.

    Raises:
        ValueError: A word is empty, too long, or there are too many of them.
    """
    encoded = [word.encode() for word in words]
    names = Names(
        words=np.zeros((_SLOTS, _WORDS), np.uint64),
        codes=np.full(_SLOTS, UNKNOWN, np.int64),
        keys=np.array([[*_words(key), *_words(b"\xff" * len(key))] for key in _keys(encoded)]),
        key_length=np.array([len(key) for key in _keys(encoded)], np.int64),
    )
    for code, word in enumerate(encoded):
        if not 0 < len(word) <= WORD_LENGTH_MAX or code >= _SLOTS // 2:
            raise ValueError(f"{word!r}, word {code}, does not fit into the table")
        mixed = int(np.bitwise_xor.reduce(_words(word))) * int(_MULTIPLIER) % 2**64
        slot = mixed >> int(_SLOT_SHIFT)
        while names.codes[slot] != UNKNOWN:
            slot = (slot + 1) % _SLOTS
        names.words[slot] = _words(word)
        names.codes[slot] = code
    return names


def _keys(words: list[bytes]) -> list[bytes]:
    return [word + b'":' for word in words]


def _words(text: bytes) -> npt.NDArray[np.uint64]:
    """Return the first bytes of a text as words, padded with zeros."""
    padded = text.ljust(8 * _WORDS, b"\0")[: 8 * _WORDS]
    return np.frombuffer(padded, "<u8").astype(np.uint64)


@inlined
def is_key(
    data: Bytes, at: int, end: int, code: int, keys: npt.NDArray[np.uint64], length: int
) -> bool:
    """Tell whether a word, a quote and a colon stand at a position.

    Args:
        data: Where they lie.
        at: The position behind the opening quote.
        end: Where the message ends.
        code: The code of the word.
        keys: `Names.keys`.
        length: `Names.key_length` of the word.
    """
    if at + length > end or (word_at(data, at) ^ keys[code, 0]) & keys[code, 3] != _NOTHING:
        return False
    if length > 8 and (word_at(data, at + 8) ^ keys[code, 1]) & keys[code, 4] != _NOTHING:
        return False
    return length <= 16 or (word_at(data, at + 16) ^ keys[code, 2]) & keys[code, 5] == _NOTHING


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
