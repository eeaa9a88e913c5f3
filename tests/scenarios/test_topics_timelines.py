"""One work under several names is told once, with its other names; two works are told as two."""

from typing import Any

import pytest
from timelines import Timeline, alerts_of, guidance_of, outcome_of

FILM, WRITTEN, TYPO = "逃出大英博物馆", "《逃出 大英博物馆》", "逃离大英博物馆"


def rising(*names: str) -> Timeline:
    """A video under each name that rises, one hour after the other."""
    timeline = Timeline()
    for number, name in enumerate(names):
        video = f"douyin/v{number}"
        timeline.publish(number, video, topics=[name], title=name, creator_id=f"maker{number}")
        timeline.rise(number, 12, video)
    return timeline


def told_of(alerts: list[dict[str, Any]], kind: str) -> list[str]:
    topics = [a["subject"] for a in alerts if a["type"] == f"hotspot.{kind}"]
    return [topic for topic in topics if topic.startswith("topic:")]


def test_one_work_whose_name_is_written_differently_is_told_once() -> None:
    timeline = rising(FILM, WRITTEN)
    timeline.publish(0, "weibo/other", topics=["别的"])
    timeline.event(1, "weibo/other", "comment", actor_id="x", actor_role="expert")
    alerts = alerts_of(timeline, 48)
    assert told_of(alerts, "emerging") == [f"topic:{FILM}"]
    assert len(guidance_of(alerts, "guidance.experts_wanted")) == 1
    (wanted,) = guidance_of(alerts, "guidance.experts_wanted")
    (name,) = wanted["data"]["also_known_as"]
    assert (name["topic"], name["reason"]) == (WRITTEN, "same_name_written_differently")
    assert len(name["merge_id"]) == 16
    # It fades once: when the last of its names does.
    assert len(told_of(alerts, "faded")) == 1


def test_two_works_with_names_alike_are_told_as_two() -> None:
    alerts = alerts_of(rising(FILM, TYPO), 24)
    assert told_of(alerts, "emerging") == [f"topic:{FILM}", f"topic:{TYPO}"]
    assert not any("also_known_as" in a["data"] for a in alerts)


def test_names_alike_are_one_work_when_creators_use_both_and_two_again_when_they_do_not() -> None:
    timeline = rising(FILM, TYPO)
    for number in range(16):
        both = [FILM, TYPO]
        timeline.publish(0.5, f"weibo/both{number}", topics=both, creator_id=f"fan{number}")
    for number in range(40):
        one = [FILM if number % 2 else TYPO]
        timeline.publish(10, f"weibo/one{number}", topics=one, creator_id=f"other{number}")
    timeline.rise(11, 16, "douyin/v1", views=6_000)
    alerts = alerts_of(timeline, 60)
    assert [a["subject"] for a in alerts if "also_known_as" in a["data"]]
    by_hour = [(a["time"], "also_known_as" in a["data"]) for a in alerts if "take_up" in a["data"]]
    assert not max(by_hour)[1]


def test_what_an_operator_splits_is_told_as_two() -> None:
    timeline = rising(FILM, WRITTEN)
    timeline.act(0.2, "s1", "dissemination", "split_topics", topic=FILM, split_from=WRITTEN)
    alerts = alerts_of(timeline, 24)
    assert told_of(alerts, "emerging") == [f"topic:{FILM}", f"topic:{WRITTEN}"]
    assert not any("also_known_as" in a["data"] for a in alerts)
    assert not guidance_of(alerts, "guidance.effect"), "it is carried out, not measured"


def board_line(board: dict[str, Any], *names: str) -> dict[str, Any]:
    (line,) = (one for one in board["hotspots"] if one["title"] in names)
    return dict(line)


def test_a_work_under_two_names_has_the_figures_and_the_rank_of_one() -> None:
    board, merged_board = (outcome_of(rising(FILM, name), 12.5)[1] for name in (FILM, WRITTEN))
    one, merged = board_line(board, FILM), board_line(merged_board, FILM, WRITTEN)
    assert len(merged["also_known_as"]) == 1
    for same in ("rank", "videos", "views", "platforms", "take_up", "stage", "depth", "confirmed"):
        assert merged[same] == one[same], same
    assert merged["heat"] == pytest.approx(one["heat"], rel=1e-6)


def test_names_that_are_split_have_their_own_figures_again() -> None:
    apart = outcome_of(rising(FILM, TYPO), 12.5)[1]
    timeline = rising(FILM, WRITTEN)
    timeline.act(11, "s1", "dissemination", "split_topics", topic=FILM, split_from=WRITTEN)
    board = outcome_of(timeline, 12.5)[1]
    for same in ("videos", "views", "heat", "platforms", "take_up", "stage", "depth"):
        assert board_line(board, FILM)[same] == board_line(apart, FILM)[same], same
        assert board_line(board, WRITTEN)[same] == board_line(apart, TYPO)[same], same


def test_a_work_emerges_by_what_it_has_under_both_names() -> None:
    def slow(*names: str) -> Timeline:
        timeline = Timeline()
        for number, name in enumerate(names):
            video = f"douyin/v{number}"
            timeline.publish(0, video, topics=[name])
            timeline.during(0, 24, video, "view", 150)
            timeline.during(24, 40, video, "view", 120)
        return timeline

    assert not told_of(alerts_of(slow(FILM, TYPO), 40), "emerging")
    assert told_of(alerts_of(slow(FILM, FILM), 40), "emerging") == [f"topic:{FILM}"]
    assert len(told_of(alerts_of(slow(FILM, WRITTEN), 40), "emerging")) == 1
