"""One row per video: the columns of its state, and the table that holds them.

A row is one record of a numpy structured array, so that gathering the touched rows is one copy,
writing them back another, and packing a row for the changelog is taking its bytes. What is sparse
or of any length (title, topics, creator) stands beside it as a small dictionary.
"""

import json
from collections.abc import Iterator, Mapping
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from models.cohorts import SIGNALS
from models.evidence import ALTERNATIVES
from models.identity import split_video_key
from models.sketches import REGISTERS
from models.vocabulary import ACTIONS

NEVER: Final = -1
"""No time or bucket is known."""

NOT_DUE: Final = np.iinfo(np.int64).max
"""No bucket calls for a look at the row by itself."""

ROW: Final = np.dtype(
    [
        # Totals count every event as it arrives, late ones too; decisions never read them.
        ("totals", np.int64, (len(ACTIONS),)),
        ("seen_bucket", np.int64),
        # From here on: what has been decided, bucket by bucket.
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
        ("known_actors_acted", np.float64, (SIGNALS,)),
        ("own_per_hour", np.float64, (SIGNALS,)),
        ("activity_per_hour", np.float64),
        ("activity_peak_per_hour", np.float64),
        ("activity_trough_per_hour", np.float64),
        ("pace_fast_per_hour", np.float64),
        ("pace_slow_per_hour", np.float64),
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
        # E-detectors, in logarithms.
        ("propensity_evidence", np.float32, (SIGNALS, len(ALTERNATIVES))),
        ("intensity_evidence", np.float32, (SIGNALS, len(ALTERNATIVES))),
        ("scarcity_evidence", np.float32, (len(ALTERNATIVES),)),
        ("probability", np.float32),
        ("episode", np.int32),
        ("stage", np.uint8),
        ("route", np.uint8),
        ("state", np.uint8),
        # Whether `hotspots` follows the video, and has been told its profile as it is now.
        ("followed", np.bool_),
        ("profile_told", np.bool_),
        ("ignored", np.bool_),
        ("deleted", np.bool_),
        ("resting", np.bool_),
        ("entered", np.bool_, (SIGNALS,)),
        ("people", np.uint8, (SIGNALS, REGISTERS)),
    ]
)
"""The columns of a video. The layout is part of the changelog's format: see ROW_VERSION."""

ROW_VERSION: Final = 2
"""Goes up when the layout of ROW changes; a changelog of another version is refused."""

MOST_TOPICS: Final = 16
"""A video keeps this many topics at the most: the first ones it came with."""

IDLE_PLATFORMS: Final = 1_024
"""With more names of platforms than this, those of no video are dropped when videos are: there are
dozens of platforms, so only free text comes this far."""

PROFILE_FIELDS: Final = (
    "title",
    "creator_id",
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
    "epoch",
)


class RowFormatError(ValueError):
    """A row of the changelog that this version cannot read."""


def born_ms(rows: npt.NDArray[np.void]) -> npt.NDArray[np.int64]:
    """Return when each video was published, or first seen where that is not known."""
    return np.where(rows["publish_ms"] == NEVER, rows["first_ms"], rows["publish_ms"])


def _new_rows(count: int) -> npt.NDArray[np.void]:
    rows = np.zeros(count, ROW)
    for name in _UNKNOWN_AT_FIRST:
        rows[name] = NEVER
    rows["due_bucket"] = NOT_DUE
    return rows


