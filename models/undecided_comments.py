"""Comments of buckets that are not decided yet: a sample per bucket and video, and what was liked.

They wait beside the entries of `models/undecided`, of which each bucket and video with a comment
has one; like those, nothing here is saved: after a restart the log is read again. What comes late
is in no sample, as it is in no decision.
"""

from typing import Any, Final

import numpy as np
import numpy.typing as npt

from models.batches import Batch
from models.comment_sample import (
    NO_SENTIMENT,
    SAMPLED_CHARACTERS,
    CommentSample,
    Reception,
    SampledComment,
    mixed,
    priority_of,
)
from models.details import DETAIL, NO_NUMBER
from models.event_time import SourceClocks
from models.identity import ABSENT_HASH
from models.vocabulary import ACTION_CODE, Action

Ints = npt.NDArray[np.int64]
Flags = npt.NDArray[np.bool_]

_SPOKEN: Final = [
    ACTION_CODE[action.value] for action in (Action.COMMENT, Action.REPLY, Action.DANMAKU)
]
"""Codes of the actions that are comments themselves."""

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
        wanted &= np.isin(batch.action[rows], _SPOKEN) & (batch.count[rows] > 0)
        if not wanted.any():
            return
        details, at = batch.details, np.searchsorted(batch.details["row"], rows)
        bucket = (batch.time_ms[rows] // clocks.bucket_ms).tolist()
        slot = slots[batch.video[rows]].tolist()
        for number in np.flatnonzero(wanted).tolist():
            row, comment_id, text = batch.comments[number]
            place = int(at[number])
            has_detail = place < len(details) and details["row"][place] == row
            detail = details[place] if has_detail else _NOTHING_MORE[0]
            sample, _ = self._waiting(bucket[number], slot[number])
            _offer(sample, batch, row, comment_id, text[:SAMPLED_CHARACTERS], detail)

    def _add_reception(self, batch: Batch, slots: Ints, skip: Flags, clocks: SourceClocks) -> None:
        details = batch.details
        rows = details["row"].astype(np.int64)
        spoken = np.isin(batch.action[rows], _SPOKEN)
        liked = (batch.action[rows] == _LIKED) & (details["comment"] != ABSENT_HASH)
        replied = spoken & (details["parent"] != ABSENT_HASH) & (batch.count[rows] > 0)
        gone = spoken & (details["comment"] != ABSENT_HASH) & (batch.count[rows] < 0)
        wanted = (liked | replied | gone) & _in_time(batch, rows, clocks) & ~skip[rows]
        for number in np.flatnonzero(wanted).tolist():
            row = int(rows[number])
            bucket = int(batch.time_ms[row]) // clocks.bucket_ms
            _, reception = self._waiting(bucket, int(slots[batch.video[row]]))
            amount = int(batch.count[row])
            if liked[number] or gone[number]:
                priority = mixed(int(details["comment"][number]))
                is_like = bool(liked[number])
                reception.add(priority, amount * is_like, 0, -amount * (not is_like))
            if replied[number]:
                reception.add(mixed(int(details["parent"][number])), 0, amount, 0)

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


def _offer(
    sample: CommentSample,
    batch: Batch,
    row: int,
    comment_id: str,
    text: str,
    detail: Any,  # noqa: ANN401 - a record of DETAIL
) -> None:
    comment, actor = int(detail["comment"]), int(batch.actor[row])
    time_ms = int(batch.time_ms[row])
    priority = priority_of(comment, actor, time_ms, text)
    if not sample.would_hold(priority):
        sample.pass_over()
        return
    sentiment = float(detail["sentiment"])
    sample.offer(
        SampledComment(
            priority,
            time_ms,
            actor,
            comment,
            int(batch.role[row]),
            int(detail["age_days"]),
            NO_SENTIMENT if np.isnan(sentiment) else round(sentiment, 6),
            comment_id,
            text,
        )
    )
