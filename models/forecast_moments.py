"""Which forecasts are kept to learn from, as `stages` tells them to `hotspots`.

A video that is forecast a hundred times teaches hardly more than one that is forecast ten times:
its moments share one outcome. A forecast is kept when it is the first of its episode, when the
video has grown by GROWTH since the one before, counted in steps from LEAST_SHARE of the level, or
when another stretch of STRETCH_MS has begun; and always when the level is reached, which is the
outcome itself. Which one it is follows from the two forecasts alone: nothing more is kept of a
video.

When a platform has more of them than can be learned from, whole videos are left out, by their
number: those that are kept at one thinning are kept at every smaller one. Their outcomes are told
nevertheless, so that what was kept before is not taken for a miss.
"""

from collections.abc import Sequence
from typing import Final

import numpy as np
import numpy.typing as npt

from models.decisions import Decided
from models.forecast_features import FEATURES
from models.forecast_training import video_number
from models.forecasting import LEAST_SHARE
from models.parameters import HOUR_MS, Parameters
from models.transitions import VISIT_MS

Ints = npt.NDArray[np.int64]
Records = npt.NDArray[np.void]
Flags = npt.NDArray[np.bool_]

GROWTH: Final = 1.25
"""Fourteen moments at the most on the way from a twentieth of the level to all of it."""

STRETCH_MS: Final = 6 * HOUR_MS
"""The shortest half-life of the paces that a forecast looks at: sooner they say the same again."""

THINNING_MAX: Final = 62
"""At most one video of 2^62 is kept: as many bits as its number has, but one."""

MOMENT: Final = np.dtype(
    [
        ("bucket", np.int64),
        ("epoch", np.int64),
        ("video", np.int64),
        ("time_ms", np.int64),
        ("episode_ms", np.int64),
        ("progress", np.int64),
        ("first", np.float32),
        ("features", np.float32, (len(FEATURES),)),
    ]
)
"""A forecast to learn from: the bucket and epoch in which it was decided, whose it was
(`forecast_training.video_number`), the event time of the last event that it reflects, when the
episode began (-1 for a video's first), events of the level's action since then, what was said
before anything that was learned in the stream is added, and what it looked at. With as many events
as the level has, it is the moment when that was reached."""


def moments_of(
    videos: Sequence[str | None], decided: Decided, parameters: Parameters, thinning: int
) -> Records:
    """Return the forecasts that are kept: MOMENT[n], in order of bucket.

    Args:
        videos: The keys of videos, by slot.
        decided: What was decided of them.
        parameters: Level, and the lengths of buckets and epochs.
        thinning: One video of 2^thinning is kept.
    """
    made = decided.forecasts
    decisions = decided.decisions[made["decision"]]
    progress, level = decisions["episode_progress"], parameters.level.count
    reached = progress >= level
    visit_ms = max(VISIT_MS, parameters.bucket_ms)
    stretch = made["visit"] * visit_ms // STRETCH_MS
    before = made["before_visit"] * visit_ms // STRETCH_MS
    kept = reached | (stretch != before)
    kept |= _steps(progress, level) != _steps(made["before_progress"], level)
    where = np.flatnonzero(kept)
    slots = decisions["slot"][where].tolist()
    numbers = np.array([video_number(videos[slot] or "") for slot in slots], np.int64)
    chosen = kept_at(numbers, thinning) | reached[where]
    where = where[chosen]
    moments = np.zeros(len(where), MOMENT)
    moments["bucket"] = decisions["bucket"][where]
    moments["epoch"] = decisions["bucket"][where] // (parameters.epoch_ms // parameters.bucket_ms)
    moments["video"] = numbers[chosen]
    moments["time_ms"] = decisions["last_ms"][where]
    moments["episode_ms"] = made["episode_ms"][where]
    moments["progress"] = progress[where]
    moments["first"] = made["first"][where]
    moments["features"] = made["features"][where]
    return moments


def kept_at(numbers: Ints, thinning: int) -> Flags:
    """Return which videos are kept at a thinning: bool[n] for int64[n]."""
    kept: Flags = (numbers & ((1 << thinning) - 1)) == 0
    return kept


def _steps(progress: Ints, level: int) -> Ints:
    """Return how many steps of GROWTH lie behind each number of events."""
    bounds, bound = [], LEAST_SHARE * level
    while bound < level:
        bounds.append(bound)
        bound *= GROWTH
    return np.searchsorted(np.array(bounds), progress, side="right")
