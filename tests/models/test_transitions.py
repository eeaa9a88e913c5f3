"""The laws of transitions over many videos at once; the stories of single ones are in
test_bucket_decision.py."""

from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from building import BUCKET_MS, START_BUCKET, flat_cohort, visit_all
from hypothesis import given, settings
from hypothesis import strategies as st

from models.cohorts import DRIFT, SIGNALS
from models.evidence import log_threshold
from models.parameters import DAY_MS, HOUR_MS, Parameters
from models.transition_words import Transition
from models.transitions import (
    ACTIVITY_HALF_LIFE_MS,
    COLLAPSE,
    CROWD,
    RULES,
    due_bucket,
    entered_by,
    has_collapsed,
)
from models.video_state import NOT_DUE, WATCH, VideoTable
from models.vocabulary import Signal, State

LOG_C = log_threshold(0.001, DAY_MS / BUCKET_MS, RULES)
PARAMETERS = Parameters(bucket_ms=BUCKET_MS)
COHORT = flat_cohort()
PER_HOUR = COHORT.intensity[:, 0] * DRIFT


def fresh_rows(count: int) -> npt.NDArray[np.void]:
    table = VideoTable(count)
    table.slots([f"p\x1fv{number}" for number in range(count)])
    return table.rows


def visits(
    table: VideoTable, views: int, people: npt.NDArray[Any], bucket: int
) -> list[tuple[int, Transition]]:
    """Let every video have a visit; return what happened, with the slot of each."""
    made = visit_all(
        table, bucket, views, people.astype(np.int64), parameters=PARAMETERS, log_c=LOG_C
    )
    return [(int(made.decisions["slot"][t.row]), t) for t in made.transitions]


@pytest.mark.parametrize("multiple", [0.7, 1.0, 1.6, 4.0])
@pytest.mark.parametrize("shape", [0.7, 1.42, 20.0])
def test_a_transition_does_not_flap_on_a_stationary_stream(multiple: float, shape: float) -> None:
    """Over-dispersed streams under, at and above the nulls: each signal enters once, none ends."""
    rng = np.random.default_rng(int(multiple * 10 + shape * 100))
    n, table = 40, VideoTable()
    mean = np.tile(PER_HOUR * 1.25 * multiple / 12, (n, 1))
    seen: list[list[Transition]] = [[] for _ in range(n)]
    for bucket in range(START_BUCKET, START_BUCKET + 2 * 288):
        people = rng.poisson(mean * rng.gamma(shape, 1 / shape, (n, SIGNALS)))
        for slot, told in visits(table, 600, people, bucket):
            seen[slot].append(told)
    for transitions in seen:
        signals = [told.signal for told in transitions]
        assert len(signals) == len(set(signals))
        assert all(told.state is State.ACTIVE for told in transitions)
        assert all(told.episode == 1 for told in transitions)
        if multiple == 4.0:
            assert set(signals) == set(Signal), "four times the null must be seen within two days"


def test_a_stationary_stream_inside_the_nulls_keeps_the_promised_alarm_rate() -> None:
    """Both nulls at their boundary, where they are hardest to keep: 800 video-days at 0.001."""
    rng = np.random.default_rng(1)
    n, days, table = 400, 2, VideoTable()
    shape = np.tile(COHORT.shape, (n, 1))
    # A crowd is there from the beginning, and everyone is watched; how it came is no evidence.
    visits(table, 3_000, np.full((n, SIGNALS), CROWD), START_BUCKET - 1)
    for name in ("propensity_evidence", "intensity_evidence", "scarcity_evidence"):
        table.watches[name] = 0.0
    table.rows["entered"] = 0
    told = []
    for bucket in range(START_BUCKET, START_BUCKET + days * 288):
        people = rng.poisson(PER_HOUR / 12 * rng.gamma(shape, 1 / shape))
        told += visits(table, 300, people, bucket)
    # 0.8 allowed on average; a Poisson of 0.8 exceeds 5 once in five thousand runs.
    assert len([t for _, t in told if t.signal is not None]) <= 5


