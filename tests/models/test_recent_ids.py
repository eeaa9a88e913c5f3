"""Recent ids against a plain dictionary; through crashes, and however the log is chunked."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from models.recent_ids import RecentIds

WINDOW = 3


class Plain:
    """The rule, said plainly: id -> (its generation, its bucket)."""

    def __init__(self, per_generation: int) -> None:
        self.per_generation = per_generation
        self.known: dict[int, tuple[int, int]] = {}
        self.sequence = 0

    def repeats(self, number: int, bucket: int, reached: int) -> bool:
        if number == 0:
            return False
        generation = self.sequence // self.per_generation
        first_seen, latest = self.known.get(number, (-9, -1))
        is_there = first_seen >= generation - 1
        if is_there and latest >= reached - WINDOW:
            return True
        self.known[number] = (generation, max(bucket, latest) if is_there else bucket)
        self.sequence += 1
        return False


def ids(*numbers: int) -> np.ndarray[Any, np.dtype[np.uint64]]:
    return np.array(numbers, np.uint64)


def at(bucket: int, count: int = 1) -> np.ndarray[Any, np.dtype[np.int64]]:
    return np.full(count, bucket)


def test_an_id_counts_once_and_no_id_is_never_a_repeat() -> None:
    recent = RecentIds(12)
    assert recent.repeats(ids(5, 0, 5, 0, 6), at(1, 5), at(1, 5), 0).tolist() == [0, 0, 1, 0, 0]
    assert recent.repeats(ids(6, 7, 0), at(2, 3), at(2, 3), 1).tolist() == [1, 0, 0]
    assert len(recent) == recent.sequence == 3


def test_an_id_counts_again_after_the_window() -> None:
    recent = RecentIds(12)
    recent.repeats(ids(5), at(100), at(100), 0)
    assert recent.repeats(ids(5), at(100), at(112), 1).all()
    assert not recent.repeats(ids(5), at(114), at(114), 2).any()
    assert recent.repeats(ids(5), at(126), at(126), 3).all()


MESSAGES = st.lists(
    st.tuples(
        st.lists(
            st.tuples(st.integers(0, 40), st.integers(0, 3), st.integers(0, 2)),
            min_size=1,
            max_size=12,
        ),
        st.sampled_from(["go on", "cut", "crash"]),
        st.integers(0, 5),
    ),
    max_size=25,
)


@given(messages=MESSAGES, per_generation=st.sampled_from([1, 4, 16, 64]))
@settings(deadline=None)
def test_it_keeps_the_rule_and_a_crash_goes_back_to_what_was_saved(
    messages: list[tuple[list[tuple[int, int, int]], str, int]], per_generation: int
) -> None:
    """A cut saves what messages before an offset brought; from there the log is read again."""
    recent, plain = RecentIds(WINDOW, per_generation), Plain(per_generation)
    changelog: dict[str, bytes] = {}
    answers: list[list[bool]] = []
    position = offset = 0
    while offset < len(messages):
        said, action, back = messages[offset]
        numbers = ids(*(n for n, _, _ in said))
        bucket = np.array([offset + b for _, b, _ in said])
        reached = bucket + np.array([r for _, _, r in said])
        got = recent.repeats(numbers, bucket, reached, offset).tolist()
        if offset == len(answers):
            rows = zip(numbers.tolist(), bucket.tolist(), reached.tolist(), strict=True)
            answers.append([plain.repeats(*row) for row in rows])
        assert got == answers[offset], "the same however often it is read again"
        offset += 1
        if action == "cut":
            position = max(position, offset - back)
            for name, packed in recent.take_dirty(position):
                if packed is None:
                    del changelog[name]
                else:
                    assert name not in changelog, "parts are only appended"
                    changelog[name] = packed
        elif action == "crash" and back:
            messages[offset - 1] = (said, "go on", back)  # once
            recent = RecentIds(WINDOW, per_generation)
            for name in sorted(changelog, reverse=True):
                recent.load(name, changelog[name])
            recent.recovered()
            offset = position
    assert recent.sequence == plain.sequence


def test_parts_that_are_too_old_are_dropped() -> None:
    recent, changelog = RecentIds(12, 64), dict[str, bytes]()
    rng = np.random.default_rng(1)
    for offset in range(40):
        some = rng.integers(1, 2**63, 10).astype(np.uint64)
        recent.repeats(some, at(1, 10), at(1, 10), offset)
        for name, packed in recent.take_dirty(offset + 1):
            if packed is None:
                del changelog[name]
            else:
                changelog[name] = packed
    # 400 ids: the seventh generation of 64 has begun, and the sixth is remembered whole.
    assert len(recent) == 400 - 5 * 64
    assert len(recent) <= sum(len(packed) for packed in changelog.values()) / 16 < len(recent) + 10


def test_a_damaged_part_does_not_pass() -> None:
    with pytest.raises(ValueError, match="ids 0"):
        RecentIds(12).load("0", bytes(24))
    with pytest.raises(ValueError, match="buffer size"):
        RecentIds(12).load("0", bytes(13))
