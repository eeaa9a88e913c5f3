"""The participation records of one partition: whose there are, what they take in, what is told.

A followed video (models/report_building.py) gets a record with its first deep row after it is
followed. A partition keeps MOST_RECORDS of them: when more videos have deep rows, those give way
that had one longest ago, and where that is the same the first in the order of keys. This is settled
bucket by bucket, before rows are taken in, so it depends on the log alone; like all limits of a
partition it depends on which videos are the partition's.

`hotspots` is told a record with the first row of its video after the visit in which it changed, as
it stood at the end of that visit: at the most every five minutes.
"""

import weakref
from collections.abc import Callable, Iterator
from typing import Final

import numpy as np
import numpy.typing as npt

from models.compiled import compiled
from models.dirty_rows import DirtyRows
from models.participation import PARTICIPATION, pack, take_in, unpack
from models.records import grown
from models.transitions import VISIT_MS
from models.video_state import VideoTable

MOST_RECORDS: Final = 4_096
"""Records of a partition: 16 MB."""

NO_RECORD: Final = -1

_TOLD_AT_ONCE: Final = 64
"""Records told in one call of compiled code: 256 KB of them."""

Ints = npt.NDArray[np.int64]
Numbers = npt.NDArray[np.int32]
Rows = npt.NDArray[np.void]
Words = npt.NDArray[np.uint64]


@compiled
def _take_in(
    decisions: tuple[Ints, Ints, Ints, Ints],
    deep: Rows,
    table: tuple[Rows, Numbers, npt.NDArray[np.bool_]],
    lengths: tuple[int, int],
    at: int,
    told: Rows,
    told_at: Ints,
) -> tuple[int, int]:
    """Tell what is to be told and take in what is new, decision after decision, from one on.

    Args:
        decisions: Each int64[n]: bucket, slot, and the first and end of its rows in `deep`.
        deep: undecided_details.DEEP[m] in order.
        table: Of ParticipationTable: `records`, `record_of` and `dirty`.
        lengths: bucket_ms and visit_ms.
        at: The first decision.
        told: PARTICIPATION[...], out: the records to tell; it ends when there is no room.
        told_at: int64[...], out: the decision with which each is told.

    Returns:
        The decision it came to, and how many records are told.
    """
    bucket, slot, first, end = decisions
    records, record_of, dirty = table
    bucket_ms, visit_ms = lengths
    said = 0
    while at < len(bucket) and said < len(told):
        number = record_of[slot[at]]
        if number != NO_RECORD:
            visit = bucket[at] * bucket_ms // visit_ms
            if 0 < records[number].untold <= visit:
                records[number].untold = 0
                dirty[number] = True
                told[said] = records[number]
                told_at[said] = at
                said += 1
            for row in range(first[at], end[at]):
                take_in(records[number], deep[row])
            if end[at] > first[at]:
                records[number].untold = visit + 1
                dirty[number] = True
        at += 1
    return at, said