@given(
    rate=st.floats(1e-3, 1e6),
    times=st.floats(1.0, 1e4),
    bucket_ms=st.sampled_from([10_000, 60_000, 300_000, HOUR_MS]),
)
@settings(deadline=None)
def test_the_due_bucket_is_the_first_in_which_activity_has_collapsed(
    rate: float, times: float, bucket_ms: int
) -> None:
    row = fresh_rows(1)[0]
    row["activity_per_hour"], row["activity_peak_per_hour"] = rate, rate * times
    row["entered"][Signal.DIFFUSION] = 1
    row["last_bucket"] = START_BUCKET
    due = due_bucket(row, bucket_ms)
    keep = 0.5 ** (bucket_ms / ACTIVITY_HALF_LIFE_MS)
    waited = due - START_BUCKET
    assert waited > 0
    # Rounding aside: collapsed when due, and not yet in the bucket before (unless at once).
    assert rate * keep**waited <= COLLAPSE * rate * times * (1 + 1e-9)
    assert waited == 1 or rate * keep ** (waited - 1) >= COLLAPSE * rate * times * (1 - 1e-9)
    # And the rule itself agrees with the closed form.
    assert has_collapsed(row, due, bucket_ms)
    if waited > 2:
        assert not has_collapsed(row, due - 2, bucket_ms)


def test_only_an_open_episode_with_something_to_say_is_due() -> None:
    rows = fresh_rows(4)
    rows["activity_per_hour"] = rows["activity_peak_per_hour"] = 10.0
    rows["last_bucket"] = START_BUCKET
    rows["entered"][1, 0] = 1
    rows["ignored"][2] = 1
    rows["entered"][3, 0] = 1
    rows["state"][3] = list(State).index(State.FADED)
    due = [due_bucket(row, BUCKET_MS) for row in rows[:4]]
    assert due[0] == due[3] == NOT_DUE
    assert due[1] == due[2] < NOT_DUE


def watched(evidence: float, signal: Signal, *, of: tuple[str, ...]) -> np.void:
    watch = np.zeros(1, WATCH)
    for name in of:
        watch[name][:, signal] = evidence
    record: np.void = watch[0]
    return record


def test_few_people_are_no_crowd_however_strong_the_evidence() -> None:
    row = fresh_rows(1)[0]
    row["views"] = 500
    both = ("propensity_evidence", "intensity_evidence")
    watch = watched(3 * LOG_C, Signal.DIFFUSION, of=both)
    for people, enters in ((CROWD - 1, False), (CROWD, True)):
        row["acted"][Signal.DIFFUSION] = people
        strength = entered_by(row, watch, int(Signal.DIFFUSION), LOG_C)
        assert (strength == pytest.approx(3 * LOG_C, rel=1e-5)) if enters else strength == 0


def test_both_kinds_of_evidence_are_needed_where_there_are_exposures() -> None:
    row, signal = fresh_rows(1)[0], Signal.INTERACTION
    row["acted"][signal] = 10 * CROWD
    for views, of, enters in (
        (500, "propensity_evidence", False),
        (500, "intensity_evidence", False),
        (0, "intensity_evidence", True),
    ):
        row["views"] = views
        watch = watched(3 * LOG_C, signal, of=(of,))
        assert bool(entered_by(row, watch, int(signal), LOG_C)) == enters


def test_what_was_entered_or_deleted_is_not_entered() -> None:
    row, signal = fresh_rows(1)[0], Signal.INTERACTION
    row["acted"][signal] = 10 * CROWD
    watch = watched(3 * LOG_C, signal, of=("intensity_evidence",))
    row["deleted"] = 1
    assert entered_by(row, watch, int(signal), LOG_C) == 0
    row["deleted"], row["entered"][signal] = 0, 1
    assert entered_by(row, watch, int(signal), LOG_C) == 0


def test_views_counted_by_the_hour_are_no_evidence_of_response() -> None:
    """Likes come every five minutes, their views in one lump an hour: 0.5 % of viewers respond."""
    n, table = 20, VideoTable()
    people = np.zeros((n, SIGNALS))
    people[:, Signal.IDENTIFICATION] = 400
    told = []
    for visit in range(12 * 24):
        views = 12 * 80_000 if visit % 12 == 0 else 0
        told += visits(table, views, people, START_BUCKET + visit)
    assert not [t for _, t in told if t.signal is Signal.IDENTIFICATION]
    people[:, Signal.IDENTIFICATION] = 40_000
    for visit in range(12 * 24, 12 * 48):
        views = 12 * 80_000 if visit % 12 == 0 else 0
        told += visits(table, views, people, START_BUCKET + visit)
    assert len([t for _, t in told if t.signal is Signal.IDENTIFICATION]) == n


def test_a_lump_of_views_ahead_of_its_likes_is_not_ignored_for_good() -> None:
    n, table = 10, VideoTable()
    nobody, likes = np.zeros((n, SIGNALS)), np.zeros((n, SIGNALS))
    likes[:, Signal.IDENTIFICATION] = 8_000
    for visit in range(20):
        visits(table, 12_000, nobody, START_BUCKET + visit)
    assert table.rows["ignored"][:n].all()
    visits(table, 0, likes, START_BUCKET + 20)
    assert not table.rows["ignored"][:n].any()
