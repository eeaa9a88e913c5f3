"""From videos to works: what each decided bucket brings to the works that its videos count for.

Videos are taken in the order of their keys. A compiled loop takes row after row for as long as
nothing but numbers changes, and hands back where there is something to know or to tell: a video
that is new or belongs elsewhere now, a work that does not exist yet, a transition, a forecast.
"""

import heapq
from bisect import bisect_right
from collections.abc import Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from models.blocks import BLOCK_SHIFT
from models.compiled import compiled
from models.identity import split_video_key
from models.parameters import Parameters
from models.tracked_videos import NO_WORK, TrackedVideo, TrackedVideos
from models.vocabulary import Stage
from models.work_table import WorkTable
from models.works import GROWTH, LAYOUT_VERSION, NOT_DUE, VIDEO, Work, grow, set_due

Ints = npt.NDArray[np.int64]
Flags = npt.NDArray[np.bool_]
Rows = npt.NDArray[np.void]

MOST_WORKS: Final = 200_000
"""Works held at once; a named limit, since topics are free text. Beyond it new topics wait until
old ones expire, and only videos that the monitor has something to say about become works."""

_WORK_NAMES: Final = b"w/"
_WORK_BLOCK: Final = b"wb/"
_VIDEO_WORDS: Final = b"t/"
_VIDEO_BLOCK: Final = b"tb/"

_VIEWS, _PROGRESS, _FIRST_SIGNAL = range(3)


@compiled
def _count_row(
    told: Any,  # noqa: ANN401 - one record of REPORT, which numpy cannot name
    slot: int,
    tracked: Rows,
    first: Ints,
    count: Ints,
    name: Ints,
    work_of: Ints,
    works: Rows,
    growth: Ints,
    growing: Flags,
    dirty_tracked: Flags,
    dirty_works: Flags,
) -> None:
    """Let one video's row of a report count for the video and for its works."""
    tracked[slot]["views"] = told["total_views"]
    tracked[slot]["last_bucket"] = told["bucket"]
    dirty_tracked[slot >> BLOCK_SHIFT] = True
    for link in range(first[slot], first[slot] + count[slot]):
        work_slot = work_of[name[link]]
        if work_slot < 0:
            continue
        work = works[work_slot]
        dirty_works[work_slot >> BLOCK_SHIFT] = True
        growing[work_slot] = True
        work["last_ms"] = max(work["last_ms"], told["last_ms"])
        work["roles"] |= told["roles"]
        if told["total_views"] >= work["lead_views"]:
            work["lead"] = slot
            work["lead_views"] = told["total_views"]
        growth[work_slot, _VIEWS] += told["views"]
        growth[work_slot, _PROGRESS] += told["progress"]
        for signal in range(GROWTH - _FIRST_SIGNAL):
            growth[work_slot, _FIRST_SIGNAL + signal] += told["acted"][signal]


@compiled
def _count_rows(
    begin: int,
    report: Rows,
    slots: Ints,
    special: Flags,
    threshold: float,
    has_room: bool,
    seen: Flags,
    tracked: Rows,
    first: Ints,
    count: Ints,
    name: Ints,
    work_of: Ints,
    works: Rows,
    growth: Ints,
    growing: Flags,
    dirty_tracked: Flags,
    dirty_works: Flags,
) -> int:
    """Count rows from `begin` on; return where more than counting is due, or the end.

    Args:
        begin: The first row.
        report: REPORT[n], the rows of one bucket.
        slots: int64[n], the tracked video of each row, -1 where there is none.
        special: bool[n], rows to hand back.
        threshold: The probability from which on a video is handed back, once in an episode.
        has_room: Whether works that do not exist can be made.
        seen: tracked_videos.Links.seen.
        tracked: tracked_videos.TRACKED[all].
        first: tracked_videos.Links.first.
        count: tracked_videos.Links.count.
        name: tracked_videos.Links.name.
        work_of: tracked_videos.Links.work.
        works: work_table.WorkTable.rows.
        growth: work_table.WorkTable.growth.
        growing: work_table.WorkTable.growing.
        dirty_tracked: bool[blocks], set where a video changes.
        dirty_works: bool[blocks], set where a work changes.
    """
    for row in range(begin, len(report)):
        slot = slots[row]
        if special[row]:
            return row
        if slot < 0:
            continue
        if report[row]["probability"] >= threshold and not tracked[slot]["emerging"]:
            return row
        for link in range(first[slot], first[slot] + count[slot]):
            missing = work_of[name[link]] < 0
            if (missing and has_room) or (not missing and not seen[link]):
                return row
        _count_row(
            report[row], slot, tracked, first, count, name, work_of, works, growth, growing,
            dirty_tracked, dirty_works,
        )  # fmt: skip
    return len(report)


