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
from models.details import NO_NUMBER
from models.event_syntax import FIELD_CODE, PLACES, bits, fields_of
from models.events import (
    COUNT_MAX,
    FIELDS,
    FIRST_OF_VIDEO,
    NAME_CHARACTERS_MAX,
    PROFILE_FIELDS,
    REQUIRED_FIELDS,
    RETRACTABLE,
    DecodingLimits,
)
from models.names import UNKNOWN, Names, code_of, names_of
from models.packed_chunk import PackedChunk
from models.platform_spellings import SPELLINGS_MAX, spelling_of
from models.vocabulary import ACTION_CODE, ACTIONS, ROLES, Action
from models.words import Bytes

Integers = npt.NDArray[np.int64]
Lengths = npt.NDArray[np.int32]
Codes = npt.NDArray[np.uint8]

ABSENT: Final = -1
"""Stands in a length for an id that was not given."""

_AT_TIME: Final = FIELD_CODE["time"]
_AT_PLATFORM: Final = FIELD_CODE["platform"]
_AT_VIDEO: Final = FIELD_CODE["video_id"]
_AT_ACTION: Final = FIELD_CODE["action"]
_AT_COUNT: Final = FIELD_CODE["count"]
_AT_EVENT: Final = FIELD_CODE["event_id"]
_AT_ACTOR: Final = FIELD_CODE["actor_id"]
_AT_ROLE: Final = FIELD_CODE["actor_role"]
_AT_TOPICS: Final = FIELD_CODE["topics"]
_AT_RETRACTS: Final = FIELD_CODE["retracts"]
_AT_REGION: Final = FIELD_CODE["actor_region"]
_AT_AGE: Final = FIELD_CODE["actor_age_days"]
_AT_FOLLOWERS: Final = FIELD_CODE["actor_followers"]
_AT_VIA: Final = FIELD_CODE["via_actor_id"]
_AT_COMMENT: Final = FIELD_CODE["comment_id"]
_AT_PARENT: Final = FIELD_CODE["parent_id"]
_AT_TEXT: Final = FIELD_CODE["text"]
_AT_SENTIMENT: Final = FIELD_CODE["sentiment"]
_AT_WATCH: Final = FIELD_CODE["watch_ms"]

_REQUIRED: Final = bits(*REQUIRED_FIELDS)
_COUNTED: Final = bits("count")
_TOPICS: Final = bits("topics")
_PROFILE: Final = bits(*(name for name in PROFILE_FIELDS if name != "topics"))
"""They say nothing more of an event than its type, unless it carries a profile."""

_RARE: Final = bits("source_video_id", "source_platform", "fingerprint")
"""Only the authority knows when their values are good; they come with new videos."""

_SAID: Final = bits(
    *("actor_region", "actor_age_days", "actor_followers", "via_actor_id"),
    *("comment_id", "parent_id", "text", "sentiment", "watch_ms"),
)
"""What details and comments are made of (models/details.py)."""

SAID: Final = np.dtype(
    [
        ("event", np.int64),
        ("age_days", np.int64),
        ("followers", np.int64),
        ("watch_ms", np.int64),
        ("region_begin", np.int64),
        ("via_begin", np.int64),
        ("comment_begin", np.int64),
        ("parent_begin", np.int64),
        ("text_begin", np.int64),
        ("sentiment_begin", np.int64),
        ("region_length", np.int32),
        ("via_length", np.int32),
        ("comment_length", np.int32),
        ("parent_length", np.int32),
        ("text_length", np.int32),
        ("sentiment_length", np.int32),
    ]
)
"""What one event says beside who did what when: `event` is its index among the events of the scan;
whole numbers are NO_NUMBER where they are absent, lengths of spans ABSENT. The span of a text is
JSON, with its escapes, and that of a sentiment a number of JSON."""

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
        said: SAID[d], of the events that say any of it, ascending by event.
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
    said: npt.NDArray[np.void]
    undecided: Integers
    platforms: list[bytes]


def scan(chunk: PackedChunk, *, received_ms: int, limits: DecodingLimits) -> Scan:
    """Read the messages of a chunk that are certain."""
    rows = len(chunk)
    row, undecided, time_ms, count = np.empty((4, rows), np.int64)
    video_begin, actor_begin, event_begin, topics_begin = np.empty((4, rows), np.int64)
    video_length, actor_length, event_length, topics_length = np.empty((4, rows), np.int32)
    action, role, platform = np.empty((3, rows), np.uint8)
    said = np.empty(rows, SAID)
    names = np.empty((SPELLINGS_MAX, NAME_CHARACTERS_MAX), np.uint8)
    name_length = np.zeros(SPELLINGS_MAX, np.int64)
    words = _vocabulary()
    decided, talkative = _scan(
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
        said,
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
        said=said[:talkative],
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
    said: npt.NDArray[np.void],
    undecided: Integers,
) -> tuple[int, int]:
    """Fill the columns of `Scan`; return how many events there are, and how many of `said`."""
    spellings = 0
    spelling = 0
    m = 0
    d = 0
    for message in range(value_begin.size):
        undecided[message - m] = message  # overwritten by the next one if this is decided
        length = value_length[message]
        if length < 2 or length > message_bytes_max:
            continue
        begin = value_begin[message]
        given = fields_of(
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
        if given & _SAID:
            _take_said(said[d], m, given, first, second)
            d += 1
        m += 1
    return m, d


@inlined
def _length_of(field: int, given: int, second: Integers) -> int:
    """Return the bytes of a text; an empty one is absent."""
    return second[field] if given & (1 << field) and second[field] > 0 else ABSENT


@inlined
def _number_of(field: int, given: int, first: Integers) -> int:
    return first[field] if given & (1 << field) else NO_NUMBER


@inlined
def _take_said(said: np.void, event: int, given: int, first: Integers, second: Integers) -> None:
    """Fill a record of SAID with what `fields_of` has found."""
    said["event"] = event
    said["age_days"] = _number_of(_AT_AGE, given, first)
    said["followers"] = _number_of(_AT_FOLLOWERS, given, first)
    said["watch_ms"] = _number_of(_AT_WATCH, given, first)
    said["region_begin"] = first[_AT_REGION]
    said["region_length"] = _length_of(_AT_REGION, given, second)
    said["via_begin"] = first[_AT_VIA]
    said["via_length"] = _length_of(_AT_VIA, given, second)
    said["comment_begin"] = first[_AT_COMMENT]
    said["comment_length"] = _length_of(_AT_COMMENT, given, second)
    said["parent_begin"] = first[_AT_PARENT]
    said["parent_length"] = _length_of(_AT_PARENT, given, second)
    said["text_begin"] = first[_AT_TEXT]
    said["text_length"] = _length_of(_AT_TEXT, given, second)
    said["sentiment_begin"] = first[_AT_SENTIMENT]
    said["sentiment_length"] = _length_of(_AT_SENTIMENT, given, second)
