"""When a video is forecast anew, by what, and what spoke for it.

A forecast is *due* where it can have changed: most decisions of a stream are of videos far below
the level, and of videos that have hardly grown since they were forecast last. Which is due follows
from a video's own row and events, so that the outcome stays a function of the log.

References:
    [1] A. Saabas, "Interpreting random forests", 2014: what each feature adds to a prediction.
"""

from dataclasses import dataclass, field
from typing import Any, Final, Self

import numpy as np
import numpy.typing as npt

from models import forecast
from models.compiled import compiled
from models.forecast_features import FEATURES, Floats32, Row, fill_features, words
from models.forecast_model import NODE, Ensemble, ForecastModel, contribute, predict, predict_all
from models.signal_words import strongest
from models.video_state import NEVER

Floats = npt.NDArray[np.float64]

LEAST_SHARE: Final = 0.05
"""Below this share of the level nothing is forecast, and the probability stays 0. It leaves out
seven of ten forecasts of the uploads and three of ten of the popular list, and average precision
gains (of views per hour's): 1.325 times against 1.322, and 1.424 against 1.418; from a tenth of the
level on it is 1.310 and 1.424 (development halves, forecasts out of fold)."""

LEAST_GROWTH: Final = 0.02
"""Within a visit a video is forecast anew when it has grown by so much: 151 times at the most from
a twentieth of the level to all of it, whatever the bucket and however many events come. On the
development halves, whose counters come hours apart, it changes no figure."""


@dataclass(frozen=True, slots=True)
class Forecaster:
    """What makes the forecasts of videos.

    Attributes:
        name: The version that a decision names.
        ensemble: Trees over FEATURES; without any the logistic regression of models/forecast.py
            speaks.
    """

    name: str
    ensemble: Ensemble = field(repr=False)

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

    def probabilities(self, features: Floats) -> Floats:
        """Return float[n]: what a learned forecast says of float[n, len(FEATURES)].

        Raises:
            ValueError: It is the regression, which looks at something else.
        """
        if not len(self.ensemble[1]):
            raise ValueError(f"{self.name} has no trees")
        said = np.empty(len(features))
        predict_all(self.ensemble, np.ascontiguousarray(features), said)
        return said

    def explain(self, features: Floats32, decision: np.void, level: int) -> dict[str, Any]:
        """Return the version's name and what spoke most for a forecast, in words [1].

        Args:
            features: float32[len(FEATURES)].
            decision: Of bucket_decision.DECISION.
            level: How many events make a hotspot.
        """
        if len(self.ensemble[1]):
            added = np.zeros(len(FEATURES))
            contribute(self.ensemble[0], self.ensemble[1], features, added)
            told = [words(at, float(features[at])) for at in strongest(added)]
        else:
            told = forecast.signals(
                int(decision["episode_progress"]),
                float(decision["pace_fast_per_hour"]),
                float(decision["pace_slow_per_hour"]),
                int(decision["episode_age_ms"]),
                level,
            )
        return {"model": self.name, "signals": told}


_NOTHING: Final = np.zeros(0)

BASELINE: Final = Forecaster(
    forecast.NAME,
    (np.zeros(0, NODE), np.zeros(0, np.int64), 0.0, _NOTHING, _NOTHING),
)
"""The logistic regression, which needs no training on the platform."""


def warm_up() -> None:
    """Compile what only explaining a learned forecast, and learning another, calls."""
    nodes, roots = BASELINE.ensemble[:2]
    contribute(nodes, roots, np.zeros(len(FEATURES), np.float32), np.zeros(len(FEATURES)))
    predict_all(BASELINE.ensemble, np.zeros((0, len(FEATURES))), np.zeros(0))


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
def forecast_row(row: Row, level: int, ensemble: Ensemble, features: Floats32) -> None:
    """Forecast a row anew, in place, and write down what it looked at.

    Args:
        row: The video's.
        level: How many events make a hotspot.
        ensemble: What makes the forecast.
        features: float32[len(FEATURES)], out.
    """
    nodes, roots, intercept, knots, probabilities = ensemble
    progress = row.progress - row.progress_before_episode
    fill_features(row, progress, row.last_ms, level, features)
    row.forecast_progress, row.forecast_visit = row.progress, row.visit
    if progress >= level:
        row.probability = 1.0
    elif len(roots) > 0:
        row.probability = predict(nodes, roots, intercept, knots, probabilities, features)
    else:
        born_ms = row.first_ms if row.publish_ms == NEVER else row.publish_ms
        begun_ms = born_ms if row.episode_ms == NEVER else row.episode_ms
        row.probability = forecast.probability_of_one(
            progress,
            row.pace_fast_per_hour,
            row.pace_slow_per_hour,
            max(row.last_ms - begun_ms, 0),
            level,
        )
