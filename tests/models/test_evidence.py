"""E-values keep their promise: expectation at most 1 under every member of the composite null."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import betabinom, nbinom

from models import evidence


@given(st.floats(0.005, 0.4), st.floats(0.1, 1.0), st.integers(1, 400), st.floats(2.0, 500.0))
@settings(max_examples=60, deadline=None)
def test_propensity_ratios_are_e_values_for_every_mean_of_the_null(
    null: float, share: float, exposed: int, concentration: float
) -> None:
    acted = np.arange(exposed + 1, dtype=float)
    ratios = np.exp(
        evidence.propensity_log_ratios(
            acted,
            np.full_like(acted, exposed),
            np.full_like(acted, null),
            np.full_like(acted, concentration),
        )
    )
    mean = null * share
    chance = betabinom.pmf(acted, exposed, mean * concentration, (1 - mean) * concentration)
    assert (chance @ ratios <= 1 + 1e-6).all()


@given(st.floats(0.01, 0.5), st.floats(1.0, 3.0), st.integers(1, 400), st.floats(2.0, 500.0))
@settings(max_examples=60, deadline=None)
def test_scarcity_ratios_are_e_values_for_every_mean_above_the_null(
    null: float, factor: float, exposed: int, concentration: float
) -> None:
    acted = np.arange(exposed + 1, dtype=float)
    ratios = np.exp(
        evidence.scarcity_log_ratios(
            acted,
            np.full_like(acted, exposed),
            np.full_like(acted, null),
            np.full_like(acted, concentration),
        )
    )
    mean = min(null * factor, 0.95)
    chance = betabinom.pmf(acted, exposed, mean * concentration, (1 - mean) * concentration)
    assert (chance @ ratios <= 1 + 1e-6).all()


@given(st.floats(0.05, 50.0), st.floats(0.1, 1.0), st.floats(0.2, 50.0))
@settings(max_examples=60, deadline=None)
def test_intensity_ratios_are_e_values_for_every_mean_of_the_null(
    expected: float, share: float, shape: float
) -> None:
    mean = expected * share
    count = np.arange(5_000, dtype=float)
    ratios = evidence.intensity_log_ratios(
        count, np.full_like(count, expected), np.full_like(count, shape)
    )
    log_chance = nbinom.logpmf(count, shape, shape / (shape + mean))[:, None]
    assert (np.exp(ratios + log_chance).sum(axis=0) <= 1 + 1e-6).all()


def test_closed_forms_are_the_ratios_of_full_likelihoods() -> None:
    count, expected, shape = np.array([7.0]), np.array([3.0]), np.array([1.4])
    got = evidence.intensity_log_ratios(count, expected, shape)[0]
    for ratio, factor in zip(got, evidence.ALTERNATIVES, strict=True):
        above = nbinom.logpmf(7, 1.4, 1.4 / (1.4 + 3 * factor))
        below = nbinom.logpmf(7, 1.4, 1.4 / (1.4 + 3))
        assert ratio == pytest.approx(float(above - below))


def test_no_exposure_and_no_expectation_are_no_evidence() -> None:
    nothing = np.array([0.0])
    one = np.array([1.0])
    assert not evidence.propensity_log_ratios(nothing, nothing, one * 0.1, one).any()
    assert not evidence.scarcity_log_ratios(nothing, nothing, one * 0.1, one).any()
    assert not evidence.intensity_log_ratios(one, nothing, one).any()


def test_the_detector_keeps_its_alarm_rate_under_the_null_and_fires_after_a_change() -> None:
    rng = np.random.default_rng(5)
    videos, visits, rate = 2_000, 288, 0.01
    log_c = evidence.log_threshold(rate, visits, 1)
    expected, shape = np.full(videos, 4.0), np.full(videos, 1.4)
    detector = np.zeros((videos, len(evidence.ALTERNATIVES)), np.float32)
    fired = np.zeros(videos, bool)
    for _ in range(visits):
        count = rng.negative_binomial(1.4, 1.4 / (1.4 + 4.0), videos).astype(float)
        detector = evidence.cusum(detector, evidence.intensity_log_ratios(count, expected, shape))
        fired |= evidence.mixed(detector) >= log_c
    # One day of 2,000 videos: the promise allows 20 alarms, and a Poisson of 20 exceeds 34 once in
    # a thousand runs.
    assert fired.sum() <= 34
    delay = 0
    while not (evidence.mixed(detector) >= log_c).all():
        count = rng.negative_binomial(1.4, 1.4 / (1.4 + 40.0), videos).astype(float)
        detector = evidence.cusum(detector, evidence.intensity_log_ratios(count, expected, shape))
        delay += 1
        assert delay < 120, "a tenfold rise must be seen on every video within ten hours"


def test_a_mixture_lies_between_its_parts() -> None:
    parts = np.array([[0.0, 2.0, 4.0], [1.0, 1.0, 1.0]], np.float32)
    mean = evidence.mixed(parts)
    assert mean[0] == pytest.approx(np.log(np.exp(parts[0].astype(float)).mean()))
    assert mean[1] == pytest.approx(1.0)
