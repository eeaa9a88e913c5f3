"""The spellings of platforms in a chunk, and the normal names they stand for, in compiled loops.

models/validation.py (`normal_platform`) is the authority on what the normal name is.
"""

from typing import Final

import numpy as np
import numpy.typing as npt

from models.compiled import inlined
from models.names import UNKNOWN
from models.words import Bytes, same_bytes

Integers = npt.NDArray[np.int64]
Codes = npt.NDArray[np.uint8]

SPELLINGS_MAX: Final = 128
"""How many spellings of platforms are read in a chunk: they are looked up one after the other, and
their number fits into a byte; the platforms of one operator are a handful."""


@inlined
def _normal_platform(data: Bytes, begin: int, length: int, name: Bytes) -> int:
    """Write the normal name of a platform and return its bytes, 0 where it is not certain.

    Spaces around it go and A to Z become small. Of the characters beyond ASCII only those from
    U+3040 to U+9FFF (kana, hanzi) and U+B000 to U+CFFF (hangul) are certain: none of them is white
    space or has another case (Unicode Character Database; a test asks Python of each).
    """
    end = begin + length
    while begin < end and data[begin] == ord(" "):
        begin += 1
    while begin < end and data[end - 1] == ord(" "):
        end -= 1
    at = begin
    while at < end:
        byte = data[at]
        if byte < 0x80:
            name[at - begin] = byte + 32 if ord("A") <= byte <= ord("Z") else byte
            at += 1
            continue
        # The string is known to be UTF-8; these begin characters of three bytes.
        if not (
            (0xE4 <= byte <= 0xE9)
            or (0xEB <= byte <= 0xEC)
            or (byte == 0xE3 and data[at + 1] >= 0x81)
        ):
            return 0
        for position in range(at, at + 3):
            name[position - begin] = data[position]
        at += 3
    return end - begin


@inlined
def spelling_of(
    data: Bytes,
    begin: int,
    length: int,
    last: int,
    spellings: int,
    spelling_begin: Integers,
    spelling_length: Integers,
    canonical: Codes,
    names: Codes,
    name_length: Integers,
) -> tuple[int, int]:
    """Return which spelling of a platform this is, or UNKNOWN, and how many there are.

    Args:
        data: Where it lies.
        begin: Where it begins.
        length: Its bytes.
        last: The spelling in the message before, most often the same.
        spellings: How many are known.
        spelling_begin: int64[SPELLINGS_MAX], where each was first seen.
        spelling_length: int64[SPELLINGS_MAX], its bytes.
        canonical: uint8[SPELLINGS_MAX], the first spelling with the same normal name.
        names: uint8[SPELLINGS_MAX, NAME_CHARACTERS_MAX], the normal names.
        name_length: int64[SPELLINGS_MAX], their bytes.
    """
    for at in range(-1, spellings):
        known = last if at < 0 else at
        if (
            0 <= known < spellings
            and spelling_length[known] == length
            and same_bytes(data, spelling_begin[known], data, begin, length)
        ):
            return known, spellings
    if spellings == SPELLINGS_MAX:
        return UNKNOWN, spellings
    normal = _normal_platform(data, begin, length, names[spellings])
    if normal == 0:
        return UNKNOWN, spellings
    name_length[spellings] = normal
    spelling_begin[spellings] = begin
    spelling_length[spellings] = length
    same = 0
    while not (
        name_length[same] == normal and same_bytes(names[same], 0, names[spellings], 0, normal)
    ):
        same += 1
    canonical[spellings] = same
    return spellings, spellings + 1
