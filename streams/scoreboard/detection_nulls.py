"""False alarms on simulated nulls: what our evidence promises, and what it does."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

import numpy as np

from models import null_streams
from models.detectors.contract import Detector, alarms, first_alarm, run
from models.detectors.e_detector import Intensity, Propensity
from models.detectors.return_period import ReturnPeriod
from models.evidence import log_threshold
from models.null_streams import CONCENTRATION, INSIDE, OUTSIDE, SHAPE, VISITS_PER_DAY, Null, Setting
from streams.scoreboard.intervals import Interval, of_rate

RATES: Final = (0.001, 0.01, 0.1, 0.5)
"""Settings of the alarm rate per video-day: the default, and looser ones at which there is
something to count."""

RETURN_DAYS: Final = (2.0, 7.0, 28.0)
"""Return periods of a burst."""

SETTING: Final = Setting(series=1_000, visits=5 * VISITS_PER_DAY)
LONG: Final = Setting(series=100, visits=31 * VISITS_PER_DAY)
"""Bursts need a past of three days, and their null is one of weeks."""

BLOCKS: Final = 4
"""How many times a setting is simulated: all series at once would not fit into memory."""


@dataclass(frozen=True, slots=True)
class FalseAlarms:
    """What was counted on one null at one setting.

    Attributes:
        null: Its name.
        detector: Whose alarms.
        promised: Alarms per video-day, at most.
        count: Alarms.
        video_days: Days watched; a video's watch ends with its first alarm.
        interval: Exact 95 % interval of the rate.
    """

    null: str
    detector: str
    promised: float
    count: int
    video_days: float
    interval: Interval

    @property
    def rate(self) -> float:
        """Alarms per video-day."""
        return self.count / self.video_days

    @property
    def is_broken(self) -> bool:
        """Whether the promise is certainly not kept."""
        return self.interval[0] > self.promised


def evidence_on_nulls(seed: int) -> Iterator[FalseAlarms]:
    """Measure both e-detectors, each alone with the whole promise, on every null."""
    intensity = Intensity(SETTING.mean, SHAPE, "intensity")
    propensity = Propensity(SETTING.propensity, CONCENTRATION, "propensity")
    for name, null in (INSIDE | OUTSIDE).items():
        yield from _evidence(name, null, intensity, seed)
    yield from _evidence("responding", null_streams.responding, propensity, seed)


def _evidence(name: str, null: Null, detector: Detector, seed: int) -> Iterator[FalseAlarms]:
    counts = dict.fromkeys(RATES, 0)
    watched = dict.fromkeys(RATES, 0.0)
    rng = np.random.default_rng(seed)
    for _ in range(BLOCKS):
        stream = null(rng, SETTING)
        statistic = run(detector, stream.people, stream.exposures)
        for rate in RATES:
            first = first_alarm(statistic, log_threshold(rate, VISITS_PER_DAY, 1))
            counts[rate] += int((first < SETTING.visits).sum())
            watched[rate] += float(np.minimum(first + 1, SETTING.visits).sum()) / VISITS_PER_DAY
    for rate in RATES:
        interval = of_rate(counts[rate], watched[rate])
        yield FalseAlarms(name, detector.name, rate, counts[rate], watched[rate], interval)


def bursts_on_nulls(seed: int) -> Iterator[FalseAlarms]:
    """Measure the rule of bursts (models/bursts.py) on every null; every episode counts."""
    for name, null in (INSIDE | OUTSIDE).items():
        # Bots push now and then at the same size: those are bursts of events, not of people.
        people = null(np.random.default_rng(seed), LONG).people
        statistic = run(ReturnPeriod(), people, people)
        days = LONG.series * float(np.isfinite(statistic[0]).sum()) / VISITS_PER_DAY
        for return_days in RETURN_DAYS:
            told = alarms(statistic, float(np.log(return_days)), VISITS_PER_DAY // 2)
            count = int(told.sum())
            interval = of_rate(count, days)
            yield FalseAlarms(name, "bursts", 1 / return_days, count, days, interval)
