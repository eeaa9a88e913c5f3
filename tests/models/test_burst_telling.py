"""Bursts through the whole flow in memory: told as emerging, once, with their reason."""

import json
from typing import Any

import numpy as np

from models.events import DecodingLimits
from models.parameters import DAY_MS, MINUTE_MS, Parameters
from streams.offline.backtest import Backtest

START_MS = 1_700_000_000_000 // DAY_MS * DAY_MS
DAYS = 9


def told(counts: dict[int, int], **parameters: Any) -> list[dict[str, Any]]:  # noqa: ANN401 - of Parameters
    """Return the bursts told of comments, so many in each five minutes of a series of 3."""
    rng = np.random.default_rng(1)
    lines = []
    for visit, ordinary in enumerate(rng.poisson(3.0, DAYS * 288)):
        count = int(ordinary) + counts.get(visit, 0)
        if count:
            event = {"time": START_MS + visit * 5 * MINUTE_MS, "platform": "p", "video_id": "v"}
            lines.append(json.dumps(event | {"action": "comment", "count": count}).encode())
    backtest = Backtest(Parameters(**parameters), bytes(16), DecodingLimits(), received_ms=1 << 52)
    alerts = [json.loads(alert) for _, some, _ in backtest.run(lines) for alert in some]
    return [one for one in alerts if one["data"]["reason"] == "burst_beyond_own_past"]


def test_a_burst_of_a_loud_video_is_told_as_emerging_with_its_figures() -> None:
    at = 7 * 288 + 100
    (alert,) = told({at: 300, at + 1: 300})
    assert alert["type"] == "hotspot.emerging"
    assert alert["time"].startswith("2023-11-21T08:20:00")
    data = alert["data"]
    assert (data["video_id"], data["platform"], data["signal"]) == ("v", "p", "interaction")
    assert 0 <= data["probability"] <= 1
    figures = data["figures"]
    assert 300 < figures["last_hour"] < 400
    assert 25 < figures["hour_of_the_day"] < 50
    assert figures["return_days"] >= figures["return_days_asked"] == 7


def test_how_rare_a_burst_must_be_is_a_parameter() -> None:
    at = 7 * 288 + 100
    assert len(told({at: 300}, burst_return_ms=7 * DAY_MS)) == 1
    assert told({at: 300}, burst_return_ms=3_650 * DAY_MS) == []


def test_a_burst_on_the_second_day_is_the_rise_of_a_young_video() -> None:
    assert told({288 + 100: 300}) == []
