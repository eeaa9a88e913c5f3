"""Works: what a hotspot is made of. Episodes, derivatives and other platforms' posts roll up here.

A cultural hotspot is a work or a topic, not one file (design section 2). A video counts for each of
its topics; without topics it counts for the works of the video it was made from; without either it
is a work by itself.

Numbers are columns, so that all works that a bucket has let grow are brought forward at once; a
`Work` is a view of one of them, for the few of which there is something to decide.
"""

from typing import Any, Final, Protocol

import numpy as np
import numpy.typing as npt

from models.cohorts import SIGNALS
from models.compiled import compiled
from models.forecast import FAST_HALF_LIFE_MS, SLOW_HALF_LIFE_MS
from models.junctures import CLOCK
from models.parameters import HOUR_MS
from models.transitions import ACTIVITY_HALF_LIFE_MS, COLLAPSE, RETURN
from models.vocabulary import ROLES, Route, Stage, State

TOPIC: Final = "topic"
VIDEO: Final = "video"

DEPTH_STAGES: Final = (Stage.JUDGMENT, Stage.INTERACTION, Stage.DIFFUSION)
"""A hotspot has been judged, discussed and carried on: reach without depth is only reach (seed 000,
section 3.1: deep value is stimulated in interaction, then enlarged by diffusion)."""

DEPTH: Final = sum(1 << stage for stage in DEPTH_STAGES)
"""The same as a bit mask."""

NOT_DUE: Final = np.iinfo(np.int64).max
"""No bucket calls for a look at the work by itself."""

NOBODY: Final = -1
"""Stands for a slot where there is none."""

WORK: Final = np.dtype(
    [
        ("first_ms", np.int64),
        ("last_ms", np.int64),
        ("episode_ms", np.int64),
        ("last_bucket", np.int64),
        ("due_bucket", np.int64),
        ("views", np.int64),
        ("acted", np.int64, (SIGNALS,)),
        ("progress", np.int64),
        ("progress_before_episode", np.int64),
        ("lead_views", np.int64),
        ("roles", np.int64),
        ("role_ms", np.int64, (len(ROLES),)),
        ("pace_fast_per_hour", np.float64),
        ("pace_slow_per_hour", np.float64),
        ("heat", np.float64),
        ("peak_heat", np.float64),
        ("trough_heat", np.float64),
        ("probability", np.float64),
        ("lead", np.int32),
        ("videos", np.int32),
        ("episode", np.int32),
        ("stages", np.uint8),
        ("stage", np.uint8),
        ("route", np.uint8),
        ("state", np.uint8),
        ("resting", np.bool_),
        ("emerging", np.bool_),
        ("told", np.bool_),
        ("confirmed", np.bool_),
        ("topical", np.bool_),
        ("offered", np.uint8),
        *CLOCK,
    ]
)
"""The numbers of a work. The layout is part of the changelog's format: see LAYOUT_VERSION.

first_ms, last_ms: Event time of its first and last activity. episode_ms: When its episode began: at
first, or when the one before faded. last_bucket: The last it was active in. due_bucket: When its
activity will have collapsed if nothing comes. views: Exposures of all its videos. acted: Events per
signal. progress: Events of the level's action; progress_before_episode of it belongs to episodes
that ended. lead, lead_views: Its most viewed video, a slot among the tracked. roles: Bit mask of
who took part; role_ms: when each first did, by the last event of that bucket. pace_*: Paces of the
level's action. heat: Activity per hour, smoothed; peak_heat its greatest value in this episode,
trough_heat its least since the last one ended. probability: That it reaches the level. videos: How
many count for it. episode: Counts up when it has faded. stages: Bit mask of those its videos have
entered in this episode; stage, route and state are those of its latest transition. resting: Whether
an episode has ended and none has begun. emerging: Whether it has become so in this episode. told:
Whether there is nothing to tell of that any more: it was told, or it is no topic. confirmed:
Whether that was told in this episode. topical: Whether it is a topic. offered: What the alert
budget has been offered of it in this episode (AlertBudget.reach). The others are its clock
(models/junctures.py), where it is a topic."""

LAYOUT_VERSION: Final = 8
"""Goes up when the layout of WORK, of roll_up's rows and words or of guidance.GUIDED changes;
another version is refused."""

GROWTH: Final = 2 + SIGNALS
"""Columns of what a bucket brings to a work: views, progress, and events per signal."""

