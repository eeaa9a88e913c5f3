"""Comments of buckets that are not decided yet: a sample per bucket and video, and what was liked.

They wait beside the entries of `models/undecided`, of which each bucket and video with a comment
has one; like those, nothing here is saved: after a restart the log is read again. What comes late
is in no sample, as it is in no decision.
"""

from typing import Final

import numpy as np
import numpy.typing as npt

from models.batches import Batch
from models.comment_sample import (
    NO_SENTIMENT,
    SAMPLED_CHARACTERS,
    CommentSample,
    Reception,
    SampledComment,
    mixed_all,
    priorities_of,
)
from models.details import DETAIL, NO_NUMBER
from models.event_time import SourceClocks
from models.identity import ABSENT_HASH
from models.vocabulary import ACTION_CODE, Action

Ints = npt.NDArray[np.int64]
Flags = npt.NDArray[np.bool_]

_IS_SPOKEN: Final = np.zeros(256, np.bool_)
"""By action code: whether it is a comment itself."""
for _action in (Action.COMMENT, Action.REPLY, Action.DANMAKU):
    _IS_SPOKEN[ACTION_CODE[_action.value]] = True

_LIKED: Final = ACTION_CODE[Action.COMMENT_LIKE.value]

_NOTHING_MORE: Final = np.zeros(1, DETAIL)
_NOTHING_MORE["age_days"] = NO_NUMBER
_NOTHING_MORE["sentiment"] = np.nan

WaitingOf = dict[tuple[int, int], tuple[CommentSample, Reception]]


class UndecidedComments:
    """The comments of all undecided buckets of one partition, by bucket and slot."""

    def __init__(self) -> None:
        self._of: WaitingOf = {}

    def __len__(self) -> int:
        """Return of how many buckets and videos comments wait."""
        return len(self._of)

    def add(self, batch: Batch, slots: Ints, skip: Flags, clocks: SourceClocks) -> None:
        """Add the comments of a batch, and the likes and replies that they received.

        Args:
            batch: The batch; its source's clock has not been moved by it yet.
            slots: int64[len(batch.videos)], the slot of each of its videos.
            skip: bool[n], the rows to pass over.
            clocks: The clocks, for lateness.
        """
        if batch.comments:
            self._add_comments(batch, slots, skip, clocks)
        if len(batch.details):
            self._add_reception(batch, slots, skip, clocks)

    def _add_comments(self, batch: Batch, slots: Ints, skip: Flags, clocks: SourceClocks) -> None:
        rows = np.array([row for row, _, _ in batch.comments], np.int64)
        wanted = _in_time(batch, rows, clocks) & ~skip[rows]
        wanted &= _IS_SPOKEN[batch.action[rows]] & (batch.count[rows] > 0)
        if not wanted.any():
            return
        numbers = np.flatnonzero(wanted)
        rows = rows[numbers]
        details = _details_of(batch, rows)
        felt = details["sentiment"].astype(np.float64)
        felt[np.isnan(felt)] = NO_SENTIMENT
        texts = [batch.comments[number][2][:SAMPLED_CHARACTERS] for number in numbers.tolist()]
        priority = priorities_of(details["comment"], batch.actor[rows], batch.time_ms[rows], texts)
        bucket, slot = batch.time_ms[rows] // clocks.bucket_ms, slots[batch.video[rows]]
        # Of many under one video only those with the smallest priorities are looked at.
        order = np.lexsort((priority, slot, bucket))
        columns = zip(
            priority[order].tolist(),
            batch.time_ms[rows[order]].tolist(),
            batch.actor[rows[order]].tolist(),
            details["comment"][order].tolist(),
            batch.role[rows[order]].tolist(),
            details["age_days"][order].tolist(),
            felt[order].round(6).tolist(),
            [batch.comments[number][1] for number in numbers[order].tolist()],
            [texts[at] for at in order.tolist()],
            strict=True,
        )
        comments = list(map(SampledComment._make, columns))
        bucket, slot = bucket[order], slot[order]
        new = np.flatnonzero((np.diff(bucket) != 0) | (np.diff(slot) != 0)) + 1
        firsts = np.concatenate([[0], new])
        ends = [*new.tolist(), len(comments)]
        groups = zip(
            bucket[firsts].tolist(), slot[firsts].tolist(), firsts.tolist(), ends, strict=True
        )
        for at_bucket, at_slot, first, end in groups:
            sample, _ = self._waiting(at_bucket, at_slot)
            sample.offer_sorted(comments, first, end)

    def _add_reception(self, batch: Batch, slots: Ints, skip: Flags, clocks: SourceClocks) -> None:
        # Most details are of those who watched, and name no comment.
        named = (batch.details["comment"] | batch.details["parent"]) != ABSENT_HASH
        details = batch.details.take(np.flatnonzero(named))
        rows = details["row"].astype(np.int64)
        spoken = _IS_SPOKEN[batch.action[rows]]
        liked = (batch.action[rows] == _LIKED) & (details["comment"] != ABSENT_HASH)
        replied = spoken & (details["parent"] != ABSENT_HASH) & (batch.count[rows] > 0)
        gone = spoken & (details["comment"] != ABSENT_HASH) & (batch.count[rows] < 0)
        wanted = (liked | replied | gone) & _in_time(batch, rows, clocks) & ~skip[rows]
        wanted = np.flatnonzero(wanted)
        rows, details = rows[wanted], details.take(wanted)
        columns = zip(
            (batch.time_ms[rows] // clocks.bucket_ms).tolist(),
            slots[batch.video[rows]].tolist(),
            batch.count[rows].tolist(),
            mixed_all(details["comment"]).tolist(),
            mixed_all(details["parent"]).tolist(),
            liked[wanted].tolist(),
            gone[wanted].tolist(),
            replied[wanted].tolist(),
            strict=True,
        )
        for bucket, slot, amount, own, parent, is_like, is_gone, is_reply in columns:
            _, reception = self._waiting(bucket, slot)
            if is_like:
                reception.add(own, amount, 0, 0)
            elif is_gone:
                reception.add(own, 0, 0, -amount)
            if is_reply:
                reception.add(parent, 0, amount, 0)

    def _waiting(self, bucket: int, slot: int) -> tuple[CommentSample, Reception]:
        waiting = self._of.get((bucket, slot))
        if waiting is None:
            waiting = self._of[bucket, slot] = CommentSample(), Reception()
        return waiting

    def take(self, through_bucket: int) -> WaitingOf:
        """Remove and return what waits in buckets up to this one."""
        due = {where: what for where, what in self._of.items() if where[0] <= through_bucket}
        for where in due:
            del self._of[where]
        return due


def _in_time(batch: Batch, rows: Ints, clocks: SourceClocks) -> Flags:
    """Tell which rows came in time (models/undecided says what is late)."""
    closed = -1 if clocks.closed_bucket is None else clocks.closed_bucket
    time_ms = batch.time_ms[rows]
    reached_ms = np.maximum(batch.high_ms[rows], clocks.clocks[batch.header.source].high_ms)
    late = (time_ms // clocks.bucket_ms <= closed) | (
        time_ms < reached_ms - clocks.allowed_lateness_ms
    )
    return ~late


def _details_of(batch: Batch, rows: Ints) -> npt.NDArray[np.void]:
    """Return DETAIL[n] of some rows, nothing known where a row has none."""
    found = np.repeat(_NOTHING_MORE, len(rows))
    at = np.searchsorted(batch.details["row"], rows)
    known = at < len(batch.details)
    known[known] = batch.details["row"][at[known]] == rows[known]
    found[known] = batch.details.take(at[known])
    return found
