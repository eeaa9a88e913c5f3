"""Who takes part, and how deep it goes, as timelines: events in, what alerts say of it out."""

from functools import cache
from typing import Any

import pytest
from timelines import Timeline, alerts_of, guidance_of, outcome_of

TOPIC = "逃出大英博物馆"
WORK = f"topic:{TOPIC}"
VIDEO = "douyin/e1"
PEOPLE = 3_000
THREADS = 200
REGIONS = ("江苏", "广东", "海外", "四川")


def many_people() -> Timeline:
    """A drama that people watch on one day; of them a third speak later, a fifth on the next day.

    Three of four were led by one of three shares. A comment comes every three minutes; somebody
    answers it, whom the commenter does not know, and the creator every tenth, six minutes later.
    """
    timeline = Timeline()
    timeline.publish(0, VIDEO, topics=[TOPIC], title="第一集", creator_id="c", actor_id="c")
    timeline.during(0, 30, VIDEO, "view", 3_000)
    timeline.during(0, 10, VIDEO, "share", 300)
    for number in range(PEOPLE):
        who: dict[str, Any] = {"actor_id": f"p{number}"}
        region = REGIONS[number % len(REGIONS)]
        hour = 9 * number / PEOPLE
        led = {"via_actor_id": f"node{number % 3}"} if number % 4 else {}
        timeline.event(hour, VIDEO, "view", watch_ms=42_000, actor_region=region, **led, **who)
        timeline.event(hour + 0.01, VIDEO, "like", **who)
        if number % 3 == 0:
            timeline.event(hour + 1, VIDEO, "share", **who)
        if number % 5 == 0:
            timeline.event(hour + 20, VIDEO, "like", **who)
    for number in range(THREADS):
        hour = 1 + number / 20
        talk(timeline, hour, number, f"asks{number}", f"tells{number}")
        if number % 10 == 0:
            answer = {"actor_role": "creator", "actor_id": "c", "parent_id": f"c{number}"}
            timeline.event(hour + 0.1, VIDEO, "reply", comment_id=f"a{number}", **answer)
    for number, role in enumerate(("media", "expert")):
        timeline.event(5 + number, VIDEO, "comment", actor_id=role, actor_role=role)
    return timeline


def talk(timeline: Timeline, hour: float, number: int, asks: str, tells: str) -> None:
    """Let somebody comment and another answer, three times to and fro."""
    timeline.event(hour, VIDEO, "comment", comment_id=f"c{number}", actor_id=asks)
    parent = f"c{number}"
    for step, who in enumerate((tells, asks, tells)):
        reply = f"r{number}-{step}"
        fields = {"comment_id": reply, "parent_id": parent, "actor_id": who}
        timeline.event(hour + 0.005 * (step + 1), VIDEO, "reply", **fields)
        parent = reply


@cache
def last_said() -> dict[str, Any]:
    """Return what the last alert about the work says, when it fades."""
    told = [one for one in alerts_of(many_people(), 60) if one["subject"] == WORK]
    assert told[-1]["type"] == "hotspot.faded"
    data: dict[str, Any] = told[-1]["data"]
    return data


def who_takes_part() -> dict[str, Any]:
    said: dict[str, Any] = last_said()["participation"]
    return said


def test_roles_that_take_part_are_told_with_their_shares() -> None:
    said = who_takes_part()
    assert said["by_role"]["media"] == pytest.approx(1 / said["acts"], abs=1e-4)
    assert said["by_role"]["creator"] == pytest.approx(20 / said["acts"], abs=1e-4)
    assert 1 < said["roles_effective"] < 1.1
    assert said["why"][0].startswith("media, expert take part; ")


def test_people_are_counted_whatever_they_do_and_however_often() -> None:
    said = who_takes_part()
    assert said["people"] == pytest.approx(PEOPLE + 2 * THREADS, rel=0.45)
    assert said["people_relative_error"] < 0.2


def test_threads_and_their_depth_are_told() -> None:
    dialogue = who_takes_part()["dialogue"]
    assert dialogue["replies"] == 3 * THREADS + THREADS // 10
    assert dialogue["reply_share"] == pytest.approx(620 / 822, abs=0.001)
    assert dialogue["deepest_thread"] == 3
    assert dialogue["placed_share"] == 1.0


