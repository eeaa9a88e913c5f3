"""What every detector is: columns of a visit in, a statistic out, its state in the open.

A detector sees the visits (models/transitions.py) of many series at once. What it remembers of them
is an array with one row per series that the caller holds, so that a stream can keep it, save it and
move it. The statistic is larger the more speaks for a rise; an alarm is a statistic above a
threshold, and re-arming is the same for all (`alarms`).
"""

import math
from typing import Any, Final, Protocol

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Mask = npt.NDArray[np.bool_]
State = npt.NDArray[Any]
"""[series] or [series, columns]: what a detector remembers, changed in place."""

LEAST_ALARMS: Final = 10
"""Alarms behind a calibrated threshold: a rate from ten is known to about a third."""


class Detector(Protocol):
    """Something that watches series of counts for a rise."""

    @property
    def name(self) -> str:
        """The name by which tables call it."""

    def begin(self, series: int) -> State:
        """Return the state of so many series of which nothing is known."""

    def step(self, state: State, counts: Floats, exposures: Floats) -> Floats:
        """Take one visit of every series, and return the statistic after it.

        Args:
            state: What `begin` returned; changed in place.
            counts: float[series], events of the visit, at least 0.
            exposures: float[series], views of the visit; some detectors do without.

        Returns:
            float[series]; -inf where nothing can be said yet.
        """


def run(detector: Detector, counts: Floats, exposures: Floats) -> Floats:
    """Return the statistic (float[series, visits]) of whole series of the same shape.

    Raises:
        ValueError: The two differ in shape.
    """
    if counts.shape != exposures.shape:
        raise ValueError(f"counts are {counts.shape}, exposures {exposures.shape}")
    state = detector.begin(len(counts))
    statistic = np.empty_like(counts)
    # Rows of the transposed arrays lie together: a step reads all series of one visit.
    came, shown = np.ascontiguousarray(counts.T), np.ascontiguousarray(exposures.T)
    for visit in range(counts.shape[1]):
        statistic[:, visit] = detector.step(state, came[visit], shown[visit])
    return statistic


def alarms(statistic: Floats, threshold: float, rearm_visits: int) -> Mask:
    """Return where a statistic (float[series, visits]) alarms: above the threshold, and armed.

    After an alarm a series says nothing for `rearm_visits` visits, itself included.

    >>> alarms(np.array([[0.0, 2.0, 3.0, 2.0]]), 1.0, 2)
    array([[False,  True, False,  True]])
    """
    above = statistic > threshold
    told = np.zeros(statistic.shape, bool)
    armed_from = np.zeros(len(statistic), np.int64)
    for visit in np.flatnonzero(above.any(axis=0)):
        told[:, visit] = above[:, visit] & (armed_from <= visit)
        armed_from[told[:, visit]] = visit + rearm_visits
    return told


def first_alarm(statistic: Floats, threshold: float) -> npt.NDArray[np.int64]:
    """Return the visit of each series' first alarm (int[series]); the number of visits for none.

    >>> first_alarm(np.array([[0.0, 2.0], [0.0, 0.0]]), 1.0)
    array([1, 2])
    """
    above = statistic > threshold
    first: npt.NDArray[np.int64] = np.where(
        above.any(axis=1), above.argmax(axis=1), statistic.shape[1]
    )
    return first


def threshold_for(statistic: Floats, rate_per_visit: float) -> float:
    """Return the threshold at which null series alarm at a rate: first alarms per visit watched.

    First alarms are counted because they need no rule of re-arming: with a constant hazard h,
    the share of series with none after n visits is exp(-h n).

    Args:
        statistic: float[series, visits] under the null, the detector's warm-up left out.
        rate_per_visit: Greater than 0.

    Raises:
        ValueError: There are too few series to see so small a rate.
    """
    series, visits = statistic.shape
    share = -math.expm1(-rate_per_visit * visits)
    if share * series < LEAST_ALARMS:
        raise ValueError(f"{series} series of {visits} visits are too few for {rate_per_visit:g}")
    # Without interpolation: a detector that never fires has a threshold of -inf, not of nan.
    return float(np.quantile(statistic.max(axis=1), 1 - share, method="higher"))
