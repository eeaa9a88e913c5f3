"""Kleinberg's bursts: an automaton of two states, run forward as the counts come.

The automaton emits Poisson counts at a base rate or at a multiple of it, and pays for going up.
What the cheapest path ends in is known from the difference of the two states' costs alone, which
obeys a recursion of one number (Viterbi): free to fall, dear to rise.

References:
    [1] J. Kleinberg, "Bursty and Hierarchical Structure in Streams", KDD 2002, section 2 (costs:
        going up costs gamma ln n, going down nothing) and section 4 (counts per batch).
"""

import math
from dataclasses import dataclass

import numpy as np

from models.detectors.contract import Floats, State


@dataclass(frozen=True, slots=True)
class Kleinberg:
    """How much cheaper the burst explains the series than the base, the way up not yet paid.

    The cheapest path ends in the burst exactly where the statistic is above `cost`: the threshold
    to use. A cost of infinity never falls back by more than the series' own counts, and has its
    first alarm at any threshold at the same visit as a cost of that threshold.

    Attributes:
        mean: Events per visit at the base.
        factor: Kleinberg's s: the burst's rate over the base's, above 1.
        cost: gamma ln n: what it costs to go up.
    """

    mean: float
    factor: float = 2.0
    cost: float = math.inf
    name: str = "Kleinberg"

    def begin(self, series: int) -> State:
        """Return float[series, 1]: the difference of the costs, before the way up."""
        return np.zeros((series, 1))

    def step(self, state: State, counts: Floats, exposures: Floats) -> Floats:
        """Return the difference of the two states' costs, plus the cost of the way up."""
        _ = exposures
        gained = counts * math.log(self.factor) - self.mean * (self.factor - 1)
        # Before each visit either path may begin from the cheaper one: the difference lies between
        # 0 (going up is not paid for twice) and the cost (going down is free).
        state[:, 0] = np.clip(state[:, 0], 0.0, self.cost) + gained
        return state[:, 0].copy()
