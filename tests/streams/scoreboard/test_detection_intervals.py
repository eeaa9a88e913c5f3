"""Exact intervals: what lies at their ends is just improbable enough."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import binom, poisson

from streams.scoreboard.intervals import of_rate, of_share


@given(st.integers(0, 500), st.floats(0.1, 1e5))
def test_at_the_ends_of_a_rate_the_count_has_a_fortieth(count: int, exposure: float) -> None:
    low, high = of_rate(count, exposure)
    assert poisson.cdf(count, high * exposure) == pytest.approx(0.025, rel=1e-6)
    if count:
        assert poisson.sf(count - 1, low * exposure) == pytest.approx(0.025, rel=1e-6)
    else:
        assert low == 0


@given(st.integers(1, 300), st.data())
def test_at_the_ends_of_a_share_the_count_has_a_fortieth(total: int, data: st.DataObject) -> None:
    count = data.draw(st.integers(0, total))
    low, high = of_share(count, total)
    if count < total:
        assert binom.cdf(count, total, high) == pytest.approx(0.025, rel=1e-6)
    else:
        assert high == 1
    if count:
        assert binom.sf(count - 1, total, low) == pytest.approx(0.025, rel=1e-6)
    else:
        assert low == 0
