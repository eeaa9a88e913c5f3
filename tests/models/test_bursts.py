"""Bursts: against a plain reference, and against what they promise."""

import math

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from models import bursts, transitions

DAY = bursts.VISITS_PER_DAY


def fresh() -> npt.NDArray[np.void]:
    state = np.zeros(1, bursts.BURST)
    bursts.begin(state[0])
    return state


def told_at(counts: list[float], return_days: float) -> list[int]:
    """Return the visits at which bursts of a series of counts are told."""
    state, told = fresh(), []
    for visit, count in enumerate(counts):
        bursts.observe(state[0], visit, count)
        if bursts.begins(state[0], return_days):
            told.append(visit)
    return told


def ordinary(days: int, mean: float = 5.0, seed: int = 1) -> list[float]:
    rng = np.random.default_rng(seed)
    rates = mean * rng.gamma(1.42, 1 / 1.42, days * DAY)
    return [float(count) for count in rng.poisson(rates)]


def reference(counts: list[float]) -> list[float]:
    """Return the logarithm of the return period after each count, from the formulas alone."""
    hour, day, week = 1 - 1 / 12, 0.5 ** (1 / DAY), 0.5 ** (1 / (7 * DAY))
    growths = []
    for at in range(len(counts)):
        past = counts[:at]
        back = np.arange(at, 0, -1)
        recent = float(np.dot(past, hour**back)) + counts[at] if at else counts[at]
        weights = day ** (back - 1)
        mean = (float(np.dot(past, weights)) + 1) / (weights.sum() + 1) if at else 1.0
        growths.append((recent + 1) / (12 * mean + 1))
    bound, excess, weight, out = 3.0, 0.0, 0.0, []
    for growth in growths:
        prior = 0.02 * (1 - week) * DAY
        hill = max((excess + 0.7 * prior) / (weight + prior), 0.1)
        out.append(math.log(growth / bound) / hill - math.log(0.02 * 24))
        above = growth > bound
        beyond = max(math.log(growth / bound), 0.0)
        excess = excess * week + (1 - week) * beyond
        weight = weight * week + (1 - week) * above
        gain = (1 - week) * hill / 0.02
        bound *= (1 + gain * above) * (1 - gain * 0.02)
    return out


def test_visits_are_those_of_the_evidence() -> None:
    assert bursts.VISIT_MS == transitions.VISIT_MS


def test_the_recursions_are_the_formulas() -> None:
    rng = np.random.default_rng(3)
    counts = [float(count) for count in rng.poisson(rng.pareto(1.5, 700))]
    state, got = fresh(), []
    for visit, count in enumerate(counts):
        bursts.observe(state[0], visit, count)
        got.append(bursts.log_return_days(state[0]))
    assert got == pytest.approx(reference(counts), abs=2e-3)


@given(st.lists(st.integers(0, 60), min_size=1, max_size=40), st.data())
@settings(max_examples=40, deadline=None)
def test_a_visit_may_come_in_parts_and_silence_need_not_come(
    counts: list[int], data: st.DataObject
) -> None:
    whole, parts = fresh(), fresh()
    for visit, count in enumerate(counts):
        bursts.observe(whole[0], visit, float(count))
        first = data.draw(st.integers(0, count))
        for part in (first, count - first):
            if part or not visit:
                bursts.observe(parts[0], visit, float(part))
    bursts.observe(whole[0], len(counts), 0.0)
    bursts.observe(parts[0], len(counts), 0.0)
    assert whole == parts


def test_looking_early_never_shows_more_than_the_whole_visit() -> None:
    state = fresh()
    for visit, count in enumerate(ordinary(4)):
        bursts.observe(state[0], visit, count)
    seen = []
    for _ in range(20):
        bursts.observe(state[0], 4 * DAY, 3.0)
        seen.append(bursts.log_return_days(state[0]))
    assert seen == sorted(seen)


def test_a_tenfold_hour_is_told_once() -> None:
    counts = ordinary(20)
    for visit in range(15 * DAY, 15 * DAY + 12):
        counts[visit] += 50.0
    told = told_at(counts, 28.0)
    assert len(told) == 1
    assert 15 * DAY <= told[0] < 15 * DAY + 12


def test_an_episode_is_told_again_after_half_a_day_without_it() -> None:
    counts = ordinary(20)
    # The third is larger: by then the past holds the first two.
    for begin, size in ((15 * DAY, 400.0), (15 * DAY + 100, 400.0), (16 * DAY + 100, 20_000.0)):
        for visit in range(begin, begin + 6):
            counts[visit] += size
    assert [visit // DAY for visit in told_at(counts, 28.0)] == [15, 16]


@pytest.mark.parametrize("return_days", [2.0, 7.0])
def test_over_dispersed_series_are_told_no_more_often_than_was_asked(return_days: float) -> None:
    days, series = 30, 12
    told = sum(len(told_at(ordinary(days, seed=seed), return_days)) for seed in range(series))
    # A Poisson count exceeds its mean by four deviations once in ten thousand runs.
    expected = (days - 3) * series / return_days
    assert told <= expected + 4 * math.sqrt(expected)


def test_a_series_with_a_heavy_tail_is_told_about_as_often_as_was_asked() -> None:
    """A power law is what the tail is taken for: the rate is near, not only below."""
    days, series, return_days = 60, 20, 7.0
    told = 0
    for seed in range(series):
        rng = np.random.default_rng(seed)
        counts = np.array(ordinary(days, seed=seed))
        # Bursts of half an hour, one a day, of a size with the tail of exponent 1.5.
        starts = rng.integers(0, days * DAY - 6, days)
        for start, size in zip(starts, 20 * (1 + rng.pareto(1.5, days)), strict=True):
            counts[start : start + 6] += size
        told += len(told_at([float(count) for count in counts], return_days))
    expected = (days - 3) * series / return_days
    assert 0.4 * expected <= told <= 1.6 * expected


def test_a_young_series_says_nothing() -> None:
    counts = ordinary(4)
    counts[2 * DAY] = 5_000.0
    assert told_at(counts[: 3 * DAY], 1.0) == []


def test_counters_that_are_read_every_four_hours_say_nothing() -> None:
    counts = [0.0] * (30 * DAY)
    for visit in range(0, len(counts), 48):
        counts[visit] = 100.0
    counts[25 * DAY] = 100_000.0
    assert told_at(counts, 1.0) == []


def test_a_day_of_silence_is_a_new_beginning() -> None:
    state = fresh()
    for visit, count in enumerate(ordinary(5)):
        bursts.observe(state[0], visit, count)
    assert bursts.has_past(state[0])
    again = 5 * DAY + bursts.LONGEST_SILENCE_VISITS
    bursts.observe(state[0], again, 7.0)
    begun = fresh()
    bursts.observe(begun[0], again, 7.0)
    assert state == begun
