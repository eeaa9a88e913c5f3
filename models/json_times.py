"""Event times as they stand in JSON: whole numbers, and RFC 3339 as most producers write it."""

from typing import Final

import numpy as np

from models.compiled import inlined
from models.json_syntax import (
    COLON,
    DIGIT_0,
    DIGIT_9,
    DOT,
    MINUS,
    PLUS,
    QUOTE,
)
from models.parameters import DAY_MS, HOUR_MS, MINUTE_MS, SECOND_MS
from models.words import WORD_BYTES, Bytes, word_at

NO_NUMBER: Final = -1
"""What is read here is never negative, so this says that a number is not certain."""

DIGITS_MAX: Final = 18
"""Whole numbers of up to 18 digits surely fit into 64 bits."""

_NOTHING: Final = np.uint64(0)
_ZEROS: Final = np.uint64(0x3030_3030_3030_3030)
_BEYOND_NINE: Final = np.uint64(0x7676_7676_7676_7676)  # takes 10, but not 9, to the high bit
_HIGH_BITS: Final = np.uint64(0x8080_8080_8080_8080)
_PAIRS: Final = np.uint64(0x00FF_00FF_00FF_00FF)
_QUADS: Final = np.uint64(0x0000_FFFF_0000_FFFF)
_TEN_AND_ONE: Final = np.uint64(1 + (10 << 8))
_HUNDRED_AND_ONE: Final = np.uint64(1 + (100 << 16))
_TEN_THOUSAND_AND_ONE: Final = np.uint64(1 + (10_000 << 32))
_BITS_8: Final = np.uint64(8)
_BITS_16: Final = np.uint64(16)
_BITS_32: Final = np.uint64(32)


@inlined
def _eight_digits(word: np.uint64) -> int:
    """Return the number of eight digits, the first one lowest in the word, or NO_NUMBER.

    Neighbours are added up three times, each time over twice as many digits (D. Lemire, "Quickly
    parsing eight digits", 2018).
    """
    digits = word ^ _ZEROS
    if ((digits + _BEYOND_NINE) | digits) & _HIGH_BITS != _NOTHING:
        return NO_NUMBER
    digits = (digits * _TEN_AND_ONE) >> _BITS_8
    digits = ((digits & _PAIRS) * _HUNDRED_AND_ONE) >> _BITS_16
    return int(np.int64(((digits & _QUADS) * _TEN_THOUSAND_AND_ONE) >> _BITS_32))


@inlined
def whole_number(data: Bytes, at: int, end: int) -> tuple[int, int]:
    """Return a whole number and the position behind it, or NO_NUMBER.

    A sign, a leading zero, a fraction, an exponent or more than DIGITS_MAX digits are not certain.
    """
    begin = at
    number = 0
    if at + WORD_BYTES <= end:
        number = _eight_digits(word_at(data, at))
        if number == NO_NUMBER:
            number = 0
        else:
            at += WORD_BYTES
    while at < end and DIGIT_0 <= data[at] <= DIGIT_9:
        number = 10 * number + (int(np.int64(data[at])) - DIGIT_0)
        at += 1
    digits = at - begin
    if digits == 0 or digits > DIGITS_MAX or (digits > 1 and data[begin] == DIGIT_0):
        return NO_NUMBER, at
    if at < end and (data[at] == DOT or data[at] == ord("e") or data[at] == ord("E")):
        return NO_NUMBER, at
    return number, at


@inlined
def _digits(data: Bytes, at: int, count: int) -> int:
    """Return the number of `count` digits (at most 4), negative when one of them is none."""
    number = 0
    for position in range(at, at + count):
        digit = int(np.int64(data[position])) - DIGIT_0
        if digit < 0 or digit > 9:
            return -100_000
        number = 10 * number + digit
    return number


@inlined
def _days_since_epoch(year: int, month: int, day: int) -> int:
    """Return the days from 1970-01-01 to a day of the Gregorian calendar.

    Counting years from March puts the leap day last (H. Hinnant, "chrono-Compatible Low-Level Date
    Algorithms", days_from_civil; for years from 0 on).
    """
    if month <= 2:
        year -= 1
    era = year // 400
    of_era = year - 400 * era
    of_year = (153 * (month - 3 if month > 2 else month + 9) + 2) // 5 + day - 1
    return era * 146_097 + of_era * 365 + of_era // 4 - of_era // 100 + of_year - 719_468


@inlined
def _days_in(year: int, month: int) -> int:
    if month == 2:
        leap = year % 4 == 0 and (year % 100 != 0 or year % 400 == 0)
        return 29 if leap else 28
    return 30 if month in (4, 6, 9, 11) else 31


@inlined
def rfc_3339_time(data: Bytes, at: int, end: int) -> tuple[int, int]:  # noqa: PLR0911 - each way to fail
    """Return ms since the epoch and the position of the closing quote, or NO_NUMBER.

    Args:
        data: Where it lies.
        at: The position behind the opening quote.
        end: Where the message ends.

    Returns:
        Times before the epoch, leap seconds and all that is no such time are not certain; finer
        fractions are cut off.
    """
    # The shortest, 2023-08-30T12:00:00Z and its quote, has 21 bytes.
    if at + 21 > end:
        return NO_NUMBER, at
    year = _digits(data, at, 4)
    month = _digits(data, at + 5, 2)
    day = _digits(data, at + 8, 2)
    hour = _digits(data, at + 11, 2)
    minute = _digits(data, at + 14, 2)
    second = _digits(data, at + 17, 2)
    between = data[at + 10]
    plain = (
        data[at + 4] == MINUS
        and data[at + 7] == MINUS
        and (between == ord("T") or between == ord("t") or between == ord(" "))
        and data[at + 13] == COLON
        and data[at + 16] == COLON
        and year >= 1970
        and 1 <= month <= 12
        and 1 <= day <= _days_in(year, month)
        and 0 <= hour <= 23
        and 0 <= minute <= 59
        and 0 <= second <= 59
    )
    if not plain:
        return NO_NUMBER, at
    time_ms = DAY_MS * _days_since_epoch(year, month, day)
    time_ms += HOUR_MS * hour + MINUTE_MS * minute + SECOND_MS * second
    at += 19
    if data[at] == DOT:
        begin = at + 1
        at = begin
        unit = 100
        while at < end and DIGIT_0 <= data[at] <= DIGIT_9:
            time_ms += unit * (int(np.int64(data[at])) - DIGIT_0)
            unit //= 10
            at += 1
        if at == begin:
            return NO_NUMBER, at
    if at + 1 < end and (data[at] == ord("Z") or data[at] == ord("z")):
        at += 1
    elif at + 6 < end and (data[at] == PLUS or data[at] == MINUS) and data[at + 3] == COLON:
        hours = _digits(data, at + 1, 2)
        minutes = _digits(data, at + 4, 2)
        if not (0 <= hours <= 23 and 0 <= minutes <= 59):
            return NO_NUMBER, at
        offset_ms = HOUR_MS * hours + MINUTE_MS * minutes
        time_ms += offset_ms if data[at] == MINUS else -offset_ms
        at += 6
    else:
        return NO_NUMBER, at
    if time_ms < 0 or data[at] != QUOTE:
        return NO_NUMBER, at
    return time_ms, at
