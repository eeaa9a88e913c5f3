"""SipHash-2-4: short ids to 64 bits that nobody can compute, or undo, without the key.

A keyed pseudorandom function made for short inputs; an id of 16 bytes takes about a twentieth of
the time that keyed BLAKE2b takes through Python's hashlib. Ids are hashed together with the name of
their platform: what is absorbed of the name is kept (`absorb`), so the id alone is read.

References:
    J.-P. Aumasson, D. J. Bernstein, "SipHash: a fast short-input PRF", INDOCRYPT 2012; the
    reference vectors of its appendix A are in tests/models/test_siphash.py.
"""

from collections.abc import Sequence
from typing import Final

import numpy as np
import numpy.typing as npt

from models.compiled import compiled, inlined
from models.identity import ABSENT_HASH, KEY_SEPARATOR, SipKey
from models.words import Bytes, word_at, word_of

Words = npt.NDArray[np.uint64]
Integers = npt.NDArray[np.int64]

PREFIX_WORDS: Final = 6
"""Kept of an absorbed prefix: the state v0 to v3, the bytes that fill no word, and its length."""

_ZERO_STAND_IN: Final = np.uint64(1)
_ABSENT: Final = np.uint64(ABSENT_HASH)

# Section 2.1 of the paper: the ASCII of "somepseudorandomlygeneratedbytes".
_V0: Final = np.uint64(0x736F_6D65_7073_6575)
_V1: Final = np.uint64(0x646F_7261_6E64_6F6D)
_V2: Final = np.uint64(0x6C79_6765_6E65_7261)
_V3: Final = np.uint64(0x7465_6462_7974_6573)
_FINAL: Final = np.uint64(0xFF)
_LENGTH_SHIFT: Final = np.uint64(56)
_ONE: Final = np.uint64(1)
_R13: Final = np.uint64(13)
_R16: Final = np.uint64(16)
_R17: Final = np.uint64(17)
_R21: Final = np.uint64(21)
_R32: Final = np.uint64(32)
_R43: Final = np.uint64(43)
_R47: Final = np.uint64(47)
_R48: Final = np.uint64(48)
_R51: Final = np.uint64(51)

State = tuple[np.uint64, np.uint64, np.uint64, np.uint64]


@inlined
def _round(v0: np.uint64, v1: np.uint64, v2: np.uint64, v3: np.uint64) -> State:
    """Do one SipRound (figure 2.1 of the paper)."""
    v0 += v1
    v1 = ((v1 << _R13) | (v1 >> _R51)) ^ v0
    v0 = (v0 << _R32) | (v0 >> _R32)
    v2 += v3
    v3 = ((v3 << _R16) | (v3 >> _R48)) ^ v2
    v0 += v3
    v3 = ((v3 << _R21) | (v3 >> _R43)) ^ v0
    v2 += v1
    v1 = ((v1 << _R17) | (v1 >> _R47)) ^ v2
    v2 = (v2 << _R32) | (v2 >> _R32)
    return v0, v1, v2, v3


@inlined
def _compress(v0: np.uint64, v1: np.uint64, v2: np.uint64, v3: np.uint64, word: np.uint64) -> State:
    """Take in one word: c = 2 rounds."""
    v0, v1, v2, v3 = _round(v0, v1, v2, v3 ^ word)
    v0, v1, v2, v3 = _round(v0, v1, v2, v3)
    return v0 ^ word, v1, v2, v3


@compiled
def _absorb(
    data: Bytes, begin: Integers, length: Integers, key_low: np.uint64, key_high: np.uint64
) -> Words:
    prefixes = np.empty((begin.size, PREFIX_WORDS), np.uint64)
    for row in range(begin.size):
        v0, v1, v2, v3 = key_low ^ _V0, key_high ^ _V1, key_low ^ _V2, key_high ^ _V3
        at = begin[row]
        end = at + length[row]
        while at + 8 <= end:
            v0, v1, v2, v3 = _compress(v0, v1, v2, v3, word_at(data, at))
            at += 8
        prefixes[row, 0] = v0
        prefixes[row, 1] = v1
        prefixes[row, 2] = v2
        prefixes[row, 3] = v3
        prefixes[row, 4] = word_of(data, at, end - at)
        prefixes[row, 5] = np.uint64(length[row])
    return prefixes


