"""The contract of actions, and the step that gives them their place in the log."""

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.action_intake import ActionIntakeStep
from models.events import DecodingLimits, FieldKind, RejectedEventError, RejectReason
from models.guidance_actions import (
    ACTION_FIELDS,
    NOTE_CHARACTERS_MAX,
    REQUIRED_ACTION_FIELDS,
    GuidanceAction,
    decode_action,
    encode_action,
    is_action,
    validate_action,
)
from models.guidance_rules import GuidanceLevel
from models.stage_reports import StageReport, encode_report
from models.steps import Chunk

SCHEMA = Path(__file__).parents[2] / "docs/guidance-action.schema.json"
AT_MS = 1_693_411_560_000
GOOD: dict[str, Any] = {
    "action_id": "a1",
    "taken_at": "2023-08-30T16:06:00Z",
    "platform": " DouYin ",
    "video_id": "7273",
    "level": "interaction",
    "kind": "pin_comment",
}


def read(fields: object, latest_ms: int = AT_MS) -> GuidanceAction:
    value = json.dumps(fields).encode()
    return validate_action(value, latest_ms=latest_ms, limits=DecodingLimits())


def test_an_action_is_read_and_shown() -> None:
    action = read(GOOD | {"by": "a", "note": "n" * 2_000, "more": 1, "alert_id": None})
    assert action.taken_at_ms == AT_MS
    assert (action.subject, action.shown_subject) == ("douyin\x1f7273", "douyin/7273")
    assert len(action.note) == NOTE_CHARACTERS_MAX
    assert "alert_id" not in action.to_dict()
    topic = read({k: v for k, v in GOOD.items() if k != "video_id"} | {"topic": "a/b"})
    assert topic.is_about_topic
    assert topic.shown_subject == "topic:a/b"


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        *(
            ({k: v for k, v in GOOD.items() if k != name}, RejectReason.MISSING_FIELD)
            for name in (*REQUIRED_ACTION_FIELDS, "platform")
        ),
        ({k: v for k, v in GOOD.items() if k != "video_id"}, RejectReason.INVALID_VALUE),
        (GOOD | {"topic": "both"}, RejectReason.INVALID_VALUE),
        (GOOD | {"split_from": "t"}, RejectReason.INVALID_VALUE),
        (GOOD | {"level": "cosmic"}, RejectReason.INVALID_VALUE),
        (GOOD | {"kind": 7}, RejectReason.MISTYPED_FIELD),
        (GOOD | {"action_id": "x" * 257}, RejectReason.INVALID_VALUE),
        (GOOD | {"taken_at": AT_MS + 1}, RejectReason.TIME_TOO_FAR_AHEAD),
        (GOOD | {"taken_at": "yesterday"}, RejectReason.TIME_UNREADABLE),
        ([], RejectReason.NOT_AN_OBJECT),
    ],
)
def test_what_is_no_action_is_refused_with_its_reason(fields: object, reason: RejectReason) -> None:
    with pytest.raises(RejectedEventError) as refused:
        read(fields)
    assert refused.value.reason is reason


@given(st.builds(GuidanceAction, *[st.text()], st.integers(0, 2**53), *[st.text(min_size=1)] * 7))
def test_an_action_survives_its_message_and_is_never_taken_for_a_report(
    action: GuidanceAction,
) -> None:
    message = encode_action(action)
    assert is_action(message)
    assert decode_action(message) == action


def test_a_report_is_no_action_and_a_damaged_one_is_refused() -> None:
    import numpy as np

    from models.stage_reports import REPORT

    report = StageReport(0, 1, 0, 0, 0, [], np.zeros(0, np.int32), np.zeros(0, REPORT))
    assert not is_action(encode_report(report))
    for damaged in (b"{", b'{"action_id": "a"}', b"{\xff}"):
        with pytest.raises(ValueError, match="not a guidance action"):
            decode_action(damaged)


def test_the_schema_says_what_is_read() -> None:
    schema = json.loads(SCHEMA.read_text("utf-8"))
    assert tuple(schema["properties"]) == tuple(ACTION_FIELDS)
    assert tuple(schema["required"]) == REQUIRED_ACTION_FIELDS
    assert schema["properties"]["level"]["enum"] == [level.value for level in GuidanceLevel]
    for name, kind in ACTION_FIELDS.items():
        if kind is FieldKind.NAME and name != "level":
            assert schema["properties"][name]["maxLength"] == 256
    (either,) = [clause for clause in schema["oneOf"] if "topic" in clause["required"]]
    assert either == {"required": ["topic"], "not": {"required": ["video_id"]}}


def test_the_step_tells_actions_in_order_and_refuses_the_rest() -> None:
    lines = [json.dumps(GOOD).encode(), b"no", json.dumps(GOOD | {"action_id": "a2"}).encode()]
    step = ActionIntakeStep(0, DecodingLimits())
    step.process(Chunk(5, 8, [5, 6, 7], [None] * 3, list(lines), [AT_MS] * 3))
    assert step.awaited  # noqa: PGH005 - of a step, no mock
    first, refused, second = step.cut().outputs
    assert [o.topic for o in (first, refused, second)] == [
        "video-stages",
        "engagement-rejected",
        "video-stages",
    ]
    assert [decode_action(o.value or b"").action_id for o in (first, second)] == ["a1", "a2"]
    assert (refused.key, refused.value) == (b"guidance-actions:0:6", b"no")
    assert dict(refused.headers)["reason"] == b"not_json"
    assert dict(refused.headers)["source_offset"] == b"6"
    assert step.take_counts() == (2, {RejectReason.NOT_JSON: 1})
    assert step.take_counts() == (0, {})
    assert not step.cut()
    with pytest.raises(ValueError, match="unknown key"):
        step.load(b"k", b"v")
