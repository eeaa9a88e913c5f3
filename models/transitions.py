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

from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final

import numpy as np
import numpy.typing as npt

from models import evidence, sketches
from models.cohorts import DRIFT, SIGNALS
from models.parameters import HOUR_MS
from models.video_state import NEVER, NOT_DUE
from models.visits import Visits
from models.vocabulary import JUNCTURE_INTO, STAGE_OF_SIGNAL, Route, Signal, Stage, State

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
Rows = npt.NDArray[np.void]

ROUTES: Final = tuple(Route)
STATES: Final = tuple(State)
_ACTIVE, _INTERRUPTED, _FADED, _REVIVED = range(4)
_UNDECIDED, _IDENTIFICATION, _EXCLUSION, _CONTESTED = range(4)

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


class Reason(StrEnum):
    """Why a transition happened: the closed set of rules."""

    RESPONSE_AND_INTENSITY = "response_and_intensity_above_cohort"
    INTENSITY = "intensity_above_cohort"
    COLLAPSE_AFTER_EXCLUSION = "activity_collapsed_after_exclusion"
    COLLAPSE_WHEN_IGNORED = "activity_collapsed_when_ignored"
    COLLAPSE = "activity_collapsed"
    DELETED = "deleted"


@dataclass(frozen=True, slots=True)
class Nulls:
    """The null of each row, from its cohort and its own past.

    Attributes:
        propensity: float[n, SIGNALS]. concentration: float[n, SIGNALS].
        scarcity: float[n].
        per_hour: float[n, SIGNALS], events per hour. shape: float[n, SIGNALS].
    """

    propensity: Floats
    concentration: Floats
    scarcity: Floats
    per_hour: Floats
    shape: Floats


@dataclass(frozen=True, slots=True)
class Transition:
    """One thing that happened to one video.

    `row` is its index among the rows handed in; `figures` what the decision was made on.
    """

    row: int
    time_ms: int
    stage: Stage
    state: State
    route: Route
    episode: int
    reason: Reason
    signal: Signal | None = None
    juncture: str | None = None
    figures: dict[str, float | str] = field(default_factory=dict)


def spans_ms(rows: Rows, bucket: int, bucket_ms: int) -> Ints:
    """Return the time each visit answers for: since the last visit, or the bucket itself at first.

    Counters arrive pre-counted for hours at a time, so an event's own bucket says little about
    when it happened; the silence before it belongs to the same observation.
    """
    last = rows["last_bucket"]
    return np.where(last == NEVER, 1, np.maximum(bucket - last, 1)) * bucket_ms


def exposures_of(rows: Rows, visits: Visits) -> Floats:
    """Return the exposures that each signal's people acted on: float[n, SIGNALS].

    They are the visit's views. Where fewer views than people came, people acted on earlier views
    (a platform may pre-count views by the hour): the video's own response so far says on how many.
    """
    views = np.broadcast_to(visits.views[:, None], visits.people.shape)
    ever = rows["views"][:, None] / np.maximum(rows["acted"], 1)
    return np.where(visits.people > views, np.maximum(visits.people * ever, views), views)


def gather_evidence(rows: Rows, visits: Visits, nulls: Nulls, span_ms: Ints) -> None:
    """Chain one visit onto the detectors of its rows, in place."""
    hours = (span_ms / HOUR_MS)[:, None]
    exposed = exposures_of(rows, visits)
    rows["propensity_evidence"] = evidence.cusum(
        rows["propensity_evidence"],
        evidence.propensity_log_ratios(
            visits.people, exposed, nulls.propensity * DRIFT, nulls.concentration
        ),
    )
    rows["intensity_evidence"] = evidence.cusum(
        rows["intensity_evidence"],
        evidence.intensity_log_ratios(visits.people, nulls.per_hour * hours, nulls.shape),
    )
    rows["scarcity_evidence"] = evidence.cusum(
        rows["scarcity_evidence"],
        evidence.scarcity_log_ratios(
            visits.acted[:, Signal.IDENTIFICATION],
            visits.views,
            nulls.scarcity / DRIFT,
            nulls.concentration[:, Signal.IDENTIFICATION],
        ),
    )


def fade_rates(rows: Rows, visits: Visits, span_ms: Ints) -> None:
    """Move the smoothed rates of the rows to the end of the visit, in place."""
    hours = span_ms / HOUR_MS

    def smooth(before: Floats, events: Floats, half_life_ms: int) -> Floats:
        keep = np.exp2(-span_ms / half_life_ms)
        return np.asarray(before * keep + (1 - keep) * events / hours)

    # The lowest lies at the end of the silence, just before the visit.
    silent = rows["activity_per_hour"] * np.exp2(-span_ms / ACTIVITY_HALF_LIFE_MS)
    rows["activity_trough_per_hour"] = np.minimum(rows["activity_trough_per_hour"], silent)
    activity = visits.views + visits.people.sum(axis=1)
    rows["activity_per_hour"] = smooth(rows["activity_per_hour"], activity, ACTIVITY_HALF_LIFE_MS)
    rows["activity_peak_per_hour"] = np.maximum(
        rows["activity_peak_per_hour"], rows["activity_per_hour"]
    )
    resting = rows["resting"]
    returned = resting & (rows["activity_per_hour"] >= RETURN * rows["activity_trough_per_hour"])
    _begin_episode(rows, returned, visits.last_ms)
    keep = np.exp2(-span_ms / OWN_HALF_LIFE_MS)[:, None]
    rows["own_per_hour"] = rows["own_per_hour"] * keep + (1 - keep) * visits.people / hours[:, None]


