import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import models.reach
from models.parameters import DAY_MS, HOUR_MS
from models.reach import BINS, BINS_PER_DECADE, COVERAGE, GONE, LEAST, MOST_WAITING, ReachMemory

LEVEL = 1_000
EPOCH_MS = 6 * HOUR_MS
HORIZON_MS = 7 * DAY_MS
START_MS = 1_693_353_600_000 // EPOCH_MS * EPOCH_MS
BIN = 10 ** (1 / BINS_PER_DECADE)


def new_memory() -> ReachMemory:
    return ReachMemory(LEVEL, HORIZON_MS, EPOCH_MS)


def learn(memory: ReachMemory, ratios: list[float], progress: int = 100) -> None:
    """Let alerts at one moment mature, of which each came so many times as far."""
    for slot in range(len(ratios)):
        memory.note(slot, START_MS, progress, progress, 1.0)
    totals = np.array([round(progress * ratio) for ratio in ratios], np.int64)
    memory.pass_epoch(totals, START_MS + HORIZON_MS)


def test_nothing_is_said_before_enough_has_matured() -> None:
    memory = new_memory()
    learn(memory, [2.0] * (LEAST - 1))
    assert memory.interval(100, 1.0) is None
    learn(memory, [2.0] * 2)
    low, median, high = memory.interval(100, 1.0) or (0, 0, 0)
    assert 200 / BIN <= low <= 200 <= high <= 200 * BIN
    assert low < median <= high


def test_an_outcome_matures_at_the_horizon_whatever_it_is() -> None:
    memory = new_memory()
    memory.note(0, START_MS, 100, 500, 1.0)
    memory.pass_epoch(np.array([500]), START_MS + HORIZON_MS - 1)
    assert memory.outcomes.sum() == 0
    memory.pass_epoch(np.array([500]), START_MS + HORIZON_MS)
    assert memory.outcomes.sum() == memory.outcomes[..., 0].sum() == 1
    assert len(memory.waiting) == 0


def test_a_forgotten_video_has_come_as_far_as_it_did() -> None:
    memory, other = new_memory(), new_memory()
    for one in (memory, other):
        one.note(3, START_MS, 100, 500, 1.0)
    memory.forget(np.array([3, 5]), np.array([900, 7]))
    assert memory.waiting["slot"].tolist() == [GONE]
    memory.pass_epoch(np.zeros(0, np.int64), START_MS + HORIZON_MS)
    other.pass_epoch(np.array([0, 0, 0, 900]), START_MS + HORIZON_MS)
    assert memory.outcomes.tolist() == other.outcomes.tolist()
    # 100 so far and 400 since: five times as far.
    (bins,) = np.nonzero(memory.outcomes.sum(axis=(0, 1)))
    assert bins == [np.ceil(np.log10(5) * BINS_PER_DECADE)]


def test_like_is_held_against_like_where_there_is_enough() -> None:
    memory = new_memory()
    learn(memory, [2.0] * 30, progress=500)
    learn(memory, [50.0] * 30, progress=50)
    assert (memory.interval(500, 1.0) or (0, 0, 0))[2] < 500 * 3
    assert (memory.interval(50, 1.0) or (0, 0, 0))[0] > 50 * 30
    # Another pace at the same progress, then another progress: the next best that there is.
    assert (memory.interval(500, 1_000.0) or (0, 0, 0))[2] < 500 * 3
    assert (memory.interval(5_000, 1_000.0) or (0, 0, 0))[2] > 5_000 * 30


@settings(deadline=None, max_examples=12)
@given(ratios=st.lists(st.floats(1, 9_999), min_size=LEAST + 1, max_size=24), data=st.data())
def test_the_interval_holds_the_promised_share_of_what_it_was_learned_from(
    ratios: list[float], data: st.DataObject
) -> None:
    """The law behind it: among n + 1 alike, whichever is left out, most are held by the others."""
    progress = data.draw(st.integers(1_000, 100_000))
    held = 0
    for at, ratio in enumerate(ratios):
        memory = new_memory()
        memory._fade = 1.0  # noqa: SLF001 - the law is one of equal weights
        learn(memory, ratios[:at] + ratios[at + 1 :], progress)
        low, _, high = memory.interval(progress, 1.0) or (0, 0, 0)
        held += low - 1 <= round(progress * ratio) <= high + 1
    assert held >= COVERAGE * len(ratios) - 1e-9


@settings(deadline=None, max_examples=5)
@given(seed=st.integers(0, 1_000), spread=st.floats(0.2, 1.5))
def test_most_outcomes_of_a_simulated_stream_are_held(seed: int, spread: float) -> None:
    """Log-normal growth; the interval is checked on what matures, as in the stream."""
    random = np.random.default_rng(seed)
    memory, totals = new_memory(), np.zeros(60 * 12, np.int64)
    for number in range(60):
        now_ms = START_MS + number * 12 * HOUR_MS
        for slot in range(number * 12, number * 12 + 12):
            progress = int(random.integers(20, 900))
            ratio = 1 + random.lognormal(0, spread)
            memory.note(slot, now_ms, progress, progress, 10.0)
            totals[slot] = progress * ratio
        memory.pass_epoch(totals, now_ms + EPOCH_MS)
        memory.pass_epoch(totals, now_ms + 2 * EPOCH_MS)
    assert memory.judged > 300
    assert COVERAGE - 0.06 <= memory.covered / memory.judged <= 0.95


def test_what_waits_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    assert MOST_WAITING * models.reach.MOMENT.itemsize < 900_000
    monkeypatch.setattr("models.reach.MOST_WAITING", 5)
    memory = new_memory()
    for slot in range(9):
        memory.note(slot, START_MS, 1, 1, 1.0)
    assert memory.waiting["slot"].tolist() == [0, 1, 2, 3, 4]


def test_what_was_saved_is_what_is_known() -> None:
    memory, again = new_memory(), new_memory()
    learn(memory, [2.0, 3.0] * 10)
    learn(memory, [2.0, 30.0] * 10)
    again.load_dict(json.loads(json.dumps(memory.to_dict())))
    assert again.to_dict() == memory.to_dict()
    assert memory.judged == 20
    assert again.interval(100, 1.0) == memory.interval(100, 1.0)
    assert memory.outcomes.shape == (5, 5, BINS)
