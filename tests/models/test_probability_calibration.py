import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from models.probability_calibration import (
    KNOTS,
    LEAST_PROBABILITY,
    calibrate,
    log_loss,
)


def said(score: np.ndarray, hit: np.ndarray, weight: np.ndarray) -> np.ndarray:
    curve = calibrate(score, hit, weight)
    return np.interp(score, curve.score, curve.probability)


def test_what_is_promised_happens_as_often() -> None:
    random = np.random.default_rng(5)
    score = random.normal(-1, 2, 40_000)
    # Too sure of itself by a half, and too hopeful by one.
    true = 1 / (1 + np.exp(-(0.5 * score - 1)))
    hit = random.random(len(score)) < true

    found = said(score, hit, np.ones(len(score)))

    np.testing.assert_allclose(found, true, atol=0.02)
    for low in np.arange(0, 0.8, 0.1):
        here = (found >= low) & (found < low + 0.1)
        if here.sum() > 1_000:
            assert hit[here].mean() == pytest.approx(found[here].mean(), abs=0.04)


def test_a_weight_counts_as_so_many() -> None:
    random = np.random.default_rng(6)
    score = random.normal(0, 1, 500)
    hit = random.random(500) < 1 / (1 + np.exp(-score))
    weight = random.integers(1, 4, 500)
    often = np.repeat(np.arange(500), weight)

    weighed = calibrate(score, hit, weight.astype(float))
    repeated = calibrate(score[often], hit[often], np.ones(len(often)))

    # The targets differ by what is added to each side.
    np.testing.assert_allclose(weighed.score, repeated.score, atol=0.1)


@settings(max_examples=100, deadline=None)
@given(
    st.lists(
        st.tuples(st.floats(-30, 30), st.booleans(), st.floats(0.01, 10)), min_size=2, max_size=60
    ).filter(lambda rows: {hit for _, hit, _ in rows} == {True, False})
)
def test_the_curve_rises_and_stays_inside(rows: list[tuple[float, bool, float]]) -> None:
    score, hit, weight = (np.array(column) for column in zip(*rows, strict=True))

    curve = calibrate(score, hit, weight)

    assert len(curve.score) == len(curve.probability) == KNOTS <= 50
    assert np.isfinite(curve.score).all()
    assert (np.diff(curve.score) > 0).all()
    assert (np.diff(curve.probability) > 0).all()
    assert curve.probability[0] >= LEAST_PROBABILITY
    assert curve.probability[-1] <= 1 - LEAST_PROBABILITY


def test_scores_that_mislead_all_get_the_share_of_hits() -> None:
    score = np.linspace(-3, 3, 400)
    hit = score < -2

    found = said(score, hit, np.ones(400))

    np.testing.assert_allclose(found, hit.mean(), atol=0.01)


def test_the_loss_is_least_where_the_truth_is() -> None:
    hit = np.arange(100) < 30
    odds = np.log(np.array([0.2, 0.3, 0.4]) / (1 - np.array([0.2, 0.3, 0.4])))

    losses = [log_loss(np.full(100, one), hit, np.ones(100)) for one in odds]

    assert min(losses) == losses[1]
    assert losses[1] == pytest.approx(-(0.3 * np.log(0.3) + 0.7 * np.log(0.7)))