def test_exchanges_between_strangers_are_weak_ties() -> None:
    # Two strangers of each thread answer each other three times: of four exchanges, with those of
    # the creator, about a third is between people who had not met.
    assert who_takes_part()["dialogue"]["weak_ties_share"] == pytest.approx(1 / 3, abs=0.1)


def test_the_creators_answers_and_their_delay_are_told() -> None:
    response = who_takes_part()["response"]
    assert response["answered"] == THREADS // 10
    assert response["mean_delay_minutes"] == pytest.approx(6, abs=0.1)
    assert any("answered" in line for line in who_takes_part()["why"])


def test_people_who_go_deeper_and_people_who_come_back_are_told() -> None:
    said = who_takes_part()
    assert said["deepened_share"] > 0.6
    assert said["returned_share"] == pytest.approx(0.2, abs=0.15)
    assert any("another day" in line for line in said["why"])


def test_key_nodes_are_told_as_hashes_with_how_many_they_led() -> None:
    nodes = who_takes_part()["key_nodes"]
    assert nodes["led"] == 3 * PEOPLE // 4
    assert nodes["share_of_foremost"] == 1.0
    assert [one["least"] for one in nodes["foremost"]] == [750, 750, 750]
    assert all(len(one["actor"]) == 16 and "node" not in one["actor"] for one in nodes["foremost"])


def test_regions_are_told_with_their_diversity() -> None:
    regions = who_takes_part()["regions"]
    assert regions["located"] == PEOPLE
    assert regions["diversity"] == 0.75
    assert {one["region"] for one in regions["foremost"]} < set(REGIONS)


def test_attention_is_told() -> None:
    assert who_takes_part()["attention"] == {"watched": PEOPLE, "mean_seconds": 42.0}


def test_the_depth_index_shows_its_components() -> None:
    depth = last_said()["depth"]
    assert set(depth["components"]) == {
        "deepening",
        "persistence",
        "dialogue",
        "weak_ties",
        "response",
        "elites",
        "regions",
    }
    assert depth["components"]["elites"] == 0.5
    assert depth["components"]["dialogue"] == who_takes_part()["dialogue"]["reply_share"]
    assert depth["index"] == pytest.approx(sum(depth["components"].values()) / 7, abs=0.001)


def shallow(timeline: Timeline, number: int) -> None:
    """A work with as much reach: people like, comment and share, but nobody answers anybody."""
    video = f"douyin/shallow{number}"
    timeline.publish(0, video, topics=[f"浅{number}"])
    timeline.rise(0, 10, video)
    timeline.crowd(0, 9, video, "like", 330)
    timeline.crowd(0, 10, video, "view", 10, lambda _: {"actor_region": "江苏"})


def deep() -> Timeline:
    """The drama, risen as far as the others."""
    timeline = many_people()
    timeline.rise(0, 10, VIDEO)
    return timeline


def test_a_hotspot_is_cultural_when_depth_accompanies_reach_and_not_for_reach_alone() -> None:
    timeline = deep()
    for number in range(6):
        shallow(timeline, number)
    alerts, board = outcome_of(timeline, 11)
    confirmed = {one["subject"]: one["data"] for one in guidance_of(alerts, "confirmed")}
    cultural = confirmed[WORK]["cultural"]
    assert cultural["holds"] is True
    assert cultural["deeper_than"] == cultural["of"] == 6
    assert cultural["why"].startswith("depth accompanies reach: deeper than 6 of 6 other works")
    reach = confirmed["topic:浅0"]["cultural"]
    assert reach["holds"] is False
    assert reach["why"].startswith("reach without more depth than others")
    shown = {one["title"]: one for one in board["hotspots"]}
    assert shown[TOPIC]["cultural"] is True
    assert shown[TOPIC]["depth"] > 0.2


def test_where_too_few_works_are_known_nothing_is_called_cultural() -> None:
    confirmed = guidance_of(alerts_of(deep(), 11), "confirmed")
    assert confirmed[0]["data"]["cultural"]["holds"] is None
