"""One message of JSON, field by field: what is given, and where, or that it is not certain.

What models/event_scanning.py makes events of; models/json_syntax.py is the grammar below.
"""

from typing import Final

import numpy as np
import numpy.typing as npt

from models.compiled import inlined
from models.events import FIELDS, NAME_CHARACTERS_MAX, NAMES_MAX, FieldKind
from models.json_syntax import (
    CLOSE_LIST,
    CLOSE_OBJECT,
    COLON,
    COMMA,
    DIGIT_0,
    DIGIT_9,
    ESCAPED,
    HALF_PAIR,
    MINUS,
    NOT_CERTAIN,
    OPEN_LIST,
    OPEN_OBJECT,
    QUOTE,
    blanks_end,
    digits_end,
    literal_end,
    number_end,
    string_end,
    value_end,
)
from models.json_times import NO_NUMBER, rfc_3339_time, whole_number
from models.names import UNKNOWN, code_of, is_key
from models.words import Bytes

Integers = npt.NDArray[np.int64]

PLACES: Final = 32
"""Of how many fields the order is remembered: more than the contract has."""

FIELD_CODE: Final = {name: code for code, name in enumerate(FIELDS)}
"""The number of each field of the contract."""

_TIME: Final = FieldKind.TIME.value
_COUNT: Final = FieldKind.COUNT.value
_NAME: Final = FieldKind.NAME.value
_TEXT: Final = FieldKind.TEXT.value
_WHOLE_NUMBER: Final = FieldKind.WHOLE_NUMBER.value
_SENTIMENT: Final = FieldKind.SENTIMENT.value


def bits(*names: str) -> int:
    """Return a number with a bit for each of these fields."""
    return sum(1 << FIELD_CODE[name] for name in names)


_NEEDED: Final = bits(
    *("time", "platform", "video_id", "action", "event_id", "actor_id", "actor_role", "retracts"),
    *("actor_region", "via_actor_id", "comment_id", "parent_id"),
)
"""Strings whose bytes are taken for their text, so that there must not be an escape in them."""


@inlined
def _small_number_end(data: Bytes, at: int, end: int) -> int:
    """Read a number that is surely within -1 to 1, however its digits are rounded."""
    begin = at
    at = number_end(data, at, end)
    if at < 0:
        return NOT_CERTAIN
    if data[begin] == MINUS:
        begin += 1
    exponent = begin
    while exponent < at and data[exponent] <= DIGIT_9:  # digits and the point
        exponent += 1
    if exponent == at:
        # 0.99... is rounded to 1 at most; whether 1.000... is more than 1 is not looked at.
        sure = data[begin] == DIGIT_0 or (data[begin] == ord("1") and at == begin + 1)
        return at if sure else NOT_CERTAIN
    # One digit before the point and a negative exponent: less than 10 times 0.1.
    whole_end = digits_end(data, begin, at)
    if whole_end == begin + 1 and data[exponent + 1] == MINUS:
        for position in range(exponent + 2, at):
            if data[position] != DIGIT_0:
                return at
    return NOT_CERTAIN


@inlined
def _names_end(data: Bytes, at: int, end: int) -> tuple[int, bool]:
    """Read a list of names from its bracket on; tell also whether one of them is not empty."""
    some = False
    at = blanks_end(data, at + 1, end)
    if at < end and data[at] == CLOSE_LIST:
        return at + 1, some
    for _ in range(NAMES_MAX):
        if at >= end or data[at] != QUOTE:
            break
        begin = at + 1
        at, marks = string_end(data, begin, end)
        # A character has at least one byte, so there are no more characters than bytes.
        if at < 0 or marks & HALF_PAIR or at - begin > NAME_CHARACTERS_MAX:
            break
        some = some or at > begin
        at = blanks_end(data, at + 1, end)
        if at >= end:
            break
        if data[at] == CLOSE_LIST:
            return at + 1, some
        if data[at] != COMMA:
            break
        at = blanks_end(data, at + 1, end)
    return NOT_CERTAIN, some


