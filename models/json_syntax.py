"""The grammar of JSON over bytes: where each piece ends, or that it is not certain.

Each function for compiled loops starts at a position and returns the position behind what it read,
or NOT_CERTAIN where that is damaged, unusual or cut off by `end`. What is read to the end here is
JSON also to Python's parser (RFC 8259; models/validation.py has the last word).
"""

from typing import Final

import numpy as np

from models.compiled import inlined
from models.words import WORD_BYTES, Bytes, word_at

NOT_CERTAIN: Final = -1

PLAIN: Final = 0
"""A string whose bytes are its text."""

ESCAPED: Final = 1
"""A string with a backslash: its text is not its bytes."""

HALF_PAIR: Final = 2
"""A string that may hold half a surrogate pair: JSON, but no text."""

LEVELS_MAX: Final = 60
"""The deepest nesting that is read here, for the open brackets are the bits of a word; deeper is
unheard of among events, and the authority reads to NESTING_MAX."""

QUOTE: Final = ord('"')
COMMA: Final = ord(",")
COLON: Final = ord(":")
OPEN_OBJECT: Final = ord("{")
CLOSE_OBJECT: Final = ord("}")
OPEN_LIST: Final = ord("[")
CLOSE_LIST: Final = ord("]")
MINUS: Final = ord("-")
PLUS: Final = ord("+")
DOT: Final = ord(".")
DIGIT_0: Final = ord("0")
DIGIT_9: Final = ord("9")
_BACKSLASH: Final = ord("\\")
_SPACE: Final = ord(" ")
_TAB: Final = ord("\t")
_NEWLINE: Final = ord("\n")
_RETURN: Final = ord("\r")

_EACH_BYTE: Final = np.uint64(0x0101_0101_0101_0101)
_HIGH_BITS: Final = np.uint64(0x8080_8080_8080_8080)
_QUOTES: Final = np.uint64(0x2222_2222_2222_2222)
_BACKSLASHES: Final = np.uint64(0x5C5C_5C5C_5C5C_5C5C)
_SPACES: Final = np.uint64(0x2020_2020_2020_2020)
_ZERO: Final = np.uint64(0)
_SEVEN: Final = np.uint64(7)
_BYTE_NUMBERS: Final = np.uint64(0x0001_0203_0405_0607)
_TOP_BYTE: Final = np.uint64(56)


@inlined
def blanks_end(data: Bytes, at: int, end: int) -> int:
    """Return the first position from `at` on that is not white space, or `end`."""
    while at < end:
        byte = data[at]
        if byte > _SPACE or byte not in (_SPACE, _TAB, _NEWLINE, _RETURN):
            break
        at += 1
    return at


@inlined
def literal_end(data: Bytes, at: int, end: int) -> int:
    """Read `true`, `false` or `null`."""
    byte = data[at]
    if byte == ord("t"):
        length = 4
        same = (
            at + 4 <= end
            and data[at + 1] == ord("r")
            and data[at + 2] == ord("u")
            and data[at + 3] == ord("e")
        )
    elif byte == ord("n"):
        length = 4
        same = (
            at + 4 <= end
            and data[at + 1] == ord("u")
            and data[at + 2] == ord("l")
            and data[at + 3] == ord("l")
        )
    else:
        length = 5
        same = (
            at + 5 <= end
            and byte == ord("f")
            and data[at + 1] == ord("a")
            and data[at + 2] == ord("l")
            and data[at + 3] == ord("s")
            and data[at + 4] == ord("e")
        )
    return at + length if same else NOT_CERTAIN


@inlined
def digits_end(data: Bytes, at: int, end: int) -> int:
    """Return the first position from `at` on that holds no digit, or `end`."""
    while at < end and DIGIT_0 <= data[at] <= DIGIT_9:
        at += 1
    return at


@inlined
def number_end(data: Bytes, at: int, end: int) -> int:
    """Read any number (RFC 8259, section 6)."""
    if at < end and data[at] == MINUS:
        at += 1
    whole_end = digits_end(data, at, end)
    if whole_end == at or (data[at] == DIGIT_0 and whole_end > at + 1):
        return NOT_CERTAIN
    at = whole_end
    if at < end and data[at] == DOT:
        fraction_end = digits_end(data, at + 1, end)
        if fraction_end == at + 1:
            return NOT_CERTAIN
        at = fraction_end
    if at < end and (data[at] == ord("e") or data[at] == ord("E")):
        at += 1
        if at < end and (data[at] == PLUS or data[at] == MINUS):
            at += 1
        exponent_end = digits_end(data, at, end)
        if exponent_end == at:
            return NOT_CERTAIN
        at = exponent_end
    return at


@inlined
def _hexadecimal(data: Bytes, at: int, end: int) -> int:
    """Return the number of four hexadecimal digits, or NOT_CERTAIN."""
    if at + 4 > end:
        return NOT_CERTAIN
    number = 0
    for position in range(at, at + 4):
        byte = int(np.int64(data[position]))
        if DIGIT_0 <= byte <= DIGIT_9:
            digit = byte - DIGIT_0
        elif ord("a") <= byte <= ord("f"):
            digit = byte - ord("a") + 10
        elif ord("A") <= byte <= ord("F"):
            digit = byte - ord("A") + 10
        else:
            return NOT_CERTAIN
        number = 16 * number + digit
    return number


