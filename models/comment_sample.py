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
from collections.abc import Iterable, Iterator
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

_MASK: Final = 2**64 - 1
_GAMMA: Final = 0x9E37_79B9_7F4A_7C15
_MIX_1: Final = 0xBF58_476D_1CE4_E5B9
_MIX_2: Final = 0x94D0_49BB_1331_11EB
"""The constants of SplitMix64 [3]."""


class SampledComment(NamedTuple):
    """One comment, reply or danmaku; sorted by `priority` first, and no two different ones tie.

    Attributes:
        priority: `priority_of` it.
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


def mixed(number: int) -> int:
    """Return 64 bits that look random, one to one (SplitMix64 [3]).

    >>> mixed(1) != mixed(2) and mixed(1) == mixed(1)
    True
    """
    number = (number + _GAMMA) & _MASK
    number = ((number ^ (number >> 30)) * _MIX_1) & _MASK
    number = ((number ^ (number >> 27)) * _MIX_2) & _MASK
    return number ^ (number >> 31)


def mixed_all(numbers: npt.NDArray[np.uint64]) -> npt.NDArray[np.uint64]:
    """Return `mixed` of each number, uint64[n]."""
    # Arrays of uint64 wrap around by themselves.
    numbers = numbers + np.uint64(_GAMMA)
    numbers = (numbers ^ (numbers >> np.uint64(30))) * np.uint64(_MIX_1)
    numbers = (numbers ^ (numbers >> np.uint64(27))) * np.uint64(_MIX_2)
    return np.asarray(numbers ^ (numbers >> np.uint64(31)))


def priority_of(comment: int, actor: int, time_ms: int, text: str) -> int:
    """Return 0 to 2^64 - 1: the smaller, the sooner a comment is drawn.

    Args:
        comment: Keyed hash of its id; with it nothing else matters, so that likes of a comment are
            known to be of a drawn one.
        actor: Keyed hash of who wrote it, where there is no id (danmaku); who has neither could
            choose what is drawn, and nobody could be blamed.
        time_ms: Event time.
        text: What was written.
    """
    if comment != ABSENT_HASH:
        return mixed(comment)
    said = int.from_bytes(blake2b(text.encode(), digest_size=8).digest(), "little")
    return mixed(actor ^ mixed(time_ms ^ said))


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

    def would_hold(self, priority: int) -> bool:
        """Tell whether a comment of this priority may be held: most need not be built at all."""
        return len(self._held) < SAMPLE_SIZE or priority <= self._held[-1].priority

    def offer(self, comment: SampledComment) -> None:
        """Offer one comment."""
        self.offered += 1
        if self.would_hold(comment.priority):
            self._held.insert(bisect_left(self._held, comment), comment)
            del self._held[SAMPLE_SIZE:]

    def pass_over(self) -> None:
        """Count a comment that would not be held."""
        self.offered += 1

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
