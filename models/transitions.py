"""When a video enters a stage, is interrupted, fades or returns; each with its reason and figures.

A stage is entered when two things are shown at once, each by its own e-detector: that people act
more per exposure than the cohort's null, and that they act more per hour than the cohort's (and the
video's own) null. The evidence of both is the smaller one, which is an e-detector for the union of
the two nulls. Where a platform reports no exposures, the second alone decides.

Within an episode stages are only gained: a transition cannot flap. An episode ends when activity
has collapsed; what comes back after that begins a new one.

References:
    [1] seed 000, section 3.1: identification or exclusion, both of which may lead into interaction;
        exclusion may interrupt dissemination; section 2: the junctures.
    [2] J. Shin, A. Ramdas, A. Rinaldo, "E-detectors", 2022.
"""

import math
from enum import StrEnum
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from models import sketches
from models.bursts import hours_of, log_return_days
from models.cohorts import DRIFT, SIGNALS
from models.compiled import compiled
from models.evidence import (
    ALTERNATIVES,
    BETA_NUMBERS,
    can_reach,
    intensity_log_ratios,
    mixed,
    propensity_log_ratios,
)
from models.parameters import HOUR_MS, MINUTE_MS
from models.video_state import NOT_DUE
from models.vocabulary import STAGE_OF_SIGNAL, Route, Signal, State

Row = Any
"""One record of video_state.ROW, in place."""
Watch = Any
"""One record of video_state.WATCH, in place."""
Null = Any
"""One record of NULL."""
Cell = Any
"""One record of CELL."""
Told = Any
"""One record of TOLD."""

ROUTES: Final = tuple(Route)
STATES: Final = tuple(State)
_ACTIVE, _INTERRUPTED, _FADED, _REVIVED = range(4)
_UNDECIDED, _IDENTIFICATION, _EXCLUSION, _CONTESTED = range(4)
_BY_LIKE, _BY_DISLIKE, _BY_COMMENT, _BY_SHARE = (int(signal) for signal in Signal)
_STAGE_OF_SIGNAL: Final = tuple(int(STAGE_OF_SIGNAL[signal]) for signal in Signal)

ACTIVITY_HALF_LIFE_MS: Final = 6 * HOUR_MS
"""Activity is smoothed over a quarter of a day, so that a night is no collapse: smoothed like
this, the daily rhythm of tweets, shares and danmaku in the development data falls to 0.70, 0.78
and 0.56 of its highest, unsmoothed to 0.35, 0.41 and 0.07."""

COLLAPSE: Final = 0.1
"""An episode ends when smoothed activity falls under a tenth of its peak: entering takes evidence
above the cohort's thousandth, leaving takes a fall by ten, and nothing in between moves a video."""

RETURN: Final = 3.0
"""After an episode has ended, a video rests until its activity has tripled from its lowest: half
of the fall by ten, on a logarithmic scale, so that what still trickles down is not told as news
again."""

OWN_HALF_LIFE_MS: Final = 24 * HOUR_MS
"""A video's own past is what it did in the last day or so, over the daily rhythm."""

CROWD: Final = 150
"""A stage is public: its actions come from more people than may all know each other (R. Dunbar,
"Neocortex size as a constraint on group size in primates", 1992: about 150). It takes strangers,
weak ties, to form a value ecosystem (seed 000, section 3.1), and forty accounts that push are not
a crowd. Events whose actors are not known count as people."""

RULES: Final = SIGNALS + 1
"""Detectors that share the promised alarm rate: one per signal, and scarcity."""

ROUTE_SHARE: Final = 2 / 3
"""Without evidence for either judgment the route is the side with two thirds of the propensities,
each relative to its null; in between it is contested."""


VISIT_MS: Final = 5 * MINUTE_MS
"""A visit: what evidence is counted in. Its over-dispersion is learned between visits, so a visit
must be long enough for what happens in it to hang together; it is looked at bucket by bucket all
the same (models/evidence.py). Longer buckets are visits themselves."""

WATCH_ACTED: Final = 30
"""A video is watched, with evidence and sketches, once a signal has had so many events: a fifth of
the CROWD that a stage takes, so that what led to it is seen."""

