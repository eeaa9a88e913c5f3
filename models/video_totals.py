"""How often each action happened to each video, all events counted: views, and what else there was.

Most videos of a platform are only watched. So views are a column, and each other action that ever
happened to a video is a record in a pool, chained to its slot: 12 bytes a video and 16 an action in
place of 136. Decisions never read totals.
"""

from typing import Final

import numpy as np
import numpy.typing as npt

from models.compiled import compiled
from models.records import grow, grown
from models.vocabulary import ACTION_CODE, ACTIONS, Action

COUNTED: Final = np.dtype(
    [("count", np.int64), ("next", np.int32), ("action", np.uint8), ("spare", np.uint8, (3,))]
)
"""One action of one video; `next` is the video's next, or that of the free ones, or NOTHING."""

NOTHING: Final = -1
_VIEW: Final = ACTION_CODE[Action.VIEW]
_USED, _FREE = range(2)

Ints = npt.NDArray[np.int64]
Links = npt.NDArray[np.int32]
Records = npt.NDArray[np.void]
Totals = tuple[Ints, Links, Records, Ints]
"""Of VideoTotals: views, first, counted, ends."""


@compiled
def add_total(totals: Totals, slot: int, action: int, amount: int) -> None:
    """Count so many more of an action, in place; there is room for one more record."""
    views, first, counted, ends = totals
    if action == _VIEW:
        views[slot] += amount
        return
    if amount == 0:
        return
    at = np.int64(first[slot])
    while at != NOTHING:
        if counted[at].action == action:
            counted[at].count += amount
            return
        at = np.int64(counted[at].next)
    at = ends[_FREE]
    if at == NOTHING:
        at = ends[_USED]
        ends[_USED] += 1
    else:
        ends[_FREE] = counted[at].next
    counted[at].count, counted[at].action = amount, action
    counted[at].next = first[slot]
    first[slot] = at


@compiled
def _forget(totals: Totals, slots: Ints) -> None:
    views, first, counted, ends = totals
    for slot in slots:
        views[slot] = 0
        at = np.int64(first[slot])
        first[slot] = NOTHING
        while at != NOTHING:
            after = np.int64(counted[at].next)
            counted[at].next = ends[_FREE]
            ends[_FREE] = at
            at = after


@compiled
def _read(totals: Totals, slots: Ints, out: Ints) -> None:
    views, first, counted, _ = totals
    for row in range(len(slots)):
        out[row, _VIEW] = views[slots[row]]
        at = np.int64(first[slots[row]])
        while at != NOTHING:
            out[row, counted[at].action] = counted[at].count
            at = np.int64(counted[at].next)


@compiled
def _add_all(totals: Totals, slots: Ints, counts: Ints) -> None:
    for row in range(len(slots)):
        for action in range(counts.shape[1]):
            add_total(totals, slots[row], action, counts[row, action])


class VideoTotals:
    """The totals of one partition's videos, by slot.

    Attributes:
        views: int64[slots].
        first: int32[slots], the first of what else there was in `counted`, or NOTHING.
        counted: COUNTED[capacity].
        ends: int64[2], how many of `counted` are or were in use, and the first that is free again.
    """

    def __init__(self, slots: int) -> None:
        self.views = np.zeros(slots, np.int64)
        self.first = np.full(slots, NOTHING, np.int32)
        self.counted = np.zeros(64, COUNTED)
        self.ends = np.array([0, NOTHING], np.int64)

    @property
    def columns(self) -> Totals:
        """What compiled code reads and writes."""
        return self.views, self.first, self.counted, self.ends

    def reserve_slots(self, slots: int) -> None:
        """Make room for so many videos."""
        self.views = grown(self.views, slots, 0)
        self.first = grown(self.first, slots, NOTHING)

    def reserve(self, more: int) -> None:
        """Make room for so many more actions that have not happened to a video yet."""
        grow(self, "counted", int(self.ends[_USED]) + more)

    def of(self, slots: Ints) -> Ints:
        """Return int64[n, len(ACTIONS)], the totals of n videos by action code."""
        found = np.zeros((len(slots), len(ACTIONS)), np.int64)
        _read(self.columns, slots, found)
        return found

    def put(self, slots: Ints, totals: Ints) -> None:
        """Set the totals of n videos, each named once: int64[n, len(ACTIONS)]."""
        self.forget(slots)
        self.reserve(int(np.count_nonzero(totals)))
        _add_all(self.columns, slots, totals)

    def forget(self, slots: Ints) -> None:
        """Let there be no totals of videos."""
        _forget(self.columns, slots)
