"""Views of the works that there is something to say of: by vertical, by creator, by agency (MCN).

What a platform's teams are divided by [1]: in which vertical hotspots emerge and how far they have
come, who makes them, under which agency, and what that brings in followers. A work counts where its
most viewed video does. They are taken at the looks of guidance (models/guidance.py), so they are a
function of the log, and they are bounded: each lists the first few.

References:
    [1] seed 003, section 3.1: deep cultivation of vertical fields, influential creators; section
        3.4: the support of MCNs.
"""

import json
import math
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any, Final

import numpy as np

from models.creators import follower_gain
from models.identity import split_video_key
from models.parameters import DAY_MS, Parameters
from models.participation import PARTICIPATION
from models.people_sample import PERSON, SAMPLED, People, merge_people
from models.roll_up import RollUp
from models.screening import Flag, Screened
from models.stickiness import stickiness_of
from models.tracked_videos import TrackedVideo, creator_key
from models.vocabulary import Stage
from models.work_participation import WorkParticipation
from models.works import heat_at, noteworthy

MOST_VERTICALS: Final = 32
"""Verticals in a view, and as labels of metrics: platforms have some dozens of partitions."""

MOST_SHOWN: Final = 50
"""Creators and agencies in a view: as many as a board has works by default."""

PREFIX: Final = b"views"
"""Its key in the changelog."""


@dataclass(frozen=True, slots=True)
class _Counted:
    """A work that counts, with its most viewed video."""

    lead: TrackedVideo
    flags: tuple[Screened, ...]
    heat: float
    emerging: bool
    confirmed: bool
    stage: int
    first_ms: int


@dataclass(slots=True)
class _Tally:
    """What counts for one vertical, creator or agency."""

    works: int = 0
    emerging: int = 0
    hotspots: int = 0
    stages: Counter[int] = field(default_factory=Counter)
    flags: Counter[Flag] = field(default_factory=Counter)
    heats: list[float] = field(default_factory=list)
    leads: dict[str, TrackedVideo] = field(default_factory=dict)
    since_ms: int = np.iinfo(np.int64).max

    def add(self, one: _Counted) -> None:
        """Count a work."""
        self.works += 1
        self.emerging += one.emerging
        self.hotspots += one.confirmed
        self.stages[one.stage] += 1
        self.flags.update(flag.flag for flag in one.flags)
        self.heats.append(one.heat)
        self.leads[creator_key(one.lead)] = one.lead
        self.since_ms = min(self.since_ms, one.first_ms)

    def figures(self) -> dict[str, Any]:
        """Return what all views have, JSON-ready."""
        return {
            "works": self.works,
            "emerging": self.emerging,
            "hotspots": self.hotspots,
            # Exact, so that the order in which works come does not show.
            "activity_per_hour": round(math.fsum(self.heats), 2),
            "stages": {stage.name.lower(): self.stages[stage] for stage in Stage},
            "screening": {flag.value: self.flags[flag] for flag in Flag if self.flags[flag]},
        }


