"""The ids of events seen of late: a producer's repeats within a window count once.

How long an id is remembered is a function of the log: until its source partition has come further
than the window past the bucket of the first, or until so many other ids have come after it. What
happens still to be in memory plays no part.
"""

from collections import deque
from collections.abc import Iterator
from typing import Final

import numpy as np
import numpy.typing as npt

from models.compiled import compiled

IDS_MAX: Final = 1 << 20
"""Ids remembered per partition of `engagement-batches`: a named limit, since the window is one of
event time. A million is what one of four partitions gets in five seconds at full load, and a
producer that sends again does so at once. They take 24 MB."""

_IDS_AT_FIRST: Final = 1 << 12
_SEGMENT_IDS: Final = 1 << 15
"""Ids in one record of the changelog: 512 KB with their buckets."""

_EMPTY: Final = -1

Ids = npt.NDArray[np.uint64]
Ints = npt.NDArray[np.int64]
Table = npt.NDArray[np.int32]


@compiled
def _find(table: Table, ring: Ids, number: np.uint64) -> np.int64:
    """Return the place in the table of an id, or of the empty place where it would stand."""
    mask = len(table) - 1
    at = np.int64(number) & mask
    while table[at] != _EMPTY and ring[table[at]] != number:
        at = (at + 1) & mask
    return at


@compiled
def _take_out(table: Table, ring: Ids, number: np.uint64) -> None:
    """Take an id out of the table, and move up what it had pushed on (linear probing)."""
    mask = len(table) - 1
    hole = _find(table, ring, number)
    if table[hole] == _EMPTY:
        return
    at = (hole + 1) & mask
    while table[at] != _EMPTY:
        home = np.int64(ring[table[at]]) & mask
        if ((at - home) & mask) >= ((at - hole) & mask):
            table[hole] = table[at]
            hole = at
        at = (at + 1) & mask
    table[hole] = _EMPTY


@compiled
def _remember(
    table: Table, ring: Ids, ring_bucket: Ints, sequence: int, number: np.uint64, bucket: int
) -> None:
    """Put an id into the ring in place of the one that came a whole ring before it."""
    _take_out(table, ring, number)
    target = sequence & (len(ring) - 1)
    if ring[target] != 0:
        holder = table[_find(table, ring, ring[target])]
        if holder == target:
            _take_out(table, ring, ring[target])
    ring[target] = number
    ring_bucket[target] = bucket
    table[_find(table, ring, number)] = target


@compiled
def _mark_repeats(
    ids: Ids,
    bucket: Ints,
    reached_bucket: Ints,
    window_buckets: int,
    table: Table,
    ring: Ids,
    ring_bucket: Ints,
    sequence: int,
    repeat: npt.NDArray[np.bool_],
    new_ids: Ids,
    new_bucket: Ints,
) -> int:
    """Mark the repeats, remember the others, and return how many those are."""
    count = 0
    for row in range(len(ids)):
        number = ids[row]
        if number == 0:
            continue
        place = table[_find(table, ring, number)]
        latest = bucket[row]
        if place != _EMPTY:
            if ring_bucket[place] >= reached_bucket[row] - window_buckets:
                repeat[row] = True
                continue
            latest = max(latest, ring_bucket[place])
        _remember(table, ring, ring_bucket, sequence + count, number, latest)
        new_ids[count], new_bucket[count] = number, latest
        count += 1
    return count


@compiled
def _remember_all(
    table: Table, ring: Ids, ring_bucket: Ints, sequence: int, ids: Ids, bucket: Ints
) -> None:
    for number in range(len(ids)):
        _remember(table, ring, ring_bucket, sequence + number, ids[number], bucket[number])


