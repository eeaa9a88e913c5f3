"""The laws of transitions over many videos at once; the stories of single ones are in
test_bucket_decision.py."""

import numpy as np
import pytest
from building import BUCKET_MS, START_BUCKET, fresh_rows, shipped_nulls, visits_with
from hypothesis import given, settings
from hypothesis import strategies as st

from models.cohorts import SIGNALS
from models.evidence import log_threshold
from models.parameters import DAY_MS, HOUR_MS
from models.transitions import (
    ACTIVITY_HALF_LIFE_MS,
    COLLAPSE,
    CROWD,
    RULES,
    Nulls,
    Transition,
    collapses,
    due_buckets,
    entries,
    fade_rates,
    gather_evidence,
    spans_ms,
)
from models.video_state import NOT_DUE
from models.vocabulary import Signal, State

LOG_C = log_threshold(0.001, DAY_MS / BUCKET_MS, RULES)


def visit_all(
    rows: np.ndarray, views: float, people: np.ndarray, nulls: Nulls, bucket: int
) -> list[Transition]:
    """Let every row have a visit, as a bucket's decision does, and return what happened."""
    last_ms = bucket * BUCKET_MS + 1
    visits = visits_with(len(rows), views=views, people=people, last_ms=last_ms)
    span_ms = spans_ms(rows, bucket, BUCKET_MS)
    rows["views"] += int(views)
    rows["acted"] += people.astype(np.int64)
    rows["progress"] += int(views)
    rows["first_ms"] = np.where(rows["first_ms"] < 0, last_ms, rows["first_ms"])
    rows["last_ms"] = last_ms
    gather_evidence(rows, visits, nulls, span_ms)
    fade_rates(rows, visits, span_ms)
    rows["last_bucket"] = bucket
    told = entries(rows, visits, nulls, span_ms, LOG_C, "epoch:0")
    return told + collapses(rows, np.full(len(rows), last_ms), bucket, BUCKET_MS)


@pytest.mark.parametrize("multiple", [0.7, 1.0, 1.6, 4.0])
@pytest.mark.parametrize("shape", [0.7, 1.42, 20.0])
def test_a_transition_does_not_flap_on_a_stationary_stream(multiple: float, shape: float) -> None:
    """Over-dispersed streams under, at and above the nulls: each signal enters once, none ends."""
    rng = np.random.default_rng(int(multiple * 10 + shape * 100))
    n = 40
    rows, nulls = fresh_rows(n), shipped_nulls(n)
    mean = nulls.per_hour * 1.25 * multiple / 12
    seen: list[list[Transition]] = [[] for _ in range(n)]
    for bucket in range(START_BUCKET, START_BUCKET + 2 * 288):
        people = rng.poisson(mean * rng.gamma(shape, 1 / shape, (n, SIGNALS))).astype(float)
        for told in visit_all(rows, 600, people, nulls, bucket):
            seen[told.row].append(told)
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
    n, days = 400, 2
    rows, nulls = fresh_rows(n), shipped_nulls(n)
    told = []
    rows["acted"] += CROWD
    for bucket in range(START_BUCKET, START_BUCKET + days * 288):
        people = rng.poisson(nulls.per_hour / 12 * rng.gamma(nulls.shape, 1 / nulls.shape)).astype(
            float
        )
        told += visit_all(rows, 300, people, nulls, bucket)
    # 0.8 allowed on average; a Poisson of 0.8 exceeds 5 once in five thousand runs.
    assert len([t for t in told if t.signal is not None]) <= 5


@given(
    rates=st.lists(st.tuples(st.floats(1e-3, 1e6), st.floats(1.0, 1e4)), min_size=1, max_size=20),
    bucket_ms=st.sampled_from([60_000, 300_000, HOUR_MS]),
)
@settings(deadline=None)
def test_the_due_bucket_is_the_first_in_which_activity_has_collapsed(
    rates: list[tuple[float, float]], bucket_ms: int
) -> None:
    rows = fresh_rows(len(rates))
    rows["activity_per_hour"] = [rate for rate, _ in rates]
    rows["activity_peak_per_hour"] = [rate * times for rate, times in rates]
    rows["entered"][:, Signal.DIFFUSION] = True
    rows["last_bucket"] = START_BUCKET
    due = due_buckets(rows, bucket_ms)
    assert (due > START_BUCKET).all()
    for row in range(len(rates)):
        rate = rows["activity_per_hour"][row]
        keep = 0.5 ** (bucket_ms / ACTIVITY_HALF_LIFE_MS)
        peak = float(rows["activity_peak_per_hour"][row])
        waited = int(due[row]) - START_BUCKET
        # Rounding aside: collapsed when due, and not yet in the bucket before (unless at once).
        assert rate * keep**waited <= COLLAPSE * peak * (1 + 1e-9)
        assert waited == 1 or rate * keep ** (waited - 1) >= COLLAPSE * peak * (1 - 1e-9)
        # And the rule itself agrees with the closed form.
        early, late = rows[row : row + 1].copy(), rows[row : row + 1].copy()
        assert collapses(late, due[row : row + 1], int(due[row]), bucket_ms)
        if waited > 2:
            assert not collapses(early, due[row : row + 1], int(due[row]) - 2, bucket_ms)