class VideoTable:
    """All videos of one partition: rows by slot, slots by key, and which rows are dirty.

    `platform_of` is int32[len(rows)], positions in `platforms`. Codes are the table's own: they
    are not stored, and change when names that no video uses any longer are dropped.
    """

    def __init__(self, capacity: int = 1024) -> None:
        self.rows = _new_rows(capacity)
        self.keys: list[str | None] = []
        self.slot_of: dict[str, int] = {}
        self.profiles: dict[int, dict[str, Any]] = {}
        self.platforms: list[str] = []
        self.platform_of = np.zeros(capacity, np.int32)
        self._platform_codes: dict[str, int] = {}
        self._dirty = np.zeros(capacity, np.bool_)
        self._free: list[int] = []
        self._removed: set[str] = set()

    def __len__(self) -> int:
        """Return the number of videos."""
        return len(self.slot_of)

    @property
    def used(self) -> npt.NDArray[np.void]:
        """The rows in use and, among them, freed ones (their `last_bucket` is NEVER)."""
        return self.rows[: len(self.keys)]

    def slots(self, keys: list[str]) -> npt.NDArray[np.int64]:
        """Return the slot of each video, making rows for new ones.

        Returns:
            int64[len(keys)].
        """
        slot_of = self.slot_of
        found = np.empty(len(keys), np.int64)
        for position, key in enumerate(keys):
            slot = slot_of.get(key)
            found[position] = self._insert(key) if slot is None else slot
        return found

    def _insert(self, key: str) -> int:
        if self._free:
            slot = self._free.pop()
            self.keys[slot] = key
        else:
            slot = len(self.keys)
            self.keys.append(key)
            if slot >= len(self.rows):
                self.rows = np.concatenate([self.rows, _new_rows(len(self.rows))])
                self.platform_of = np.concatenate(
                    [self.platform_of, np.zeros_like(self.platform_of)]
                )
                self._dirty = np.concatenate([self._dirty, np.zeros_like(self._dirty)])
        self.slot_of[key] = slot
        self.platform_of[slot] = self._platform_code(split_video_key(key)[0])
        if key in self._removed:
            # The changelog still holds the row that was removed: the new one must take its place.
            self._removed.discard(key)
            self._dirty[slot] = True
        return slot

    def _platform_code(self, platform: str) -> int:
        code = self._platform_codes.get(platform)
        if code is None:
            code = self._platform_codes[platform] = len(self.platforms)
            self.platforms.append(platform)
        return code

    def platform(self, slot: int) -> str:
        """Return the platform of the video in a slot."""
        return self.platforms[int(self.platform_of[slot])]

    def touch(self, slots: npt.NDArray[np.int64]) -> None:
        """Mark rows as changed."""
        self._dirty[slots] = True

    def describe(self, slot: int, profile: Mapping[str, Any]) -> None:
        """Merge a profile: later fields win, topics add up to MOST_TOPICS."""
        known = self.profiles.setdefault(slot, {})
        before = dict(known)
        known.update({name: profile[name] for name in PROFILE_FIELDS if name in profile})
        topics = list(dict.fromkeys([*known.get("topics", []), *profile.get("topics", [])]))
        if topics:
            known["topics"] = topics[:MOST_TOPICS]
        if topics or known.get("source"):
            self.rows["followed"][slot] = True
        if known != before:
            self.rows["profile_told"][slot] = False
        self._dirty[slot] = True

    def begin_anew(self, slots: npt.NDArray[np.int64]) -> None:
        """Forget all that was decided about videos; only their totals go on."""
        fresh = _new_rows(len(slots))
        for name in ("totals", "seen_bucket"):
            fresh[name] = self.rows[name][slots]
        self.rows[slots] = fresh
        for slot in slots.tolist():
            self.profiles.pop(slot, None)
        self._dirty[slots] = True

    def remove(self, slots: npt.NDArray[np.int64]) -> None:
        """Forget videos."""
        for slot in slots.tolist():
            key = self.keys[slot]
            if key is None:
                continue
            del self.slot_of[key]
            self.keys[slot] = None
            self.profiles.pop(slot, None)
            self._free.append(slot)
            self._removed.add(key)
        self.rows[slots] = _new_rows(len(slots))
        self._dirty[slots] = False
        if len(self.platforms) > IDLE_PLATFORMS:
            self._drop_platforms()

    def _drop_platforms(self) -> None:
        """Number the platforms of the videos at hand anew: names are free text."""
        slots = np.fromiter(self.slot_of.values(), np.int64, len(self.slot_of))
        codes, position = np.unique(self.platform_of[slots], return_inverse=True)
        self.platforms = [self.platforms[code] for code in codes.tolist()]
        self._platform_codes = {name: code for code, name in enumerate(self.platforms)}
        self.platform_of[slots] = position

    def take_dirty(self) -> Iterator[tuple[str, bytes | None]]:
        """Yield key and packed row of every row changed since the last call, None for removed."""
        slots = np.flatnonzero(self._dirty[: len(self.keys)])
        self._dirty[slots] = False
        packed = self.rows[slots].tobytes()
        size = ROW.itemsize
        for position, slot in enumerate(slots.tolist()):
            key = self.keys[slot]
            if key is None:
                continue
            row = packed[position * size : (position + 1) * size]
            profile = self.profiles.get(slot)
            tail = json.dumps(profile, ensure_ascii=False).encode() if profile else b""
            yield key, bytes([ROW_VERSION]) + row + tail
        for key in sorted(self._removed):
            yield key, None
        self._removed.clear()

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
        end = 1 + ROW.itemsize
        if packed[:1] != bytes([ROW_VERSION]) or len(packed) < end:
            raise RowFormatError(
                f"row of version {packed[:1].hex()} with {len(packed)} bytes; this program reads "
                f"version {ROW_VERSION} with at least {end}: start with a new HOTSPOTS_APP_ID"
            )
        slot = int(self.slots([key])[0])
        self.rows[slot] = np.frombuffer(packed, ROW, count=1, offset=1)[0]
        self.profiles.pop(slot, None)
        if len(packed) > end:
            self.profiles[slot] = json.loads(packed[end:])
