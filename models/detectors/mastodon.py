"""Mastodon's trend score: how far today is above yesterday, at its best, halving every few hours.

References:
    [1] Mastodon, app/models/trends/tags.rb: (observed - expected)^2 / expected over the accounts of
        today and yesterday; a threshold of 5, a half-life of 4 hours, a cooldown of 2 days.
"""

from dataclasses import dataclass
from typing import Final

import numpy as np

from models.detectors.contract import Floats, State

LEAST_OBSERVED: Final = 5.0
"""Fewer of today score nothing [1]."""
HALF_LIFE_DAYS: Final = 4 / 24
"""The best score halves in four hours [1]."""
COOLDOWN_DAYS: Final = 2.0
"""The best score is forgotten after two days [1]."""

_SEEN, _TODAY, _YESTERDAY, _BEST, _SINCE_BEST = range(5)


@dataclass(frozen=True, slots=True)
class Mastodon:
    """The decayed score of a tag; counts stand for its accounts.

    Attributes:
        visits_per_day: How many visits a day has; days begin with the series.
    """

    visits_per_day: int = 288
    name: str = "Mastodon"

    def begin(self, series: int) -> State:
        """Return float[series, 5]: visits seen, today, yesterday, best score, visits since."""
        return np.zeros((series, 5))

    def step(self, state: State, counts: Floats, exposures: Floats) -> Floats:
        """Return the decayed score after the visit; -inf on the first day, without a yesterday."""
        _ = exposures
        new_day = (state[:, _SEEN] % self.visits_per_day == 0) & (state[:, _SEEN] > 0)
        state[:, _YESTERDAY] = np.where(new_day, state[:, _TODAY], state[:, _YESTERDAY])
        state[:, _TODAY] = np.where(new_day, 0.0, state[:, _TODAY]) + counts
        state[:, _SEEN] += 1
        expected = np.where(state[:, _YESTERDAY] == 0, 1.0, state[:, _YESTERDAY])
        observed = state[:, _TODAY]
        counted = (observed >= expected) & (observed >= LEAST_OBSERVED)
        score = np.where(counted, (observed - expected) ** 2 / expected, 0.0)
        has_yesterday = state[:, _SEEN] > self.visits_per_day
        state[:, _SINCE_BEST] += 1
        forgotten = state[:, _SINCE_BEST] > COOLDOWN_DAYS * self.visits_per_day
        best = np.where(forgotten, 0.0, state[:, _BEST])
        better = (score > best) & has_yesterday
        state[:, _BEST] = np.where(better, score, best)
        state[:, _SINCE_BEST] = np.where(better, 0.0, state[:, _SINCE_BEST])
        halvings = state[:, _SINCE_BEST] / self.visits_per_day / HALF_LIFE_DAYS
        return np.where(has_yesterday, state[:, _BEST] * 0.5**halvings, -np.inf)
