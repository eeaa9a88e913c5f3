"""Buckets, decided: every video's visit, its evidence and its transitions, bucket after bucket.

Every video is decided by its own row, its cohort and the bucket's events; the order of videos, how
they are spread over partitions and how many buckets are decided at a time play no part.
"""

from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from models import forecast, sketches
from models.cohorts import (
    AGE_BANDS_H,
    AGES,
    DRIFT,
    REACH_BANDS,
    SIGNALS,
    CohortVersion,
)
from models.compiled import compiled
from models.due_heap import NOT_QUEUED, drop_first, push
from models.parameters import HOUR_MS, Parameters
from models.transitions import (
    CROWD,
    NULL,
    OWN_HALF_LIFE_MS,
    TOLD,
    VISIT_MS,
    WATCH_ACTED,
    Transition,
    begin_visit,
    due_bucket,
    end,
    enter,
    entered_by,
    fade_rates,
    forget_evidence,
    gather_evidence,
    has_collapsed,
    judge_scarcity,
    smoothed,
    transition_of,
)
from models.undecided import NEVER_PUBLISHED, Undecided
from models.video_state import NEVER, UNWATCHED, VideoTable
from models.vocabulary import ACTION_CODE, ACTIONS, SIGNAL_OF_ACTION, Action

DECISION: Final = np.dtype(
    [
        ("slot", np.int64),
        ("bucket", np.int64),
        ("last_ms", np.int64),
        ("age_ms", np.int64),
        ("episode_age_ms", np.int64),
        ("views", np.int64),
        ("total_views", np.int64),
        ("acted", np.int64, (SIGNALS,)),
        ("people", np.float64, (SIGNALS,)),
        ("progress", np.int64),
        ("total_progress", np.int64),
        ("episode_progress", np.int64),
        ("activity_per_hour", np.float64),
        ("pace_fast_per_hour", np.float64),
        ("pace_slow_per_hour", np.float64),
        ("probability", np.float64),
        ("roles", np.int64),
        ("episode", np.int32),
        ("stage", np.uint8),
        ("route", np.uint8),
        ("state", np.uint8),
        ("resting", np.uint8),
    ]
)
"""What one bucket brought to one video (`views`, `acted`, `people`, `progress`, `roles`), and where
the video stands after it. `people` are events discounted for repeats: what evidence counts. A video
whose episode ended without a visit has a decision, too."""

_TOLD_MOST: Final = SIGNALS + 1
"""Transitions of one video in one bucket: each signal enters, and the episode ends."""

_DECIDED_AT_ONCE: Final = 65_536
"""Decisions made in one call of compiled code: 10 MB of them."""

_DONE, _MORE_WATCHES, _MORE_ROOM = range(3)
_VIEW: Final = ACTION_CODE[Action.VIEW]
_DELETE: Final = ACTION_CODE[Action.DELETE]
_LIKED: Final = 0
_AGE_BANDS_MS: Final = tuple(hours * HOUR_MS for hours in AGE_BANDS_H)

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]
Records = npt.NDArray[np.void]
Row = Any
"""One record of video_state.ROW, in place."""
Watch = Any
"""One record of video_state.WATCH, in place."""
Entry = Any
"""One record of undecided.ENTRY."""


Table = tuple[
    Records,
    Records,
    npt.NDArray[np.int32],
    npt.NDArray[np.int32],
    npt.NDArray[np.int32],
    npt.NDArray[np.bool_],
]
"""Of VideoTable: rows, watches, watch_of, free_watches, platform_of, dirty."""
CohortArrays = tuple[Floats, Floats, Floats, Floats, Floats, Floats]
"""Of cohorts.PlatformCohort, with an axis in front for the table's code of the platform:
propensity, scarcity, concentration, intensity, shape, rhythm."""
Lengths = tuple[int, int, int, int, int]
"""bucket_ms, epoch_ms, visit_ms, the last bucket to decide, the code of the level's action."""


@dataclass(frozen=True, slots=True)
class Cohorts:
    """The cohorts of a version, by the table's codes of platforms."""

    version: CohortVersion
    arrays: CohortArrays

    @classmethod
    def of(cls, version: CohortVersion, platforms: list[str]) -> "Cohorts":
        """Gather the cohorts of these platforms, in this order."""
        cohorts = [version.of(name) for name in platforms]
        return cls(
            version,
            (
                np.stack([c.propensity for c in cohorts]),
                np.stack([c.scarcity for c in cohorts]),
                np.stack([c.concentration for c in cohorts]),
                np.stack([c.intensity for c in cohorts]),
                np.stack([c.shape for c in cohorts]),
                np.stack([c.rhythm for c in cohorts]),
            ),
        )


