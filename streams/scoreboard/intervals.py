"""Exact 95 % intervals of counts.

References:
    [1] F. Garwood, "Fiducial Limits for the Poisson Distribution", Biometrika 1936.
    [2] C. Clopper, E. Pearson, "The Use of Confidence or Fiducial Limits", Biometrika 1934.
"""

from typing import Final

from scipy.stats import beta, chi2

_TAIL: Final = 0.025

Interval = tuple[float, float]


def of_rate(count: int, exposure: float) -> Interval:
    """Return the interval of a Poisson rate after `count` events in an exposure [1].

    >>> low, high = of_rate(0, 100.0)
    >>> low, round(high, 4)
    (0.0, 0.0369)
    """
    low = float(chi2.ppf(_TAIL, 2 * count)) / 2 if count else 0.0
    return low / exposure, float(chi2.isf(_TAIL, 2 * count + 2)) / 2 / exposure


def of_share(count: int, total: int) -> Interval:
    """Return the interval of a probability after `count` of `total` [2].

    >>> low, high = of_share(14, 14)
    >>> round(low, 3), high
    (0.768, 1.0)
    """
    low = float(beta.ppf(_TAIL, count, total - count + 1)) if count else 0.0
    high = float(beta.isf(_TAIL, count + 1, total - count)) if count < total else 1.0
    return low, high
