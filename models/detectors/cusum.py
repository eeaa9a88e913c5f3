"""Page's cumulative sum for Poisson counts, the classical detector of a known change.

References:
    [1] E. Page, "Continuous Inspection Schemes", Biometrika 1954.
    [2] J. Lucas, "Counted Data CUSUM's", Technometrics 1985: the reference value k.
"""

import math
from dataclasses import dataclass

import numpy as np

from models.detectors.contract import Floats, State


@dataclass(frozen=True, slots=True)
class Cusum:
    """S = max(0, S + x - k), with k between the mean in control and the mean to be found [2].

    Attributes:
        mean: Events per visit in control.
        factor: How many times the mean is to be found; above 1.
    """

    mean: float
    factor: float
    name: str = "CUSUM"

    @property
    def reference(self) -> float:
        """Lucas' k: (m1 - m0) / (ln m1 - ln m0)."""
        return self.mean * (self.factor - 1) / math.log(self.factor)

    def begin(self, series: int) -> State:
        """Return float[series, 1]: the sum."""
        return np.zeros((series, 1))

    def step(self, state: State, counts: Floats, exposures: Floats) -> Floats:
        """Return the sum after the visit, in events."""
        _ = exposures
        state[:, 0] = np.maximum(state[:, 0] + counts - self.reference, 0.0)
        return state[:, 0].copy()
