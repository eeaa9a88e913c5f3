"""Each offset is processed exactly once and in order, whatever is delivered."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.steps import Chunk
from streams.transport.ledger import Ledger, Partition, Verdict

ONE = Partition("engagement", 0)
OTHER = Partition("engagement", 1)


def chunk(low: int, following: int) -> Chunk:
    offsets = list(range(low, following))
    values: list[bytes | None] = [str(offset).encode() for offset in offsets]
    return Chunk(low, following, offsets, [None] * len(offsets), values, [-1] * len(offsets))


def opened(at: int = 0) -> Ledger:
    ledger = Ledger()
    ledger.open({ONE: at})
    return ledger


def test_a_closed_partition_processes_nothing() -> None:
    assert Ledger().begin(ONE, chunk(0, 3)).verdict is Verdict.CLOSED
    assert opened().begin(OTHER, chunk(0, 3)).verdict is Verdict.CLOSED


def test_what_was_read_is_stale_and_what_is_missing_is_a_gap() -> None:
    ledger = opened(5)
    assert ledger.begin(ONE, chunk(2, 5)).verdict is Verdict.STALE
    gap = ledger.begin(ONE, chunk(7, 9))
    assert (gap.verdict, gap.seek_to) == (Verdict.GAP, 5)


def test_an_overlapping_chunk_is_cut() -> None:
    delivery = opened(5).begin(ONE, chunk(3, 8))
    assert delivery.chunk is not None
    assert delivery.chunk.offsets == [5, 6, 7]
    assert delivery.chunk.low_offset == 5


def test_only_what_has_ended_is_committed() -> None:
    ledger = opened()
    first = ledger.begin(ONE, chunk(0, 3)).chunk
    assert first is not None
    assert ledger.uncommitted(["engagement"]) == {}
    assert not ledger.is_at_rest(ONE)
    ledger.end(ONE, first)
    assert ledger.is_at_rest(ONE)
    assert ledger.uncommitted(["engagement"]) == {ONE: 3}
    assert ledger.uncommitted(["alerts"]) == {}
    ledger.committed({ONE: 3, OTHER: 9})
    assert ledger.uncommitted(["engagement"]) == {}


def test_a_chunk_begun_before_a_rebalance_is_not_noted_after_it() -> None:
    ledger = opened()
    first = ledger.begin(ONE, chunk(0, 3)).chunk
    assert first is not None
    ledger.close()
    ledger.end(ONE, first)
    ledger.open({ONE: 0})
    ledger.end(ONE, first)
    assert ledger.uncommitted(["engagement"]) == {}
    assert ledger.expected(ONE) == 0


def test_an_open_ledger_is_not_opened_again() -> None:
    with pytest.raises(ValueError, match="open already"):
        opened().open({ONE: 0})


def test_a_held_partition_waits_where_it_stands() -> None:
    ledger = opened()
    ledger.hold(ONE)
    assert ledger.begin(ONE, chunk(0, 3)).verdict is Verdict.HELD
    assert ledger.release(ONE) == 0
    assert ledger.release(ONE) is None
    assert ledger.begin(ONE, chunk(0, 3)).verdict is Verdict.PROCESS


def test_a_loss_is_answered_for() -> None:
    ledger = opened(5)
    rest = ledger.begin(ONE, ledger.skip_to(ONE, chunk(9, 11))).chunk
    assert rest is not None
    assert (rest.low_offset, rest.next_offset, rest.offsets) == (5, 11, [9, 10])


@given(
    start=st.integers(0, 5),
    deliveries=st.lists(st.tuples(st.integers(0, 30), st.integers(0, 8)), max_size=60),
    rebalances=st.sets(st.integers(0, 59), max_size=4),
)
def test_every_offset_once_and_in_order(
    start: int, deliveries: list[tuple[int, int]], rebalances: set[int]
) -> None:
    """Law: what ended is a run of offsets without hole or repeat, and is what gets committed."""
    ledger = opened(start)
    durable: list[int] = []
    pending: list[int] = []
    for number, (low, length) in enumerate(deliveries):
        if number in rebalances:
            # All that was not committed is lost with its owner; the next one begins there.
            ledger.close()
            pending = []
            ledger.open({ONE: start + len(durable)})
        delivery = ledger.begin(ONE, chunk(low, low + length))
        if delivery.chunk is not None:
            pending += delivery.chunk.offsets
            ledger.end(ONE, delivery.chunk)
        elif delivery.seek_to is not None:
            assert low > delivery.seek_to
        if number % 3 == 0:
            offsets = ledger.uncommitted(["engagement"])
            ledger.committed(offsets)
            durable += pending
            pending = []
            assert not offsets or offsets[ONE] == start + len(durable)
        everything = durable + pending
        assert everything == list(range(start, start + len(everything)))
