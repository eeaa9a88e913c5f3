"""Simulated series in which nothing happens, and series with a planted change.

Each null is named and composite: whatever stays inside it must not raise more alarms than were
promised. Some lie outside what our evidence allows for, on purpose: docs/detectors.md says what
they cost. Columns are float64[series, visits], visits of five minutes.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from models.cohorts import DRIFT
from models.cohorts import SHIPPED as COHORT
from models.vocabulary import Signal

Floats = npt.NDArray[np.float64]

VISITS_PER_DAY: Final = 288

SHAPE: Final = float(COHORT.shape[Signal.INTERACTION])
"""Over-dispersion of counts: the shipped cohort's, measured on tweets outside their windows."""
CONCENTRATION: Final = float(COHORT.concentration[Signal.INTERACTION])
"""Over-dispersion of propensities: the shipped cohort's."""

RHYTHM_DEPTH: Final = 0.48
"""The daily rhythm of the tweets falls to 0.35 of its highest (measured; docs/detection.md): a sine
of this depth does."""

STICKY_VISITS: Final = 36.0
"""How long a burst of the sticky null lasts: a time constant of three hours."""

BOT_REPEATS: Final = 20.0
"""Events of each bot in a visit in which bots come."""
BOTS: Final = 40
"""So many accounts push: more than 30, hence watched, and less than a crowd of 150."""
BOT_VISITS: Final = 0.02
"""Share of visits in which they come."""


@dataclass(frozen=True, slots=True)
class Stream:
    """Columns of null series.

    Attributes:
        people: float[series, visits], people who acted: what our evidence counts.
        events: float[series, visits], their events: what a detector without people sees.
        exposures: float[series, visits], views.
    """

    people: Floats
    events: Floats
    exposures: Floats


@dataclass(frozen=True, slots=True)
class Setting:
    """What the series of a null have in common.

    Attributes:
        series: How many.
        visits: How long.
        mean: Greatest mean of a visit that the null allows.
        propensity: Greatest mean of events per exposure that it allows.
    """

    series: int
    visits: int
    mean: float = 4.0
    propensity: float = 0.0061 * DRIFT


def gamma_poisson(rng: np.random.Generator, mean: Floats, shape: float) -> Floats:
    """Return counts with variance mean + mean^2 / shape, independent between visits."""
    return rng.poisson(mean * rng.gamma(shape, 1 / shape, mean.shape)).astype(float)


def beta_binomial(
    rng: np.random.Generator, exposures: Floats, mean: Floats, concentration: float
) -> Floats:
    """Return how many of the exposures acted, the propensity drawn anew in each visit."""
    a, b = mean * concentration, (1 - mean) * concentration
    return rng.binomial(exposures.astype(np.int64), rng.beta(a, b)).astype(float)


def _flat(setting: Setting) -> Floats:
    return np.full((setting.series, setting.visits), setting.mean)


def _people_alone(people: Floats, setting: Setting) -> Stream:
    return Stream(people, people, np.ceil(people / setting.propensity))


def regular(rng: np.random.Generator, setting: Setting) -> Stream:
    """Poisson counts at the boundary: no over-dispersion at all."""
    return _people_alone(rng.poisson(_flat(setting)).astype(float), setting)


def dispersed(rng: np.random.Generator, setting: Setting) -> Stream:
    """Gamma-Poisson counts at the boundary: the least favourable member of the intensity null."""
    return _people_alone(gamma_poisson(rng, _flat(setting), SHAPE), setting)


def rhythmic(rng: np.random.Generator, setting: Setting) -> Stream:
    """Gamma-Poisson with a daily rhythm whose peak is the boundary."""
    hour = 2 * math.pi * np.arange(setting.visits) / VISITS_PER_DAY
    start = rng.uniform(0, 2 * math.pi, (setting.series, 1))
    share = (1 + RHYTHM_DEPTH * np.sin(hour + start)) / (1 + RHYTHM_DEPTH)
    return _people_alone(gamma_poisson(rng, setting.mean * share, SHAPE), setting)


