"""Accounts by age and followers, and the busiest minutes, against plain counts."""

from collections import Counter

import numpy as np
from deep_rows import START_MS, taken_in
from hypothesis import given, settings
from hypothesis import strategies as st

from models.account_signs import AGE_BINS, BUSIEST, FOLLOWER_BINS
from models.participation import PARTICIPATION, merge

ACTS = st.lists(
    st.tuples(st.integers(0, 40), st.integers(-1, 9_000), st.integers(-1, 10**10)), max_size=80
)
"""In which minute, of an account of which age and with how many followers."""


def acts_of(acts: list[tuple[int, int, int]]) -> np.void:
    said = [
        {"after_ms": minute * 60_000, "actor": 5, "age_days": age, "followers": followers}
        for minute, age, followers in acts
    ]
    return taken_in(said)["accounts"][0, 0]  # type: ignore[no-any-return]  # a record


@given(ACTS)
@settings(deadline=None)
def test_bins_and_minutes_are_those_of_a_plain_count(acts: list[tuple[int, int, int]]) -> None:
    accounts = acts_of(acts)
    ages = Counter(min(age.bit_length(), AGE_BINS - 1) for _, age, _ in acts if age >= 0)
    digits = [len(str(number)) if number else 0 for _, _, number in acts if number >= 0]
    followers = Counter(min(count, FOLLOWER_BINS - 1) for count in digits)
    assert {at: int(n) for at, n in enumerate(accounts["ages"]) if n} == ages
    assert {at: int(n) for at, n in enumerate(accounts["followers"]) if n} == followers
    minutes = Counter(START_MS // 60_000 + minute for minute, _, _ in acts)
    last = max(minutes, default=0)
    kept = {int(m["minute"]): int(m["acts"]) for m in accounts["busiest"] if m["acts"]}
    before = sorted(((n, minute) for minute, n in minutes.items() if minute != last), reverse=True)
    assert kept == {minute: n for n, minute in before[:BUSIEST]}
    assert accounts["now"]["acts"].item() == minutes[last]


@given(st.lists(st.integers(0, 3), min_size=1, max_size=40))
@settings(deadline=None)
def test_a_push_of_many_accounts_on_many_videos_shows_when_they_are_merged(
    minutes: list[int],
) -> None:
    """As forty posts on forty videos within ninety seconds do."""
    into = np.zeros(1, PARTICIPATION)
    for minute in minutes:
        post = {"action": "publish", "actor": 5, "after_ms": minute * 60_000, "age_days": 1}
        merge(into, taken_in([post]))
    accounts = into["accounts"][0, 0]
    found = {int(m["minute"]): int(m["acts"]) for m in accounts["busiest"] if m["acts"]}
    assert found == Counter(START_MS // 60_000 + minute for minute in minutes)
    assert accounts["ages"][1] == len(minutes)
