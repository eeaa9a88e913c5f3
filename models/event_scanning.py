"""One pass over JSON messages, without a Python object: the events that are certain, as spans.

models/validation.py is the authority on what an event is. What is read here is read as it would
read it; a message with anything unusual (a known field twice, an escape in an id, a number in an
exotic form, a field that only the authority judges) is not wrong, only undecided, and
models/decoding.py asks the authority. tests/models/test_decoding.py holds the two together.
"""

from dataclasses import dataclass
from functools import cache
from typing import Final

import numpy as np
import numpy.typing as npt

from models.compiled import compiled, inlined
from models.events import (
    COUNT_MAX,
    FIELDS,
    FIRST_OF_VIDEO,
    NAME_CHARACTERS_MAX,
    NAMES_MAX,
    PROFILE_FIELDS,
    REQUIRED_FIELDS,
    RETRACTABLE,
    DecodingLimits,
    FieldKind,
)
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
from models.names import UNKNOWN, Names, code_of, is_key, names_of
from models.packed_chunk import PackedChunk
from models.platform_spellings import SPELLINGS_MAX, spelling_of
from models.vocabulary import ACTION_CODE, ACTIONS, ROLES, Action
from models.words import Bytes

Integers = npt.NDArray[np.int64]
Lengths = npt.NDArray[np.int32]
Codes = npt.NDArray[np.uint8]

PLACES: Final = 32
"""Of how many fields the order is remembered: more than the contract has."""

ABSENT: Final = -1
"""Stands in a length for an id that was not given."""

_TIME: Final = FieldKind.TIME.value
_COUNT: Final = FieldKind.COUNT.value
_NAME: Final = FieldKind.NAME.value
_TEXT: Final = FieldKind.TEXT.value
_WHOLE_NUMBER: Final = FieldKind.WHOLE_NUMBER.value
_SENTIMENT: Final = FieldKind.SENTIMENT.value

_FIELD_CODE: Final = {name: code for code, name in enumerate(FIELDS)}
_AT_TIME: Final = _FIELD_CODE["time"]
_AT_PLATFORM: Final = _FIELD_CODE["platform"]
_AT_VIDEO: Final = _FIELD_CODE["video_id"]
_AT_ACTION: Final = _FIELD_CODE["action"]
_AT_COUNT: Final = _FIELD_CODE["count"]
_AT_EVENT: Final = _FIELD_CODE["event_id"]
_AT_ACTOR: Final = _FIELD_CODE["actor_id"]
_AT_ROLE: Final = _FIELD_CODE["actor_role"]
_AT_TOPICS: Final = _FIELD_CODE["topics"]
_AT_RETRACTS: Final = _FIELD_CODE["retracts"]


def _bits(*names: str) -> int:
    return sum(1 << _FIELD_CODE[name] for name in names)


_REQUIRED: Final = _bits(*REQUIRED_FIELDS)
_COUNTED: Final = _bits("count")
_TOPICS: Final = _bits("topics")
_PROFILE: Final = _bits(*(name for name in PROFILE_FIELDS if name != "topics"))
"""They say nothing more of an event than its type, unless it carries a profile."""

_RARE: Final = _bits("source_video_id", "source_platform", "fingerprint")
"""Only the authority knows when their values are good; they come with new videos."""

_NEEDED: Final = _bits(
    "time", "platform", "video_id", "action", "event_id", "actor_id", "actor_role", "retracts"
)
"""Strings whose text is needed here, so that there must not be an escape in it."""

_RETRACT: Final = ACTION_CODE[Action.RETRACT.value]
_ABSENT_ROLE: Final = 0  # models/validation.py: a role that is absent or empty is `ordinary`


