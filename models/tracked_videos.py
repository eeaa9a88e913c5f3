"""The videos that count for works, and which works each counts for.

What a video belongs to changes rarely and is text; it is kept in objects, resolved once, and turned
into links: numbers that a compiled loop can follow from a row of a report to the works that grow.
"""

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from heapq import nlargest
from itertools import repeat
from sys import intern
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from models.blocks import BLOCK_SHIFT, DirtyBlocks
from models.cohorts import SIGNALS
from models.creators import Creators
from models.derivatives import Derivatives
from models.identity import split_video_key, video_key
from models.junctures import CLOCK

Ints = npt.NDArray[np.int64]

DEEPEST_DERIVATION: Final = 8
"""A derivative of a derivative still counts for the first work; chains longer than this, or in a
ring, are cut."""

TRACKED: Final = np.dtype(
    [
        ("views", np.int64),
        ("progress", np.int64),
        ("acted", np.int64, (SIGNALS,)),
        ("last_bucket", np.int64),
        ("stage", np.uint8),
        ("route", np.uint8),
        ("emerging", np.bool_),
        ("offered", np.uint8),
        ("deep", np.bool_),
        ("deleted", np.bool_),
        ("removed_views", np.int64),
        ("removed_progress", np.int64),
        *CLOCK,
    ]
)
"""The numbers of a tracked video: exposures and events of the level's action so far, events per
signal since it is tracked, its last activity, its stage and route then, whether `hotspot.emerging`
was told in this episode, what the alert budget has been offered of it in this episode
(alert_budget.AlertBudget.reach), whether it is a derivative that has gone deep
(models/guidance.py), whether the platform has deleted it, what its works lost by that, and its
clock (models/junctures.py)."""

NO_WORK: Final = -1
"""A link to a work that does not exist (yet)."""

_FIRST_CAPACITY: Final = 1024


@dataclass(slots=True)
class TrackedVideo:
    """What is known of a tracked video in words.

    Attributes:
        slot: Its position in the columns.
        video: Its key.
        title, creator_id: For people.
        creator_role: In which its creator published it, or an empty string: an ordinary person.
        topics: Its own topics.
        source: Key of the video it was made from, or an empty string.
        fingerprint: Hash of its content in hexadecimal, or an empty string.
        published_ms: Event time of its publication, or of its first activity.
        labels: Those that the platform has set.
        vertical, mcn: Its field, and its creator's agency, or empty strings.
        followers: Its creator's, as first told with it and as told last; empty: never told.
        works: Ids of the works it counts for.
        counted: Ids of the works among whose `videos` it has been counted.
    """

    slot: int
    video: str
    title: str = ""
    creator_id: str = ""
    creator_role: str = ""
    topics: tuple[str, ...] = ()
    source: str = ""
    fingerprint: str = ""
    published_ms: int = 0
    labels: tuple[str, ...] = ()
    vertical: str = ""
    mcn: str = ""
    followers: tuple[int, ...] = ()
    works: tuple[str, ...] = ()
    counted: tuple[str, ...] = ()


