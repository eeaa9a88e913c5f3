import random
from hashlib import blake2b

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from splitmix import mixed

from models.comment_sample import (
    NO_SENTIMENT,
    SAMPLE_SIZE,
    CommentSample,
    Reception,
    SampledComment,
    mixed_all,
    priorities_of,
)


def priority_of(comment: int, actor: int, time_ms: int, text: str) -> int:
    ids = (np.array([number], np.uint64) for number in (comment, actor))
    return int(priorities_of(*ids, np.array([time_ms]), [text])[0])


def comment(number: int, salt: int = 0) -> SampledComment:
    priority = mixed(number ^ mixed(salt))
    return SampledComment(priority, number, number, number, 0, -1, NO_SENTIMENT, str(number), "")


def sample_of(numbers: list[int]) -> CommentSample:
    sample = CommentSample()
    for number in numbers:
        sample.offer(comment(number))
    return sample


@given(st.lists(st.integers(0, 2**64 - 1), max_size=9))
def test_many_numbers_are_mixed_as_one_is(numbers: list[int]) -> None:
    assert mixed_all(np.array(numbers, np.uint64)).tolist() == [mixed(one) for one in numbers]


many = st.lists(st.integers(0, 10_000), max_size=150)


@given(many, st.randoms())
def test_the_order_of_comments_does_not_matter(
    numbers: list[int], shuffling: random.Random
) -> None:
    other = numbers.copy()
    shuffling.shuffle(other)
    assert list(sample_of(numbers)) == list(sample_of(other))


@given(many, st.integers(0, 150))
def test_the_sample_of_the_whole_is_that_of_its_parts(numbers: list[int], cut: int) -> None:
    whole, first, second = map(sample_of, (numbers, numbers[:cut], numbers[cut:]))
    second.merge(first)
    assert list(second) == list(whole)
    assert second.offered == whole.offered == len(numbers)


@given(many)
def test_it_is_the_smallest_priorities_and_bounded(numbers: list[int]) -> None:
    held = list(sample_of(numbers))
    assert held == sorted(map(comment, numbers))[:SAMPLE_SIZE]


@given(many, st.integers(0, 150))
def test_comments_offered_together_are_drawn_as_one_by_one(numbers: list[int], cut: int) -> None:
    sample = sample_of(numbers[:cut])
    comments = sorted(map(comment, numbers[cut:]))
    sample.offer_sorted([comment(1), *comments, comment(2)], 1, 1 + len(comments))
    assert list(sample) == list(sample_of(numbers))
    assert sample.offered == len(numbers)


def test_all_comments_are_equally_likely_to_be_in_it() -> None:
    drawn = [0] * 100
    for salt in range(3_000):
        sample = CommentSample()
        for number in range(100):
            sample.offer(comment(number, salt))
        for held in sample:
            drawn[held.time_ms] += 1
    # Each is drawn 960 times on average; 130 is five standard deviations of that.
    assert all(abs(times - 3_000 * SAMPLE_SIZE / 100) < 130 for times in drawn)


def test_weighted_sums_are_unbiased() -> None:
    totals = []
    for salt in range(2_000):
        sample = CommentSample()
        for number in range(200):
            sample.offer(comment(number, salt))
        totals.append(sample.weight * sum(held.time_ms for held in sample))
    exact = sum(range(200))
    spread = 200 * 57.9 / SAMPLE_SIZE**0.5  # of one total; 57.9: of the numbers
    assert abs(sum(totals) / len(totals) - exact) < 4 * spread / len(totals) ** 0.5


def test_a_comment_with_an_id_is_drawn_by_its_id_alone() -> None:
    assert priority_of(7, 1, 2, "a") == priority_of(7, 8, 9, "b")
    assert priority_of(0, 1, 2, "a") != priority_of(0, 1, 2, "b")
    assert priority_of(0, 1, 2, "a") != priority_of(0, 1, 3, "a")


def test_priorities_of_many_are_those_of_each() -> None:
    comments, actors, times_ms = [0, 7, 0], [2**63, 1, 5], [3, 4, 2**40]
    texts = ["a", "b", "\u54c8"]
    columns = (np.array(column, np.uint64) for column in (comments, actors))
    many = priorities_of(*columns, np.array(times_ms), texts).tolist()
    said = [
        int.from_bytes(blake2b(text.encode(), digest_size=8).digest(), "little") for text in texts
    ]
    nameless = [mixed(a ^ mixed(t ^ s)) for a, t, s in zip(actors, times_ms, said, strict=True)]
    assert many == [nameless[0], mixed(7), nameless[2]]


received = st.lists(
    st.tuples(st.integers(0, 200), st.integers(-2, 5), st.integers(0, 3), st.integers(0, 1)),
    max_size=300,
)


def reception_of(events: list[tuple[int, int, int, int]]) -> Reception:
    reception = Reception()
    for number, *what in events:
        reception.add(mixed(number), *what)
    return reception


@given(received, st.randoms(), st.integers(0, 300))
def test_what_comments_received_is_exact_in_any_order_and_in_parts(
    events: list[tuple[int, int, int, int]], shuffling: random.Random, cut: int
) -> None:
    exact: dict[int, tuple[int, ...]] = {}
    for number, *what in events:
        before = exact.get(mixed(number), (0, 0, 0))
        exact[mixed(number)] = tuple(a + b for a, b in zip(before, what, strict=True))
    expected = [(at, *exact[at]) for at in sorted(exact)[: Reception.MOST]]
    other = events.copy()
    shuffling.shuffle(other)
    parts = reception_of(other[:cut])
    parts.merge(reception_of(other[cut:]))
    assert list(reception_of(events)) == expected
    assert list(parts) == expected


@pytest.mark.parametrize("offered", [0, 1, SAMPLE_SIZE])
def test_a_small_sample_is_everything(offered: int) -> None:
    assert sample_of(list(range(offered))).weight == (1.0 if offered else 0.0)
