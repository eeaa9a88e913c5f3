from collections import Counter

import numpy as np
import pytest
from click.testing import CliRunner

from models.parameters import DAY_MS
from streams.scoreboard import budget
from streams.scoreboard.budget import (
    DAYS,
    WARM_DAYS,
    Offers,
    best_in_hindsight,
    simulate,
    told_by_budget,
    told_first_come,
    value,
)


@pytest.fixture(scope="module")
def offers() -> Offers:
    return simulate(40.0, shape=4.0, seed=3)


def test_who_sees_the_day_does_best_and_who_comes_first_worst(offers: Offers) -> None:
    by_rule, first_come = told_by_budget(offers, 8), told_first_come(offers, 8)
    for told in (by_rule, first_come):
        assert max(Counter((told.time_ms // DAY_MS).tolist()).values()) <= 8
        assert len(set(told.episode.tolist())) == len(told.episode)
    assert value(first_come) < value(by_rule) < best_in_hindsight(offers, 8)


def test_simulated_days_are_as_they_were_asked_for(offers: Offers) -> None:
    assert (np.diff(offers.time_ms) >= 0).all()
    episodes = len(set(offers.episode.tolist())) / DAYS
    assert episodes == pytest.approx(40, rel=0.35)
    even = simulate(40.0, shape=np.inf, seed=3)
    first = np.unique(even.episode, return_index=True)[1]
    per_day = np.bincount(even.time_ms[first] // DAY_MS, minlength=DAYS)[:DAYS]
    assert per_day.var() < 3 * per_day.mean()
    assert sum(1 for _ in even.days()) == DAYS - WARM_DAYS


def test_the_table_has_a_line_for_each_case(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(budget, "SEEDS", 1)
    monkeypatch.setattr(budget, "simulate", lambda *_, **__: simulate(10.0, shape=4.0, seed=1))
    lines = CliRunner().invoke(budget.main, catch_exceptions=False).output.splitlines()
    assert len(lines) == 2 + 4 * 3
    assert all(line.count("|") == 7 for line in lines)
