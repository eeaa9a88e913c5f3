"""The authority: one message, one answer."""

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from models.details import AGE_DAYS_MAX, TEXT_CHARACTERS_MAX, EventDetail
from models.events import (
    COUNT_MAX,
    EARLIEST_MS,
    FIELDS,
    NAME_CHARACTERS_MAX,
    NAMES_MAX,
    NESTING_MAX,
    RETRACTABLE,
    TITLE_CHARACTERS_MAX,
    DecodingLimits,
    FieldKind,
    RejectedEventError,
    RejectReason,
)
from models.validation import Event, nested_too_deeply, rfc_3339_ms, validate
from models.vocabulary import ACTION_CODE, ACTIONS, ROLE_CODE, Action

NOW_MS = 1_800_000_000_000
LIMITS = DecodingLimits(message_bytes_max=2_000_000)
GOOD = {"time": 1_700_000_000_000, "platform": "douyin", "video_id": "v", "action": "view"}


def read(value: bytes | None) -> Event:
    return validate(value, latest_ms=NOW_MS, limits=LIMITS)


def event(**fields: object) -> Event:
    return read(json.dumps(GOOD | fields).encode())


def reason_of(value: bytes | None) -> RejectReason:
    with pytest.raises(RejectedEventError) as caught:
        read(value)
    assert caught.value.detail
    return caught.value.reason


def without(name: str) -> bytes:
    return json.dumps({key: value for key, value in GOOD.items() if key != name}).encode()


def with_raw(name: str, literal: str) -> bytes:
    """Set a field to a literal that Python's encoder would not write."""
    return json.dumps(GOOD | {name: "@@"}).replace('"@@"', literal).encode()


def test_the_four_required_fields_are_an_event() -> None:
    assert event() == Event(
        time_ms=1_700_000_000_000,
        video="douyin\x1fv",
        action=ACTION_CODE["view"],
        count=1,
        actor=None,
        role=ROLE_CODE["ordinary"],
        event=None,
        source=None,
        topics=None,
        profile=None,
        detail=None,
        comment=None,
    )


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        (None, RejectReason.TOMBSTONE),
        (b"", RejectReason.EMPTY),
        (b" \r\n\t", RejectReason.EMPTY),
        (b"x" * 2_000_001, RejectReason.TOO_LARGE),
        (b'{"a":"\xff"}', RejectReason.NOT_UTF8),
        (b"\xed\xa0\x80", RejectReason.NOT_UTF8),
        (json.dumps(GOOD).encode("utf-16"), RejectReason.NOT_UTF8),
        (b'{"a":' * 300 + b"1" + b"}" * 300, RejectReason.NESTED_TOO_DEEPLY),
        (b"[" * 1_000_000, RejectReason.NESTED_TOO_DEEPLY),
        (b"hello", RejectReason.NOT_JSON),
        (b'{"a":1', RejectReason.NOT_JSON),
        (b'{"a":1}{"a":1}', RejectReason.NOT_JSON),
        (b"{'a':1}", RejectReason.NOT_JSON),
        (b'{"a":"\t"}', RejectReason.NOT_JSON),
        (b"\xef\xbb\xbf{}", RejectReason.NOT_JSON),
        (with_raw("sentiment", "NaN"), RejectReason.NOT_JSON),
        (with_raw("unknown", "-Infinity"), RejectReason.NOT_JSON),
        (b"[]", RejectReason.NOT_AN_OBJECT),
        (b"null", RejectReason.NOT_AN_OBJECT),
        (b"7", RejectReason.NOT_AN_OBJECT),
        (with_raw("video_id", r'"\ud800"'), RejectReason.NOT_UTF8),
        (with_raw("text", r'"\udfff\ud800"'), RejectReason.NOT_UTF8),
        (with_raw("topics", r'["\ud800"]'), RejectReason.NOT_UTF8),
        (with_raw("time", r'"\ud800"'), RejectReason.NOT_UTF8),
    ],
)
def test_what_is_no_json_object(value: bytes | None, reason: RejectReason) -> None:
    assert reason_of(value) is reason


