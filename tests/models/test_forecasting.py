"""When a video is forecast anew, by what, and what is said of it."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from building import BUCKET_MS, START_BUCKET, decide

from models import forecast
from models.decisions import Decided
from models.forecast_features import FEATURES
from models.forecast_model import LEAF, NODE, Calibration, ForecastModel
from models.forecasting import (
    BASELINE,
    BASELINE_OF_VIEWS,
    LEAST_GROWTH,
    LEAST_SHARE,
    Forecaster,
    log_odds,
)
from models.parameters import DAY_MS, Level, Parameters
from models.video_state import VideoTable

LEVEL = 10_000
PARAMETERS = Parameters(bucket_ms=BUCKET_MS, level=Level("view", LEVEL))
FINE = Parameters(bucket_ms=1_000, level=Level("view", LEVEL))
NEVER_ENOUGH = 1e9
PER_VISIT = BUCKET_MS // 1_000


def model(features: tuple[str, ...] = ("age", "progress")) -> ForecastModel:
    """One tree: above half of the level a video is likely to reach it."""
    nodes = np.zeros(3, NODE)
    nodes["feature"] = LEAF
    nodes[0] = (np.log(0.5), 0.0, features.index("progress"), 1, 2, 0)
    nodes["value"][1:] = -1.0, 1.0
    calibration = Calibration(np.array([-1.0, 1.0]), np.array([0.25, 0.75]))
    roots = np.array([0])
    return ForecastModel(
        "one tree", Level("view", LEVEL), 7 * DAY_MS, features, nodes, roots, 0.0, calibration
    )


class Video:
    """A video that is decided second by second or visit by visit."""

    def __init__(self, parameters: Parameters, forecaster: Forecaster) -> None:
        self.table = VideoTable()
        self.parameters, self.forecaster = parameters, forecaster
        self.bucket = START_BUCKET * BUCKET_MS // parameters.bucket_ms

    def has(self, **counts: int) -> Decided:
        """Decide a bucket with these actions in it."""
        time_ms = self.bucket * self.parameters.bucket_ms
        said: list[dict[str, Any]] = [
            {"action": action, "count": count, "time_ms": time_ms}
            for action, count in counts.items()
        ]
        decided = decide(
            self.table,
            ["p\x1fv"],
            self.bucket,
            *said,
            parameters=self.parameters,
            forecaster=self.forecaster,
            log_c=NEVER_ENOUGH,
        )
        self.bucket += 1
        return decided


@pytest.mark.parametrize("forecaster", [BASELINE, Forecaster.of(model())])
def test_far_below_the_level_nothing_is_forecast(forecaster: Forecaster) -> None:
    video = Video(PARAMETERS, forecaster)
    below = video.has(view=int(LEAST_SHARE * LEVEL) - 1, like=900)
    assert not len(below.forecasts)
    assert below.decisions["probability"].tolist() == [0.0]
    enough = video.has(view=1)
    assert enough.forecasts["decision"].tolist() == [0]
    assert enough.forecasts["before"].tolist() == [0.0]
    assert 0 < enough.decisions["probability"][0] < 1


def test_within_a_visit_it_is_forecast_again_only_when_it_has_grown() -> None:
    video = Video(FINE, Forecaster.of(model()))
    grows = int(LEAST_GROWTH * 5_000)
    made = [
        len(video.has(**counts).forecasts)
        for counts in (
            {"view": 5_000},
            {"view": grows - 1},
            {"like": 5_000},
            {"view": 1},
            {"view": 1},
        )
    ]
    assert made == [1, 0, 0, 1, 0]
    assert video.table.rows["probability"][0] == 0.75


def test_another_visit_brings_another_forecast() -> None:
    video = Video(FINE, BASELINE)
    video.has(view=5_000)
    assert not len(video.has(like=1).forecasts)
    stood = float(video.table.rows["probability"][0])
    video.bucket += 200 * PER_VISIT
    again = video.has(like=1)
    assert len(again.forecasts) == 1
    assert again.forecasts["before"].tolist() == [np.float32(stood)]
    assert again.decisions["probability"][0] < stood


def test_reaching_the_level_is_forecast_once_and_at_once() -> None:
    video = Video(FINE, Forecaster.of(model()))
    video.has(view=LEVEL - 1)
    reached = video.has(view=1)
    assert reached.decisions["probability"].tolist() == [1.0]
    assert len(reached.forecasts) == 1
    video.bucket += PER_VISIT
    after = video.has(view=5 * LEVEL)
    assert not len(after.forecasts)
    assert after.decisions["probability"].tolist() == [1.0]


def test_without_a_model_the_regression_speaks() -> None:
    video = Video(PARAMETERS, BASELINE)
    for _ in range(30):
        (row,) = video.has(view=300, like=30).decisions
        alone = forecast.probability_of_one(
            row["episode_progress"],
            row["pace_fast_per_hour"],
            row["pace_slow_per_hour"],
            row["episode_age_ms"],
            LEVEL,
        )
        if row["episode_progress"] >= LEAST_SHARE * LEVEL:
            assert row["probability"] == np.float32(alone)


def test_a_version_adds_its_trees_to_what_is_said_without_it() -> None:
    alone, upon = Video(PARAMETERS, BASELINE_OF_VIEWS), model()
    version = Forecaster.of(replace(upon, upon="first")).upon(BASELINE_OF_VIEWS)
    video = Video(PARAMETERS, version)
    for _ in range(20):
        without, made = alone.has(view=400, like=30), video.has(view=400, like=30)
        if not len(made.forecasts) or made.decisions["probability"][0] == 1:
            continue
        (said,) = without.decisions["probability"]
        assert made.forecasts["first"].tolist() == [np.float32(said)]
        expected = replace(upon, upon="first").probabilities(
            made.forecasts["features"][:, [1, 0]].astype(np.float64),
            np.array([log_odds(float(made.forecasts["first"][0]))]),
        )
        assert made.decisions["probability"] == pytest.approx(expected, abs=1e-6)


def test_a_version_tells_what_spoke_first_and_what_it_added() -> None:
    strong = replace(model(), upon="first")
    strong.nodes["value"][1:] *= 10
    video = Video(PARAMETERS, Forecaster.of(strong).upon(BASELINE_OF_VIEWS))
    explanations: dict[int, dict[str, Any]] = {}
    while not explanations:
        explanations = video.has(view=2_000, like=900).explanations
    assert explanations[0]["model"] == "one tree"
    # Of the tree, which knows nothing else, and of the regression.
    assert "60 % of the level reached" in explanations[0]["signals"]
    assert any(said.startswith("growing in") for said in explanations[0]["signals"])


def test_of_views_the_regression_counts_propensities() -> None:
    said = []
    for likes in (1, 300):
        video = Video(PARAMETERS, BASELINE_OF_VIEWS)
        made = video.has(view=1_000, like=likes)
        (row,), features = made.decisions, made.forecasts["features"][0]
        added = sum(
            forecast.VIEWS[forecast.PROPENSITIES_AT + at] * features[FEATURES.index(name)]
            for at, name in enumerate(("identification", "interaction", "diffusion"))
        )
        assert row["probability"] == pytest.approx(
            forecast.probability_by(
                forecast.VIEWS,
                row["episode_progress"],
                row["pace_fast_per_hour"],
                row["pace_slow_per_hour"],
                row["episode_age_ms"],
                LEVEL,
                added,
            ),
            abs=1e-6,
        )
        said.append(float(row["probability"]))
    assert said[0] < said[1]


def test_a_model_may_look_at_any_features_in_any_order() -> None:
    features = np.random.default_rng(1).normal(-1, 1, (50, len(FEATURES))).astype(np.float32)
    for names in (("progress",), ("age", "progress"), tuple(reversed(FEATURES))):
        one = model(names)
        columns = [FEATURES.index(name) for name in names]
        expected = one.probabilities(features[:, columns].astype(np.float64))
        whole = ForecastModel(
            "whole",
            one.level,
            one.horizon_ms,
            FEATURES,
            Forecaster.of(one).ensemble[0],
            one.roots,
            one.intercept,
            one.calibration,
        )
        np.testing.assert_array_equal(whole.probabilities(features.astype(np.float64)), expected)


def test_what_spoke_for_a_forecast_is_said_when_it_comes_to_suffice_and_not_again() -> None:
    video = Video(PARAMETERS, Forecaster.of(model()))
    assert video.has(view=4_000).explanations == {}
    crossed = video.has(view=1_500)
    assert crossed.explanations == {
        0: {"model": "one tree", "signals": ["55 % of the level reached"]}
    }
    assert video.has(view=1_500).explanations == {}


def test_the_regression_says_what_spoke_for_it_strongest_first() -> None:
    video = Video(PARAMETERS, BASELINE)
    explanations: dict[int, dict[str, Any]] = {}
    while not explanations:
        explanations = video.has(view=500).explanations
    assert explanations[0]["model"] == forecast.NAME
    said = explanations[0]["signals"]
    # It is young, and its paces are far above those of videos that do not get there.
    assert said[0].startswith("it began ")
    assert said[1].startswith("growing in the last ")
    assert len(said) == 3


def test_a_runaway_that_is_decided_at_once_is_explained_where_it_crosses() -> None:
    together, apart = (Video(PARAMETERS, Forecaster.of(model())) for _ in range(2))
    for views in (4_000, 2_000, 9_000):
        apart.has(view=views)
    time_ms = together.bucket * BUCKET_MS
    said = [
        {"action": "view", "count": count, "time_ms": time_ms + at * BUCKET_MS}
        for at, count in enumerate((4_000, 2_000, 9_000))
    ]
    decided = decide(
        together.table,
        ["p\x1fv"],
        together.bucket + 2,
        *said,
        parameters=PARAMETERS,
        forecaster=together.forecaster,
        log_c=NEVER_ENOUGH,
    )
    assert list(decided.explanations) == [1]
    assert decided.decisions["probability"].tolist() == [0.25, 0.75, 1.0]
    assert decided.forecasts["before"].tolist() == [0.0, 0.25, 0.75]
    assert together.table.rows[0].tobytes() == apart.table.rows[0].tobytes()
