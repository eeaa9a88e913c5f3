"""What is flagged is told with its flag, and recommended with a word of caution, never left out."""

from dataclasses import replace
from typing import Any

from timelines import PARAMETERS, Timeline, alerts_of, guidance_of

from models.screening import ScreeningRules

TOPIC = "逃出大英博物馆"
RULES = ScreeningRules.parse('[[titles]]\npattern = "下单立减"\nflag = "advertising"')
REASONED = (
    "应该让文物回到它的家乡，因为那里才有懂它的人",
    "其实每一件器物后面都有一段没有讲完的故事",
    "建议学校组织孩子们一起看，比课本生动得多",
)


def discussed(**fields: object) -> Timeline:
    """A video that rises, with three comments that others like."""
    timeline = Timeline()
    timeline.publish(0, "douyin/e1", topics=[TOPIC], creator_id="c", **fields)
    timeline.rise(0, 12, "douyin/e1")
    for number, text in enumerate(REASONED):
        comment = {"comment_id": f"c{number}"}
        timeline.event(1.5, "douyin/e1", "comment", actor_id=f"j{number}", text=text, **comment)
        for liker in range(20):
            hour = 1.6 + liker / 10
            timeline.event(
                hour, "douyin/e1", "comment_like", actor_id=f"l{number}-{liker}", **comment
            )
    return timeline


def flagged(alert: dict[str, Any]) -> list[tuple[str, str]]:
    return [(one["video"], one["flag"]) for one in alert["data"].get("screening", [])]


def test_an_advertisement_is_told_as_one_and_its_comments_with_caution() -> None:
    parameters = replace(PARAMETERS, screening_rules=RULES)
    alerts = alerts_of(discussed(title="今天下单立减"), 24, parameters)
    about = [a for a in alerts if a["subject"] in ("douyin/e1", f"topic:{TOPIC}")]
    assert {a["type"] for a in about} >= {"hotspot.emerging", "hotspot.stage.entered"}
    assert all(flagged(a) == [("douyin/e1", "advertising")] for a in about)
    (comments,) = guidance_of(alerts, "guidance.quality_comments")
    caution = "Look at it first: it is flagged (advertising)."
    assert comments["data"]["suggestion"].endswith(caution)


def test_what_nobody_flags_is_told_as_before() -> None:
    alerts = alerts_of(discussed(title="第一集", labels=["music"]), 24)
    assert not any("screening" in a["data"] for a in alerts)
    (comments,) = guidance_of(alerts, "guidance.quality_comments")
    assert "flagged" not in comments["data"]["suggestion"]


def test_a_vulgar_derivative_that_goes_deep_is_recommended_with_caution_only() -> None:
    timeline = discussed(labels=["原创"])
    for video, title, label in (
        ("bilibili/deep", "文物为什么在伦敦", "原创"),
        ("bilibili/low", "美女直播间", "低俗"),
    ):
        timeline.derive(3, video, "douyin/e1", title=title, labels=[label])
        timeline.rise(4, 10, video, views=2_000)
    told = guidance_of(alerts_of(timeline, 24), "guidance.deep_creation")
    by_video = {a["data"]["figures"]["derivative"]: a for a in told}
    lead = ("douyin/e1", "original")
    assert flagged(by_video["bilibili/deep"]) == [lead, ("bilibili/deep", "original")]
    assert flagged(by_video["bilibili/low"]) == [lead, ("bilibili/low", "vulgarity")]
    cautioned = {v: "vulgarity" in a["data"]["suggestion"] for v, a in by_video.items()}
    assert cautioned == {"bilibili/deep": False, "bilibili/low": True}
