"""Which source partitions wait for others: never all of them, and none for one at its end."""

from hypothesis import given
from hypothesis import strategies as st

from streams.agents.alignment import BACKLOG_S, CHUNKS_AHEAD, Alignment
from streams.transport.ledger import Partition

HOUR_MS = 3_600_000
A, B, C = (Partition("input", number) for number in range(3))


def aligned(**stands_ms: int) -> Alignment:
    alignment = Alignment(HOUR_MS)
    for name, at in stands_ms.items():
        alignment.note({"a": A, "b": B, "c": C}[name], at)
    return alignment


def test_who_is_far_ahead_of_the_slowest_waits() -> None:
    alignment = aligned(a=0, b=HOUR_MS, c=HOUR_MS + 1)
    assert alignment.too_far_ahead([A, B, C], 0.0) == {C: HOUR_MS + 1}
    alignment.note(A, 1)
    assert alignment.too_far_ahead([A, B, C], 0.0) == {}


def test_nobody_waits_for_a_partition_at_its_end() -> None:
    alignment = aligned(a=0, b=9 * HOUR_MS)
    alignment.note_end(A, 10.0)
    assert alignment.too_far_ahead([A, B], 10.0 + BACKLOG_S) == {}
    assert alignment.too_far_ahead([A, B], 10.1 + BACKLOG_S) == {B: 9 * HOUR_MS}


def test_nobody_waits_for_a_partition_that_is_gone_or_not_yet_read() -> None:
    alignment = aligned(a=0, b=9 * HOUR_MS)
    assert alignment.too_far_ahead([B, C], 0.0) == {}
    alignment.reset()
    assert alignment.too_far_ahead([A, B], 0.0) == {}


def test_a_few_chunks_may_be_ahead_however_long_they_are() -> None:
    alignment = aligned(a=0, b=HOUR_MS)
    alignment.note(B, 2 * HOUR_MS)
    assert alignment.too_far_ahead([A, B], 0.0) == {}, "each of its chunks spans an hour"
    for chunks in range(3, CHUNKS_AHEAD + 1):
        alignment.note(B, chunks * HOUR_MS)
    assert alignment.too_far_ahead([A, B], 0.0) == {}
    alignment.note(B, (CHUNKS_AHEAD + 1) * HOUR_MS)
    assert alignment.too_far_ahead([A, B], 0.0) == {B: (CHUNKS_AHEAD + 1) * HOUR_MS}
    alignment.note(A, HOUR_MS)
    alignment.note(B, (CHUNKS_AHEAD + 1) * HOUR_MS + 1)
    assert B in alignment.too_far_ahead([A, B], 0.0), "short ones again"


@given(
    stands_ms=st.dictionaries(st.integers(0, 9), st.integers(0, 10 * HOUR_MS), min_size=1),
    at_end=st.sets(st.integers(0, 9)),
)
def test_somebody_with_a_backlog_always_goes_on(
    stands_ms: dict[int, int], at_end: set[int]
) -> None:
    alignment = Alignment(HOUR_MS)
    partitions = [Partition("input", number) for number in stands_ms]
    for partition in partitions:
        alignment.note(partition, stands_ms[partition.partition])
        if partition.partition in at_end:
            alignment.note_end(partition, 5.0)
    waiting = alignment.too_far_ahead(partitions, 5.0)
    behind = {partition for partition in partitions if partition.partition not in at_end}
    assert behind - set(waiting) or not behind
    for partition, ahead_ms in waiting.items():
        slowest = min(stands_ms[tp.partition] for tp in behind)
        assert ahead_ms == stands_ms[partition.partition] - slowest > HOUR_MS
