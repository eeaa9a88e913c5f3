from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.account_signs import LEAST_ACTS
from models.integrity import Sign, suspicion_of
from models.participation import PARTICIPATION


def record(
    ages: dict[int, int], minutes: dict[int, int], regions: tuple[int, ...] = (), led: int = 0
) -> Any:  # noqa: ANN401 - a structured array
    """Return a participation: acts by bin of age, by minute, by region, and led by one account."""
    one = np.zeros(1, PARTICIPATION)
    accounts = one[0]["accounts"][0]
    for number, acts in ages.items():
        accounts["ages"][number] = acts
    accounts["acts"] = sum(minutes.values())
    for at, (minute, acts) in enumerate(minutes.items()):
        accounts["busiest"][at] = (minute, acts)
    one[0]["located"] = sum(regions)
    for at, acts in enumerate(regions):
        one[0]["regions"][at]["key"], one[0]["regions"][at]["count"] = at + 1, acts
    one[0]["led"] = led
    one[0]["key_nodes"][0]["count"] = led
    return one


def test_the_known_attack_is_suspected_with_its_evidence() -> None:
    # 40 posts of bots from one place within 90 seconds.
    found = suspicion_of(record({0: 40}, {100: 26, 101: 14}, regions=(40,)))
    assert found.suspected
    assert not found.cleared
    assert found.shown == [Sign.YOUNG_ACCOUNTS, Sign.SYNCHRONOUS_BURSTS, Sign.ONE_REGION]
    assert found.figures()["young_accounts"] == {"acts": 40, "of": 40, "share": 1.0}


def test_acts_of_accounts_that_nobody_follows_are_told_and_decide_nothing() -> None:
    one = record({9: 40}, {100: 40})
    assert "without_followers" not in suspicion_of(one).figures()
    one[0]["accounts"][0]["followers"][[0, 3]] = (30, 10)
    found = suspicion_of(one)
    assert found.figures()["without_followers"] == {"acts": 30, "of": 40, "share": 0.75}
    assert not found.suspected


@pytest.mark.parametrize(
    ("ages", "minutes", "regions"),
    [
        ({9: 40}, {100: 26, 101: 14}, (40,)),  # old accounts, however close together
        ({0: 40}, dict.fromkeys(range(8), 5), (20, 20)),  # young ones, each by itself
        ({0: 12}, {100: 12}, (12,)),  # too few
        ({}, {100: 40}, (40,)),  # ages are not known
    ],
)
def test_one_sign_alone_is_none(
    ages: dict[int, int], minutes: dict[int, int], regions: tuple[int, ...]
) -> None:
    assert not suspicion_of(record(ages, minutes, regions)).suspected


def test_young_accounts_led_by_one_are_suspected() -> None:
    spread = dict.fromkeys(range(8), 5)
    assert suspicion_of(record({1: 40}, spread, (20, 20), led=40)).shown[-1] == Sign.ONE_SOURCE


@given(young=st.integers(0, 60), old=st.integers(0, 60))
def test_what_is_suspected_is_not_cleared_and_takes_a_majority(young: int, old: int) -> None:
    acts = young + old
    found = suspicion_of(record({2: young, 10: old}, {7: acts}))
    assert not (found.suspected and found.cleared)
    assert not found.suspected or (young > old and acts >= LEAST_ACTS)