@inlined
def fields_of(  # noqa: C901, PLR0911, PLR0912, PLR0915 - the grammar, without a call per part
    data: Bytes,
    at: int,
    end: int,
    field_words: npt.NDArray[np.uint64],
    field_codes: Integers,
    field_keys: npt.NDArray[np.uint64],
    key_length: Integers,
    kinds: Integers,
    order: Integers,
    first: Integers,
    second: Integers,
) -> int:
    """Read one message; return a bit for each field that is given, 0 when it is not certain.

    Args:
        data: Where it lies.
        at: Where it begins.
        end: Where it ends.
        field_words: The names of the fields (models/names.py).
        field_codes: Their codes.
        field_keys: Their keys.
        key_length: The bytes of their keys.
        kinds: int64[f], the kind of each field.
        order: int64[PLACES], the fields of the message before in their order, which most often is
            that of this one; takes the fields of this one.
        first: int64[f], takes where each string, list or sentiment begins, or the whole number.
        second: int64[f], takes how many bytes the text has; for topics 0 where they name none.
    """
    at = blanks_end(data, at, end)
    if at >= end or data[at] != OPEN_OBJECT:
        return 0
    at = blanks_end(data, at + 1, end)
    seen = 0
    given = 0
    place = -1
    while True:
        if at >= end or data[at] != QUOTE:
            return 0
        begin = at + 1
        place = (place + 1) % PLACES
        field = order[place]
        if field != UNKNOWN and is_key(data, begin, end, field, field_keys, key_length[field]):
            at = begin + key_length[field]
        else:
            at, marks = string_end(data, begin, end)
            if at < 0 or marks != 0:  # an escaped key may be one that we know
                return 0
            field = code_of(data, begin, at - begin, field_words, field_codes)
            order[place] = field
            at = blanks_end(data, at + 1, end)
            if at >= end or data[at] != COLON:
                return 0
            at += 1
        at = blanks_end(data, at, end)
        if at >= end:
            return 0
        if field == UNKNOWN:
            at = value_end(data, at, end)
            if at < 0:
                return 0
        else:
            bit = 1 << field
            if seen & bit:
                return 0
            seen |= bit
            kind = kinds[field]
            byte = data[at]
            if byte == ord("n"):
                at = literal_end(data, at, end)
                bit = 0
            elif byte == QUOTE:
                begin = at + 1
                if kind == _TIME:
                    first[field], at = rfc_3339_time(data, begin, end)
                    if first[field] < 0:
                        return 0
                elif kind in (_NAME, _TEXT):
                    at, marks = string_end(data, begin, end)
                    if (
                        at < 0
                        or marks & HALF_PAIR
                        or (marks & ESCAPED and bit & _NEEDED)
                        or (kind == _NAME and at - begin > NAME_CHARACTERS_MAX)
                    ):
                        return 0
                    first[field] = begin
                    second[field] = at - begin
                else:
                    return 0
                at += 1
            elif byte == OPEN_LIST:
                if kind <= _SENTIMENT:  # all kinds but lists of names
                    return 0
                first[field] = at
                at, some = _names_end(data, at, end)
                second[field] = at - first[field] if some else 0
            elif kind == _SENTIMENT:
                first[field] = at
                at = _small_number_end(data, at, end)
                second[field] = at - first[field]
            elif kind in (_TIME, _COUNT, _WHOLE_NUMBER):
                first[field], at = whole_number(data, at, end)
                if first[field] == NO_NUMBER:
                    return 0
            else:
                return 0
            if at < 0:
                return 0
            given |= bit
        at = blanks_end(data, at, end)
        if at >= end:
            return 0
        byte = data[at]
        at = blanks_end(data, at + 1, end)
        if byte == CLOSE_OBJECT:
            return given if at == end else 0
        if byte != COMMA:
            return 0
