"""The e-value of a video in an epoch: what all of its visits in it say together, and no more.

An e-detector forgets what spoke against a change, so its expectation grows with time and e-BH
(models/false_discovery.py) must not be fed with it. What is kept here begins at 1 where the epoch
begins, or where the video comes to be watched, and is multiplied by the likelihood ratio of each
visit to the same composite nulls (models/transitions.py). For each signal the means over the
alternatives are taken at the epoch's end, of propensity and of intensity; the smaller of the two is
an e-value for the union of both nulls, and where a platform reports no exposures intensity decides
alone. The mean over the signals is the video's e-value: its null is that each of its signals is
inside one of its two nulls in every visit of the epoch, given all that came before.

An epoch ends at a fixed time, not at an event, so silence must be answered for: the last event of a
visit is known to be the last only when its time is over. A visit counts up to the end of its time,
and what is silent after it until the epoch's end as one visit more, in which nothing came. The
visit in which a video comes to be watched is left out: it was chosen by what happened in it.

References:
    [1] R. Wang, A. Ramdas, "False discovery rate control with e-values", JRSS B 2022.
    [2] A. Ramdas et al., "Game-theoretic statistics and safe anytime-valid inference", 2023:
        products of conditional e-values are one at every stopping time, hence at a fixed time.
"""

import math
from typing import Any, Final, NamedTuple

import numpy as np
import numpy.typing as npt

from models.cohorts import SIGNALS
from models.compiled import compiled
from models.evidence import ALTERNATIVES, Ratios, intensity_log_ratios, mixed
from models.parameters import HOUR_MS, Parameters
from models.video_state import NEVER, UNWATCHED, VideoTable

Row = Any
"""One record of video_state.ROW, in place."""
Watch = Any
"""One record of video_state.WATCH, in place."""
Records = npt.NDArray[np.void]
Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
Sums = npt.NDArray[np.float32] | Floats
"""float[SIGNALS, len(ALTERNATIVES)]: in 32 bits where they are kept, in 64 at the end."""
Lengths = tuple[int, int, int]
"""bucket_ms, epoch_ms, visit_ms."""

CANDIDATES_MAX: Final = 16_384
"""Candidates of an epoch that are told at the most, an equal share by each partition, the strongest
first: 2 MB of them. Leaving one out takes its e-value for 0, which keeps the promise."""


class Candidate(NamedTuple):
    """A video that may be discovered.

    Attributes:
        video: Its key.
        log_e_value: Logarithm of its e-value.
        signal: The signal that speaks loudest.
        title: For people; empty where none is known.
    """

    video: str
    log_e_value: float
    signal: int
    title: str


class EpochEvidence(NamedTuple):
    """What one partition, or a part of what it says, knows of an epoch that ended.

    Attributes:
        epoch: Which.
        tested: How many videos were watched, whether anything happened to them or not.
        candidates: Those of them that may be discovered.
    """

    epoch: int
    tested: int
    candidates: list[Candidate]


@compiled
def begin_test(watch: Watch, visit: int) -> None:
    """Begin the e-value of a video that comes to be watched in a visit, in place."""
    watch.epoch_propensity[:] = 0.0
    watch.epoch_intensity[:] = 0.0
    watch.null_per_hour[:] = 0.0
    watch.null_shape[:] = 0.0
    watch.answered_hours = 0.0
    watch.first_visit = visit


@compiled
def note_null(watch: Watch, null: Any) -> None:  # noqa: ANN401 - a record of transitions.NULL
    """Keep the null of a visit's last look: the silence after it is held against it, in place."""
    for signal in range(SIGNALS):
        watch.null_per_hour[signal] = null.per_hour[signal]
        watch.null_shape[signal] = null.shape[signal]


@compiled
def end_visit(row: Row, watch: Watch, epoch: int, lengths: Lengths, ratios: Ratios) -> None:
    """Multiply the visit that is over into the e-value, before another one begins; in place.

    Args:
        row: As the visit left it.
        watch: Likewise.
        epoch: The one in which the next visit begins: with another one the e-value begins anew.
        lengths: Of buckets, epochs and visits.
        ratios: Room to work in.
    """
    bucket_ms, epoch_ms, _ = lengths
    if row.epoch == epoch:
        rest_hours = _rest_hours(row, lengths)
        if row.visit != watch.first_visit:
            _add(row, watch, rest_hours, ratios, watch.epoch_propensity, watch.epoch_intensity)
        watch.answered_hours = rest_hours
        return
    watch.epoch_propensity[:] = 0.0
    watch.epoch_intensity[:] = 0.0
    watch.answered_hours = 0.0
    if row.last_bucket != NEVER:
        silent_ms = epoch * epoch_ms - (row.last_bucket + 1) * bucket_ms
        watch.answered_hours = max(silent_ms, 0) / HOUR_MS


@compiled
def _rest_hours(row: Row, lengths: Lengths) -> float:
    """Return how much of a row's visit comes after the last bucket in which anything happened."""
    bucket_ms, epoch_ms, visit_ms = lengths
    over_ms = min((row.visit + 1) * visit_ms, (row.epoch + 1) * epoch_ms)
    rest_hours: float = max(over_ms - (row.last_bucket + 1) * bucket_ms, 0) / HOUR_MS
    return rest_hours


@compiled
def _add(
    row: Row,
    watch: Watch,
    rest_hours: float,
    ratios: Ratios,
    propensity: Sums,
    intensity: Sums,
) -> None:
    """Add what the visit of a row says when its rest is silent, in place."""
    hours = max(row.visit_hours - watch.answered_hours + rest_hours, 0.0)
    for signal in range(SIGNALS):
        expected, shape = watch.null_per_hour[signal] * hours, watch.null_shape[signal]
        intensity_log_ratios(row.visit_people[signal], expected, shape, ratios)
        for k in range(len(ALTERNATIVES)):
            intensity[signal, k] += ratios[k]
            # What the visit has added to its e-detector.
            before = max(watch.propensity_before_visit[signal, k], np.float32(0.0))
            propensity[signal, k] += watch.propensity_evidence[signal, k] - before


