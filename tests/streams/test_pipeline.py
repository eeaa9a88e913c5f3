"""The whole flow in memory: how often it errs on ordinary videos, and what it finds."""

import json

import numpy as np
import pytest
from scipy.stats import poisson

from models.intake import Intake
from models.parameters import DAY_MS, HOUR_MS, MINUTE_MS, Level, Parameters
from models.steps import Output
from streams.offline.pipeline import Pipeline, _value, chunk_of

START_MS = 1_693_353_600_000
BUCKET_MS = 5 * MINUTE_MS
VIDEOS, DAYS = 300, 2
RATE = 0.02
"""Per video-day: twenty times the default, so that a broken promise shows in 600 video-days."""

PROPENSITY = {"like": 0.11, "dislike": 0.0012, "comment": 0.0058, "share": 0.0016}
"""Medians of the development data (models/shipped_cohort.py); dislikes from the trending list."""
PLANTED = {"like": 0.45, "dislike": 0.0012, "comment": 0.08, "share": 0.05}
"""Of the runaway; it is liked, discussed and shared, and disliked no more than others."""


def ordinary_events(seed: int, planted: str | None = None) -> list[bytes]:
    """Return over-dispersed videos of many sizes that fade with age; one may run away on day 2."""
    rng = np.random.default_rng(seed)
    slots = DAYS * DAY_MS // BUCKET_MS
    lines: list[tuple[int, str]] = []

    def say(slot: int, video: str, action: str, count: int) -> None:
        time_ms = START_MS + slot * BUCKET_MS + int(rng.integers(0, BUCKET_MS))
        event = {"time": time_ms, "platform": "p", "video_id": video, "action": action}
        lines.append((time_ms, json.dumps({**event, "count": count})))

    for number in range(VIDEOS):
        video = f"v{number:03d}"
        begins = 12 if video == planted else int(rng.integers(0, slots // 2))
        say(begins, video, "publish", 1)
        age_h = np.arange(slots - begins) / 12
        whole = min(rng.lognormal(np.log(800), 1.6), 60_000)
        curve = whole / 288 / (1 + age_h / 24) ** 2
        burst = rng.gamma(1.42, 1 / 1.42, len(curve))
        views = rng.poisson(curve * burst)
        own = {action: p * rng.lognormal(0, 0.5) for action, p in PROPENSITY.items()}
        if video == planted:
            views[288:324] = rng.poisson(4_000, len(views[288:324]))
        for at in np.flatnonzero(views).tolist():
            say(begins + at, video, "view", int(views[at]))
            for action, propensity in own.items():
                runs_away = video == planted and 288 <= at < 324
                chance = min(PLANTED[action] if runs_away else propensity, 0.9)
                count = int(rng.binomial(views[at], rng.beta(chance * 60, (1 - chance) * 60)))
                if count:
                    say(begins + at, video, action, count)
    return [line.encode() for _, line in sorted(lines)]


def alerts_of(lines: list[bytes], partitions: int = 1) -> list[dict[str, object]]:
    pipeline = Pipeline(
        Parameters(
            partitions=partitions,
            alarm_rate_per_video_day=RATE,
            level=Level("view", 50_000),
        )
    )
    intake = Intake(partitions, bytes(16))
    for low in range(0, len(lines), 20_000):
        chunk = chunk_of(lines[low : low + 20_000], low)
        taken = intake.process(chunk, source=0, sources=1, received_ms=START_MS + 9 * DAY_MS)
        assert not taken.rejects
        pipeline.feed(taken.batches)
    return [json.loads(alert) for alert in pipeline.outcome.alerts]


def entered(alerts: list[dict[str, object]]) -> list[tuple[object, object]]:
    return [
        (alert["subject"], alert["data"]["signal"])  # type: ignore[index]  # JSON
        for alert in alerts
        if alert["type"] == "hotspot.stage.entered" and alert["data"]["signal"]  # type: ignore[index]  # JSON
    ]


@pytest.fixture(scope="module")
def planted() -> list[bytes]:
    return ordinary_events(11, planted="v007")


def test_ordinary_videos_raise_no_more_alarms_than_promised() -> None:
    """600 video-days at 0.02: twelve allowed on average, more than 24 once in a thousand."""
    invented = entered(alerts_of(ordinary_events(5)))
    assert len(invented) <= poisson.ppf(0.999, RATE * VIDEOS * DAYS)


def test_a_planted_runaway_is_found_and_is_the_only_one(planted: list[bytes]) -> None:
    alerts = alerts_of(planted)
    mine = [signal for subject, signal in entered(alerts) if subject == "p/v007"]
    assert sorted(map(str, mine)) == ["diffusion", "identification", "interaction"]
    assert len(entered(alerts)) - len(mine) <= poisson.ppf(0.999, RATE * VIDEOS * DAYS)
    kinds = {alert["type"] for alert in alerts if str(alert["subject"]).endswith("p/v007")}
    assert kinds >= {"hotspot.emerging", "hotspot.confirmed"}


def test_partitions_change_no_alert(planted: list[bytes]) -> None:
    assert alerts_of(planted, partitions=3) == alerts_of(planted)


def test_an_output_without_content_is_told() -> None:
    with pytest.raises(ValueError, match="an empty message for alerts"):
        _value(Output("alerts", 0, b"k", None))


def test_nothing_is_told_before_time_has_passed() -> None:
    pipeline = Pipeline(Parameters(partitions=2))
    pipeline.feed([[], []])
    event = {"time": START_MS, "platform": "p", "video_id": "v", "action": "view"}
    taken = Intake(2, bytes(16)).process(
        chunk_of([json.dumps(event).encode()], 0),
        source=0,
        sources=1,
        received_ms=START_MS + HOUR_MS,
    )
    pipeline.feed(taken.batches)
    assert not pipeline.outcome.alerts
