"""Records are moved as bytes: the same as numpy's own assignment, only faster."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from models import records as moved
from models.records import assign, grow, grown, joined, resize

KIND = np.dtype([("flag", np.bool_), ("count", np.int64), ("near", np.float32, (3,))], align=True)


def records(seed: int, count: int) -> np.ndarray:
    made = np.zeros(count, KIND)
    dice = np.random.default_rng(seed)
    made["flag"] = dice.random(count) < 0.5
    made["count"] = dice.integers(-9, 9, count)
    made["near"] = dice.random((count, 3))
    return made


@given(st.lists(st.integers(0, 20), min_size=1, max_size=5))
def test_joined_is_what_numpy_joins(lengths: list[int]) -> None:
    parts = [records(seed, count) for seed, count in enumerate(lengths)]
    assert (joined(parts) == np.concatenate(parts)).all()


@given(st.integers(0, 20), st.integers(0, 60))
def test_grown_begins_with_what_there_was(have: int, length: int) -> None:
    array = records(1, have)
    made = grown(array, length)
    assert len(made) >= max(have, length)
    assert (made[:have] == array).all()
    assert (made is array) == (length <= have)


def test_grown_fills_its_room() -> None:
    assert grown(np.zeros(2, np.int32), 5, fill=-1).tolist() == [0, 0, -1, -1, -1]


class Owner:
    def __init__(self, array: np.ndarray) -> None:
        self.array = array


@given(have=st.integers(0, 60), length=st.integers(0, 60), is_held=st.booleans())
def test_resized_begins_with_what_there_was(have: int, length: int, *, is_held: bool) -> None:
    owner = Owner(records(1, have))
    held = owner.array if is_held else None
    resize(owner, "array", length)
    kept = min(have, length)
    assert len(owner.array) == length
    assert (owner.array[:kept] == records(1, have)[:kept]).all()
    assert not owner.array[kept:].view(np.uint8).any()
    assert held is None or (held == records(1, have)).all()


@pytest.mark.parametrize("is_large", [False, True])
def test_what_grows_in_place_takes_little_room_to_spare(
    *, is_large: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    if is_large:
        monkeypatch.setattr(moved, "_MOVED_BYTES", 1_000)
    owner = Owner(records(1, 1_600))
    grow(owner, "array", 1_600)
    assert len(owner.array) == 1_600
    grow(owner, "array", 1_601)
    assert len(owner.array) == (1_700 if is_large else 3_200)
    assert (owner.array[:1_600] == records(1, 1_600)).all()
    grow(owner, "array", 10_000)
    assert len(owner.array) == 10_000


def test_a_slice_is_assigned_and_nothing_beside_it() -> None:
    into, before = records(1, 9), records(1, 9)
    assign(into[2:5], records(2, 3))
    assert (into[2:5] == records(2, 3)).all()
    assert (into[:2] == before[:2]).all()
    assert (into[5:] == before[5:]).all()


def test_other_records_or_lengths_are_refused() -> None:
    with pytest.raises(ValueError, match="are not"):
        assign(np.zeros(3, KIND), np.zeros(3, np.int64))
    with pytest.raises(ValueError, match="broadcast"):
        assign(np.zeros(3, KIND), np.zeros(2, KIND))
    with pytest.raises(ValueError, match="no arrays"):
        joined([])