@compiled
def _sum_up(
    row: Row, watch: Watch, lengths: Lengths, ratios: Ratios, propensity: Floats, intensity: Floats
) -> None:
    """Fill in the log likelihood ratios of an epoch that is over, silence included."""
    _, epoch_ms, visit_ms = lengths
    propensity[:] = watch.epoch_propensity
    intensity[:] = watch.epoch_intensity
    if row.visit != watch.first_visit:
        _add(row, watch, _rest_hours(row, lengths), ratios, propensity, intensity)
    silent_ms = (row.epoch + 1) * epoch_ms - (row.visit + 1) * visit_ms
    silent_hours = max(silent_ms, 0) / HOUR_MS
    for signal in range(SIGNALS):
        expected, shape = watch.null_per_hour[signal] * silent_hours, watch.null_shape[signal]
        intensity_log_ratios(0.0, expected, shape, ratios)
        for k in range(len(ALTERNATIVES)):
            intensity[signal, k] += ratios[k]


@compiled
def _find(
    rows: Records,
    watches: Records,
    watched: Ints,
    watch_of: npt.NDArray[np.int32],
    lengths: Lengths,
    least: float,
    slots: Ints,
    log_e_values: Floats,
    signals: Ints,
) -> int:
    """Find the videos whose e-values suffice to be candidates; return how many there are.

    Args:
        rows: Of VideoTable.
        watches: Likewise.
        watched: int64[n], slots of videos that are watched and were active in the epoch.
        watch_of: Of VideoTable.
        lengths: Of buckets, epochs and visits.
        least: Logarithm of the e-value that suffices.
        slots: int64[n], out.
        log_e_values: float[n], out.
        signals: int64[n], out: the signal that speaks loudest.
    """
    ratios = np.zeros(len(ALTERNATIVES))
    propensity = np.zeros((SIGNALS, len(ALTERNATIVES)))
    intensity = np.zeros((SIGNALS, len(ALTERNATIVES)))
    of_signal = np.zeros(SIGNALS)
    found = 0
    for slot in watched:
        row, watch = rows[slot], watches[watch_of[slot]]
        _sum_up(row, watch, lengths, ratios, propensity, intensity)
        loudest = 0
        for signal in range(SIGNALS):
            of_signal[signal] = mixed(intensity[signal])
            if row.views > 0:
                of_signal[signal] = min(of_signal[signal], mixed(propensity[signal]))
            if of_signal[signal] > of_signal[loudest]:
                loudest = signal
        log_e_value = mixed(of_signal)
        if log_e_value >= least:
            slots[found], log_e_values[found], signals[found] = slot, log_e_value, loudest
            found += 1
    return found


def evidence_of(
    videos: VideoTable, epochs: range, visit_ms: int, parameters: Parameters
) -> list[EpochEvidence]:
    """Return what the videos of a partition show of epochs, all of which has been decided.

    Candidates are those that e-BH might reject if all were: with an e-value of 1 / rate or more.

    Args:
        videos: All videos of the partition.
        epochs: In all but the first nothing happened.
        visit_ms: Length of a visit.
        parameters: Lengths, the rate, and when silent videos are forgotten.

    Returns:
        Of every epoch in which a video was watched: also a partition that has nothing to say counts
        what it has tested, and how many epochs pass at a time shows in nothing.
    """
    watched = np.flatnonzero(videos.watch_of[: len(videos.keys)] != UNWATCHED)
    last_buckets = videos.rows["last_bucket"][watched]
    told = []
    for epoch in epochs:
        # In an epoch that is passed over, videos are forgotten as if it had been entered.
        begin_ms = epoch * parameters.epoch_ms
        forgotten_before = (begin_ms - parameters.expire_after_ms) // parameters.bucket_ms
        tested = int(np.count_nonzero(last_buckets >= forgotten_before))
        if tested:
            told.append(EpochEvidence(epoch, tested, []))
    if told and told[0].epoch == epochs[0]:
        # A video in silence is tested, too: had it been loud, it would have counted.
        active = watched[videos.rows["epoch"][watched] == epochs[0]]
        told[0].candidates.extend(_candidates(videos, active, visit_ms, parameters))
    return told


def _candidates(
    videos: VideoTable, active: Ints, visit_ms: int, parameters: Parameters
) -> list[Candidate]:
    """Return the candidates among videos (int64[n], slots), the strongest first."""
    slots, signals = np.empty(len(active), np.int64), np.empty(len(active), np.int64)
    log_e_values = np.empty(len(active))
    lengths = (parameters.bucket_ms, parameters.epoch_ms, visit_ms)
    least = -math.log(parameters.false_discovery_rate)
    found = _find(
        videos.rows,
        videos.watches,
        active,
        videos.watch_of,
        lengths,
        least,
        slots,
        log_e_values,
        signals,
    )
    candidates = [
        Candidate(videos.keys[slot] or "", log_e_value, signal, _title(videos, slot))
        for slot, log_e_value, signal in zip(
            slots[:found].tolist(),
            log_e_values[:found].tolist(),
            signals[:found].tolist(),
            strict=True,
        )
    ]
    candidates.sort(key=lambda one: (-one.log_e_value, one.video))
    return candidates[: -(-CANDIDATES_MAX // parameters.partitions)]


def _title(videos: VideoTable, slot: int) -> str:
    return str(videos.profiles.get(slot, {}).get("title", ""))
