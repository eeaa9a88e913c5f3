"""Alarms of the real pipeline on real stretches in which nothing happened.

Two sets: five-minute counts of tweets outside their labelled windows, and the ordinary half of a
set of uploads, those that never reached a thousand views. All events of a set go through the same
steps as in `hotspots backtest`, hot videos too, since they are part of what is learned.
"""

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from pathlib import Path
from typing import Final

import polars as pl

from models.alerts import AlertType
from models.events import DecodingLimits
from models.parameters import DAY_MS, Parameters
from streams.offline.backtest import Backtest
from streams.scenarios.event_files import read_events
from streams.scoreboard.intervals import Interval, of_rate

RATES: Final = (0.001, 0.01, 0.1, 0.5)
ORDINARY_VIEWS: Final = 1_000
"""The ordinary half: 6 of 10 uploads never had so many views."""
DAY_S: Final = DAY_MS // 1_000
_KEY: Final = b"what is measured is the same every time"

Stretches = Mapping[str, list[tuple[float, float]]]
"""By video: the stretches, in seconds since the epoch, in which nothing happened."""


@dataclass(frozen=True, slots=True)
class Quiet:
    """A set of events, and when its videos are quiet.

    Attributes:
        name: What it is.
        events: File of events (models/events.py).
        stretches: When nothing happened.
    """

    name: str
    events: Path
    stretches: Stretches

    @property
    def video_days(self) -> float:
        """Days of all videos together in which nothing happened."""
        return sum(b - a for spans in self.stretches.values() for a, b in spans) / DAY_S


@dataclass(frozen=True, slots=True)
class QuietAlarms:
    """What the pipeline told of quiet stretches at one setting.

    Attributes:
        name: The set.
        promised: Alarms per video-day, at most.
        count: Stages entered or interrupted in quiet stretches.
        videos: By so many videos.
        video_days: Days of quiet.
        interval: Exact 95 % interval of the rate.
        elsewhere: Told of the rest of the set.
        signals: The count by signal; "none" for an interruption.
    """

    name: str
    promised: float
    count: int
    videos: int
    video_days: float
    interval: Interval
    elsewhere: int
    signals: dict[str, int] = field(default_factory=dict)

    @property
    def rate(self) -> float:
        """Alarms per video-day."""
        return self.count / self.video_days


def tweets(data: Path, events: Path) -> Quiet:
    """Return the tweets outside their labelled windows.

    Args:
        data: Parquet of `series`, `ts` in seconds, `count`, `window` (null outside).
        events: The same as events.
    """
    rows = pl.read_parquet(data).sort("series", "ts")
    # A run of rows in the same window, or in none.
    window = pl.col("window").fill_null(-1)
    run = (window != window.shift(1).over("series")).fill_null(value=True)
    runs = (
        rows.with_columns(run.cum_sum().over("series").alias("run"))
        .filter(pl.col("window").is_null())
        .group_by("series", "run")
        .agg(pl.col("ts").min().alias("from"), pl.col("ts").max().alias("to"))
        .sort("series", "from")
    )
    stretches: dict[str, list[tuple[float, float]]] = {}
    for series, _, begin, end in runs.iter_rows():
        stretches.setdefault(series, []).append((begin, end))
    return Quiet("tweets outside their windows", events, stretches)


def ordinary_uploads(data: Path, events: Path) -> Quiet:
    """Return the uploads that never reached ORDINARY_VIEWS, from upload to last seen.

    Args:
        data: Parquet of `bvid`, `pub_ts` and `snap_ts` in seconds, `view`.
        events: The same as events.
    """
    videos = (
        pl.read_parquet(data)
        .group_by("bvid")
        .agg(pl.col("view").max(), pl.col("pub_ts").min(), pl.col("snap_ts").max())
        .filter(pl.col("view") < ORDINARY_VIEWS)
        .sort("bvid")
    )
    columns = videos.select("bvid", "pub_ts", "snap_ts").iter_rows()
    stretches = {video: [(float(begin), float(end))] for video, begin, end in columns}
    return Quiet(f"uploads that never reached {ORDINARY_VIEWS:,} views", events, stretches)


def measure(quiet: Quiet, parameters: Parameters) -> Iterator[QuietAlarms]:
    """Run the pipeline over a set at each setting."""
    for rate in RATES:
        counts: dict[str, int] = {}
        videos, elsewhere = set[str](), 0
        settings = replace(parameters, alarm_rate_per_video_day=rate)
        for video, time_s, signal in entered(quiet.events, settings):
            spans = quiet.stretches.get(video, [])
            if any(begin <= time_s <= end for begin, end in spans):
                counts[signal] = counts.get(signal, 0) + 1
                videos.add(video)
            else:
                elsewhere += 1
        count = sum(counts.values())
        yield QuietAlarms(
            name=quiet.name,
            promised=rate,
            count=count,
            videos=len(videos),
            video_days=quiet.video_days,
            interval=of_rate(count, quiet.video_days),
            elsewhere=elsewhere,
            signals=dict(sorted(counts.items())),
        )


def entered(events: Path, parameters: Parameters) -> Iterator[tuple[str, float, str]]:
    """Yield video, time in seconds and signal of each stage entered or interrupted."""
    # Events of the past: nothing lies ahead of their receipt.
    last_ms = 1 << 52
    backtest = Backtest(parameters, _KEY, DecodingLimits(), received_ms=last_ms)
    for _, alerts, _ in backtest.run(read_events(events)):
        yield from _of_alerts(alerts)


def _of_alerts(alerts: Iterable[bytes]) -> Iterator[tuple[str, float, str]]:
    for alert in map(json.loads, alerts):
        if alert["type"] == AlertType.STAGE_ENTERED:
            told = alert["data"]
            time_s = datetime.fromisoformat(alert["time"]).timestamp()
            yield told["video_id"], time_s, told["signal"] or "none"
