"""Our bursts (models/bursts.py) in the contract: how rare the hour is by the series' own past."""

from dataclasses import dataclass

import numpy as np

from models.bursts import BURST, begin, has_past, log_return_days, observe
from models.compiled import compiled
from models.detectors.contract import Floats, State


@dataclass(frozen=True, slots=True)
class ReturnPeriod:
    """The logarithm of the return period, in days, of the last hour."""

    name: str = "return period (ours)"

    def begin(self, series: int) -> State:
        """Return BURST[series]."""
        state = np.zeros(series, BURST)
        for one in state:
            begin(one)
        # Numbers of visits count from 0 here.
        state["visit"] = state["first_visit"] = 0
        return state

    def step(self, state: State, counts: Floats, exposures: Floats) -> Floats:
        """Return the logarithm after the visit; -inf while a series has no past."""
        _ = exposures
        statistic = np.empty(len(counts))
        _step(state, counts, statistic)
        return statistic


# Functions are named as they are, not by their module: kept machine code is thrown away when one
# of them changes, which is found by their names (models/compiled.py).
@compiled
def _step(state: State, counts: Floats, statistic: Floats) -> None:
    for series in range(len(counts)):
        burst = state[series]
        observe(burst, burst.visit, counts[series])
        statistic[series] = -np.inf
        if has_past(burst):
            statistic[series] = log_return_days(burst)
        observe(burst, burst.visit + 1, 0.0)