class RollUp:
    """All works and the videos that count for them.

    Attributes:
        works: The works.
        tracked: The videos.
    """

    def __init__(self, parameters: Parameters) -> None:
        self._parameters = parameters
        self._bucket_ms = parameters.bucket_ms
        self.works = WorkTable()
        self.tracked = TrackedVideos()
        self._next_due = NOT_DUE

    # -- one bucket ---------------------------------------------------------------------------

    def add(
        self,
        keys: Sequence[str],
        rows: Rows,
        profiles: Mapping[int, Mapping[str, Any]],
        happened: AbstractSet[int],
    ) -> Iterator[tuple[int, TrackedVideo]]:
        """Take in the videos of the bucket being decided, and yield those to look at on the way.

        Args:
            keys: Their keys, in order.
            rows: REPORT[n], their numbers.
            profiles: By row, what is newly known of a video.
            happened: Rows with a transition.

        Yields:
            Row and video where a transition happened, or where the probability suffices for an
            alert and none was told in this episode; what came before has been counted.
        """
        slots = self.tracked.slots(keys)
        # Compared as the row holds it, in single precision: the same rule as in report_building.
        likely = rows["probability"] >= self._parameters.emerging_probability
        worth = (rows["stage"] > Stage.PRESENTATION) | likely
        special = (slots < 0) & worth
        special[[*profiles, *happened]] = True
        row = 0
        while (row := self._count(row, rows, slots, special)) < len(rows):
            tracked = self.tracked.by_slot[slots[row]] if slots[row] >= 0 else None
            profile = profiles.get(row, {})
            if tracked is None:
                belongs = profile.get("topics") or profile.get("source")
                if not (belongs or worth[row] or row in happened):
                    row += 1
                    continue
                tracked = self.tracked.add(keys[row])
                # A video that fell silent in the bucket of its last visit has two rows of it.
                slots[row : bisect_right(keys, keys[row], row)] = tracked.slot
                self.tracked.describe(tracked, profile)
                self.tracked.relink([tracked.video])
            elif profile and self.tracked.describe(tracked, profile):
                self.tracked.relink([tracked.video])
            self._open_works(tracked, rows[row])
            self._count_one(row, rows, tracked.slot)
            if row in happened or likely[row]:
                yield row, tracked
            row += 1

    def _count(self, begin: int, rows: Rows, slots: Ints, special: Flags) -> int:
        links, works, tracked = self.tracked.links, self.works, self.tracked
        return _count_rows(
            begin, rows, slots, special, self._parameters.emerging_probability,
            len(works) < MOST_WORKS, links.seen, tracked.rows, links.first, links.count,
            links.name, links.work, works.rows, works.growth, works.growing,
            tracked.dirty.flags, works.dirty.flags,
        )  # fmt: skip

    def _count_one(self, row: int, rows: Rows, slot: int) -> None:
        links, works, tracked = self.tracked.links, self.works, self.tracked
        _count_row(
            rows[row], slot, tracked.rows, links.first, links.count, links.name, links.work,
            works.rows, works.growth, works.growing, tracked.dirty.flags, works.dirty.flags,
        )  # fmt: skip

    def _open_works(self, tracked: TrackedVideo, told: np.void) -> None:
        """Make the works of a video where there is room, and let each know of the video."""
        links = self.tracked.links
        first = int(links.first[tracked.slot])
        for position, work_id in enumerate(tracked.works):
            if links.seen[first + position] and links.work[links.name[first + position]] != NO_WORK:
                continue
            work = self.works.by_id.get(work_id)
            if work is None:
                if len(self.works) >= MOST_WORKS:
                    continue
                work = self._new_work(work_id, tracked, told)
            if work_id not in tracked.counted:
                work.row["videos"] += 1
                self.tracked.note_seen(tracked, position)
            platform = split_video_key(tracked.video)[0]
            if platform not in work.platforms:
                work.platforms.append(platform)
            self.works.touch(work)

    def _new_work(self, work_id: str, tracked: TrackedVideo, told: np.void) -> Work:
        kind, _, name = work_id.partition(":")
        work = self.works.add(work_id, tracked.title if kind == VIDEO else name)
        row = work.row
        row["topical"] = kind != VIDEO
        row["first_ms"] = row["episode_ms"] = told["last_ms"] - told["age_ms"]
        if kind == VIDEO:
            # It becomes a work only now that there is something to say; what it had counts.
            row["views"] = told["total_views"] - told["views"]
            row["progress"] = told["total_progress"] - told["progress"]
        self.tracked.links.work[self.tracked.links.number(work_id)] = work.slot
        return work

    def works_of(self, tracked: TrackedVideo) -> list[Work]:
        """Return the works a video counts for."""
        by_id = self.works.by_id
        return [by_id[work_id] for work_id in tracked.works if work_id in by_id]

    def told_emerging(self, tracked: TrackedVideo, *, emerging: bool) -> None:
        """Note whether `hotspot.emerging` has been told of a video in this episode."""
        self.tracked.rows["emerging"][tracked.slot] = emerging
        self.tracked.touch(tracked)

    def grow(self, bucket: int) -> Ints:
        """Let the works grow by what the bucket brought, and return the slots of those that did."""
        works = self.works
        slots = np.flatnonzero(works.growing)
        works.growing[slots] = False
        grow(works.rows, slots, works.growth, bucket, self._bucket_ms)
        return slots

    # -- time that passes ---------------------------------------------------------------------

    def watch(self, slots: Ints, bucket: int) -> None:
        """Note of works that changed when their activity will have collapsed in silence."""
        earliest = set_due(self.works.rows, slots, bucket, self._bucket_ms)
        self._next_due = min(self._next_due, earliest)
        self.works.dirty.flags[slots >> BLOCK_SHIFT] = True

    def due(self, bucket: int) -> Iterator[tuple[Work, int]]:
        """Yield the works whose activity has collapsed by a bucket, in the order it did."""
        if bucket < self._next_due:
            return
        waiting = self.works.due(bucket)
        heapq.heapify(waiting)
        while waiting:
            due, work_id = heapq.heappop(waiting)
            work = self.works.by_id[work_id]
            if work.collapsed(due, self._bucket_ms):
                work.row["due_bucket"] = NOT_DUE
                yield work, due
            else:
                # Rounding may bring a work up a moment before its collapse.
                work.row["due_bucket"] = due + 1
                if due + 1 <= bucket:
                    heapq.heappush(waiting, (due + 1, work_id))
            self.works.touch(work)
        self._next_due = self.works.next_due()

    def expire(self, epoch: int) -> None:
        """Forget works and videos without activity for `expire_after_ms` of event time."""
        parameters = self._parameters
        now_ms = (epoch + 1) * parameters.epoch_ms
        before = (now_ms - parameters.expire_after_ms) // parameters.bucket_ms
        works, tracked = self.works, self.tracked
        videos = tracked.silent(before)
        if len(videos):
            led = np.isin(works.rows["lead"][: len(works.by_slot)], videos)
            for slot in np.flatnonzero(led).tolist():
                work = works.by_slot[slot]
                if work is not None:
                    work.former_lead = self.lead_of(work)
                    work.row["lead"] = NO_WORK
                    works.touch(work)
            tracked.remove(videos)
        silent = works.silent(before)
        for work_id in works.remove(silent):
            tracked.links.work[tracked.links.number(work_id)] = NO_WORK
        if len(videos) or len(silent):
            tracked.links.drop_unused()

    def lead_of(self, work: Work) -> str:
        """Return the key of a work's most viewed video."""
        slot = work.number("lead")
        video = self.tracked.by_slot[slot] if slot >= 0 else None
        return work.former_lead if video is None else video.video

    # -- the changelog ------------------------------------------------------------------------

    def take_dirty(self) -> Iterator[tuple[bytes, bytes | None]]:
        """Yield key and value of everything that changed since the last call."""
        for names, words in (
            (_WORK_NAMES, self.works.take_names()),
            (_VIDEO_WORDS, self.tracked.take_words()),
        ):
            for name, stored in words:
                yield names + name.encode(), stored
        for prefix, blocks in (
            (_WORK_BLOCK, self.works.take_blocks()),
            (_VIDEO_BLOCK, self.tracked.take_blocks()),
        ):
            for number, block in blocks:
                yield prefix + str(number).encode(), bytes([LAYOUT_VERSION]) + block

    def load(self, key: bytes, value: bytes) -> None:
        """Take one record back; `recovered` follows the last.

        Raises:
            ValueError: The key is of no kind that is known, or its layout of another version.
        """
        kind, _, name = key.partition(b"/")
        if kind + b"/" in (_WORK_BLOCK, _VIDEO_BLOCK):
            if value[:1] != bytes([LAYOUT_VERSION]):
                raise ValueError(
                    f"works of version {value[:1].hex()}; this program reads "
                    f"{LAYOUT_VERSION}: start with a new HOTSPOTS_APP_ID"
                )
            table = self.works if kind + b"/" == _WORK_BLOCK else self.tracked
            table.load_block(int(name), value[1:])
        elif kind + b"/" == _WORK_NAMES:
            self.works.load_names(name.decode(), value)
        elif kind + b"/" == _VIDEO_WORDS:
            self.tracked.load_words(name.decode(), value)
        else:
            raise ValueError(f"unknown key {key!r}")

    def recovered(self) -> None:
        """Finish recovery: works and videos find each other again."""
        self.works.recovered()
        self.tracked.recovered()
        links = self.tracked.links
        for work_id, work in self.works.by_id.items():
            links.work[links.number(work_id)] = work.slot
        self._next_due = self.works.next_due()
