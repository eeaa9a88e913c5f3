import json
import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from models.cohort_learning import HALF_LIFE_MS, MOST_PLATFORMS
from models.junctures import (
    BINS,
    CLOCK,
    FIRST_MS,
    LEAST_PASSED,
    NO_CLOCK,
    NO_PLATFORM,
    JunctureMemory,
    bin_of,
    place_of,
    span_of,
)
from models.parameters import DAY_MS, HOUR_MS, MINUTE_MS
from models.vocabulary import Stage

EPOCH_MS = 6 * HOUR_MS
HORIZON_MS = 7 * DAY_MS
START_MS = 1_693_353_600_000 // EPOCH_MS * EPOCH_MS


def clocks(count: int = 1) -> Any:  # noqa: ANN401 - a record array
    return np.zeros(count, np.dtype(list(CLOCK)))


def learned(
    spans_ms: list[int], ends_ms: list[int] | None = None, running_ms: list[int] | None = None
) -> JunctureMemory:
    """Return what is known after clocks of judgment that stopped, ended or still run."""
    memory = JunctureMemory(EPOCH_MS)
    for span_ms in spans_ms:
        (row,) = clocks()
        memory.enter(row, "p", Stage.JUDGMENT, START_MS)
        memory.enter(row, "p", Stage.INTERACTION, START_MS + span_ms)
    for span_ms in ends_ms or []:
        (row,) = clocks()
        memory.enter(row, "p", Stage.JUDGMENT, START_MS)
        memory.end(row, START_MS + span_ms)
    rows = clocks(len(running_ms or []))
    for row, span_ms in zip(rows, running_ms or [], strict=True):
        memory.enter(row, "p", Stage.JUDGMENT, START_MS - span_ms)
    memory.pass_epoch(rows, START_MS)
    return memory


def coming(
    memory: JunctureMemory, spent_ms: int = 0, horizon_ms: int = HORIZON_MS
) -> dict[str, Any] | None:
    (row,) = clocks()
    memory.enter(row, "p", Stage.JUDGMENT, START_MS)
    return memory.next_of(row, START_MS + spent_ms, horizon_ms)


@given(st.floats(0, 60 * DAY_MS))
def test_places_and_times_spent_belong_together(span_ms: float) -> None:
    place = place_of(span_ms)
    assert float(span_of(np.array([place]))[0]) == pytest.approx(span_ms, rel=1e-9, abs=1e-6)
    whole = int(span_ms)
    assert int(bin_of(np.array([whole]))[0]) == pytest.approx(place_of(whole), abs=1 + 1e-9)


def test_too_few_say_nothing() -> None:
    assert coming(learned([HOUR_MS] * (LEAST_PASSED - 1))) is None
    # What is counted fades with the epoch at hand.
    said = coming(learned([HOUR_MS] * (LEAST_PASSED + 1)))
    assert said is not None
    assert said["juncture"] == "sublimation"
    assert said["probability_within_horizon"] == pytest.approx(1)
    assert said["hours"]["p50"] == pytest.approx(1, rel=0.5)
    assert coming(JunctureMemory(EPOCH_MS)) is None
    (row,) = clocks()
    assert learned([HOUR_MS] * 20).next_of(row, START_MS, HORIZON_MS) is None


def test_the_ends_of_episodes_count_against_and_clocks_that_run_are_at_risk() -> None:
    half = coming(learned([HOUR_MS] * 40, ends_ms=[2 * HOUR_MS] * 40))
    assert half is not None
    assert half["probability_within_horizon"] == pytest.approx(0.5, abs=0.02)
    # Forty more have waited for days, and did not go on at an hour either.
    running = coming(learned([HOUR_MS] * 40, running_ms=[5 * DAY_MS] * 40))
    assert running is not None
    assert running["probability_within_horizon"] == pytest.approx(0.5, abs=0.02)
    # Those that began a moment ago say nothing of what happens after an hour.
    fresh = coming(learned([HOUR_MS] * 40, running_ms=[5 * MINUTE_MS] * 40))
    assert fresh is not None
    assert fresh["probability_within_horizon"] == pytest.approx(1, abs=0.02)


def test_the_time_already_spent_changes_what_comes() -> None:
    memory = learned([HOUR_MS] * 60 + [2 * DAY_MS] * 20, ends_ms=[4 * DAY_MS] * 20)
    early, late = coming(memory), coming(memory, spent_ms=6 * HOUR_MS)
    assert early is not None
    assert late is not None
    assert early["probability_within_horizon"] == pytest.approx(0.8, abs=0.03)
    assert late["probability_within_horizon"] == pytest.approx(0.5, abs=0.03)
    assert early["hours"]["p50"] < 2
    assert late["hours"]["p50"] == pytest.approx(42, rel=0.4)
    soon = coming(memory, spent_ms=6 * HOUR_MS, horizon_ms=HOUR_MS)
    assert soon is None


