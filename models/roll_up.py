"""From videos to works: what each decided bucket brings to the works that its videos count for.

A compiled loop (models/bucket_passing.py) takes bucket after bucket, videos in the order of their
keys, and hands back where there is something to know or to tell: a video that is new or belongs
elsewhere now, a work that does not exist yet, a transition, a forecast, a silence.
"""

import heapq
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from models.alert_budget import AlertBudget
from models.bucket_passing import CURSOR, DONE, NEWS, SILENCE, TIME, count_row, pass_buckets
from models.decided_rows import DecidedRows
from models.identity import split_video_key
from models.merged_works import MergedWorks
from models.parameters import Parameters
from models.screening import Screened
from models.topic_merges import TopicMerges
from models.tracked_videos import NO_WORK, TrackedVideo, TrackedVideos
from models.vocabulary import Stage
from models.work_table import WorkTable
from models.works import LAYOUT_VERSION, NOT_DUE, VIDEO, Work, set_due

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


@dataclass(frozen=True, slots=True)
class WorkEnded:
    """The activity of a work had collapsed in silence at the end of `bucket`."""

    work: Work
    bucket: int


@dataclass(frozen=True, slots=True)
class VideoNews:
    """A row, already counted, with a transition, voices, or a forecast that suffices for alerts."""

    row: int
    tracked: TrackedVideo


@dataclass(frozen=True, slots=True)
class WorkNews:
    """Works (int64[n], slots) that have grown, of which there may be something to tell."""

    slots: Ints


@dataclass(frozen=True, slots=True)
class LookDue:
    """Everything up to `bucket` is decided, and a look at all works was due by its end."""

    bucket: int


