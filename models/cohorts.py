"""What is ordinary: the nulls that every signal is held against, per platform, age and reach.

A cohort is all videos of one platform in the same band of age and of reach. What the monitor learns
of them (models/cohort_learning.py) becomes a version; a version holds for one epoch and every
decision names the version it was made with. Until a platform has shown enough of itself, the
shipped cohort (models/shipped_cohort.py, measured) is mixed in by weight.
"""

from dataclasses import dataclass, field
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from models.parameters import HOUR_MS
from models.shipped_cohort import SHIPPED_COHORT
from models.vocabulary import Signal

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

AGE_BANDS_H: Final = (6, 24, 72)
"""Ages at which one band ends and the next begins, in hours. Propensities fall as a video ages and
strangers arrive; measured on the seeds' case, 0.57 after 9 hours and 0.37 after six days."""

REACH_BANDS: Final = (1_000, 10_000, 100_000, 1_000_000)
"""Cumulative views at which one band ends and the next begins: decades, since the median
propensity to identify falls by a third from all uploads to the popular list (0.154 to 0.101,
measured)."""

AGES: Final = len(AGE_BANDS_H) + 1
REACHES: Final = len(REACH_BANDS) + 1
SIGNALS: Final = len(Signal)

NULL_QUANTILE: Final = np.array([0.25, 0.95, 0.5, 0.5])
"""float[SIGNALS]: which quantile of the cohort's propensities the null reaches. Interaction and
diffusion must be above the median's. Identification need only be above the lower quarter's: reach
itself brings strangers who respond less (the popular list's median, 0.101, lies under that of all
uploads, 0.154, measured), and what is asked is that reach was not merely bought. Exclusion is
rarer and skewed (measured on YouTube trending: median 0.0007, 90 % 0.0024): only the outer
twentieth counts."""

SCARCE_QUANTILE: Final = 0.01
"""Below this quantile of the cohort's propensities to identify a video counts as ignored."""

INTENSITY_QUANTILE: Final = 0.999
"""Which quantile of the cohort's events per hour the null of intensity reaches up to: a hotspot is
one in a thousand or rarer."""

DRIFT: Final = 1.25
"""By how much a cohort may drift between the epochs it was learned from and the one it is used
in. Measured on the uploads of the development data, two epochs apart: 99 % of the cells'
propensities rose by less than 9 %, 95 % of their intensities by less than 16 %."""


@dataclass(frozen=True, slots=True)
class PlatformCohort:
    """The nulls of one platform.

    Attributes:
        propensity: float[SIGNALS, AGES, REACHES], quantile NULL_QUANTILE of events per exposure.
        scarcity: float[AGES, REACHES], quantile SCARCE_QUANTILE of identification per exposure.
        concentration: float[SIGNALS], beta-binomial a + b between visits of one video.
        intensity: float[SIGNALS, AGES], quantile INTENSITY_QUANTILE of events per hour.
        shape: float[SIGNALS], gamma-Poisson shape between visits of one video.
        rhythm: float[24], share of each UTC hour in the platform's activity, mean 1.
        videos: How many videos it was learned from (0: shipped).
    """

    propensity: Floats
    scarcity: Floats
    concentration: Floats
    intensity: Floats
    shape: Floats
    rhythm: Floats
    videos: int = 0

    def to_dict(self) -> dict[str, Any]:
        """Return a JSON-ready form."""
        return {
            "propensity": self.propensity.tolist(),
            "scarcity": self.scarcity.tolist(),
            "concentration": self.concentration.tolist(),
            "intensity": self.intensity.tolist(),
            "shape": self.shape.tolist(),
            "rhythm": self.rhythm.tolist(),
            "videos": self.videos,
        }

    @classmethod
    def from_dict(cls, stored: dict[str, Any]) -> "PlatformCohort":
        """Take back what `to_dict` returned."""
        columns = {k: np.array(v, np.float64) for k, v in stored.items() if k != "videos"}
        return cls(**columns, videos=stored["videos"])


SHIPPED: Final = PlatformCohort.from_dict(SHIPPED_COHORT)


EPOCHS_TO_LEARN: Final = 2
"""A version learned through epoch e holds in epoch e + 2: one whole epoch to learn it and tell
all."""


@dataclass(frozen=True, slots=True)
class CohortVersion:
    """What was learned through an epoch: the cohorts of all platforms.

    `through_epoch` is the last epoch that went in; it holds for decisions in epoch + 2, so that
    there is a whole epoch of time to learn it and to tell everyone. Of one video of 2^`thinning`
    forecasts are told to learn from (models/forecast_moments.py).
    """

    through_epoch: int
    platforms: dict[str, PlatformCohort] = field(default_factory=dict)
    thinning: int = 0

    @property
    def name(self) -> str:
        """The name a decision gives as its version."""
        return f"epoch:{self.through_epoch}"

    def of(self, platform: str) -> PlatformCohort:
        """Return the cohort of a platform; the shipped one where nothing was learned yet."""
        return self.platforms.get(platform, SHIPPED)

    def to_dict(self) -> dict[str, Any]:
        """Return a JSON-ready form."""
        return {
            "through_epoch": self.through_epoch,
            "thinning": self.thinning,
            "platforms": {name: c.to_dict() for name, c in sorted(self.platforms.items())},
        }

    @classmethod
    def from_dict(cls, stored: dict[str, Any]) -> "CohortVersion":
        """Take back what `to_dict` returned."""
        return cls(
            through_epoch=stored["through_epoch"],
            platforms={n: PlatformCohort.from_dict(c) for n, c in stored["platforms"].items()},
            thinning=stored.get("thinning", 0),
        )


def age_band(age_ms: Ints) -> Ints:
    """Return the band of each age.

    >>> age_band(np.array([0, 6 * HOUR_MS, 100 * HOUR_MS]))
    array([0, 1, 3])
    """
    return np.digitize(age_ms, np.array(AGE_BANDS_H) * HOUR_MS).astype(np.int64)


def reach_band(views: Ints) -> Ints:
    """Return the band of each cumulative number of views.

    >>> reach_band(np.array([0, 1_000, 5_000_000]))
    array([0, 1, 4])
    """
    return np.digitize(views, np.array(REACH_BANDS)).astype(np.int64)