@inlined
def _escape_end(data: Bytes, at: int, end: int) -> tuple[int, int]:
    """Read what follows a backslash; a surrogate pair is one escape."""
    if at >= end:
        return NOT_CERTAIN, PLAIN
    byte = data[at]
    if byte != ord("u"):
        simple = byte in (
            QUOTE,
            _BACKSLASH,
            ord("/"),
            ord("b"),
            ord("f"),
            ord("n"),
            ord("r"),
            ord("t"),
        )
        return (at + 1 if simple else NOT_CERTAIN), ESCAPED
    unit = _hexadecimal(data, at + 1, end)
    if unit < 0:
        return NOT_CERTAIN, PLAIN
    at += 5
    if unit < 0xD800 or unit > 0xDFFF:
        return at, ESCAPED
    if unit < 0xDC00 and at + 1 < end and data[at] == _BACKSLASH and data[at + 1] == ord("u"):
        other = _hexadecimal(data, at + 2, end)
        if 0xDC00 <= other <= 0xDFFF:
            return at + 6, ESCAPED
    return at, ESCAPED | HALF_PAIR


@inlined
def _utf8_end(data: Bytes, at: int, end: int) -> int:  # noqa: C901, PLR0912 - the rows of the table
    """Read a run of characters beyond ASCII (table 3-7 of the Unicode standard)."""
    while at < end:
        first = data[at]
        if first < 0x80:
            return at
        lowest, highest = 0x80, 0xBF
        if 0xC2 <= first <= 0xDF:
            length = 2
        elif 0xE0 <= first <= 0xEF:
            length = 3
            if first == 0xE0:
                lowest = 0xA0
            elif first == 0xED:
                highest = 0x9F
        elif 0xF0 <= first <= 0xF4:
            length = 4
            if first == 0xF0:
                lowest = 0x90
            elif first == 0xF4:
                highest = 0x8F
        else:
            return NOT_CERTAIN
        if at + length > end or not lowest <= data[at + 1] <= highest:
            return NOT_CERTAIN
        for position in range(at + 2, at + length):
            if data[position] & 0xC0 != 0x80:
                return NOT_CERTAIN
        at += length
    return at


@inlined
def string_end(data: Bytes, at: int, end: int) -> tuple[int, int]:
    """Return where the closing quote of a string is, and what marks it has (ESCAPED, HALF_PAIR).

    Args:
        data: Where it lies.
        at: The position behind the opening quote.
        end: Where the message ends.
    """
    marks = PLAIN
    while at < end:
        word = word_at(data, at)
        # A high bit for each byte that is a quote, a backslash, a control character or not ASCII.
        # A byte above such a one may be marked wrongly (the subtraction borrows), so only the
        # lowest mark counts (S. E. Anderson, "Bit Twiddling Hacks", "zero byte").
        stops = _HIGH_BITS & (
            ((word ^ _QUOTES) - _EACH_BYTE)
            | ((word ^ _BACKSLASHES) - _EACH_BYTE)
            | (word - _SPACES)
            | word
        )
        if stops == _ZERO:
            at += WORD_BYTES
            continue
        # The lowest mark alone, moved to the bottom of its byte, picks the number of that byte.
        lowest = (stops & (~stops + np.uint64(1))) >> _SEVEN
        at += int(np.int64((lowest * _BYTE_NUMBERS) >> _TOP_BYTE))
        if at >= end:
            break
        byte = data[at]
        if byte == QUOTE:
            return at, marks
        if byte == _BACKSLASH:
            at, mark = _escape_end(data, at + 1, end)
            marks |= mark
        elif byte >= 0x80:
            at = _utf8_end(data, at, end)
        else:
            break
        if at < 0:
            break
    return NOT_CERTAIN, marks


@inlined
def key_end(data: Bytes, at: int, end: int) -> int:
    """Read a key and its colon, to the beginning of its value."""
    if at >= end or data[at] != QUOTE:
        return NOT_CERTAIN
    at, _ = string_end(data, at + 1, end)
    if at < 0:
        return NOT_CERTAIN
    at = blanks_end(data, at + 1, end)
    if at >= end or data[at] != COLON:
        return NOT_CERTAIN
    return blanks_end(data, at + 1, end)


@inlined
def value_end(data: Bytes, at: int, end: int) -> int:  # noqa: C901, PLR0911, PLR0912 - the grammar, without recursion
    """Read any value, to LEVELS_MAX levels."""
    lists = 0  # the lowest bit tells whether the innermost open bracket is that of a list
    level = 0
    while True:
        # A value begins here.
        if at >= end:
            return NOT_CERTAIN
        byte = data[at]
        opened = byte in (OPEN_OBJECT, OPEN_LIST)
        if opened:
            if level == LEVELS_MAX:
                return NOT_CERTAIN
            level += 1
            lists = 2 * lists + (byte == OPEN_LIST)
            at = blanks_end(data, at + 1, end)
        elif byte == QUOTE:
            at, _ = string_end(data, at + 1, end)
            at = at + 1 if at >= 0 else NOT_CERTAIN
        elif byte == MINUS or DIGIT_0 <= byte <= DIGIT_9:
            at = number_end(data, at, end)
        else:
            at = literal_end(data, at, end)
        if at < 0:
            return NOT_CERTAIN
        # Behind a value, or behind a bracket that may close at once.
        while level > 0:
            if not opened:
                at = blanks_end(data, at, end)
            if at >= end:
                return NOT_CERTAIN
            byte = data[at]
            in_list = lists & 1 == 1
            if byte == (CLOSE_LIST if in_list else CLOSE_OBJECT):
                at += 1
                level -= 1
                lists >>= 1
                opened = False
                continue
            if not opened:
                if byte != COMMA:
                    return NOT_CERTAIN
                at = blanks_end(data, at + 1, end)
            if not in_list:
                at = key_end(data, at, end)
                if at < 0:
                    return NOT_CERTAIN
            break
        if level == 0:
            return at