class RollUp:
    """All works and the videos that count for them.

    Attributes:
        works: The works.
        tracked: The videos.
        merges: Which topics are one work under several names.
        merged: What these come to together.
        budget: Which of those that emerge are told.
        next_look: The bucket before which all works are to be looked at next.
    """

    def __init__(self, parameters: Parameters) -> None:
        self._parameters = parameters
        self._bucket_ms = parameters.bucket_ms
        self.works = WorkTable()
        self.tracked = TrackedVideos()
        self.merges = TopicMerges(parameters, self.works, self.tracked)
        self.merged = MergedWorks(parameters, self.works, self.merges)
        self.budget = AlertBudget(parameters.alerts_per_day, parameters.bucket_ms)
        self.next_look = NOT_DUE
        self._next_due = NOT_DUE

    # -- what was decided ---------------------------------------------------------------------

    def take_in(
        self, decided: DecidedRows, first: int, end: int
    ) -> Iterator[WorkEnded | VideoNews | WorkNews | LookDue]:
        """Take in rows of one epoch, bucket by bucket, and yield what to look at on the way.

        What comes before in the order of buckets and keys has been counted by then, and nothing of
        what comes after.

        Args:
            decided: What was decided.
            first: The first row to take in.
            end: The row before which to stop.
        """
        rows = decided.rows
        slots = self.tracked.slots(decided.keys)
        # Compared as the row holds it, in single precision: the same rule as in report_building.
        likely = rows["probability"] >= self._parameters.emerging_probability
        worth = (rows["stage"] > Stage.PRESENTATION) | likely
        special = np.zeros(len(rows), np.bool_)
        special[[*decided.profiles, *decided.transitions, *decided.voices]] = True
        cursor = np.zeros(1, CURSOR)
        cursor["row"], cursor["end"] = first, end
        while (reason := self._pass(cursor, decided, slots, special, worth)) != DONE:
            row, bucket = int(cursor["row"][0]), int(cursor["bucket"][0])
            if reason == SILENCE:
                for work, due in self.due(int(rows["bucket"][row]) - 1):
                    yield WorkEnded(work, due)
            elif reason == TIME:
                yield from self._pass_time(int(rows["bucket"][row]))
            elif reason == NEWS:
                yield WorkNews(self.works.found[: cursor["found"][0]].copy())
                self._watch(self.works.grown[: cursor["grown"][0]], bucket)
            else:
                tracked = self._look(cursor, decided, slots, worth=bool(worth[row]))
                news = likely[row] or row in decided.transitions or row in decided.voices
                if tracked is not None and news:
                    yield VideoNews(row, tracked)
                cursor["row"] += 1

    def _pass_time(self, bucket: int) -> Iterator[LookDue]:
        """Do what time brings before a bucket; who is told of a look sets `next_look`."""
        if self.next_look <= bucket:
            yield LookDue(bucket - 1)
        if self.budget.begins <= bucket:
            self.budget.begin(bucket)

    def _pass(
        self, cursor: Rows, decided: DecidedRows, slots: Ints, special: Flags, worth: Flags
    ) -> int:
        links, works, tracked, parameters = (
            self.tracked.links, self.works, self.tracked, self._parameters,
        )  # fmt: skip
        budget = self.budget
        cursor["next_due"] = self._next_due
        cursor["begins"], cursor["budgeted"] = min(budget.begins, self.next_look), bool(budget)
        reason = pass_buckets(
            cursor, decided.rows, decided.video, slots, special, worth,
            parameters.emerging_probability, parameters.level.count, self._bucket_ms,
            len(works) < MOST_WORKS, links.seen, tracked.rows, links.first, links.count,
            links.name, links.work, works.rows, works.growth, works.growing, works.grown,
            works.found, works.unforecast, tracked.dirty.flags, works.dirty.flags,
        )  # fmt: skip
        self._next_due = int(cursor["next_due"][0])
        return reason

    def _look(
        self, cursor: Rows, decided: DecidedRows, slots: Ints, *, worth: bool
    ) -> TrackedVideo | None:
        """Take in the row at the cursor; return its video, None where it is not worth keeping."""
        row = int(cursor["row"][0])
        number = int(decided.video[row])
        profile = decided.profiles.get(row, {})
        tracked = self.tracked.by_slot[slots[number]] if slots[number] >= 0 else None
        if tracked is None:
            belongs = profile.get("topics") or profile.get("source")
            if not (belongs or worth or row in decided.transitions):
                return None
            tracked = self.tracked.add(decided.keys[number])
            slots[number] = tracked.slot
            told = decided.rows[row]
            tracked.published_ms = int(told["last_ms"] - told["age_ms"])
            self.tracked.describe(tracked, profile)
            self.tracked.relink([tracked.video])
        elif profile and self.tracked.describe(tracked, profile):
            self.tracked.relink([tracked.video])
        self._open_works(tracked, decided.rows[row])
        links, works, videos = self.tracked.links, self.works, self.tracked
        count_row(
            cursor, decided.rows[row], tracked.slot, videos.rows, links.first, links.count,
            links.name, links.work, works.rows, works.growth, works.growing, works.grown,
            videos.dirty.flags, works.dirty.flags,
        )  # fmt: skip
        if bool(decided.rows["deleted"][row]) != bool(self.tracked.rows["deleted"][tracked.slot]):
            self._note_deleted(tracked, decided.rows[row])
        return tracked

    def _note_deleted(self, tracked: TrackedVideo, told: np.void) -> None:
        """Take what a deleted video had brought from its works, or give it back when restored.

        With the views goes their share of the activity, which does not come back: of a restored
        video it counts anew. Another video becomes the most viewed one as soon as it is active.
        """
        video = self.tracked.rows[tracked.slot]
        video["deleted"] = deleted = bool(told["deleted"])
        if deleted:
            video["removed_views"] = told["total_views"] - told["views"]
            video["removed_progress"] = told["total_progress"] - told["progress"]
        sign = -1 if deleted else 1
        for work in self.works_of(tracked):
            row = work.row
            before = int(row["views"])
            for name in ("views", "progress"):
                row[name] = max(int(row[name]) + sign * int(video[f"removed_{name}"]), 0)
            if deleted and before:
                row["heat"] *= int(row["views"]) / before
            if deleted and row["lead"] == tracked.slot:
                row["lead_views"] = 0
            self.works.touch(work)
        self.tracked.touch(tracked)

    def _watch(self, slots: Ints, bucket: int) -> None:
        """Note of works that changed when their activity will have collapsed in silence."""
        earliest = set_due(self.works.rows, slots, bucket, self._bucket_ms)
        self._next_due = min(self._next_due, earliest)

    def _open_works(self, tracked: TrackedVideo, told: np.void) -> None:
        """Make the works of a video where there is room, and let each know of the video."""
        links = self.tracked.links
        first = int(links.first[tracked.slot])
        platform = split_video_key(tracked.video)[0]
        for position, work_id in enumerate(tracked.works):
            work = self.works.by_id.get(work_id)
            # A work may have been forgotten and made anew since it counted a video that left it.
            if links.seen[first + position] and work is not None and platform in work.platforms:
                continue
            if work is None:
                if len(self.works) >= MOST_WORKS:
                    continue
                work = self._new_work(work_id, tracked, told)
            if work_id not in tracked.counted:
                work.row["videos"] += 1
                self.tracked.note_seen(tracked, position)
            since_ms = int(told["last_ms"] - told["age_ms"])
            work.platforms[platform] = min(work.platforms.get(platform, since_ms), since_ms)
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
            row["acted"] = told["total_acted"] - told["acted"]
        self.tracked.links.work[self.tracked.links.number(work_id)] = work.slot
        return work

    def works_of(self, tracked: TrackedVideo) -> list[Work]:
        """Return the works a video counts for."""
        by_id = self.works.by_id
        return [by_id[work_id] for work_id in tracked.works if work_id in by_id]

    def count_by_work(self, videos: Iterable[str]) -> Counter[str]:
        """Return how many of some videos (keys) count for each work, by its id."""
        tracked = (self.tracked.get(video) for video in videos)
        return Counter(work for video in tracked if video is not None for work in video.works)

    def told_emerging(self, tracked: TrackedVideo, *, emerging: bool) -> None:
        """Note whether `hotspot.emerging` has been told of a video in this episode."""
        self.tracked.rows["emerging"][tracked.slot] = emerging
        if not emerging:
            self.tracked.rows["offered"][tracked.slot] = 0
        self.tracked.touch(tracked)

    def offer(self, tracked: TrackedVideo, score: int) -> bool:
        """Note that a video's score suffices for an alert; tell whether it is its best so far.

        Without a budget every score is: what was told is known by `emerging`.
        """
        row = self.tracked.rows[tracked.slot]
        before = int(row["offered"])
        row["offered"] = self.budget.reach(before, score)
        self.tracked.touch(tracked)
        return int(row["offered"]) > before or not self.budget

    # -- time that passes ---------------------------------------------------------------------

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

    def expire(self, epoch: int) -> tuple[Ints, Ints, Ints]:
        """Forget works and videos without activity for `expire_after_ms` of event time.

        Returns:
            int64[n], the slots of the videos; int64[m], those of the works, and the progress of
            their lives.
        """
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
        progress = works.rows["progress"][silent]
        for work_id in works.remove(silent):
            tracked.links.work[tracked.links.number(work_id)] = NO_WORK
        if len(videos) or len(silent):
            tracked.links.drop_unused()
        return videos, silent, progress

    def screened(self, videos: Iterable[str]) -> list[tuple[str, Screened]]:
        """Return the flags of some videos (keys), in order; of those that are not tracked, none."""
        rules = self._parameters.screening_rules
        return [
            (key, flag)
            for key in videos
            if (video := self.tracked.get(key)) is not None
            for flag in rules.screen(video.labels, video.title)
        ]

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
