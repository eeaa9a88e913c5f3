"""The heap of due rows against a plain list of pairs."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from models.due_heap import NOT_QUEUED, DueHeap, drop_first, push


def put(heap: DueHeap, slot: int, bucket: int) -> None:
    """Queue a row as the decision of a bucket does: only when it is due earlier than before."""
    if bucket < heap.queued[slot]:
        heap.reserve(1)
        heap.queued[slot] = bucket
        heap.size = push(heap.bucket, heap.slot, heap.size, bucket, slot)


@given(
    script=st.lists(
        st.tuples(
            st.sampled_from(["put", "put", "put", "take", "forget", "rebuild"]),
            st.integers(0, 9),
            st.integers(0, 50),
        ),
        max_size=80,
    )
)
@settings(deadline=None)
def test_rows_come_up_in_order_of_their_earliest_bucket(script: list[tuple[str, int, int]]) -> None:
    heap, plain = DueHeap(10), dict[int, int]()
    for action, slot, bucket in script:
        match action:
            case "put":
                put(heap, slot, bucket)
                plain[slot] = min(bucket, plain.get(slot, bucket))
            case "forget":
                heap.forget(np.array([slot]))
                plain.pop(slot, None)
            case "rebuild":
                due = np.full(10, NOT_QUEUED, np.int64)
                for at, when in plain.items():
                    due[at] = when
                heap.rebuild(due)
            case _:
                first = heap.first()
                assert first == min(plain.values(), default=None)
                if first is not None:
                    taken = int(heap.slot[0])
                    assert plain.pop(taken) == first
                    heap.size = drop_first(heap.bucket, heap.slot, heap.size)
                    heap.queued[taken] = NOT_QUEUED
    assert heap.first() == min(plain.values(), default=None)


def test_it_grows_with_the_table() -> None:
    heap = DueHeap(1)
    heap.grow(500)
    for slot in range(500):
        put(heap, slot, 1_000 - slot)
    assert heap.first() == 501
    assert (heap.queued[:500] == 1_000 - np.arange(500)).all()
