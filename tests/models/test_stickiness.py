import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.parameters import DAY_MS
from models.people_sample import PERSON, SAMPLED, Depth, note_person
from models.stickiness import LEAST_SAMPLED, WINDOW_DAYS, stickiness_of

TODAY = 19_700


def sample_of(days: list[set[int]]) -> np.ndarray:  # type: ignore[type-arg]  # a record array
    """Return the sample of people who were there on some days, counted back from TODAY."""
    people = np.zeros(SAMPLED, PERSON)
    for number, some in enumerate(days):
        for day in some:
            actor = np.uint64((number + 1) << 40)
            note_person(people, actor, (TODAY - day) * DAY_MS + 1, int(Depth.WATCH))
    return people


def test_who_comes_back_is_told_apart_from_who_was_there_once() -> None:
    found = stickiness_of(sample_of([{0, 1}] * 10 + [{1}] * 30), TODAY)
    assert found is not None
    assert (found.sampled, found.returning, found.days) == (40, 10, 2)
    assert found.daily_over_monthly == pytest.approx(50 / 80)
    figures = found.figures()
    assert figures["returning_share"] == 0.25
    low, high = figures["returning_share_interval"]
    assert low < 0.25 < high


def test_who_was_there_before_the_window_does_not_count() -> None:
    long_ago = [{WINDOW_DAYS, WINDOW_DAYS + 1}] * 30
    assert stickiness_of(sample_of(long_ago), TODAY) is None
    # Of those who are still there, earlier days are of an earlier month.
    found = stickiness_of(sample_of([{0, WINDOW_DAYS}] * 30), TODAY)
    assert found is not None
    assert (found.returning, found.days) == (0, WINDOW_DAYS)
    assert found.daily_over_monthly == pytest.approx(1 / WINDOW_DAYS)


def test_of_a_few_people_nothing_is_told() -> None:
    assert stickiness_of(sample_of([{0}] * (LEAST_SAMPLED - 1)), TODAY) is None
    assert stickiness_of(sample_of([{0}] * LEAST_SAMPLED), TODAY) is not None


@given(
    days=st.lists(
        st.sets(st.integers(0, WINDOW_DAYS - 1), min_size=1),
        min_size=LEAST_SAMPLED,
        max_size=SAMPLED,
    )
)
def test_figures_are_those_of_a_plain_count(days: list[set[int]]) -> None:
    found = stickiness_of(sample_of(days), TODAY)
    assert found is not None
    assert found.sampled == len(days)
    assert found.returning == sum(len(some) > 1 for some in days)
    known = 1 + max(max(some) for some in days)
    assert found.days == known
    assert found.daily_over_monthly == pytest.approx(sum(map(len, days)) / len(days) / known)
