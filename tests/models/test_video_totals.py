"""Totals in a pool are those of a plain matrix."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from models.video_totals import VideoTotals, add_total
from models.vocabulary import ACTIONS

VIDEOS = 4
SLOT = st.integers(0, VIDEOS - 1)
COUNTS = st.lists(st.integers(-3, 3), min_size=len(ACTIONS), max_size=len(ACTIONS))
STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("add"), SLOT, st.integers(0, len(ACTIONS) - 1), st.integers(-5, 2**40)),
        st.tuples(st.just("put"), SLOT, COUNTS),
        st.tuples(st.just("forget"), SLOT),
    ),
    max_size=60,
)


@given(STEPS)
def test_totals_are_those_of_a_matrix(steps: list[tuple[str, int]]) -> None:
    totals, plain = VideoTotals(1), np.zeros((VIDEOS, len(ACTIONS)), np.int64)
    totals.reserve_slots(VIDEOS)
    for what, slot, *more in steps:
        match what:
            case "add":
                totals.reserve(1)
                add_total(totals.columns, slot, *more)
                plain[slot, more[0]] += more[1]
            case "put":
                totals.put(np.array([slot]), np.array(more))
                plain[slot] = more[0]
            case "forget":
                totals.forget(np.array([slot]))
                plain[slot] = 0
    assert totals.of(np.arange(VIDEOS)).tolist() == plain.tolist()
    assert totals.of(np.array([2, 0])).tolist() == plain[[2, 0]].tolist()


def test_the_room_of_what_is_forgotten_is_used_again() -> None:
    totals = VideoTotals(2)
    everything = np.ones((2, len(ACTIONS)), np.int64)
    for _ in range(50):
        totals.put(np.arange(2), everything)
    assert totals.ends[0] == 2 * (len(ACTIONS) - 1)
