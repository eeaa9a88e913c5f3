"""Sketches of people: as many as there are, however often and in whatever order they come."""

import random

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from models import sketches


@pytest.mark.parametrize("people", [1, 10, 100, 1_000, 20_000])
def test_the_estimate_is_within_four_standard_errors(people: int) -> None:
    rng = np.random.default_rng(people)
    rows = 50
    table = np.zeros((rows, sketches.REGISTERS), np.uint8)
    for row in range(rows):
        hashes = rng.integers(1, 2**63, people, dtype=np.uint64) * np.uint64(2)
        for value in hashes:
            sketches.add(table[row], value)
    estimates = np.array([sketches.estimate(registers) for registers in table])
    error = 1.04 / np.sqrt(sketches.REGISTERS)
    assert abs(estimates.mean() / people - 1) < 4 * error / np.sqrt(rows) + 0.02
    assert (np.abs(estimates / people - 1) < 4 * error + 1 / people).all()


@given(st.lists(st.integers(1, 2**64 - 1), max_size=50), st.randoms())
def test_order_and_repeats_change_nothing(people: list[int], shuffler: random.Random) -> None:
    table = np.zeros((2, sketches.REGISTERS), np.uint8)
    shuffled = [*people, *people]
    shuffler.shuffle(shuffled)
    for row, hashes in enumerate((people, shuffled)):
        for value in hashes:
            sketches.add(table[row], np.uint64(value))
    assert (table[0] == table[1]).all()


def test_ranks_are_leading_zeros_plus_one() -> None:
    def slow(value: int) -> int:
        rest = f"{value:064b}"[6:]
        return 59 if "1" not in rest else rest.index("1") + 1

    rng = np.random.default_rng(1)
    values = [1, 2**63, 2**58 - 1, 2**57, 2**20, 0, *rng.integers(0, 2**63, 500).tolist()]
    for value in values:
        registers = np.zeros(sketches.REGISTERS, np.uint8)
        sketches.add(registers, np.uint64(value))
        assert np.flatnonzero(registers).tolist() == [value >> 58]
        assert registers.max() == slow(value)


def test_an_empty_sketch_holds_nobody() -> None:
    assert sketches.estimate(np.zeros(sketches.REGISTERS, np.uint8)) == 0.0
