"""What is said under each followed video, visit by visit: feelings, phrases, comments worth a look.

While a visit lasts (VISIT_MS), a video's decided buckets add to one sample of its comments. When a
row of a later visit is told of the video, the visit before is over and is told with that row: how
those felt who spoke, which phrases several of them used, and which comments are worth highlighting.
Then the sample is forgotten: no text is kept but of the few comments that may be highlighted.
"""

import json
from collections.abc import Iterable
from typing import Any, Final
from zlib import crc32

import numpy as np
import numpy.typing as npt

from models.comment_sample import NO_SENTIMENT, CommentSample, Reception, SampledComment
from models.feelings import Feelings
from models.highlights import (
    CANDIDATES_MAX,
    HIGHLIGHTS_TOLD,
    Candidate,
    best_of,
    candidates_of,
)
from models.parameters import Parameters
from models.phrases import people_in, phrases_in
from models.sentiment import polarity
from models.transitions import VISIT_MS
from models.undecided_comments import WaitingOf
from models.video_state import VideoTable

VOICES_MAX: Final = 4_096
"""Followed videos of a partition whose comments are listened to at once (5 KB each); those that
were silent longest give way."""

Ints = npt.NDArray[np.int64]


class Voices:
    """What is said under one video in the visit at hand, and its comments worth a look.

    Attributes:
        visit: The visit that the sample is of.
        sample: Its comments.
        reception: What comments received in it.
        candidates: Comments that may be highlighted, by priority; of earlier visits, too.
        told: The highlights as they were told last.
    """

    __slots__ = ("candidates", "reception", "sample", "told", "visit")

    def __init__(self, visit: int) -> None:
        self.visit = visit
        self.sample = CommentSample()
        self.reception = Reception()
        self.candidates: dict[int, Candidate] = {}
        self.told: list[list[Any]] = []

    def add(self, sample: CommentSample, reception: Reception) -> None:
        """Take in what a decided bucket brought."""
        for priority, likes, replies, gone in reception:
            known = self.candidates.get(priority)
            if known is not None and gone:
                del self.candidates[priority]
            elif known is not None:
                self.candidates[priority] = known.with_more(likes, replies)
        self.sample.merge(sample)
        self.reception.merge(reception)

    def close(self) -> dict[str, Any] | None:
        """End the visit: return what is to be told of it, JSON-ready; None where there is nothing.

        Returns:
            `feelings` (feelings.Feelings), `offered` (how many comments there were), `phrases` (how
            many of `people` in the sample use each), and `highlights` where they have changed.
        """
        judged = [(comment, _polarity_of(comment)) for comment in self.sample]
        for one in candidates_of(judged, self.reception):
            self.candidates.setdefault(one.priority, one)
        best = best_of(self.candidates.values(), CANDIDATES_MAX)
        self.candidates = {one.priority: one for one in best}
        said: dict[str, Any] = {}
        if judged:
            feelings = Feelings()
            for _, felt in judged:
                feelings.add(felt, self.sample.weight)
            said["offered"] = self.sample.offered
            said["feelings"] = feelings.to_list()
            said["phrases"] = phrases_in(self.sample)
            said["people"] = people_in(self.sample)
        worth = [one for one in best if one.taken_up][:HIGHLIGHTS_TOLD]
        highlights = [one.to_list() for one in worth]
        if highlights != self.told:
            said["highlights"] = self.told = highlights
        self.sample, self.reception = CommentSample(), Reception()
        return said or None

    def to_bytes(self) -> bytes:
        """Return what `of_bytes` takes."""
        stored = [
            self.visit,
            self.sample.offered,
            list(self.sample),
            list(self.reception),
            [one.to_list() for one in self.candidates.values()],
            self.told,
        ]
        return json.dumps(stored, ensure_ascii=False, separators=(",", ":")).encode()

    @classmethod
    def of_bytes(cls, stored: bytes) -> "Voices":
        """Return what `to_bytes` gave.

        Raises:
            ValueError: It is damaged.
        """
        visit, offered, held, reception, candidates, told = json.loads(stored)
        voices = cls(visit)
        voices.sample = CommentSample(offered, (SampledComment(*one) for one in held))
        voices.reception = Reception(tuple(one) for one in reception)
        voices.candidates = {one[0]: Candidate(*one) for one in candidates}
        voices.told = told
        return voices