class ParticipationTable:
    """The records of one partition, by the slots of its videos.

    Attributes:
        records: PARTICIPATION[capacity]; `count` of them are in use.
        record_of: int32[slots], the number of each video's record, or NO_RECORD.
        slot_of: int64[capacity], the slot of each record's video, below zero where it is free.
        dirty: bool[capacity], which changed since the last cut.
    """

    def __init__(self, videos: VideoTable, most: int = MOST_RECORDS) -> None:
        """Keep no record yet.

        Args:
            videos: The videos of the partition.
            most: How many records are kept.
        """
        self.videos = videos
        self.most = most
        self.count = 0
        self.records = np.empty(0, PARTICIPATION)
        self.record_of = np.empty(0, np.int32)
        self.slot_of = np.empty(0, np.int64)
        self.dirty = np.empty(0, np.bool_)
        self._free: list[int] = []
        self._removed: set[str] = set()
        self._loaded: dict[str, bytes] = {}
        self._cut: Callable[[], DirtyRows | None] = lambda: None

    def take_in(
        self, bucket: Ints, slot: Ints, deep: Rows, bucket_ms: int
    ) -> list[tuple[int, bytes]]:
        """Take in the deep rows of some decided buckets.

        Args:
            bucket: int64[n], of the decisions of followed videos, in order.
            slot: int64[n], their videos.
            deep: undecided_details.DEEP[m] of these buckets, in any order, also of other videos.
            bucket_ms: The length of a bucket.

        Returns:
            What is told: the index of the decision that it is told with, and the packed record.
        """
        if not self.count and not len(deep):
            return []
        self.record_of = grown(self.record_of, len(self.videos.dirty), NO_RECORD)
        deep = self._in_order(deep, slot)
        first, end = _spans(bucket, slot, deep)
        concerned = np.flatnonzero(self._has_rows(slot[end > first])[slot] | self._kept(slot))
        told: list[tuple[int, bytes]] = []
        for run in self._runs(bucket, slot, end > first, concerned):
            decisions = (bucket[run], slot[run], first[run], end[run])
            told += [
                (int(run[at]), packed) for at, packed in self._pass(decisions, deep, bucket_ms)
            ]
        return told

    def _in_order(self, deep: Rows, slot: Ints) -> Rows:
        """Return the rows of these videos by bucket, video and time."""
        deep = deep.take(np.flatnonzero(self._has_rows(slot)[deep["slot"]]))
        order = np.lexsort((deep["content"], deep["time_ms"], deep["slot"], deep["bucket"]))
        return deep.take(order)

    def _has_rows(self, slot: Ints) -> npt.NDArray[np.bool_]:
        """Return bool[slots], true at these."""
        marked = np.zeros(len(self.record_of), np.bool_)
        marked[slot] = True
        return marked

    def _kept(self, slot: Ints) -> npt.NDArray[np.bool_]:
        kept: npt.NDArray[np.bool_] = self.record_of[slot] != NO_RECORD
        return kept

    def _runs(
        self, bucket: Ints, slot: Ints, has_rows: npt.NDArray[np.bool_], concerned: Ints
    ) -> Iterator[Ints]:
        """Yield decisions to be worked off together, once their videos have records."""
        new = concerned[has_rows[concerned] & ~self._kept(slot[concerned])]
        wanted = np.unique(slot[new])
        if self.count + len(wanted) <= self.most:
            self._make(wanted.tolist())
            yield concerned
            return
        for run in np.split(concerned, np.flatnonzero(np.diff(bucket[concerned])) + 1):
            active = slot[run][has_rows[run]]
            self._make_room(active)
            yield run

    def _make_room(self, active: Ints) -> None:
        """Make records of the videos with rows in a bucket, as many as there may be."""
        keys = self.videos.keys
        new = sorted(active[~self._kept(active)].tolist(), key=lambda slot: keys[slot] or "")
        excess = self.count + len(new) - self.most
        if excess > 0:
            idle = np.flatnonzero((self.slot_of >= 0) & ~self._has_rows(active)[self.slot_of])
            self.forget(self.slot_of[self._longest_idle(idle, excess)])
        self._make(new[: self.most - self.count])

    def _longest_idle(self, idle: Ints, count: int) -> Ints:
        """Return the records that had a row longest ago, of those at hand."""
        if count >= len(idle):
            return idle
        last = self.records["last_bucket"][idle]
        limit = np.partition(last, count - 1)[count - 1]
        sooner, same = idle[last < limit], idle[last == limit]
        by_key = sorted(
            same.tolist(), key=lambda number: self.videos.keys[self.slot_of[number]] or ""
        )
        return np.concatenate([sooner, np.array(by_key[: count - len(sooner)], np.int64)])

    def _make(self, slots: list[int]) -> None:
        """Make empty records of videos that have none."""
        for slot in slots:
            if not self._free:
                self._grow()
            number = self._free.pop()
            self.records[number] = np.zeros((), PARTICIPATION)
            self.slot_of[number], self.record_of[slot] = slot, number
            self.count += 1

    def _grow(self) -> None:
        before = len(self.records)
        self.records = grown(self.records, before + 16)
        after = len(self.records)
        self.slot_of = grown(self.slot_of, after, -1)
        self.dirty = grown(self.dirty, after, fill=False)
        self._free = list(range(after - 1, before - 1, -1))

    def _pass(
        self, decisions: tuple[Ints, Ints, Ints, Ints], deep: Rows, bucket_ms: int
    ) -> Iterator[tuple[int, bytes]]:
        told = np.empty(_TOLD_AT_ONCE, PARTICIPATION)
        told_at = np.empty(_TOLD_AT_ONCE, np.int64)
        at, table = 0, (self.records, self.record_of, self.dirty)
        while at < len(decisions[0]):
            at, said = _take_in(
                decisions, deep, table, (bucket_ms, max(VISIT_MS, bucket_ms)), at, told, told_at
            )
            for number in range(said):
                yield int(told_at[number]), pack(told[number : number + 1])

    def forget(self, slots: Ints) -> None:
        """Forget the records of videos, of those that have one."""
        slots = slots[slots < len(self.record_of)]
        for slot in slots[self._kept(slots)].tolist():
            number = int(self.record_of[slot])
            self.record_of[slot], self.slot_of[number] = NO_RECORD, -1
            self.dirty[number] = False
            self._free.append(number)
            self._removed.add(self.videos.keys[slot] or "")
            self.count -= 1

    # -- the changelog ------------------------------------------------------------------------

    def let_rows_change(self) -> None:
        """Set aside what is still to be read of the last cut; call it before records change."""
        cut = self._cut()
        if cut is not None:
            cut.set_aside()

    def take_dirty(self) -> DirtyRows:
        """Return key and packed record of all that changed since the last call, None for removed.

        They are packed as they are read: see `let_rows_change`.
        """
        self.let_rows_change()
        numbers = np.flatnonzero(self.dirty)
        self.dirty[numbers] = False
        kept = {self.videos.keys[slot] for slot in self.slot_of[numbers].tolist()}
        rows = DirtyRows(numbers, self._packed, sorted(self._removed - kept))
        self._removed.clear()
        # Whoever drops it will not read it.
        self._cut = weakref.ref(rows)
        return rows

    def _packed(self, numbers: Ints) -> Iterator[tuple[str, bytes]]:
        for number in numbers.tolist():
            key = self.videos.keys[self.slot_of[number]]
            yield key or "", pack(self.records[number : number + 1])

    def load(self, key: str, packed: bytes | None) -> None:
        """Take one packed record back, or its removal."""
        if packed is None:
            self._loaded.pop(key, None)
        else:
            self._loaded[key] = packed

    def recovered(self) -> None:
        """Finish recovery, once the videos have recovered.

        Raises:
            ParticipationFormatError: A record is damaged or of another version.
        """
        self.record_of = grown(self.record_of, len(self.videos.dirty), NO_RECORD)
        for key, packed in self._loaded.items():
            slot = self.videos.slot_of[key]
            self._make([slot])
            self.records[self.record_of[slot]] = unpack(packed)[0]
        self._loaded.clear()


def _spans(bucket: Ints, slot: Ints, deep: Rows) -> tuple[Ints, Ints]:
    """Return where the rows of each decision begin and end; rows are by bucket, then by slot."""
    base = int(bucket.min(initial=0))
    slots = max(int(slot.max(initial=0)), int(deep["slot"].max(initial=0))) + 1
    wanted = (bucket - base) * slots + slot
    there = (deep["bucket"] - base) * slots + deep["slot"]
    return np.searchsorted(there, wanted, "left"), np.searchsorted(there, wanted, "right")
