"""Will it reach the hotspot level within the horizon? An honest baseline, for who has no model.

A logistic regression on five figures that need no training on the platform: how far the level is,
how far the present paces would carry, and how long it has had. It was fitted on the development
halves of two public sets at once (docs/detection.md), on quantities relative to the level, so that
it means the same at 10,000 views as at a million. It forecasts works, and videos towards levels of
actions for which nothing better was learned (models/forecasting.py).
"""

import math
from typing import Final

import numpy as np
import numpy.typing as npt

from models.compiled import compiled
from models.parameters import DAY_MS, HOUR_MS
from models.signal_words import figure, span, strongest

Floats = npt.NDArray[np.float64]

NAME: Final = "baseline:1"
"""What a decision names as the version it was made with."""

COEFFICIENTS: Final = np.array([-2.125, 0.833, 1.510, -1.496, -1.964])
INTERCEPT: Final = 5.386
"""Fitted by weighted maximum likelihood (each video, and each of the two sets, weighs the same)
on 275,590 observations of 17,137 videos before their outcome: uploads towards 10,000 views, the
popular list towards a million. Average precision against views per hour on the same halves: 1.07
and 1.26 times."""

MEANS: Final = (-0.414, -2.076, -2.618, -1.788, 3.221)
"""Of the figures, over what is forecast of the videos of the same two sets, weighted likewise: what
a signal's part in a forecast is held against."""

GREATEST_PROBABILITY: Final = 0.8
"""Above 0.8 the regression is too sure of itself: it said 0.92 and 0.91 where 0.75 and 0.76
happened."""

FAST_HALF_LIFE_MS: Final = 3 * HOUR_MS
SLOW_HALF_LIFE_MS: Final = 24 * HOUR_MS
"""Half-lives of the two paces: a news cycle's hours, and a day, which evens out the daily
rhythm."""

ALL_LEVELS: Final = np.array([*COEFFICIENTS, INTERCEPT, GREATEST_PROBABILITY])
"""The regression as `probability_by` takes it: coefficients, intercept, greatest probability."""

VIEWS_NAME: Final = "baseline:views:2"
VIEWS: Final = np.array(
    [*(-1.037, 2.321, -2.125, 2.046, 1.601, -5.372, 1.0), *(0.311, -0.164, 0.217)]
)
"""The same figures for videos towards levels of views, and the three propensities since publication
(models/forecast_features.py) after the greatest probability: identification, interaction,
diffusion. Fitted on the 153,582 moments at which the videos of the two sets are forecast (from a
twentieth of the level on), half by all of them and half by those that are not amid evenly spread
growth (models/even_growth.py), like what is shipped. Average precision against views per hour, each
half of the videos by what the other half taught, two halvings: 1.21 and 1.30 times; without the
propensities 1.19 and 1.28, and the above makes 1.09 and 1.27. Elsewhere it promises too much (on
the cascades, without propensities, 0.41 of those told of at 0.6 reached the level, by the above
0.56)."""

PROPENSITIES_AT: Final = len(ALL_LEVELS)
"""Where in a regression the coefficients of propensities begin, if it has any."""

PROPENSITY_MEANS: Final = (-2.020, -5.647, -6.354)
"""As MEANS."""

_FLOOR: Final = 1e-4
"""Carries below this share of the level are alike: one view an hour towards 10,000."""


def features(
    progress: Floats, fast_per_hour: Floats, slow_per_hour: Floats, age_ms: Floats, level: int
) -> Floats:
    """Return the figures the forecast is made of.

    Args:
        progress: float[n], events of the level's action so far.
        fast_per_hour: float[n], pace with FAST_HALF_LIFE_MS.
        slow_per_hour: float[n], pace with SLOW_HALF_LIFE_MS.
        age_ms: float[n], since publication.
        level: How many events make a hotspot.

    Returns:
        float[n, len(COEFFICIENTS)]: what is missing, the three paces carried on for a day,
        and age, as logarithms of ratios to the level (age: of hours).
    """
    age_hours = age_ms / HOUR_MS + 1
    missing = np.log(np.maximum(level - progress, 1) / level)

    def carry(per_hour: Floats) -> Floats:
        return np.log(np.maximum(per_hour * (DAY_MS / HOUR_MS) / level, _FLOOR))

    return np.stack(
        [
            missing,
            carry(fast_per_hour),
            carry(slow_per_hour),
            carry(progress / age_hours),
            np.log(age_hours),
        ],
        axis=1,
    )