class Links:
    """For every slot of a video a run of links, each to a work by the number of its name.

    Attributes:
        first, count: int64[slots], where a slot's run begins and how long it is.
        name: int64[...], of each link the number of the work's id.
        seen: bool[...], of each link whether the work knows of the video.
        work: int64[names], the slot of the work with that id, or NO_WORK.
        number_of: The number of each id.
    """

    def __init__(self, slots: int) -> None:
        self.first = np.zeros(slots, np.int64)
        self.count = np.zeros(slots, np.int64)
        self.name = np.zeros(slots, np.int64)
        self.seen = np.zeros(slots, np.bool_)
        self.work = np.full(slots, NO_WORK, np.int64)
        self.number_of: dict[str, int] = {}
        self._end = 0
        self._free: list[int] = []

    def reserve(self, slots: int) -> None:
        """Make room for so many videos."""
        more = max(slots - len(self.first), 0)
        self.first = np.concatenate([self.first, np.zeros(more, np.int64)])
        self.count = np.concatenate([self.count, np.zeros(more, np.int64)])

    def number(self, work_id: str) -> int:
        """Return the number of an id, giving it one when it has none."""
        number = self.number_of.get(work_id)
        if number is None:
            number = self._free.pop() if self._free else len(self.number_of)
            self.number_of[work_id] = number
            if number >= len(self.work):
                self.work = np.concatenate([self.work, np.full_like(self.work, NO_WORK)])
            self.work[number] = NO_WORK
        return number

    def set(self, slot: int, numbers: list[int], seen: list[bool]) -> None:
        """Give a slot its links."""
        if self._end + len(numbers) > len(self.name):
            self._compact(len(numbers))
        end = self._end + len(numbers)
        self.name[self._end : end] = numbers
        self.seen[self._end : end] = seen
        self.first[slot], self.count[slot] = self._end, len(numbers)
        self._end = end

    def _compact(self, more: int) -> None:
        """Close the gaps that replaced runs have left, and make room."""
        runs = np.repeat(self.first - np.cumsum(self.count) + self.count, self.count)
        index = runs + np.arange(len(runs))
        self.first = np.cumsum(self.count) - self.count
        self._end = len(index)
        room = 2 * (self._end + more)
        for name, kind in (("name", np.int64), ("seen", np.bool_)):
            packed = np.zeros(room, kind)
            packed[: self._end] = getattr(self, name)[index]
            setattr(self, name, packed)

    def drop_unused(self) -> None:
        """Forget ids that are neither linked to nor those of a work."""
        used = np.zeros(len(self.work), np.bool_)
        runs = np.repeat(self.first - np.cumsum(self.count) + self.count, self.count)
        used[self.name[runs + np.arange(len(runs))]] = True
        used |= self.work != NO_WORK
        for work_id, number in [(w, n) for w, n in self.number_of.items() if not used[n]]:
            del self.number_of[work_id]
            self._free.append(number)