def test_only_an_open_episode_with_something_to_say_is_due() -> None:
    rows = fresh_rows(4)
    rows["activity_per_hour"] = rows["activity_peak_per_hour"] = 10.0
    rows["last_bucket"] = START_BUCKET
    rows["entered"][1, 0] = True
    rows["ignored"][2] = True
    rows["entered"][3, 0] = True
    rows["state"][3] = list(State).index(State.FADED)
    due = due_buckets(rows, BUCKET_MS)
    assert (due[[0, 3]] == NOT_DUE).all()
    assert (due[[1, 2]] == due[1]).all()
    assert due[1] < NOT_DUE


def test_a_visit_answers_for_the_silence_before_it() -> None:
    rows = fresh_rows(3)
    rows["last_bucket"] = [-1, START_BUCKET - 1, START_BUCKET - 50]
    assert spans_ms(rows, START_BUCKET, BUCKET_MS).tolist() == [
        BUCKET_MS,
        BUCKET_MS,
        50 * BUCKET_MS,
    ]


def test_few_people_are_no_crowd_however_strong_the_evidence() -> None:
    rows, nulls = fresh_rows(2), shipped_nulls(2)
    visits = visits_with(2, views=500, people=[0, 0, 0, 0], last_ms=1)
    for name in ("propensity_evidence", "intensity_evidence"):
        rows[name][:, Signal.DIFFUSION] = 3 * LOG_C
    rows["views"] = 500
    rows["acted"][:, Signal.DIFFUSION] = [CROWD - 1, CROWD]
    told = entries(rows, visits, nulls, np.full(2, BUCKET_MS), LOG_C, "epoch:0")
    assert [t.row for t in told] == [1]


def test_both_kinds_of_evidence_are_needed_where_there_are_exposures() -> None:
    rows, nulls = fresh_rows(3), shipped_nulls(3)
    rows["views"] = [500, 500, 0]
    rows["acted"][:, Signal.INTERACTION] = 10 * CROWD
    rows["propensity_evidence"][0, Signal.INTERACTION] = 3 * LOG_C
    rows["intensity_evidence"][1:, Signal.INTERACTION] = 3 * LOG_C
    visits = visits_with(3, views=1, people=[0, 0, 0, 0], last_ms=1)
    told = entries(rows, visits, nulls, np.full(3, BUCKET_MS), LOG_C, "epoch:0")
    assert [t.row for t in told] == [2]


def test_views_counted_by_the_hour_are_no_evidence_of_response() -> None:
    """Likes come every five minutes, their views in one lump an hour: 0.5 % of viewers respond."""
    n = 20
    rows, nulls = fresh_rows(n), shipped_nulls(n)
    people = np.zeros((n, SIGNALS))
    people[:, Signal.IDENTIFICATION] = 400.0
    told: list[Transition] = []
    for visit in range(12 * 24):
        views = 12 * 80_000.0 if visit % 12 == 0 else 0.0
        told += visit_all(rows, views, people, nulls, START_BUCKET + visit)
    assert not [t for t in told if t.signal is Signal.IDENTIFICATION]
    people[:, Signal.IDENTIFICATION] = 40_000.0
    for visit in range(12 * 24, 12 * 48):
        views = 12 * 80_000.0 if visit % 12 == 0 else 0.0
        told += visit_all(rows, views, people, nulls, START_BUCKET + visit)
    assert len([t for t in told if t.signal is Signal.IDENTIFICATION]) == n


def test_a_lump_of_views_ahead_of_its_likes_is_not_ignored_for_good() -> None:
    n = 10
    rows, nulls = fresh_rows(n), shipped_nulls(n)
    nobody, likes = np.zeros((n, SIGNALS)), np.zeros((n, SIGNALS))
    likes[:, Signal.IDENTIFICATION] = 8_000.0
    for visit in range(20):
        visit_all(rows, 12_000.0, nobody, nulls, START_BUCKET + visit)
    assert rows["ignored"].all()
    visit_all(rows, 0.0, likes, nulls, START_BUCKET + 20)
    assert not rows["ignored"].any()
