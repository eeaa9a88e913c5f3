"""Growth that was spread evenly is told from growth that was seen."""

from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.even_growth import TOLERANCE, even_moments
from models.forecast_features import FEATURES
from models.parameters import HOUR_MS

Moment = tuple[float, float]
"""Hours since the beginning, share of the level."""


def even(*videos: Sequence[Moment], hits: Sequence[bool] = ()) -> list[list[bool]]:
    """Return for each video which of its moments are even; it is a hit where that is said."""
    told = [(number, *moment) for number, video in enumerate(videos) for moment in video]
    number, hours, share = np.array(told).T
    features = np.zeros((len(told), len(FEATURES)), np.float32)
    features[:, FEATURES.index("progress")] = np.log(share)
    features[:, FEATURES.index("age")] = np.log1p(hours)
    hit = np.isin(number, np.flatnonzero(hits))
    time_ms = (hours * HOUR_MS).astype(np.int64)
    found = even_moments(number.astype(np.int64), time_ms, features, hit).tolist()
    return [[found.pop(0) for _ in video] for video in videos]


def test_a_stretch_of_one_pace_is_even_up_to_its_end() -> None:
    stretch = [(4, 0.1), (8, 0.2), (12, 0.3), (16, 0.35), (20, 0.4)]

    assert even(stretch) == [[True, True, False, True, False]]


def test_the_last_moment_is_even_when_the_level_was_crossed_then() -> None:
    moments = [(4, 0.1), (8, 0.3), (12, 0.4)]

    assert even(moments, moments, hits=[True, False]) == [
        [False, False, True],
        [False, False, False],
    ]


def test_a_moment_without_growth_is_as_even_as_the_one_before() -> None:
    moments = [(4, 0.1), (6, 0.1), (8, 0.2), (9, 0.2), (12, 0.5)]

    assert even(moments) == [[True, True, False, False, False]]


def test_another_episode_counts_anew() -> None:
    # The second goes on at the pace of the first, and its first step is one from its beginning.
    features = np.zeros((4, len(FEATURES)), np.float32)
    features[:, FEATURES.index("progress")] = np.log([0.4, 0.8, 0.1, 0.2])
    features[:, FEATURES.index("age")] = np.log1p([4, 8, 1, 2])
    time_ms = np.array([4, 8, 21, 22]) * HOUR_MS
    hit = np.array([True, True, False, False])

    found = even_moments(np.zeros(4, np.int64), time_ms, features, hit)

    assert found.tolist() == [True, True, True, False]


def test_nothing_is_even_in_nothing() -> None:
    none = np.zeros(0, np.int64)

    assert not len(even_moments(none, none, np.zeros((0, 19), np.float32), none > 0))


@pytest.mark.parametrize("side", [-1, 1])
def test_paces_may_differ_a_little(side: int) -> None:
    def after(difference: float) -> bool:
        return even([(10, 0.1), (20, 0.1 + 0.1 * np.exp(side * difference))])[0][0]

    assert after(0.9 * TOLERANCE)
    assert not after(1.1 * TOLERANCE)


_GROWTH = st.lists(
    st.tuples(st.floats(0.1, 100), st.floats(0.02, 0.9)), min_size=1, max_size=8
).map(lambda steps: [(float(h), float(p)) for h, p in np.cumsum(steps, axis=0)])


@given(st.lists(_GROWTH, min_size=1, max_size=4), st.lists(st.booleans(), min_size=4, max_size=4))
def test_a_video_is_judged_by_itself(videos: list[list[Moment]], hits: list[bool]) -> None:
    together = even(*videos, hits=hits[: len(videos)])

    assert together == [
        even(video, hits=[hit])[0] for video, hit in zip(videos, hits, strict=False)
    ]