@dataclass(frozen=True, slots=True)
class Decided:
    """What some buckets changed.

    Attributes:
        decisions: DECISION[n], by bucket.
        transitions: In order; `row` of each is an index into `decisions`.
        activity: float[platforms, 24], events by the table's code of the platform and UTC hour.
    """

    decisions: Records
    transitions: list[Transition]
    activity: Floats


def decide_buckets(
    videos: VideoTable,
    undecided: Undecided,
    through_bucket: int,
    cohorts: Cohorts,
    parameters: Parameters,
    *,
    log_c: float,
) -> Decided:
    """Decide all buckets up to one of an epoch, and write the rows of their videos.

    Args:
        videos: The partition's videos.
        undecided: Their entries; those of the buckets decided are dropped.
        through_bucket: The last bucket to decide.
        cohorts: The cohort version of the epoch.
        parameters: Lengths, level.
        log_c: Logarithm of the evidence that suffices (evidence.log_threshold).
    """
    order = undecided.order(through_bucket)
    heap = videos.due
    activity = np.zeros((len(videos.platforms), 24))
    null = np.zeros(1, NULL)
    lengths = (
        parameters.bucket_ms,
        parameters.epoch_ms,
        max(VISIT_MS, parameters.bucket_ms),
        through_bucket,
        ACTION_CODE[parameters.level.action],
    )
    decisions, told = [], []
    at, status, before = 0, _MORE_ROOM, 0
    while status != _DONE:
        if status == _MORE_WATCHES:
            videos.more_watches()
        room = np.zeros(min(len(order) - at + heap.size + 1, _DECIDED_AT_ONCE), DECISION)
        words = np.zeros(_TOLD_MOST * len(room), TOLD)
        heap.reserve(len(room) + 1)
        at, heap.size, videos.free_watch_count, count, said, status = _decide(
            order,
            at,
            undecided.entries,
            undecided.people,
            (
                videos.rows,
                videos.watches,
                videos.watch_of,
                videos.free_watches,
                videos.platform_of,
                videos.dirty,
            ),
            videos.free_watch_count,
            (heap.bucket, heap.slot, heap.queued),
            heap.size,
            cohorts.arrays,
            activity,
            null,
            lengths,
            log_c,
            room,
            words,
        )
        decisions.append(room[:count])
        words["decision"] += before
        told.append(words[:said])
        before += count
    undecided.drop(through_bucket)
    made = np.concatenate(decisions)
    _forecast(videos, made, parameters.level.count)
    name = cohorts.version.name
    transitions = [transition_of(one, log_c, name) for one in np.concatenate(told)]
    return Decided(made, transitions, activity)


def _forecast(videos: VideoTable, decisions: Records, level: int) -> None:
    """Add the probability to reach the level; after an episode has ended it counts anew."""
    probability = forecast.probability(
        decisions["episode_progress"].astype(np.float64),
        decisions["pace_fast_per_hour"],
        decisions["pace_slow_per_hour"],
        decisions["episode_age_ms"].astype(np.float64),
        level,
    )
    decisions["probability"] = np.where(decisions["resting"], 0.0, probability)
    # Of several decisions of a video the last one counts: numpy assigns in order.
    videos.rows["probability"][decisions["slot"]] = decisions["probability"]


