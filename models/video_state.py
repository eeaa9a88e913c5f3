"""One row per video: the columns of its state, and the table that holds them.

A row is one record of a numpy structured array: compiled code reads and writes it in place, and
packing a row for the changelog is taking its bytes. Most videos of a platform stay quiet; what only
a watched one needs (sketches of people, evidence) is a second record, made when enough has
happened. What is of any length (title, topics, creator) stands beside it as a small dictionary.
"""

import json
import weakref
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from models.bursts import BURST
from models.cohorts import SIGNALS
from models.dirty_rows import PACKED_AT_ONCE, DirtyRows
from models.due_heap import DueHeap
from models.evidence import ALTERNATIVES
from models.identity import split_video_key
from models.pushed_acts import RECENT_ACTS
from models.records import grow, grown, joined
from models.sketches import REGISTERS
from models.video_totals import VideoTotals
from models.vocabulary import ACTIONS

NEVER: Final = -1
"""No time or bucket is known."""

NOT_DUE: Final = np.iinfo(np.int64).max
"""No bucket calls for a look at the row by itself."""

UNWATCHED: Final = -1
"""Stands in `watch_of` where a video has no second record."""

PACES: Final = 3
"""Half-lives that the pace of the level's action is smoothed with."""

PROPENSITIES: Final = 3
"""Signals whose events per view the forecast looks at."""

ROW: Final = np.dtype(
    [
        ("seen_bucket", np.int64),
        # From here on: what has been decided, bucket by bucket, of events in time.
        ("publish_ms", np.int64),
        ("first_ms", np.int64),
        ("last_ms", np.int64),
        ("last_bucket", np.int64),
        ("due_bucket", np.int64),
        ("since_ms", np.int64),
        ("views", np.int64),
        ("acted", np.int64, (SIGNALS,)),
        ("progress", np.int64),
        ("progress_before_episode", np.int64),
        ("episode_ms", np.int64),
        # Of the level's action: its last event, and what there was of it at the last forecast.
        ("progress_ms", np.int64),
        ("forecast_progress", np.int64),
        ("forecast_visit", np.int64),
        ("activity_per_hour", np.float64),
        ("activity_peak_per_hour", np.float64),
        ("activity_trough_per_hour", np.float64),
        ("pace_fast_per_hour", np.float64),
        ("pace_slow_per_hour", np.float64),
        # The visit that goes on (transitions.VISIT_MS), summed over its buckets.
        ("visit", np.int64),
        ("visit_views", np.float64),
        ("visit_hours", np.float64),
        ("visit_identified", np.float64),
        ("visit_people", np.float64, (SIGNALS,)),
        # People who have acted ever: events discounted for repeats, as evidence counts them.
        ("people", np.float64, (PROPENSITIES,)),
        # Of those who acted towards the level: how many, and how often they had acted before
        # (known_actors.LOG_UNITS).
        ("met", np.int64),
        ("met_before", np.int64),
        # Sums over the visits of the current epoch, for the cohort (cohort_learning.VideoEpochs).
        ("epoch", np.int64),
        ("epoch_visits", np.float64),
        ("epoch_exposed", np.float64),
        ("epoch_span", np.float64),
        ("epoch_span_squared", np.float64),
        ("epoch_acted", np.float64, (SIGNALS,)),
        ("epoch_acted_squared", np.float64, (SIGNALS,)),
        ("epoch_acted_squared_per_exposed", np.float64, (SIGNALS,)),
        ("epoch_acted_times_span", np.float64, (SIGNALS,)),
        # What the forecast looks at (models/forecast_features.py).
        ("paces_per_hour", np.float32, (PACES,)),
        ("recent_people", np.float32, (PROPENSITIES,)),
        ("recent_views", np.float32),
        ("probability", np.float32),
        ("episode", np.int32),
        ("stage", np.uint8),
        ("route", np.uint8),
        ("state", np.uint8),
        # Whether `hotspots` follows the video, and has been told its profile as it is now.
        ("followed", np.uint8),
        ("profile_told", np.uint8),
        ("ignored", np.uint8),
        ("deleted", np.uint8),
        ("resting", np.uint8),
        # Flags are bytes: numba knows no arrays of booleans in a record.
        ("entered", np.uint8, (SIGNALS,)),
    ]
)
"""The columns of a video, but for its totals. The layout is part of the changelog's format: see
ROW_VERSION."""

