"""The rule of social-listening tools: the mean of a day above the mean of a week by k deviations.

A rule of thumb without a paper; the design names it: mean24h > mean7d + k sd. The deviation is that
of the visits of the week.
"""

from dataclasses import dataclass

import numpy as np

from models.detectors.contract import Floats, State

_DAYS = 7
_SEEN, _DAY, _WEEK, _SQUARES = range(4)
_SUMS = 4


@dataclass(frozen=True, slots=True)
class SocialListening:
    """The k at which the rule would just not fire.

    Attributes:
        visits_per_day: How many visits a day has.
    """

    visits_per_day: int = 288
    name: str = "mean24h > mean7d + k sd"

    def begin(self, series: int) -> State:
        """Return float[series, 4 + a week]: visits seen, sums of day and week, squares, counts."""
        return np.zeros((series, _SUMS + _DAYS * self.visits_per_day))

    def step(self, state: State, counts: Floats, exposures: Floats) -> Floats:
        """Return (mean of a day - mean of a week) / deviation; -inf in the first week."""
        _ = exposures
        day, week = self.visits_per_day, _DAYS * self.visits_per_day
        # All series are at the same visit: the first one's number is everyone's.
        seen = int(state[0, _SEEN]) if len(state) else 0
        leaves_day = state[:, _SUMS + (seen - day) % week] if seen >= day else 0.0
        leaves_week = state[:, _SUMS + seen % week].copy()
        state[:, _DAY] += counts - leaves_day
        state[:, _WEEK] += counts - leaves_week
        state[:, _SQUARES] += counts**2 - leaves_week**2
        state[:, _SUMS + seen % week] = counts
        state[:, _SEEN] += 1
        if seen + 1 < week:
            return np.full(len(counts), -np.inf)
        mean = state[:, _WEEK] / week
        deviation = np.sqrt(np.maximum(state[:, _SQUARES] / week - mean**2, 0.0))
        above = state[:, _DAY] / day - mean
        return np.where(deviation > 0, above / np.where(deviation > 0, deviation, 1.0), 0.0)
