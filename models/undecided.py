"""Events of buckets that are not decided yet, and the ids of events seen of late.

Inside a bucket updates commute: rows are only collected, and put in order when the bucket is
decided. Both stores are append-only in between, so a checkpoint writes only what came since the
last.
"""

import heapq
import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Final

import numpy as np
import numpy.typing as npt

EVENT: Final = np.dtype(
    [
        ("slot", np.int64),
        ("time_ms", np.int64),
        ("count", np.int64),
        ("actor", np.uint64),
        ("action", np.uint8),
        ("role", np.uint8),
    ]
)
"""An undecided event; `slot` points into the video table of the same partition."""


@dataclass(slots=True)
class _Bucket:
    events: list[npt.NDArray[np.void]] = field(default_factory=list)
    profiles: list[tuple[int, int, str]] = field(default_factory=list)
    saved_events: int = 0
    saved_profiles: int = 0
    parts: int = 0


class UndecidedEvents:
    """Events and profiles per undecided bucket."""

    def __init__(self) -> None:
        self._buckets: dict[int, _Bucket] = {}
        self._order: list[int] = []
        self._unsaved: set[int] = set()
        self._dropped: list[tuple[int, int]] = []

    def __len__(self) -> int:
        """Return how many events wait."""
        return sum(len(part) for bucket in self._buckets.values() for part in bucket.events)

    def add(self, bucket: npt.NDArray[np.int64], events: npt.NDArray[np.void]) -> None:
        """Collect events, split by bucket (int64[n] beside EVENT[n])."""
        if not len(events):
            return
        if bucket[0] == bucket[-1] and (bucket == bucket[0]).all():
            self._of(int(bucket[0])).events.append(events)
            return
        order = np.argsort(bucket, kind="stable")
        numbers, starts = np.unique(bucket[order], return_index=True)
        parts = np.split(events[order], starts[1:])
        for number, part in zip(numbers.tolist(), parts, strict=True):
            self._of(number).events.append(part)

    def add_profile(self, bucket: int, slot: int, time_ms: int, text: str) -> None:
        """Collect what was said about a video; it holds from the bucket's decision on."""
        self._of(bucket).profiles.append((slot, time_ms, text))

    def _of(self, number: int) -> _Bucket:
        bucket = self._buckets.get(number)
        if bucket is None:
            bucket = self._buckets[number] = _Bucket()
            heapq.heappush(self._order, number)
        self._unsaved.add(number)
        return bucket

    def first(self) -> int | None:
        """Return the earliest bucket with anything in it."""
        while self._order and self._order[0] not in self._buckets:
            heapq.heappop(self._order)
        return self._order[0] if self._order else None

    def take(self, number: int) -> tuple[npt.NDArray[np.void], list[tuple[int, int, str]]]:
        """Remove and return the events of a bucket and its profiles in a fixed order."""
        bucket = self._buckets.pop(number, None)
        if bucket is None:
            return np.zeros(0, EVENT), []
        self._dropped.extend((number, part) for part in range(bucket.parts))
        events = np.concatenate(bucket.events) if bucket.events else np.zeros(0, EVENT)
        return events, sorted(bucket.profiles, key=lambda p: (p[1], p[2]))

    def take_dirty(self, keys: list[str | None]) -> Iterator[tuple[str, bytes | None]]:
        """Yield what was added since the last call, by name, and None for what was decided.

        Args:
            keys: The video key of each slot: what is stored must outlive slots.
        """
        for number, part in self._dropped:
            yield f"{number}/{part}", None
        self._dropped.clear()
        for number in sorted(self._unsaved & self._buckets.keys()):
            bucket = self._buckets[number]
            events = bucket.events[bucket.saved_events :]
            profiles = bucket.profiles[bucket.saved_profiles :]
            if events or profiles:
                yield f"{number}/{bucket.parts}", _pack(events, profiles, keys)
                bucket.parts += 1
                bucket.saved_events = len(bucket.events)
                bucket.saved_profiles = len(bucket.profiles)
        self._unsaved.clear()

    def load(self, name: str, packed: bytes, slot_of: Any) -> None:  # noqa: ANN401 - a bound method
        """Take back one part; `slot_of(list of keys)` gives their slots in the video table."""
        number, part = (int(x) for x in name.split("/"))
        events, profiles = _unpack(packed, slot_of)
        bucket = self._of(number)
        if len(events):
            bucket.events.append(events)
        bucket.profiles.extend(profiles)
        bucket.parts = max(bucket.parts, part + 1)
        bucket.saved_events = len(bucket.events)
        bucket.saved_profiles = len(bucket.profiles)


