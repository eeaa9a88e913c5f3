"""One bucket, decided: the visits of its videos, the evidence, the transitions and the report.

Every video is decided by its own row, its cohort and the bucket's events; the order of videos and
how they are spread over partitions play no part.
"""

import json
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from models import forecast
from models.cohort_learning import EpochSummary
from models.cohorts import AGES, DRIFT, CohortVersion, age_band, reach_band
from models.parameters import HOUR_MS, Parameters
from models.stage_reports import REPORT
from models.transitions import (
    Nulls,
    Transition,
    collapses,
    due_buckets,
    entries,
    fade_rates,
    gather_evidence,
    spans_ms,
)
from models.video_epochs import add_visit
from models.video_state import NEVER, VideoTable, born_ms
from models.visits import Visits, visits_of
from models.vocabulary import ACTION_CODE

Ints = npt.NDArray[np.int64]
Rows = npt.NDArray[np.void]

_GREATEST = np.iinfo(np.int64).max


@dataclass(frozen=True, slots=True)
class DecidedBucket:
    """What a bucket changed.

    Attributes:
        slots: int64[n], videos visited, then videos whose episode ended without a visit.
        visits: The visits; they belong to the first len(visits.slot) of `slots`.
        transitions: In order; `row` of each is an index into `slots`.
        activity: Events per platform.
    """

    slots: Ints
    visits: Visits
    transitions: list[Transition]
    activity: dict[str, float]


