"""What an action did: the interval holds as often as it says, and what was planted is found."""

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from models.guidance_effects import (
    COUNTED,
    LEAST_CONTROLS,
    MOMENTS,
    MOST_CONTROLS,
    chance_of,
    effect_of,
    measure,
)
from models.null_streams import SHAPE, gamma_poisson

Ints = npt.NDArray[np.int64]
HOUR_MS = 3_600_000


def world(rng: np.random.Generator, videos: int) -> tuple[Ints, Ints, npt.NDArray[np.uint8]]:
    """Draw videos of all sizes that rise or fall each in its own way: nobody acted on any."""
    level = rng.lognormal(6, 1.5, videos)
    decay = rng.normal(-0.5, 0.4, videos)
    windows = np.exp(decay[:, None] * np.array([0.0, 0.5, 0.75, 1.5])) * level[:, None]
    activity = gamma_poisson(rng, windows, 4.0)
    excluded = gamma_poisson(rng, activity * 0.02 + 0.1, SHAPE)
    identified = gamma_poisson(rng, activity * 0.2 + 0.1, SHAPE)
    grown = np.stack([activity, excluded, identified], axis=2).astype(np.int64)
    counts = np.zeros((videos, MOMENTS, COUNTED), np.int64)
    counts[:, 1:] = grown.cumsum(axis=1)
    age_ms = rng.integers(2, 72, videos) * HOUR_MS
    return counts, age_ms, rng.integers(1, 3, videos).astype(np.uint8)


def planted(counts: Ints, factor: float) -> Ints:
    """Let the first one become so much more active after the action."""
    changed = counts.copy()
    after = counts[0, 4, 0] - counts[0, 3, 0]
    changed[0, 4, 0] = counts[0, 3, 0] + round(float(after) * factor)
    return changed


def test_without_an_effect_the_interval_holds_one_as_often_as_it_says() -> None:
    rng = np.random.default_rng(6)
    held, promised, excluded_held, excluded_promised = [], [], [], []
    for _ in range(600):
        measured = measure(*world(rng, 150))
        if measured.activity is not None:
            promised.append(measured.activity.coverage)
            held.append(measured.activity.low <= 1 <= measured.activity.high)
        if measured.exclusion is not None:
            excluded_promised.append(measured.exclusion.coverage)
            excluded_held.append(measured.exclusion.low <= 1 <= measured.exclusion.high)
    assert min(len(held), len(excluded_held)) > 400
    # Four standard errors of 500 draws.
    slack = 4 * (0.9 * 0.1 / 500) ** 0.5
    assert abs(np.mean(held) - np.mean(promised)) < slack
    assert abs(np.mean(excluded_held) - np.mean(excluded_promised)) < slack


def test_a_planted_effect_is_recovered() -> None:
    rng = np.random.default_rng(7)
    ratios, held = [], []
    for _ in range(200):
        counts, age_ms, route = world(rng, 150)
        measured = measure(planted(counts, 3.0), age_ms, route)
        if measured.activity is not None:
            ratios.append(measured.activity.ratio)
            held.append(measured.activity.low <= 3 <= measured.activity.high)
    assert len(ratios) > 150
    assert np.median(ratios) == pytest.approx(3, rel=0.15)
    assert np.mean(held) > 0.82


def test_what_all_went_through_is_no_effect() -> None:
    counts, age_ms, route = world(np.random.default_rng(8), 200)
    everywhere = counts.copy()
    everywhere[:, 4] = counts[:, 3] + 5 * (counts[:, 4] - counts[:, 3])
    alone, together = measure(counts, age_ms, route), measure(everywhere, age_ms, route)
    assert alone.activity is not None
    assert together.activity is not None
    assert together.activity.ratio == pytest.approx(alone.activity.ratio, rel=0.1)


def test_few_that_are_alike_measure_nothing() -> None:
    counts, age_ms, route = world(np.random.default_rng(9), 200)
    assert measure(counts[:1], age_ms[:1], route[:1]).controls == 0
    few = measure(counts[:LEAST_CONTROLS], age_ms[:LEAST_CONTROLS], route[:LEAST_CONTROLS])
    assert few.activity is None
    assert few.controls < LEAST_CONTROLS
    giant = counts.copy()
    giant[0] *= 1_000_000
    assert measure(giant, age_ms, route).activity is None


def test_what_chance_alone_keeps_apart_is_alike() -> None:
    counts, age_ms, route = world(np.random.default_rng(12), 1)
    many = np.repeat(counts, 20, axis=0)
    many[1:, 1:] += 1  # nobody is quite like the first
    many[1:, 2:] += 1
    ages, routes = np.repeat(age_ms, 20), np.repeat(route, 20)
    assert measure(many, ages, routes).controls == 0
    assert measure(many, ages, routes, chance_of(HOUR_MS)).controls == 19
    assert chance_of(4 * HOUR_MS) == pytest.approx(chance_of(HOUR_MS) / 2)


def test_the_route_is_kept_where_enough_share_it() -> None:
    counts, age_ms, route = world(np.random.default_rng(10), 300)
    assert measure(counts, age_ms, route).same_route
    route[1:] = route[0] + 1
    assert not measure(counts, age_ms, route).same_route


@settings(max_examples=50, deadline=None)
@given(st.integers(0, 2**32 - 1), st.integers(2, 60))
def test_the_order_of_the_others_and_a_common_factor_change_nothing(seed: int, videos: int) -> None:
    rng = np.random.default_rng(seed)
    counts, age_ms, route = world(rng, videos)
    order = np.concatenate([[0], 1 + rng.permutation(videos - 1)])
    here = measure(counts, age_ms, route)
    there = measure(counts[order], age_ms[order], route[order])
    assert here.controls == there.controls <= MOST_CONTROLS
    if here.activity is None:
        assert there.activity is None
        return
    assert there.activity is not None
    assert there.activity.to_dict() == here.activity.to_dict()
    assert here.activity.low <= here.activity.ratio <= here.activity.high


@pytest.mark.parametrize(("controls", "coverage"), [(9, 0.8), (19, 0.9), (38, 37 / 39), (39, 0.9)])
def test_coverage_is_that_of_order_statistics(controls: int, coverage: float) -> None:
    rng = np.random.default_rng(11)
    draws = np.arctan(rng.standard_cauchy((4_000, controls + 1)))
    effects = [effect_of(float(draw[0]), draw[1:]) for draw in draws]
    assert effects[0].coverage == pytest.approx(coverage)
    held = np.mean([effect.low <= 1 <= effect.high for effect in effects])
    assert held == pytest.approx(coverage, abs=4 * (coverage * (1 - coverage) / 4_000) ** 0.5)


def test_one_control_has_no_range() -> None:
    with pytest.raises(ValueError, match="no range"):
        effect_of(0.0, np.zeros(1))
