"""Who told first: alerts and stages beside a platform's badges and beside another platform's board.

An alert counts from the observation that follows it, a badge from the reading of the list that
shows it first: both lists are read once a day, so an hour more or less means nothing.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
import numpy.typing as npt
import polars as pl

from models.parameters import Level, Parameters
from streams.scoreboard.detection_quiet import entered
from streams.scoreboard.forecast_sets import HOUR_S, LEAD_IN_S, MILLION
from streams.scoreboard.intervals import Interval, of_share

ALERT: Final = "an alert of emerging"
STAGE: Final = "a stage"
BADGES: Final = (("likes", "点赞"), ("shares", "分享"), ("soaring", "人气飙升"))
"""Name of a badge, and the text by which the popular list shows it."""

_ROUNDS: Final = 400
_SEED: Final = 7

Floats = npt.NDArray[np.float64]
Times = Mapping[str, float]


@dataclass(frozen=True, slots=True)
class Order:
    """What we told, beside what somebody else showed.

    Attributes:
        shown: What was shown.
        told: What we told.
        videos: Shown of so many videos or works.
        told_of: Of so many of them we told something.
        before: Of those, so many before it was shown.
        after: So many after it was shown; the others at the same reading.
        lead_h: Median of hours by which we came first, of those told of; nan when there are none.
        interval_h: Its 95 % interval by bootstrap.
    """

    shown: str
    told: str
    videos: int
    told_of: int
    before: int
    after: int
    lead_h: float
    interval_h: Interval

    @property
    def share_before(self) -> tuple[float, Interval]:
        """Return the share of all that were shown that we told of before, with its interval."""
        return self.before / max(self.videos, 1), of_share(self.before, self.videos)


def order(shown: str, told: str, shown_s: Times, told_s: Times) -> Order:
    """Compare two times of each video or work.

    Args:
        shown: What was shown.
        told: What we told.
        shown_s: When, in seconds.
        told_s: When we told, in seconds.
    """
    both = sorted(shown_s.keys() & told_s.keys())
    lead_h = np.array([(shown_s[one] - told_s[one]) / HOUR_S for one in both])
    return Order(
        shown=shown,
        told=told,
        videos=len(shown_s),
        told_of=len(both),
        before=int((lead_h > 0).sum()),
        after=int((lead_h < 0).sum()),
        lead_h=float(np.median(lead_h)) if len(lead_h) else float("nan"),
        interval_h=median_interval(lead_h),
    )


def median_interval(values: Floats) -> Interval:
    """Return the 95 % interval of a median, by bootstrap; nan when there is nothing."""
    if not len(values):
        return float("nan"), float("nan")
    random = np.random.default_rng(_SEED)
    drawn = random.choice(values, (_ROUNDS, len(values)))
    low, high = np.percentile(np.median(drawn, axis=1), [2.5, 97.5])
    return float(low), float(high)


def beside_badges(data: Path, told_s: Times) -> Iterator[Order]:
    """Compare alerts and stages with the badges of a popular list.

    Args:
        data: The directory of the sets: `popular.parquet` with `rcmd_reason`, `popular.jsonl`.
        told_s: When an alert was raised of a video, in seconds.
    """
    rows = pl.read_parquet(data / "popular.parquet").sort("snap_ts")
    first_s = float(rows["snap_ts"].to_numpy()[0]) + LEAD_IN_S
    stages_s: dict[str, float] = {}
    parameters = Parameters(level=Level("view", MILLION))
    for video, time_s, signal in entered(data / "popular.jsonl", parameters):
        if signal != "none":
            stages_s.setdefault(video, time_s)
    told = {ALERT: known_from(rows, told_s), STAGE: known_from(rows, stages_s)}
    # What was on the list at its first readings may have had its badge for days.
    new = rows.group_by("bvid").agg(pl.col("snap_ts").min()).filter(pl.col("snap_ts") > first_s)
    for badge, text in BADGES:
        shown = (
            rows.filter(pl.col("rcmd_reason").fill_null("").str.contains(text))
            .join(new.select("bvid"), on="bvid", how="semi")
            .group_by("bvid")
            .agg(pl.col("snap_ts").min().cast(pl.Float64))
        )
        for name, times_s in told.items():
            yield order(badge, name, dict(shown.iter_rows()), times_s)


def known_from(rows: pl.DataFrame, told_s: Times) -> dict[str, float]:
    """Return the observation from which on what was told of a video could be known."""
    known: dict[str, float] = {}
    for (video,), part in rows.group_by("bvid"):
        at_s = told_s.get(str(video))
        if at_s is not None:
            seen = part["snap_ts"].sort().to_numpy()
            after = seen[seen >= at_s]
            known[str(video)] = float(after[0]) if len(after) else at_s
    return known


def beside_board(data: Path, told_s: Times) -> Order:
    """Compare alerts with another platform's board, for works that were first published here.

    A work is told of when the first video with its title in 《》 is.

    Args:
        data: The directory of the sets: `works.parquet` with `work`, `first_bili_pub_ts` and
            `first_weibo_ts`, `popular.parquet` with `title`.
        told_s: When an alert was raised of a video, in seconds.
    """
    works = pl.read_parquet(data / "works.parquet").filter(
        pl.col("first_weibo_ts") > pl.col("first_bili_pub_ts")
    )
    rows = pl.read_parquet(data / "popular.parquet").sort("snap_ts")
    known_s = known_from(rows, told_s)
    titles: Sequence[tuple[str, str]] = rows.select("bvid", "title").unique().rows()
    works_s: dict[str, float] = {}
    for work in works["work"].to_list():
        of_work = [known_s[v] for v, title in titles if f"《{work}》" in title and v in known_s]
        if of_work:
            works_s[work] = min(of_work)
    shown = works.select("work", pl.col("first_weibo_ts").cast(pl.Float64))
    return order("Weibo's board", ALERT, dict(shown.iter_rows()), works_s)
