"""Simulated nulls are what their names say, and our evidence keeps its promise on them."""

import numpy as np
import pytest

from models import null_streams
from models.detectors.contract import first_alarm, run
from models.detectors.e_detector import Intensity
from models.evidence import log_threshold
from models.null_streams import INSIDE, OUTSIDE, SHAPE, Setting

SETTING = Setting(series=300, visits=288)


@pytest.mark.parametrize("name", [*INSIDE, *OUTSIDE])
def test_a_null_stays_below_the_mean_it_may_have(name: str) -> None:
    stream = (INSIDE | OUTSIDE)[name](np.random.default_rng(1), SETTING)
    for column in (stream.people, stream.events, stream.exposures):
        assert column.shape == (300, 288)
        assert (column >= 0).all()
    assert (stream.people <= stream.events).all()
    assert (stream.people <= np.maximum(stream.exposures, stream.people)).all()
    assert stream.people.mean() <= 1.05 * SETTING.mean
    if name != "pushed":
        # No visit of the day is above the boundary by more than chance.
        of_visits = stream.people.mean(axis=0)
        error = np.sqrt((SETTING.mean + SETTING.mean**2 / SHAPE) / SETTING.series)
        assert (of_visits <= SETTING.mean + 5 * error).all()


def test_the_least_favourable_null_has_the_dispersion_that_is_allowed_for() -> None:
    people = null_streams.dispersed(np.random.default_rng(2), SETTING).people
    expected = SETTING.mean + SETTING.mean**2 / SHAPE
    assert people.var() == pytest.approx(expected, rel=0.05)
    neighbours = np.corrcoef(people[:, :-1].ravel(), people[:, 1:].ravel())[0, 1]
    assert abs(neighbours) < 0.02


def test_the_sticky_null_has_the_same_counts_and_hours_that_hang_together() -> None:
    people = null_streams.sticky(np.random.default_rng(3), SETTING).people
    assert people.var() == pytest.approx(SETTING.mean + SETTING.mean**2 / SHAPE, rel=0.15)
    neighbours = np.corrcoef(people[:, :-1].ravel(), people[:, 1:].ravel())[0, 1]
    assert neighbours > 0.5


def test_responses_are_over_dispersed_about_their_boundary() -> None:
    stream = null_streams.responding(np.random.default_rng(4), SETTING)
    share = stream.people.sum() / stream.exposures.sum()
    assert share == pytest.approx(SETTING.propensity, rel=0.05)
    binomial = SETTING.propensity * (1 - SETTING.propensity)
    pearson = (stream.people - share * stream.exposures) ** 2
    assert (pearson / binomial / np.maximum(stream.exposures, 1)).mean() > 3


@pytest.mark.parametrize("name", list(INSIDE))
def test_our_evidence_keeps_its_promise_on_what_its_null_contains(name: str) -> None:
    stream = INSIDE[name](np.random.default_rng(5), SETTING)
    rate = 0.1
    seen = run(Intensity(SETTING.mean, SHAPE), stream.people, stream.exposures)
    alarms = first_alarm(seen, log_threshold(rate, 288, 1)) < 288
    # 30 are allowed; a Poisson count of 30 exceeds 48 once in a thousand runs.
    assert alarms.sum() <= 48


def test_a_planted_change_begins_where_it_was_planted() -> None:
    people = null_streams.planted(np.random.default_rng(6), SETTING, 3.0, 100).people
    assert people[:, :100].mean() == pytest.approx(4.0, rel=0.05)
    assert people[:, 100:].mean() == pytest.approx(12.0, rel=0.05)


def test_information_is_the_divergence_summed_over_counts() -> None:
    from scipy.stats import nbinom

    counts = np.arange(20_000)
    after = nbinom.logpmf(counts, 1.42, 1.42 / (1.42 + 12.0))
    before = nbinom.logpmf(counts, 1.42, 1.42 / (1.42 + 4.0))
    expected = float((np.exp(after) * (after - before)).sum())
    assert null_streams.information(4.0, 3.0, 1.42) == pytest.approx(expected)