def _begin_episode(rows: Rows, begun: npt.NDArray[np.bool_], time_ms: Ints) -> None:
    """Let rows that rested count anew from here, in place."""
    rows["resting"] &= ~begun
    rows["episode_ms"] = np.where(begun, time_ms, rows["episode_ms"])
    for name, value in (
        ("progress_before_episode", "progress"),
        ("activity_peak_per_hour", "activity_per_hour"),
    ):
        rows[name] = np.where(begun, rows[value], rows[name])


def due_buckets(rows: Rows, bucket_ms: int) -> Ints:
    """Return when each row's activity will have collapsed if nothing more happens.

    Activity halves every ACTIVITY_HALF_LIFE_MS of silence, so the time is known in closed form.
    Rows without an episode to end, or with nothing to say at its end, are NOT_DUE.
    """
    open_episode = rows["entered"].any(axis=1) | rows["ignored"]
    open_episode &= (rows["state"] == _ACTIVE) | (rows["state"] == _REVIVED)
    with np.errstate(divide="ignore", invalid="ignore"):
        halvings = np.log2(rows["activity_per_hour"] / (COLLAPSE * rows["activity_peak_per_hour"]))
    halvings = np.where(np.isfinite(halvings), np.maximum(halvings, 0), 0)
    wait = np.floor(halvings * ACTIVITY_HALF_LIFE_MS / bucket_ms).astype(np.int64) + 1
    return np.where(open_episode, rows["last_bucket"] + wait, NOT_DUE)


def entries(
    rows: Rows, visits: Visits, nulls: Nulls, span_ms: Ints, log_c: float, version: str
) -> list[Transition]:
    """Enter stages where the evidence suffices; changes the rows in place.

    Args:
        rows: ROW[n], with the visit's evidence gathered.
        visits: The visit.
        nulls: What the evidence was held against.
        span_ms: int64[n], what the visit answers for.
        log_c: Logarithm of the threshold that keeps the promised alarm rate.
        version: Name of the cohort version the nulls come from.
    """
    exposed = rows["views"] > 0
    per_exposure = evidence.mixed(rows["propensity_evidence"])
    per_hour = evidence.mixed(rows["intensity_evidence"])
    strength = np.where(exposed[:, None], np.minimum(per_exposure, per_hour), per_hour)
    crowd = sketches.estimate(rows["people"].reshape(-1, sketches.REGISTERS))
    crowd = crowd.reshape(strength.shape) + rows["acted"] - rows["known_actors_acted"]
    enough = (strength >= log_c) & (crowd >= CROWD)
    # Views may come in lumps ahead of the actions on them: what the whole life of a video does not
    # show, one visit does not prove.
    response = rows["acted"][:, Signal.IDENTIFICATION] / np.maximum(rows["views"], 1)
    scarce = exposed & (response <= nulls.scarcity / DRIFT)
    rows["ignored"] |= evidence.mixed(rows["scarcity_evidence"]) >= log_c
    rows["ignored"] &= scarce
    enough &= ~rows["entered"] & ~rows["deleted"][:, None]
    found: list[Transition] = []
    for row in np.flatnonzero(enough.any(axis=1)).tolist():
        for signal in np.flatnonzero(enough[row]).tolist():
            figures = _figures(rows, visits, nulls, span_ms, row, signal)
            figures["log_evidence"] = round(float(strength[row, signal]), 2)
            figures["log_threshold"] = round(log_c, 2)
            figures["cohort_version"] = version
            reason = Reason.RESPONSE_AND_INTENSITY if exposed[row] else Reason.INTENSITY
            found.append(
                _enter(rows, row, Signal(signal), int(visits.last_ms[row]), nulls, reason, figures)
            )
    return found


def _figures(
    rows: Rows, visits: Visits, nulls: Nulls, span_ms: Ints, row: int, signal: int
) -> dict[str, float | str]:
    hours = float(span_ms[row]) / HOUR_MS
    people = float(visits.people[row, signal])
    return {
        "people": round(people, 1),
        "exposures": float(visits.views[row]),
        "hours": round(hours, 3),
        "per_exposure": round(people / max(float(visits.views[row]), people, 1.0), 5),
        "null_per_exposure": round(float(nulls.propensity[row, signal]) * DRIFT, 5),
        "per_hour": round(people / hours, 1),
        "null_per_hour": round(float(nulls.per_hour[row, signal]), 1),
        "reach": float(rows["views"][row]),
    }