@pytest.mark.parametrize("name", GOOD)
def test_a_required_field_must_be_there(name: str) -> None:
    assert reason_of(without(name)) is RejectReason.MISSING_FIELD
    assert reason_of(with_raw(name, "null")) is RejectReason.MISSING_FIELD


@pytest.mark.parametrize("name", ["platform", "video_id"])
def test_an_empty_name_of_a_video_is_a_missing_one(name: str) -> None:
    assert reason_of(with_raw(name, '""')) is RejectReason.MISSING_FIELD


WRONG_OF_KIND = {
    FieldKind.TIME: ["1.5", "true", "[]", "{}", "1e12"],
    FieldKind.COUNT: ["1.0", "true", '"1"', "[]"],
    FieldKind.NAME: ["1", "1.5", "true", "[]", "{}"],
    FieldKind.TEXT: ["1", "false", "[]", "{}"],
    FieldKind.WHOLE_NUMBER: ["1.0", "true", '"1"', "[]"],
    FieldKind.SENTIMENT: ["true", '"0.5"', "[]"],
    FieldKind.NAMES: ['"x"', "1", "{}", "[1]", "[null]", '[["x"]]'],
}


@pytest.mark.parametrize(
    ("name", "literal"),
    [(name, literal) for name, kind in FIELDS.items() for literal in WRONG_OF_KIND[kind]],
)
def test_every_field_refuses_every_other_type(name: str, literal: str) -> None:
    assert reason_of(with_raw(name, literal)) is RejectReason.MISTYPED_FIELD


@pytest.mark.parametrize("name", [name for name in FIELDS if name not in GOOD])
def test_null_stands_for_an_absent_field(name: str) -> None:
    assert read(with_raw(name, "null")) == event()


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({"platform": "  "}, RejectReason.INVALID_VALUE),
        ({"platform": "a\x1fb"}, RejectReason.INVALID_VALUE),
        ({"video_id": "v" * (NAME_CHARACTERS_MAX + 1)}, RejectReason.INVALID_VALUE),
        ({"watch_ms": -1}, RejectReason.INVALID_VALUE),
        ({"watch_ms": 2**63}, RejectReason.INVALID_VALUE),
        ({"sentiment": 1.01}, RejectReason.INVALID_VALUE),
        ({"sentiment": -2}, RejectReason.INVALID_VALUE),
        ({"topics": ["x"] * (NAMES_MAX + 1)}, RejectReason.INVALID_VALUE),
        ({"topics": ["x" * (NAME_CHARACTERS_MAX + 1)]}, RejectReason.INVALID_VALUE),
        ({"fingerprint": "xyz"}, RejectReason.INVALID_VALUE),
        ({"action": "publish", "source_video_id": "v"}, RejectReason.INVALID_VALUE),
        ({"action": "applaud"}, RejectReason.UNKNOWN_ACTION),
        ({"action": "View"}, RejectReason.UNKNOWN_ACTION),
        ({"actor_role": "wizard"}, RejectReason.UNKNOWN_ROLE),
        ({"count": 0}, RejectReason.COUNT_OUT_OF_RANGE),
        ({"count": -3}, RejectReason.COUNT_OUT_OF_RANGE),
        ({"count": COUNT_MAX + 1}, RejectReason.COUNT_OUT_OF_RANGE),
        ({"count": 10**30}, RejectReason.COUNT_OUT_OF_RANGE),
        ({"time": "yesterday"}, RejectReason.TIME_UNREADABLE),
        ({"time": "1700000000000"}, RejectReason.TIME_UNREADABLE),
        ({"time": "2023-08-30T12:00:00"}, RejectReason.TIME_UNREADABLE),
        ({"time": "2023-02-29T12:00:00Z"}, RejectReason.TIME_UNREADABLE),
        ({"time": "2023-08-30T12:00:00+24:00"}, RejectReason.TIME_UNREADABLE),
        ({"time": "2023-08-30T12:00:00+08:60"}, RejectReason.TIME_UNREADABLE),
        ({"time": 1_700_000_000}, RejectReason.TIME_TOO_EARLY),
        ({"time": -1}, RejectReason.TIME_TOO_EARLY),
        ({"time": "1970-01-01T00:00:00Z"}, RejectReason.TIME_TOO_EARLY),
        ({"time": EARLIEST_MS - 1}, RejectReason.TIME_TOO_EARLY),
        ({"time": NOW_MS + 1}, RejectReason.TIME_TOO_FAR_AHEAD),
        ({"time": "2099-01-01T00:00:00Z"}, RejectReason.TIME_TOO_FAR_AHEAD),
        ({"time": 10**40}, RejectReason.TIME_TOO_FAR_AHEAD),
        ({"action": "retract"}, RejectReason.MISSING_FIELD),
        ({"action": "retract", "retracts": "applaud"}, RejectReason.UNKNOWN_ACTION),
        ({"action": "retract", "retracts": "view"}, RejectReason.NOT_RETRACTABLE),
        ({"action": "derive"}, RejectReason.MISSING_FIELD),
        ({"action": "derive", "source_video_id": "v"}, RejectReason.INVALID_VALUE),
    ],
)
def test_values_out_of_the_contract(fields: dict[str, object], reason: RejectReason) -> None:
    assert reason_of(json.dumps(GOOD | fields).encode()) is reason


