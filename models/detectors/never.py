"""The detector that never fires: what every other must be better than."""

from dataclasses import dataclass

import numpy as np

from models.detectors.contract import Floats, State


@dataclass(frozen=True, slots=True)
class Never:
    """Says nothing, whatever comes."""

    name: str = "never"

    def begin(self, series: int) -> State:
        """Return a state without columns."""
        return np.zeros((series, 0))

    def step(self, state: State, counts: Floats, exposures: Floats) -> Floats:
        """Return -inf: no threshold is below it."""
        _ = state, exposures
        return np.full(len(counts), -np.inf)
