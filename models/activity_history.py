"""How active videos and topics were at the looks of late: what an effect is measured on.

Followed is whatever has gone beyond presentation and was active of late; from then on for as long
as an action taken now would be measured, whatever becomes of it: who would follow only what goes on
well would find that doing nothing is best. At each look their counts so far are written down. Of a
look nothing changes any more, so the changelog takes each once.
"""

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import lru_cache
from hashlib import blake2b
from typing import Final

import numpy as np
import numpy.typing as npt

from models.identity import split_video_key
from models.parameters import Parameters
from models.roll_up import RollUp
from models.tracked_videos import TrackedVideos
from models.vocabulary import Signal, Stage
from models.works import TOPIC, VIDEO

Flags = npt.NDArray[np.bool_]
Ints = npt.NDArray[np.int64]
Rows = npt.NDArray[np.void]

MOST_FOLLOWED: Final = 2_048
"""Videos and topics followed at once, 11 MB of looks at the default window: with 39 controls for
each action some fifty platforms, stages and routes are served. Where more ask for a place those get
it that were active last."""

LEAST_STAGE: Final = Stage.JUDGMENT
"""Videos are followed from here on: of one that nobody has judged there is nothing to guide."""

MOST_BELONGING: Final = 3
"""Works of a video that are looked at: most have one topic or two."""

SNAPSHOT: Final = np.dtype(
    [
        ("subject", np.uint64),
        ("platform", np.uint64),
        ("works", np.uint64, (MOST_BELONGING,)),
        ("since_ms", np.int64),
        ("activity", np.int64),
        ("excluded", np.int64),
        ("identified", np.int64),
        ("stage", np.uint8),
        ("route", np.uint8),
    ]
)
"""One subject at a look: digests of its name, of its kind and platform, and of the works that it
counts for (0 for none); when it began; views and acts so far, of these exclusion and
identification; its stage and route."""

_LOOK: Final = b"l/"
_FOLLOWED: Final = b"f"
_DIGITS: Final = 12


@dataclass(slots=True)
class _Followed:
    """One that is followed: the last look that it was worth it at, and its digests."""

    latest: int
    subject: int
    platform: int


@dataclass(frozen=True, slots=True)
class _Asking:
    """Videos or topics, some of which are worth being followed.

    Attributes:
        slot_of: Where a name stands, None where nowhere.
        name_at: What stands in a slot, None where nothing does.
        last_bucket: int64[slots], when each was active last.
        worth: bool[slots], which are worth it.
    """

    slot_of: Callable[[str], int | None]
    name_at: Callable[[int], str | None]
    last_bucket: Ints
    worth: Flags

    def latest(self, most: int) -> list[tuple[int, str]]:
        """Return what may be among so many that were active last, each with what to sort by."""
        slots = np.flatnonzero(self.worth)
        if not most:
            return []
        if len(slots) > most:
            last = self.last_bucket[slots]
            slots = slots[last >= np.partition(last, -most)[-most]]
        named = ((-int(self.last_bucket[slot]), self.name_at(slot)) for slot in slots.tolist())
        return [(last, name) for last, name in named if name is not None]


@lru_cache(maxsize=4 * MOST_FOLLOWED)
def digest(name: str) -> int:
    """Return 64 bits that stand for a name: that two of 2,048 agree has a chance of 10^-13."""
    return int.from_bytes(blake2b(name.encode(), digest_size=8).digest(), "little")


