"""How soon a planted change is told, by each detector at the same rate of false alarms.

All thresholds come from simulation on the same null, so that none profits from a loose promise; our
e-detector is shown once more at the threshold that its promise asks for, without any calibration.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from models import null_streams
from models.detectors.contract import Detector, first_alarm, run, threshold_for
from models.detectors.cusum import Cusum
from models.detectors.e_detector import Intensity
from models.detectors.kleinberg import Kleinberg
from models.detectors.mastodon import Mastodon
from models.detectors.never import Never
from models.detectors.page_hinkley import PageHinkley
from models.detectors.return_period import ReturnPeriod
from models.detectors.social_listening import SocialListening
from models.detectors.z_score import ZScore
from models.null_streams import SHAPE, VISITS_PER_DAY, Setting

MEAN: Final = 4.0
"""Events per visit before the change: a video that is talked about, about 50 an hour."""
FACTORS: Final = (1.5, 2.0, 3.0, 5.0, 10.0)
FALSE_ALARM_EVERY_DAYS: Final = 10.0
"""One false alarm in so many days of a series: seldom enough, and measurable."""
WARM_UP: Final = 7 * VISITS_PER_DAY
"""The longest that a detector is silent: a week (models/detectors/social_listening.py)."""
LOOKED_AT: Final = 10 * VISITS_PER_DAY
CHANGE: Final = WARM_UP + VISITS_PER_DAY // 3
"""At a third of a day, since one detector counts days."""
SERIES: Final = 400


@dataclass(frozen=True, slots=True)
class Delay:
    """How soon one detector told a change by one factor.

    Attributes:
        detector: Its name.
        factor: By how much the mean rose.
        median_visits: Half of the series are told by then; inf when fewer are told at all.
        mean_visits: Of all series, undetected ones at the end of the look: a lower bound then.
        told: Share of the series told at all.
        bound_visits: log(1 / alpha) / divergence: no mean delay can lie far below (Lorden 1971).
    """

    detector: str
    factor: float
    median_visits: float
    mean_visits: float
    told: float
    bound_visits: float


def detectors() -> Sequence[Detector]:
    """Return the detectors that are compared, told what they need to know of the null."""
    return (
        Intensity(MEAN, SHAPE, "e-detector (ours)"),
        ReturnPeriod("bursts (ours)"),
        Cusum(MEAN, 2.0),
        PageHinkley(MEAN / 2),
        Kleinberg(MEAN, 2.0),
        ZScore(),
        SocialListening(),
        Mastodon(),
        Never(),
    )


def delays(seed: int) -> list[Delay]:
    """Measure every detector on every factor."""
    rng = np.random.default_rng(seed)
    alpha = 1 / (FALSE_ALARM_EVERY_DAYS * VISITS_PER_DAY)
    quiet = null_streams.dispersed(rng, Setting(SERIES, WARM_UP + LOOKED_AT, MEAN))
    thresholds = []
    for detector in detectors():
        statistic = run(detector, quiet.people, quiet.exposures)[:, WARM_UP:]
        thresholds.append((detector, detector.name, threshold_for(statistic, alpha)))
    ours = detectors()[0]
    # E-detectors promise an average run length of c visits at log c: no simulation behind it.
    thresholds.insert(1, (ours, f"{ours.name}, at its promise", math.log(1 / alpha)))
    setting = Setting(SERIES, CHANGE + LOOKED_AT, MEAN)
    measured = []
    for factor in FACTORS:
        bound = math.log(1 / alpha) / null_streams.information(MEAN, factor, SHAPE)
        stream = null_streams.planted(rng, setting, factor, CHANGE)
        for detector, name, threshold in thresholds:
            statistic = run(detector, stream.people, stream.exposures)
            # Who was above before the change has told nothing of it.
            calm = statistic[:, CHANGE - 1] <= threshold
            first = first_alarm(statistic[calm][:, CHANGE:], threshold)
            told = first < LOOKED_AT
            waited = np.where(told, first + 1.0, np.inf)
            measured.append(
                Delay(
                    detector=name,
                    factor=factor,
                    median_visits=float(np.median(waited)),
                    mean_visits=float(np.minimum(waited, LOOKED_AT).mean()),
                    told=float(told.mean()),
                    bound_visits=bound,
                )
            )
    return measured