def _pack(
    parts: list[npt.NDArray[np.void]],
    profiles: list[tuple[int, int, str]],
    keys: list[str | None],
) -> bytes:
    events = np.concatenate(parts) if parts else np.zeros(0, EVENT)
    slots, index = np.unique(events["slot"], return_inverse=True)
    events["slot"] = index
    head = json.dumps(
        {
            "videos": [keys[slot] for slot in slots.tolist()],
            "profiles": [(keys[slot], time_ms, text) for slot, time_ms, text in profiles],
        },
        ensure_ascii=False,
    ).encode()
    return len(head).to_bytes(4, "little") + head + events.tobytes()


def _unpack(
    packed: bytes,
    slot_of: Any,  # noqa: ANN401 - a bound method
) -> tuple[npt.NDArray[np.void], list[tuple[int, int, str]]]:
    size = int.from_bytes(packed[:4], "little")
    head = json.loads(packed[4 : 4 + size])
    events = np.frombuffer(packed, EVENT, offset=4 + size).copy()
    if len(events):
        events["slot"] = slot_of(head["videos"])[events["slot"]]
    profiles = [
        (int(slot_of([key])[0]), int(time_ms), str(text)) for key, time_ms, text in head["profiles"]
    ]
    return events, profiles


class RecentIds:
    """Hashes of event ids of late: a producer's repeats within the window count once."""

    def __init__(self, window_buckets: int) -> None:
        self._window_buckets = window_buckets
        self._parts: dict[int, list[npt.NDArray[np.uint64]]] = {}
        self._saved: dict[int, int] = {}
        self._dropped: list[tuple[int, int]] = []
        self._known: dict[int, int] = {}

    def __len__(self) -> int:
        """Return how many ids are remembered."""
        return len(self._known)

    def repeats(
        self,
        ids: npt.NDArray[np.uint64],
        bucket: npt.NDArray[np.int64],
        reached_bucket: npt.NDArray[np.int64],
    ) -> npt.NDArray[np.bool_]:
        """Tell which events repeat an id (0 = no id), and remember the new ones by bucket.

        An id is a repeat while its source partition has not come further than the window past the
        bucket of the first: what is still in memory plays no part.

        Args:
            ids: uint64[n].
            bucket: int64[n], the bucket of each event.
            reached_bucket: int64[n], how far its source partition has come with it.
        """
        repeat = np.zeros(len(ids), np.bool_)
        fresh: dict[int, list[int]] = {}
        for position in np.flatnonzero(ids).tolist():
            number = int(ids[position])
            known = self._known.get(number)
            if known is not None and known >= reached_bucket[position] - self._window_buckets:
                repeat[position] = True
                continue
            at = int(bucket[position])
            fresh.setdefault(at, []).append(number)
            self._known[number] = at if known is None else max(at, known)
        for at, numbers in fresh.items():
            self._parts.setdefault(at, []).append(np.array(numbers, np.uint64))
        return repeat

    def forget(self, closed_bucket: int) -> None:
        """Drop the ids of buckets that lie further back than the window."""
        for at in [b for b in self._parts if b < closed_bucket - self._window_buckets]:
            for part in self._parts.pop(at):
                for number in part.tolist():
                    if self._known.get(number) == at:
                        del self._known[number]
            self._dropped.extend((at, part) for part in range(self._saved.pop(at, 0)))

    def take_dirty(self) -> Iterator[tuple[str, bytes | None]]:
        """Yield what was remembered since the last call, by name, and None for what was dropped."""
        for at, part in self._dropped:
            yield f"{at}/{part}", None
        self._dropped.clear()
        for at, parts in sorted(self._parts.items()):
            saved = self._saved.get(at, 0)
            for part in range(saved, len(parts)):
                yield f"{at}/{part}", parts[part].tobytes()
            self._saved[at] = len(parts)

    def load(self, name: str, packed: bytes) -> None:
        """Take back one part."""
        at = int(name.partition("/")[0])
        ids = np.frombuffer(packed, np.uint64)
        self._parts.setdefault(at, []).append(ids)
        self._saved[at] = len(self._parts[at])
        for number in ids.tolist():
            self._known[number] = max(at, self._known.get(number, at))
