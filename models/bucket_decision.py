"""Buckets, decided: every video's visit, its evidence and its transitions, bucket after bucket.

Every video is decided by its own row, its cohort and the bucket's events; the order of videos, how
they are spread over partitions and how many buckets are decided at a time play no part.
"""

from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from models.bursts import VISIT_MS as BURST_VISIT_MS
from models.bursts import begins, observe
from models.cohorts import (
    AGES,
    DRIFT,
    REACHES,
    SIGNALS,
    CohortVersion,
)
from models.compiled import compiled
from models.decisions import DECISION, MADE, Decided
from models.due_heap import NOT_QUEUED, drop_first, push
from models.epoch_evidence import note_null
from models.evidence import betas_above, betas_below
from models.forecasting import BASELINE, Forecaster, Voices, forecast_row, is_due
from models.known_actors import NOBODY, KnownActors, Looked, meet
from models.parameters import DAY_MS, HOUR_MS, Parameters
from models.pushed_acts import LEFT_OUT, Found, acts_of_known_age
from models.records import joined
from models.tallies import SUMMED, unfold
from models.transition_words import transition_of
from models.transitions import (
    CELL,
    NULL,
    TOLD,
    VISIT_MS,
    due_bucket,
    end,
    enter,
    entered_by,
    forget_evidence,
    gather_evidence,
    has_collapsed,
    judge_scarcity,
    tell_burst,
)
from models.undecided import Undecided
from models.video_state import NEVER, UNWATCHED, VideoTable
from models.video_totals import Totals
from models.visits import (
    Lengths,
    Row,
    Watch,
    bands,
    begin_watch,
    fade,
    is_worth_watching,
    sum_signals,
    total,
    visit,
)
from models.vocabulary import ACTION_CODE, NO_SIGNAL, SIGNAL_OF_ACTION, Signal

_TOLD_MOST: Final = 2 * SIGNALS + 1
"""Transitions of one video in one bucket: each signal enters, and the episode ends."""

_DECIDED_AT_ONCE: Final = 65_536
"""Decisions made in one call of compiled code: 13 MB of them."""

_TOLD_AT_ONCE: Final = 1_024
"""Transitions told in one call of compiled code: 100 KB of them. Few decisions are transitions."""

_FORECAST_AT_ONCE: Final = 8_192
"""Forecasts made in one call of compiled code: 0.8 MB of what they looked at. Most decisions make
none."""

_DONE, _MORE_WATCHES, _MORE_ROOM = range(3)

_LIKED: Final = int(Signal.IDENTIFICATION)

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]
Records = npt.NDArray[np.void]
Flags = npt.NDArray[np.bool_]


Table = tuple[
    Records,
    Records,
    npt.NDArray[np.int32],
    npt.NDArray[np.int32],
    npt.NDArray[np.int32],
    npt.NDArray[np.bool_],
]
"""Of VideoTable: rows, watches, watch_of, free_watches, platform_of, dirty."""
CohortArrays = tuple[npt.NDArray[np.int64], Records, Floats, Floats, Floats]
"""`cohort_of`, int[platforms], by the table's code of the platform; and with an axis in front for
the cohort: CELL[cohorts, AGES, REACHES], and of cohorts.PlatformCohort intensity, shape, rhythm."""


@dataclass(frozen=True, slots=True)
class Cohorts:
    """The cohorts of a version, by the table's codes of platforms."""

    version: CohortVersion
    arrays: CohortArrays

    @classmethod
    def of(cls, version: CohortVersion, platforms: list[str]) -> "Cohorts":
        """Gather the cohorts of these platforms, in this order."""
        # Platforms of which nothing was learned share one: their names are free text.
        different = list({id(version.of(name)): version.of(name) for name in platforms}.values())
        number_of = {id(cohort): number for number, cohort in enumerate(different)}
        cells = np.zeros((len(different), AGES, REACHES), CELL)
        for number, cohort in enumerate(different):
            cells["propensity"][number] = np.moveaxis(cohort.propensity, 0, -1)
            cells["scarcity"][number] = cohort.scarcity
            _fill_cells(cells[number].reshape(-1), cohort.concentration)
        return cls(
            version,
            (
                np.array([number_of[id(version.of(name))] for name in platforms], np.int64),
                cells,
                np.stack([c.intensity for c in different]),
                np.stack([c.shape for c in different]),
                np.stack([c.rhythm for c in different]),
            ),
        )