@compiled
def _decide(  # noqa: C901, PLR0912, PLR0915 - a merge of two queues: its state lives in locals
    order: Ints,
    at: int,
    entries: Records,
    people: Records,
    table: Table,
    free_watch_count: int,
    heap: tuple[Ints, Ints, Ints],
    heap_size: int,
    cohorts: CohortArrays,
    activity: Floats,
    null: Records,
    lengths: Lengths,
    log_c: float,
    decisions: Records,
    told: Records,
) -> tuple[int, int, int, int, int, int]:
    """Decide entry after entry, and what is due between them, until done or out of room.

    Returns:
        How far `order` was worked off, the sizes of the heap and of the free watches, how many
        decisions and transitions there are, and why it stopped.
    """
    rows, watches, watch_of, free_watches, platform_of, dirty = table
    heap_bucket, heap_slot, queued = heap
    count = said = 0
    status = _MORE_ROOM
    while count < len(decisions):
        if _is_due_first(heap_bucket, heap_size, order, at, entries, lengths[3]):
            bucket, slot = heap_bucket[0], heap_slot[0]
            heap_size = drop_first(heap_bucket, heap_slot, heap_size)
            if queued[slot] != bucket:
                continue
            watch = watches[max(watch_of[slot], 0)]
            ended = _look_at_due(rows[slot], bucket, lengths[0], told[said])
            if ended:
                if watch_of[slot] != UNWATCHED:
                    forget_evidence(watch)
                dirty[slot] = True
                told[said].decision = count
                _describe(decisions[count], rows[slot], slot, bucket)
            said += ended
            count += ended
            queued[slot] = NOT_QUEUED
        elif at < len(order):
            entry = entries[order[at]]
            slot = entry.slot
            _sum_signals(entry, decisions[count])
            if watch_of[slot] == UNWATCHED and _is_worth_watching(
                rows[slot], entry, decisions[count]
            ):
                if free_watch_count == 0:
                    status = _MORE_WATCHES
                    break
                free_watch_count -= 1
                watch_of[slot] = free_watches[free_watch_count]
                _begin_watch(watches[watch_of[slot]], rows[slot])
            at += 1
            dirty[slot] = True
            _total(rows[slot], entry)
            if not entry.is_visit:
                continue
            watched = watch_of[slot] != UNWATCHED
            watch = watches[max(watch_of[slot], 0)]
            platform, hour = platform_of[slot], entry.bucket * lengths[0] // HOUR_MS % 24
            activity[platform, hour] += entry.events
            _visit(rows[slot], watch, watched, entry, people, lengths, decisions[count])
            if watched:
                _hold_against(null[0], rows[slot], watch, entry, platform, hour, cohorts)
                gather_evidence(rows[slot], watch, null[0])
            _fade(rows[slot], watch, watched, entry, lengths[0], decisions[count])
            before = said
            if watched:
                said = _enter(rows[slot], watch, null[0], log_c, entry.last_ms, told, said)
            if has_collapsed(rows[slot], entry.bucket, lengths[0]):
                end(rows[slot], rows[slot].last_ms, told[said])
                said += 1
                if watched:
                    forget_evidence(watch)
            for number in range(before, said):
                told[number].decision = count
            rows[slot].due_bucket = due_bucket(rows[slot], lengths[0])
            _describe(decisions[count], rows[slot], slot, entry.bucket)
            decisions[count].roles = entry.roles
            count += 1
        else:
            status = _DONE
            break
        if rows[slot].due_bucket < queued[slot]:
            queued[slot] = rows[slot].due_bucket
            heap_size = push(heap_bucket, heap_slot, heap_size, queued[slot], slot)
    return at, heap_size, free_watch_count, count, said, status


@compiled
def _is_due_first(
    heap_bucket: Ints, heap_size: int, order: Ints, at: int, entries: Records, through: int
) -> bool:
    """Tell whether a row is due before the next entry: after the visits of its bucket."""
    if heap_size == 0 or heap_bucket[0] > through:
        return False
    return at == len(order) or heap_bucket[0] < entries[order[at]].bucket


@compiled
def _look_at_due(row: Row, bucket: int, bucket_ms: int, told: Any) -> bool:  # noqa: ANN401 - a record
    """End the episode of a row whose activity has collapsed in silence; tell whether it has."""
    if row.due_bucket > bucket:
        return False
    ended = has_collapsed(row, bucket, bucket_ms)
    if ended:
        end(row, (bucket + 1) * bucket_ms - 1, told)
    # Rounding may bring a row up a moment too early: it is looked at again one bucket on.
    row.due_bucket = max(due_bucket(row, bucket_ms), bucket + 1)
    return ended


@compiled
def _total(row: Row, entry: Entry) -> None:
    """Count everything, late events too."""
    row.seen_bucket = max(row.seen_bucket, entry.bucket)
    for action in range(len(ACTIONS)):
        row.totals[action] += entry.counts[action] + entry.late[action]


@compiled
def _hold_against(
    null: Any,  # noqa: ANN401 - a record
    row: Row,
    watch: Watch,
    entry: Entry,
    platform: int,
    hour: int,
    cohorts: CohortArrays,
) -> None:
    """Fill in what a row is held against: its cohort's nulls and its own past."""
    propensity, scarcity, concentration, intensity, shape, rhythm = cohorts
    age, reach = _bands(row, entry)
    for signal in range(SIGNALS):
        null.propensity[signal] = propensity[platform, signal, age, reach]
        null.concentration[signal] = concentration[platform, signal]
        null.shape[signal] = shape[platform, signal]
        per_hour = intensity[platform, signal, age] * max(1.0, rhythm[platform, hour])
        # A young video has no past of its own: what it did an hour ago is the rise under test.
        own = watch.own_per_hour[signal] if age == AGES - 1 else 0.0
        null.per_hour[signal] = max(per_hour, own) * DRIFT
    null.scarcity = scarcity[platform, age, reach]