ENTRY, END, BURST = 0, 1, 2
"""Kinds of what is told: a stage was entered, an episode has ended, or there is a burst."""

_LOG_LONGEST_RETURN_DAYS: Final = math.log(36_500.0)
"""What a week's tail says beyond a century is no figure to be told."""

_LOG_GREATEST: Final = math.log(max(ALTERNATIVES))

_ROUNDING: Final = 1e-3
"""More than evidence of the size of a threshold, some 15, is rounded by when it is kept in 32 bits
(1e-6)."""

FIGURES: Final = 10
"""Numbers that go with what is told."""

_BETAS: Final = (1 + len(ALTERNATIVES), BETA_NUMBERS)

CELL: Final = np.dtype(
    [
        ("propensity", np.float64, (SIGNALS,)),
        ("scarcity", np.float64),
        ("above", np.float64, (SIGNALS, *_BETAS)),
        ("below", np.float64, _BETAS),
    ]
)
"""Propensities of the videos of one age and reach: those of cohorts.PlatformCohort, and what
evidence.betas_above and betas_below make of them with its concentrations and the drift."""

NULL: Final = np.dtype(
    [
        ("propensity", np.float64, (SIGNALS,)),
        ("scarcity", np.float64),
        ("per_hour", np.float64, (SIGNALS,)),
        ("shape", np.float64, (SIGNALS,)),
        ("ratios", np.float64, (len(ALTERNATIVES),)),
    ]
)
"""What one video is held against in one bucket: its cohort's null and its own past.

`per_hour` is in events per hour; `shape` is that of cohorts.PlatformCohort; `ratios` is room to
work in.
"""

TOLD: Final = np.dtype(
    [
        ("decision", np.int64),
        ("time_ms", np.int64),
        ("figures", np.float64, (FIGURES,)),
        ("episode", np.int32),
        ("kind", np.uint8),
        ("reason", np.uint8),
        ("signal", np.uint8),
        ("stage", np.uint8),
        ("state", np.uint8),
        ("route", np.uint8),
    ]
)
"""A transition as compiled code tells it; `decision` is the row of the decision it belongs to."""


class Reason(StrEnum):
    """Why a transition happened: the closed set of rules."""

    RESPONSE_AND_INTENSITY = "response_and_intensity_above_cohort"
    INTENSITY = "intensity_above_cohort"
    COLLAPSE_AFTER_EXCLUSION = "activity_collapsed_after_exclusion"
    COLLAPSE_WHEN_IGNORED = "activity_collapsed_when_ignored"
    COLLAPSE = "activity_collapsed"
    DELETED = "deleted"
    BURST = "burst_beyond_own_past"


REASONS: Final = tuple(Reason)
_BY_RESPONSE, _BY_INTENSITY, _AFTER_EXCLUSION, _WHEN_IGNORED, _COLLAPSED, _DELETED, _BURST = range(
    7
)


@compiled
def kept(span_ms: int, half_life_ms: int) -> float:
    """Return which share of a smoothed rate is left after a span."""
    return math.pow(0.5, span_ms / half_life_ms)


@compiled
def smoothed(before: float, events: float, span_ms: int, keep: float) -> float:
    """Return a rate per hour after a span with so many events, of which `kept` share is left."""
    return before * keep + (1 - keep) * events / (span_ms / HOUR_MS)


@compiled
def begin_visit(watch: Watch) -> None:
    """Keep the evidence as it is now: the visit that begins is chained onto it, in place."""
    # One by one: numba would copy an array aside before it assigns it to another.
    for k in range(len(ALTERNATIVES)):
        watch.scarcity_before_visit[k] = watch.scarcity_evidence[k]
        for signal in range(SIGNALS):
            watch.propensity_before_visit[signal, k] = watch.propensity_evidence[signal, k]
            watch.intensity_before_visit[signal, k] = watch.intensity_evidence[signal, k]