def decide_bucket(
    videos: VideoTable,
    events: Rows,
    bucket: int,
    version: CohortVersion,
    parameters: Parameters,
    *,
    log_c: float,
) -> DecidedBucket:
    """Decide one bucket and write the rows of its videos back.

    Args:
        videos: The partition's videos.
        events: undecided.EVENT[m] of this bucket, in any order.
        bucket: Its number.
        version: The cohort version of its epoch.
        parameters: Lengths, level.
        log_c: Logarithm of the evidence that suffices (evidence.log_threshold).
    """
    visits, rows = visits_of(events, videos.rows, ACTION_CODE[parameters.level.action])
    platforms = [videos.platform(slot) for slot in visits.slot.tolist()]
    transitions: list[Transition] = []
    if len(rows):
        span_ms = spans_ms(rows, bucket, parameters.bucket_ms)
        _count(rows, visits)
        add_visit(rows, visits, span_ms, bucket * parameters.bucket_ms // parameters.epoch_ms)
        nulls = _nulls(platforms, rows, visits, bucket * parameters.bucket_ms, version)
        gather_evidence(rows, visits, nulls, span_ms)
        fade_rates(rows, visits, span_ms)
        _forecast(rows, visits, span_ms, parameters.level.count)
        rows["last_bucket"] = bucket
        transitions = entries(rows, visits, nulls, span_ms, log_c, version.name)
        rows["due_bucket"] = due_buckets(rows, parameters.bucket_ms)
        videos.rows[visits.slot] = rows
    unvisited = np.setdiff1d(np.flatnonzero(videos.used["due_bucket"] <= bucket), visits.slot)
    slots = np.concatenate([visits.slot, unvisited])
    transitions += _end_episodes(videos, slots, len(visits.slot), bucket, parameters.bucket_ms)
    videos.touch(slots)
    activity: dict[str, float] = {}
    for name, amount in zip(platforms, visits.events.tolist(), strict=True):
        activity[name] = activity.get(name, 0.0) + amount
    return DecidedBucket(slots, visits, transitions, activity)


def _count(rows: Rows, visits: Visits) -> None:
    rows["first_ms"] = np.where(rows["first_ms"] == NEVER, visits.first_ms, rows["first_ms"])
    published = (visits.publish_ms < _GREATEST) & (rows["publish_ms"] == NEVER)
    rows["publish_ms"] = np.where(published, visits.publish_ms, rows["publish_ms"])
    rows["last_ms"] = np.maximum(rows["last_ms"], visits.last_ms)
    rows["views"] += visits.views.astype(np.int64)
    rows["acted"] += visits.acted.astype(np.int64)
    rows["progress"] += visits.progress.astype(np.int64)
    rows["deleted"] = np.where(visits.removed == 0, rows["deleted"], visits.removed > 0)


def _nulls(
    platforms: list[str], rows: Rows, visits: Visits, start_ms: int, version: CohortVersion
) -> Nulls:
    """Return what each row is held against: its cohort's nulls and its own past."""
    names = sorted(set(platforms))
    index = {name: position for position, name in enumerate(names)}
    which = np.array([index[name] for name in platforms])
    cohorts = [version.of(name) for name in names]
    hour = start_ms // HOUR_MS % 24
    age = age_band(visits.last_ms - born_ms(rows))
    reach = reach_band(rows["views"])
    per_hour = np.stack([c.intensity * max(1.0, float(c.rhythm[hour])) for c in cohorts])
    # A young video has no past of its own: what it did an hour ago is the rise under test.
    own = np.where((age == AGES - 1)[:, None], rows["own_per_hour"], 0.0)
    return Nulls(
        propensity=np.stack([c.propensity for c in cohorts])[which, :, age, reach],
        concentration=np.stack([c.concentration for c in cohorts])[which],
        scarcity=np.stack([c.scarcity for c in cohorts])[which, age, reach],
        per_hour=np.maximum(per_hour[which, :, age], own) * DRIFT,
        shape=np.stack([c.shape for c in cohorts])[which],
    )


def _forecast(rows: Rows, visits: Visits, span_ms: Ints, level: int) -> None:
    hours = span_ms / HOUR_MS
    for name, half_life_ms in (
        ("pace_fast_per_hour", forecast.FAST_HALF_LIFE_MS),
        ("pace_slow_per_hour", forecast.SLOW_HALF_LIFE_MS),
    ):
        keep = np.exp2(-span_ms / half_life_ms)
        rows[name] = rows[name] * keep + (1 - keep) * visits.progress / hours
    # After an episode has ended the level counts anew: what was reached once is no news.
    begun_ms = np.where(rows["episode_ms"] == NEVER, born_ms(rows), rows["episode_ms"])
    probability = forecast.probability(
        (rows["progress"] - rows["progress_before_episode"]).astype(np.float64),
        rows["pace_fast_per_hour"],
        rows["pace_slow_per_hour"],
        np.maximum(visits.last_ms - begun_ms, 0).astype(np.float64),
        level,
    )
    rows["probability"] = np.where(rows["resting"], 0.0, probability)


def _end_episodes(
    videos: VideoTable, slots: Ints, visited: int, bucket: int, bucket_ms: int
) -> list[Transition]:
    """End collapsed episodes among the slots (the first `visited` were just visited)."""
    rows = videos.rows[slots]
    time_ms = np.full(len(slots), (bucket + 1) * bucket_ms - 1)
    time_ms[:visited] = rows["last_ms"][:visited]
    ended = collapses(rows, time_ms, bucket, bucket_ms)
    # Rounding may bring a row up a moment before its collapse: it is looked at again one bucket on.
    again = due_buckets(rows, bucket_ms)
    rows["due_bucket"] = np.where(again <= bucket, bucket + 1, again)
    videos.rows[slots] = rows
    return ended


@dataclass(slots=True)
class ReportBuilder:
    """Collects decided buckets for one message of `video-stages`."""

    videos: list[str] = field(default_factory=list)
    profiles: list[str | None] = field(default_factory=list)
    transitions: list[tuple[int, dict[str, Any]]] = field(default_factory=list)
    summaries: list[tuple[int, str, EpochSummary]] = field(default_factory=list)
    _rows: list[Rows] = field(default_factory=list)

    def __bool__(self) -> bool:
        """Tell whether anything but progress is to be said."""
        return bool(self.videos or self.summaries)

    def rows(self) -> Rows:
        """Return REPORT[n]."""
        return np.concatenate(self._rows) if self._rows else np.zeros(0, REPORT)

    def add(self, bucket: int, videos: VideoTable, decided: DecidedBucket) -> None:
        """Add one decided bucket."""
        first = len(self.videos)
        slots, visits = decided.slots, decided.visits
        visited = len(visits.slot)
        rows = videos.rows[slots]
        report = np.zeros(len(slots), REPORT)
        report["bucket"] = bucket
        for name in ("last_ms", "probability", "stage", "route", "state", "episode"):
            report[name] = rows[name]
        report["age_ms"] = rows["last_ms"] - born_ms(rows)
        report["total_views"] = rows["views"]
        report["total_progress"] = rows["progress"]
        report["episode_progress"] = rows["progress"] - rows["progress_before_episode"]
        report["views_per_hour"] = rows["activity_per_hour"]
        for name in ("views", "acted", "progress", "roles"):
            report[name][:visited] = getattr(visits, name)
        self._rows.append(report)
        for slot in slots.tolist():
            self.videos.append(videos.keys[slot] or "")
            profile = videos.profiles.get(slot)
            self.profiles.append(json.dumps(profile, ensure_ascii=False) if profile else None)
        self.transitions += [(first + t.row, _to_dict(t)) for t in decided.transitions]


def _to_dict(transition: Transition) -> dict[str, Any]:
    return {
        "time_ms": transition.time_ms,
        "stage": transition.stage.name.lower(),
        "state": transition.state.value,
        "route": transition.route.value,
        "episode": transition.episode,
        "reason": transition.reason.value,
        "signal": None if transition.signal is None else transition.signal.name.lower(),
        "juncture": transition.juncture,
        "figures": transition.figures,
    }
