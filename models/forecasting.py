"""When a video is forecast anew, by what, and what spoke for it.

A forecast is *due* where it can have changed: most decisions of a stream are of videos far below
the level, and of videos that have hardly grown since they were forecast last. Which is due follows
from a video's own row and events, so that the outcome stays a function of the log.

References:
    [1] A. Saabas, "Interpreting random forests", 2014: what each feature adds to a prediction.
"""

import math
from dataclasses import dataclass, field
from typing import Any, Final, Self

import numpy as np
import numpy.typing as npt

from models import forecast
from models.compiled import compiled
from models.forecast_features import (
    FEATURES,
    FIRST_PROPENSITY,
    Floats32,
    Row,
    fill_features,
    words,
)
from models.forecast_model import NODE, Ensemble, ForecastModel, contribute, predict, predict_all
from models.signal_words import strongest
from models.video_state import NEVER

LEAST_SHARE: Final = 0.05
"""Below this share of the level nothing is forecast, and the probability stays 0. It leaves out
seven of ten forecasts of the uploads and three of ten of the popular list, and average precision
gains (of views per hour's): 1.325 times against 1.322, and 1.424 against 1.418; from a tenth of the
level on it is 1.310 and 1.424 (development halves, forecasts out of fold)."""

LEAST_GROWTH: Final = 0.02
"""Within a visit a video is forecast anew when it has grown by so much: 151 times at the most from
a twentieth of the level to all of it, whatever the bucket and however many events come. On the
development halves, whose counters come hours apart, it changes no figure."""


LEAST_PROBABILITY: Final = 1e-6
"""Before a logarithm is taken of what was said: a single sure error must not decide by itself."""

_NOTHING: Final = np.zeros(0)


def _regression(coefficients: npt.NDArray[np.float64]) -> Ensemble:
    """Return an ensemble without trees: in place of its curve stands a regression."""
    return np.zeros(0, NODE), np.zeros(0, np.int64), 0.0, coefficients, _NOTHING


_SILENT: Final[Ensemble] = _regression(forecast.ALL_LEVELS)

Voices = tuple[Ensemble, Ensemble, bool]
"""What compiled code needs of a forecaster: its ensemble, the first one's, and `adds_to_first`."""


@dataclass(frozen=True, slots=True)
class Forecaster:
    """What makes the forecasts of videos.

    Attributes:
        name: The version that a decision names.
        ensemble: Trees over FEATURES; without any a regression of models/forecast.py speaks,
            which then stands where the knots of the curve do.
        first: What speaks before it, if it adds to that.
        adds_to_first: Whether its trees are added to the log odds of what the first says.
    """

    name: str
    ensemble: Ensemble = field(repr=False)
    first: Ensemble = field(default=_SILENT, repr=False)
    adds_to_first: bool = False

    @classmethod
    def of(cls, model: ForecastModel) -> Self:
        """Return what forecasts by a model, whose features may be any of FEATURES in any order."""
        nodes = model.nodes.copy()
        position = np.array([FEATURES.index(name) for name in model.features], np.int32)
        inner = nodes["feature"] >= 0
        nodes["feature"][inner] = position[nodes["feature"][inner]]
        # As the compiled loop was compiled for.
        calibration = model.calibration
        return cls(
            model.name,
            (
                nodes,
                np.ascontiguousarray(model.roots, np.int64),
                float(model.intercept),
                np.ascontiguousarray(calibration.score, np.float64),
                np.ascontiguousarray(calibration.probability, np.float64),
            ),
        )

    @property
    def voices(self) -> Voices:
        """What compiled code needs."""
        return self.ensemble, self.first, self.adds_to_first

    def upon(self, first: "Forecaster") -> "Forecaster":
        """Return what adds this one's trees to what another one says."""
        return Forecaster(self.name, self.ensemble, first.ensemble, adds_to_first=True)

    def explain(self, features: Floats32, decision: np.void, level: int) -> dict[str, Any]:
        """Return the version's name and what spoke most for a forecast, in words [1].

        Args:
            features: float32[len(FEATURES)].
            decision: Of decisions.DECISION.
            level: How many events make a hotspot.
        """
        added = np.zeros(len(FEATURES))
        told = [words(at, float(features[at])) for at in range(len(FEATURES))]
        speaking = (self.ensemble, self.first) if self.adds_to_first else (self.ensemble,)
        for nodes, roots, _, knots, _ in speaking:
            if len(roots):
                contribute(nodes, roots, features, added[: len(FEATURES)])
                continue
            by_regression, in_words = forecast.parts(
                int(decision["episode_progress"]),
                float(decision["pace_fast_per_hour"]),
                float(decision["pace_slow_per_hour"]),
                int(decision["episode_age_ms"]),
                level,
                knots,
            )
            added, told = np.append(added, by_regression), told + in_words
            for at in range(len(knots) - forecast.PROPENSITIES_AT):
                beyond = features[FIRST_PROPENSITY + 2 * at] - forecast.PROPENSITY_MEANS[at]
                by_propensity = knots[forecast.PROPENSITIES_AT + at] * beyond
                added[FIRST_PROPENSITY + 2 * at] += by_propensity
        return {"model": self.name, "signals": [told[at] for at in strongest(added)]}