@compiled
def gather_evidence(
    row: Row, watch: Watch, null: Null, cell: Cell, log_c: float, is_last: bool
) -> None:
    """Chain the visit, as far as it has come, onto the detectors: M = max(M, 1) * L, in place.

    The exposures that a signal's people acted on are the visit's views. Where fewer views than
    people came, people acted on earlier views (a platform may pre-count views by the hour): the
    video's own response so far says on how many.

    What the next visit is chained onto is the evidence of the last look. At a look that is
    followed by another one of the same visit (`is_last` is false) only such evidence is worked out
    as may bring a video into a stage, or call it ignored; other detectors may stay as they were at
    an earlier look: they are below `log_c`, and so they would be now.
    """
    for signal in range(SIGNALS):
        if is_last or _may_enter(row, watch, signal, log_c):
            _gather_intensity(row, watch, null, signal)
            if is_last or can_reach(watch.intensity_evidence[signal], log_c):
                _gather_propensity(row, watch, null, cell, signal)
    if is_last or (_is_scarce(row, null) and not row.ignored):
        views, ratios = row.visit_views, null.ratios
        propensity_log_ratios(row.visit_identified, views, cell.below, ratios)
        for k in range(len(ALTERNATIVES)):
            before = max(watch.scarcity_before_visit[k], 0.0)
            watch.scarcity_evidence[k] = before + ratios[k]


@compiled
def _may_enter(row: Row, watch: Watch, signal: int, log_c: float) -> bool:
    """Tell whether the evidence of intensity may suffice: a bound without a logarithm.

    A log ratio of intensity is at most count * log(alternative): what it takes off is positive.
    """
    if row.entered[signal]:
        return False
    before = 0.0
    for k in range(len(ALTERNATIVES)):
        before = max(before, float(watch.intensity_before_visit[signal, k]))
    may: bool = before + row.visit_people[signal] * _LOG_GREATEST >= log_c - _ROUNDING
    return may


@compiled
def _gather_intensity(row: Row, watch: Watch, null: Null, signal: int) -> None:
    expected, ratios = null.per_hour[signal] * row.visit_hours, null.ratios
    intensity_log_ratios(row.visit_people[signal], expected, null.shape[signal], ratios)
    for k in range(len(ALTERNATIVES)):
        before = max(watch.intensity_before_visit[signal, k], 0.0)
        watch.intensity_evidence[signal, k] = before + ratios[k]


@compiled
def _gather_propensity(row: Row, watch: Watch, null: Null, cell: Cell, signal: int) -> None:
    people, ratios = row.visit_people[signal], null.ratios
    propensity_log_ratios(people, _exposed(row, signal), cell.above[signal], ratios)
    for k in range(len(ALTERNATIVES)):
        before = max(watch.propensity_before_visit[signal, k], 0.0)
        watch.propensity_evidence[signal, k] = before + ratios[k]


@compiled
def _exposed(row: Row, signal: int) -> float:
    """Return the exposures that the people of a visit acted on, as `gather_evidence` says."""
    views, people = row.visit_views, row.visit_people[signal]
    exposed: float = views
    if people > views:
        exposed = max(people * row.views / max(row.acted[signal], 1), views)
    return exposed


@compiled
def fade_rates(row: Row, activity: float, last_ms: int, span_ms: int) -> None:
    """Move the smoothed activity of a row to the end of a visit's bucket, in place."""
    # The lowest lies at the end of the silence, just before the visit.
    keep = kept(span_ms, ACTIVITY_HALF_LIFE_MS)
    silent = row.activity_per_hour * keep
    row.activity_trough_per_hour = min(row.activity_trough_per_hour, silent)
    now = smoothed(row.activity_per_hour, activity, span_ms, keep)
    row.activity_per_hour = now
    row.activity_peak_per_hour = max(row.activity_peak_per_hour, now)
    if row.resting and now >= RETURN * row.activity_trough_per_hour:
        begin_episode(row, last_ms)


@compiled
def begin_episode(row: Row, time_ms: int) -> None:
    """Let a row that rested count anew from here, in place."""
    row.resting = 0
    row.episode_ms = time_ms
    row.progress_before_episode = row.progress
    row.activity_peak_per_hour = row.activity_per_hour


@compiled
def _has_something_to_end(row: Row) -> bool:
    is_open = row.state in (_ACTIVE, _REVIVED)
    return is_open and (_has_entered(row) or row.ignored != 0)