@settings(deadline=None, max_examples=20)
@given(seed=st.integers(0, 1_000), mean_hours=st.floats(1, 50))
def test_simulated_durations_are_found_again_though_most_still_run(
    seed: int, mean_hours: float
) -> None:
    """Exponential durations, watched for twice their mean from entries spread over time."""
    random = np.random.default_rng(seed)
    memory, rows = JunctureMemory(EPOCH_MS), clocks(600)
    window_ms = 2 * mean_hours * HOUR_MS
    spans = random.exponential(mean_hours * HOUR_MS, len(rows))
    begins = random.uniform(0, window_ms, len(rows))
    for row, span_ms, begin in zip(rows, spans, begins, strict=True):
        memory.enter(row, "p", Stage.JUDGMENT, START_MS - int(window_ms) + int(begin))
        if begin + span_ms <= window_ms:
            over_ms = START_MS - int(window_ms) + int(begin + span_ms)
            memory.enter(row, "p", Stage.DIFFUSION, over_ms)
    memory.pass_epoch(rows, START_MS)
    horizon_ms = int(mean_hours * HOUR_MS)
    said = coming(memory, horizon_ms=horizon_ms)
    assert said is not None
    assert said["probability_within_horizon"] == pytest.approx(1 - math.exp(-1), abs=0.08)
    inside = np.log(1 / (1 - np.array([0.25, 0.5, 0.75]) * (1 - math.exp(-1)))) * mean_hours
    assert list(said["hours"].values()) == pytest.approx(inside, rel=0.3)


@given(
    st.lists(st.integers(0, 40 * DAY_MS), min_size=1, max_size=30), st.sets(st.integers(0, 40 * 4))
)
def test_when_epochs_pass_plays_no_part_but_for_fading(spans: list[int], passed: set[int]) -> None:
    """A clock is counted once into each bin, whether epochs pass while it runs or not."""
    memory, plain = JunctureMemory(EPOCH_MS), JunctureMemory(EPOCH_MS)
    memory._fade = plain._fade = 1.0  # noqa: SLF001 - what is compared are the counts
    rows = clocks(len(spans))
    for row in rows:
        memory.enter(row, "p", Stage.JUDGMENT, START_MS)
    now = sorted([(span, 1, at) for at, span in enumerate(spans)])
    ticks = [(epoch * EPOCH_MS, 0, -1) for epoch in passed]
    for time_ms, _, at in sorted([*now, *ticks]):
        if at < 0:
            memory.pass_epoch(rows, START_MS + time_ms)
        else:
            memory.end(rows[at], START_MS + time_ms)
            (row,) = clocks()
            plain.enter(row, "p", Stage.JUDGMENT, START_MS)
            plain.end(row, START_MS + time_ms)
    assert memory.entered.tolist() == plain.entered.tolist()
    assert memory.stopped.tolist() == plain.stopped.tolist()
    assert (rows["clock"] == NO_CLOCK).all()


def test_half_of_what_is_known_is_gone_after_a_week() -> None:
    memory = learned([HOUR_MS] * 64)
    before = memory.stopped.sum()
    for _ in range(HALF_LIFE_MS // EPOCH_MS):
        memory.pass_epoch(clocks(0), START_MS)
    assert memory.stopped.sum() == pytest.approx(before / 2)


def test_what_was_passed_over_stops_the_clock_and_the_last_stage_has_none() -> None:
    memory = JunctureMemory(EPOCH_MS)
    (row,) = clocks()
    memory.enter(row, "p", Stage.PRESENTATION, START_MS)
    memory.enter(row, "p", Stage.INTERACTION, START_MS + HOUR_MS)
    memory.enter(row, "p", Stage.JUDGMENT, START_MS + 2 * HOUR_MS)
    assert row["clock"] == Stage.INTERACTION + 1
    assert row["since_ms"] == START_MS + HOUR_MS
    memory.enter(row, "p", Stage.DIFFUSION, START_MS + 3 * HOUR_MS)
    assert row["clock"] == NO_CLOCK
    assert memory.stopped[0].sum(axis=(0, 2)).tolist() == [1, 0, 1]


def test_platforms_beyond_the_limit_are_passed_over() -> None:
    memory = JunctureMemory(EPOCH_MS)
    for number in range(MOST_PLATFORMS + 1):
        (row,) = clocks()
        memory.enter(row, f"p{number}", Stage.JUDGMENT, START_MS)
        assert (row["clock"] == NO_CLOCK) == (number == MOST_PLATFORMS)
    assert memory.code("another") == NO_PLATFORM
    assert memory.entered.shape == (MOST_PLATFORMS, 3, BINS)


def test_what_was_saved_is_what_is_known() -> None:
    memory = learned([HOUR_MS, FIRST_MS // 2] * 20, [DAY_MS] * 5, [3 * DAY_MS] * 7)
    again = JunctureMemory(EPOCH_MS)
    again.load_dict(json.loads(json.dumps(memory.to_dict())))
    assert again.to_dict() == memory.to_dict()
    assert coming(again) == coming(memory)
    empty = JunctureMemory(EPOCH_MS)
    empty.load_dict(json.loads(json.dumps(JunctureMemory(EPOCH_MS).to_dict())))
    assert empty.to_dict() == JunctureMemory(EPOCH_MS).to_dict()
