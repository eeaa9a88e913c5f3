"""The loop closes: what the team did is recorded, shown, and its effect measured."""

from dataclasses import replace
from typing import Any

import pytest
from timelines import PARAMETERS, Timeline, alerts_of, guidance_of, hour_of

from models.parameters import HOUR_MS

SHORT = replace(PARAMETERS, effect_window_ms=2 * HOUR_MS)
TAKEN = 4.1


def neighbours(count: int, pushed: float = 1.0) -> Timeline:
    """Some videos that people like and discuss alike; the first is seen more from hour 4 on."""
    timeline = Timeline()
    for number in range(count):
        video = f"douyin/v{number}"
        factor = 1 + number % 5 / 20
        timeline.publish(0, video, title=f"第{number}集", creator_id=f"c{number}")
        for first, last, trend in ((0, 4, 1.0), (4, 8, 0.7)):
            views = 1_500 * factor * trend * (pushed if first == 4 and not number else 1)
            timeline.during(first, last, video, "view", views)
            timeline.crowd(first, last, video, "like", 500 * factor * trend)
            timeline.crowd(first, last, video, "comment", 150 * factor * trend)
    return timeline


def pinned(timeline: Timeline, action_id: str = "a1", **fields: object) -> None:
    subject = {"platform": "douyin", "video_id": "v0"} if "topic" not in fields else {}
    more: dict[str, Any] = {"by": "值班", "note": "置顶一条解释", **subject, **fields}
    timeline.act(TAKEN, action_id, "interaction", "pin_comment", **more)


def test_an_action_with_an_effect_is_measured_against_videos_that_had_none() -> None:
    timeline = neighbours(14, pushed=3)
    pinned(timeline)
    (effect,) = guidance_of(alerts_of(timeline, 12, SHORT), "guidance.effect")
    assert effect["subject"] == "douyin/v0"
    # The windows end with looks, at every quarter of an hour.
    assert hour_of(effect) == pytest.approx(6.25, abs=0.01)
    data = effect["data"]
    assert (data["platform"], data["video_id"]) == ("douyin", "v0")
    assert data["reason"] == "effect_measured"
    assert data["guidance_level"] == "interaction"
    assert data["action"]["action_id"] == "a1"
    assert data["action"]["note"] == "置顶一条解释"
    activity = data["effect"]["activity"]
    # Three times the views, and as many who like and discuss it as before.
    assert activity["ratio"] == pytest.approx((3 * 1_500 + 650) / (1_500 + 650), rel=0.05)
    assert 1 < activity["low"] <= activity["ratio"] <= activity["high"]
    assert activity["coverage"] >= 0.8
    assert data["figures"]["controls"] >= 9
    assert data["why"].endswith("matched, not randomised")


def test_an_action_without_an_effect_says_so() -> None:
    timeline = neighbours(14)
    pinned(timeline)
    (effect,) = guidance_of(alerts_of(timeline, 12, SHORT), "guidance.effect")
    activity = effect["data"]["effect"]["activity"]
    assert activity["low"] <= 1 <= activity["high"]


def test_an_action_told_twice_counts_once_and_is_shown_on_later_alerts() -> None:
    timeline = neighbours(14)
    pinned(timeline)
    pinned(timeline, note="noch einmal")
    timeline.crowd(5, 8, "douyin/v0", "share", 400)
    alerts = alerts_of(timeline, 12, SHORT)
    assert len(guidance_of(alerts, "guidance.effect")) == 1
    shown = [a for a in alerts if a["data"].get("actions") and a["subject"] == "douyin/v0"]
    assert shown
    assert all(hour_of(alert) >= TAKEN for alert in shown)
    assert shown[0]["data"]["actions"][0]["note"] == "置顶一条解释"


def test_others_that_somebody_acted_on_are_no_controls() -> None:
    timeline = neighbours(14, pushed=3)
    pinned(timeline)
    for number in range(1, 9):
        timeline.act(
            TAKEN, f"b{number}", "creative", "recut", platform="douyin", video_id=f"v{number}"
        )
    effects = guidance_of(alerts_of(timeline, 12, SHORT), "guidance.effect")
    (effect,) = [e for e in effects if e["data"]["action"]["action_id"] == "a1"]
    assert effect["data"]["reason"] == "too_few_alike"
    assert effect["data"]["figures"]["controls"] <= 5
    assert "cannot be measured" in effect["data"]["why"]


def test_what_nobody_knows_cannot_be_measured() -> None:
    timeline = neighbours(2)
    pinned(timeline, video_id="unheard-of")
    pinned(timeline, action_id="a2", topic="不存在的话题")
    effects = guidance_of(alerts_of(timeline, 12, SHORT), "guidance.effect")
    told = {e["subject"]: e["data"] for e in effects}
    assert told.keys() == {"douyin/unheard-of", "topic:不存在的话题"}
    assert {data["reason"] for data in told.values()} == {"not_followed_when_taken"}
    assert told["topic:不存在的话题"]["topic"] == "不存在的话题"
