"""The ids of events seen of late: a producer's repeats within a window count once.

How long an id is remembered is a function of the log: until its source partition has come further
than the window past the bucket of the first, or until so many other ids have come after it. What
happens still to be in memory plays no part.

Ids are remembered in generations of IDS_PER_GENERATION, the present one and the one before. A
lookup is one place in the table of each; nothing is ever taken out.
"""

from collections import deque
from collections.abc import Iterator
from typing import Final

import numpy as np
import numpy.typing as npt

from models.compiled import compiled

IDS_PER_GENERATION: Final = 1 << 19
"""At least so many ids, at most twice as many, are remembered per partition of
`engagement-batches`: a named limit, since the window is one of event time. That is what one of four
partitions gets in two to three seconds at full load (830,000 events/s measured), and a producer
that sends again does so at once. They take 32 MB, less where fewer come."""

_IDS_AT_FIRST: Final = 1 << 12
_SEGMENT_IDS: Final = 1 << 15
"""Ids in one record of the changelog: 512 KB with their buckets."""

SEEN: Final = np.dtype([("id", np.uint64), ("bucket", np.int64)])
"""An id and the bucket of its event; id 0 stands for an empty place."""

Ids = npt.NDArray[np.uint64]
Ints = npt.NDArray[np.int64]
Table = npt.NDArray[np.void]


@compiled
def _find(table: Table, number: np.uint64) -> np.int64:
    """Return the place of an id, or the empty one where it would stand (linear probing)."""
    mask = len(table) - 1
    at = np.int64(number) & mask
    while table[at].id != 0 and table[at].id != number:
        at = (at + 1) & mask
    return at


@compiled
def _insert_all(table: Table, ids: Ids, bucket: Ints) -> int:
    """Put ids into a table with room for them; return how many were not in it."""
    added = 0
    for number in range(len(ids)):
        at = _find(table, ids[number])
        added += table[at].id == 0
        table[at].id = ids[number]
        table[at].bucket = bucket[number]
    return added


@compiled
def _mark_repeats(
    ids: Ids,
    bucket: Ints,
    reached_bucket: Ints,
    row: int,
    window_buckets: int,
    present: Table,
    before: Table,
    left: int,
    repeat: npt.NDArray[np.bool_],
    new_ids: Ids,
    new_bucket: Ints,
) -> tuple[int, int]:
    """Mark the repeats from a row on and remember the others, at most `left` of them.

    Returns:
        The row it came to, and how many ids are new.
    """
    count = 0
    while row < len(ids) and count < left:
        number = ids[row]
        if number != 0:
            latest = bucket[row]
            at = _find(present, number)
            known = present[at]
            if known.id == 0:
                known = before[_find(before, number)]
            if known.id != 0:
                if known.bucket >= reached_bucket[row] - window_buckets:
                    repeat[row] = True
                    row += 1
                    continue
                latest = max(latest, known.bucket)
            present[at].id, present[at].bucket = number, latest
            new_ids[count], new_bucket[count] = number, latest
            count += 1
        row += 1
    return row, count


class RecentIds:
    """The ids of one partition.

    Attributes:
        sequence: How many ids have ever been remembered; each belongs to the generation
            `sequence // IDS_PER_GENERATION` that it found.
    """

    def __init__(self, window_buckets: int, per_generation: int = IDS_PER_GENERATION) -> None:
        """Remember nothing yet."""
        self._window_buckets = window_buckets
        self._per_generation = per_generation
        self.sequence = 0
        self._generation = 0
        self._present = self._before = _empty_table(_IDS_AT_FIRST)
        self._unsaved: deque[tuple[int, Ids, Ints]] = deque()
        self._saved = 0
        self._segments: deque[tuple[int, int]] = deque()
        self._loaded: list[tuple[int, Ids, Ints]] = []

    def __len__(self) -> int:
        """Return how many ids are remembered."""
        both = np.concatenate([self._present["id"], self._before["id"]])
        return len(np.unique(both[both != 0]))

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
        row = 0
        while row < len(ids):
            left = self._reserve(len(ids) - row)
            new_ids, new_bucket = np.empty(left, np.uint64), np.empty(left, np.int64)
            row, count = _mark_repeats(
                ids,
                bucket,
                reached_bucket,
                row,
                self._window_buckets,
                self._present,
                self._before,
                left,
                repeat,
                new_ids,
                new_bucket,
            )
            self.sequence += count
            self._unsaved.append((offset, new_ids[:count].copy(), new_bucket[:count].copy()))
        return repeat

    def _reserve(self, rows: int) -> int:
        """Begin a generation when it is time; return how many ids there is room for now."""
        generation, used = divmod(self.sequence, self._per_generation)
        if generation > self._generation:
            self._before, self._present = self._present, _empty_table(_IDS_AT_FIRST)
            self._generation = generation
        left = min(rows, self._per_generation - used)
        if 2 * (used + left) > len(self._present):
            known = self._present[self._present["id"] != 0]
            # Room for twice as many: it is filled anew a few times in a generation.
            self._present = _empty_table(min(2 * (used + left), self._per_generation))
            _insert_all(self._present, known["id"].copy(), known["bucket"].copy())
        return left

    def warm_up(self) -> None:
        """Compile, or load, every loop: to be called on one that is thrown away."""
        ids = np.arange(1, 2 * _IDS_AT_FIRST, dtype=np.uint64)
        for _ in range(2):
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
        oldest = (self._saved // self._per_generation - 1) * self._per_generation
        while self._segments and sum(self._segments[0]) <= oldest:
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
        parts = sorted(self._loaded, key=lambda part: part[0])
        if parts:
            self._generation = parts[0][0] // self._per_generation
        for first, ids, bucket in parts:
            self.sequence = self._saved = first
            done = 0
            while done < len(ids):
                part = slice(done, done + self._reserve(len(ids) - done))
                _insert_all(self._present, ids[part], bucket[part])
                done += len(ids[part])
                self.sequence += len(ids[part])
            self._saved = self.sequence
            self._segments.append((first, len(ids)))
        self._loaded.clear()


def _empty_table(ids: int) -> Table:
    """Return a table that so many ids fill by half."""
    size = 2
    while size < 2 * ids:
        size *= 2
    return np.zeros(size, SEEN)
