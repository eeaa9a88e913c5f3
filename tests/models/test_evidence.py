"""E-values keep their promise: expectation at most 1 under every member of the composite null."""

from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import betabinom, nbinom

from models import evidence
from models.evidence import ALTERNATIVES


def ratios_of(function: Callable[..., None], *arguments: Any) -> npt.NDArray[np.float64]:  # noqa: ANN401 - arrays and numbers
    """Return float[..., alternatives]: what a compiled function fills in, over arrays."""
    columns = np.broadcast_arrays(*(np.asarray(argument, float) for argument in arguments))
    filled = np.zeros((*columns[0].shape, len(ALTERNATIVES)))
    for at in np.ndindex(columns[0].shape):
        function(*(float(column[at]) for column in columns), filled[at])
    return filled


def response_ratios(
    acted: Any,  # noqa: ANN401 - arrays and numbers
    exposed: Any,  # noqa: ANN401 - arrays and numbers
    null: float,
    concentration: float,
    betas_of: Callable[..., None] = evidence.betas_above,
) -> npt.NDArray[np.float64]:
    """Return float[..., alternatives] against one null of a propensity."""
    betas = np.zeros((1 + len(ALTERNATIVES), evidence.BETA_NUMBERS))
    betas_of(null, concentration, betas)

    def fill_in(acted: float, exposed: float, ratios: npt.NDArray[np.float64]) -> None:
        evidence.propensity_log_ratios(acted, exposed, betas, ratios)

    return ratios_of(fill_in, acted, exposed)


@given(st.floats(0.005, 0.4), st.floats(0.1, 1.0), st.integers(1, 400), st.floats(2.0, 500.0))
@settings(max_examples=60, deadline=None)
def test_propensity_ratios_are_e_values_for_every_mean_of_the_null(
    null: float, share: float, exposed: int, concentration: float
) -> None:
    acted = np.arange(exposed + 1, dtype=float)
    ratios = np.exp(response_ratios(acted, float(exposed), null, concentration))
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
        response_ratios(acted, float(exposed), null, concentration, evidence.betas_below)
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
    ratios = ratios_of(evidence.intensity_log_ratios, count, expected, shape)
    log_chance = nbinom.logpmf(count, shape, shape / (shape + mean))[:, None]
    assert (np.exp(ratios + log_chance).sum(axis=0) <= 1 + 1e-6).all()


def test_closed_forms_are_the_ratios_of_full_likelihoods() -> None:
    got = ratios_of(evidence.intensity_log_ratios, 7.0, 3.0, 1.4)
    for ratio, factor in zip(got, ALTERNATIVES, strict=True):
        above = nbinom.logpmf(7, 1.4, 1.4 / (1.4 + 3 * factor))
        below = nbinom.logpmf(7, 1.4, 1.4 / (1.4 + 3))
        assert ratio == pytest.approx(float(above - below))


def test_no_exposure_and_no_expectation_are_no_evidence() -> None:
    for betas_of in (evidence.betas_above, evidence.betas_below):
        assert not response_ratios(0.0, 0.0, 0.1, 1.0, betas_of).any()
    assert not ratios_of(evidence.intensity_log_ratios, 1.0, 0.0, 1.0).any()


@pytest.mark.parametrize("null", [0.0, -0.1, 1.0, 1.5])
def test_a_null_without_room_beyond_it_is_no_evidence(null: float) -> None:
    for betas_of in (evidence.betas_above, evidence.betas_below):
        assert not response_ratios(30.0, 100.0, null, 50.0, betas_of).any()
    assert not response_ratios(30.0, 100.0, evidence.GREATEST_PROPENSITY, 50.0).any()


def test_a_response_is_held_against_the_beta_binomial_of_each_alternative() -> None:
    null, concentration = 0.2, 51.0
    above = response_ratios(30.0, 100.0, null, concentration)
    below = response_ratios(5.0, 100.0, null, concentration, evidence.betas_below)

    def log_chance(acted: int, mean: float) -> float:
        return float(betabinom.logpmf(acted, 100, mean * concentration, (1 - mean) * concentration))

    for k, factor in enumerate(ALTERNATIVES):
        mean = min(null * factor, evidence.GREATEST_PROPENSITY)
        assert above[k] == pytest.approx(log_chance(30, mean) - log_chance(30, null))
        assert below[k] == pytest.approx(log_chance(5, null / factor) - log_chance(5, null))


@given(
    st.floats(0.02, 0.4),
    st.floats(5.0, 300.0),
    st.lists(st.tuples(st.integers(0, 40), st.integers(0, 200)), min_size=2, max_size=5),
)
@settings(deadline=None)
def test_a_visit_may_be_looked_at_before_it_is_over(
    null: float, concentration: float, looks: list[tuple[int, int]]
) -> None:
    """The expected ratio after some more exposures is the ratio so far: a martingale."""
    acted, more = float(looks[0][0]), looks[1][1] % 30 + 1
    exposed = acted + looks[0][1]
    a, b = null * concentration, (1 - null) * concentration
    coming = np.arange(more + 1, dtype=float)
    chance = betabinom.pmf(coming, more, a + acted, b + exposed - acted)
    now = response_ratios(acted, exposed, null, concentration)
    then = response_ratios(acted + coming, exposed + more, null, concentration)
    # The greatest alternative may be so unlikely by now that its ratio is lost in rounding.
    assert chance @ np.exp(then - now)[:, :2] == pytest.approx(1.0, rel=1e-5)


def test_the_detector_keeps_its_alarm_rate_under_the_null_and_fires_after_a_change() -> None:
    rng = np.random.default_rng(5)
    videos, visits, rate = 2_000, 288, 0.01
    log_c = evidence.log_threshold(rate, visits, 1)
    detector = np.zeros((videos, len(ALTERNATIVES)))
    mixed = np.vectorize(lambda *parts: evidence.mixed(np.array(parts, np.float32)), otypes=[float])
    fired = np.zeros(videos, bool)

    def visit(mean: float) -> npt.NDArray[np.bool_]:
        count = rng.negative_binomial(1.4, 1.4 / (1.4 + mean), videos).astype(float)
        # Few different counts: the ratio of each is worked out once.
        different, at = np.unique(count, return_inverse=True)
        ratios = ratios_of(evidence.intensity_log_ratios, different, 4.0, 1.4)[at]
        detector[:] = np.maximum(detector, 0.0) + ratios
        return np.asarray(mixed(*detector.T) >= log_c)

    for _ in range(visits):
        fired |= visit(4.0)
    # One day of 2,000 videos: the promise allows 20 alarms, and a Poisson of 20 exceeds 34 once in
    # a thousand runs.
    assert fired.sum() <= 34
    delay = 1
    while not visit(40.0).all():
        delay += 1
        assert delay < 120, "a tenfold rise must be seen on every video within ten hours"


def test_a_mixture_lies_between_its_parts() -> None:
    parts = np.array([0.0, 2.0, 4.0], np.float32)
    assert evidence.mixed(parts) == pytest.approx(np.log(np.exp(parts.astype(float)).mean()))
    assert evidence.mixed(np.ones(3, np.float32)) == pytest.approx(1.0)


@given(st.lists(st.floats(-50, 50, width=32), min_size=3, max_size=3), st.floats(-60, 60))
def test_what_cannot_reach_a_level_does_not(parts: list[float], least: float) -> None:
    of = np.array(parts, np.float32)
    if evidence.mixed(of) >= least:
        assert evidence.can_reach(of, least)
    assert evidence.can_reach(of, float(of.max()))
    assert not evidence.can_reach(of, float(np.nextafter(of.max(), np.float32(np.inf))))
