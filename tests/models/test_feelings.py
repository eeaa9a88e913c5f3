import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.feelings import Feelings

felt = st.lists(st.tuples(st.floats(-1, 1), st.floats(1, 50)), min_size=1, max_size=40)


def feelings_of(judged: list[tuple[float, float]]) -> Feelings:
    feelings = Feelings()
    for polarity, weight in judged:
        feelings.add(polarity, weight)
    return feelings


@given(felt, felt)
def test_parts_add_up(some: list[tuple[float, float]], others: list[tuple[float, float]]) -> None:
    both = feelings_of(some)
    both.merge(feelings_of(others))
    assert both.to_list() == pytest.approx(feelings_of(some + others).to_list())


@given(felt)
def test_figures_stay_within_their_bounds(judged: list[tuple[float, float]]) -> None:
    figures = feelings_of(judged).figures()
    assert -1 <= figures["polarity"] <= 1
    assert 0 <= figures["standard_error"] <= 1
    assert 0 <= figures["share_negative"] <= 1
    assert 1 <= figures["judged"] <= len(judged) + 0.1


def test_nobody_feels_nothing() -> None:
    assert Feelings().figures() == {}


def test_one_comment_leaves_everything_open() -> None:
    assert feelings_of([(0.5, 1.0)]).figures()["standard_error"] == 1.0


def test_the_standard_error_covers_the_truth_as_often_as_it_should() -> None:
    dice = random.Random(6)  # noqa: S311 - no secret
    covered = 0
    for _ in range(1_000):
        judged = [
            (dice.choice((-0.6, -0.1, 0.0, 0.4, 0.8)), weight)
            for weight in (1, 3)
            for _ in range(32)
        ]
        figures = feelings_of([(p, float(w)) for p, w in judged]).figures()
        covered += abs(figures["polarity"] - 0.1) <= 1.96 * figures["standard_error"]
    assert 920 <= covered <= 980


def test_the_bounds_hold_for_rare_feelings_that_a_normal_interval_would_miss() -> None:
    """One comment of fifty is against everything: most samples of 32 have none or few of them."""
    dice = random.Random(7)  # noqa: S311 - no secret
    mean = 0.98 * 0.3 - 0.02
    for _ in range(500):
        judged = [(-1.0 if dice.random() < 0.02 else 0.3, 2.0) for _ in range(32)]
        low, high = feelings_of(judged).polarity_bounds()
        assert low <= mean <= high
