"""Bursts of one action that the whole pipeline tells, on tweets with labelled windows."""

import json
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Final

import numpy as np
import polars as pl

from models.alerts import AlertType
from models.events import DecodingLimits
from models.parameters import Level, Parameters
from streams.offline.backtest import Backtest
from streams.progress import progress
from streams.scenarios.event_files import read_events
from streams.scoreboard.detection_quiet import DAY_S
from streams.scoreboard.forecasts import KEY, RECEIVED_MS
from streams.scoreboard.intervals import Interval, of_rate, of_share

LEVEL: Final = Level("comment", 1_000)
EVERYTHING: Final = f"`hotspots backtest --level {LEVEL}`"


@dataclass(frozen=True, slots=True)
class Told:
    """What the alerts of a set of series were worth.

    Attributes:
        alerts: How many were raised.
        windows: How many are labelled.
        caught: In how many of them an alert was raised.
        caught_interval: Of the share, exact 95 %.
        false_alarms: How many were raised outside of all windows.
        series_days: Length of all series together.
        false_interval: Of false alarms per series and day, exact 95 %.
        delay: Median share of a caught window that had passed at its first alert.
    """

    alerts: int
    windows: int
    caught: int
    caught_interval: Interval
    false_alarms: int
    series_days: float
    false_interval: Interval
    delay: float


def measure(data: Path) -> dict[str, Told]:
    """Run the pipeline over the tweets and count: all alerts of emerging, and each reason's own.

    Args:
        data: The directory of the sets: `tweets.parquet`, `tweets.jsonl`.
    """
    events = data / "tweets.jsonl"
    parameters = Parameters(level=LEVEL)
    backtest = Backtest(parameters, KEY, DecodingLimits(), received_ms=RECEIVED_MS)
    told: list[tuple[str, str, float]] = []
    with progress(f"reading {events.name}", unit="events") as steps:
        for count, alerts, _ in backtest.run(read_events(events)):
            for alert in map(json.loads, alerts):
                if alert["type"] == AlertType.EMERGING and "video_id" in alert["data"]:
                    time_s = datetime.fromisoformat(alert["time"]).timestamp()
                    of = alert["data"]
                    told.append((of["reason"], of["video_id"], time_s))
            steps.advance(count)
    rows = pl.read_parquet(data / "tweets.parquet")
    found = {EVERYTHING: held_against(rows, [one[1:] for one in told])}
    for reason in sorted({one[0] for one in told}):
        alone = [one[1:] for one in told if one[0] == reason]
        found[f"of it, `{reason}`"] = held_against(rows, alone)
    return found


def held_against(rows: pl.DataFrame, told: list[tuple[str, float]]) -> Told:
    """Hold alerts against labelled windows.

    Args:
        rows: `series`, `ts` in seconds, `window` (null outside).
        told: Series and time, in seconds, of each alert.
    """
    ends = rows.group_by("series").agg((pl.col("ts").max() - pl.col("ts").min()).alias("length"))
    days = float(ends["length"].sum()) / DAY_S
    windows = (
        rows.filter(pl.col("window").is_not_null())
        .group_by("series", "window")
        .agg(pl.col("ts").min().alias("from"), pl.col("ts").max().alias("to"))
        .sort("series", "from")
        .rows()
    )
    inside, delays = set[int](), []
    for series, _, begin, end in windows:
        within = [
            at for at, (of, time_s) in enumerate(told) if of == series and begin <= time_s <= end
        ]
        inside |= set(within)
        if within:
            first_s = min(told[at][1] for at in within)
            delays.append((first_s - begin) / max(end - begin, 1))
    false_alarms = len(told) - len(inside)
    return Told(
        alerts=len(told),
        windows=len(windows),
        caught=len(delays),
        caught_interval=of_share(len(delays), len(windows)),
        false_alarms=false_alarms,
        series_days=days,
        false_interval=of_rate(false_alarms, days),
        delay=float(np.median(delays)) if delays else float("nan"),
    )