@compiled
def _has_entered(row: Row) -> bool:
    entered = 0
    for signal in range(SIGNALS):
        entered += row.entered[signal]
    return entered > 0


@compiled
def due_bucket(row: Row, bucket_ms: int) -> int:
    """Return when a row's activity will have collapsed if nothing more happens.

    Activity halves every ACTIVITY_HALF_LIFE_MS of silence, so the time is known in closed form.
    A row without an episode to end, or with nothing to say at its end, is NOT_DUE.
    """
    if not _has_something_to_end(row):
        return NOT_DUE
    halvings = 0.0
    if row.activity_per_hour > 0 and row.activity_peak_per_hour > 0:
        share = row.activity_per_hour / (COLLAPSE * row.activity_peak_per_hour)
        halvings = max(math.log2(share), 0.0)
    due: int = row.last_bucket + np.int64(halvings * ACTIVITY_HALF_LIFE_MS / bucket_ms) + 1
    return due


@compiled
def crowd(row: Row, watch: Watch, signal: int) -> float:
    """Return how many people have acted, but for suspects; events of unknown actors are people."""
    unknown: float = row.acted[signal] - watch.uncounted[signal] - watch.known_actors_acted[signal]
    return sketches.estimate(watch.people[signal]) + unknown


@compiled
def judge_scarcity(row: Row, watch: Watch, null: Null, log_c: float) -> None:
    """Note whether the video is ignored, in place.

    Views may come in lumps ahead of the actions on them: what the whole life of a video does not
    show, one visit does not prove.
    """
    if _is_scarce(row, null) and (row.ignored or mixed(watch.scarcity_evidence) >= log_c):
        row.ignored = 1
    else:
        row.ignored = 0


@compiled
def _is_scarce(row: Row, null: Null) -> bool:
    response = row.acted[_BY_LIKE] / max(row.views, 1)
    scarce: bool = row.views > 0 and response <= null.scarcity / DRIFT
    return scarce


@compiled
def entered_by(row: Row, watch: Watch, signal: int, log_c: float) -> float:
    """Return the evidence (a logarithm) by which a signal enters its stage now, or 0.0."""
    if row.entered[signal] or row.deleted:
        return 0.0
    # Nearly always one of the two is out of reach, which takes no exponentials to see.
    if not can_reach(watch.intensity_evidence[signal], log_c):
        return 0.0
    if row.views > 0 and not can_reach(watch.propensity_evidence[signal], log_c):
        return 0.0
    strength = mixed(watch.intensity_evidence[signal])
    if row.views > 0:
        strength = min(strength, mixed(watch.propensity_evidence[signal]))
    if strength < log_c or crowd(row, watch, signal) < CROWD:
        return 0.0
    return strength


@compiled
def enter(row: Row, watch: Watch, signal: int, null: Null, last_ms: int, told: Told) -> None:
    """Let a row enter the stage of a signal and tell it; both in place."""
    stage = _STAGE_OF_SIGNAL[signal]
    if row.state in (_FADED, _INTERRUPTED):
        row.state = _REVIVED
        row.stage = 0
        row.route = _UNDECIDED
        row.episode += 1
        if row.resting:
            begin_episode(row, last_ms)
    elif row.episode == 0:
        row.episode = 1
    row.entered[signal] = 1
    row.stage = max(row.stage, stage)
    row.route = _route(row, null)
    row.since_ms = last_ms
    told.kind, told.time_ms, told.stage, told.signal = ENTRY, last_ms, stage, signal
    told.state, told.route, told.episode = row.state, row.route, row.episode
    told.reason = _BY_RESPONSE if row.views > 0 else _BY_INTENSITY
    told.figures[0] = row.visit_people[signal]
    told.figures[1] = _exposed(row, signal)
    told.figures[2] = row.visit_hours
    told.figures[3] = null.propensity[signal]
    told.figures[4] = null.per_hour[signal]
    told.figures[5] = row.views
    told.figures[6] = mixed(watch.propensity_evidence[signal])
    told.figures[7] = _mixed_before(watch.propensity_before_visit[signal])
    told.figures[8] = mixed(watch.intensity_evidence[signal])
    told.figures[9] = _mixed_before(watch.intensity_before_visit[signal])


