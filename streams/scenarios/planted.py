"""The shape of what is planted: propensities that climb at a known time."""

from typing import Final

import numpy as np
import numpy.typing as npt

from models.parameters import HOUR_MS, MINUTE_MS
from models.vocabulary import Signal
from streams.scenarios import figures as f
from streams.scenarios.arrivals import slot_times_ms
from streams.scenarios.ordinary import reach_factor

RAMP_MS: Final = 40 * MINUTE_MS
"""How long a propensity takes to climb; the planted time is its middle."""

BEFORE: Final = 0.8
"""What a video shows before a stage is planted, relative to the median of its cohort."""

Floats = npt.NDArray[np.float64]


def ramp(time_ms: int) -> Floats:
    """Return float[SLOTS], 0 before the climb around `time_ms` and 1 after it."""
    middle_ms = slot_times_ms() + f.SLOT_MS / 2
    return np.clip((middle_ms - (time_ms - RAMP_MS / 2)) / RAMP_MS, 0.0, 1.0)


def median_propensity(platform: str, views: float) -> Floats:
    """Return float[4]: the median of ordinary videos of that platform and reach."""
    middle = np.array([f.PROPENSITY_QUANTILES[s][f.QUANTILES == 0.5][0] for s in Signal])
    middle = middle * reach_factor(np.array([views]))[:, 0]
    if platform != f.BILIBILI:
        middle[Signal.IDENTIFICATION] *= f.IDENTIFICATION_ELSEWHERE
    return np.asarray(middle)


def hours(number: float) -> int:
    """Return so many hours in ms."""
    return round(number * HOUR_MS)