@compiled
def _fill_cells(cells: Records, concentration: Floats) -> None:
    """Fill in the betas of CELL[n]; `concentration` is float[SIGNALS]."""
    for at in range(len(cells)):
        cell = cells[at]
        for signal in range(SIGNALS):
            null = cell.propensity[signal] * DRIFT
            betas_above(null, concentration[signal], cell.above[signal])
        betas_below(cell.scarcity / DRIFT, concentration[_LIKED], cell.below)


def decide_buckets(
    videos: VideoTable,
    undecided: Undecided,
    through_bucket: int,
    cohorts: Cohorts,
    parameters: Parameters,
    forecaster: Forecaster = BASELINE,
    known_actors: KnownActors = NOBODY,
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
        forecaster: What makes the forecasts.
        known_actors: How often people have acted before.
        log_c: Logarithm of the evidence that suffices (evidence.log_threshold).
    """
    order = undecided.order(through_bucket)
    if videos.row_count < len(videos.keys):  # compiled loops check no index
        videos.make_rows(int(undecided.entries["slot"][order].max(initial=-1)) + 1)
    videos.totals.reserve(undecided.tally_count)  # there is one for each action of each video
    heap = videos.due
    activity = np.zeros((len(videos.platforms), 24))
    null, summed = np.zeros(1, NULL), np.zeros(1, SUMMED)
    lengths = (
        parameters.bucket_ms,
        parameters.epoch_ms,
        max(VISIT_MS, parameters.bucket_ms),
        through_bucket,
        ACTION_CODE[parameters.level.action],
    )
    known = known_actors.looked_up
    last_look = np.empty(len(order), np.bool_)
    latest = np.empty(len(videos.rows), np.int64)
    _find_last_looks(order, undecided.entries, lengths, latest, last_look)
    deep = undecided.take_deep(through_bucket)
    found = acts_of_known_age(
        deep, undecided.entries["bucket"][order], undecided.entries["slot"][order]
    )
    left_out = np.zeros(1, LEFT_OUT)
    decisions, told, forecasts = [], [], []
    at, status, before = 0, _MORE_ROOM, 0
    while status != _DONE:
        if status == _MORE_WATCHES:
            videos.more_watches()
        room = np.empty(min(len(order) - at + heap.size + 1, _DECIDED_AT_ONCE), DECISION)
        words = np.zeros(min(_TOLD_MOST * len(room), _TOLD_AT_ONCE), TOLD)
        made = np.empty(min(len(room), _FORECAST_AT_ONCE), MADE)
        heap.reserve(len(room) + 1)
        at, heap.size, videos.free_watch_count, count, said, forecast, status = _decide(
            order,
            last_look,
            at,
            undecided.entries,
            undecided.tallies,
            undecided.people,
            (
                videos.rows,
                videos.watches,
                videos.watch_of,
                videos.free_watches,
                videos.platform_of,
                videos.dirty,
            ),
            videos.totals.columns,
            videos.free_watch_count,
            (heap.bucket, heap.slot, heap.queued),
            heap.size,
            cohorts.arrays,
            activity,
            null,
            summed,
            lengths,
            log_c,
            parameters.level.count,
            forecaster.voices,
            known,
            (found, left_out),
            parameters.burst_return_ms / DAY_MS,
            room,
            words,
            made,
        )
        decisions.append(room[:count])
        told.append(words[:said])
        told[-1]["decision"] += before
        forecasts.append(made[:forecast])
        forecasts[-1]["decision"] += before
        before += count
    undecided.drop(through_bucket)
    name = cohorts.version.name
    transitions = [transition_of(one, log_c, name) for one in joined(told)]
    decided = Decided(joined(decisions), transitions, activity, joined(forecasts), deep=deep)
    _explain(decided, forecaster, parameters)
    return decided


def _explain(decided: Decided, forecaster: Forecaster, parameters: Parameters) -> None:
    """Say of the forecasts that have come to suffice for an alert what spoke for them."""
    made = decided.forecasts
    now = decided.decisions["probability"][made["decision"]]
    # In the precision of the report, in which who tells the alert compares.
    enough = now.astype(np.float32) >= parameters.emerging_probability
    for at in np.flatnonzero(enough & (made["before"] < parameters.emerging_probability)).tolist():
        row = int(made["decision"][at])
        decided.explanations[row] = forecaster.explain(
            made["features"][at], decided.decisions[row], parameters.level.count
        )


@compiled
def _find_last_looks(
    order: Ints, entries: Records, lengths: Lengths, latest: Ints, last_look: Flags
) -> None:
    """Find the entries that are followed by no other of the same video and visit.

    Args:
        order: int64[n], the entries to be decided, in order.
        entries: Of Undecided.
        lengths: As for `_decide`.
        latest: int64[rows], to work in.
        last_look: bool[n], out.
    """
    bucket_ms, _, visit_ms, _, _ = lengths
    for number in order:
        latest[entries[number].slot] = NEVER
    for at in range(len(order) - 1, -1, -1):
        entry = entries[order[at]]
        visit = entry.bucket * bucket_ms // visit_ms
        last_look[at] = latest[entry.slot] != visit
        if entry.is_visit:
            latest[entry.slot] = visit


@compiled
def _decide(  # noqa: C901, PLR0912, PLR0915 - a merge of two queues: its state lives in locals
    order: Ints,
    last_look: Flags,
    at: int,
    entries: Records,
    tallies: Records,
    people: Records,
    table: Table,
    totals: Totals,
    free_watch_count: int,
    heap: tuple[Ints, Ints, Ints],
    heap_size: int,
    cohorts: CohortArrays,
    activity: Floats,
    null: Records,
    summed: Records,
    lengths: Lengths,
    log_c: float,
    level: int,
    voices: Voices,
    known: Looked,
    pushes: tuple[Found, Records],
    return_days: float,
    decisions: Records,
    told: Records,
    forecasts: Records,
) -> tuple[int, int, int, int, int, int, int]:
    """Decide entry after entry, and what is due between them, until done or out of room.

    Returns:
        How far `order` was worked off, the sizes of the heap and of the free watches, how many
        decisions, transitions and forecasts there are, and why it stopped.
    """
    rows, watches, watch_of, free_watches, platform_of, dirty = table
    heap_bucket, heap_slot, queued = heap
    cohort_of, cells, intensity, shape, rhythm = cohorts
    acted_by = SIGNAL_OF_ACTION[lengths[4]]
    count = said = made = 0
    status = _MORE_ROOM
    while count < len(decisions) and said + _TOLD_MOST <= len(told) and made < len(forecasts):
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
                _bring_nothing(decisions[count])
                _describe(decisions[count], rows[slot], slot, bucket)
            said += ended
            count += ended
            queued[slot] = NOT_QUEUED
        elif at < len(order):
            slot = int(entries[order[at]].slot)
            entry = summed[0]
            unfold(entries[order[at]], tallies, entry)
            sum_signals(entry, decisions[count])
            if watch_of[slot] == UNWATCHED and is_worth_watching(
                rows[slot], entry, decisions[count]
            ):
                if free_watch_count == 0:
                    status = _MORE_WATCHES
                    break
                free_watch_count -= 1
                watch_of[slot] = free_watches[free_watch_count]
                visit_at = entry.bucket * lengths[0] // lengths[2]
                begin_watch(watches[watch_of[slot]], rows[slot], visit_at)
            is_last = last_look[at]
            at += 1
            dirty[slot] = True
            total(rows[slot], entry, slot, totals)
            if not entry.is_visit:
                continue
            watched = watch_of[slot] != UNWATCHED
            watch = watches[max(watch_of[slot], 0)]
            platform, hour = platform_of[slot], entry.bucket * lengths[0] // HOUR_MS % 24
            activity[platform, hour] += entry.events
            visit(
                rows[slot],
                watch,
                watched,
                entry,
                people,
                lengths,
                null[0].ratios,
                (pushes[0], at - 1, pushes[1]),
                decisions[count],
            )
            if acted_by != NO_SIGNAL:
                meet(rows[slot], entry.person, people, acted_by, known)
            if watched:
                age, reach = bands(rows[slot], entry)
                cohort = cohort_of[platform]
                cell = cells[cohort, age, reach]
                _hold_against(null[0], watch, cell, intensity, shape, rhythm, cohort, age, hour)
                if is_last:
                    note_null(watch, null[0])
                gather_evidence(rows[slot], watch, null[0], cell, log_c, is_last)
            fade(rows[slot], watch, watched, entry, lengths[0], decisions[count])
            before = said
            if watched:
                said = _enter(rows[slot], watch, null[0], log_c, entry.last_ms, told, said)
                said = _burst(
                    rows[slot],
                    watch,
                    entry.bucket,
                    lengths[0],
                    return_days,
                    entry.last_ms,
                    decisions[count],
                    told,
                    said,
                )
            if has_collapsed(rows[slot], entry.bucket, lengths[0]):
                end(rows[slot], rows[slot].last_ms, told[said])
                said += 1
                if watched:
                    forget_evidence(watch)
            for number in range(before, said):
                told[number].decision = count
            rows[slot].due_bucket = due_bucket(rows[slot], lengths[0])
            if is_due(rows[slot], level):
                forecasts[made].decision = count
                forecasts[made].episode_ms = rows[slot].episode_ms
                forecasts[made].visit = rows[slot].visit
                forecasts[made].before_visit = rows[slot].forecast_visit
                forecasts[made].before_progress = (
                    rows[slot].forecast_progress - rows[slot].progress_before_episode
                )
                forecasts[made].before = rows[slot].probability
                forecasts[made].first = forecast_row(
                    rows[slot], level, voices, forecasts[made].features
                )
                made += 1
            _describe(decisions[count], rows[slot], slot, entry.bucket)
            decisions[count].roles = entry.roles
            count += 1
        else:
            status = _DONE
            break
        if rows[slot].due_bucket < queued[slot]:
            queued[slot] = rows[slot].due_bucket
            heap_size = push(heap_bucket, heap_slot, heap_size, queued[slot], slot)
    return at, heap_size, free_watch_count, count, said, made, status


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
def _hold_against(
    null: Any,  # noqa: ANN401 - a record
    watch: Watch,
    cell: Any,  # noqa: ANN401 - a record
    intensity: Floats,
    shape: Floats,
    rhythm: Floats,
    cohort: int,
    age: int,
    hour: int,
) -> None:
    """Fill in what a row is held against: its cohort's nulls and its own past."""
    busy = max(1.0, rhythm[cohort, hour])
    for signal in range(SIGNALS):
        null.propensity[signal] = cell.propensity[signal]
        null.shape[signal] = shape[cohort, signal]
        per_hour = intensity[cohort, signal, age] * busy
        # A young video has no past of its own: what it did an hour ago is the rise under test.
        own = watch.own_per_hour[signal] if age == AGES - 1 else 0.0
        null.per_hour[signal] = max(per_hour, own) * DRIFT
    null.scarcity = cell.scarcity


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
        if entered_by(row, watch, signal, log_c) > 0.0:
            enter(row, watch, signal, null, last_ms, told[said])
            said += 1
    return said


@compiled
def _bring_nothing(decision: Any) -> None:  # noqa: ANN401 - a record
    """Say that a bucket brought nothing."""
    decision.views = decision.progress = decision.roles = 0
    for signal in range(SIGNALS):
        decision.acted[signal] = 0
        decision.people[signal] = 0.0


@compiled
def _burst(
    row: Row,
    watch: Watch,
    bucket: int,
    bucket_ms: int,
    return_days: float,
    last_ms: int,
    decision: Any,  # noqa: ANN401 - a record
    told: Records,
    said: int,
) -> int:
    """Tell the bursts of a row's signals; return how many transitions are told by now.

    A signal nobody acted on is not looked at: its silence is caught up with when somebody does.
    """
    visit = bucket * bucket_ms // BURST_VISIT_MS
    for signal in range(SIGNALS):
        if decision.people[signal] > 0:
            observe(watch.bursts[signal], visit, decision.people[signal])
            if begins(watch.bursts[signal], return_days):
                tell_burst(row, watch, signal, return_days, last_ms, told[said])
                said += 1
    return said


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
    for signal in range(SIGNALS):
        decision.total_acted[signal] = row.acted[signal]
    decision.episode_progress = row.progress - row.progress_before_episode
    decision.deleted = row.deleted
    decision.activity_per_hour = row.activity_per_hour
    decision.pace_fast_per_hour = row.pace_fast_per_hour
    decision.pace_slow_per_hour = row.pace_slow_per_hour
    decision.probability = row.probability
    decision.episode, decision.stage, decision.route = row.episode, row.stage, row.route
    decision.state, decision.resting = row.state, row.resting