@compiled
def hash_spans(
    data: Bytes,
    begin: Integers,
    length: npt.NDArray[np.int32],
    prefix: npt.NDArray[np.uint8],
    prefixes: Words,
) -> Words:
    """Return uint64[n]: the hash of a prefix and a span of `data` each.

    Args:
        data: Where the spans lie.
        begin: int64[n], where each begins.
        length: int32[n], its bytes; negative for an id that is absent.
        prefix: uint8[n], which of `prefixes` it follows.
        prefixes: uint64[p, PREFIX_WORDS], from `absorb`.

    Returns:
        The hashes, ABSENT_HASH for what is absent and for nothing else.
    """
    hashes = np.empty(begin.size, np.uint64)
    for row in range(begin.size):
        rest = int(np.int64(length[row]))
        if rest < 0:
            hashes[row] = _ABSENT
            continue
        at = begin[row]
        kept = prefixes[prefix[row]]
        v0, v1, v2, v3, carry, before = kept[0], kept[1], kept[2], kept[3], kept[4], kept[5]
        total = before + np.uint64(rest)
        # Words of the span lie across those of the text: `shift` bits of each go into the next.
        filled = np.int64(before & np.uint64(7))
        shift = np.uint64(8 * filled)
        back = np.uint64(63 - 8 * filled)
        while rest >= 8:
            word = word_at(data, at)
            v0, v1, v2, v3 = _compress(v0, v1, v2, v3, carry | (word << shift))
            carry = (word >> _ONE) >> back  # in two steps, for a shift by 64 is undefined
            at += 8
            rest -= 8
        word = word_of(data, at, rest)
        if filled + rest >= 8:
            v0, v1, v2, v3 = _compress(v0, v1, v2, v3, carry | (word << shift))
            carry = (word >> _ONE) >> back
        else:
            carry |= word << shift
        v0, v1, v2, v3 = _compress(v0, v1, v2, v3, carry | (total << _LENGTH_SHIFT))
        v0, v1, v2, v3 = _round(v0, v1, v2 ^ _FINAL, v3)  # and d = 4 rounds in all
        v0, v1, v2, v3 = _round(v0, v1, v2, v3)
        v0, v1, v2, v3 = _round(v0, v1, v2, v3)
        v0, v1, v2, v3 = _round(v0, v1, v2, v3)
        mixed = v0 ^ v1 ^ v2 ^ v3
        hashes[row] = _ZERO_STAND_IN if mixed == _ABSENT else mixed
    return hashes


def absorb(key: SipKey, texts: Sequence[bytes]) -> Words:
    """Return uint64[p, PREFIX_WORDS]: what `hash_spans` must know of texts that come first."""
    length = np.array([len(text) for text in texts], np.int64)
    begin = np.cumsum(length) - length
    data = np.frombuffer(bytearray().join(texts), np.uint8)
    return _absorb(data, begin, length, np.uint64(key[0]), np.uint64(key[1]))


def hash_ids(
    key: SipKey,
    data: Bytes,
    begin: Integers,
    length: npt.NDArray[np.int32],
    platform: npt.NDArray[np.uint8],
    platforms: Sequence[bytes],
) -> Words:
    """Return uint64[n]: the hashes of ids of platforms, which are spans as in `hash_spans`.

    `platform`, uint8[n], are indices into the names of `platforms`.
    """
    prefixes = absorb(key, [name + KEY_SEPARATOR.encode() for name in platforms])
    return hash_spans(data, begin, length, platform, prefixes)


def hash_texts(key: SipKey, texts: Sequence[str | None]) -> Words:
    """Return uint64[n]: the hash of each text, ABSENT_HASH for None and for nothing else."""
    parts = [b"" if text is None else text.encode() for text in texts]
    length = np.array([len(part) for part in parts], np.int64)
    begin = np.cumsum(length) - length
    span = np.array(
        [-1 if text is None else len(part) for text, part in zip(texts, parts, strict=True)],
        np.int32,
    )
    data = np.frombuffer(bytearray().join(parts), np.uint8)
    return hash_spans(data, begin, span, np.zeros(len(parts), np.uint8), absorb(key, [b""]))
