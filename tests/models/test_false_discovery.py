"""e-BH: against its definition, and against its promise."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import norm

from models.false_discovery import discoveries

LOGS = st.lists(st.floats(-5, 12), max_size=40)
LEVELS = st.floats(0.01, 0.5)


def by_definition(e_values: list[float], level: float) -> set[int]:
    """Return the rejected indices as the paper states them, with the reciprocals' BH."""
    count = len(e_values)
    best = 0
    for k in range(1, count + 1):
        kth = sorted(e_values, reverse=True)[k - 1]
        if kth >= count / (level * k):
            best = k
    return {at for at, e in enumerate(e_values) if best and e >= count / (level * best)}


@given(LOGS, LEVELS)
def test_it_is_the_definition(logs: list[float], level: float) -> None:
    # Away from the boundary, where the logarithm may round the other way.
    got = discoveries(np.array(logs), level)
    expected = by_definition([math.exp(log) for log in logs], level)
    for k in range(1, len(logs) + 1):
        if any(abs(log - math.log(len(logs) / (level * k))) < 1e-9 for log in logs):
            return
    assert set(np.flatnonzero(got)) == expected


@given(LOGS, LEVELS, st.integers(0, 39), st.floats(0, 5))
def test_more_evidence_for_one_never_takes_another_back(
    logs: list[float], level: float, at: int, more: float
) -> None:
    before = discoveries(np.array(logs), level)
    raised = np.array(logs)
    raised[at : at + 1] += more
    assert (discoveries(raised, level) >= before).all()


@given(LOGS, LEVELS, st.randoms(use_true_random=False))
def test_the_order_plays_no_part(logs: list[float], level: float, random: object) -> None:
    order = list(range(len(logs)))
    random.shuffle(order)  # type: ignore[attr-defined]  # hypothesis hands in a random.Random
    values = np.array(logs, dtype=float)
    np.testing.assert_array_equal(
        discoveries(values[order], level), discoveries(values, level)[order]
    )


@given(st.lists(st.floats(0.001, 12), max_size=30), st.integers(0, 50), LEVELS)
def test_those_below_one_may_be_left_out_if_they_are_counted(
    logs: list[float], others: int, level: float
) -> None:
    """What a partition does not send, since nothing speaks for it, changes no decision."""
    everyone = np.array(logs + [-1.0] * others)
    alone = discoveries(np.array(logs), level, hypotheses=len(everyone))
    np.testing.assert_array_equal(alone, discoveries(everyone, level)[: len(logs)])


@pytest.mark.parametrize("correlation", [0.0, 0.9, -0.02])
def test_the_false_discovery_rate_stays_below_the_level_however_they_depend(
    correlation: float,
) -> None:
    rng = np.random.default_rng(11)
    level, nulls, others, rounds = 0.2, 40, 10, 4_000
    shared = rng.standard_normal((rounds, 1))
    own = rng.standard_normal((rounds, nulls + others))
    if correlation >= 0:
        seen = math.sqrt(correlation) * shared + math.sqrt(1 - correlation) * own
    else:  # as negative as so many can be: what one has, the others lack
        seen = (own - own.mean(axis=1, keepdims=True)) / math.sqrt(1 - 1 / own.shape[1])
    seen[:, nulls:] += 3.0
    log_e = norm.logpdf(seen, 3.0) - norm.logpdf(seen, 0.0)
    shares = []
    for one in log_e:
        found = discoveries(one, level)
        shares.append(found[:nulls].sum() / max(found.sum(), 1))
    assert np.mean(shares) <= level
    assert discoveries(log_e[0], level)[nulls:].any()


def test_nothing_and_the_impossible() -> None:
    assert discoveries(np.zeros(0), 0.1).shape == (0,)
    assert not discoveries(np.full(3, -np.inf), 0.1).any()
    with pytest.raises(ValueError, match="level"):
        discoveries(np.zeros(2), 1.0)
    with pytest.raises(ValueError, match="hypotheses"):
        discoveries(np.zeros(2), 0.1, hypotheses=1)