class TrackedVideos:
    """Tracked videos by slot and by key, with their links.

    Attributes:
        rows: TRACKED[capacity].
        links: What they count for.
        by_slot: The videos; None where a slot is free.
        slot_of: Their slots by key: numbers, since a row of a report needs no more of its video.
        derivatives: Which of them were made from others, by the works they count for.
        creators: Which of them each creator has made, where followers are told.
        dirty: Which blocks of `rows` have changed.
    """

    def __init__(self) -> None:
        self.rows = np.zeros(_FIRST_CAPACITY, TRACKED)
        self.links = Links(_FIRST_CAPACITY)
        self.by_slot: list[TrackedVideo | None] = []
        self.slot_of: dict[str, int] = {}
        self.dirty = DirtyBlocks(_FIRST_CAPACITY)
        self.derivatives = Derivatives()
        self.creators = Creators()
        self._made_from: dict[str, set[str]] = {}
        self._free: list[int] = []
        self._changed: set[str] = set()

    def __len__(self) -> int:
        """Return the number of videos."""
        return len(self.slot_of)

    def __iter__(self) -> Iterator[TrackedVideo]:
        """Yield the videos."""
        return (video for video in self.by_slot if video is not None)

    def get(self, key: str) -> TrackedVideo | None:
        """Return a video, or None when it is not tracked."""
        slot = self.slot_of.get(key)
        return None if slot is None else self.by_slot[slot]

    def slots(self, keys: Sequence[str]) -> Ints:
        """Return int64[n]: the slot of each video, -1 where it is not tracked."""
        return np.fromiter(map(self.slot_of.get, keys, repeat(-1)), np.int64, len(keys))

    def add(self, key: str) -> TrackedVideo:
        """Begin to track a video."""
        if self._free:
            slot = self._free.pop()
        else:
            slot = len(self.by_slot)
            self.by_slot.append(None)
            self._reserve(slot)
        self.rows[slot] = np.zeros(1, TRACKED)[0]
        self.rows["last_bucket"][slot] = -1
        return self._place(TrackedVideo(slot, key))

    def _reserve(self, slot: int) -> None:
        while slot >= len(self.rows):
            self.rows = np.concatenate([self.rows, np.zeros_like(self.rows)])
            self.links.reserve(len(self.rows))
            self.dirty.reserve(len(self.rows))

    def _place(self, video: TrackedVideo) -> TrackedVideo:
        self.by_slot[video.slot] = video
        self.slot_of[video.video] = video.slot
        self.touch(video)
        return video

    def touch(self, video: TrackedVideo) -> None:
        """Note that something about a video has changed."""
        self._changed.add(video.video)
        self.dirty.flags[video.slot >> BLOCK_SHIFT] = True

    # -- what a video belongs to --------------------------------------------------------------

    def describe(self, video: TrackedVideo, profile: Mapping[str, Any]) -> bool:
        """Take in what a profile says, and tell whether the video may belong elsewhere now."""
        before = (video.topics, video.source)
        video.title = profile.get("title", video.title)
        video.fingerprint = profile.get("fingerprint", video.fingerprint)
        # Many videos share these: each text is kept once.
        made_by = _indexed(video)
        video.creator_id = intern(profile.get("creator_id", video.creator_id))
        video.creator_role = intern(profile.get("creator_role", video.creator_role))
        video.vertical = intern(profile.get("vertical", video.vertical))
        video.mcn = intern(profile.get("mcn", video.mcn))
        if (followers := profile.get("creator_followers")) is not None:
            video.followers = (video.followers or (followers,))[0], followers
        self.creators.move(video.slot, made_by, _indexed(video))
        video.topics = tuple(map(intern, profile.get("topics", video.topics)))
        video.labels = tuple(map(intern, profile.get("labels", video.labels)))
        self._set_source(video, profile.get("source", video.source))
        self.derivatives.describe(video.works if video.source else ())
        self.touch(video)
        return before != (video.topics, video.source)

    def _set_source(self, video: TrackedVideo, source: str) -> None:
        if video.source and video.source != source:
            self._made_from[video.source].discard(video.video)
        video.source = source
        if source:
            self._made_from.setdefault(source, set()).add(video.video)

    def relink(self, keys: Iterable[str]) -> None:
        """Resolve anew what videos and all that was made from them count for."""
        keys = list(keys)
        if len(keys) == 1 and keys[0] not in self._made_from:
            self._resolve_key(keys[0])
            return
        reached = set(keys)
        latest = set(reached)
        for _ in range(DEEPEST_DERIVATION):
            latest = {d for key in latest for d in self._made_from.get(key, ())} - reached
            if not latest:
                break
            reached |= latest
        for key in sorted(reached):
            self._resolve_key(key)

    def _resolve_key(self, key: str) -> None:
        video = self.get(key)
        if video is not None:
            self._resolve(video)

    def _resolve(self, video: TrackedVideo) -> None:
        origin = video
        for _ in range(DEEPEST_DERIVATION):
            source = None if origin.topics else self.get(origin.source)
            if source is None:
                break
            origin = source
        works: tuple[str, ...] = (f"video:{shown(origin.source or origin.video)}",)
        if origin.topics:
            works = tuple(intern(f"topic:{topic}") for topic in origin.topics)
        self.derivatives.move(video.slot, video.works, works if video.source else ())
        if works != video.works or not self.links.count[video.slot]:
            video.works = works
            numbers = [self.links.number(work_id) for work_id in works]
            self.links.set(video.slot, numbers, [work_id in video.counted for work_id in works])
            if video.counted == works:
                video.counted = works

    def note_seen(self, video: TrackedVideo, position: int) -> None:
        """Note that the work of one of its links knows of a video and has counted it."""
        self.links.seen[self.links.first[video.slot] + position] = True
        counted = (*video.counted, video.works[position])
        # Most videos stay with their works: then one tuple serves for both.
        video.counted = video.works if counted == video.works else counted
        self.touch(video)

    def derivatives_of(self, work_id: str, most: int) -> list[TrackedVideo]:
        """Return the latest derivatives of a work in the order of publication, then of their keys.

        Args:
            work_id: The work's.
            most: How many at the most.
        """
        made = [video for slot in self.derivatives.of(work_id) if (video := self.by_slot[slot])]
        return sorted(nlargest(most, made, key=_age_order), key=_age_order)

    def made_by(self, creator: str) -> list[TrackedVideo]:
        """Return the videos of a creator (`creator_key`) with which followers were told."""
        return [video for slot in self.creators.of(creator) if (video := self.by_slot[slot])]

    def is_made_within(self, video: TrackedVideo, work_id: str) -> bool:
        """Tell whether a derivative was made from a video of the same work.

        A film that began as a comment under another video is where its own topic begins, and no
        creation beside an original of that topic.
        """
        source = self.get(video.source)
        return not video.topics if source is None else work_id in source.works

    # -- expiry -------------------------------------------------------------------------------

    def silent(self, before_bucket: int) -> Ints:
        """Return the slots of videos without activity since a bucket."""
        last = self.rows["last_bucket"][: len(self.by_slot)]
        used = self.links.count[: len(self.by_slot)] > 0
        return np.flatnonzero(used & (last >= 0) & (last < before_bucket))

    def remove(self, slots: Ints) -> None:
        """Forget videos."""
        gone = [video for slot in slots.tolist() if (video := self.by_slot[slot]) is not None]
        for video in gone:
            del self.slot_of[video.video]
            self.by_slot[video.slot] = None
            self._free.append(video.slot)
            self._changed.add(video.video)
            self.derivatives.move(video.slot, video.works, ())
            self.creators.move(video.slot, _indexed(video), "")
            self._set_source(video, "")
        self.links.count[slots] = 0
        for source in [source for source, made in self._made_from.items() if not made]:
            del self._made_from[source]
        self.relink(video.video for video in gone)

    # -- the changelog ------------------------------------------------------------------------

    def take_words(self) -> Iterator[tuple[str, bytes | None]]:
        """Yield key and words of every video that changed since the last call, None for removed."""
        for key in sorted(self._changed):
            video = self.get(key)
            stored = None
            if video is not None:
                words = [video.slot, video.title, video.creator_id, video.topics, video.source]
                words += [video.fingerprint, video.published_ms, video.labels, video.vertical]
                words += [video.mcn, video.creator_role, video.followers, video.counted]
                stored = json.dumps(words, ensure_ascii=False).encode()
            yield key, stored
        self._changed.clear()

    def load_words(self, key: str, stored: bytes) -> None:
        """Take back what `take_words` gave, before `recovered`."""
        slot, title, creator_id, topics, source, *more, counted = json.loads(stored)
        fingerprint, published_ms, labels, vertical, mcn, creator_role, followers = more
        self.by_slot += [None] * (slot + 1 - len(self.by_slot))
        self._reserve(slot)
        topics, counted = tuple(map(intern, topics)), tuple(map(intern, counted))
        video = TrackedVideo(slot, key, title, intern(creator_id), intern(creator_role), topics)
        video.fingerprint, video.published_ms = fingerprint, published_ms
        video.labels = tuple(map(intern, labels))
        video.vertical, video.mcn = intern(vertical), intern(mcn)
        video.followers, video.counted = tuple(followers), counted
        self.creators.move(slot, "", _indexed(video))
        self._place(video)
        self._set_source(video, source)

    def take_blocks(self) -> Iterator[tuple[int, bytes]]:
        """Yield number and numbers of every block that changed since the last call."""
        yield from self.dirty.take(self.rows[: len(self.by_slot)])

    def load_block(self, number: int, stored: bytes) -> None:
        """Take back what `take_blocks` gave."""
        rows = np.frombuffer(stored, TRACKED)
        first = number << BLOCK_SHIFT
        self._reserve(first + len(rows) - 1)
        self.rows[first : first + len(rows)] = rows

    def recovered(self) -> None:
        """Finish loading: resolve what every video counts for; nothing is dirty."""
        self._free = [slot for slot, video in enumerate(self.by_slot) if video is None][::-1]
        for video in self:
            self._resolve(video)
        self.dirty.clear()
        self._changed.clear()


def creator_key(video: TrackedVideo) -> str:
    """Return platform and id of a video's creator as one key, "" when nobody is named."""
    if not video.creator_id:
        return ""
    return video_key(split_video_key(video.video)[0], video.creator_id)


def _indexed(video: TrackedVideo) -> str:
    """Return under which creator a video is found: "" where no followers are told."""
    return creator_key(video) if video.followers else ""


def _age_order(video: TrackedVideo) -> tuple[int, str]:
    return video.published_ms, video.video


def shown(video: str) -> str:
    """Return a video key as people write it: `platform/video_id`."""
    platform, video_id = split_video_key(video)
    return f"{platform}/{video_id}"