STATES: Final = tuple(State)
ROUTES: Final = tuple(Route)
_FADED: Final = STATES.index(State.FADED)
_REVIVED: Final = STATES.index(State.REVIVED)

Rows = npt.NDArray[np.void]
Ints = npt.NDArray[np.int64]


def new_works(count: int) -> Rows:
    """Return WORK[count] of nothing."""
    rows = np.zeros(count, WORK)
    rows["last_bucket"] = rows["lead"] = NOBODY
    rows["due_bucket"] = NOT_DUE
    rows["episode"] = 1
    return rows


@compiled
def grow(rows: Rows, slots: Ints, growth: Ints, bucket: int, bucket_ms: int) -> None:
    """Take in what one decided bucket brought to some works, and clear it.

    Args:
        rows: WORK[all], changed in place.
        slots: int64[n], the works that grow, each once.
        growth: int64[all, GROWTH], set to zero where it was taken.
        bucket: The number of the bucket.
        bucket_ms: Its length.
    """
    for slot in slots:
        work = rows[slot]
        span = 1
        if work["last_bucket"] >= 0:
            span = max(bucket - work["last_bucket"], 1)
        span_ms = span * bucket_ms
        hours = span_ms / HOUR_MS
        views, progress = growth[slot, 0], growth[slot, 1]
        # What is taken back lowers what was counted; activity is never below nothing.
        activity = max(views, 0)
        for signal in range(SIGNALS):
            activity += max(growth[slot, 2 + signal], 0)
        keep = np.exp2(-span_ms / FAST_HALF_LIFE_MS)
        work["pace_fast_per_hour"] = (
            work["pace_fast_per_hour"] * keep + (1 - keep) * max(progress, 0) / hours
        )
        keep = np.exp2(-span_ms / SLOW_HALF_LIFE_MS)
        work["pace_slow_per_hour"] = (
            work["pace_slow_per_hour"] * keep + (1 - keep) * max(progress, 0) / hours
        )
        keep = np.exp2(-span_ms / ACTIVITY_HALF_LIFE_MS)
        # The lowest lies at the end of the silence, just before this bucket.
        work["trough_heat"] = min(work["trough_heat"], work["heat"] * keep)
        work["heat"] = work["heat"] * keep + (1 - keep) * activity / hours
        work["peak_heat"] = max(work["peak_heat"], work["heat"])
        work["views"] = max(work["views"] + views, 0)
        work["progress"] = max(work["progress"] + progress, 0)
        for signal in range(SIGNALS):
            work["acted"][signal] = max(work["acted"][signal] + growth[slot, 2 + signal], 0)
        growth[slot, :] = 0
        work["last_bucket"] = bucket
        if work["resting"] and work["heat"] >= RETURN * work["trough_heat"]:
            _begin_episode(work)


@compiled
def _begin_episode(work: Any) -> None:  # noqa: ANN401 - one record of WORK, which numpy cannot name
    """Begin a new episode: the level counts anew from here."""
    work["resting"] = False
    work["state"] = _REVIVED
    work["episode"] += 1
    work["episode_ms"] = work["last_ms"]
    work["progress_before_episode"] = work["progress"]
    work["peak_heat"] = work["heat"]


@compiled
def set_due(rows: Rows, slots: Ints, bucket: int, bucket_ms: int) -> int:
    """Note when the activity of some works will have collapsed in silence; return the earliest.

    Args:
        rows: WORK[all], `due_bucket` is changed in place.
        slots: int64[n], works that have changed.
        bucket: The bucket in which they did.
        bucket_ms: Its length.
    """
    earliest = NOT_DUE
    for slot in slots:
        work = rows[slot]
        work["due_bucket"] = NOT_DUE
        if not (work["emerging"] or work["confirmed"] or work["stages"]):
            continue
        share = 1.0
        if work["peak_heat"] != 0:
            share = work["heat"] / (COLLAPSE * work["peak_heat"])
        halvings = 0.0
        if share > 0:
            halvings = max(np.log2(share), 0.0)
        wait = int(halvings * ACTIVITY_HALF_LIFE_MS / bucket_ms) + 1
        work["due_bucket"] = max(bucket, work["last_bucket"]) + wait
        earliest = min(earliest, work["due_bucket"])
    return earliest


