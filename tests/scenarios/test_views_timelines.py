"""Views by vertical, creator and agency, and what a work brings its creator, as timelines."""

import json
from typing import Any

from timelines import PARAMETERS, RECEIVED_MS, Timeline, alerts_of

from models.events import DecodingLimits
from models.screening import Flag
from streams.offline.backtest import Backtest

TOPIC = "逃出大英博物馆"


def two_verticals() -> Timeline:
    """A drama of an agency's creator that rises, and a dish of another's that is discussed less."""
    timeline = Timeline()
    made = {"creator_id": "jianbing", "mcn": "agency", "vertical": "戏剧", "labels": ["original"]}
    timeline.publish(0, "douyin/e1", topics=[TOPIC], title="一", creator_followers=1_000, **made)
    timeline.rise(0, 12, "douyin/e1")
    timeline.publish(9, "douyin/e2", topics=[TOPIC], title="二", creator_followers=51_000, **made)
    timeline.publish(0, "weibo/dish", topics=["面"], creator_id="cook", vertical="美食")
    timeline.rise(2, 12, "weibo/dish", views=1_500)
    timeline.publish(0, "weibo/quiet", topics=["静"], creator_id="nobody", vertical="手工")
    return timeline


def views_of(timeline: Timeline, until: float) -> dict[str, Any]:
    timeline.event(until, "clock/ticks", "view")
    lines = [json.dumps(event).encode() for _, _, event in sorted(timeline.lines)]
    backtest = Backtest(PARAMETERS, bytes(16), DecodingLimits(), RECEIVED_MS)
    for _ in backtest.run(lines):
        pass
    return backtest.pipeline.hotspots.views.latest


def test_people_who_come_back_to_a_vertical_show_as_its_stickiness() -> None:
    timeline = Timeline()
    for kind, hours in (("戏剧", (1, 13)), ("美食", (1, 1.5))):
        video = f"douyin/{kind}"
        timeline.publish(0, video, topics=[kind], vertical=kind)
        timeline.rise(0, 10, video)
        for person in range(2_500):
            for hour in hours:
                actor = f"{kind}{person}"
                timeline.event(hour + person / 5_000, video, "like", actor_id=actor)
    found = {one["vertical"]: one["stickiness"] for one in views_of(timeline, 18.5)["verticals"]}
    assert found["戏剧"]["returning_share_interval"][0] > 0.05
    assert found["戏剧"]["returning_share"] > 3 * found["美食"]["returning_share"]
    assert found["戏剧"]["daily_over_monthly"] > found["美食"]["daily_over_monthly"]


def test_views_tell_works_of_each_vertical_creator_and_agency() -> None:
    views = views_of(two_verticals(), 12)
    drama, dish = views["verticals"]
    assert (drama["vertical"], dish["vertical"]) == ("戏剧", "美食")
    assert (drama["works"], drama["emerging"]) == (1, 1)
    assert drama["stages"]["diffusion"] == 1
    assert drama["activity_per_hour"] > dish["activity_per_hour"] > 0
    assert drama["screening"] == {Flag.ORIGINAL: 1}
    creators = {(one["platform"], one["creator_id"]): one for one in views["creators"]}
    assert set(creators) == {("douyin", "jianbing"), ("weibo", "cook")}
    gain = {"before": 1_000, "now": 51_000, "gain": 50_000}
    assert creators["douyin", "jianbing"]["followers"] == gain
    assert "followers" not in creators["weibo", "cook"]
    (agency,) = views["mcns"]
    assert (agency["mcn"], agency["creators"], agency["works"]) == ("agency", 1, 1)


def test_a_work_tells_what_it_brought_its_creator() -> None:
    alerts = alerts_of(two_verticals(), 48)
    told = [a["data"]["creator_followers"] for a in alerts if "creator_followers" in a["data"]]
    assert told
    assert told[-1] == {"creator_id": "jianbing", "before": 1_000, "now": 51_000, "gain": 50_000}


def test_alerts_say_which_vertical_their_videos_are_in() -> None:
    alerts = alerts_of(two_verticals(), 48)
    found = {
        a["data"]["vertical"] for a in alerts if a["subject"] in {"douyin/e1", f"topic:{TOPIC}"}
    }
    assert found == {"戏剧"}
    assert {a["subject"].partition(":")[0] for a in alerts} >= {"douyin/e1", "topic"}