BASELINE: Final = Forecaster(forecast.NAME, _SILENT)
"""The logistic regression, which needs no training on the platform."""

BASELINE_OF_VIEWS: Final = Forecaster(forecast.VIEWS_NAME, _regression(forecast.VIEWS))
"""The same for levels of views."""


def warm_up() -> None:
    """Compile what only explaining a learned forecast, and learning another, calls."""
    nodes, roots = BASELINE.ensemble[:2]
    contribute(nodes, roots, np.zeros(len(FEATURES), np.float32), np.zeros(len(FEATURES)))
    none = np.zeros(0)
    predict_all(BASELINE.ensemble, none, np.zeros((0, len(FEATURES))), none)


@compiled
def is_due(row: Row, level: int) -> bool:
    """Tell whether a row is to be forecast: it is near enough, and another or further than before.

    Once its episode has reached the level there is nothing left to forecast.
    """
    before = row.forecast_progress - row.progress_before_episode
    progress = row.progress - row.progress_before_episode
    if row.resting or progress < LEAST_SHARE * level or before >= level:
        return False
    if row.visit != row.forecast_visit or progress >= level:
        return True
    due: bool = progress - before >= LEAST_GROWTH * before
    return due


@compiled
def log_odds(probability: float) -> float:
    """Return the logarithm of what speaks for it over what speaks against it, finite."""
    inside = min(max(probability, LEAST_PROBABILITY), 1 - LEAST_PROBABILITY)
    return math.log(inside / (1 - inside))


@compiled
def forecast_row(row: Row, level: int, voices: Voices, features: Floats32) -> float:
    """Forecast a row anew, in place, and write down what it looked at.

    Args:
        row: The video's.
        level: How many events make a hotspot.
        voices: What makes the forecast.
        features: float32[len(FEATURES)], out.

    Returns:
        What is said before anything that was learned in the stream is added.
    """
    learned, first, adds_to_first = voices
    progress = row.progress - row.progress_before_episode
    fill_features(row, progress, row.last_ms, level, features)
    row.forecast_progress, row.forecast_visit = row.progress, row.visit
    if progress >= level:
        row.probability = 1.0
        return 1.0
    if not adds_to_first:
        row.probability = _says(learned, row, progress, level, features)
        return float(row.probability)
    before = _says(first, row, progress, level, features)
    nodes, roots, intercept, knots, probabilities = learned
    start = intercept + log_odds(before)
    row.probability = predict(nodes, roots, start, knots, probabilities, features)
    return before


@compiled
def _says(ensemble: Ensemble, row: Row, progress: int, level: int, features: Floats32) -> float:
    """Return what an ensemble says of a row that is below the level."""
    nodes, roots, intercept, knots, probabilities = ensemble
    if len(roots) > 0:
        return predict(nodes, roots, intercept, knots, probabilities, features)
    born_ms = row.first_ms if row.publish_ms == NEVER else row.publish_ms
    begun_ms = born_ms if row.episode_ms == NEVER else row.episode_ms
    by_propensities = 0.0
    for at in range(len(knots) - forecast.PROPENSITIES_AT):
        propensity = features[FIRST_PROPENSITY + 2 * at]
        by_propensities += knots[forecast.PROPENSITIES_AT + at] * propensity
    return forecast.probability_by(
        knots,
        progress,
        row.pace_fast_per_hour,
        row.pace_slow_per_hour,
        max(row.last_ms - begun_ms, 0),
        level,
        by_propensities,
    )
