"""Which of many e-values to believe at once: the e-Benjamini-Hochberg procedure.

Among what it rejects the expected share of true nulls is at most the level, however the e-values
depend on each other: videos share viewers, days and fashions, and nothing need be known of that.

It takes e-values, one per hypothesis with an expectation of at most 1 under its null. The running
value of an e-detector (models/evidence.py) is none: its expectation grows with time. Those of an
epoch are in models/epoch_evidence.py.

References:
    [1] R. Wang, A. Ramdas, "False discovery rate control with e-values", JRSS B 2022, theorem 2.
    [2] J. Shin, A. Ramdas, A. Rinaldo, "E-detectors", 2022.
"""

import math

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Mask = npt.NDArray[np.bool_]


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