def _enter(
    rows: Rows,
    row: int,
    signal: Signal,
    time_ms: int,
    nulls: Nulls,
    reason: Reason,
    figures: dict[str, float | str],
) -> Transition:
    r = rows[row : row + 1]
    stage = STAGE_OF_SIGNAL[signal]
    if r["state"][0] in (_FADED, _INTERRUPTED):
        r["state"] = _REVIVED
        r["stage"] = Stage.PRESENTATION
        r["route"] = _UNDECIDED
        r["episode"] += 1
        _begin_episode(r, r["resting"].copy(), np.array([time_ms]))
    elif r["episode"][0] == 0:
        r["episode"] = 1
    r["entered"][0, signal] = True
    r["stage"] = max(int(r["stage"][0]), stage)
    r["route"] = _route(r, nulls.propensity[row])
    r["since_ms"] = time_ms
    return Transition(
        row=row,
        time_ms=time_ms,
        stage=stage,
        state=STATES[int(r["state"][0])],
        route=ROUTES[int(r["route"][0])],
        episode=int(r["episode"][0]),
        reason=reason,
        signal=signal,
        juncture=JUNCTURE_INTO[stage].value,
        figures=figures,
    )


def _route(r: Rows, null_propensity: Floats) -> int:
    identified, excluded = r["entered"][0, Signal.IDENTIFICATION], r["entered"][0, Signal.EXCLUSION]
    if identified and excluded:
        return _CONTESTED
    if identified:
        return _IDENTIFICATION
    if excluded:
        return _EXCLUSION
    acted = r["acted"][0, : Signal.EXCLUSION + 1].astype(np.float64)
    weight = acted / np.maximum(null_propensity[: Signal.EXCLUSION + 1], 1e-6)
    if not weight.sum():
        return _UNDECIDED
    share = float(weight[Signal.EXCLUSION] / weight.sum())
    if share > ROUTE_SHARE:
        return _EXCLUSION
    return _IDENTIFICATION if share < 1 - ROUTE_SHARE else _CONTESTED


def collapses(rows: Rows, time_ms: Ints, decided_bucket: int, bucket_ms: int) -> list[Transition]:
    """End the episodes whose activity has collapsed by now; changes the rows in place.

    Args:
        rows: ROW[n], rates as of their last visit.
        time_ms: int64[n], the event time to give each transition.
        decided_bucket: The bucket being decided.
        bucket_ms: Its length.
    """
    silence_ms = np.maximum(decided_bucket - rows["last_bucket"], 0) * bucket_ms
    now = rows["activity_per_hour"] * np.exp2(-silence_ms / ACTIVITY_HALF_LIFE_MS)
    open_episode = (rows["state"] == _ACTIVE) | (rows["state"] == _REVIVED)
    fallen = now <= COLLAPSE * rows["activity_peak_per_hour"] * (1 + 1e-9)
    fallen |= rows["deleted"]
    anything = rows["entered"].any(axis=1) | rows["ignored"]
    return [
        _end(rows[row : row + 1], row, int(time_ms[row]))
        for row in np.flatnonzero(open_episode & fallen & anything).tolist()
    ]


def _end(r: Rows, row: int, time_ms: int) -> Transition:
    beyond_judgment = r["entered"][0, Signal.INTERACTION] or r["entered"][0, Signal.DIFFUSION]
    if r["deleted"][0]:
        state, reason = _FADED, Reason.DELETED
    elif not beyond_judgment and r["route"][0] == _EXCLUSION:
        state, reason = _INTERRUPTED, Reason.COLLAPSE_AFTER_EXCLUSION
    elif not r["entered"][0].any():
        state, reason = _INTERRUPTED, Reason.COLLAPSE_WHEN_IGNORED
    else:
        state, reason = _FADED, Reason.COLLAPSE
    figures: dict[str, float | str] = {
        "activity_per_hour": round(float(r["activity_per_hour"][0]), 2),
        "peak_per_hour": round(float(r["activity_peak_per_hour"][0]), 2),
        "collapse_share": COLLAPSE,
    }
    r["state"] = state
    r["since_ms"] = time_ms
    r["resting"] = True
    r["activity_trough_per_hour"] = r["activity_per_hour"]
    r["probability"] = 0.0
    r["entered"] = False
    r["ignored"] = False
    for name in ("propensity_evidence", "intensity_evidence", "scarcity_evidence"):
        r[name] = 0.0
    return Transition(
        row=row,
        time_ms=time_ms,
        stage=Stage(int(r["stage"][0])),
        state=STATES[state],
        route=ROUTES[int(r["route"][0])],
        episode=int(r["episode"][0]),
        reason=reason,
        figures=figures,
    )
