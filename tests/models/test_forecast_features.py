"""What the forecast looks at: the formulas, held against plain sums over the events."""

import math
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from models.cohorts import SIGNALS
from models.decisions import DECISION
from models.forecast_features import (
    FEATURES,
    FLOOR,
    PACE_HALF_LIVES_H,
    PSEUDO_PROPENSITY,
    PSEUDO_VIEWS,
    fill_features,
    follow,
    words,
)
from models.known_actors import LOG_UNITS
from models.parameters import DAY_MS, HOUR_MS, MINUTE_MS
from models.video_state import NEVER, PACES, PROPENSITIES, VideoTable
from models.vocabulary import Signal

BUCKET_MS = 5_000
START_MS = 1_693_353_600_000
FOLLOWED = (Signal.IDENTIFICATION, Signal.INTERACTION, Signal.DIFFUSION)
PROPENSITY_FEATURES = range(FEATURES.index("identification"), FEATURES.index("acted_before"))

VISITS = st.lists(
    st.fixed_dictionaries(
        {
            "after_ms": st.integers(1, 5 * DAY_MS),
            "progress": st.integers(0, 10**6),
            "views": st.integers(0, 10**6),
            "acted": st.lists(st.integers(0, 10**5), min_size=SIGNALS, max_size=SIGNALS),
        }
    ),
    min_size=1,
    max_size=8,
)


def row_after(visits: list[dict[str, Any]], times: int = 1) -> tuple[Any, int]:
    """Return the row of a video after some visits, and when the last one was."""
    table = VideoTable()
    table.make_rows(int(table.slots(["p\x1fv"])[0]) + 1)
    row, now_ms = table.rows[0], START_MS
    decision = np.zeros(1, DECISION)
    for visit in visits:
        now_ms += visit["after_ms"]
        for name in ("progress", "views"):
            decision[name] = times * visit[name]
        decision["people"] = times * np.array(visit["acted"])
        follow(row, int(row["last_ms"]), now_ms, decision[0], BUCKET_MS)
        if row["first_ms"] == NEVER:
            row["first_ms"] = now_ms
        row["last_ms"] = now_ms
        row["progress"] += times * visit["progress"]
        row["views"] += times * visit["views"]
        # Of two people one has acted three times before, the other never.
        row["met"] += 2
        row["met_before"] += int(LOG_UNITS * math.log1p(3))
    return row, now_ms


def features_of(row: Any, now_ms: int, level: int) -> npt.NDArray[np.float32]:  # noqa: ANN401 - a record
    out = np.full(len(FEATURES), np.nan, np.float32)
    fill_features(row, row["progress"] - row["progress_before_episode"], now_ms, level, out)
    return out


def expected(visits: list[dict[str, Any]], level: int) -> dict[str, float]:
    """Return the figures by their formulas, from all visits at once."""
    time_ms = START_MS + np.cumsum([visit["after_ms"] for visit in visits])
    progress = sum(visit["progress"] for visit in visits)
    hours = (time_ms[-1] - time_ms[0]) / HOUR_MS + 1
    share = progress / level
    pace = {}
    for half_life_h in PACE_HALF_LIVES_H:
        smoothed, before_ms = 0.0, time_ms[0]
        for visit, at_ms in zip(visits, time_ms, strict=True):
            if visit["progress"]:
                span_h = max(at_ms - before_ms, BUCKET_MS) / HOUR_MS
                keep = 0.5 ** (span_h / half_life_h)
                smoothed = keep * smoothed + (1 - keep) * visit["progress"] / span_h
                before_ms = at_ms
        pace[half_life_h] = max(24 * smoothed / level, FLOOR)
    mean = max(24 * progress / hours / level, FLOOR)
    missing = max(1 - share, 1e-4)
    ratios = {
        "progress": max(share, FLOOR),
        "age": hours,
        "mean_pace": mean,
        "pace_6h": pace[6],
        "pace_24h": pace[24],
        "pace_72h": pace[72],
        "pace_24h_to_mean": pace[24] / mean,
        "pace_6h_to_72h": pace[6] / pace[72],
        "need_6h": missing / pace[6],
        "need_24h": missing / pace[24],
        "day_6h": share + pace[6],
        "day_24h": share + pace[24],
        "three_days_24h": share + 3 * pace[24],
    }
    fresh = 0.5 ** ((time_ms[-1] - time_ms) / DAY_MS)
    for signal, ordinary in zip(FOLLOWED, PSEUDO_PROPENSITY, strict=True):
        acted = np.array([visit["acted"][signal] for visit in visits])
        views = np.array([visit["views"] for visit in visits])
        more = PSEUDO_VIEWS * ordinary
        name = signal.name.lower()
        ratios[name] = (acted.sum() + more) / (views.sum() + PSEUDO_VIEWS)
        ratios[f"recent_{name}"] = (acted @ fresh + more) / (views @ fresh + PSEUDO_VIEWS)
    figures = {name: math.log(ratio) for name, ratio in ratios.items()}
    figures["acted_before"] = math.log1p(3) / 2
    return figures


@given(visits=VISITS, level=st.integers(1, 10**8))
@settings(deadline=None)
def test_the_figures_are_those_of_the_formulas(visits: list[dict[str, Any]], level: int) -> None:
    row, now_ms = row_after(visits)
    got = dict(zip(FEATURES, features_of(row, now_ms, level).tolist(), strict=True))
    formulas = expected(visits, level)
    assert got.keys() == formulas.keys()
    for name, value in formulas.items():
        # Single precision, and what is added so that nothing is the logarithm of zero.
        assert got[name] == pytest.approx(value, abs=1e-4 if "day" not in name else 0.1), name