def _polarity_of(comment: SampledComment) -> float:
    """Return how a comment feels: what the platform says of it wins."""
    if comment.sentiment != NO_SENTIMENT:
        return comment.sentiment
    return polarity(comment.text)


def visit_of(key: str, bucket: int, buckets_per_visit: int) -> int:
    """Return the visit of a video's comments to which a bucket belongs.

    Where visits begin differs from video to video, so that they do not all end in one bucket: what
    there is to say of a visit takes half a millisecond, and thousands of videos may have one.
    """
    return (bucket + crc32(key.encode()) % buckets_per_visit) // buckets_per_visit


class FollowedVoices:
    """The voices of a partition's followed videos, by key."""

    def __init__(self, parameters: Parameters) -> None:
        self._buckets_per_visit = max(VISIT_MS // parameters.bucket_ms, 1)
        self._of: dict[str, Voices] = {}
        self._dirty: set[str] = set()

    def __len__(self) -> int:
        """Return of how many videos there are any."""
        return len(self._of)

    def decide(
        self, videos: VideoTable, told: tuple[Ints, Ints], waiting: WaitingOf
    ) -> list[tuple[int, dict[str, Any]]]:
        """Take in decided buckets, and return what is to be told with which rows.

        Args:
            videos: The partition's videos.
            told: int64[n] twice: bucket and slot of each row that is told, in order.
            waiting: The comments of the decided buckets.

        Returns:
            (row, said) for rows of `told`, in order.
        """
        bucket, slot = told
        heard = {at for _, at in waiting}
        for at in np.unique(slot).tolist():
            if videos.keys[at] in self._of:
                heard.add(at)
        if not heard:
            return []
        rows = np.flatnonzero(np.isin(slot, np.fromiter(heard, np.int64, len(heard))))
        said = []
        reached = -1
        for row in rows.tolist():
            where = int(bucket[row]), int(slot[row])
            if where[0] > reached:
                self._make_room()
                reached = where[0]
            key = videos.keys[where[1]] or ""
            visit = visit_of(key, where[0], self._buckets_per_visit)
            voices = self._of.get(key)
            if voices is not None and visit > voices.visit:
                closed = self._close(key, voices, visit)
                if closed is not None:
                    said.append((row, closed))
            if where in waiting:
                self._of.setdefault(key, Voices(visit)).add(*waiting[where])
                self._dirty.add(key)
        self._make_room()
        return said

    def _close(self, key: str, voices: Voices, visit: int) -> dict[str, Any] | None:
        if not voices.sample.offered and not len(voices.reception):
            return None
        closed = voices.close()
        voices.visit = visit
        self._dirty.add(key)
        return closed

    def _make_room(self) -> None:
        """Forget those that were silent longest, beyond VOICES_MAX."""
        if len(self._of) > VOICES_MAX:
            order = sorted(self._of, key=lambda key: (self._of[key].visit, key))
            self.forget(order[: len(self._of) - VOICES_MAX])

    def forget(self, keys: Iterable[str]) -> None:
        """Forget the voices of some videos, whether or not there are any."""
        for key in keys:
            if self._of.pop(key, None) is not None:
                self._dirty.add(key)

    # -- the changelog ------------------------------------------------------------------------

    def take_dirty(self) -> list[tuple[str, bytes | None]]:
        """Return key and record of those that changed since the last call, None for forgotten."""
        dirty, self._dirty = sorted(self._dirty), set()
        return [(key, self._of[key].to_bytes() if key in self._of else None) for key in dirty]

    def load(self, key: str, stored: bytes) -> None:
        """Take back a record that `take_dirty` gave.

        Raises:
            ValueError: It is damaged.
        """
        self._of[key] = Voices.of_bytes(stored)
