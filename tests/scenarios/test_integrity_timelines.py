"""What is pushed by accounts that act together, as timelines: events in, alerts and board out."""

from collections.abc import Callable
from typing import Any

from timelines import Timeline, alerts_of, guidance_of, hour_of, outcome_of

TAG = "推"
PUSH = "integrity.coordinated_push"
REGIONS = ("江苏", "广东", "四川", "北京", "浙江", "湖北", "陕西", "上海")

Who = Callable[[int], dict[str, Any]]


def bot(number: int) -> dict[str, Any]:
    """Return what is known of the account of a bot."""
    return {"actor_region": "江苏", "actor_age_days": number % 3, "actor_followers": 0}


def person(number: int) -> dict[str, Any]:
    """Return what is known of somebody who has long been there."""
    return {
        "actor_region": REGIONS[number % len(REGIONS)],
        "actor_age_days": 200 + 37 * (number % 60),
        "actor_followers": 10 + number,
    }


def posts(count: int, who: Who) -> Timeline:
    """Let so many accounts post under a tag within 90 seconds, and their posts be seen a little."""
    timeline = Timeline()
    for number in range(count):
        video = f"weibo/post{number}"
        hour = 0.1 + number * 90 / count / 3_600
        timeline.event(hour, video, "publish", topics=[TAG], actor_id=f"a{number}", **who(number))
        timeline.event(0.7, video, "view", count=3)
    return timeline


def test_forty_posts_of_bots_from_one_place_within_90_seconds_are_suspected() -> None:
    (pushed,) = guidance_of(alerts_of(posts(40, bot), 6), PUSH)
    assert pushed["subject"] == f"topic:{TAG}"
    assert hour_of(pushed) <= 1
    data = pushed["data"]
    assert data["reason"] == "coordinated_push_suspected"
    assert data["figures"]["signs"] == ["young_accounts", "synchronous_bursts", "one_region"]
    assert data["figures"]["one_region"] == {"acts": 40, "of": 40, "share": 1.0}
    assert data["why"][2] == "40 of 40 acts come from one region, 江苏"
    assert data["integrity"] == {"suspected": True, "discounted_share": 1.0}


def test_a_genuine_burst_of_old_accounts_from_many_regions_is_not() -> None:
    assert not guidance_of(alerts_of(posts(40, person), 6), PUSH)


def pushed_and_liked(who: Who) -> Timeline:
    """A video on two platforms: here it is pushed by `who`, there people like it as ever."""
    timeline = Timeline()
    for video, topic, acts in (("weibo/a", TAG, who), ("douyin/b", "别的", person)):
        timeline.publish(0, video, topics=[topic], title=topic)
        timeline.during(0, 8, video, "view", 2_000)
        timeline.crowd(0, 8, video, "like", 600, acts)
        timeline.crowd(0, 8, video, "comment", 200, acts)
    return timeline


def test_a_video_that_is_pushed_does_not_emerge_by_that() -> None:
    alerts, board = outcome_of(pushed_and_liked(bot), 9)
    emerging = [a["subject"] for a in guidance_of(alerts, "emerging")]
    assert "douyin/b" in emerging
    assert "topic:别的" in emerging
    assert "weibo/a" not in emerging
    assert f"topic:{TAG}" not in emerging
    assert [w["reason"] for w in board["withheld"] if w["subject"] == "weibo/a"] == [
        "coordinated_push_suspected"
    ]
    assert [one["title"] for one in board["hotspots"]] == ["别的"], "nothing else is worth a look"


def test_a_work_that_is_pushed_beside_its_people_ranks_below_others() -> None:
    timeline = pushed_and_liked(bot)
    timeline.crowd(0, 8, "weibo/a", "comment", 200, person)
    _, board = outcome_of(timeline, 9)
    shown = {one["title"]: one for one in board["hotspots"]}
    assert shown["别的"]["integrity"] is None
    assert shown[TAG]["integrity"]["suspected"]
    assert 0.5 < shown[TAG]["integrity"]["discounted_share"] < 0.9
    assert shown["别的"]["rank"] < shown[TAG]["rank"]
    assert shown[TAG]["heat"] < shown["别的"]["heat"] / 2