class RecentIds:
    """The ids of one partition.

    Attributes:
        sequence: How many ids have ever been remembered.
    """

    def __init__(self, window_buckets: int, ids_max: int = IDS_MAX) -> None:
        """Remember nothing yet; `ids_max` is a power of two."""
        self._window_buckets = window_buckets
        self._ids_max = ids_max
        self.sequence = 0
        self._ring = np.zeros(min(_IDS_AT_FIRST, ids_max), np.uint64)
        self._ring_bucket = np.zeros(len(self._ring), np.int64)
        self._table = np.full(2 * len(self._ring), _EMPTY, np.int32)
        self._unsaved: deque[tuple[int, Ids, Ints]] = deque()
        self._saved = 0
        self._segments: deque[tuple[int, int]] = deque()
        self._loaded: list[tuple[int, Ids, Ints]] = []

    def __len__(self) -> int:
        """Return how many ids are remembered."""
        return int(np.count_nonzero(self._table != _EMPTY))

    def repeats(
        self, ids: Ids, bucket: Ints, reached_bucket: Ints, offset: int
    ) -> npt.NDArray[np.bool_]:
        """Tell which events repeat an id (0 = no id), and remember the new ones.

        Args:
            ids: uint64[n].
            bucket: int64[n], the bucket of each event.
            reached_bucket: int64[n], how far its source partition has come with it.
            offset: The offset of the message that they came in.

        Returns:
            bool[n].
        """
        repeat = np.zeros(len(ids), np.bool_)
        if not ids.any():
            return repeat
        self._reserve(self.sequence + len(ids))
        new_ids, new_bucket = np.empty(len(ids), np.uint64), np.empty(len(ids), np.int64)
        count = _mark_repeats(
            ids,
            bucket,
            reached_bucket,
            self._window_buckets,
            self._table,
            self._ring,
            self._ring_bucket,
            self.sequence,
            repeat,
            new_ids,
            new_bucket,
        )
        self.sequence += count
        self._unsaved.append((offset, new_ids[:count].copy(), new_bucket[:count].copy()))
        return repeat

    def _reserve(self, sequence: int) -> None:
        """Let the ring grow while it has never come round."""
        size = len(self._ring)
        while size < min(sequence, self._ids_max):
            size *= 2
        if size == len(self._ring):
            return
        ids, bucket = self._ring[: self.sequence], self._ring_bucket[: self.sequence]
        self._ring = np.zeros(size, np.uint64)
        self._ring_bucket = np.zeros(size, np.int64)
        self._table = np.full(2 * size, _EMPTY, np.int32)
        _remember_all(self._table, self._ring, self._ring_bucket, 0, ids, bucket)

    def warm_up(self) -> None:
        """Compile, or load, every loop: to be called on one that is thrown away."""
        ids = np.arange(1, len(self._ring) + 2, dtype=np.uint64)
        self.repeats(ids, np.zeros(len(ids), np.int64), np.zeros(len(ids), np.int64), 0)

    # -- the changelog ------------------------------------------------------------------------

    def take_dirty(self, position: int) -> Iterator[tuple[str, bytes | None]]:
        """Yield what messages before an offset brought and was not saved yet, by name.

        None for what is too old to matter.
        """
        ids, buckets = [], []
        while self._unsaved and self._unsaved[0][0] < position:
            _, some, bucket = self._unsaved.popleft()
            ids.append(some)
            buckets.append(bucket)
        if ids:
            all_ids, all_buckets = np.concatenate(ids), np.concatenate(buckets)
            for first in range(0, len(all_ids), _SEGMENT_IDS):
                part = slice(first, first + _SEGMENT_IDS)
                packed = all_ids[part].tobytes() + all_buckets[part].tobytes()
                yield str(self._saved), packed
                self._segments.append((self._saved, len(all_ids[part])))
                self._saved += len(all_ids[part])
        while self._segments and sum(self._segments[0]) <= self._saved - self._ids_max:
            yield str(self._segments.popleft()[0]), None

    def load(self, name: str, packed: bytes) -> None:
        """Take back one part, in any order.

        Raises:
            ValueError: It is damaged.
        """
        numbers = np.frombuffer(packed, np.uint64)
        if len(numbers) % 2:
            raise ValueError(f"ids {name}: {len(packed)} bytes are no pairs of an id and a bucket")
        half = len(numbers) // 2
        self._loaded.append((int(name), numbers[:half].copy(), numbers[half:].astype(np.int64)))

    def recovered(self) -> None:
        """Finish recovery: put the parts in order."""
        for first, ids, bucket in sorted(self._loaded, key=lambda part: part[0]):
            self._reserve(first + len(ids))
            self.sequence = first
            _remember_all(self._table, self._ring, self._ring_bucket, first, ids, bucket)
            self.sequence = self._saved = first + len(ids)
            self._segments.append((first, len(ids)))
        self._loaded.clear()