@dataclass(frozen=True, slots=True)
class Scan:
    """What the scanner is certain of; the arrays of events have one length, m.

    Attributes:
        row: int64[m], the index of the message in the chunk, ascending.
        time_ms: int64[m], event time, ms since the epoch.
        action: uint8[m], code of the action; a retraction has that of what it takes back.
        count: int64[m], events; negative for a retraction.
        role: uint8[m], code of the actor's role.
        platform: uint8[m], index into `platforms`.
        video_begin: int64[m], where the id of the video begins in the chunk's buffer.
        video_length: int32[m], its bytes.
        actor_begin: int64[m], as `video_begin`, for the actor's id.
        actor_length: int32[m], ABSENT where there is none.
        event_begin: int64[m], as `video_begin`, for the event's id.
        event_length: int32[m], ABSENT where there is none.
        topics_begin: int64[m], where the JSON list of topics begins.
        topics_length: int32[m], its bytes, ABSENT where there is none or it names none.
        undecided: int64[k], the indices of the other messages, ascending.
        platforms: The normal names of platforms; two spellings of one name share the first index.
    """

    row: Integers
    time_ms: Integers
    action: Codes
    count: Integers
    role: Codes
    platform: Codes
    video_begin: Integers
    video_length: Lengths
    actor_begin: Integers
    actor_length: Lengths
    event_begin: Integers
    event_length: Lengths
    topics_begin: Integers
    topics_length: Lengths
    undecided: Integers
    platforms: list[bytes]


def scan(chunk: PackedChunk, *, received_ms: int, limits: DecodingLimits) -> Scan:
    """Read the messages of a chunk that are certain."""
    rows = len(chunk)
    row, undecided, time_ms, count = np.empty((4, rows), np.int64)
    video_begin, actor_begin, event_begin, topics_begin = np.empty((4, rows), np.int64)
    video_length, actor_length, event_length, topics_length = np.empty((4, rows), np.int32)
    action, role, platform = np.empty((3, rows), np.uint8)
    names = np.empty((SPELLINGS_MAX, NAME_CHARACTERS_MAX), np.uint8)
    name_length = np.zeros(SPELLINGS_MAX, np.int64)
    words = _vocabulary()
    decided = _scan(
        chunk.buffer,
        chunk.value_begin,
        chunk.value_length,
        chunk.append_ms,
        received_ms,
        limits.max_ahead_ms,
        limits.earliest_ms,
        limits.message_bytes_max,
        words.fields.words,
        words.fields.codes,
        words.fields.keys,
        words.fields.key_length,
        words.kinds,
        words.actions.words,
        words.actions.codes,
        words.roles.words,
        words.roles.codes,
        words.retractable,
        words.ordinary,
        np.full(PLACES, UNKNOWN, np.int64),
        np.zeros(len(FIELDS), np.int64),
        np.zeros(len(FIELDS), np.int64),
        np.zeros(SPELLINGS_MAX, np.int64),
        np.zeros(SPELLINGS_MAX, np.int64),
        np.zeros(SPELLINGS_MAX, np.uint8),
        names,
        name_length,
        row,
        time_ms,
        action,
        count,
        role,
        platform,
        video_begin,
        video_length,
        actor_begin,
        actor_length,
        event_begin,
        event_length,
        topics_begin,
        topics_length,
        undecided,
    )
    return Scan(
        row=row[:decided],
        time_ms=time_ms[:decided],
        action=action[:decided],
        count=count[:decided],
        role=role[:decided],
        platform=platform[:decided],
        video_begin=video_begin[:decided],
        video_length=video_length[:decided],
        actor_begin=actor_begin[:decided],
        actor_length=actor_length[:decided],
        event_begin=event_begin[:decided],
        event_length=event_length[:decided],
        topics_begin=topics_begin[:decided],
        topics_length=topics_length[:decided],
        undecided=undecided[: rows - decided],
        platforms=[names[at, :length].tobytes() for at, length in enumerate(name_length) if length],
    )


@dataclass(frozen=True, slots=True)
class _Vocabulary:
    """The closed sets, as compiled loops take them."""

    fields: Names
    kinds: Integers
    actions: Names
    roles: Names
    retractable: npt.NDArray[np.bool_]
    ordinary: npt.NDArray[np.bool_]


