"""Which forecaster runs: a platform's own file, checked at start, the shipped one, or neither."""

import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pydantic import SecretStr

from models.forecast_features import FEATURES
from models.forecast_model import LEAF, NODE, Calibration, ForecastModel
from models.forecasting import BASELINE, BASELINE_OF_VIEWS
from models.parameters import DAY_MS, Level
from streams import forecasters
from streams.errors import UserError
from streams.forecasters import forecaster_of, read_model
from streams.settings import Settings
from streams.worker import product_app


def model(level: str = "view:10000", horizon_ms: int = 7 * DAY_MS) -> ForecastModel:
    """Say 0.7 of every video."""
    nodes = np.zeros(1, NODE)
    nodes["feature"] = LEAF
    calibration = Calibration(np.array([0.0, 1.0]), np.array([0.7, 0.8]))
    return ForecastModel(
        "own", Level.parse(level), horizon_ms, FEATURES, nodes, np.array([0]), 0.0, calibration
    )


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "model.json"
    path.write_bytes(model().to_bytes())
    return path


def settings(**values: Any) -> Settings:  # noqa: ANN401 - fields of any type
    return Settings(kafka="localhost:9", actor_key=SecretStr("k" * 16), **values)


def test_a_platforms_own_file_is_what_forecasts(file: Path) -> None:
    found = forecaster_of(settings(model=str(file)))
    assert found.name == "own"
    np.testing.assert_array_equal(found.ensemble[0], model().nodes)


def test_without_any_model_a_regression_begins() -> None:
    assert forecaster_of(settings(model="none", level="view:10000")) is BASELINE_OF_VIEWS
    assert forecaster_of(settings(model="none", level="share:100")) is BASELINE
    assert forecaster_of(settings(level="view:10000")).name.startswith("shipped")


@pytest.mark.parametrize(
    ("values", "named", "remedy"),
    [
        ({"level": "view:9999"}, "view:10000, not view:9999", "HOTSPOTS_LEVEL=view:10000"),
        ({"level": "share:10000"}, "view:10000, not share:10000", "HOTSPOTS_LEVEL=view:10000"),
        ({"horizon": "3d"}, "7d ahead, not 3d", "HOTSPOTS_HORIZON=7d"),
    ],
)
def test_a_model_for_something_else_is_told_at_start(
    file: Path, values: dict[str, str], named: str, remedy: str
) -> None:
    with pytest.raises(UserError) as caught:
        product_app(settings(model=str(file), **values))
    (line,) = caught.value.lines
    assert named in line
    assert remedy in line
    assert "HOTSPOTS_MODEL" in line


def test_the_same_horizon_in_other_words_is_the_same(file: Path) -> None:
    assert forecaster_of(settings(model=str(file), horizon="168h")).name == "own"


@pytest.mark.parametrize(
    ("content", "what"),
    [
        (None, "cannot be read: No such file"),
        (b"", "it is not JSON"),
        (b"{}", "not a file of the format"),
        (model().to_bytes().replace(b"0.7", b"0.6"), "it is damaged"),
        (model().to_bytes() + b" " * 2_000, "larger than"),
    ],
)
def test_a_file_that_is_no_model_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, content: bytes | None, what: str
) -> None:
    monkeypatch.setattr(forecasters, "MODEL_BYTES_MAX", len(model().to_bytes()) + 1_000)
    path = tmp_path / "model.json"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(UserError) as caught:
        read_model(path, "--model")
    assert what in str(caught.value)
    assert "--model" in str(caught.value)


def test_the_shipped_model_is_for_levels_of_views(
    file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(forecasters, "SHIPPED", file)
    for level in ("view:10000", "view:1000000"):
        assert forecaster_of(settings(level=level)).name == "own"
    assert forecaster_of(settings(level="share:100")) is BASELINE
    monkeypatch.setattr(forecasters, "SHIPPED", tmp_path / "none")
    assert forecaster_of(settings()) is BASELINE


def test_what_is_shipped_can_be_used() -> None:
    if forecasters.SHIPPED.exists():
        assert read_model(forecasters.SHIPPED, "shipped").level.action == "view"
    assert forecaster_of(settings(level="like:100")) is BASELINE


def test_who_cannot_learn_is_told_at_start(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "lightgbm", None)
    with pytest.raises(
        UserError, match=r"LightGBM cannot be loaded.*HOTSPOTS_LEARN_FORECAST=false"
    ):
        product_app(settings())
    assert product_app(settings(learn_forecast=False)) is not None
