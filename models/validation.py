"""One message at a time: the authority on what an event is.

models/event_scanning.py reads whole chunks much faster; whatever it cannot vouch for comes here,
and a property test holds it to the answers of this file.
"""

import json
import re
from collections.abc import Callable
from dataclasses import astuple, dataclass
from datetime import UTC, datetime, timedelta
from typing import Final, NoReturn

from models.details import AGE_DAYS_MAX, TEXT_CHARACTERS_MAX, EventDetail
from models.events import (
    COUNT_MAX,
    FIELDS,
    FIRST_OF_VIDEO,
    NAME_CHARACTERS_MAX,
    NAMES_MAX,
    NESTING_MAX,
    PROFILE_FIELDS,
    REQUIRED_FIELDS,
    RETRACTABLE,
    TITLE_CHARACTERS_MAX,
    DecodingLimits,
    FieldKind,
    RejectedEventError,
    RejectReason,
)
from models.identity import KEY_SEPARATOR, video_key
from models.vocabulary import ACTION_CODE, ROLE_CODE, Action, Role

INTEGER_MAX: Final = 2**63 - 1
"""The greatest whole number of the columns (int64)."""

_SHOWN_CHARACTERS_MAX: Final = 64
_RETRACTABLE_NAMES: Final = frozenset(action.value for action in RETRACTABLE)
_FIRST_OF_VIDEO_NAMES: Final = frozenset(action.value for action in FIRST_OF_VIDEO)
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MILLISECOND: Final = timedelta(milliseconds=1)
_BLANKS: Final = b" \t\r\n"  # the white space of JSON (RFC 8259, section 2)
# A string, or what is left of one: it must always match, or damaged input costs quadratic time.
_STRING: Final = re.compile(rb'"(?:[^"\\]|\\.)*(?:"|\\?\Z)', re.DOTALL)
_BRACKET: Final = re.compile(rb"[\[\]{}]")

_RFC_3339: Final = re.compile(
    r"([0-9]{4})-([0-9]{2})-([0-9]{2})[Tt ]([0-9]{2}):([0-9]{2}):([0-9]{2})(?:\.([0-9]+))?"
    r"(?:[Zz]|([+-])([0-9]{2}):([0-9]{2}))",
)
"""`date-time` of RFC 3339, section 5.6; an offset is required, for local time says no instant."""


@dataclass(frozen=True, slots=True)
class Event:
    """One normalised event; `EventColumns` tells the fields.

    `detail` and `comment` (its id, "" when absent, and its text) are None where it says nothing.
    """

    time_ms: int
    video: str
    action: int
    count: int
    actor: str | None
    role: int
    event: str | None
    source: str | None
    topics: tuple[str, ...] | None
    profile: str | None
    detail: EventDetail | None
    comment: tuple[str, str] | None


def validate(value: bytes | None, *, latest_ms: int, limits: DecodingLimits) -> Event:
    """Read one message; `latest_ms` is the latest event time that is still credible.

    Raises:
        RejectedEventError: The message is not an event of the contract (docs/events.md).
    """
    fields = object_of(value, limits)
    for name in REQUIRED_FIELDS:
        if fields.get(name) is None:
            raise RejectedEventError(RejectReason.MISSING_FIELD, name)
    for name, field in fields.items():
        kind = FIELDS.get(name)
        if kind is not None and field is not None:
            CHECK_OF_KIND[kind](name, field)
    time_ms = time_of(fields["time"], latest_ms=latest_ms, limits=limits)
    platform = platform_of("platform", fields["platform"])
    video = video_key(platform, _present("video_id", fields["video_id"]))
    action, count = _action_and_count_of(fields)
    source = _source_of(fields, platform, video)
    topics = _topics_of(fields.get("topics"))
    first_of_video = fields["action"] in _FIRST_OF_VIDEO_NAMES
    return Event(
        time_ms=time_ms,
        video=video,
        action=ACTION_CODE[action],
        count=count,
        actor=_scoped(platform, fields.get("actor_id")),
        role=_role_of(fields.get("actor_role")),
        event=_scoped(platform, fields.get("event_id")),
        source=source if action == Action.DERIVE.value else None,
        topics=topics,
        profile=_profile_of(fields, topics, source) if first_of_video or topics else None,
        detail=_detail_of(fields, platform),
        comment=_comment_of(fields),
    )


