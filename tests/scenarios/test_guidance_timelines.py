"""What the papers call for, as timelines: events in, guidance out."""

import pytest
from timelines import NOON_MS, Timeline, alerts_of, guidance_of, hour_of

from models.parameters import HOUR_MS

TOPIC = "逃出大英博物馆"
WORK = f"topic:{TOPIC}"


def discussed(hours: float = 12) -> Timeline:
    """A drama that people see, like, discuss and share; somewhere else an expert takes part."""
    timeline = Timeline()
    timeline.publish(0, "douyin/e1", topics=[TOPIC], title="第一集", creator_id="c")
    timeline.rise(0, hours, "douyin/e1")
    timeline.publish(0, "weibo/other", topics=["别的"])
    timeline.event(1, "weibo/other", "comment", actor_id="x", actor_role="expert")
    return timeline


def test_a_discussion_without_experts_asks_for_them_once() -> None:
    alerts = alerts_of(discussed(), 24)
    (wanted,) = guidance_of(alerts, "guidance.experts_wanted")
    assert wanted["subject"] == WORK
    data = wanted["data"]
    assert (data["guidance_level"], data["urgency"]) == ("interaction", "medium")
    assert data["reason"] == "discussed_without_experts"
    assert data["figures"]["interactions"] > 500
    assert data["figures"]["hours"] >= 6
    entered = [
        a for a in alerts if a["data"].get("stage") == "interaction" and "state" in a["data"]
    ]
    assert hour_of(wanted) - hour_of(entered[0]) >= 6


def test_experts_that_have_come_are_not_asked_for_and_their_entry_is_told_when_it_was() -> None:
    timeline = discussed()
    timeline.event(4.5, "douyin/e1", "comment", actor_id="prof", actor_role="expert")
    timeline.event(5.25, "douyin/e1", "comment", actor_id="paper", actor_role="media")
    timeline.event(6, "douyin/e1", "comment", actor_id="prof2", actor_role="expert")
    alerts = alerts_of(timeline, 24)
    assert not guidance_of(alerts, "guidance.experts_wanted")
    entries = guidance_of(alerts, "guidance.elite_entry")
    told = [(a["data"]["role"], hour_of(a)) for a in entries if a["subject"] == WORK]
    assert sorted(told) == [
        ("expert", pytest.approx(4.5, abs=0.02)),
        ("media", pytest.approx(5.25, abs=0.02)),
    ]


def test_where_no_platform_tells_of_experts_none_are_missed() -> None:
    timeline = discussed()
    timeline.lines = [line for line in timeline.lines if line[2].get("actor_role") != "expert"]
    assert not guidance_of(alerts_of(timeline, 24), "guidance.experts_wanted")


def test_exclusion_is_told_as_a_surge_and_again_as_a_risk_when_dissemination_falls() -> None:
    timeline = Timeline()
    timeline.publish(0, "douyin/bad", topics=["争议"])
    timeline.during(0, 10, "douyin/bad", "view", 3_000)
    timeline.crowd(0, 4, "douyin/bad", "like", 300)
    timeline.crowd(4, 10, "douyin/bad", "dislike", 400)
    timeline.during(10, 40, "douyin/bad", "view", 100)
    alerts = alerts_of(timeline, 60)
    (surge,) = guidance_of(alerts, "guidance.negative_value_surge")
    assert 4 <= hour_of(surge) <= 7
    assert surge["data"]["route"] in ("exclusion", "contested")
    assert surge["data"]["figures"]["exclusion"] > 0
    (risk,) = guidance_of(alerts, "guidance.interruption_risk")
    assert risk["data"]["urgency"] == "high"
    assert 0.1 < risk["data"]["figures"]["activity_share_of_peak"] <= 0.317
    (over,) = [a for a in alerts if a["data"].get("state") == "interrupted"]
    assert 10 < hour_of(risk) < hour_of(over)


def test_a_surge_counts_those_who_judged_before_anything_was_noticed() -> None:
    timeline = Timeline()
    timeline.publish(0, "douyin/bad")
    timeline.during(0, 10, "douyin/bad", "view", 3_000)
    timeline.crowd(0, 10, "douyin/bad", "like", 30)
    timeline.crowd(0, 10, "douyin/bad", "dislike", 300)
    (surge,) = guidance_of(alerts_of(timeline, 12), "guidance.negative_value_surge")
    looked_ms = NOON_MS + round(hour_of(surge) * HOUR_MS)
    figures = surge["data"]["figures"]
    for name, action in (("identification", "like"), ("exclusion", "dislike")):
        when = [ms for ms, _, event in timeline.lines if event["action"] == action]
        assert figures[name] == sum(ms <= looked_ms for ms in when) < len(when)
        assert figures[f"{name}_recent"] <= figures[name]


def test_what_was_rejected_and_argued_about_fades_and_is_not_at_risk() -> None:
    timeline = Timeline()
    timeline.publish(0, "douyin/bad", topics=["争议"])
    timeline.during(0, 10, "douyin/bad", "view", 3_000)
    timeline.crowd(0, 10, "douyin/bad", "dislike", 400)
    timeline.crowd(3, 10, "douyin/bad", "comment", 400)
    timeline.during(10, 40, "douyin/bad", "view", 100)
    alerts = alerts_of(timeline, 60)
    assert guidance_of(alerts, "guidance.negative_value_surge")
    assert not guidance_of(alerts, "guidance.interruption_risk")
    assert [a["data"]["state"] for a in guidance_of(alerts, "faded") if "state" in a["data"]]