def entered(alerts: list[dict[str, Any]], subject: str) -> list[str]:
    """Return the signals by which a video entered stages."""
    told = guidance_of(alerts, "stage.entered")
    return [one["data"]["signal"] for one in told if one["subject"] == subject]


def test_a_push_brings_a_video_into_no_stage() -> None:
    alerts = alerts_of(pushed_and_liked(bot), 9)
    assert not entered(alerts, "weibo/a")
    assert entered(alerts, "douyin/b") == ["interaction"], "as people do, so the other is entered"


def test_people_bring_a_video_into_a_stage_though_it_is_pushed_beside_them() -> None:
    timeline = pushed_and_liked(person)
    for number in range(1_500):
        who = {"actor_id": f"bot{number}", **bot(number)}
        timeline.event(2 + number / 3_600, "weibo/a", "like", **who)
        timeline.event(2 + number / 3_600, "weibo/a", "share", **who)
    assert entered(alerts_of(timeline, 9), "weibo/a") == ["interaction"], "all who share are bots"


def test_a_crowd_that_is_young_and_comes_from_everywhere_enters() -> None:
    def newcomer(number: int) -> dict[str, Any]:
        return person(number) | {"actor_age_days": number % 20}

    assert entered(alerts_of(pushed_and_liked(newcomer), 9), "weibo/a") == ["interaction"]


def test_the_same_video_with_people_emerges() -> None:
    alerts, board = outcome_of(pushed_and_liked(person), 9)
    emerging = [a["subject"] for a in guidance_of(alerts, "emerging")]
    assert "weibo/a" in emerging
    assert f"topic:{TAG}" in emerging
    assert not board["withheld"]
    assert not guidance_of(alerts, PUSH)


def test_a_push_is_told_once_and_over_when_people_have_come() -> None:
    timeline = pushed_and_liked(person)
    for number in range(60):
        timeline.event(
            0.1 + number / 3_600, "weibo/a", "like", actor_id=f"bot{number}", **bot(number)
        )
    alerts, board = outcome_of(timeline, 9)
    told = guidance_of(alerts, PUSH)
    assert len(told) <= 1
    shown = {one["title"]: one for one in board["hotspots"]}
    assert shown[TAG]["integrity"] is None


def quality(who: Who) -> Timeline:
    """A video discussed by `who`, with comments of people that others take up.

    What accounts write that are new is never put forward (models/highlights.py), so these are not.
    """
    timeline = pushed_and_liked(who)
    texts = (
        "我觉得应该让文物回到它的家乡，因为那里才有懂它的人和它的历史",
        "我认为这部剧拍得很用心，因为每一个细节都有考据",
        "希望更多人看到，因为历史值得被记住，而且孩子们会问",
        "如果能在博物馆里放映就好了，因为那样更多人会去看展",
    )
    for number, text in enumerate(texts):
        hour = 3 + number / 10
        fields = {"comment_id": f"c{number}", "text": text, "actor_id": f"w{number}"}
        timeline.event(hour, "weibo/a", "comment", **fields, **person(number))
        timeline.event(hour + 0.05, "weibo/a", "comment_like", comment_id=f"c{number}", count=200)
        for reply in range(5):
            timeline.event(
                hour + 0.05,
                "weibo/a",
                "reply",
                parent_id=f"c{number}",
                comment_id=f"r{number}-{reply}",
                text="说得好，我也这样想，因为确实如此",
                actor_id=f"r{number}-{reply}",
                **person(reply),
            )
    return timeline


def test_comments_under_what_is_pushed_are_not_put_forward() -> None:
    kind = "guidance.quality_comments"
    told = [a["subject"] for a in guidance_of(alerts_of(quality(person), 9), kind)]
    assert f"topic:{TAG}" in told
    told = [a["subject"] for a in guidance_of(alerts_of(quality(bot), 9), kind)]
    assert f"topic:{TAG}" not in told