def test_every_reason_has_a_message_that_earns_it() -> None:
    marks = [
        mark
        for test in (test_what_is_no_json_object, test_values_out_of_the_contract)
        for mark in test.pytestmark  # type: ignore[attr-defined] # set by pytest.mark
    ]
    shown = {row[1] for mark in marks for row in mark.args[1]}
    assert shown | {RejectReason.MISTYPED_FIELD} == set(RejectReason)


@pytest.mark.parametrize(
    "value",
    [
        b" " + json.dumps(GOOD).encode() + b"\r\n",
        json.dumps(GOOD, indent=2).encode(),
        with_raw("unknown", "9" * 5000),
        with_raw("unknown", "1e999"),
        with_raw("unknown", "[" * 200 + "]" * 200),
        with_raw("unknown", '{"video_id":5}'),
        with_raw("text", json.dumps("[{" * 500)),
        with_raw("text", '"' + "x" * 1_000_000 + '"'),
        with_raw("text", r'"\ud83d\ude00"'),
    ],
)
def test_json_may_look_as_it_likes(value: bytes) -> None:
    assert replace(read(value), comment=None) == event()


def test_the_last_of_two_equal_keys_wins() -> None:
    value = json.dumps(GOOD).encode()[:-1] + b',"video_id":"w","count":2,"count":3}'
    assert (read(value).video, read(value).count) == ("douyin\x1fw", 3)
    assert reason_of(json.dumps(GOOD).encode()[:-1] + b',"video_id":5}') is (
        RejectReason.MISTYPED_FIELD
    )


def test_names_are_normalised_and_ids_belong_to_their_platform() -> None:
    found = event(platform=" DouYin ", actor_id="u", event_id="e", actor_role="kol")
    assert found.video == "douyin\x1fv"
    assert (found.actor, found.event, found.role) == ("douyin\x1fu", "douyin\x1fe", 2)
    empty = event(actor_id="", event_id="", actor_role="", topics=[""], count=COUNT_MAX)
    assert (empty.actor, empty.event, empty.role, empty.topics) == (None, None, 0, None)
    assert empty.count == COUNT_MAX


@pytest.mark.parametrize("action", ACTIONS)
def test_a_retraction_is_a_negative_count_of_what_can_be_taken_back(action: Action) -> None:
    value = json.dumps(GOOD | {"action": "retract", "retracts": action, "count": 3}).encode()
    if action in RETRACTABLE:
        assert (read(value).action, read(value).count) == (ACTION_CODE[action], -3)
    else:
        assert reason_of(value) is RejectReason.NOT_RETRACTABLE