def heat_at(rows: Rows, bucket: int, bucket_ms: int) -> npt.NDArray[np.float64]:
    """Return float64[n]: the heat of works after silence up to a bucket."""
    silence_ms = np.maximum(bucket - rows["last_bucket"], 0) * bucket_ms
    return np.asarray(rows["heat"] * np.exp2(-silence_ms / ACTIVITY_HALF_LIFE_MS))


def noteworthy(rows: Rows) -> npt.NDArray[np.bool_]:
    """Return bool[n]: whether there is something to say of each work in this episode."""
    return np.asarray(rows["confirmed"] | rows["emerging"] | (rows["stages"] > 0))


def deep(rows: Rows) -> npt.NDArray[np.bool_]:
    """Return bool[n]: whether videos of each work passed all three junctures in this episode."""
    return np.asarray(rows["stages"] & DEPTH == DEPTH)


class Columns(Protocol):
    """Where the numbers of works are kept: the array is replaced when it grows."""

    @property
    def rows(self) -> Rows:
        """WORK[all]."""


class Work:
    """One work among the columns, for as long as it lives there.

    Attributes:
        slot: Its position in the columns.
        work_id: `topic:NAME`, or `video:PLATFORM/ID`.
        title: A name for people.
        platforms: Where its videos are, in the order in which they came: since when (ms), by the
            first activity of a video there.
        reason: That of its latest transition.
        former_lead: The key of its most viewed video where that has been forgotten since.
    """

    __slots__ = ("_columns", "former_lead", "platforms", "reason", "slot", "title", "work_id")

    def __init__(
        self,
        columns: Columns,
        slot: int,
        work_id: str,
        title: str,
        platforms: dict[str, int],
        reason: str = "",
        former_lead: str = "",
    ) -> None:
        self._columns = columns
        self.slot = slot
        self.work_id = work_id
        self.title = title
        self.platforms = platforms
        self.reason = reason
        self.former_lead = former_lead

    @property
    def row(self) -> np.void:
        """Its numbers: one record of WORK, for reading and writing."""
        row: np.void = self._columns.rows[self.slot]
        return row

    def number(self, name: str) -> int:
        """Return one of its whole numbers or flags."""
        return int(self.row[name])

    @property
    def kind(self) -> str:
        """TOPIC or VIDEO."""
        return TOPIC if self.row["topical"] else VIDEO

    @property
    def stage(self) -> str:
        """The stage of its latest transition, as a word."""
        return Stage(self.number("stage")).name.lower()

    @property
    def stages(self) -> list[Stage]:
        """The stages its videos have entered in this episode, in the model's order."""
        return [stage for stage in Stage if self.number("stages") >> stage & 1]

    @property
    def route(self) -> str:
        """The route of its latest transition, as a word."""
        return ROUTES[self.number("route")].value

    @property
    def state(self) -> str:
        """The state of its latest transition, as a word."""
        return STATES[self.number("state")].value

    def take_up(self) -> list[dict[str, Any]]:
        """Return the platforms in the order in which they took the work up, JSON-ready."""
        order = sorted((since_ms, platform) for platform, since_ms in self.platforms.items())
        return [
            {"platform": platform, "since_ms": since_ms, "after_ms": since_ms - order[0][0]}
            for since_ms, platform in order
        ]

    def heat_at(self, bucket: int, bucket_ms: int) -> float:
        """Return the heat after silence up to a bucket."""
        return float(heat_at(self._columns.rows[self.slot : self.slot + 1], bucket, bucket_ms)[0])

    def collapsed(self, bucket: int, bucket_ms: int) -> bool:
        """Tell whether activity has collapsed: the same rule as for a video."""
        return self.heat_at(bucket, bucket_ms) <= COLLAPSE * float(self.row["peak_heat"])

    def enter(self, stage: Stage, route: str, state: str, reason: str) -> None:
        """Record that one of its videos entered a stage."""
        row = self.row
        if row["resting"]:
            _begin_episode(row)
        row["stages"] |= 1 << stage
        row["stage"] = max(self.stages)
        row["route"] = ROUTES.index(Route(route))
        row["state"] = STATES.index(State(state))
        self.reason = reason

    def fade(self) -> None:
        """End the episode: it rests until it returns (transitions.RETURN)."""
        row = self.row
        row["state"] = _FADED
        row["emerging"] = row["told"] = row["confirmed"] = False
        row["offered"] = 0
        row["stages"] = 0
        row["resting"] = True
        row["trough_heat"] = row["heat"]
        row["probability"] = 0.0
        row["due_bucket"] = NOT_DUE