@given(visits=VISITS, level=st.integers(10, 10**8), times=st.integers(2, 1_000))
@settings(deadline=None)
def test_a_level_and_counts_that_are_so_many_times_as_large_are_the_same_but_for_the_shrinkage(
    visits: list[dict[str, Any]], level: int, times: int
) -> None:
    small_row, now_ms = row_after(visits)
    large_row, _ = row_after(visits, times)
    small, large = (
        features_of(small_row, now_ms, level),
        features_of(large_row, now_ms, times * level),
    )
    growth = slice(0, PROPENSITY_FEATURES.start)
    np.testing.assert_allclose(large[growth], small[growth], atol=2e-5)
    # Of more views the pseudo-views are a smaller part: the figure lies nearer to what was seen.
    views = int(small_row["views"])
    for at, signal in zip(PROPENSITY_FEATURES[::2], FOLLOWED, strict=True):
        seen = sum(visit["acted"][signal] for visit in visits)
        shrunk, less = math.exp(small[at]), math.exp(large[at])
        if views and seen:
            assert abs(less - seen / views) <= abs(shrunk - seen / views) * (1 + 1e-5) + 1e-9


@given(
    totals=st.lists(st.integers(0, 2**60), min_size=5, max_size=5),
    rates=st.lists(st.floats(0, 2.0**100, width=32), min_size=PACES, max_size=PACES),
    recent=st.lists(st.floats(0, 2.0**100, width=32), min_size=4, max_size=4),
    now_ms=st.integers(0, 2**53),
    begun_ms=st.sampled_from([NEVER, 0, START_MS, 2**53]),
    level=st.integers(1, 10**18),
)
def test_every_figure_is_finite_whatever_a_row_holds(
    totals: list[int],
    rates: list[float],
    recent: list[float],
    now_ms: int,
    begun_ms: int,
    level: int,
) -> None:
    row = VideoTable().rows[0]
    row["progress"], row["views"], row["people"] = totals[0], totals[1], totals[2:]
    row["paces_per_hour"], row["recent_views"], row["recent_people"] = rates, recent[0], recent[1:]
    row["met"], row["met_before"] = totals[3], totals[4]
    row["publish_ms"] = row["episode_ms"] = begun_ms
    assert np.isfinite(features_of(row, now_ms, level)).all()


def test_progress_and_age_are_those_of_the_episode_and_paces_go_on() -> None:
    visits = [
        {"after_ms": DAY_MS, "progress": 500, "views": 500, "acted": [50, 0, 5, 2]}
        for _ in range(10)
    ]
    row, now_ms = row_after(visits)
    first = features_of(row, now_ms, 10_000)
    row["episode_ms"], row["progress_before_episode"] = now_ms - 3 * HOUR_MS, row["progress"] - 100
    again = features_of(row, now_ms, 10_000)
    at = FEATURES.index
    assert again[at("progress")] == pytest.approx(math.log(0.01))
    assert again[at("age")] == pytest.approx(math.log(4))
    assert again[at("mean_pace")] == pytest.approx(math.log(24 * 100 / 4 / 10_000))
    for name in ("pace_6h", "pace_24h", "pace_72h", "identification", "recent_diffusion"):
        assert again[at(name)] == first[at(name)]


def test_visits_without_the_levels_action_are_no_silence() -> None:
    steady = {"after_ms": HOUR_MS, "progress": 100, "views": 0, "acted": [0] * SIGNALS}
    between = {"after_ms": MINUTE_MS, "progress": 0, "views": 9, "acted": [1] * SIGNALS}
    row, _ = row_after([steady] * 9)
    paces = row["paces_per_hour"].copy()
    same, _ = row_after([steady] * 9 + [between] * 5)
    np.testing.assert_array_equal(same["paces_per_hour"], paces)
    assert same["recent_views"] == pytest.approx(45, rel=0.01)
    assert len(same["recent_people"]) == PROPENSITIES


@pytest.mark.parametrize(
    ("name", "ratio", "said"),
    [
        ("progress", 0.34, "34 % of the level reached"),
        ("age", 4.5, "it began 3.5 hours ago"),
        ("pace_24h_to_mean", 3.21, "in the last day growing 3.2 times as fast as since it began"),
        ("pace_6h_to_72h", 9.0, "75 % of what came in three days came in the last 6 hours"),
        ("need_6h", 0.25, "at the pace of the last 6 hours the level in 6.0 hours"),
        ("need_24h", 4.0, "at the pace of the last 24 hours the level in 4.0 days"),
        ("day_24h", 1.8, "another day like the last one would make 180 % of the level"),
        ("identification", 0.312, "likes, bookmarks and tips: 0.31 per view"),
        ("acted_before", 4.2, "those who brought it there had done so 3.2 times before"),
    ],
)
def test_a_feature_is_told_in_words(name: str, ratio: float, said: str) -> None:
    assert words(FEATURES.index(name), math.log(ratio)) == said


def test_every_feature_has_words_of_its_own() -> None:
    assert len({words(at, 0.1) for at in range(len(FEATURES))}) == len(FEATURES)