@compiled
def _fade(
    row: Row,
    watch: Watch,
    watched: bool,
    entry: Entry,
    bucket_ms: int,
    decision: Any,  # noqa: ANN401 - a record
) -> None:
    """Move all smoothed rates of a row to the end of the bucket."""
    span_ms = _span_ms(row, entry.bucket, bucket_ms)
    if watched:
        for signal in range(SIGNALS):
            watch.own_per_hour[signal] = smoothed(
                watch.own_per_hour[signal], decision.people[signal], span_ms, OWN_HALF_LIFE_MS
            )
    activity = np.float64(decision.views)
    for signal in range(SIGNALS):
        activity += decision.people[signal]
    fade_rates(row, activity, entry.last_ms, span_ms)
    row.pace_fast_per_hour = smoothed(
        row.pace_fast_per_hour, decision.progress, span_ms, forecast.FAST_HALF_LIFE_MS
    )
    row.pace_slow_per_hour = smoothed(
        row.pace_slow_per_hour, decision.progress, span_ms, forecast.SLOW_HALF_LIFE_MS
    )
    row.last_bucket = entry.bucket


@compiled
def _span_ms(row: Row, bucket: int, bucket_ms: int) -> int:
    """Return the time a bucket answers for: since the last visit, or the bucket itself at first.

    Counters arrive pre-counted for hours at a time, so an event's own bucket says little about
    when it happened; the silence before it belongs to the same observation.
    """
    span_ms = bucket_ms
    if row.last_bucket != NEVER:
        span_ms = max(bucket - row.last_bucket, 1) * bucket_ms
    return span_ms


@compiled
def _enter(
    row: Row,
    watch: Watch,
    null: Any,  # noqa: ANN401 - a record
    log_c: float,
    last_ms: int,
    told: Records,
    said: int,
) -> int:
    """Enter stages where the evidence suffices; return how many transitions are told by now."""
    judge_scarcity(row, watch, null, log_c)
    for signal in range(SIGNALS):
        strength = entered_by(row, watch, signal, log_c)
        if strength > 0.0:
            enter(row, signal, null, strength, last_ms, told[said])
            said += 1
    return said


@compiled
def _sum_signals(entry: Entry, decision: Any) -> None:  # noqa: ANN401 - a record
    """Sum a bucket's actions by signal; counts of a bucket are never negative."""
    for signal in range(SIGNALS):
        decision.acted[signal] = 0
    for action in range(len(ACTIONS)):
        signal = SIGNAL_OF_ACTION[action]
        if signal >= 0:
            decision.acted[signal] += entry.counts[action]
    for signal in range(SIGNALS):
        decision.acted[signal] = max(decision.acted[signal], 0)


@compiled
def _is_worth_watching(row: Row, entry: Entry, decision: Any) -> bool:  # noqa: ANN401 - a record
    """Tell whether with this entry a video has enough events for evidence to be gathered."""
    for signal in range(SIGNALS):
        if row.acted[signal] + decision.acted[signal] >= WATCH_ACTED:
            return True
    worth: bool = row.views + entry.counts[_VIEW] >= CROWD
    return worth


@compiled
def _begin_watch(watch: Watch, row: Row) -> None:
    for signal in range(SIGNALS):
        watch.acted_before[signal] = row.acted[signal]
    watch.known_actors_acted[:] = 0.0
    watch.own_per_hour[:] = 0.0
    watch.people[:] = 0
    forget_evidence(watch)


@compiled
def _count(row: Row, entry: Entry, level_action: int, decision: Any) -> None:  # noqa: ANN401 - a record
    """Count what the bucket brought, in place."""
    if row.first_ms == NEVER:
        row.first_ms = entry.first_ms
    if row.publish_ms == NEVER and entry.publish_ms != NEVER_PUBLISHED:
        row.publish_ms = entry.publish_ms
    row.last_ms = max(row.last_ms, entry.last_ms)
    decision.views = max(entry.counts[_VIEW], 0)
    decision.progress = max(entry.counts[level_action], 0)
    for signal in range(SIGNALS):
        row.acted[signal] += decision.acted[signal]
    row.views += decision.views
    row.progress += decision.progress
    if entry.removed_by:
        row.deleted = entry.removed_by == _DELETE


