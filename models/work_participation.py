"""Who takes part in each work: what `stages` told last of its videos, merged when it is asked for.

`stages` tells a video's record (models/participation.py) at the most every five minutes, as it
stood then. The latest of each video is kept and replaces the one before. It is taken in when time
passes its bucket, in the order of buckets and keys, so that what is known of a work at a moment of
event time does not depend on how reports were cut.

Records are merged only of works that there is something to say of: they are told in an alert, stand
on the board, or are looked at (models/work_depth.py, models/work_integrity.py). Of a work with a
thousand videos that takes five milliseconds.
"""

from bisect import bisect_left
from collections import deque
from collections.abc import Iterator, Sequence
from operator import itemgetter
from typing import Final

import numpy as np
import numpy.typing as npt

from models.decided_rows import DecidedRows
from models.participation import PARTICIPATION, ParticipationFormatError, merge, pack, unpack
from models.records import grown
from models.roll_up import RollUp
from models.works import Work

Ints = npt.NDArray[np.int64]
Rows = npt.NDArray[np.void]

MOST_VIDEOS: Final = 8_192
"""Videos whose record is kept (32 MB): twice as many as one partition of `stages` tells of. When
there are more, a quarter gives way, those told longest ago."""

MOST_MERGED: Final = 256
"""Merged records that are kept for as long as no video of theirs is told anew (1 MB)."""

PREFIX: Final = b"participation/"
"""Of its keys in the changelog."""

_BUCKET_BYTES: Final = 8
_FREE: Final = -1


