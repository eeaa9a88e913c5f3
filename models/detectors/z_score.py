"""The z-score of a count against an exponentially weighted mean and variance.

References:
    [1] S. Roberts, "Control Chart Tests Based on Geometric Moving Averages", Technometrics 1959.
"""

from dataclasses import dataclass

import numpy as np

from models.detectors.contract import Floats, State

_MEAN, _VARIANCE, _BEGUN = range(3)


@dataclass(frozen=True, slots=True)
class ZScore:
    """How many standard deviations a count lies above the mean of what came before it.

    Attributes:
        half_life_visits: After so many visits a count weighs half.
    """

    half_life_visits: float = 288.0
    name: str = "EWMA z-score"

    def begin(self, series: int) -> State:
        """Return float[series, 3]: mean, variance, and whether it has begun."""
        return np.zeros((series, 3))

    def step(self, state: State, counts: Floats, exposures: Floats) -> Floats:
        """Return the z-score of the visit; the first count begins the mean, and its variance."""
        _ = exposures
        mean, variance, begun = state.T
        keep = 0.5 ** (1 / self.half_life_visits)
        deviation = counts - mean
        with np.errstate(divide="ignore", invalid="ignore"):
            score = np.where(deviation == 0, 0.0, deviation / np.sqrt(variance))
        score[begun == 0] = -np.inf
        state[:, _VARIANCE] = np.where(
            begun == 0, counts + 1, keep * variance + (1 - keep) * deviation**2
        )
        state[:, _MEAN] = np.where(begun == 0, counts, keep * mean + (1 - keep) * counts)
        state[:, _BEGUN] = 1.0
        return score
