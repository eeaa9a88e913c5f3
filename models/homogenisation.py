"""Homogenisation: whether what is being made of a work is still new, or copies of copies.

Two derivatives are *near-copies* of each other when their fingerprints are within the distance at
which perceptual hashes match [1]; where one of them has none, when their titles resemble each other
by at least a half [2]. Content is the better witness: originals may share a hashtag for a title.
Diversity is the effective number of distinct derivatives, of order 2 and sensitive to similarity
[3]: n derivatives of which no two are near-copies count as n, n copies of one as 1.

Diffusion turns hollow when most of what is made now are near-copies (seed 000, sections 4 and 4(3):
the homogenisation of short-video content harms the diffusion of deep value).

References:
    [1] Facebook, "The TMK+PDQF video-hashing algorithm and the PDQ image-hashing algorithm", 2019:
        two hashes of 256 bits match when at most 31 of them differ.
    [2] A. Broder, "On the resemblance and containment of documents", 1997, with the resemblance of
        50 % by which A. Broder et al., "Syntactic clustering of the web", 1997, join documents.
    [3] T. Leinster, C. Cobbold, "Measuring diversity: the importance of species similarity",
        Ecology 93 (3), 2012, equation 1 with q = 2; without similarity it is Hill's number.
    [4] E. Wilson, "Probable inference, the law of succession, and statistical inference", 1927.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from models.tracked_videos import TrackedVideo, shown

Flags = npt.NDArray[np.bool_]

LATEST: Final = 64
"""Derivatives that are "made now": the window in which shares and diversity are told. Half of a
share's interval is then at most 0.12 wide. As many before it say what it was like."""

LEAST: Final = 20
"""Fewer latest derivatives tell nothing: a single group of friends makes as many."""

MATCHING_BITS_SHARE: Final = 31 / 256
"""Hashes match when at most this share of their bits differ [1]."""

LEAST_HASH_BITS: Final = 64
"""Shorter fingerprints match by equality alone: of 64 random bits at most 7 differ once in 2e10
pairs, of 32 at most 3 once in 8e5."""

RESEMBLANCE: Final = 0.5
"""Titles are copies from this resemblance on [2]."""

SHINGLE: Final = 2
"""Characters of a shingle: words of Chinese have two as a rule."""

MAJORITY: Final = 0.5
"""From here on most are near-copies; both ends of an interval are held against it."""

_Z: Final = 1.959964
"""Of an interval that holds the truth in 95 of 100 cases [4]."""

EXAMPLES: Final = 3
"""Near-copies that are named."""


@dataclass(frozen=True, slots=True)
class Homogenisation:
    """What the latest derivatives of a work are like.

    Attributes:
        latest: How many of them were looked at, at most LATEST.
        near_copies: How many of these have a near-copy among all that were looked at.
        low, high: Interval of the share of near-copies, 95 %.
        distinct: Effective number of distinct derivatives among the latest.
        distinct_share_before: The same of those before, per derivative; None: too few.
        creators: By how many accounts the near-copies were published.
        examples: Some near-copies of the commonest kind, as `platform/video_id`.
        title: The title of the first of these.
    """

    latest: int
    near_copies: int
    low: float
    high: float
    distinct: float
    distinct_share_before: float | None
    creators: int
    examples: tuple[str, ...]
    title: str

    @property
    def share(self) -> float:
        """The share of near-copies among the latest."""
        return self.near_copies / self.latest

    def figures(self) -> dict[str, Any]:
        """Return the figures of an alert, JSON-ready."""
        before = self.distinct_share_before
        return {
            "derivatives_looked_at": self.latest,
            "near_copies": self.near_copies,
            "share": round(self.share, 3),
            "share_interval": [round(self.low, 3), round(self.high, 3)],
            "distinct": round(self.distinct, 1),
            "distinct_share": round(self.distinct / self.latest, 3),
            "distinct_share_before": None if before is None else round(before, 3),
            "creators": self.creators,
            "examples": list(self.examples),
            "example_title": self.title,
        }


