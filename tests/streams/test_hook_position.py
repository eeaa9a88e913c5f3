import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import SecretStr

from streams.delivery.hook_position import (
    MOST_WAITING,
    DailyBudget,
    HookPosition,
    Waiting,
    digest_of,
)

METADATA_BYTES_MAX = 4_096
"""Kafka's `offset.metadata.max.bytes`, as it is by default."""


@given(
    next_offset=st.integers(0, 2**62),
    behind=st.dictionaries(
        st.integers(1, 10_000),
        st.tuples(st.integers(0, 10), st.integers(0, 2**43)),
        max_size=MOST_WAITING,
    ),
    budget=st.tuples(st.integers(0, 10**6), st.integers(0, 10**9)),
    ended=st.booleans(),
)
def test_a_position_survives_its_metadata(
    next_offset: int,
    behind: dict[int, tuple[int, int]],
    budget: tuple[int, int],
    ended: bool,
) -> None:
    position = HookPosition(
        next_offset,
        {next_offset - offset: Waiting(*one) for offset, one in behind.items()},
        DailyBudget(*budget),
        digest_of(SecretStr("https://example.org")) if ended else "",
    )
    metadata = position.metadata()
    assert HookPosition.of(position.first_offset, metadata) == position
    assert len(metadata.encode()) < METADATA_BYTES_MAX


def test_an_offset_that_somebody_else_has_set_is_all_that_is_known() -> None:
    assert HookPosition.of(7, "") == HookPosition(7)
    with pytest.raises(ValueError, match="version 0 instead of 1"):
        HookPosition.of(7, '{"v": 0}')


def test_what_is_due_is_what_was_read_the_longest_due_first() -> None:
    alert = {"id": "a"}
    position = HookPosition(
        9, {3: Waiting(1, 20, alert), 5: Waiting(1, 10, alert), 7: Waiting(1, 0)}
    )
    assert (position.due(9), position.due(15), position.due(30)) == (None, 5, 5)
    assert (position.next_due_ms(), position.first_offset) == (10, 3)
    position.postpone(50)
    assert (position.due(30), position.next_due_ms()) == (None, 50)
