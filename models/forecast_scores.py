"""How good forecasts were: each video by the highest that was said before its outcome.

References:
    [1] B. Efron, "Bootstrap methods: another look at the jackknife", 1979.
    [2] E. B. Wilson, "Probable inference, the law of succession, and statistical inference", 1927.
"""

from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Flags = npt.NDArray[np.bool_]
Interval = tuple[float, float]

ROUNDS: Final = 400
"""Of the bootstrap: its 2.5 % ends are then ten values from the outermost."""

_SEED: Final = 7
"""Any: the same videos give the same intervals."""

_95_PERCENT: Final = 1.959964
"""Of a normal distribution, this many standard deviations to both sides."""

EDGES: Final = (0.0, 0.05, 0.2, 0.4, 0.6, 0.8, 1.0)
"""Between which probabilities what was promised is held against what happened."""

_DIGITS: Final = 4
"""Of figures that are kept: the intervals are far wider."""


@dataclass(frozen=True, slots=True)
class Bin:
    """Forecasts between two probabilities: what they promised on average, and what happened."""

    promised: float
    happened: float
    interval: Interval
    videos: int

    def off_by(self) -> float:
        """Return how far what was promised lies outside of the 95 % interval of what happened."""
        low, high = self.interval
        return max(low - self.promised, self.promised - high, 0.0)


@dataclass(frozen=True, slots=True)
class Alerts:
    """Which videos would have been told of, from some score on."""

    videos: int
    hits: int
    hits_of_all: int

    @property
    def precision(self) -> float:
        """Return the share of the told that reached the level; 0 when none was told."""
        return self.hits / self.videos if self.videos else 0.0

    @property
    def recall(self) -> float:
        """Return the share of those that reached the level that was told."""
        return self.hits / self.hits_of_all if self.hits_of_all else 0.0


@dataclass(frozen=True, slots=True)
class Scores:
    """Forecasts held against a rival's ranking of the same videos.

    Attributes:
        videos: How many were judged.
        hits: How many of them reached the level.
        average_precision: Of the forecasts, with its 95 % interval.
        rival: The same of the rival.
        ratio: The one over the other.
        alerts: With the forecasts, at the alert threshold.
        rival_alerts: As many, with the rival.
        calibration: For some name of when (such as "6 h"), what was promised and what happened.
    """

    videos: int
    hits: int
    average_precision: tuple[float, Interval]
    rival: tuple[float, Interval]
    ratio: tuple[float, Interval]
    alerts: Alerts
    rival_alerts: Alerts
    calibration: dict[str, list[Bin]]

    def to_dict(self) -> dict[str, Any]:
        """Return what the model's file keeps of them."""
        return {
            "videos": self.videos,
            "hits": self.hits,
            "average_precision": _kept(self.average_precision),
            "views_per_hour": _kept(self.rival),
            "ratio": _kept(self.ratio),
            "alerts": self.alerts.videos,
            "alerts_hit": self.alerts.hits,
            "views_per_hour_hit": self.rival_alerts.hits,
            "calibration": {
                when: [
                    [round(one.promised, _DIGITS), round(one.happened, _DIGITS), one.videos]
                    for one in bins
                ]
                for when, bins in self.calibration.items()
            },
        }


def _kept(found: tuple[float, Interval]) -> list[float]:
    value, (low, high) = found
    return [round(number, _DIGITS) for number in (value, low, high)]


def average_precision(score: Floats, hit: Flags) -> float:
    """Return the mean, over the hits, of the precision down to each; 0 without a hit.

    >>> average_precision(np.array([0.9, 0.8, 0.1]), np.array([True, False, True]))
    0.8333333333333333
    """
    if not hit.any():
        return 0.0
    places = np.flatnonzero(hit[np.argsort(-score, kind="stable")]) + 1
    return float((np.arange(1, len(places) + 1) / places).mean())


def judge(
    said: Floats,
    rival: Floats,
    hit: Flags,
    *,
    threshold: float,
    in_force: dict[str, tuple[Floats, Flags]],
) -> Scores:
    """Score forecasts.

    Args:
        said: float[n], the highest probability said of each video before its outcome.
        rival: float[n], the highest score of the rival.
        hit: bool[n], whether it reached the level.
        threshold: From which probability on an alert is raised.
        in_force: By a name of when: the probabilities in force then of the videos that had not
            reached the level, and whether they did later.
    """
    found = np.zeros((ROUNDS, 3))
    random = np.random.default_rng(_SEED)
    for number in range(ROUNDS):
        drawn = random.integers(0, len(hit), len(hit))
        ours = average_precision(said[drawn], hit[drawn])
        theirs = average_precision(rival[drawn], hit[drawn])
        found[number] = ours, theirs, ours / theirs if theirs else np.nan
    ours, theirs = average_precision(said, hit), average_precision(rival, hit)
    told = said >= threshold
    rival_told = np.zeros(len(hit), np.bool_)
    rival_told[np.argsort(-rival, kind="stable")[: told.sum()]] = True
    return Scores(
        videos=len(hit),
        hits=int(hit.sum()),
        average_precision=(ours, _interval(found[:, 0])),
        rival=(theirs, _interval(found[:, 1])),
        ratio=(ours / theirs if theirs else float("nan"), _interval(found[:, 2])),
        alerts=_alerts(told, hit),
        rival_alerts=_alerts(rival_told, hit),
        calibration={when: bins(*what) for when, what in in_force.items()},
    )


def _interval(found: Floats) -> Interval:
    low, high = np.nanpercentile(found, [2.5, 97.5])
    return float(low), float(high)


def _alerts(told: Flags, hit: Flags) -> Alerts:
    return Alerts(int(told.sum()), int(hit[told].sum()), int(hit.sum()))


def bins(probability: Floats, hit: Flags) -> list[Bin]:
    """Return what was promised and what happened, between EDGES, where there is anything."""
    found = []
    which = np.clip(np.searchsorted(EDGES, probability, side="right") - 1, 0, len(EDGES) - 2)
    for at in range(len(EDGES) - 1):
        here = which == at
        if here.any():
            promised, happened = float(probability[here].mean()), float(hit[here].mean())
            count = int(here.sum())
            found.append(Bin(promised, happened, share_interval(happened, count), count))
    return found


def share_interval(share: float, count: int) -> Interval:
    """Return the 95 % interval of a probability after a share of `count` trials [2].

    >>> low, high = share_interval(0.5, 100)
    >>> round(low, 3), round(high, 3)
    (0.404, 0.596)
    """
    square = _95_PERCENT**2
    middle = (share + square / (2 * count)) / (1 + square / count)
    reach = _95_PERCENT / (1 + square / count)
    reach *= (share * (1 - share) / count + square / (4 * count * count)) ** 0.5
    return max(middle - reach, 0.0), min(middle + reach, 1.0)