STORED: Final = np.dtype([("totals", np.int64, (len(ACTIONS),)), ("row", ROW)])
"""A row in the changelog, with the totals of its video (models/video_totals.py)."""

WATCH: Final = np.dtype(
    [
        ("uncounted", np.int64, (SIGNALS,)),
        ("known_actors_acted", np.float64, (SIGNALS,)),
        ("own_per_hour", np.float64, (SIGNALS,)),
        # E-detectors, in logarithms: now, and as they were when the visit began.
        ("propensity_evidence", np.float32, (SIGNALS, len(ALTERNATIVES))),
        ("intensity_evidence", np.float32, (SIGNALS, len(ALTERNATIVES))),
        ("scarcity_evidence", np.float32, (len(ALTERNATIVES),)),
        ("propensity_before_visit", np.float32, (SIGNALS, len(ALTERNATIVES))),
        ("intensity_before_visit", np.float32, (SIGNALS, len(ALTERNATIVES))),
        ("scarcity_before_visit", np.float32, (len(ALTERNATIVES),)),
        ("bursts", BURST, (SIGNALS,)),
        # Of the current epoch (models/epoch_evidence.py): sums of log likelihood ratios of the
        # visits that are over, the nulls of the last look, and the time of the visit that goes on
        # for which the one before it has answered.
        ("epoch_propensity", np.float32, (SIGNALS, len(ALTERNATIVES))),
        ("epoch_intensity", np.float32, (SIGNALS, len(ALTERNATIVES))),
        ("null_per_hour", np.float32, (SIGNALS,)),
        ("null_shape", np.float32, (SIGNALS,)),
        ("answered_hours", np.float32),
        ("first_visit", np.int32),
        # What most of those who act look like of late (models/pushed_acts.py).
        ("recent_acts", RECENT_ACTS, (1,)),
        ("people", np.uint8, (SIGNALS, REGISTERS)),
    ]
)
"""What only a watched video needs; `uncounted` are the acts before the watch began and those of
suspects (models/pushed_acts.py), `known_actors_acted` those of known actors since then, without
suspects; `first_visit` is the visit in which the watch began."""

ROW_VERSION: Final = 5
"""Goes up when the layout of ROW or WATCH changes; a changelog of another version is refused."""

MOST_TOPICS: Final = 16
"""A video keeps this many topics at the most: the first ones it came with."""

IDLE_PLATFORMS: Final = 1_024
"""With more names of platforms than this, those of no video are dropped when videos are: there are
dozens of platforms, so only free text comes this far."""

PROFILE_FIELDS: Final = (
    "title",
    "creator_id",
    "creator_role",
    "creator_followers",
    "mcn",
    "duration_ms",
    "vertical",
    "labels",
    "fingerprint",
    "source",
    "source_comment_id",
)

_UNKNOWN_AT_FIRST: Final = (
    "seen_bucket",
    "publish_ms",
    "first_ms",
    "last_ms",
    "last_bucket",
    "since_ms",
    "episode_ms",
    "progress_ms",
    "forecast_visit",
    "visit",
    "epoch",
)
_MADE_AT_ONCE: Final = 1_024
"""Rows are made so many at a time: 0.6 MB."""

Rows = npt.NDArray[np.void]


class RowFormatError(ValueError):
    """A row of the changelog that this version cannot read."""


def _new_rows(count: int) -> Rows:
    rows = np.zeros(count, ROW)
    for name in _UNKNOWN_AT_FIRST:
        rows[name] = NEVER
    rows["due_bucket"] = NOT_DUE
    return rows


