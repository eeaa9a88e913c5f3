"""What is taken back, deleted and restored, as timelines: events in, alerts and board out."""

from dataclasses import replace
from typing import Any

from timelines import PARAMETERS, Timeline, guidance_of, hour_of, outcome_of

from models.parameters import Level

LIKES = replace(PARAMETERS, level=Level("like", 1_000))


def liked(*, taken_back: int) -> Timeline:
    """A video that 900 people like, of whom some take it back; 250 more like it on the next day."""
    timeline = Timeline()
    timeline.publish(0, "douyin/a", topics=["收回"])
    timeline.during(0, 30, "douyin/a", "view", 2_000)
    timeline.crowd(0, 9, "douyin/a", "like", 100)
    for number in range(taken_back):
        who = f"person-{number + 1}"
        timeline.event(12 + number / 200, "douyin/a", "retract", retracts="like", actor_id=who)
    timeline.crowd(20, 25, "douyin/a", "like", 50)
    return timeline


def likes_told(alerts: list[dict[str, Any]], subject: str) -> int:
    told = [a for a in guidance_of(alerts, "emerging") if a["subject"] == subject]
    return max((one["data"]["figures"]["likes"] for one in told), default=0)


def reached(alerts: list[dict[str, Any]]) -> list[str]:
    return [
        one["subject"]
        for one in guidance_of(alerts, "emerging")
        if one["data"]["reason"] == "level_reached"
    ]


def test_what_is_taken_back_does_not_count_towards_the_level() -> None:
    certain = replace(LIKES, emerging_probability=0.9999)
    alerts, _ = outcome_of(liked(taken_back=0), 31, certain)
    assert set(reached(alerts)) == {"douyin/a", "topic:收回"}
    alerts, _ = outcome_of(liked(taken_back=400), 31, certain)
    assert not reached(alerts)


def two_works() -> Timeline:
    """A work of two videos, on two platforms, and one of a single video."""
    timeline = Timeline()
    for video, topic in (("douyin/a", "两"), ("weibo/a", "两"), ("douyin/b", "一")):
        timeline.publish(0, video, topics=[topic], title=topic)
        timeline.rise(0, 6, video)
        timeline.during(6, 14, video, "view", 1_200)
    return timeline


def board_of(timeline: Timeline, until: float) -> dict[str, dict[str, Any]]:
    """Return the hotspots on the board by title."""
    timeline.lines = [line for line in timeline.lines if line[2]["time"] < at_ms(until)]
    return {one["title"]: one for one in outcome_of(timeline, until)[1]["hotspots"]}


def at_ms(hour: float) -> int:
    from timelines import HOUR_MS, NOON_MS

    return NOON_MS + round(hour * HOUR_MS)


def test_a_deleted_video_takes_its_counts_from_the_work_and_the_work_its_rank() -> None:
    before = board_of(two_works(), 10)
    assert before["两"]["rank"] == 1
    timeline = two_works()
    for video in ("douyin/a", "weibo/a"):
        timeline.event(9, video, "delete")
        timeline.lines = [
            line
            for line in timeline.lines
            if line[2]["video_id"] != "a" or line[2]["time"] <= at_ms(9)
        ]
    after = board_of(timeline, 10)
    assert after["一"]["rank"] == 1
    assert "两" not in after


def test_a_work_keeps_what_its_other_videos_have_and_gets_back_what_is_restored() -> None:
    whole = board_of(two_works(), 10)["两"]["views"]
    timeline = two_works()
    timeline.event(9, "douyin/a", "delete")
    half = board_of(timeline, 10)["两"]
    assert half["views"] < 0.6 * whole
    timeline = two_works()
    timeline.event(9, "douyin/a", "delete")
    timeline.event(9.5, "douyin/a", "restore")
    assert board_of(timeline, 10)["两"]["views"] == whole


def test_a_deletion_is_told_when_it_happens() -> None:
    timeline = two_works()
    timeline.event(9, "douyin/b", "delete")
    timeline.lines = [
        line for line in timeline.lines if line[2]["video_id"] != "b" or line[2]["time"] <= at_ms(9)
    ]
    alerts, _ = outcome_of(timeline, 12)
    faded = {a["subject"]: a for a in guidance_of(alerts, "faded")}
    assert faded["douyin/b"]["data"]["reason"] == "deleted"
    assert 9 <= hour_of(faded["douyin/b"]) < 9.1
    assert 9 <= hour_of(faded["topic:一"]) < 9.2
