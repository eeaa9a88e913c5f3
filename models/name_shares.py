"""What part of a work's figures belongs to each of its names, so that no video counts twice.

Topics that are one work under several names (models/topic_merges.py) each count all of their own
videos. A video that goes by k of the names counts for a k-th under each of them: then the sum over
the names is that of the different videos. A name's share is what is left of its figures so, by
videos and by their views. Views are exact; of activity and acts it is the share that these views
are of all, as when a video is deleted.
"""

from collections.abc import Iterable, Sequence
from math import lcm
from typing import Final, NamedTuple

import numpy as np
import numpy.typing as npt

from models.tracked_videos import TrackedVideos

MOST_NAMES: Final = 8
"""Names of one work; more would be a chain of which the ends have nothing in common."""

_PARTS: Final = lcm(*range(1, MOST_NAMES + 1))
"""A video's weight is so many parts: whole numbers add up to the same in any order."""

Ints = npt.NDArray[np.int64]


class NameShare(NamedTuple):
    """Which share of a name's figures counts for the work, above 0 and up to 1."""

    videos: float
    views: float


WHOLE: Final = NameShare(1.0, 1.0)
"""Of a name with no video that goes by another, too."""


def shares_of(groups: Iterable[Sequence[str]], tracked: TrackedVideos) -> dict[str, NameShare]:
    """Return the shares of the names of some works, as their videos are now.

    Args:
        groups: Ids of the topics of each work; no topic is in two of them.
        tracked: The videos.
    """
    names = [(name, number) for number, group in enumerate(groups) for name in group]
    if not names:
        return {}
    links = tracked.links
    place_of = np.full(len(links.work), -1, np.int64)
    group_of = np.array([number for _, number in names], np.int64)
    linked = [(at, links.number_of[n]) for at, (n, _) in enumerate(names) if n in links.number_of]
    place_of[[number for _, number in linked]] = [at for at, _ in linked]
    videos = np.arange(len(tracked.by_slot))
    count = links.count[videos]
    runs = np.repeat(links.first[videos] - np.cumsum(count) + count, count)
    place = place_of[links.name[runs + np.arange(len(runs))]]
    video, place = np.repeat(videos, count)[place >= 0], place[place >= 0]
    _, pair, names_of_video = np.unique(
        video * len(names) + group_of[place], return_inverse=True, return_counts=True
    )
    parts = _PARTS // names_of_video[pair]
    views = np.where(tracked.rows["deleted"], 0, tracked.rows["views"])[video]
    by_videos = _shares(place, parts, np.ones_like(views), len(names))
    by_views = _shares(place, parts, views, len(names))
    return {
        name: NameShare(by_videos[at], by_views[at] or by_videos[at])
        for at, (name, _) in enumerate(names)
        if by_videos[at]
    }


def _shares(place: Ints, parts: Ints, of: Ints, names: int) -> list[float]:
    """Return what each name keeps of the sum of something over its videos, 0 where that is 0."""
    kept, whole = np.zeros(names, np.int64), np.zeros(names, np.int64)
    np.add.at(kept, place, of * parts)
    np.add.at(whole, place, of * _PARTS)
    sums = zip(kept.tolist(), whole.tolist(), strict=True)
    return [part / everything if everything else 0.0 for part, everything in sums]
