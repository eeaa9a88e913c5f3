import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import poisson

from models.lineage import Lineage, generation, lineage_of
from models.parameters import DAY_MS
from models.tracked_videos import DEEPEST_DERIVATION, TrackedVideo, TrackedVideos


def add(videos: TrackedVideos, name: str, source: str = "", **more: int) -> TrackedVideo:
    video = videos.add(f"p\x1f{name}")
    video.published_ms = more.get("published_ms", 0)
    videos.describe(video, {"source": f"p\x1f{source}" if source else "", "topics": ["t"]})
    videos.relink([video.video])
    return video


def test_generations_follow_sources_and_rings_are_cut() -> None:
    videos = TrackedVideos()
    add(videos, "v0")
    chain = [add(videos, f"v{n}", f"v{n - 1}") for n in range(1, DEEPEST_DERIVATION + 3)]
    depths = [generation(video, videos) for video in chain]
    assert depths == [*range(1, DEEPEST_DERIVATION + 1), *[DEEPEST_DERIVATION] * 2]
    ring = add(videos, "a", "b"), add(videos, "b", "a")
    assert generation(ring[0], videos) == DEEPEST_DERIVATION
    assert generation(add(videos, "of unknown", "nobody"), videos) == 1


def test_the_pace_is_counted_by_days() -> None:
    videos = TrackedVideos()
    made = [
        add(videos, "d1", "v", published_ms=0),
        add(videos, "d2", "d1", published_ms=DAY_MS),
        add(videos, "d3", "d1", published_ms=2 * DAY_MS),
    ]
    assert videos.derivatives_of("topic:t", 2) == made[1:]
    found = lineage_of(made, videos, 2 * DAY_MS + 5)
    assert found == Lineage((1, 2), 1, 1)
    assert found.branching_ratio is not None
    assert found.branching_ratio[0] == pytest.approx(2 / 3)


@given(children=st.integers(0, 400), first=st.integers(1, 200))
def test_the_interval_is_exact(children: int, first: int) -> None:
    ratio = Lineage((first, children), 0, 0).branching_ratio
    assert ratio is not None
    of = first + children
    mean, low, high = ratio
    assert low <= mean <= high
    assert poisson.cdf(children, high * of) == pytest.approx(0.025, abs=1e-6)
    if children:
        assert poisson.sf(children - 1, low * of) == pytest.approx(0.025, abs=1e-6)


def test_what_is_forgotten_is_no_derivative_any_more() -> None:
    videos = TrackedVideos()
    kept, gone = add(videos, "d1", "v"), add(videos, "d2", "v")
    videos.remove(np.array([gone.slot]))
    assert videos.derivatives_of("topic:t", 9) == [kept]