def test_a_video_that_people_like_gives_neither() -> None:
    timeline = Timeline()
    timeline.publish(0, "douyin/good", topics=["好"])
    timeline.during(0, 10, "douyin/good", "view", 3_000)
    timeline.crowd(0, 10, "douyin/good", "like", 900)
    timeline.during(10, 40, "douyin/good", "view", 100)
    alerts = alerts_of(timeline, 60)
    assert not guidance_of(alerts, "guidance.negative_value_surge")
    assert not guidance_of(alerts, "guidance.interruption_risk")


def made_from(timeline: Timeline, count: int, first: float, *, near: bool) -> None:
    for number in range(count):
        fingerprint = 0x0123456789ABCDEF ^ (1 << number % 3) if near else 0x9E3779B97F4A7C15
        if not near:
            fingerprint = fingerprint * (number + 1) % 2**64
        timeline.derive(
            first + number / 30,
            f"kuaishou/{'copy' if near else 'own'}{number}",
            "douyin/e1",
            title="一键同款" if near else f"第{number}种看法",
            creator_id=f"maker{number}",
            fingerprint=f"{fingerprint:016x}",
        )


def test_a_wave_of_near_copies_warns_of_homogenisation_once() -> None:
    timeline = discussed()
    made_from(timeline, 30, 3, near=False)
    made_from(timeline, 60, 8, near=True)
    alerts = alerts_of(timeline, 24)
    (warned,) = guidance_of(alerts, "guidance.homogenisation")
    assert warned["data"]["guidance_level"] == "dissemination"
    figures = warned["data"]["figures"]
    assert figures["share_interval"][0] > 0.5
    assert figures["example_title"] == "一键同款"
    assert figures["distinct_share"] < 0.5
    assert 8 < hour_of(warned) < 14


def test_derivatives_that_differ_warn_of_nothing_and_their_lineage_is_told() -> None:
    timeline = discussed()
    made_from(timeline, 60, 3, near=False)
    for number in range(6):
        source = f"kuaishou/own{number}"
        kol = {"creator_id": "kay", "actor_role": "kol"}
        timeline.derive(5.5, f"weibo/second{number}", source, title=f"再创作{number}", **kol)
    alerts = alerts_of(timeline, 24)
    assert not guidance_of(alerts, "guidance.homogenisation")
    lineage = guidance_of(alerts, "guidance.experts_wanted")[0]["data"]["lineage"]
    assert lineage["generations"] == [60, 6]
    low, high = lineage["branching_ratio_interval"]
    assert lineage["branching_ratio"] == pytest.approx(6 / 66, abs=0.001)
    assert low < lineage["branching_ratio"] < high
    makers = lineage["makers"]
    assert makers["by_role"] == {"creator": 60, "kol": 6}
    assert (makers["creators"], makers["by_source_creator"]) == (61, 0)
    assert makers["creators_effective"] == pytest.approx(66**2 / (60 + 6**2), abs=0.05)
    kay = {"platform": "weibo", "creator_id": "kay", "role": "kol", "derivatives": 6}
    assert makers["most"][0] == kay


def test_the_order_in_which_platforms_took_a_work_up_is_told() -> None:
    timeline = discussed()
    timeline.publish(2, "weibo/e1", topics=[TOPIC])
    timeline.publish(5, "bilibili/e1", topics=[TOPIC])
    alerts = alerts_of(timeline, 24)
    (wanted,) = guidance_of(alerts, "guidance.experts_wanted")
    order = [(one["platform"], one["after_ms"] / 3_600_000) for one in wanted["data"]["take_up"]]
    assert order == [("douyin", 0), ("weibo", 2), ("bilibili", 5)]


def test_an_original_derivative_that_goes_deep_is_to_be_supported_a_copy_is_not() -> None:
    timeline = discussed()
    made_from(timeline, 2, 3, near=True)
    timeline.derive(3, "bilibili/deep", "douyin/e1", title="文物为什么在伦敦", creator_id="scholar")
    for video in ("bilibili/deep", "kuaishou/copy1"):
        timeline.rise(4, 10, video, views=2_000)
    alerts = alerts_of(timeline, 24)
    told = guidance_of(alerts, "guidance.deep_creation")
    assert [a["data"]["figures"]["derivative"] for a in told] == ["bilibili/deep"]
    assert told[0]["data"]["figures"]["creator_id"] == "scholar"


def test_what_began_as_a_comment_elsewhere_is_no_creation_beside_its_own_original() -> None:
    timeline = discussed()
    timeline.publish(-30, "douyin/wish")
    comment = {"comment_id": "wish-c1", "text": "想拍一部动画片，讲文物回家"}
    timeline.event(-29, "douyin/wish", "comment", actor_id="wisher", **comment)
    timeline.derive(3, "douyin/begun", "douyin/wish", topics=[TOPIC], source_comment_id="wish-c1")
    timeline.derive(3, "bilibili/deep", "douyin/e1", title="文物为什么在伦敦")
    for video in ("douyin/begun", "bilibili/deep"):
        timeline.rise(4, 10, video, views=2_000)
    told = guidance_of(alerts_of(timeline, 24), "guidance.deep_creation")
    of_topic = [a["data"]["figures"]["derivative"] for a in told if a["subject"] == WORK]
    assert of_topic == ["bilibili/deep"]