def homogenisation_of(made: Sequence[TrackedVideo]) -> Homogenisation | None:
    """Look at the latest derivatives of a work.

    Args:
        made: Its derivatives in the order of publication, ties in the order of their keys.

    Returns:
        What they are like; None when there are fewer than LEAST.
    """
    made = made[-2 * LATEST :]
    if len(made) < LEAST:
        return None
    near = near_copies([m.fingerprint for m in made], [m.title for m in made])
    first = max(len(made) - LATEST, 0)
    latest = len(made) - first
    copies = near.sum(axis=1) > 1
    among = np.flatnonzero(copies[first:]) + first
    low, high = wilson_interval(len(among), latest)
    examples: list[TrackedVideo] = []
    if len(among):
        commonest = among[int(np.argmax(near[among].sum(axis=1)))]
        examples = [made[at] for at in np.flatnonzero(near[commonest]).tolist()]
    before = distinct(near[:first, :first]) / first if first >= LEAST else None
    return Homogenisation(
        latest=latest,
        near_copies=len(among),
        low=low,
        high=high,
        distinct=distinct(near[first:, first:]),
        distinct_share_before=before,
        creators=len({made[at].creator_id for at in among.tolist()}),
        examples=tuple(shown(video.video) for video in examples[:EXAMPLES]),
        title=examples[0].title if examples else "",
    )


def is_near_copy(video: TrackedVideo, others: Sequence[TrackedVideo]) -> bool:
    """Tell whether a video is a near-copy of any of some others."""
    if not others:
        return False
    both = [video, *others]
    near = near_copies([one.fingerprint for one in both], [one.title for one in both])
    return bool(near[0, 1:].any())


def distinct(near: Flags) -> float:
    """Return the effective number of distinct ones among n, of order 2 [3].

    >>> distinct(np.eye(4, dtype=np.bool_)), distinct(np.ones((4, 4), np.bool_))
    (4.0, 1.0)
    """
    return len(near) ** 2 / float(near.sum()) if len(near) else 0.0


def near_copies(fingerprints: Sequence[str], titles: Sequence[str]) -> Flags:
    """Return bool[n, n]: which are near-copies of which, each of itself.

    Args:
        fingerprints: In hexadecimal, "" when not known; those of different length do not match.
        titles: In words, "" when not known.
    """
    known = np.array([bool(text) for text in fingerprints])
    both = known[:, None] & known[None, :]
    near = np.where(both, _matching(fingerprints), _resembling(titles))
    np.fill_diagonal(near, val=True)
    return np.asarray(near, np.bool_)


def _matching(fingerprints: Sequence[str]) -> Flags:
    """Return bool[n, n]: fingerprints of equal length within the distance at which they match."""
    near = np.zeros((len(fingerprints), len(fingerprints)), np.bool_)
    for digits in sorted({len(text) for text in fingerprints} - {0}):
        at = np.array([i for i, text in enumerate(fingerprints) if len(text) == digits])
        padded = "".join(fingerprints[i].rjust(digits + digits % 2, "0") for i in at.tolist())
        data = np.frombuffer(bytes.fromhex(padded), np.uint8).reshape(len(at), -1)
        differing = np.bitwise_count(data[:, None] ^ data[None, :]).sum(axis=2, dtype=np.int64)
        bits = 4 * digits
        most = int(MATCHING_BITS_SHARE * bits) if bits >= LEAST_HASH_BITS else 0
        near[np.ix_(at, at)] = differing <= most
    return near


def _resembling(titles: Sequence[str]) -> Flags:
    """Return bool[n, n]: titles whose sets of shingles resemble each other; "" resembles none."""
    shingles = [shingles_of(title) for title in titles]
    number = {text: i for i, text in enumerate(sorted(set().union(*shingles)))}
    has = np.zeros((len(titles), max(len(number), 1)), np.float32)
    for row, found in enumerate(shingles):
        has[row, [number[text] for text in found]] = 1
    shared = has @ has.T
    sizes = has.sum(axis=1)
    either = sizes[:, None] + sizes[None, :] - shared
    return np.asarray((either > 0) & (shared >= RESEMBLANCE * either), np.bool_)


def shingles_of(title: str) -> set[str]:
    """Return the shingles of a title, its case and spaces apart.

    >>> sorted(shingles_of("A bc"))
    ['ab', 'bc']
    """
    text = "".join(title.casefold().split())
    return {
        text[at : at + SHINGLE] for at in range(max(len(text) - SHINGLE + 1, min(len(text), 1)))
    }


def wilson_interval(found: int, of: int) -> tuple[float, float]:
    """Return the interval of a share, 95 % [4].

    >>> [round(end, 3) for end in wilson_interval(32, 64)]
    [0.381, 0.619]
    """
    share = found / of
    middle = share + _Z**2 / (2 * of)
    half = _Z * np.sqrt(share * (1 - share) / of + _Z**2 / (4 * of**2))
    scale = 1 + _Z**2 / of
    return float((middle - half) / scale), float((middle + half) / scale)
