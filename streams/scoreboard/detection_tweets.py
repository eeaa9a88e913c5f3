"""Bursts of one action, on tweets with labelled windows: windows caught, against false alarms.

Each detector says one statistic a visit; its threshold is swept, and at every number of windows
caught the fewest false alarms count. An alarm outside all windows is false.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
import numpy.typing as npt
import polars as pl

from models.bursts import REARM_VISITS
from models.detectors.contract import Detector, alarms, run
from models.detectors.e_detector import Intensity
from models.detectors.kleinberg import Kleinberg
from models.detectors.mastodon import Mastodon
from models.detectors.page_hinkley import PageHinkley
from models.detectors.return_period import ReturnPeriod
from models.detectors.social_listening import SocialListening
from models.detectors.z_score import ZScore
from models.null_streams import SHAPE, VISITS_PER_DAY

DAY_S: Final = 86_400
REARM_AFTER_AN_HOUR: Final = 12
"""The z-score's customary silence, in visits."""
THRESHOLDS: Final = 400
"""Thresholds of the sweep, at equal steps of rank among the visits with the greatest statistic."""
TOP_SHARE: Final = 0.08
"""The sweep looks at this upper share of visits: lower thresholds alarm all day."""

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Labelled:
    """One series of counts.

    Attributes:
        name: The series.
        counts: float[visits].
        window: int[visits], the labelled window that a visit lies in, or -1.
    """

    name: str
    counts: Floats
    window: npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Point:
    """What a threshold brings: windows caught, and false alarms per series and day."""

    threshold: float
    caught: int
    false_per_day: float


@dataclass(frozen=True, slots=True)
class Curve:
    """The sweep of one detector.

    Attributes:
        detector: Its name.
        points: By threshold, rising.
    """

    detector: str
    points: list[Point]

    def fewest_false(self, caught: int) -> float:
        """Return the fewest false alarms at which so many windows are caught; inf if never."""
        return min((p.false_per_day for p in self.points if p.caught >= caught), default=np.inf)


def read(data: Path) -> list[Labelled]:
    """Read parquet of `series`, `ts`, `count`, `window` (null outside)."""
    rows = pl.read_parquet(data).sort("series", "ts")
    return [
        Labelled(
            str(series),
            part["count"].cast(pl.Float64).to_numpy(),
            part["window"].fill_null(-1).cast(pl.Int64).to_numpy(),
        )
        for (series,), part in rows.group_by("series", maintain_order=True)
    ]


def windows_of(series: Sequence[Labelled]) -> int:
    """Return how many windows are labelled."""
    return sum(len(np.unique(one.window[one.window >= 0])) for one in series)


def statistics(detector: Detector, series: Sequence[Labelled]) -> list[Floats]:
    """Return a detector's statistic on each series, of whatever length."""
    return [run(detector, one.counts[None], one.counts[None])[0] for one in series]


def judge(
    series: Sequence[Labelled], statistic: Sequence[Floats], threshold: float, rearm_visits: int
) -> Point:
    """Return what a threshold brings."""
    caught = false = 0
    days = sum(len(one.counts) for one in series) / VISITS_PER_DAY
    for one, seen in zip(series, statistic, strict=True):
        told = alarms(seen[None], threshold, rearm_visits)[0]
        inside = one.window[told]
        caught += len(np.unique(inside[inside >= 0]))
        false += int((inside < 0).sum())
    return Point(threshold, caught, false / days)


def sweep(detector: Detector, series: Sequence[Labelled], rearm_visits: int, name: str) -> Curve:
    """Return the curve of one detector."""
    statistic = statistics(detector, series)
    everything = np.sort(np.concatenate(statistic))
    looked_at = everything[-int(TOP_SHARE * len(everything)) :]
    finite = looked_at[np.isfinite(looked_at)]
    # Steps of rank double towards the top, where one alarm more or less counts.
    ranks = np.unique(np.geomspace(1, len(finite), THRESHOLDS).astype(int))
    points = [judge(series, statistic, float(finite[-rank]), rearm_visits) for rank in ranks]
    return Curve(name, points)


def curves(series: Sequence[Labelled]) -> list[Curve]:
    """Sweep every detector over the series, those that need a mean with that of all series."""
    mean = float(np.mean([one.counts.mean() for one in series]))
    ours = ReturnPeriod()
    score = ZScore()
    listed: list[tuple[Detector, int, str]] = [
        (ours, REARM_VISITS, "bursts (ours)"),
        (score, REARM_AFTER_AN_HOUR, "EWMA z-score, silent for an hour"),
        (score, REARM_VISITS, "EWMA z-score, silent for half a day"),
        (Intensity(mean, SHAPE), REARM_VISITS, "e-detector, one null for all series"),
        (Kleinberg(mean), REARM_VISITS, "Kleinberg, one base for all series"),
        (PageHinkley(mean / 2), REARM_VISITS, "Page-Hinkley"),
        (SocialListening(), REARM_VISITS, "mean24h > mean7d + k sd"),
        (Mastodon(), REARM_VISITS, "Mastodon"),
    ]
    return [sweep(detector, series, rearm, name) for detector, rearm, name in listed]
