"""Which rows must be looked at in which bucket, though nothing happens: a heap of due buckets.

A row stands in the heap once, at the earliest bucket that was ever asked for; when it comes up too
early it is put back. So a row that is visited in every bucket costs nothing here.
"""

from typing import Final

import numpy as np
import numpy.typing as npt

from models.compiled import compiled

NOT_QUEUED: Final = np.iinfo(np.int64).max
"""Stands where a row is not in the heap."""

Ints = npt.NDArray[np.int64]


@compiled
def push(heap_bucket: Ints, heap_slot: Ints, size: int, bucket: int, slot: int) -> int:
    """Add an item to the heap of `size` items and return the new size."""
    at = size
    while at > 0:
        parent = (at - 1) >> 1
        if heap_bucket[parent] <= bucket:
            break
        heap_bucket[at], heap_slot[at] = heap_bucket[parent], heap_slot[parent]
        at = parent
    heap_bucket[at], heap_slot[at] = bucket, slot
    return size + 1


@compiled
def drop_first(heap_bucket: Ints, heap_slot: Ints, size: int) -> int:
    """Remove the least item of a heap of `size` items and return the new size."""
    size -= 1
    bucket, slot = heap_bucket[size], heap_slot[size]
    at = 0
    while True:
        child = 2 * at + 1
        if child >= size:
            break
        if child + 1 < size and heap_bucket[child + 1] < heap_bucket[child]:
            child += 1
        if heap_bucket[child] >= bucket:
            break
        heap_bucket[at], heap_slot[at] = heap_bucket[child], heap_slot[child]
        at = child
    heap_bucket[at], heap_slot[at] = bucket, slot
    return size


class DueHeap:
    """The heap of one table.

    Attributes:
        bucket, slot: int64[capacity], the items; the first `size` are in use.
        queued: int64[rows], the bucket at which each row stands in the heap, or NOT_QUEUED. Items
            that say otherwise are stale and passed over.
    """

    def __init__(self, rows: int) -> None:
        self.bucket = np.empty(64, np.int64)
        self.slot = np.empty(64, np.int64)
        self.size = 0
        self.queued = np.full(rows, NOT_QUEUED, np.int64)

    def grow(self, rows: int) -> None:
        """Make room for more rows."""
        more = np.full(rows - len(self.queued), NOT_QUEUED, np.int64)
        self.queued = np.concatenate([self.queued, more])

    def reserve(self, more: int) -> None:
        """Make room for so many more items."""
        if self.size + more > len(self.bucket):
            room = np.empty(2 * (self.size + more) - len(self.bucket), np.int64)
            self.bucket = np.concatenate([self.bucket, room])
            self.slot = np.concatenate([self.slot, room])

    def first(self) -> int | None:
        """Return the earliest bucket for which a row is queued; stale items are dropped."""
        while self.size:
            bucket, slot = int(self.bucket[0]), int(self.slot[0])
            if self.queued[slot] == bucket:
                return bucket
            self.size = drop_first(self.bucket, self.slot, self.size)
        return None

    def forget(self, slots: Ints) -> None:
        """Take rows out."""
        self.queued[slots] = NOT_QUEUED

    def rebuild(self, due_bucket: Ints) -> None:
        """Queue every row of int64[n] that is not NOT_QUEUED, and no other."""
        self.size = 0
        self.queued[:] = NOT_QUEUED
        slots = np.flatnonzero(due_bucket != NOT_QUEUED)
        self.reserve(len(slots))
        for slot in slots.tolist():
            bucket = int(due_bucket[slot])
            self.queued[slot] = bucket
            self.size = push(self.bucket, self.slot, self.size, bucket, slot)
