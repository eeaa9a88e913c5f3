"""The sample of people against a program that knows everybody."""

import numpy as np
import pytest
from deep_rows import START_MS, actor
from hypothesis import given, settings
from hypothesis import strategies as st

from models.parameters import DAY_MS, MINUTE_MS
from models.people_sample import (
    PERSON,
    SAMPLE_BELOW,
    SAMPLE_BITS,
    SAMPLED,
    Depth,
    distinct_people,
    note_person,
)

ACTS = st.lists(st.tuples(st.integers(0, 150), st.integers(0, 10), st.integers(1, 4)), max_size=300)
"""Who acted, after how many half days, and how deep."""


@given(ACTS)
@settings(deadline=None)
def test_each_person_of_the_sample_is_known_as_a_plain_program_would(
    acts: list[tuple[int, int, int]],
) -> None:
    people = np.zeros(SAMPLED, PERSON)
    known: dict[int, list[tuple[int, int]]] = {}
    for who, half_days, depth in acts:
        at_ms = START_MS + half_days * DAY_MS // 2
        note_person(people, np.uint64(actor(who)), at_ms, depth)
        known.setdefault(actor(who) >> (32 - SAMPLE_BITS), []).append((at_ms, depth))
    expected = []
    for key in sorted(known)[:SAMPLED]:
        # Somebody may have been pushed out for a while only if nobody below stayed: hashes decide.
        days = {at_ms // DAY_MS for at_ms, _ in known[key]}
        first = min(known[key])
        bits = sum(1 << (day % 32) for day in days)
        minute, deepest = first[0] // MINUTE_MS, max(depth for _, depth in known[key])
        expected.append((key, bits, minute, max(days), first[1], deepest))
    assert [tuple(person) for person in people[people["key"] != 0].tolist()] == expected


@pytest.mark.parametrize("count", [500, 3_000, 30_000])
def test_people_are_counted_within_four_standard_errors(count: int) -> None:
    rng = np.random.default_rng(count)
    people = np.zeros(SAMPLED, PERSON)
    hashes = rng.integers(1, 2**64, count, dtype=np.uint64)
    for one in hashes[hashes < SAMPLE_BELOW]:
        note_person(people, one, START_MS, Depth.WATCH)
    estimate, error = distinct_people(people)
    assert abs(estimate - count) <= 4 * max(error * estimate, 64)
    assert error <= 0.5


def test_nobody_is_nobody() -> None:
    assert distinct_people(np.zeros(SAMPLED, PERSON)) == (0.0, 0.0)
