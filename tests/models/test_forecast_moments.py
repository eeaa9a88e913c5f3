"""Which forecasts are told to learn from: few of a video, its outcome always."""

import numpy as np
import pytest
from building import BUCKET_MS, START_BUCKET, decide
from hypothesis import given
from hypothesis import strategies as st

from models.forecast_moments import GROWTH, MOMENT, STRETCH_MS, kept_at, moments_of
from models.forecast_training import video_number
from models.parameters import Level, Parameters
from models.video_state import NEVER, VideoTable

LEVEL = 1_000
PARAMETERS = Parameters(bucket_ms=BUCKET_MS, level=Level("view", LEVEL))
BUCKETS_OF_STRETCH = STRETCH_MS // BUCKET_MS
FIRST_BUCKET = -(-START_BUCKET // BUCKETS_OF_STRETCH) * BUCKETS_OF_STRETCH


def told(
    views: dict[int, int], *, thinning: int = 0, video: str = "p\x1fv"
) -> np.ndarray[tuple[int], np.dtype[np.void]]:
    """Return the moments of a video with so many views in each bucket, counted from the first."""
    table, parts = VideoTable(), [np.zeros(0, MOMENT)]
    for after, count in views.items():
        bucket = FIRST_BUCKET + after
        event = {"action": "view", "count": count, "time_ms": bucket * BUCKET_MS + 1}
        decided = decide(table, [video], bucket, event, parameters=PARAMETERS, log_c=50.0)
        parts.append(moments_of(table.keys, decided, PARAMETERS, thinning))
    return np.concatenate(parts)


def test_a_video_is_told_of_when_it_has_grown_or_time_has_passed() -> None:
    moments = told(
        {0: 49, 1: 1, 2: 5, 3: 8, 4: 1, BUCKETS_OF_STRETCH: 1, BUCKETS_OF_STRETCH + 1: 1}
    )
    # 50 is a twentieth, 62.5 a quarter more; then another stretch begins.
    assert moments["progress"].tolist() == [50, 63, 65]
    assert (moments["video"] == video_number("p\x1fv")).all()
    assert (moments["episode_ms"] == NEVER).all()
    assert moments["time_ms"].tolist() == [
        (FIRST_BUCKET + after) * BUCKET_MS + 1 for after in (1, 3, BUCKETS_OF_STRETCH)
    ]
    epochs = moments["time_ms"] // PARAMETERS.epoch_ms
    assert moments["epoch"].tolist() == epochs.tolist()
    assert ((moments["first"] > 0) & (moments["first"] < 1)).all()
    assert moments["features"][:, 0] == pytest.approx(np.log(moments["progress"] / LEVEL), abs=1e-5)


@given(st.lists(st.integers(0, 400), min_size=1, max_size=60))
def test_few_are_told_of_a_video_and_the_level_always(counts: list[int]) -> None:
    moments = told(dict(enumerate(counts)))
    stretches = -(-len(counts) // BUCKETS_OF_STRETCH)
    steps = int(np.log(20) / np.log(GROWTH)) + 1
    assert len(moments) <= stretches + steps + 1
    assert (np.diff(moments["progress"]) >= 0).all()
    reached = moments["progress"] >= LEVEL
    assert reached.sum() == (sum(counts) >= LEVEL)


@given(st.text(min_size=1), st.integers(0, 3))
def test_a_video_that_is_left_out_is_told_of_when_it_reaches_the_level(
    name: str, thinning: int
) -> None:
    video = f"p\x1f{name}"
    moments = told({0: 100, 1: 300, 2: 700}, thinning=thinning, video=video)
    kept = bool(kept_at(np.array([video_number(video)]), thinning)[0])
    assert moments["progress"].tolist() == ([100, 400, 1_100] if kept else [1_100])


@given(st.lists(st.integers(0, 2**63 - 1), max_size=50), st.integers(0, 61))
def test_what_is_kept_is_kept_at_every_smaller_thinning(numbers: list[int], thinning: int) -> None:
    videos = np.array(numbers, np.int64)
    assert not (kept_at(videos, thinning + 1) & ~kept_at(videos, thinning)).any()
    assert kept_at(videos, 0).all()
