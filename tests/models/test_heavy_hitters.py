"""Bounded counts against exact ones: what is promised of their errors holds."""

from collections import Counter

import numpy as np
import numpy.typing as npt
from hypothesis import given, settings
from hypothesis import strategies as st

from models.heavy_hitters import COUNT_MAX, COUNTER, count_key, merge_counters

PLACES = 4
STREAM = st.lists(st.tuples(st.integers(0, 9), st.integers(1, 5)), max_size=60)


def counted(stream: list[tuple[int, int]]) -> npt.NDArray[np.void]:
    counters = np.zeros(PLACES, COUNTER)
    for key, times in stream:
        count_key(counters, np.uint64(key), np.uint64(key % 2), times)
    return counters


def exactly(stream: list[tuple[int, int]]) -> Counter[int]:
    counts: Counter[int] = Counter()
    for key, times in stream:
        counts[key] += times
    return counts


def check(counters: npt.NDArray[np.void], truth: Counter[int]) -> None:
    found = {int(c["key"]): (int(c["count"]), int(c["error"])) for c in counters if c["count"]}
    for key, (count, error) in found.items():
        assert count - error <= truth[key] <= count
    for key, times in truth.items():
        assert times <= truth.total() / PLACES or key in found
    if len(truth) <= PLACES:
        assert found == {key: (times, 0) for key, times in truth.items()}


@given(STREAM)
@settings(deadline=None)
def test_counts_hold_their_errors(stream: list[tuple[int, int]]) -> None:
    counters = counted(stream)
    check(counters, exactly(stream))
    assert counters["error"].max(initial=0) <= exactly(stream).total() / PLACES


@given(STREAM, STREAM)
@settings(deadline=None)
def test_merged_counts_hold_their_errors_too(
    one: list[tuple[int, int]], other: list[tuple[int, int]]
) -> None:
    into, back = counted(one), counted(other)
    merge_counters(into, counted(other))
    check(into, exactly(one + other))
    merge_counters(back, counted(one))
    assert into.tobytes() == back.tobytes()
    assert (np.diff(into["count"].astype(np.int64)) <= 0).all()


def test_counts_stop_at_their_limit() -> None:
    counters = counted([(1, COUNT_MAX), (1, COUNT_MAX)])
    assert counters[0]["count"] == COUNT_MAX
