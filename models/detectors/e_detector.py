"""Our evidence (models/evidence.py) in the contract: the very functions that the stream runs.

Each visit's likelihood ratios are chained as in models/transitions.py, M = max(M, 1) L, for every
alternative, and mixed.

References:
    [1] J. Shin, A. Ramdas, A. Rinaldo, "E-detectors", 2022.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from models.compiled import compiled
from models.detectors.contract import Floats, State
from models.evidence import (
    ALTERNATIVES,
    BETA_NUMBERS,
    betas_above,
    intensity_log_ratios,
    mixed,
    propensity_log_ratios,
)

Evidence = npt.NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Intensity:
    """The e-detector of events per visit against a gamma-Poisson null.

    Attributes:
        mean: The null's mean of a visit.
        shape: Its gamma's shape: variance = mean + mean^2 / shape.
    """

    mean: float
    shape: float
    name: str = "e-detector (ours)"

    def begin(self, series: int) -> State:
        """Return float32[series, alternatives]: logarithms, as a row of a video keeps them."""
        return np.zeros((series, len(ALTERNATIVES)), np.float32)

    def step(self, state: State, counts: Floats, exposures: Floats) -> Floats:
        """Return the logarithm of the evidence after the visit."""
        _ = exposures
        statistic = np.empty(len(counts))
        _intensity(state, counts, self.mean, self.shape, statistic)
        return statistic


@dataclass(frozen=True, slots=True)
class Propensity:
    """The e-detector of events per exposure against a beta-binomial null.

    Attributes:
        mean: The null's mean.
        concentration: a + b of its beta.
    """

    mean: float
    concentration: float
    name: str = "e-detector of propensity (ours)"

    def begin(self, series: int) -> State:
        """Return float32[series, alternatives]: logarithms, as a row of a video keeps them."""
        return np.zeros((series, len(ALTERNATIVES)), np.float32)

    def step(self, state: State, counts: Floats, exposures: Floats) -> Floats:
        """Return the logarithm of the evidence after the visit."""
        statistic = np.empty(len(counts))
        _propensity(state, counts, exposures, self.mean, self.concentration, statistic)
        return statistic


@dataclass(frozen=True, slots=True)
class StageEntry:
    """What a stage is entered by: the smaller of the two, an e-detector for both nulls' union.

    Attributes:
        propensity: Against events per exposure.
        intensity: Against events per visit.
    """

    propensity: Propensity
    intensity: Intensity
    name: str = "stage entry (ours)"

    def begin(self, series: int) -> State:
        """Return float32[series, 2, alternatives]."""
        return np.zeros((series, 2, len(ALTERNATIVES)), np.float32)

    def step(self, state: State, counts: Floats, exposures: Floats) -> Floats:
        """Return the logarithm of the smaller evidence after the visit."""
        return np.minimum(
            self.propensity.step(state[:, 0], counts, exposures),
            self.intensity.step(state[:, 1], counts, exposures),
        )


@compiled
def _chain(evidence: Evidence, ratios: Floats) -> float:
    for k in range(len(ALTERNATIVES)):
        evidence[k] = max(evidence[k], 0.0) + ratios[k]
    return mixed(evidence)


@compiled
def _intensity(
    state: Evidence, counts: Floats, mean: float, shape: float, statistic: Floats
) -> None:
    ratios = np.zeros(len(ALTERNATIVES))
    for series in range(len(counts)):
        intensity_log_ratios(counts[series], mean, shape, ratios)
        statistic[series] = _chain(state[series], ratios)


@compiled
def _propensity(
    state: Evidence,
    counts: Floats,
    exposures: Floats,
    mean: float,
    concentration: float,
    statistic: Floats,
) -> None:
    ratios = np.zeros(len(ALTERNATIVES))
    betas = np.zeros((1 + len(ALTERNATIVES), BETA_NUMBERS))
    betas_above(mean, concentration, betas)
    for series in range(len(counts)):
        propensity_log_ratios(counts[series], exposures[series], betas, ratios)
        statistic[series] = _chain(state[series], ratios)
