"""Bursts of a series that has always been loud, held against the tail of its own past.

The rules of models/transitions.py ask whether a video becomes a hotspot; a series with a steady
audience never does, and still has hours that stand out. Of each signal the last hour's people are
counted with an exponential kernel and set in proportion to the mean of the last day. How far this
growth reaches beyond its own 98 % point is, for all tails that are like a power law, exponential
with Hill's mean [1, 2]: peaks over a threshold, followed in a stream [3]. A burst is an hour such
as the series' own past brings once in so many days, the *return period*.

The null is composite: whatever the series does, over-dispersed, bursty, with its daily rhythm, as
long as its tail is that of its last week or so. Neighbouring visits share their hour, so a day
holds as many looks as hours [4]. What is promised is a rate, not an anytime-valid level: the tail
is estimated. docs/detectors.md has what was measured.

References:
    [1] B. Hill, "A Simple General Approach to Inference About the Tail of a Distribution", 1975.
    [2] I. Weissman, "Estimation of parameters and large quantiles based on the k largest
        observations", JASA 1978.
    [3] A. Siffer et al., "Anomaly Detection in Streams with Extreme Value Theory", KDD 2017.
    [4] R. Leadbetter, "Extremes and local dependence in stationary sequences", 1983.
    [5] H. Robbins, S. Monro, "A Stochastic Approximation Method", 1951.
"""

import math
from typing import Any, Final

import numpy as np

from models.compiled import compiled
from models.parameters import DAY_MS, HOUR_MS, MINUTE_MS

Burst = Any
"""One record of BURST, in place."""

VISIT_MS: Final = 5 * MINUTE_MS
"""The length of a visit; that of models/transitions.py, which is above this file."""

VISITS_PER_DAY: Final = DAY_MS // VISIT_MS
HOUR_VISITS: Final = HOUR_MS // VISIT_MS
"""The time constant of the kernel. Of 5, 15, 30, 60, 120 and 180 minutes all caught the labelled
bursts of the development data with fewer false alarms than an EWMA; an hour smooths away single
visits and is still sooner told than two."""

_KEEP_RECENT: Final = 1 - 1 / HOUR_VISITS
_KEEP_DAY: Final = 0.5 ** (1 / VISITS_PER_DAY)
"""The mean is that of the last day or so, over the daily rhythm, as
transitions.OWN_HALF_LIFE_MS."""
_KEEP_WEEK: Final = 0.5 ** (1 / (7 * VISITS_PER_DAY))
"""The tail is that of the last week or so, as cohort_learning.HALF_LIFE_MS: the shortest span that
holds every day of the week."""

TAIL: Final = 0.02
"""Share of visits that belong to the tail: beyond their 98 % point, as in [3], section 4."""

TAIL_MEAN: Final = 0.7
"""Mean of the logarithmic excess before there is a past, worth a day of visits: the reciprocal of
the tail's exponent, the geometric middle of the 3 to 0.7 of cohort_learning.TAIL_RATIO."""

LEAST_TAIL_MEAN: Final = 0.1
"""An exponent beyond 10 is no power law any more: a past without any burst tells no more than
that."""

FIRST_BOUND: Final = 3.0
"""The 98 % point of growth before there is a past: three times the mean, the middle one of
evidence.ALTERNATIVES."""

PAST_VISITS: Final = 3 * VISITS_PER_DAY
"""From this age on a series has a past; before, what it did an hour ago is the rise under test, as
cohorts.AGE_BANDS_H says of videos."""

LEAST_ACTIVE: Final = 1 / HOUR_VISITS
"""A series that is counted less than once an hour says nothing about its hours: so it is with
counters that are read every few hours."""

LONGEST_SILENCE_VISITS: Final = VISITS_PER_DAY
"""After a day of silence a series begins anew: it has been loud, but is not so any more."""

REARM_VISITS: Final = VISITS_PER_DAY // 2
"""An episode ends, and the next may be told, half a day after the last hour that was beyond the
return period: the nearest that the daily rhythm brings the same hours back without it."""

NO_VISIT: Final = -1
"""Stands for a visit that has not been."""

BURST: Final = np.dtype(
    [
        ("first_visit", np.int32),
        ("visit", np.int32),
        ("last_beyond", np.int32),
        ("count", np.float32),
        ("recent", np.float32),
        ("mean", np.float32),
        ("active", np.float32),
        ("weight", np.float32),
        ("bound", np.float32),
        ("excess", np.float32),
        ("excess_weight", np.float32),
    ]
)
"""What is kept of one series. `visit` is the one that goes on, `count` what it brought so far;
`recent` the kernel before it, `mean` and `active` sums of events and of visits with any, faded over
a day, `weight` of visits; `bound` the growth at which the tail begins, `excess` and `excess_weight`
sum (of logarithms) and number beyond it, faded over a week. Bit for bit zero is a series that has
not begun: see `begin`."""


