"""From videos to works: which works a video counts for, and what each bucket brings to them."""

import json
import math
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from typing import Any, Final

import numpy as np

from models.identity import split_video_key
from models.parameters import Parameters
from models.stage_reports import StageReport
from models.transitions import ACTIVITY_HALF_LIFE_MS, COLLAPSE
from models.works import TOPIC, VIDEO, Work

MOST_WORKS: Final = 200_000
"""Works held at once; a named limit, since topics are free text. Beyond it new topics wait until
old ones expire, and only videos that the monitor has something to say about become works."""

DEEPEST_DERIVATION: Final = 8
"""A derivative of a derivative still counts for the first work; chains longer than this, or in a
ring, are cut."""

_WORK: Final = b"w/"
_VIDEO: Final = b"t/"


@dataclass(slots=True)
class TrackedVideo:
    """A video that counts for a work.

    Attributes:
        video: Its key.
        title, creator_id: For people.
        topics: Its own topics.
        source: Key of the video it was made from, or an empty string.
        views: Exposures so far.
        emerging: Whether `hotspot.emerging` was told in this episode.
        counted: Ids of the works whose `videos` it is among.
        last_bucket: Its last activity.
    """

    video: str
    title: str = ""
    creator_id: str = ""
    topics: list[str] = field(default_factory=list)
    source: str = ""
    views: int = 0
    emerging: bool = False
    counted: list[str] = field(default_factory=list)
    last_bucket: int = -1


@dataclass(slots=True)
class _Growth:
    views: int = 0
    progress: int = 0
    acted: list[int] = field(default_factory=lambda: [0, 0, 0, 0])