class ActivityHistory:
    """Who is followed, and the looks of late.

    Args:
        parameters: The length of a bucket.
        roll_up: Works and videos.
        buckets_per_look: The length of a look in buckets.
        window: That of a window in looks.
        kept: How many looks are kept.
    """

    def __init__(
        self,
        parameters: Parameters,
        roll_up: RollUp,
        *,
        buckets_per_look: int,
        window: int,
        kept: int,
    ) -> None:
        self._bucket_ms = parameters.bucket_ms
        self._roll_up = roll_up
        self._buckets_per_look = buckets_per_look
        self._window = window
        self._kept = kept
        self._looks: dict[int, Rows] = {}
        self._followed: dict[str, _Followed] = {}
        self._new: set[int] = set()
        self._dropped: set[int] = set()

    def at(self, look: int) -> Rows | None:
        """Return SNAPSHOT[n] of a look by subject, None where it is not kept."""
        return self._looks.get(look)

    # -- a look -------------------------------------------------------------------------------

    def look(self, look: int) -> None:
        """Write down how things stand after all buckets before a look."""
        self._follow(look)
        for old in [number for number in self._looks if number <= look - self._kept]:
            del self._looks[old]
            self._new.discard(old)
            self._dropped.add(old)
        if self._followed:
            self._looks[look] = self._snapshot()
            self._new.add(look)

    def _follow(self, look: int) -> None:
        """Follow what is worth it, where there is room, and let go what no longer is."""
        followed = self._followed
        gone = [n for n, one in followed.items() if one.latest + self._window + 1 < look]
        for name in gone:
            del followed[name]
        asking: list[tuple[int, str]] = []
        earliest = (look - self._window) * self._buckets_per_look
        for table in (self._videos(earliest), self._topics(earliest)):
            for name, one in followed.items():
                slot = table.slot_of(name)
                if slot is not None and table.worth[slot]:
                    one.latest, table.worth[slot] = look, False
            asking += table.latest(self._room())
        for _, name in sorted(asking)[: self._room()]:
            followed[name] = _Followed(look, digest(name), digest(self._place_of(name)))

    def _videos(self, earliest: int) -> "_Asking":
        """Return the videos beyond presentation that were active of late."""
        tracked = self._roll_up.tracked
        rows = tracked.rows[: len(tracked.by_slot)]
        worth = (rows["stage"] >= LEAST_STAGE) & (rows["last_bucket"] >= earliest)

        def name_at(slot: int) -> str | None:
            video = tracked.by_slot[slot]
            return None if video is None else video.video

        return _Asking(tracked.slot_of.get, name_at, rows["last_bucket"], worth)

    def _topics(self, earliest: int) -> "_Asking":
        """Return the topics that there is something to say of, likewise."""
        works = self._roll_up.works
        rows = works.rows[: len(works.by_slot)]
        worth = rows["topical"] & (rows["emerging"] | rows["confirmed"] | (rows["stages"] > 0))
        worth &= rows["last_bucket"] >= earliest

        def slot_of(name: str) -> int | None:
            work = works.by_id.get(name)
            return None if work is None else work.slot

        def name_at(slot: int) -> str | None:
            work = works.by_slot[slot]
            return None if work is None else work.work_id

        return _Asking(slot_of, name_at, rows["last_bucket"], worth)

    def _room(self) -> int:
        return MOST_FOLLOWED - len(self._followed)

    def _place_of(self, name: str) -> str:
        """Return kind and platform: that of a topic's most viewed video when it is first seen."""
        work = self._roll_up.works.by_id.get(name)
        if work is None:
            return f"{VIDEO}/{split_video_key(name)[0]}"
        return f"{TOPIC}/{split_video_key(self._roll_up.lead_of(work))[0]}"

    def _snapshot(self) -> Rows:
        """Return SNAPSHOT[n] of those that are followed and still known."""
        tracked, works = self._roll_up.tracked, self._roll_up.works
        videos, topics = [], []
        for name, followed in self._followed.items():
            slot = tracked.slot_of.get(name)
            if slot is not None:
                videos.append((slot, followed.subject, followed.platform))
            elif (work := works.by_id.get(name)) is not None:
                topics.append((work.slot, followed.subject, followed.platform))
        rows = np.concatenate([_of_videos(tracked, videos), _of_topics(works.rows, topics)])
        return rows[np.argsort(rows["subject"])]

    # -- the changelog ------------------------------------------------------------------------

    def take_rows(self) -> Iterator[tuple[bytes, bytes | None]]:
        """Yield keys and values of what changed since the last call; None: dropped."""
        for look in sorted(self._dropped):
            yield _LOOK + f"{look:0{_DIGITS}}".encode(), None
        for look in sorted(self._new):
            yield _LOOK + f"{look:0{_DIGITS}}".encode(), self._looks[look].tobytes()
        self._dropped.clear()
        self._new.clear()
        followed = [
            (name, one.latest, one.subject, one.platform) for name, one in self._followed.items()
        ]
        yield _FOLLOWED, json.dumps(sorted(followed), ensure_ascii=False).encode()

    def load(self, key: bytes, value: bytes) -> None:
        """Take back one of `take_rows`.

        Raises:
            ValueError: The key is of no kind that is known.
        """
        if key == _FOLLOWED:
            self._followed = {name: _Followed(*rest) for name, *rest in json.loads(value)}
        elif key.startswith(_LOOK):
            self._looks[int(key[len(_LOOK) :])] = np.frombuffer(value, SNAPSHOT)
        else:
            raise ValueError(f"unknown key {key!r}")


def _of_videos(tracked: TrackedVideos, found: list[tuple[int, int, int]]) -> Rows:
    """Return SNAPSHOT[n] of videos: slot, and digests of subject and platform."""
    taken = _named(found)
    for at, (slot, _, _) in enumerate(found):
        video = tracked.by_slot[slot]
        if video is not None:
            taken["since_ms"][at] = video.published_ms
            belongs = [digest(work_id) for work_id in video.works[:MOST_BELONGING]]
            taken["works"][at, : len(belongs)] = belongs
    return _counted(taken, tracked.rows[[slot for slot, _, _ in found]])


def _of_topics(works: Rows, found: list[tuple[int, int, int]]) -> Rows:
    """Return SNAPSHOT[n] of topics, likewise; `works` is WORK[all]."""
    rows = works[[slot for slot, _, _ in found]]
    taken = _named(found)
    taken["since_ms"] = rows["first_ms"]
    return _counted(taken, rows)


def _named(found: list[tuple[int, int, int]]) -> Rows:
    taken = np.zeros(len(found), SNAPSHOT)
    taken["subject"] = [subject for _, subject, _ in found]
    taken["platform"] = [platform for _, _, platform in found]
    return taken


def _counted(taken: Rows, rows: Rows) -> Rows:
    """Take over the counts of rows of TRACKED or WORK."""
    taken["activity"] = rows["views"] + rows["acted"].sum(axis=1)
    taken["excluded"] = rows["acted"][:, Signal.EXCLUSION]
    taken["identified"] = rows["acted"][:, Signal.IDENTIFICATION]
    taken["stage"], taken["route"] = rows["stage"], rows["route"]
    return taken