class Views:
    """The latest views.

    Args:
        parameters: The length of a bucket, and the rules of screening.
        roll_up: Works and videos.
        participation: Who takes part in the videos.

    Attributes:
        latest: JSON-ready: `time_ms`, `verticals`, `creators`, `mcns`; empty before the first work.
    """

    def __init__(
        self, parameters: Parameters, roll_up: RollUp, participation: WorkParticipation
    ) -> None:
        self._bucket_ms = parameters.bucket_ms
        self._buckets_per_epoch = parameters.epoch_ms // parameters.bucket_ms
        self._participation = participation
        self._stickiness: dict[str, dict[str, Any]] = {}
        self._rules = parameters.screening_rules
        self._roll_up = roll_up
        self.latest: dict[str, Any] = {}

    def look(self, bucket: int) -> None:
        """Take the views anew, before a bucket."""
        if bucket % self._buckets_per_epoch == 0:
            self._stickiness = self._sticky((bucket * self._bucket_ms - 1) // DAY_MS)
        verticals: dict[str, _Tally] = {}
        creators: dict[str, _Tally] = {}
        mcns: dict[str, _Tally] = {}
        counted = list(self._counted(bucket))
        if not counted and not self.latest:
            # Where looks begin depends on when reports came; the first work does not.
            return
        for one in counted:
            names = (one.lead.vertical, creator_key(one.lead), one.lead.mcn)
            for tallies, name in zip((verticals, creators, mcns), names, strict=True):
                if name:
                    tallies.setdefault(name, _Tally()).add(one)
        self.latest = {
            "time_ms": bucket * self._bucket_ms,
            "verticals": _first(verticals, MOST_VERTICALS, self._vertical),
            "creators": _first(creators, MOST_SHOWN, self._creator),
            "mcns": _first(mcns, MOST_SHOWN, _agency),
        }

    def _counted(self, bucket: int) -> Iterator[_Counted]:
        """Yield the works that there is something to say of before a bucket."""
        works, tracked = self._roll_up.works, self._roll_up.tracked
        used = works.rows[: len(works.by_slot)]
        slots = np.flatnonzero(noteworthy(used))
        rows = used[slots]
        columns = [
            rows[name].tolist() for name in ("lead", "emerging", "confirmed", "stage", "first_ms")
        ]
        heats = heat_at(rows, bucket - 1, self._bucket_ms).tolist()
        for heat, lead_slot, *numbers in zip(heats, *columns, strict=True):
            lead = tracked.by_slot[lead_slot] if lead_slot >= 0 else None
            if lead is not None:
                flags = self._rules.screen(lead.labels, lead.title)
                yield _Counted(lead, flags, heat, *numbers)

    def _sticky(self, today: int) -> dict[str, dict[str, Any]]:
        """Return how people come back to the videos of each vertical, up to a day."""
        people: dict[str, People] = {}
        for key in self._participation.videos:
            video, record = self._roll_up.tracked.get(key), self._participation.of_video(key)
            if video is not None and video.vertical and record is not None:
                sample = people.setdefault(video.vertical, np.zeros(SAMPLED, PERSON))
                merge_people(sample, record["people"][0])
        found = {vertical: stickiness_of(sample, today) for vertical, sample in people.items()}
        return {vertical: one.figures() for vertical, one in found.items() if one is not None}

    def _vertical(self, vertical: str, _: _Tally) -> dict[str, Any]:
        known = self._stickiness.get(vertical)
        return {"vertical": vertical} | ({"stickiness": known} if known else {})

    def _creator(self, creator: str, tally: _Tally) -> dict[str, Any]:
        platform, creator_id = split_video_key(creator)
        about = {"platform": platform, "creator_id": creator_id, "mcn": tally.leads[creator].mcn}
        gain = follower_gain(self._roll_up.tracked.made_by(creator), tally.since_ms)
        return about | ({"followers": gain.figures()} if gain else {})

    # -- the changelog ------------------------------------------------------------------------

    def rows(self) -> list[tuple[bytes, bytes]]:
        """Return key and value of the latest views."""
        return [(PREFIX, json.dumps([self.latest, self._stickiness], ensure_ascii=False).encode())]

    def load(self, key: bytes, value: bytes) -> None:
        """Take back one of `rows`.

        Raises:
            ValueError: The key is of no kind that is known.
        """
        if key != PREFIX:
            raise ValueError(f"unknown key {key!r}")
        self.latest, self._stickiness = json.loads(value)


def _agency(name: str, tally: _Tally) -> dict[str, Any]:
    return {"mcn": name, "creators": sum(map(bool, tally.leads))}


def _first(
    tallies: dict[str, _Tally], most: int, about: Callable[[str, _Tally], dict[str, Any]]
) -> list[dict[str, Any]]:
    """Return the first few, those with most hotspots first, then works, then by name."""
    order = sorted(tallies, key=lambda name: (-tallies[name].hotspots, -tallies[name].works, name))
    return [about(name, tallies[name]) | tallies[name].figures() for name in order[:most]]


def warm_up() -> None:
    """Compile, or load, what only a day with kept participations calls."""
    merge_people(np.zeros(SAMPLED, PERSON), np.zeros(1, PARTICIPATION)["people"][0])