def profile_json(profile: dict[str, object]) -> str:
    """Return the text of a profile, as it travels in `engagement-batches`."""
    return json.dumps(profile, ensure_ascii=False, separators=(",", ":"))


def normal_platform(text: str) -> str:
    r"""Return the name of a platform as it stands in a video key; empty when it is not one.

    >>> normal_platform(" DouYin ")
    'douyin'
    >>> normal_platform("dou\x1fyin")
    ''
    """
    return "" if KEY_SEPARATOR in text else text.strip().lower()


def _refuse(reason: RejectReason, detail: str) -> NoReturn:
    raise RejectedEventError(reason, detail)


def object_of(value: bytes | None, limits: DecodingLimits) -> dict[str, object]:
    """Return the fields of a message.

    Raises:
        RejectedEventError: It is no JSON object within the limits.
    """
    if value is None:
        _refuse(RejectReason.TOMBSTONE, "a null value")
    if len(value) > limits.message_bytes_max:
        _refuse(RejectReason.TOO_LARGE, f"{len(value)} bytes, at most {limits.message_bytes_max}")
    if not value.strip(_BLANKS):
        _refuse(RejectReason.EMPTY, f"{len(value)} bytes, all blank")
    try:
        text = value.decode()
    except UnicodeDecodeError as error:
        raise RejectedEventError(RejectReason.NOT_UTF8, f"byte {error.start}") from error
    if nested_too_deeply(value):
        _refuse(RejectReason.NESTED_TOO_DEEPLY, f"more than {NESTING_MAX} levels")
    try:
        parsed = _parse(text)
    except json.JSONDecodeError as error:
        detail = f"{error.msg} at character {error.pos}"
        raise RejectedEventError(RejectReason.NOT_JSON, detail) from error
    if not isinstance(parsed, dict):
        _refuse(RejectReason.NOT_AN_OBJECT, type(parsed).__name__)
    return parsed


def nested_too_deeply(value: bytes) -> bool:
    """Tell whether JSON nests deeper than NESTING_MAX, without a parser that recurses."""
    if may_nest_too_deeply(value):
        depth = 0
        for bracket in _BRACKET.findall(_STRING.sub(b"", value)):
            depth += 1 if bracket in b"[{" else -1
            if depth > NESTING_MAX:
                return True
    return False


def may_nest_too_deeply(value: bytes) -> bool:
    """Tell quickly that it is worth looking: there are brackets enough, in strings or not."""
    return len(value) > NESTING_MAX and value.count(b"[") + value.count(b"{") > NESTING_MAX


def _no_constant(name: str) -> NoReturn:
    raise json.JSONDecodeError(f"{name} is not JSON", name, 0)


def _huge_integer(digits: str) -> int:
    """Stand in for a number of thousands of digits, which Python refuses to convert."""
    return int(digits[: len(str(INTEGER_MAX)) + 2])


_DECODER: Final = json.JSONDecoder(parse_constant=_no_constant)
_PATIENT_DECODER: Final = json.JSONDecoder(parse_constant=_no_constant, parse_int=_huge_integer)


def _parse(text: str) -> object:
    try:
        return _DECODER.decode(text)
    except json.JSONDecodeError:
        raise
    except ValueError:
        # Python refuses to convert more than 4,300 digits (sys.int_info), but it is JSON; only
        # whether it is out of every range matters, and twenty digits are.
        return _PATIENT_DECODER.decode(text)


def _mistyped(name: str, field: object, wanted: str) -> NoReturn:
    kind = type(field).__name__
    raise RejectedEventError(RejectReason.MISTYPED_FIELD, f"{name} is {kind}, not {wanted}")


def _check_text(name: str, field: object) -> None:
    if not isinstance(field, str):
        _mistyped(name, field, "a string")
    if not field.isascii():
        try:
            field.encode()
        except UnicodeEncodeError as error:
            detail = f"{name} holds half a surrogate pair"
            raise RejectedEventError(RejectReason.NOT_UTF8, detail) from error


def _check_name(name: str, field: object) -> None:
    _check_text(name, field)
    if len(str(field)) > NAME_CHARACTERS_MAX:
        _refuse(RejectReason.INVALID_VALUE, f"{name} is longer than {NAME_CHARACTERS_MAX}")
    if name == "fingerprint" and not re.fullmatch("[0-9A-Fa-f]*", str(field)):
        _refuse(RejectReason.INVALID_VALUE, f"{name} is not hexadecimal")