def test_a_profile_holds_what_a_new_video_says_of_itself() -> None:
    found = event(
        action="derive",
        source_video_id="s",
        source_platform=" Weibo ",
        source_comment_id="c",
        title="t" * 2_000,
        creator_id="me",
        labels=["original"],
        topics=["museum", ""],
        duration_ms=5,
        mcn="",
        actor_id="u",
    )
    assert found.source == "weibo\x1fs"
    assert json.loads(found.profile or "") == {
        "title": "t" * TITLE_CHARACTERS_MAX,
        "creator_id": "me",
        "duration_ms": 5,
        "labels": ["original"],
        "topics": ["museum"],
        "source_comment_id": "c",
        "source": "weibo\x1fs",
    }
    assert event(action="publish").profile == "{}"
    assert event(topics=["博物馆"]).profile == '{"topics":["博物馆"]}'
    published = event(action="publish", source_video_id="s")
    assert (published.source, published.profile) == (None, '{"source":"douyin\\u001fs"}')


@given(
    at=st.datetimes(min_value=datetime(1, 1, 3), max_value=datetime(9999, 12, 29)),  # noqa: DTZ001 - an offset is added
    minutes=st.integers(-23 * 60 - 59, 23 * 60 + 59),
)
@example(at=datetime(1999, 12, 31, 23, 59, 59, 999_999), minutes=-480)  # noqa: DTZ001 - as above
def test_rfc_3339_is_read_as_datetime_reads_it(at: datetime, minutes: int) -> None:
    moment = at.replace(tzinfo=timezone(timedelta(minutes=minutes)))
    expected = (moment - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(milliseconds=1)
    assert rfc_3339_ms(moment.isoformat()) == expected
    assert rfc_3339_ms(moment.isoformat(" ")) == expected


def test_leap_seconds_and_lower_case_are_rfc_3339() -> None:
    assert rfc_3339_ms("2016-12-31T23:59:60Z") == rfc_3339_ms("2017-01-01t00:00:00z")


@given(depth=st.integers(0, 2 * NESTING_MAX), junk=st.text('"\\[]{}x', max_size=30))
def test_nesting_is_counted_outside_strings(depth: int, junk: str) -> None:
    nested = "[" * depth + json.dumps(junk + "[" * NESTING_MAX) + "]" * depth
    assert nested_too_deeply(nested.encode()) == (depth > NESTING_MAX)


def test_damaged_strings_cost_no_quadratic_time() -> None:
    # Three megabytes of escaped quotes in a string that never ends: minutes, were it quadratic.
    assert reason_of(b"[" * 257 + b'"' + rb"\"" * 900_000) is RejectReason.NESTED_TOO_DEEPLY
    assert reason_of(b"[]" * 257 + b'"' + rb"\"" * 900_000) is RejectReason.NOT_JSON


def test_details_are_what_is_said_and_nothing_else() -> None:
    assert event(actor_region="", via_actor_id=None, comment_id="", parent_id="").detail is None
    said = event(actor_region="UK", actor_age_days=2**40, via_actor_id="u", sentiment=1, watch_ms=0)
    assert said.detail == EventDetail(
        region="UK",
        age_days=AGE_DAYS_MAX,
        followers=None,
        via="douyin\x1fu",
        comment=None,
        parent=None,
        sentiment=1.0,
        watch_ms=0,
    )
    dialogue = event(comment_id="c2", parent_id="c1", actor_followers=5).detail
    assert dialogue is not None
    assert (dialogue.comment, dialogue.parent) == ("douyin\x1fc2", "douyin\x1fc1")
    assert (dialogue.followers, dialogue.sentiment, dialogue.watch_ms) == (5, None, None)


def test_texts_are_cut() -> None:
    assert event(text="").comment is None
    assert event(text="好", comment_id="c").comment == ("c", "好")
    assert event(text="😀" * 281).comment == ("", "😀" * TEXT_CHARACTERS_MAX)