def probability(
    progress: Floats, fast_per_hour: Floats, slow_per_hour: Floats, age_ms: Floats, level: int
) -> Floats:
    """Return the probability that the level is reached within the horizon; 1 once it is.

    Arguments as in `features`.

    Returns:
        float[n].
    """
    columns = features(progress, fast_per_hour, slow_per_hour, age_ms, level)
    # Summed row by row: a matrix product may round differently for other numbers of rows.
    logit = (columns * COEFFICIENTS).sum(axis=1) + INTERCEPT
    likely = 1 / (1 + np.exp(-np.clip(logit, -30, 30)))
    return np.where(progress >= level, 1.0, np.minimum(likely, GREATEST_PROBABILITY))


@compiled
def probability_of_one(
    progress: int, fast_per_hour: float, slow_per_hour: float, age_ms: int, level: int
) -> float:
    """Return `probability` of one video or work, up to rounding: numpy's logarithms are its own."""
    return probability_by(ALL_LEVELS, progress, fast_per_hour, slow_per_hour, age_ms, level, 0.0)


@compiled
def probability_by(
    regression: Floats,
    progress: int,
    fast_per_hour: float,
    slow_per_hour: float,
    age_ms: int,
    level: int,
    by_propensities: float,
) -> float:
    """Return what a regression says of one video.

    Args:
        regression: float[7] or more, as ALL_LEVELS or VIEWS.
        progress: Events of the level's action so far.
        fast_per_hour: Pace with FAST_HALF_LIFE_MS.
        slow_per_hour: Pace with SLOW_HALF_LIFE_MS.
        age_ms: Since publication.
        level: How many events make a hotspot.
        by_propensities: What these add, in log odds.
    """
    if progress >= level:
        return 1.0
    age_hours = age_ms / HOUR_MS + 1
    day = DAY_MS / HOUR_MS / level
    logit = (
        regression[5]
        + by_propensities
        + regression[0] * math.log(max(level - progress, 1) / level)
        + regression[1] * math.log(max(fast_per_hour * day, _FLOOR))
        + regression[2] * math.log(max(slow_per_hour * day, _FLOOR))
        + regression[3] * math.log(max(progress / age_hours * day, _FLOOR))
        + regression[4] * math.log(age_hours)
    )
    likely = 1 / (1 + math.exp(-min(max(logit, -30.0), 30.0)))
    said: float = min(likely, regression[6])
    return said


def signals(
    progress: int,
    fast_per_hour: float,
    slow_per_hour: float,
    age_ms: int,
    level: int,
    regression: Floats = ALL_LEVELS,
) -> list[str]:
    """Return what spoke for a forecast, the strongest first, in words; arguments as `features`."""
    added, told = parts(progress, fast_per_hour, slow_per_hour, age_ms, level, regression)
    return [told[at] for at in strongest(added)]


def parts(
    progress: int,
    fast_per_hour: float,
    slow_per_hour: float,
    age_ms: int,
    level: int,
    regression: Floats,
) -> tuple[Floats, list[str]]:
    """Return what each figure adds to a forecast, in log odds, and the figures in words.

    What a figure adds is its coefficient times how far it lies from the mean.
    """
    given = np.array([[progress], [fast_per_hour], [slow_per_hour], [age_ms]], np.float64)
    found = features(given[0], given[1], given[2], given[3], level)[0]
    added = regression[: len(MEANS)] * (found - MEANS)
    ratio = np.exp(found)
    told = [
        f"{figure(100 * min(progress / level, 1))} % of the level reached",
        f"growing in the last 3 hours by {figure(100 * ratio[1])} % of the level a day",
        f"growing in the last day by {figure(100 * ratio[2])} % of the level a day",
        f"growing since it began by {figure(100 * ratio[3])} % of the level a day",
        f"it began {span(ratio[4] - 1)} ago",
    ]
    return added, told
