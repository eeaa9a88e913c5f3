"""From the score of a forecast to a probability, by what happened at such scores.

References:
    [1] J. Platt, "Probabilistic outputs for support vector machines", 1999.
    [2] H.-T. Lin, C.-J. Lin, R. Weng, "A note on Platt's probabilistic outputs", 2007.
"""

import math
from typing import Final

import numpy as np
import numpy.typing as npt

from models.forecast_model import Calibration

Floats = npt.NDArray[np.float64]
Flags = npt.NDArray[np.bool_]

LEAST_PROBABILITY: Final = 1e-4
"""Nothing is said to be surer than one in ten thousand, either way: no platform's past that we
train on holds enough to know better, and only what has happened has the probability 1."""

KNOTS: Final = 49
"""Points of the curve, 0.38 in log odds apart: between them it is off by 0.0018 at the most, which
is 0.38^2 / 8 times the greatest curvature of a logistic, 0.096."""

LEAST_SLOPE: Final = 1e-3
"""Scores that say nothing, or the contrary, all get nearly the same probability."""

_STEPS_MAX: Final = 100
"""Newton's method needs about ten steps; it stops when a step changes nothing any more."""

_STILL: Final = 1e-12


def calibrate(score: Floats, hit: Flags, weight: Floats) -> Calibration:
    """Return the logistic curve that fits what happened best [1], as points.

    Args:
        score: float[n], log odds as said about what the model was not trained on.
        hit: bool[n], whether it happened. At least one did, and one did not.
        weight: float[n], how much each counts.
    """
    return curve(*_logistic(score, hit, weight))


def curve(slope: float, offset: float) -> Calibration:
    """Return a logistic curve as points: the probability of the log odds slope x score + offset."""
    edge = math.log((1 - LEAST_PROBABILITY) / LEAST_PROBABILITY)
    log_odds = np.linspace(-edge, edge, KNOTS)
    probability = np.clip(1 / (1 + np.exp(-log_odds)), LEAST_PROBABILITY, 1 - LEAST_PROBABILITY)
    return Calibration((log_odds - offset) / slope, probability)


def _logistic(score: Floats, hit: Flags, weight: Floats) -> tuple[float, float]:
    """Return slope and offset of the weighted maximum likelihood, by Newton's method [2]."""
    # The targets are a little off 0 and 1, as if each side had been seen once more [1].
    hits, misses = int(hit.sum()), int((~hit).sum())
    target = np.where(hit, (hits + 1) / (hits + 2), 1 / (misses + 2))
    slope, offset = 1.0, 0.0
    loss = _loss(slope * score + offset, target, weight)
    for _ in range(_STEPS_MAX):
        said = _sigmoid(slope * score + offset)
        error = weight * (said - target)
        curve = weight * said * (1 - said)
        down = (error * score).sum(), error.sum()
        a, b, c = (curve * score**2).sum() + _STILL, (curve * score).sum(), curve.sum() + _STILL
        by = a * c - b * b
        step = (c * down[0] - b * down[1]) / by, (a * down[1] - b * down[0]) / by
        share = 1.0
        while True:
            tried = slope - share * step[0], offset - share * step[1]
            tried_loss = _loss(tried[0] * score + tried[1], target, weight)
            if tried_loss <= loss or share < _STILL:
                break
            share /= 2
        if not tried_loss < loss:
            break
        (slope, offset), loss = tried, tried_loss
    if slope >= LEAST_SLOPE:
        return float(slope), float(offset)
    share_hit = float((weight * target).sum() / weight.sum())
    return LEAST_SLOPE, math.log(share_hit / (1 - share_hit))


def _sigmoid(log_odds: Floats) -> Floats:
    return np.asarray(1 / (1 + np.exp(-np.clip(log_odds, -40, 40))))


def _loss(log_odds: Floats, target: Floats, weight: Floats) -> float:
    return float((weight * (np.logaddexp(0, log_odds) - target * log_odds)).sum())


def log_loss(log_odds: Floats, hit: Flags, weight: Floats) -> float:
    """Return the mean of what the log odds cost: minus the logarithm of what they gave to what was.

    >>> round(log_loss(np.zeros(2), np.array([True, False]), np.ones(2)), 4)
    0.6931
    """
    return _loss(log_odds, hit.astype(np.float64), weight) / float(weight.sum())