@compiled
def _mixed_before(before_visit: npt.NDArray[np.float32]) -> float:
    """Return the evidence that a visit was chained onto: M = max(M, 1) of each alternative."""
    return mixed(np.maximum(before_visit, np.float32(0.0)))


@compiled
def _route(row: Row, null: Null) -> int:
    if row.entered[_BY_LIKE] and row.entered[_BY_DISLIKE]:
        return _CONTESTED
    if row.entered[_BY_LIKE]:
        return _IDENTIFICATION
    if row.entered[_BY_DISLIKE]:
        return _EXCLUSION
    liked = row.acted[_BY_LIKE] / max(null.propensity[_BY_LIKE], 1e-6)
    disliked = row.acted[_BY_DISLIKE] / max(null.propensity[_BY_DISLIKE], 1e-6)
    if liked + disliked == 0:
        return _UNDECIDED
    share = disliked / (liked + disliked)
    if share > ROUTE_SHARE:
        return _EXCLUSION
    return _IDENTIFICATION if share < 1 - ROUTE_SHARE else _CONTESTED


@compiled
def tell_burst(
    row: Row, watch: Watch, signal: int, return_days: float, last_ms: int, told: Told
) -> None:
    """Tell a burst of a signal, in place; it moves the video to no stage."""
    burst = watch.bursts[signal]
    told.kind, told.time_ms, told.reason, told.signal = BURST, last_ms, _BURST, signal
    told.stage, told.state, told.route, told.episode = row.stage, row.state, row.route, row.episode
    told.figures[0], told.figures[1] = hours_of(burst)
    told.figures[2] = math.exp(min(log_return_days(burst), _LOG_LONGEST_RETURN_DAYS))
    told.figures[3] = return_days


@compiled
def has_collapsed(row: Row, decided_bucket: int, bucket_ms: int) -> bool:
    """Tell whether a row has an episode whose activity has collapsed by the end of a bucket."""
    if not _has_something_to_end(row):
        return False
    silence_ms = max(decided_bucket - row.last_bucket, 0) * bucket_ms
    now = row.activity_per_hour * 0.5 ** (silence_ms / ACTIVITY_HALF_LIFE_MS)
    collapsed: bool = row.deleted != 0 or now <= COLLAPSE * row.activity_peak_per_hour * (1 + 1e-9)
    return collapsed


@compiled
def end(row: Row, time_ms: int, told: Told) -> None:
    """End the episode of a row that has collapsed and tell it; both in place."""
    beyond_judgment = row.entered[_BY_COMMENT] or row.entered[_BY_SHARE]
    if row.deleted:
        state, reason = _FADED, _DELETED
    elif not beyond_judgment and row.route == _EXCLUSION:
        state, reason = _INTERRUPTED, _AFTER_EXCLUSION
    elif not _has_entered(row):
        state, reason = _INTERRUPTED, _WHEN_IGNORED
    else:
        state, reason = _FADED, _COLLAPSED
    told.kind, told.time_ms, told.stage, told.reason = END, time_ms, row.stage, reason
    told.state, told.route, told.episode = state, row.route, row.episode
    told.figures[0] = row.activity_per_hour
    told.figures[1] = row.activity_peak_per_hour
    row.state = state
    row.since_ms = time_ms
    row.resting = 1
    row.activity_trough_per_hour = row.activity_per_hour
    row.probability = 0.0
    row.entered[:] = 0
    row.ignored = 0


@compiled
def forget_evidence(watch: Watch) -> None:
    """Begin the evidence of a row anew after its episode has ended, in place.

    What the visit at hand says against the nulls is lost, what it says for them stays: the e-value
    of the epoch (models/epoch_evidence.py) may lose the first, but not the second. To an e-detector
    anything up to 0 is the same.
    """
    watch.intensity_evidence[:] = 0.0
    watch.scarcity_evidence[:] = 0.0
    for signal in range(SIGNALS):
        for k in range(len(ALTERNATIVES)):
            before = max(watch.propensity_before_visit[signal, k], np.float32(0.0))
            came = watch.propensity_evidence[signal, k] - before
            watch.propensity_evidence[signal, k] = min(came, np.float32(0.0))
    begin_visit(watch)
