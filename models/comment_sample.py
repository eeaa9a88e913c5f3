"""A bounded, unbiased sample of the comments on a video: those with the smallest keyed hashes.

Which comments are in it depends on the comments alone, not on the order or the chunks in which they
came, and samples of parts merge into the sample of the whole: the k smallest hashes of a union are
among the k smallest of its parts (bottom-k sampling [1]). All comments are equally likely to be in
it, so each stands for `offered / k` of them (Horvitz & Thompson [2]). Nobody without the key of the
hashes can write a comment so that it is drawn.

References:
    [1] E. Cohen, H. Kaplan, "Summarizing data using bottom-k sketches", PODC 2007.
    [2] D. G. Horvitz, D. J. Thompson, "A generalization of sampling without replacement from a
        finite universe", JASA 1952.
    [3] G. Steele, D. Lea, C. Flood, "Fast splittable pseudorandom number generators", OOPSLA 2014,
        figure 16 (SplitMix64).
"""

from bisect import bisect_left
from collections.abc import Iterable, Iterator, Sequence
from hashlib import blake2b
from typing import Final, NamedTuple

import numpy as np
import numpy.typing as npt

from models.identity import ABSENT_HASH

SAMPLE_SIZE: Final = 32
"""Comments kept of a video and visit. The mean polarity of so many has a standard error of at most
1 / sqrt(32) = 0.18, and in a hundred visits (8 hours) of 0.018; a phrase of a tenth of the comments
is in three of them. About 5 KB of text."""

SAMPLED_CHARACTERS: Final = 140
"""What is kept of a text: Weibo's classic limit, which few comments reach."""

NO_SENTIMENT: Final = 2.0
"""Stands for a sentiment that the platform did not give; those it gives lie within -1 to 1."""

_GAMMA: Final = 0x9E37_79B9_7F4A_7C15
_MIX_1: Final = 0xBF58_476D_1CE4_E5B9
_MIX_2: Final = 0x94D0_49BB_1331_11EB
"""The constants of SplitMix64 [3]."""


class SampledComment(NamedTuple):
    """One comment, reply or danmaku; sorted by `priority` first, and no two different ones tie.

    Attributes:
        priority: See `priorities_of`.
        time_ms: Event time.
        actor: Hash of who wrote it, ABSENT_HASH when unknown.
        comment: Hash of its id, ABSENT_HASH when it has none.
        role: Code of the writer's role.
        age_days: Of the writer's account, negative when unknown.
        sentiment: The platform's own, or NO_SENTIMENT.
        comment_id: The id of the comment itself, or an empty string.
        text: At most SAMPLED_CHARACTERS of it.
    """

    priority: int
    time_ms: int
    actor: int
    comment: int
    role: int
    age_days: int
    sentiment: float
    comment_id: str
    text: str


def mixed_all(numbers: npt.NDArray[np.uint64]) -> npt.NDArray[np.uint64]:
    """Return 64 bits of each number that look random, one to one (SplitMix64 [3]), uint64[n].

    >>> mixed_all(np.array([1, 2, 1], np.uint64))
    array([10451216379200822465, 10905525725756348110, 10451216379200822465],
          dtype=uint64)
    """
    # Arrays of uint64 wrap around by themselves.
    numbers = numbers + np.uint64(_GAMMA)
    numbers = (numbers ^ (numbers >> np.uint64(30))) * np.uint64(_MIX_1)
    numbers = (numbers ^ (numbers >> np.uint64(27))) * np.uint64(_MIX_2)
    return np.asarray(numbers ^ (numbers >> np.uint64(31)))