def _check_names(name: str, field: object) -> None:
    if not isinstance(field, list):
        _mistyped(name, field, "a list of strings")
    if len(field) > NAMES_MAX:
        _refuse(RejectReason.INVALID_VALUE, f"{name} holds more than {NAMES_MAX}")
    for element in field:
        _check_name(f"an element of {name}", element)


def _check_whole_number(name: str, field: object) -> None:
    if type(field) is not int:
        _mistyped(name, field, "a whole number")
    if not 0 <= field <= INTEGER_MAX:
        _refuse(RejectReason.INVALID_VALUE, f"{name} is negative or beyond 64 bits")


def _check_count(name: str, field: object) -> None:
    if type(field) is not int:
        _mistyped(name, field, "a whole number")
    if not 1 <= field <= COUNT_MAX:
        _refuse(RejectReason.COUNT_OUT_OF_RANGE, f"{name} is not within 1 to {COUNT_MAX}")


def _check_sentiment(name: str, field: object) -> None:
    if type(field) is not int and type(field) is not float:
        _mistyped(name, field, "a number")
    if not -1 <= field <= 1:
        _refuse(RejectReason.INVALID_VALUE, f"{name} is not within -1 to 1")


def _check_time(name: str, field: object) -> None:
    if type(field) is not int:
        if not isinstance(field, str):
            _mistyped(name, field, "a whole number or a string")
        _check_text(name, field)


CHECK_OF_KIND: Final[dict[FieldKind, Callable[[str, object], None]]] = {
    FieldKind.TIME: _check_time,
    FieldKind.COUNT: _check_count,
    FieldKind.NAME: _check_name,
    FieldKind.TEXT: _check_text,
    FieldKind.WHOLE_NUMBER: _check_whole_number,
    FieldKind.SENTIMENT: _check_sentiment,
    FieldKind.NAMES: _check_names,
}
"""What raises RejectedEventError where a field (its name, its value) is not of its kind."""


def time_of(field: object, *, latest_ms: int, limits: DecodingLimits) -> int:
    """Return the ms since the epoch of a checked field.

    Raises:
        RejectedEventError: It cannot be read, or lies outside the limits.
    """
    time_ms = field if isinstance(field, int) else rfc_3339_ms(str(field))
    if time_ms < limits.earliest_ms:
        _refuse(RejectReason.TIME_TOO_EARLY, f"before {limits.earliest_ms} ms since the epoch")
    if time_ms > latest_ms:
        _refuse(RejectReason.TIME_TOO_FAR_AHEAD, f"after {latest_ms} ms since the epoch")
    return time_ms


def rfc_3339_ms(text: str) -> int:
    """Return the ms since the epoch of an RFC 3339 time; finer fractions are cut off.

    >>> rfc_3339_ms("2023-08-30T12:00:00.5+08:00")
    1693368000500

    Raises:
        RejectedEventError: The text is not such a time, has no offset, or names no real day.
    """
    match = _RFC_3339.fullmatch(text)
    if match is None:
        _refuse(RejectReason.TIME_UNREADABLE, "not RFC 3339 with an offset")
    *numbers, fraction, sign, hours, minutes = match.groups()
    year, month, day, hour, minute, second = map(int, numbers)
    # A leap second (appendix D) is the first second of the next minute, as in POSIX time.
    leap = second == 60
    try:
        at = datetime(year, month, day, hour, minute, second - leap, tzinfo=UTC)
    except ValueError as error:
        raise RejectedEventError(RejectReason.TIME_UNREADABLE, str(error)) from error
    offset = timedelta(hours=int(hours or 0), minutes=int(minutes or 0))
    if offset >= timedelta(days=1) or int(minutes or 0) >= 60:
        _refuse(RejectReason.TIME_UNREADABLE, "no such offset")
    since = at - _EPOCH + timedelta(seconds=leap) + (offset if sign == "-" else -offset)
    return since // _MILLISECOND + int((fraction or "")[:3].ljust(3, "0"))


def _present(name: str, field: object) -> str:
    if field == "":
        raise RejectedEventError(RejectReason.MISSING_FIELD, f"{name} is empty")
    return str(field)


