"""What alerts say of what comes next, as the step of `hotspots` learns and keeps it."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from told_reports import BUCKET_MS, START_BUCKET, fed, report_of

from models.junctures import LEAST_PASSED
from models.outlook import Outlook
from models.parameters import DAY_MS, HOUR_MS, Level, Parameters
from models.reach import LEAST
from models.stage_reports import REPORT, StageReport
from models.tracked_videos import TrackedVideos
from models.vocabulary import Stage, State

HOUR = HOUR_MS // BUCKET_MS
DAY = DAY_MS // BUCKET_MS
PARAMETERS = Parameters(
    level=Level("view", 1_000), bucket_ms=BUCKET_MS, horizon_ms=2 * DAY_MS, expire_after_ms=DAY_MS
)


def transition(stage: Stage, bucket: int, state: str = "active") -> dict[str, Any]:
    return {
        "time_ms": bucket * BUCKET_MS,
        "stage": stage.name.lower(),
        "state": state,
        "route": "identification",
        "episode": 1,
        "reason": "a rule",
        "signal": stage.name.lower(),
        "juncture": None,
        "figures": {},
    }


def row(video: str, bucket: int, progress: int, **more: object) -> dict[str, Any]:
    numbers = {
        "video": f"p\x1f{video}",
        "last_ms": bucket * BUCKET_MS,
        "views": 10,
        "progress": 10,
        "total_views": progress,
        "total_progress": progress,
        "episode_progress": progress,
        "probability": 0.9,
        "views_per_hour": 20.0,
    }
    return {**numbers, **more}


def story(days: int = 7) -> list[StageReport]:
    """Every hour a video emerges; most are judged hours later, half of these are discussed."""
    random = np.random.default_rng(11)
    said: dict[int, list[dict[str, Any]]] = {}
    for number, begins in enumerate(range(START_BUCKET, START_BUCKET + days * DAY, HOUR)):
        wait, more = random.exponential(4 * HOUR, 2).astype(int) + 1
        progress = int(random.integers(50, 500))
        name = f"v{number}"
        said.setdefault(begins, []).append(row(name, begins, progress))
        judged = begins + int(wait)
        into = transition(Stage.JUDGMENT, judged)
        said.setdefault(judged, []).append(
            row(name, judged, progress * 2, stage=1, transitions=[into])
        )
        last = judged + int(more)
        state = "active" if number % 2 else "faded"
        told = transition(Stage.INTERACTION if number % 2 else Stage.JUDGMENT, last, state)
        probability = 0.9 if number % 2 else 0.0
        final = int(progress * random.lognormal(1.5, 0.3)) + progress * 2
        said.setdefault(last, []).append(
            row(name, last, final, stage=2, transitions=[told], probability=probability)
        )
    reports = []
    for sequence, bucket in enumerate(sorted(said)):
        reports.append(report_of(*said[bucket], sequence=sequence, through_bucket=bucket))
    return reports


def outcome(
    sizes: int, parameters: Parameters, *, crash: bool = False
) -> tuple[list[dict[str, Any]], dict[str, Any], Outlook]:
    """Feed the story, so many reports at a time; a crash goes back to the rows of the last cut."""
    alerts, step = fed(story(), sizes, parameters, crash=crash)
    outlook = step.outlook
    known = {"junctures": outlook.junctures.to_dict(), "reach": outlook.reach.to_dict()}
    return alerts, known, outlook


@pytest.mark.parametrize("per_day", [0, 6])
def test_chunks_and_crashes_change_nothing(per_day: int, monkeypatch: pytest.MonkeyPatch) -> None:
    parameters = replace(PARAMETERS, alerts_per_day=per_day)
    alerts, known, _ = outcome(1, parameters)
    for most, sizes, crash in ((10_000, 50, True), (3, 21, True), (3, 1_000, False)):
        monkeypatch.setattr("models.report_log.SAVE_AFTER_REPORTS", most)
        again = outcome(sizes, parameters, crash=crash)
        assert again[:2] == (alerts, known), f"{sizes} at a time, saved after {most}"


def test_alerts_say_what_comes_next_once_enough_is_known() -> None:
    alerts, _, outlook = outcome(40, PARAMETERS)
    first, last = alerts[: LEAST_PASSED // 2], alerts[-12:]
    assert all("next" not in alert["data"] and "reach" not in alert["data"] for alert in first)
    emerging = [alert["data"] for alert in last if alert["type"] == "hotspot.emerging"][-1]
    assert emerging["next"]["juncture"] == "outbreak"
    assert emerging["next"]["probability_within_horizon"] > 0.9
    assert 1 < emerging["next"]["hours"]["p50"] < 6
    entered = [alert["data"] for alert in last if alert["data"].get("state") == "active"]
    judged = [data for data in entered if data["stage"] == "judgment"][-1]
    assert judged["next"]["juncture"] == "sublimation"
    assert 0.3 < judged["next"]["probability_within_horizon"] < 0.7
    for data in (emerging, judged):
        reach = data["reach"]
        assert reach["coverage"] == 0.8
        assert 0 < reach["low"] <= reach["median"] <= reach["high"]
    # Nobody has gone beyond interaction in this story.
    discussed = [data for data in entered if data["stage"] == "interaction"]
    assert all("next" not in data for data in discussed)
    ended = [alert["data"] for alert in alerts if alert["data"].get("state") == "faded"]
    assert all("next" not in data and "reach" not in data for data in ended)
    assert outlook.reach.judged > 50
    assert 0.65 <= outlook.reach.covered / outlook.reach.judged <= 0.95


def test_a_video_that_is_forgotten_before_the_horizon_has_an_outcome() -> None:
    """The story's videos expire after a day, and alerts mature after two."""
    _, _, outlook = outcome(40, PARAMETERS)
    assert (outlook.reach.waiting["slot"] < 0).any()
    assert outlook.reach.outcomes.sum() > LEAST


@pytest.mark.parametrize(
    ("stage", "state", "runs"),
    [
        (Stage.PRESENTATION, State.ACTIVE, True),
        (Stage.JUDGMENT, State.ACTIVE, False),
        (Stage.DIFFUSION, State.FADED, True),
        (Stage.DIFFUSION, State.REVIVED, False),
    ],
)
def test_the_clock_of_presentation_begins_when_an_episode_without_a_stage_emerges(
    stage: Stage, state: State, *, runs: bool
) -> None:
    tracked = TrackedVideos()
    outlook = Outlook(PARAMETERS, tracked)
    video = tracked.add("p\x1fv")
    numbers = np.zeros(1, REPORT)
    numbers["stage"], numbers["state"], numbers["last_ms"] = stage, tuple(State).index(state), 7
    outlook.emerging(video, numbers[0])
    assert bool(tracked.rows["clock"][video.slot]) == runs
    assert tracked.rows["since_ms"][video.slot] == (7 if runs else 0)


def test_an_unknown_key_is_refused() -> None:
    with pytest.raises(ValueError, match="unknown key"):
        Outlook(PARAMETERS, TrackedVideos()).load(b"o/other", b"")
