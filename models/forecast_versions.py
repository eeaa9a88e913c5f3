"""Which learned forecast holds in which epoch.

A version that was learned through an epoch holds from two epochs later on, until a newer one does,
as cohorts do (models/cohorts.py). It is told before the cohorts of its epoch, so that whoever may
decide an epoch has every version that holds in it.

A version does not speak alone: its trees are added to the log odds of what is said without it, upon
which they were grown. A young version knows a few weeks of a platform, and where these tell little
it says little: on the development halves of the uploads and the popular list, beginning with the
regression, average precision was 1.215 and 1.378 times that of views per hour, where it was 1.221
and 1.307 without; the mean of log odds of versions that speak by themselves and of the regression,
which was the rule before, made 1.137 and 1.349 of 1.193 and 1.283.

A version without trees says that what is said without it is better than what was learned.
"""

from typing import Final

from models.cohorts import EPOCHS_TO_LEARN
from models.forecast_features import FEATURES
from models.forecast_model import ForecastModel, ModelFormatError
from models.forecasting import Forecaster
from models.parameters import Parameters

_PREFIX: Final = b"forecast:epoch:"


def key_of(through_epoch: int) -> bytes:
    """Return the key of a version on the topic of what was learned."""
    return _PREFIX + str(through_epoch).encode()


def is_forecast(key: bytes) -> bool:
    """Tell whether a key is that of a forecast."""
    return key.startswith(_PREFIX)


def name_of(through_epoch: int) -> str:
    """Return the name that a decision gives as its version."""
    return f"learned:epoch:{through_epoch}"


def check_version(model: ForecastModel) -> None:
    """Make sure that a model is a version.

    Raises:
        ModelFormatError: It speaks by itself, as versions did that an older program learned.
    """
    if not model.upon:
        raise ModelFormatError(
            f"the learned forecast {model.name!r} is of an older program: it does not add to what "
            "is said without it"
        )


class ForecastVersions:
    """What forecasts in each epoch: the versions that were learned, before them the first.

    Attributes:
        parameters: Versions for another level or horizon are passed over, and those that add to
            what another first one says: they were learned under other settings.
        first: What forecasts until a version holds.
    """

    def __init__(self, parameters: Parameters, first: Forecaster) -> None:
        self.parameters = parameters
        self.first = first
        self._versions: dict[int, Forecaster] = {}

    def __len__(self) -> int:
        """Return how many versions are kept."""
        return len(self._versions)

    def learn(self, key: bytes, value: bytes) -> None:
        """Take a version.

        Raises:
            ModelFormatError: It is damaged.
        """
        try:
            model = ForecastModel.from_bytes(value, FEATURES)
            through_epoch = int(key[len(_PREFIX) :])
        except (ModelFormatError, ValueError) as error:
            raise ModelFormatError(f"the learned forecast {key!r} cannot be used: {error}") from (
                error
            )
        check_version(model)
        parameters = self.parameters
        wanted = parameters.level, parameters.horizon_ms, self.first.name
        if (model.level, model.horizon_ms, model.upon) == wanted:
            speaks = len(model.roots) > 0
            version = Forecaster.of(model).upon(self.first) if speaks else self.first
            self._versions[through_epoch] = version

    def of(self, epoch: int) -> Forecaster:
        """Return what forecasts in an epoch, and forget what held before: epochs never go back."""
        holding = [e for e in self._versions if e <= epoch - EPOCHS_TO_LEARN]
        if not holding:
            return self.first
        newest = max(holding)
        for old in holding:
            if old != newest:
                del self._versions[old]
        return self._versions[newest]