def platform_of(name: str, field: object) -> str:
    """Return the name of a platform as it stands in a video key.

    Raises:
        RejectedEventError: It is empty, blank, or holds U+001F.
    """
    text = _present(name, field)
    platform = normal_platform(text)
    if not platform:
        _refuse(RejectReason.INVALID_VALUE, f"{name} is blank or holds U+001F")
    return platform


def _shown(field: object) -> str:
    return repr(field)[:_SHOWN_CHARACTERS_MAX]


def _action_and_count_of(fields: dict[str, object]) -> tuple[str, int]:
    action = str(fields["action"])
    if action not in ACTION_CODE:
        _refuse(RejectReason.UNKNOWN_ACTION, _shown(action))
    count = fields.get("count")
    number = count if isinstance(count, int) else 1
    if action != Action.RETRACT.value:
        return action, number
    taken_back = fields.get("retracts")
    if taken_back is None or taken_back == "":
        _refuse(RejectReason.MISSING_FIELD, "retracts")
    if taken_back not in ACTION_CODE:
        _refuse(RejectReason.UNKNOWN_ACTION, _shown(taken_back))
    if taken_back not in _RETRACTABLE_NAMES:
        _refuse(RejectReason.NOT_RETRACTABLE, _shown(taken_back))
    return str(taken_back), -number


def _topics_of(field: object) -> tuple[str, ...] | None:
    """Return the topics, without empty ones; None where that leaves none."""
    if not isinstance(field, list):
        return None
    return tuple(str(topic) for topic in field if topic) or None


def _role_of(field: object) -> int:
    role = ROLE_CODE.get(str(field or Role.ORDINARY.value))
    if role is None:
        _refuse(RejectReason.UNKNOWN_ROLE, _shown(field))
    return role


def _source_of(fields: dict[str, object], platform: str, video: str) -> str | None:
    """Return the key of the video that this one was made from."""
    video_id = fields.get("source_video_id")
    if not video_id:
        if fields["action"] == Action.DERIVE.value:
            _refuse(RejectReason.MISSING_FIELD, "source_video_id")
        return None
    source_platform = fields.get("source_platform")
    if source_platform:
        platform = platform_of("source_platform", source_platform)
    source = video_key(platform, str(video_id))
    if source == video and fields["action"] in _FIRST_OF_VIDEO_NAMES:
        _refuse(RejectReason.INVALID_VALUE, "the video is its own source")
    return source


def _scoped(platform: str, field: object) -> str | None:
    """Return an id that is unique over platforms; an empty one is none."""
    return f"{platform}{KEY_SEPARATOR}{field}" if field else None


def _detail_of(fields: dict[str, object], platform: str) -> EventDetail | None:
    age_days = _number(fields.get("actor_age_days"))
    sentiment = fields.get("sentiment")
    detail = EventDetail(
        region=str(fields.get("actor_region") or "") or None,
        age_days=None if age_days is None else min(age_days, AGE_DAYS_MAX),
        followers=_number(fields.get("actor_followers")),
        via=_scoped(platform, fields.get("via_actor_id")),
        comment=_scoped(platform, fields.get("comment_id")),
        parent=_scoped(platform, fields.get("parent_id")),
        sentiment=float(sentiment) if isinstance(sentiment, int | float) else None,
        watch_ms=_number(fields.get("watch_ms")),
    )
    return detail if any(value is not None for value in astuple(detail)) else None


def _number(field: object) -> int | None:
    return field if isinstance(field, int) else None


def _comment_of(fields: dict[str, object]) -> tuple[str, str] | None:
    text = fields.get("text")
    if not text:
        return None
    return str(fields.get("comment_id") or ""), str(text)[:TEXT_CHARACTERS_MAX]


def _profile_of(
    fields: dict[str, object], topics: tuple[str, ...] | None, source: str | None
) -> str:
    profile = {name: fields[name] for name in PROFILE_FIELDS if fields.get(name) not in (None, "")}
    if "title" in profile:
        profile["title"] = str(profile["title"])[:TITLE_CHARACTERS_MAX]
    if topics:
        profile["topics"] = topics
    else:
        profile.pop("topics", None)
    if source is not None:
        profile["source"] = source
    return profile_json(profile)