def priorities_of(
    comment: npt.NDArray[np.uint64],
    actor: npt.NDArray[np.uint64],
    time_ms: npt.NDArray[np.int64],
    texts: Sequence[str],
) -> npt.NDArray[np.uint64]:
    """Return uint64[n]: the smaller, the sooner a comment is drawn.

    Args:
        comment: Keyed hashes of their ids; with one nothing else matters, so that likes of a
            comment are known to be of a drawn one.
        actor: Keyed hashes of who wrote them, where there is no id (danmaku); who has neither could
            choose what is drawn, and nobody could be blamed.
        time_ms: Event times.
        texts: What was written.
    """
    priority = mixed_all(comment)
    nameless = np.flatnonzero(comment == ABSENT_HASH)
    if len(nameless):
        digests = [blake2b(texts[at].encode(), digest_size=8).digest() for at in nameless.tolist()]
        said = np.frombuffer(b"".join(digests), "<u8")
        of_event = mixed_all(time_ms[nameless].astype(np.uint64) ^ said)
        priority[nameless] = mixed_all(actor[nameless] ^ of_event)
    return priority


class CommentSample:
    """The SAMPLE_SIZE comments with the smallest priorities, and how many there were.

    Attributes:
        offered: How many comments were offered.
    """

    __slots__ = ("_held", "offered")

    def __init__(self, offered: int = 0, held: Iterable[SampledComment] = ()) -> None:
        self.offered = offered
        self._held = sorted(held)[:SAMPLE_SIZE]

    def __len__(self) -> int:
        """Return how many comments are held."""
        return len(self._held)

    def __iter__(self) -> Iterator[SampledComment]:
        """Yield the comments in order of priority."""
        return iter(self._held)

    def offer(self, comment: SampledComment) -> None:
        """Offer one comment."""
        self.offer_sorted([comment], 0, 1)

    def offer_sorted(self, comments: Sequence[SampledComment], first: int, end: int) -> None:
        """Offer the comments from `first` up to `end`, which ascend by priority."""
        self.offered += end - first
        held = self._held
        for at in range(first, end):
            comment = comments[at]
            if len(held) >= SAMPLE_SIZE and comment.priority > held[-1].priority:
                return
            held.insert(bisect_left(held, comment), comment)
            del held[SAMPLE_SIZE:]

    def merge(self, other: "CommentSample") -> None:
        """Take in the sample of other comments: the result is the sample of all of them."""
        self.offered += other.offered
        self._held = sorted([*self._held, *other])[:SAMPLE_SIZE]

    @property
    def weight(self) -> float:
        """How many comments each held one stands for, 0 without any."""
        return self.offered / len(self._held) if self._held else 0.0


class Reception:
    """Likes and replies that comments received: those of comments with the smallest priorities.

    A comment is kept or dropped as in the sample, and its counts are exact while it is kept: one
    that was dropped cannot come back. While no more than MOST are liked or answered, all are kept.
    """

    __slots__ = ("_of",)

    MOST: Final = 2 * SAMPLE_SIZE
    """Twice the sample, for likes also go to comments that are not in it."""

    def __init__(self, of: Iterable[tuple[int, int, int, int]] = ()) -> None:
        self._of = {priority: (likes, replies, gone) for priority, likes, replies, gone in of}

    def __len__(self) -> int:
        """Return how many comments received something."""
        return len(self._of)

    def __iter__(self) -> Iterator[tuple[int, int, int, int]]:
        """Yield priority, likes, replies and how often taken back, in order of priority."""
        return ((priority, *self._of[priority]) for priority in sorted(self._of))

    def get(self, priority: int) -> tuple[int, int, int]:
        """Return what a comment received: likes, replies, and how often it was taken back."""
        return self._of.get(priority, (0, 0, 0))

    def add(self, priority: int, likes: int, replies: int, gone: int) -> None:
        """Count likes (less than 0: taken back) and replies, and whether its author took it back.

        The order does not matter.
        """
        known = self._of.get(priority)
        if known is None and len(self._of) >= self.MOST:
            last = max(self._of)
            if priority > last:
                return
            del self._of[last]
        likes_before, replies_before, gone_before = known or (0, 0, 0)
        self._of[priority] = (likes_before + likes, replies_before + replies, gone_before + gone)

    def merge(self, other: "Reception") -> None:
        """Take in what other events brought."""
        for priority, likes, replies, gone in other:
            self.add(priority, likes, replies, gone)
