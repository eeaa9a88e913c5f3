"""Which of many e-values to believe at once: the e-Benjamini-Hochberg procedure.

Among what it rejects the expected share of true nulls is at most the level, however the e-values
depend on each other: videos share viewers, days and fashions, and nothing need be known of that.

It takes e-values, one per hypothesis with an expectation of at most 1 under its null. The running
value of an e-detector (models/evidence.py) is none: its expectation grows with time. An e-value of
a stretch is the mean over the alternatives of the product of the likelihood ratios in it, begun at
1 where the stretch begins, and taken where it ends: `of_stretch`.

References:
    [1] R. Wang, A. Ramdas, "False discovery rate control with e-values", JRSS B 2022, theorem 2.
    [2] J. Shin, A. Ramdas, A. Rinaldo, "E-detectors", 2022.
"""

import math

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Mask = npt.NDArray[np.bool_]


def of_stretch(log_ratios: Floats) -> Floats:
    """Return the logarithms of the e-values of a stretch, one per hypothesis.

    Args:
        log_ratios: float[hypotheses, alternatives], sums over the stretch of the logarithms of each
            alternative's likelihood ratio to the null.

    >>> of_stretch(np.log(np.array([[1.0, 2.0, 6.0]]))).round(6)
    array([1.098612])
    """
    greatest = log_ratios.max(axis=1)
    total = np.exp(log_ratios - greatest[:, None]).sum(axis=1)
    return np.asarray(greatest + np.log(total / log_ratios.shape[1]))


def discoveries(log_e_values: Floats, level: float, hypotheses: int | None = None) -> Mask:
    """Return which hypotheses are rejected so that the false discovery rate is at most `level`.

    The k largest are, for the greatest k for which the k-th largest is at least hypotheses /
    (level k).

    Args:
        log_e_values: float[n], logarithms; -inf for no evidence at all.
        level: In (0, 1).
        hypotheses: How many were looked at, at least n, when those with e-values below 1 were left
            out on the way; n by default.

    Returns:
        bool[n].

    Raises:
        ValueError: The level is not between 0 and 1, or fewer hypotheses were given than e-values.

    >>> discoveries(np.log(np.array([100.0, 1.0, 45.0, 20.0])), 0.05)
    array([ True, False,  True, False])
    """
    if not 0 < level < 1:
        raise ValueError("the level must lie between 0 and 1")
    count = len(log_e_values) if hypotheses is None else hypotheses
    if count < len(log_e_values):
        raise ValueError(f"{len(log_e_values)} e-values of {count} hypotheses")
    if not len(log_e_values):
        return np.zeros(0, bool)
    # Equal e-values are rejected together: which of them would come first must play no part.
    ordered = np.sort(log_e_values)[::-1]
    needed = math.log(count / level) - np.log(np.arange(1, len(ordered) + 1))
    enough = np.flatnonzero(ordered >= needed)
    if not len(enough):
        return np.zeros(len(log_e_values), bool)
    rejected: Mask = log_e_values >= ordered[enough[-1]]
    return rejected
