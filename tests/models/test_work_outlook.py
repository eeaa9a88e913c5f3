"""What alerts of topics say of what comes next, as the step of `hotspots` learns and keeps it."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from told_reports import BUCKET_MS, START_BUCKET, fed, report_of

from models.junctures import LEAST_PASSED
from models.parameters import DAY_MS, HOUR_MS, Level, Parameters
from models.stage_reports import StageReport
from models.vocabulary import Stage
from models.work_outlook import WorkOutlook
from models.work_table import WorkTable

LEVEL = 1_000
HOUR = HOUR_MS // BUCKET_MS
DAY = DAY_MS // BUCKET_MS
PARAMETERS = Parameters(
    level=Level("view", LEVEL), bucket_ms=BUCKET_MS, horizon_ms=DAY_MS, expire_after_ms=2 * DAY_MS
)


def row(name: str, bucket: int, brings: int, so_far: int, **more: object) -> dict[str, Any]:
    numbers = {
        "video": f"p\x1f{name}",
        "last_ms": bucket * BUCKET_MS,
        "views": brings,
        "progress": brings,
        "total_views": so_far + brings,
        "total_progress": so_far + brings,
        "episode_progress": so_far + brings,
        "profile": {"topics": [f"t{name}"]},
    }
    return {**numbers, **more}


def judged(bucket: int) -> dict[str, Any]:
    words = {"stage": "judgment", "state": "active", "route": "identification", "reason": "a rule"}
    names = {"signal": "identification", "juncture": "outbreak"}
    return {"time_ms": bucket * BUCKET_MS, "episode": 1, "figures": {}, **words, **names}


def story(days: int = 5) -> list[StageReport]:
    """Every hour a topic reaches the level; hours later it is judged and has tripled."""
    random = np.random.default_rng(11)
    said: dict[int, list[dict[str, Any]]] = {}
    for number, begins in enumerate(range(START_BUCKET, START_BUCKET + days * DAY, HOUR)):
        into = begins + int(random.exponential(3 * HOUR)) + 1
        first = int(LEVEL * random.uniform(1, 2))
        said.setdefault(begins, []).append(row(f"{number}", begins, first, 0))
        more = int(first * random.uniform(1.5, 2.5))
        told = {"stage": 1, "transitions": [judged(into)]}
        said.setdefault(into, []).append(row(f"{number}", into, more, first, **told))
    return [
        report_of(*said[bucket], sequence=sequence, through_bucket=bucket)
        for sequence, bucket in enumerate(sorted(said))
    ]


def outcome(
    sizes: int, parameters: Parameters, *, crash: bool = False
) -> tuple[list[dict[str, Any]], dict[str, Any], WorkOutlook]:
    """Feed the story, so many reports at a time; a crash goes back to the rows of the last cut."""
    alerts, step = fed(story(), sizes, parameters, crash=crash)
    outlook = step.work_outlook
    known = {"junctures": outlook.junctures.to_dict(), "reach": outlook.reach.to_dict()}
    return alerts, known, outlook


@pytest.mark.parametrize("per_day", [0, 24])
def test_chunks_and_crashes_change_nothing(per_day: int, monkeypatch: pytest.MonkeyPatch) -> None:
    parameters = replace(PARAMETERS, alerts_per_day=per_day)
    alerts, known, _ = outcome(1, parameters)
    for most, sizes, crash in ((10_000, 50, True), (3, 7, True), (3, 1_000, False)):
        monkeypatch.setattr("models.report_log.SAVE_AFTER_REPORTS", most)
        again = outcome(sizes, parameters, crash=crash)
        assert again[:2] == (alerts, known), f"{sizes} at a time, saved after {most}"


def test_topics_are_told_with_what_comes_next_once_enough_is_known() -> None:
    alerts, _, outlook = outcome(40, PARAMETERS)
    topics = [a["data"] for a in alerts if a["subject"].startswith("topic:")]
    emerging = [data for data in topics if data["reason"] == "level_reached"]
    assert len(emerging) > 100
    for data in emerging[: LEAST_PASSED // 2]:
        assert "next" not in data
        assert "reach" not in data
    last = emerging[-1]
    assert last["next"]["juncture"] == "outbreak"
    assert last["next"]["probability_within_horizon"] > 0.9
    assert 1 < last["next"]["hours"]["p50"] < 4
    reach, progress = last["reach"], last["figures"]["views"]
    assert progress <= reach["low"] <= reach["median"] <= reach["high"]
    assert 2 < reach["median"] / progress < 4
    assert outlook.reach.judged > 20
    assert outlook.reach.covered / outlook.reach.judged > 0.6


def test_works_that_are_videos_and_topics_that_were_judged_have_no_clock_of_presentation() -> None:
    works = WorkTable()
    outlook = WorkOutlook(PARAMETERS, works)
    video, topic = works.add("video:p/v", ""), works.add("topic:t", "t")
    topic.row["topical"] = True
    for work in (video, topic):
        outlook.entered(work, Stage.JUDGMENT, 7)
    topic.enter(Stage.JUDGMENT, "identification", "active", "a rule")
    topic.row["last_ms"] = 9
    outlook.emerging(topic)
    assert video.number("clock") == 0
    assert topic.number("clock") == Stage.JUDGMENT + 1
    assert topic.number("since_ms") == 7
    outlook.ended(topic, 11)
    assert topic.number("clock") == 0
    assert outlook.junctures.stopped.sum() == 1
