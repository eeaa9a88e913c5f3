import numpy as np
import pytest

from models.forecast_scores import (
    EDGES,
    average_precision,
    bins,
    judge,
    share_interval,
)


def some(videos: int = 4_000) -> tuple[np.ndarray, np.ndarray]:
    """Return probabilities that keep their promise, and what happened."""
    random = np.random.default_rng(11)
    said = random.beta(0.5, 2, videos)
    return said, random.random(videos) < said


def test_average_precision_of_a_ranking_by_hand() -> None:
    hit = np.array([True, False, True, False, False])

    assert average_precision(np.array([5.0, 4, 3, 2, 1]), hit) == pytest.approx((1 + 2 / 3) / 2)
    assert average_precision(np.array([1.0, 2, 3, 4, 5]), hit) == pytest.approx((1 / 3 + 2 / 5) / 2)
    assert average_precision(np.ones(5), np.zeros(5, bool)) == 0


def test_a_forecast_is_held_against_a_rival_on_the_same_videos() -> None:
    said, hit = some()
    rival = said + np.random.default_rng(2).normal(0, 0.3, len(said))

    scores = judge(said, rival, hit, threshold=0.6, in_force={"6 h": (said, hit)})

    for value, (low, high) in (scores.average_precision, scores.rival, scores.ratio):
        assert low < value < high
    assert scores.ratio[0] == pytest.approx(scores.average_precision[0] / scores.rival[0])
    assert scores.ratio[1][0] > 1
    told = said >= 0.6
    assert (scores.alerts.videos, scores.alerts.hits) == (told.sum(), hit[told].sum())
    assert scores.alerts.precision == pytest.approx(hit[told].mean())
    assert scores.alerts.recall == pytest.approx(hit[told].sum() / hit.sum())
    assert scores.rival_alerts.videos == scores.alerts.videos
    assert scores.rival_alerts.hits < scores.alerts.hits
    assert list(scores.calibration) == ["6 h"]


def test_the_interval_of_the_ratio_holds_one_when_both_are_the_same() -> None:
    said, hit = some()

    scores = judge(said, said, hit, threshold=0.6, in_force={})

    assert scores.ratio == (1, (1, 1))
    assert scores.alerts == scores.rival_alerts


def test_no_alert_is_no_error() -> None:
    said, hit = some(200)

    scores = judge(said / 2, said, hit, threshold=0.9, in_force={})

    assert (scores.alerts.videos, scores.alerts.precision, scores.alerts.recall) == (0, 0, 0)


def test_promises_that_are_kept_lie_within_their_intervals_and_others_do_not() -> None:
    said, hit = some(20_000)

    kept, broken = bins(said, hit), bins(np.sqrt(said), hit)

    assert len(kept) == len(EDGES) - 1
    assert sum(one.videos for one in kept) == len(said)
    assert max(one.off_by() for one in kept) < 0.01
    assert max(one.off_by() for one in broken) > 0.1


def test_sure_forecasts_have_a_bin() -> None:
    (only,) = bins(np.ones(7), np.ones(7, bool))

    assert (only.promised, only.happened, only.videos) == (1, 1, 7)


def test_an_interval_of_a_share_holds_it_in_most_draws() -> None:
    random = np.random.default_rng(4)
    inside = 0
    for _ in range(2_000):
        low, high = share_interval(random.binomial(200, 0.2) / 200, 200)
        inside += low <= 0.2 <= high
    assert 0.93 <= inside / 2_000 <= 0.98
