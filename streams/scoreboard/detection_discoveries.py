"""The false discovery rate of an epoch's e-values over many videos, on simulated nulls."""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

import numpy as np

from models.detectors.e_detector import stretch_log_ratios
from models.false_discovery import discoveries, of_stretch
from models.null_streams import INSIDE, OUTSIDE, SHAPE, VISITS_PER_DAY, Setting, planted
from models.parameters import DAY_MS, Parameters

LEVELS: Final = (0.01, 0.05, 0.1, 0.2)
EPOCH_VISITS: Final = VISITS_PER_DAY * Parameters().epoch_ms // DAY_MS
NULLS: Final = Setting(series=980, visits=EPOCH_VISITS)
RISING: Final = Setting(series=20, visits=EPOCH_VISITS)
FACTOR: Final = 3.0
EPOCHS: Final = 200
_DEVIATIONS: Final = 3.0


@dataclass(frozen=True, slots=True)
class Discoveries:
    """What was rejected at one level, when all but a few videos are of one null.

    Attributes:
        null: Its name.
        level: The false discovery rate that is promised at most.
        false_share: Mean over epochs of the share of nulls among what was rejected.
        error: Its standard error.
        found: Share of the rising videos that were rejected.
    """

    null: str
    level: float
    false_share: float
    error: float
    found: float

    @property
    def is_broken(self) -> bool:
        """Whether the promise is certainly not kept."""
        return self.false_share - _DEVIATIONS * self.error > self.level


def discoveries_on_nulls(seed: int) -> Iterator[Discoveries]:
    """Measure every null at every level."""
    for name, null in (INSIDE | OUTSIDE).items():
        rng = np.random.default_rng(seed)
        shares = {level: np.zeros(EPOCHS) for level in LEVELS}
        found = dict.fromkeys(LEVELS, 0.0)
        for epoch in range(EPOCHS):
            ordinary = null(rng, NULLS).people
            rising = planted(rng, RISING, FACTOR, 0).people
            people = np.concatenate([ordinary, rising])
            e_values = of_stretch(stretch_log_ratios(people, NULLS.mean, SHAPE))
            for level in LEVELS:
                rejected = discoveries(e_values, level)
                shares[level][epoch] = rejected[: NULLS.series].sum() / max(rejected.sum(), 1)
                found[level] += float(rejected[NULLS.series :].mean()) / EPOCHS
        for level in LEVELS:
            error = float(shares[level].std()) / math.sqrt(EPOCHS)
            yield Discoveries(name, level, float(shares[level].mean()), error, found[level])