@compiled
def begin(burst: Burst) -> None:
    """Begin a series without a past, in place."""
    burst.first_visit = burst.visit = burst.last_beyond = NO_VISIT
    burst.count = burst.recent = 0.0
    burst.mean = burst.active = burst.weight = 0.0
    burst.bound = FIRST_BOUND
    burst.excess = burst.excess_weight = 0.0


@compiled
def observe(burst: Burst, visit: int, came: float) -> None:
    """Add what came to the visit that goes on, or begin it; in place.

    Args:
        burst: The series.
        visit: Number of the visit (event time // VISIT_MS), never lower than before.
        came: Events, or people, at least 0; a visit may be added to many times.
    """
    if burst.visit != NO_VISIT and visit - burst.visit > LONGEST_SILENCE_VISITS:
        begin(burst)
    if burst.visit == NO_VISIT:
        burst.first_visit = burst.visit = visit
    while burst.visit < visit:
        _close(burst)
    burst.count += came


@compiled
def hours_of(burst: Burst) -> tuple[float, float]:
    """Return the events of the hour so far, and those of an hour of the last day in the mean."""
    hour = burst.recent * _KEEP_RECENT + burst.count
    mean = (burst.mean + 1 - _KEEP_DAY) / (burst.weight + 1 - _KEEP_DAY)
    return hour, mean * HOUR_VISITS


@compiled
def _growth(burst: Burst) -> float:
    """Return the hour so far over the hours of the last day."""
    # One event is added on both sides: growth from nothing is not infinite.
    hour, mean_hour = hours_of(burst)
    growth: float = (hour + 1) / (mean_hour + 1)
    return growth


@compiled
def _tail_mean(burst: Burst) -> float:
    """Return the mean excess beyond the bound: Hill's estimate, drawn towards TAIL_MEAN."""
    prior = TAIL * (1 - _KEEP_WEEK) * VISITS_PER_DAY
    mean = (burst.excess + TAIL_MEAN * prior) / (burst.excess_weight + prior)
    drawn: float = max(mean, LEAST_TAIL_MEAN)
    return drawn


@compiled
def _close(burst: Burst) -> None:
    """Let the visit that goes on become past, and begin the next; in place."""
    growth = _growth(burst)
    # The gain that is optimal for the density of such a tail at its beginning, TAIL / mean [5].
    gain = (1 - _KEEP_WEEK) * _tail_mean(burst) / TAIL
    burst.excess *= _KEEP_WEEK
    burst.excess_weight *= _KEEP_WEEK
    if growth > burst.bound:
        # Only here a logarithm is taken: this is done for every visit of every watched video.
        burst.excess += (1 - _KEEP_WEEK) * math.log(growth / burst.bound)
        burst.excess_weight += 1 - _KEEP_WEEK
        burst.bound *= 1 + gain
    burst.bound *= 1 - gain * TAIL
    burst.recent = burst.recent * _KEEP_RECENT + burst.count
    burst.mean = burst.mean * _KEEP_DAY + (1 - _KEEP_DAY) * burst.count
    burst.active = burst.active * _KEEP_DAY + (1 - _KEEP_DAY) * (burst.count > 0)
    burst.weight = burst.weight * _KEEP_DAY + 1 - _KEEP_DAY
    burst.count = 0.0
    burst.visit += 1


@compiled
def has_past(burst: Burst) -> bool:
    """Tell whether a series has a past that its hours can be held against."""
    if burst.visit - burst.first_visit < PAST_VISITS:
        return False
    dense: bool = burst.active >= LEAST_ACTIVE * burst.weight
    return dense


@compiled
def log_return_days(burst: Burst) -> float:
    """Return the logarithm of the return period, in days, of the hour that goes on.

    It only grows while a visit goes on, so that looking before its end tells nothing too much.
    """
    beyond: float = math.log(_growth(burst) / burst.bound) / _tail_mean(burst)
    return beyond - math.log(TAIL * VISITS_PER_DAY / HOUR_VISITS)


@compiled
def begins(burst: Burst, return_days: float) -> bool:
    """Tell whether a burst begins with the visit as it is so far, and remember it; in place.

    Args:
        burst: The series, after `observe`.
        return_days: How rare an hour must be: such as came once in so many days.
    """
    # An hour below the mean of its day is no burst, and most hours are: they take no logarithm.
    if not has_past(burst) or _growth(burst) <= 1:
        return False
    if log_return_days(burst) < math.log(return_days):
        return False
    armed = burst.last_beyond == NO_VISIT or burst.visit - burst.last_beyond >= REARM_VISITS
    burst.last_beyond = burst.visit
    told: bool = armed
    return told