class VideoTable:
    """All videos of one partition: rows by slot, slots by key, and which rows are dirty.

    A video gets a slot when it is first seen, and a row when something is decided of it: until then
    it would only double what waits in models/undecided.py. Slots from `row_count` on have none.

    `platform_of` is int32[capacity], positions in `platforms`. Codes are the table's own: they
    are not stored, and change when names that no video uses any longer are dropped. `watch_of` is
    int32[capacity], positions in `watches`, or UNWATCHED.
    """

    def __init__(self, capacity: int = 1024) -> None:
        self.rows = np.empty(0, ROW)
        self.row_count = 0
        self.watch_of = np.full(capacity, UNWATCHED, np.int32)
        self.watches = np.zeros(16, WATCH)
        self.free_watches = np.arange(16, dtype=np.int32)
        self.free_watch_count = 16
        self.totals = VideoTotals(capacity)
        self.due = DueHeap(capacity)
        self.keys: list[str | None] = []
        self.slot_of: dict[str, int] = {}
        self.profiles: dict[int, dict[str, Any]] = {}
        self.platforms: list[str] = []
        self.platform_of = np.zeros(capacity, np.int32)
        self._platform_codes: dict[str, int] = {}
        self.dirty = np.zeros(capacity, np.bool_)
        self._free: list[int] = []
        self._removed: set[str] = set()
        self._cut: Callable[[], DirtyRows | None] = lambda: None
        self.make_rows(capacity)

    def __len__(self) -> int:
        """Return the number of videos."""
        return len(self.slot_of)

    @property
    def used(self) -> Rows:
        """The rows there are and, among them, freed ones (their `last_bucket` is NEVER)."""
        return self.rows[: min(self.row_count, len(self.keys))]

    def slots(self, keys: Sequence[str]) -> npt.NDArray[np.int64]:
        """Return the slot of each video, making rows for new ones.

        Returns:
            int64[len(keys)].
        """
        found = list(map(self.slot_of.get, keys))
        if None in found:
            new = [key for key, at in zip(keys, found, strict=True) if at is None]
            self._insert(list(dict.fromkeys(new)))
            found = list(map(self.slot_of.get, keys))
        return np.array(found, np.int64)

    def _insert(self, keys: list[str]) -> None:
        """Give slots to videos that have none, each named once: those that were freed first."""
        reused = min(len(self._free), len(keys))
        slots = [self._free.pop() for _ in range(reused)]
        for slot, key in zip(slots, keys[:reused], strict=True):
            self.keys[slot] = key
        slots += range(len(self.keys), len(self.keys) + len(keys) - reused)
        self.keys += keys[reused:]
        if len(self.keys) > len(self.dirty):
            self._grow(len(self.keys))
        self.slot_of.update(zip(keys, slots, strict=True))
        self.platform_of[slots] = [self._platform_code(split_video_key(key)[0]) for key in keys]
        # The changelog still holds rows that were removed: the new ones must take their places.
        for key in self._removed.intersection(keys):
            self._removed.discard(key)
            self.dirty[self.slot_of[key]] = True

    def _grow(self, length: int) -> None:
        self.watch_of = grown(self.watch_of, length, UNWATCHED)
        self.platform_of = grown(self.platform_of, length, 0)
        self.dirty = grown(self.dirty, length, fill=False)
        self.totals.reserve_slots(len(self.dirty))
        self.due.grow(len(self.dirty))

    def make_rows(self, count: int) -> None:
        """See to it that the first `count` slots have rows."""
        if count <= self.row_count:
            return
        grow(self, "rows", count)
        end = min(max(count, self.row_count + _MADE_AT_ONCE), len(self.rows))
        self.rows[self.row_count : end] = _new_rows(1)
        self.row_count = end

    def let_rows_change(self) -> None:
        """Set aside what is still to be read of the last cut; call it before rows are changed."""
        cut = self._cut()
        if cut is not None:
            cut.set_aside()

    def _platform_code(self, platform: str) -> int:
        code = self._platform_codes.get(platform)
        if code is None:
            code = self._platform_codes[platform] = len(self.platforms)
            self.platforms.append(platform)
        return code

    def platform(self, slot: int) -> str:
        """Return the platform of the video in a slot."""
        return self.platforms[int(self.platform_of[slot])]

    def more_watches(self) -> None:
        """Make room for more watched videos: half as many again."""
        have, more = len(self.watches), len(self.watches) // 2 + 16
        self.watches = joined([self.watches, np.zeros(more, WATCH)])
        free = np.empty(have + more, np.int32)
        free[: self.free_watch_count] = self.free_watches[: self.free_watch_count]
        free[self.free_watch_count : self.free_watch_count + more] = np.arange(have, have + more)
        self.free_watches = free
        self.free_watch_count += more

    def describe(self, slot: int, profile: Mapping[str, Any]) -> bool:
        """Merge a profile: later fields win, topics add up to MOST_TOPICS; tell if it changed."""
        known = self.profiles.setdefault(slot, {})
        before = dict(known)
        known.update({name: profile[name] for name in PROFILE_FIELDS if name in profile})
        topics = list(dict.fromkeys([*known.get("topics", []), *profile.get("topics", [])]))
        if topics:
            known["topics"] = topics[:MOST_TOPICS]
        if known == before:
            return False
        self.make_rows(slot + 1)
        self.rows["profile_told"][slot] = 0
        self.dirty[slot] = True
        return True

    def begin_anew(self, slots: npt.NDArray[np.int64], *, keep_totals: bool) -> None:
        """Forget all that was decided about videos, and their totals unless they go on."""
        self.make_rows(int(slots.max(initial=-1)) + 1)
        fresh = _new_rows(len(slots))
        if keep_totals:
            fresh["seen_bucket"] = self.rows["seen_bucket"][slots]
        else:
            self.totals.forget(slots)
        self.rows[slots] = fresh
        self.due.forget(slots)
        for slot in slots.tolist():
            self.profiles.pop(slot, None)
            self._end_watch(slot)
        self.dirty[slots] = True

    def _end_watch(self, slot: int) -> None:
        watch = int(self.watch_of[slot])
        if watch != UNWATCHED:
            self.watches[watch] = np.zeros((), WATCH)
            self.free_watches[self.free_watch_count] = watch
            self.free_watch_count += 1
            self.watch_of[slot] = UNWATCHED

    def remove(self, slots: npt.NDArray[np.int64]) -> None:
        """Forget videos."""
        for slot in slots.tolist():
            key = self.keys[slot]
            if key is None:
                continue
            del self.slot_of[key]
            self.keys[slot] = None
            self.profiles.pop(slot, None)
            self._end_watch(slot)
            self._free.append(slot)
            self._removed.add(key)
        self.rows[slots[slots < self.row_count]] = _new_rows(1)
        self.totals.forget(slots)
        self.due.forget(slots)
        self.dirty[slots] = False
        if len(self.platforms) > IDLE_PLATFORMS:
            self._drop_platforms()

    def _drop_platforms(self) -> None:
        """Number the platforms of the videos at hand anew: names are free text."""
        slots = np.fromiter(self.slot_of.values(), np.int64, len(self.slot_of))
        codes, position = np.unique(self.platform_of[slots], return_inverse=True)
        self.platforms = [self.platforms[code] for code in codes.tolist()]
        self._platform_codes = {name: code for code, name in enumerate(self.platforms)}
        self.platform_of[slots] = position

    def count_dirty(self) -> int:
        """Return how many rows changed since the last call of `take_dirty`, or were removed."""
        return int(np.count_nonzero(self.dirty[: len(self.keys)])) + len(self._removed)

    def take_dirty(self) -> DirtyRows:
        """Return key and packed row of every row changed since the last call, None for removed.

        They are packed as they are read: see `let_rows_change`. Of the call before, what was not
        read is set aside.
        """
        self.let_rows_change()
        slots = np.flatnonzero(self.dirty[: len(self.keys)])
        self.dirty[slots] = False
        self.make_rows(int(slots.max(initial=-1)) + 1)
        removed = sorted(self._removed)
        self._removed.clear()
        rows = DirtyRows(slots, self._packed, removed)
        # Whoever drops it will not read it.
        self._cut = weakref.ref(rows)
        return rows

    def _packed(self, slots: npt.NDArray[np.int64]) -> Iterator[tuple[str, bytes]]:
        for first in range(0, len(slots), PACKED_AT_ONCE):
            yield from self._packed_at_once(slots[first : first + PACKED_AT_ONCE])

    def _packed_at_once(self, slots: npt.NDArray[np.int64]) -> Iterator[tuple[str, bytes]]:
        packed = self._stored(slots).tobytes()
        watches = self.watch_of[slots].tolist()
        size = STORED.itemsize
        for position, (slot, watch) in enumerate(zip(slots.tolist(), watches, strict=True)):
            key = self.keys[slot]
            if key is None:
                continue
            row = packed[position * size : (position + 1) * size]
            watched = b"" if watch == UNWATCHED else self.watches[watch].tobytes()
            profile = self.profiles.get(slot)
            tail = json.dumps(profile, ensure_ascii=False).encode() if profile else b""
            yield key, _HEADS[bool(watched)] + row + watched + tail

    def _stored(self, slots: npt.NDArray[np.int64]) -> npt.NDArray[np.uint8]:
        """Return uint8[n, bytes]: STORED of n videos; as bytes, which is faster than as fields."""
        stored = np.empty((len(slots), STORED.itemsize), np.uint8)
        totals = self.totals.of(slots).view(np.uint8)
        stored[:, : totals.shape[1]] = totals
        rows = self.rows.take(slots).view(np.uint8)
        stored[:, totals.shape[1] :] = rows.reshape(len(slots), ROW.itemsize)
        return stored

    def load(self, key: str, packed: bytes | None) -> None:
        """Take one packed row back, or its removal.

        Raises:
            RowFormatError: The row is of another version or damaged.
        """
        if packed is None:
            if key in self.slot_of:
                self.remove(np.array([self.slot_of[key]]))
            self._removed.discard(key)
            return
        is_watched = packed[:_HEAD_BYTES] == _HEADS[True]
        end = _HEAD_BYTES + STORED.itemsize + is_watched * WATCH.itemsize
        if packed[:_HEAD_BYTES] not in _HEADS or len(packed) < end:
            raise RowFormatError(
                f"row of version {packed[:1].hex()} with {len(packed)} bytes; this program reads "
                f"version {ROW_VERSION} with at least {end}: start with a new HOTSPOTS_APP_ID"
            )
        slot = int(self.slots([key])[0])
        self.make_rows(slot + 1)
        stored = np.frombuffer(packed, STORED, count=1, offset=_HEAD_BYTES)
        self.rows[slot] = stored["row"][0]
        self.totals.put(np.array([slot]), stored["totals"])
        self._end_watch(slot)
        if is_watched:
            if not self.free_watch_count:
                self.more_watches()
            self.free_watch_count -= 1
            watch = int(self.free_watches[self.free_watch_count])
            self.watch_of[slot] = watch
            at = _HEAD_BYTES + STORED.itemsize
            self.watches[watch] = np.frombuffer(packed, WATCH, count=1, offset=at)[0]
        self.profiles.pop(slot, None)
        if len(packed) > end:
            self.profiles[slot] = json.loads(packed[end:])

    def load_all(self, packed: Mapping[str, bytes | None]) -> None:
        """Take many packed rows back, the same as `load` for each.

        Raises:
            RowFormatError: A row is of another version or damaged.
        """
        plain: list[str] = []
        for key, value in packed.items():
            if (
                value is not None
                and len(value) == _PLAIN_BYTES
                and value[:_HEAD_BYTES] == _HEADS[0]
            ):
                plain.append(key)
            else:
                self.load(key, value)
        if not plain:
            return
        slots = self.slots(plain)
        self.make_rows(int(slots.max()) + 1)
        joined = b"".join([packed[key] or b"" for key in plain])
        stored = np.frombuffer(joined, _PLAIN)["stored"]
        self.rows[slots] = stored["row"]
        self.totals.put(slots, stored["totals"])
        for slot in slots[self.watch_of[slots] != UNWATCHED].tolist():
            self._end_watch(slot)
        if self.profiles:
            for slot in slots.tolist():
                self.profiles.pop(slot, None)

    def recovered(self) -> None:
        """Finish recovery: learn which rows are due."""
        self.due.rebuild(self.used["due_bucket"])


_HEADS: Final = (bytes([ROW_VERSION, 0]), bytes([ROW_VERSION, 1]))
"""Version, and whether the row is followed by its watch."""

_HEAD_BYTES: Final = 2

_PLAIN: Final = np.dtype([("head", np.uint8, (_HEAD_BYTES,)), ("stored", STORED)])
"""The record of a video that is not watched and of which nothing was said."""

_PLAIN_BYTES: Final = _PLAIN.itemsize