class WorkParticipation:
    """The latest records of videos, and those of works.

    Args:
        roll_up: Which videos count for which works.
    """

    def __init__(self, roll_up: RollUp) -> None:
        self._roll_up = roll_up
        self._records = np.zeros(0, PARTICIPATION)
        self._told = np.zeros(0, np.int64)
        self._version = np.zeros(0, np.int64)
        self._keys: list[str] = []
        self._number_of: dict[str, int] = {}
        self._free: list[int] = []
        self._waiting: deque[tuple[int, str, bytes]] = deque()
        self._changed: set[str] = set()
        self._versions = 0
        self._merged: dict[str, tuple[bytes, Rows]] = {}

    def __len__(self) -> int:
        """Return the number of videos whose record is kept."""
        return len(self._number_of)

    # -- what is told -------------------------------------------------------------------------

    def note(self, decided: DecidedRows, first: int, end: int) -> None:
        """Note what is told with some rows, before anything comes of them.

        Args:
            decided: What was decided.
            first: The first row.
            end: The row before which to stop.
        """
        told = decided.participations
        begin = bisect_left(told, first, key=itemgetter(0))
        for row, packed in told[begin : bisect_left(told, end, key=itemgetter(0))]:
            key = decided.keys[decided.video[row]]
            self._waiting.append((int(decided.rows["bucket"][row]), key, packed))

    def advance(self, bucket: int) -> None:
        """Take in what was told up to a bucket, with it.

        Raises:
            ParticipationFormatError: A record is damaged or of another version.
        """
        while self._waiting and self._waiting[0][0] <= bucket:
            told, key, packed = self._waiting.popleft()
            self._put(key, told, unpack(packed))
            self._changed.add(key)

    def _put(self, key: str, bucket: int, record: Rows) -> None:
        number = self._number_of.get(key)
        if number is None:
            if len(self._number_of) >= MOST_VIDEOS:
                self._make_room()
            number = self._number_for(key)
        self._records[number] = record[0]
        self._told[number] = bucket
        self._versions += 1
        self._version[number] = self._versions

    def _number_for(self, key: str) -> int:
        if not self._free:
            before = len(self._keys)
            self._records = grown(self._records, before + 16)
            self._told = grown(self._told, len(self._records), _FREE)
            self._version = grown(self._version, len(self._records))
            self._keys += [""] * (len(self._records) - before)
            self._free = list(range(len(self._records) - 1, before - 1, -1))
        number = self._free.pop()
        self._keys[number], self._number_of[key] = key, number
        return number

    def _make_room(self) -> None:
        order = sorted(self._number_of, key=lambda key: (self._told[self._number_of[key]], key))
        self._forget(order[: len(order) // 4])

    def forget_untracked(self) -> None:
        """Forget the records of videos that have been forgotten."""
        tracked = self._roll_up.tracked
        self._forget([key for key in self._number_of if tracked.get(key) is None])

    def _forget(self, keys: Sequence[str]) -> None:
        for key in keys:
            number = self._number_of.pop(key)
            self._keys[number], self._told[number] = "", _FREE
            self._free.append(number)
            self._changed.add(key)

    # -- what is known ------------------------------------------------------------------------

    @property
    def videos(self) -> list[str]:
        """Keys of the videos whose record is kept, in alphabetical order."""
        return sorted(self._number_of)

    def of_video(self, key: str) -> Rows | None:
        """Return PARTICIPATION[1] of a video, not to be changed; None where there is none."""
        number = self._number_of.get(key)
        return None if number is None else self._records[number : number + 1]

    def of_works(self, works: Sequence[Work]) -> list[Rows | None]:
        """Return PARTICIPATION[1] of each work, not to be changed; None where there is none.

        Of a work with several names it is of the videos under all of them.
        """
        if not self._number_of:
            return [None] * len(works)
        slots, numbers = self.members()
        order = np.argsort(slots, kind="stable")
        slots, numbers = slots[order], numbers[order]
        named = [[name.slot for name in self._roll_up.merged.named(work)] for work in works]
        wanted = np.array([slot for names in named for slot in names], np.int64)
        firsts = np.searchsorted(slots, wanted, "left").tolist()
        ends = np.searchsorted(slots, wanted, "right").tolist()
        found: list[Rows | None] = []
        at = 0
        for work, names in zip(works, named, strict=True):
            spans = range(at, at + len(names))
            at += len(names)
            of_work = np.concatenate([numbers[firsts[span] : ends[span]] for span in spans])
            if len(names) > 1:
                # Somebody's video may go by several of the names.
                of_work = np.unique(of_work)
            found.append(self._of_work(work, of_work) if len(of_work) else None)
        return found

    def of_work(self, work: Work) -> Rows | None:
        """Return PARTICIPATION[1] of a work, not to be changed; None where there is none."""
        return self.of_works([work])[0]

    def _of_work(self, work: Work, numbers: Ints) -> Rows:
        """Return the merged record of a work whose videos have these numbers."""
        # The order of merging shows in what had to give way: it is that of the keys.
        by_key = sorted(numbers.tolist(), key=self._keys.__getitem__)
        signature = self._version[by_key].tobytes()
        known = self._merged.get(work.work_id)
        if known is not None and known[0] == signature:
            return known[1]
        merged = np.zeros(1, PARTICIPATION)
        for number in by_key:
            merge(merged, self._records[number : number + 1])
        if len(self._merged) >= MOST_MERGED:
            self._merged.clear()
        self._merged[work.work_id] = signature, merged
        return merged

    def members(self) -> tuple[Ints, Ints]:
        """Return int64[n] twice: the slot of a work, and the number of a record that counts for it.

        A video that counts for several works is there several times.
        """
        links, tracked = self._roll_up.tracked.links, self._roll_up.tracked
        used = np.flatnonzero(self._told != _FREE)
        videos = tracked.slots([self._keys[number] for number in used.tolist()])
        used, videos = used[videos >= 0], videos[videos >= 0]
        count = links.count[videos]
        runs = np.repeat(links.first[videos] - np.cumsum(count) + count, count)
        works = links.work[links.name[runs + np.arange(len(runs))]]
        numbers = np.repeat(used, count)
        return works[works >= 0], numbers[works >= 0]

    def ages(self, numbers: Ints) -> npt.NDArray[np.int64]:
        """Return int64[n, AGE_BINS]: acts by the age of the account, of records by number."""
        return np.asarray(self._records["accounts"]["ages"][numbers, 0], np.int64)

    # -- the changelog ------------------------------------------------------------------------

    def rows(self) -> Iterator[tuple[bytes, bytes | None]]:
        """Yield keys and values of what changed since the last call; nothing is waiting then."""
        for key in sorted(self._changed):
            number, stored = self._number_of.get(key), None
            if number is not None:
                told = int(self._told[number]).to_bytes(_BUCKET_BYTES, "little")
                stored = told + pack(self._records[number : number + 1])
            yield PREFIX + key.encode(), stored
        self._changed.clear()

    def load(self, key: bytes, value: bytes) -> None:
        """Take back one of `rows`.

        Raises:
            ParticipationFormatError: It is damaged or of another version.
        """
        if len(value) < _BUCKET_BYTES:
            raise ParticipationFormatError(f"a participation of {len(value)} bytes is damaged")
        told = int.from_bytes(value[:_BUCKET_BYTES], "little")
        self._put(key[len(PREFIX) :].decode(), told, unpack(value[_BUCKET_BYTES:]))
