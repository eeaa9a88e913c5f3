"""Which forecaster a worker or a backtest runs with: a platform's own, the shipped one, or none.

A file is read once, at the start, and checked as a whole before anything is forecast with it.
"""

from pathlib import Path
from typing import Final

import models
from models.boosted_trees import NoTreesError, library_version
from models.forecast_features import FEATURES
from models.forecast_model import ForecastModel, ModelFormatError
from models.forecasting import BASELINE, BASELINE_OF_VIEWS, Forecaster
from models.vocabulary import Action
from streams.durations import format_duration
from streams.errors import UserError
from streams.settings import Settings, variable

SHIPPED: Final = Path(models.__path__[0]) / "shipped_forecast.json"
"""For levels of views, whatever their count: what it looks at are ratios to the level."""

NO_MODEL: Final = "none"
"""In place of a file: begin with a regression, whatever is shipped."""

MODEL_BYTES_MAX: Final = 64 * 1024 * 1024
"""A named limit: more than NODES_MAX nodes take as JSON (models/forecast_model.py), some 15 MB."""


def forecaster_of(settings: Settings) -> Forecaster:
    """Return what makes the forecasts under these settings.

    Raises:
        UserError: The model cannot be read, or is for another level or horizon.
    """
    where = variable("model")
    views = settings.level.action == Action.VIEW
    if settings.model == NO_MODEL:
        return BASELINE_OF_VIEWS if views else BASELINE
    if settings.model:
        model = read_model(Path(settings.model), where)
        if model.level != settings.level:
            raise UserError(
                f"the model {settings.model} forecasts {model.level}, not {settings.level}",
                where,
                f"set {variable('level')}={model.level}, or train a model for {settings.level}",
            )
        if model.horizon_ms != settings.horizon_ms:
            horizon = format_duration(model.horizon_ms)
            raise UserError(
                f"the model {settings.model} forecasts {horizon} ahead, not {settings.horizon}",
                where,
                f"set {variable('horizon')}={horizon}, or train a model for {settings.horizon}",
            )
        return Forecaster.of(model)
    if views and SHIPPED.exists():
        return Forecaster.of(read_model(SHIPPED, "shipped"))
    return BASELINE


def require_learning(settings: Settings) -> None:
    """Make sure that forecasts can learn: a worker would find out a week later that they cannot.

    Raises:
        UserError: The library that grows trees cannot be loaded.
    """
    if not settings.learn_forecast:
        return
    try:
        library_version()
    except NoTreesError as error:
        where = variable("learn_forecast")
        raise UserError(
            str(error),
            where,
            f"install GCC's OpenMP library (Debian: libgomp1, macOS: libomp), or set {where}=false",
        ) from error


def read_model(path: Path, where: str) -> ForecastModel:
    """Read the file of a forecast.

    Args:
        path: The file.
        where: Which setting or option names it.

    Raises:
        UserError: There is none, or it is no forecast that this version can use.
    """
    try:
        with path.open("rb") as file:
            data = file.read(MODEL_BYTES_MAX + 1)
    except OSError as error:
        raise UserError(
            f"the model {path} cannot be read: {error.strerror}", where, "name a file that can be"
        ) from error
    if len(data) > MODEL_BYTES_MAX:
        raise UserError(
            f"the model {path} is larger than {MODEL_BYTES_MAX:,} bytes", where, "train a smaller"
        )
    try:
        return ForecastModel.from_bytes(data, FEATURES)
    except ModelFormatError as error:
        raise UserError(
            f"the model {path} cannot be used: {error}", where, "train it again: hotspots train"
        ) from error