@cache
def _vocabulary() -> _Vocabulary:
    ordinary = [action not in FIRST_OF_VIDEO and action != Action.RETRACT for action in ACTIONS]
    return _Vocabulary(
        fields=names_of(FIELDS),
        kinds=np.array([kind.value for kind in FIELDS.values()], np.int64),
        actions=names_of(action.value for action in ACTIONS),
        roles=names_of(role.value for role in ROLES),
        retractable=np.array([action in RETRACTABLE for action in ACTIONS], np.bool_),
        ordinary=np.array(ordinary, np.bool_),
    )


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
def _scan_object(  # noqa: C901, PLR0911, PLR0912, PLR0915 - the grammar, without a call per part
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
        first: int64[f], takes where the text of each string or list begins, or the number.
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
                at = _small_number_end(data, at, end)
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


@compiled
def _scan(  # noqa: C901, PLR0912, PLR0915 - the rules of an event, each a way to be undecided
    data: Bytes,
    value_begin: Integers,
    value_length: Integers,
    append_ms: Integers,
    received_ms: int,
    max_ahead_ms: int,
    earliest_ms: int,
    message_bytes_max: int,
    field_words: npt.NDArray[np.uint64],
    field_codes: Integers,
    field_keys: npt.NDArray[np.uint64],
    key_length: Integers,
    kinds: Integers,
    action_words: npt.NDArray[np.uint64],
    action_codes: Integers,
    role_words: npt.NDArray[np.uint64],
    role_codes: Integers,
    retractable: npt.NDArray[np.bool_],
    ordinary: npt.NDArray[np.bool_],
    order: Integers,
    first: Integers,
    second: Integers,
    spelling_begin: Integers,
    spelling_length: Integers,
    canonical: Codes,
    names: npt.NDArray[np.uint8],
    name_length: Integers,
    row: Integers,
    time_ms: Integers,
    action: Codes,
    count: Integers,
    role: Codes,
    platform: Codes,
    video_begin: Integers,
    video_length: Lengths,
    actor_begin: Integers,
    actor_length: Lengths,
    event_begin: Integers,
    event_length: Lengths,
    topics_begin: Integers,
    topics_length: Lengths,
    undecided: Integers,
) -> int:
    """Fill the columns of `Scan` and return how many messages are decided."""
    spellings = 0
    spelling = 0
    m = 0
    for message in range(value_begin.size):
        undecided[message - m] = message  # overwritten by the next one if this is decided
        length = value_length[message]
        if length < 2 or length > message_bytes_max:
            continue
        begin = value_begin[message]
        given = _scan_object(
            data,
            begin,
            begin + length,
            field_words,
            field_codes,
            field_keys,
            key_length,
            kinds,
            order,
            first,
            second,
        )
        if given & _REQUIRED != _REQUIRED or given & _RARE:
            continue

        appended = append_ms[message]
        latest = (appended if appended >= 0 else received_ms) + max_ahead_ms
        if first[_AT_TIME] < earliest_ms or first[_AT_TIME] > latest or second[_AT_VIDEO] == 0:
            continue
        number = first[_AT_COUNT] if given & _COUNTED else 1
        if number < 1 or number > COUNT_MAX:
            continue
        done = code_of(data, first[_AT_ACTION], second[_AT_ACTION], action_words, action_codes)
        if done == UNKNOWN:
            continue
        if done == _RETRACT and given & (1 << _AT_RETRACTS):
            done = code_of(
                data, first[_AT_RETRACTS], second[_AT_RETRACTS], action_words, action_codes
            )
            if done == UNKNOWN or not retractable[done]:
                continue
            number = -number
        elif not ordinary[done]:
            continue
        if given & _TOPICS and given & _PROFILE:
            continue
        who = _ABSENT_ROLE
        if given & (1 << _AT_ROLE) and second[_AT_ROLE] > 0:
            who = code_of(data, first[_AT_ROLE], second[_AT_ROLE], role_words, role_codes)
            if who == UNKNOWN:
                continue

        spelling, spellings = spelling_of(
            data,
            first[_AT_PLATFORM],
            second[_AT_PLATFORM],
            spelling,
            spellings,
            spelling_begin,
            spelling_length,
            canonical,
            names,
            name_length,
        )
        if spelling == UNKNOWN:
            continue

        row[m] = message
        time_ms[m] = first[_AT_TIME]
        action[m] = done
        count[m] = number
        role[m] = who
        platform[m] = canonical[spelling]
        video_begin[m] = first[_AT_VIDEO]
        video_length[m] = second[_AT_VIDEO]
        has_actor = given & (1 << _AT_ACTOR) and second[_AT_ACTOR] > 0
        actor_begin[m] = first[_AT_ACTOR]
        actor_length[m] = second[_AT_ACTOR] if has_actor else ABSENT
        has_event = given & (1 << _AT_EVENT) and second[_AT_EVENT] > 0
        event_begin[m] = first[_AT_EVENT]
        event_length[m] = second[_AT_EVENT] if has_event else ABSENT
        has_topics = given & _TOPICS and second[_AT_TOPICS] > 0
        topics_begin[m] = first[_AT_TOPICS]
        topics_length[m] = second[_AT_TOPICS] if has_topics else ABSENT
        m += 1
    return m