def drifting(rng: np.random.Generator, setting: Setting) -> Stream:
    """Gamma-Poisson that wanders from the cohort's mean up to DRIFT times it: the boundary."""
    rise = np.linspace(1 / DRIFT, 1.0, setting.visits)
    return _people_alone(
        gamma_poisson(rng, setting.mean * rise + 0 * _flat(setting), SHAPE), setting
    )


def sticky(rng: np.random.Generator, setting: Setting) -> Stream:
    """Over-dispersion that lasts for hours: outside our null, which draws it anew at each visit.

    The rate is the mean of 2 * SHAPE squares of AR(1) normals, whose distribution is the gamma of
    `dispersed`; its long-run mean is the boundary.
    """
    keep = math.exp(-0.5 / STICKY_VISITS)
    parts = round(2 * SHAPE)
    normal = rng.standard_normal((setting.series, parts))
    rates = np.empty((setting.series, setting.visits))
    for visit in range(setting.visits):
        rates[:, visit] = (normal**2).mean(axis=1)
        fresh = rng.standard_normal(normal.shape)
        normal = keep * normal + math.sqrt(1 - keep**2) * fresh
    return _people_alone(rng.poisson(setting.mean * rates).astype(float), setting)


def pushed(rng: np.random.Generator, setting: Setting) -> Stream:
    """Half the boundary's people, and now and then forty accounts that act twenty times each.

    People of a visit are discounted as models/visits.py does where actors are known: by different
    people so far over events so far.
    """
    ordinary = gamma_poisson(rng, 0.5 * _flat(setting), SHAPE)
    come = rng.random(ordinary.shape) < BOT_VISITS
    events = ordinary + come * BOTS * BOT_REPEATS
    everyone = np.cumsum(ordinary, axis=1) + BOTS * (np.cumsum(come, axis=1) > 0)
    discount = np.minimum(everyone / np.maximum(np.cumsum(events, axis=1), 1.0), 1.0)
    people = (ordinary + come * BOTS) * discount
    return Stream(people, events, np.ceil(events / setting.propensity))


def responding(rng: np.random.Generator, setting: Setting) -> Stream:
    """Beta-binomial responses at the boundary, with people four times above that of intensity."""
    views = gamma_poisson(rng, 4 * _flat(setting) / setting.propensity, SHAPE)
    mean = np.full(views.shape, setting.propensity)
    people = beta_binomial(rng, views, mean, CONCENTRATION)
    return Stream(people, people, views)


Null = Callable[[np.random.Generator, Setting], Stream]

INSIDE: Final[dict[str, Null]] = {
    "regular": regular,
    "dispersed": dispersed,
    "rhythmic": rhythmic,
    "drifting": drifting,
    "pushed": pushed,
}
"""Nulls that the intensity null contains, by name."""

OUTSIDE: Final[dict[str, Null]] = {"sticky": sticky}
"""Nulls that it does not contain."""


def planted(rng: np.random.Generator, setting: Setting, factor: float, change: int) -> Stream:
    """Gamma-Poisson at the boundary that rises to `factor` times it from a visit on."""
    mean = _flat(setting)
    mean[:, change:] *= factor
    return _people_alone(gamma_poisson(rng, mean, SHAPE), setting)


def information(mean: float, factor: float, shape: float) -> float:
    """Return the Kullback-Leibler divergence of a visit after a change from one before it, in nats.

    Of gamma-Poissons of one shape: no detector with a false alarm in 1 / alpha visits can have a
    mean delay below about log(1 / alpha) over this (G. Lorden, "Procedures for Reacting to a Change
    in Distribution", 1971).

    >>> round(information(4.0, 1.0, 1.42), 6)
    0.0
    """
    after = mean * factor
    ratio = (shape + after) / (shape + mean)
    return after * math.log(factor) - (after + shape) * math.log(ratio)
