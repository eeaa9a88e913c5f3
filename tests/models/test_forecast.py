import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from models import forecast
from models.bucket_passing import NEAR
from models.parameters import DAY_MS, HOUR_MS

PACES = st.floats(0, 1e7)
AGES_MS = st.integers(0, 30 * DAY_MS)
LEVELS = st.integers(1, 10**9)


def likely(progress: float, fast: float, slow: float, age_ms: float, level: int) -> float:
    return float(
        forecast.probability(*(np.array([x]) for x in (progress, fast, slow, age_ms)), level=level)[
            0
        ]
    )


@given(progress=PACES, fast=PACES, slow=PACES, age_ms=AGES_MS, level=LEVELS)
def test_it_is_a_probability_and_one_exactly_when_the_level_is_reached(
    progress: float, fast: float, slow: float, age_ms: int, level: int
) -> None:
    got = likely(progress, fast, slow, age_ms, level)
    if progress >= level:
        assert got == 1.0
    else:
        assert 0 <= got <= forecast.GREATEST_PROBABILITY


@given(progress=PACES, pace=PACES, more=st.floats(1, 100), age_ms=AGES_MS, level=LEVELS)
def test_a_faster_video_is_no_less_likely(
    progress: float, pace: float, more: float, age_ms: int, level: int
) -> None:
    slower = likely(progress, pace, pace, age_ms, level)
    assert likely(progress, pace * more, pace, age_ms, level) >= slower
    assert likely(progress, pace, pace * more, age_ms, level) >= slower


@given(share=st.floats(0, 0.99), fast=st.floats(1e-3, 3), slow=st.floats(1e-3, 3), age_ms=AGES_MS)
def test_it_means_the_same_at_every_level(
    share: float, fast: float, slow: float, age_ms: int
) -> None:
    at = [likely(share * n, fast * n, slow * n, age_ms, n) for n in (10_000, 1_000_000)]
    assert at[0] == pytest.approx(at[1])


def test_the_number_of_rows_changes_no_digit() -> None:
    # Batches are of any size: a decision may not depend on who else was in it.
    rng = np.random.default_rng(2)
    columns = [10 ** rng.uniform(-2, 7, 999) for _ in range(4)]
    together = forecast.probability(*columns, level=10_000)
    for rows in (slice(0, 1), slice(3, 10), slice(500, 999)):
        apart = forecast.probability(*(column[rows] for column in columns), level=10_000)
        np.testing.assert_array_equal(apart, together[rows])


@given(progress=st.integers(0, 10**7), fast=PACES, slow=PACES, age_ms=AGES_MS, level=LEVELS)
def test_one_alone_is_as_likely_as_among_others_but_for_rounding(
    progress: int, fast: float, slow: float, age_ms: int, level: int
) -> None:
    alone = forecast.probability_of_one(progress, fast, slow, age_ms, level)
    assert abs(alone - likely(progress, fast, slow, age_ms, level)) < NEAR / 1000


def test_a_runaway_is_likely_and_a_quiet_video_is_not() -> None:
    assert likely(3_000, 2_000, 1_000, 3 * HOUR_MS, 10_000) > 0.6
    assert likely(30, 3, 3, 24 * HOUR_MS, 10_000) < 0.05
    assert likely(0, 0, 0, 0, 10_000) < 0.1


@given(share=st.floats(0.05, 0.99), fast=PACES, slow=PACES, age_ms=AGES_MS, level=LEVELS)
def test_of_views_it_is_a_probability_that_grows_with_the_present_pace(
    share: float, fast: float, slow: float, age_ms: int, level: int
) -> None:
    progress = int(share * level)

    def said(fast_per_hour: float) -> float:
        return float(
            forecast.probability_by(
                forecast.VIEWS, progress, fast_per_hour, slow, age_ms, level, 0.5
            )
        )

    assert 0 <= said(fast) <= said(2 * fast) <= 1
    assert forecast.probability_by(forecast.VIEWS, level, fast, slow, age_ms, level, 0.5) == 1


def test_of_views_words_follow_its_own_coefficients() -> None:
    told = forecast.signals(3_000, 2_000, 1_000, 3 * HOUR_MS, 10_000, forecast.VIEWS)
    assert told[0].startswith("growing in the last 3 hours")