@compiled
def _visit(
    row: Row,
    watch: Watch,
    watched: bool,
    entry: Entry,
    people: Records,
    lengths: Lengths,
    decision: Any,  # noqa: ANN401 - a record
) -> None:
    """Count a bucket: in its row, the visit and the sums of the epoch, and its people; in place.

    People count, not clicks: where actors are known, a signal is worth the number of different
    people in the bucket, discounted by how few people stood behind the video's earlier events;
    forty accounts that like a thousand times are not a thousand.
    """
    bucket_ms, epoch_ms, visit_ms, _, level_action = lengths
    _count(row, entry, level_action, decision)
    span_ms = _span_ms(row, entry.bucket, bucket_ms)
    start_ms = entry.bucket * bucket_ms
    epoch, visit = start_ms // epoch_ms, start_ms // visit_ms
    if row.epoch != epoch:
        _begin_epoch(row, epoch)
    if row.visit != visit:
        row.visit = visit
        row.visit_views = row.visit_hours = row.visit_identified = 0.0
        row.visit_people[:] = 0.0
        row.epoch_visits += 1
        if watched:
            begin_visit(watch)
    if watched:
        person = entry.person
        while person >= 0:
            sketches.add(watch.people[people[person].signal], people[person].actor)
            person = people[person].next
    views, hours = np.float64(decision.views), span_ms / HOUR_MS
    before_views, before_hours = row.visit_views, row.visit_hours
    row.visit_views += views
    row.visit_hours += hours
    row.visit_identified += decision.acted[_LIKED]
    row.epoch_exposed += views
    row.epoch_span += hours
    row.epoch_span_squared += row.visit_hours**2 - before_hours**2
    for signal in range(SIGNALS):
        acted, known = np.float64(decision.acted[signal]), np.float64(entry.known[signal])
        different = np.float64(entry.different[signal])
        if watched and known > 0:
            watch.known_actors_acted[signal] += known
            everyone = sketches.estimate(watch.people[signal])
            different *= min(everyone / max(watch.known_actors_acted[signal], 1.0), 1.0)
        came = max(acted - known, 0.0) + min(different, acted)
        before = row.visit_people[signal]
        now = before + came
        row.visit_people[signal] = now
        row.epoch_acted[signal] += came
        row.epoch_acted_squared[signal] += now**2 - before**2
        row.epoch_acted_squared_per_exposed[signal] += now**2 / max(row.visit_views, now, 1.0) - (
            before**2 / max(before_views, before, 1.0)
        )
        row.epoch_acted_times_span[signal] += now * row.visit_hours - before * before_hours
        decision.people[signal] = came


@compiled
def _begin_epoch(row: Row, epoch: int) -> None:
    row.epoch = epoch
    row.visit = NEVER
    row.epoch_visits = row.epoch_exposed = row.epoch_span = row.epoch_span_squared = 0.0
    row.epoch_acted[:] = 0.0
    row.epoch_acted_squared[:] = 0.0
    row.epoch_acted_squared_per_exposed[:] = 0.0
    row.epoch_acted_times_span[:] = 0.0


@compiled
def _bands(row: Row, entry: Entry) -> tuple[int, int]:
    """Return the bands of age and reach (cohorts.age_band, cohorts.reach_band) of a row."""
    born_ms = row.first_ms if row.publish_ms == NEVER else row.publish_ms
    age = reach = 0
    for limit_ms in _AGE_BANDS_MS:
        age += entry.last_ms - born_ms >= limit_ms
    for limit in REACH_BANDS:
        reach += row.views >= limit
    return age, reach


@compiled
def _describe(decision: Any, row: Row, slot: int, bucket: int) -> None:  # noqa: ANN401 - a record
    """Say where a row stands after a bucket."""
    born_ms = row.first_ms if row.publish_ms == NEVER else row.publish_ms
    begun_ms = born_ms if row.episode_ms == NEVER else row.episode_ms
    decision.slot, decision.bucket = slot, bucket
    decision.last_ms = row.last_ms
    decision.age_ms = row.last_ms - born_ms
    decision.episode_age_ms = max(row.last_ms - begun_ms, 0)
    decision.total_views, decision.total_progress = row.views, row.progress
    decision.episode_progress = row.progress - row.progress_before_episode
    decision.activity_per_hour = row.activity_per_hour
    decision.pace_fast_per_hour = row.pace_fast_per_hour
    decision.pace_slow_per_hour = row.pace_slow_per_hour
    decision.episode, decision.stage, decision.route = row.episode, row.stage, row.route
    decision.state, decision.resting = row.state, row.resting