class RollUp:
    """All works and the videos that count for them."""

    def __init__(self, bucket_ms: int) -> None:
        self._bucket_ms = bucket_ms
        self.works: dict[str, Work] = {}
        self.tracked: dict[str, TrackedVideo] = {}
        self._due: dict[str, int] = {}
        self._growth: dict[str, _Growth] = {}
        self._dirty_works: set[str] = set()
        self._dirty_videos: set[str] = set()

    # -- videos -------------------------------------------------------------------------------

    def add(self, video: str, report: StageReport, row: int, *, worth: bool) -> TrackedVideo | None:
        """Take in one video of the bucket being decided.

        Args:
            video: Its key.
            report: The report it stands in, at `row`.
            row: Its index.
            worth: Whether it deserves a work of its own when it belongs to none.

        Returns:
            The tracked video, or None when nothing is kept of it.
        """
        text = report.profiles[row]
        profile = json.loads(text) if text else {}
        tracked = self.tracked.get(video)
        if tracked is None:
            if not (worth or profile.get("topics") or profile.get("source")):
                return None
            tracked = self.tracked[video] = TrackedVideo(video)
        tracked.title = profile.get("title", tracked.title)
        tracked.creator_id = profile.get("creator_id", tracked.creator_id)
        tracked.topics = profile.get("topics", tracked.topics)
        tracked.source = profile.get("source", tracked.source)
        numbers = report.rows[row]
        tracked.views = int(numbers["total_views"])
        tracked.last_bucket = int(numbers["bucket"])
        self._dirty_videos.add(video)
        for work_id in self._work_ids(tracked):
            self._count(work_id, tracked, numbers)
        return tracked

    def works_of(self, tracked: TrackedVideo) -> list[Work]:
        """Return the works a video counts for."""
        ids = self._work_ids(tracked)
        return [self.works[work_id] for work_id in ids if work_id in self.works]

    def _work_ids(self, tracked: TrackedVideo) -> list[str]:
        origin = tracked
        for _ in range(DEEPEST_DERIVATION):
            if origin.topics or origin.source not in self.tracked:
                break
            origin = self.tracked[origin.source]
        if origin.topics:
            return [f"topic:{topic}" for topic in origin.topics]
        return [f"video:{shown(origin.source or origin.video)}"]

    def _count(self, work_id: str, tracked: TrackedVideo, numbers: np.void) -> None:
        last_ms, age_ms = int(numbers["last_ms"]), int(numbers["age_ms"])
        work = self.works.get(work_id)
        views, progress = int(numbers["views"]), int(numbers["progress"])
        if work is None:
            if len(self.works) >= MOST_WORKS:
                return
            kind = TOPIC if work_id.startswith("topic:") else VIDEO
            title = work_id.removeprefix("topic:") if kind == TOPIC else tracked.title
            work = self.works[work_id] = Work(
                work_id, kind, title, last_ms - age_ms, last_ms - age_ms
            )
            if kind == VIDEO:
                # It becomes a work only now that there is something to say; what it had counts.
                work.views = int(numbers["total_views"]) - views
                work.progress = int(numbers["total_progress"]) - progress
        if work_id not in tracked.counted:
            tracked.counted.append(work_id)
            work.videos += 1
        platform = split_video_key(tracked.video)[0]
        if platform not in work.platforms:
            work.platforms.append(platform)
        work.last_ms = max(work.last_ms, last_ms)
        work.roles |= int(numbers["roles"])
        if tracked.views >= work.lead_views:
            work.lead, work.lead_views = tracked.video, tracked.views
        growth = self._growth.setdefault(work_id, _Growth())
        growth.views += views
        growth.progress += progress
        acted = numbers["acted"].tolist()
        growth.acted = [have + more for have, more in zip(growth.acted, acted, strict=True)]

    # -- works --------------------------------------------------------------------------------

    def grow(self, bucket: int) -> list[Work]:
        """Let the works grow by what the bucket brought, and return them in a fixed order."""
        grown = []
        for work_id in sorted(self._growth):
            work, growth = self.works[work_id], self._growth[work_id]
            work.grow(bucket, self._bucket_ms, growth.views, growth.progress, growth.acted)
            grown.append(work)
        self._growth.clear()
        return grown

    def touch(self, work: Work, bucket: int, *, open_episode: bool) -> None:
        """Note that a work changed, and when its activity will have collapsed in silence."""
        self._dirty_works.add(work.work_id)
        if not open_episode:
            self._due.pop(work.work_id, None)
            return
        share = work.heat / (COLLAPSE * work.peak_heat) if work.peak_heat else 1.0
        halvings = max(math.log2(share), 0.0) if share > 0 else 0.0
        wait = int(halvings * ACTIVITY_HALF_LIFE_MS / self._bucket_ms) + 1
        self._due[work.work_id] = max(bucket, work.last_bucket) + wait

    def due(self, bucket: int) -> Iterator[tuple[Work, int]]:
        """Yield the works whose activity has collapsed by a bucket, in the order it did."""
        while self._due:
            due, work_id = min((at, work_id) for work_id, at in self._due.items())
            if due > bucket:
                return
            work = self.works[work_id]
            if work.collapsed(due, self._bucket_ms):
                yield work, due
                self._due.pop(work_id, None)
            else:
                self._due[work_id] = due + 1

    def expire(self, epoch: int, parameters: Parameters) -> None:
        """Forget works and videos without activity for `expire_after_ms` of event time."""
        now = (epoch + 1) * parameters.epoch_ms
        before = (now - parameters.expire_after_ms) // parameters.bucket_ms
        for video in [v for v, t in self.tracked.items() if 0 <= t.last_bucket < before]:
            del self.tracked[video]
            self._dirty_videos.add(video)
        for work_id in [w for w, work in self.works.items() if 0 <= work.last_bucket < before]:
            del self.works[work_id]
            self._due.pop(work_id, None)
            self._dirty_works.add(work_id)

    # -- the changelog ------------------------------------------------------------------------

    def take_dirty(self) -> Iterator[tuple[bytes, bytes | None]]:
        """Yield key and value of everything that changed since the last call."""
        for work_id in sorted(self._dirty_works):
            work = self.works.get(work_id)
            stored = None
            if work is not None:
                stored = json.dumps([work.to_dict(), self._due.get(work_id)]).encode()
            yield _WORK + work_id.encode(), stored
        for video in sorted(self._dirty_videos):
            tracked = self.tracked.get(video)
            stored = None if tracked is None else json.dumps(asdict(tracked)).encode()
            yield _VIDEO + video.encode(), stored
        self._dirty_works.clear()
        self._dirty_videos.clear()

    def load(self, key: bytes, value: bytes) -> None:
        """Take one record back.

        Raises:
            ValueError: The key is of no kind that is known.
        """
        content: Any = json.loads(value)
        if key.startswith(_WORK):
            work = Work.from_dict(content[0])
            self.works[work.work_id] = work
            if content[1] is not None:
                self._due[work.work_id] = content[1]
        elif key.startswith(_VIDEO):
            self.tracked[content["video"]] = TrackedVideo(**content)
        else:
            raise ValueError(f"unknown key {key!r}")


def shown(video: str) -> str:
    """Return a video key as people write it: `platform/video_id`."""
    platform, video_id = split_video_key(video)
    return f"{platform}/{video_id}"
