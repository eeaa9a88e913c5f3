"""All works: their numbers in columns, their names, and what of them the changelog lacks."""

import json
from collections.abc import Iterator
from typing import Final

import numpy as np
import numpy.typing as npt

from models.blocks import BLOCK_SHIFT, DirtyBlocks
from models.works import GROWTH, NOT_DUE, WORK, Work, new_works

Ints = npt.NDArray[np.int64]

_FIRST_CAPACITY: Final = 1024


class WorkTable:
    """Works by slot and by id.

    Attributes:
        rows: WORK[capacity].
        growth: int64[capacity, GROWTH], what the bucket being decided has brought so far.
        growing: bool[capacity], whether that is anything.
        grown: int64[capacity], room for the slots of those.
        found: int64[capacity], room for the slots of those with news.
        unforecast: bool[capacity], whether a work has grown since its probability was worked out.
        by_slot: The works; None where a slot is free.
        by_id: The works by `work_id`.
        dirty: Which blocks of `rows` have changed.
    """

    def __init__(self) -> None:
        self.rows = new_works(_FIRST_CAPACITY)
        self.growth = np.zeros((_FIRST_CAPACITY, GROWTH), np.int64)
        self.growing = np.zeros(_FIRST_CAPACITY, np.bool_)
        self.grown = np.zeros(_FIRST_CAPACITY, np.int64)
        self.found = np.zeros(_FIRST_CAPACITY, np.int64)
        self.unforecast = np.zeros(_FIRST_CAPACITY, np.bool_)
        self.by_slot: list[Work | None] = []
        self.by_id: dict[str, Work] = {}
        self.dirty = DirtyBlocks(_FIRST_CAPACITY)
        self._free: list[int] = []
        self._renamed: set[str] = set()

    def __len__(self) -> int:
        """Return the number of works."""
        return len(self.by_id)

    def add(self, work_id: str, title: str) -> Work:
        """Make a work without any numbers."""
        if self._free:
            slot = self._free.pop()
        else:
            slot = len(self.by_slot)
            self.by_slot.append(None)
            self._reserve(slot)
        self.rows[slot] = new_works(1)[0]
        return self._place(Work(self, slot, work_id, title, {}))

    def _reserve(self, slot: int) -> None:
        while slot >= len(self.rows):
            self.growth = np.concatenate([self.growth, np.zeros_like(self.growth)])
            self.growing = np.concatenate([self.growing, np.zeros_like(self.growing)])
            self.grown = np.concatenate([self.grown, np.zeros_like(self.grown)])
            self.found = np.zeros_like(self.grown)
            self.unforecast = np.concatenate([self.unforecast, np.zeros_like(self.unforecast)])
            self.rows = np.concatenate([self.rows, new_works(len(self.rows))])
            self.dirty.reserve(len(self.rows))

    def _place(self, work: Work) -> Work:
        self.by_slot[work.slot] = work
        self.by_id[work.work_id] = work
        self.touch(work)
        return work

    def touch(self, work: Work) -> None:
        """Note that the names or numbers of a work have changed."""
        self._renamed.add(work.work_id)
        self.dirty.flags[work.slot >> BLOCK_SHIFT] = True

    def remove(self, slots: Ints) -> list[str]:
        """Forget works and return their ids."""
        gone = [work for slot in slots.tolist() if (work := self.by_slot[slot]) is not None]
        for work in gone:
            del self.by_id[work.work_id]
            self.by_slot[work.slot] = None
            self._free.append(work.slot)
            self._renamed.add(work.work_id)
        self.rows[slots] = new_works(len(slots))
        return [work.work_id for work in gone]

    def take_unforecast(self) -> Ints:
        """Return the slots of works that have grown since the last call, in order."""
        slots = np.flatnonzero(self.unforecast[: len(self.by_slot)])
        self.unforecast[slots] = False
        return slots

    def silent(self, before_bucket: int) -> Ints:
        """Return the slots of works without activity since a bucket."""
        last = self.rows["last_bucket"][: len(self.by_slot)]
        return np.flatnonzero((last >= 0) & (last < before_bucket))

    def due(self, bucket: int) -> list[tuple[int, str]]:
        """Return (due bucket, id) of the works that are due by a bucket."""
        due = self.rows["due_bucket"][: len(self.by_slot)]
        works = (self.by_slot[slot] for slot in np.flatnonzero(due <= bucket).tolist())
        return [(work.number("due_bucket"), work.work_id) for work in works if work is not None]

    def next_due(self) -> int:
        """Return the earliest bucket for which any work is due, or NOT_DUE."""
        return int(self.rows["due_bucket"][: len(self.by_slot)].min(initial=NOT_DUE))

    # -- the changelog ------------------------------------------------------------------------

    def take_names(self) -> Iterator[tuple[str, bytes | None]]:
        """Yield id and names of every work that changed since the last call, None for removed."""
        for work_id in sorted(self._renamed):
            work = self.by_id.get(work_id)
            stored = None
            if work is not None:
                names = [work.slot, work.title, work.platforms, work.reason, work.former_lead]
                stored = json.dumps(names, ensure_ascii=False).encode()
            yield work_id, stored
        self._renamed.clear()

    def load_names(self, work_id: str, stored: bytes) -> None:
        """Take back what `take_names` gave, before `recovered`."""
        slot, title, platforms, reason, former_lead = json.loads(stored)
        self.by_slot += [None] * (slot + 1 - len(self.by_slot))
        self._reserve(slot)
        self._place(Work(self, slot, work_id, title, platforms, reason, former_lead))

    def take_blocks(self) -> Iterator[tuple[int, bytes]]:
        """Yield number and numbers of every block that changed since the last call."""
        yield from self.dirty.take(self.rows[: len(self.by_slot)])

    def load_block(self, number: int, stored: bytes) -> None:
        """Take back what `take_blocks` gave, after the names."""
        rows = np.frombuffer(stored, WORK)
        first = number << BLOCK_SHIFT
        self._reserve(first + len(rows) - 1)
        self.rows[first : first + len(rows)] = rows

    def recovered(self) -> None:
        """Finish loading: what is in no slot is nothing, and nothing is dirty."""
        free = [slot for slot, work in enumerate(self.by_slot) if work is None]
        self._free = free[::-1]
        self.rows[free] = new_works(len(free))
        self.rows[len(self.by_slot) :] = new_works(len(self.rows) - len(self.by_slot))
        self.dirty.clear()
        self._renamed.clear()
