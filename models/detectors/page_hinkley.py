"""The Page-Hinkley test: a cumulative sum about the series' own running mean.

References:
    [1] E. Page, "Continuous Inspection Schemes", Biometrika 1954.
    [2] D. Hinkley, "Inference about the change-point from cumulative sum tests", Biometrika 1971.
"""

from dataclasses import dataclass

import numpy as np

from models.detectors.contract import Floats, State

_SEEN, _MEAN, _SUM, _LEAST = range(4)


@dataclass(frozen=True, slots=True)
class PageHinkley:
    """How far the sum of deviations from the running mean has risen above its lowest.

    Attributes:
        tolerance: Subtracted from each deviation: rises smaller than this are not looked for.
        keep: What remains of the sum at each visit; 1 forgets nothing.
        warm_up: Visits before which nothing is said.
    """

    tolerance: float
    keep: float = 1.0
    warm_up: int = 30
    name: str = "Page-Hinkley"

    def begin(self, series: int) -> State:
        """Return float[series, 4]: visits seen, mean, sum, lowest sum."""
        state = np.zeros((series, 4))
        state[:, _LEAST] = np.inf
        return state

    def step(self, state: State, counts: Floats, exposures: Floats) -> Floats:
        """Return the rise above the lowest, in events."""
        _ = exposures
        state[:, _SEEN] += 1
        state[:, _MEAN] += (counts - state[:, _MEAN]) / state[:, _SEEN]
        state[:, _SUM] = self.keep * state[:, _SUM] + counts - state[:, _MEAN] - self.tolerance
        state[:, _LEAST] = np.minimum(state[:, _LEAST], state[:, _SUM])
        return np.where(state[:, _SEEN] < self.warm_up, -np.inf, state[:, _SUM] - state[:, _LEAST])
