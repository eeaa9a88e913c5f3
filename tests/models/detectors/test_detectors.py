"""Each detector against a reference that is not ours: a library, its paper, or a hand."""

import itertools
import math

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from river import drift
from scipy.stats import betabinom, nbinom, poisson

from models import bursts, evidence
from models.detectors import contract
from models.detectors.contract import Detector, alarms, first_alarm, run, threshold_for
from models.detectors.cusum import Cusum
from models.detectors.e_detector import Intensity, Propensity, StageEntry
from models.detectors.kleinberg import Kleinberg
from models.detectors.mastodon import Mastodon
from models.detectors.never import Never
from models.detectors.page_hinkley import PageHinkley
from models.detectors.return_period import ReturnPeriod
from models.detectors.social_listening import SocialListening
from models.detectors.z_score import ZScore

Floats = npt.NDArray[np.float64]
STAGE = StageEntry(Propensity(0.01, 199.0), Intensity(4.0, 1.42))
ALL: list[Detector] = [
    Never(),
    Cusum(4.0, 2.0),
    PageHinkley(1.0),
    Kleinberg(4.0, cost=5.0),
    ZScore(),
    SocialListening(24),
    Mastodon(24),
    ReturnPeriod(),
    Intensity(4.0, 1.42),
    STAGE,
]
COUNTS = st.lists(st.integers(0, 30), min_size=1, max_size=60)


def series(counts: list[int] | Floats) -> Floats:
    return np.array([counts], dtype=float)


def statistic(detector: Detector, counts: list[int] | Floats) -> Floats:
    columns = series(counts)
    return run(detector, columns, 100 * columns)[0]


@pytest.mark.parametrize("detector", ALL, ids=lambda detector: detector.name)
def test_series_do_not_meet_and_all_state_is_in_the_open(detector: Detector) -> None:
    """What one series shows depends on it alone, and a saved state goes on as if never saved."""
    rng = np.random.default_rng(2)
    counts = rng.poisson(4.0, (3, 1_000)).astype(float)
    counts[1, 900:] *= 5
    together = run(detector, counts, 100 * counts)
    alone = np.concatenate([run(detector, one[None], 100 * one[None]) for one in counts])
    np.testing.assert_array_equal(together, alone)
    state = detector.begin(3)
    for visit in range(900):
        detector.step(state, counts[:, visit], 100 * counts[:, visit])
    state = np.frombuffer(state.tobytes(), state.dtype).reshape(state.shape).copy()
    for visit in range(900, 1_000):
        now = detector.step(state, counts[:, visit], 100 * counts[:, visit])
        np.testing.assert_array_equal(now, together[:, visit])


@pytest.mark.parametrize("detector", ALL[1:], ids=lambda detector: detector.name)
def test_all_but_one_see_a_tenfold_rise(detector: Detector) -> None:
    rng = np.random.default_rng(4)
    counts = rng.poisson(4.0, (1, 1_300)).astype(float)
    counts[0, 1_000:] *= 10
    shown = np.full(counts.shape, 400.0)
    seen = run(detector, counts, shown)[0]
    assert seen[1_000:].max() > np.max(seen[:1_000])


def test_one_never_fires() -> None:
    assert not alarms(run(Never(), np.full((2, 50), 1e9), np.zeros((2, 50))), -1e300, 1).any()


@given(COUNTS)
@settings(deadline=None)
def test_cusum_is_the_likelihood_ratio_in_units_of_its_slope(counts: list[int]) -> None:
    """Lucas' sum times ln(m1/m0) is Page's sum of log-likelihood ratios."""
    sum_of_ratios, expected = 0.0, []
    for count in counts:
        ratio = poisson.logpmf(count, 8.0) - poisson.logpmf(count, 4.0)
        sum_of_ratios = max(0.0, sum_of_ratios + float(ratio))
        expected.append(sum_of_ratios)
    assert (statistic(Cusum(4.0, 2.0), counts) * math.log(2)).tolist() == pytest.approx(
        expected, abs=1e-9
    )


@pytest.mark.parametrize("seed", range(5))
def test_page_hinkley_alarms_when_river_does(seed: int) -> None:
    rng = np.random.default_rng(seed)
    counts = rng.poisson(np.where(np.arange(600) < 400, 4.0, 7.0)).astype(float)
    theirs = drift.PageHinkley(min_instances=30, delta=0.5, threshold=40, alpha=0.999, mode="up")
    fired = len(counts)
    for visit, count in enumerate(counts):
        theirs.update(count)
        if theirs.drift_detected:
            fired = visit
            break
    ours = run(PageHinkley(0.5, keep=0.999), series(counts), series(counts))
    assert first_alarm(ours, 40.0)[0] == fired
    assert 400 < fired < 600


@given(st.lists(st.integers(0, 12), min_size=1, max_size=9), st.floats(0.5, 6.0))
@settings(max_examples=60, deadline=None)
def test_kleinberg_ends_in_the_burst_where_the_cheapest_path_does(
    counts: list[int], cost: float
) -> None:
    """All paths are tried out: costs as in the paper, -log likelihood and a price for going up."""
    log_likelihood = np.stack([poisson.logpmf(counts, 3.0), poisson.logpmf(counts, 6.0)])

    def cost_of(path: tuple[int, ...]) -> float:
        ups = sum(b > a for a, b in itertools.pairwise((0, *path)))
        return cost * ups - sum(float(log_likelihood[s, at]) for at, s in enumerate(path))

    got = statistic(Kleinberg(3.0, 2.0, cost), counts)
    for end in range(1, len(counts) + 1):
        best = {0: math.inf, 1: math.inf}
        for path in itertools.product((0, 1), repeat=end):
            best[path[-1]] = min(best[path[-1]], cost_of(path))
        assert got[end - 1] - cost == pytest.approx(best[0] - best[1], abs=1e-9)


def test_the_z_score_is_that_of_a_plain_loop() -> None:
    rng = np.random.default_rng(6)
    counts = rng.negative_binomial(1.4, 0.2, 500).astype(float)
    mean, variance, expected = counts[0], counts[0] + 1, [-math.inf]
    keep = 0.5 ** (1 / 288)
    for count in counts[1:]:
        expected.append((count - mean) / math.sqrt(variance))
        mean, variance = (
            keep * mean + (1 - keep) * count,
            keep * variance + (1 - keep) * (count - mean) ** 2,
        )
    np.testing.assert_allclose(statistic(ZScore(288), counts), expected, rtol=1e-12)


def test_social_listening_is_the_rule_over_windows() -> None:
    rng = np.random.default_rng(7)
    counts = rng.poisson(5.0, 24 * 9).astype(float)
    got = statistic(SocialListening(24), counts)
    for visit in range(len(counts)):
        if visit < 7 * 24 - 1:
            assert got[visit] == -math.inf
            continue
        week, day = counts[visit - 167 : visit + 1], counts[visit - 23 : visit + 1]
        assert got[visit] == pytest.approx((day.mean() - week.mean()) / week.std())


def test_mastodon_by_hand() -> None:
    """Days of two visits, so a half-life is a third of a visit; figures worked out by hand."""
    got = statistic(Mastodon(2), [2, 2, 4, 5, 0, 3])
    # No yesterday; then 4 of yesterday's 4, then 9: (9 - 4)^2 / 4. Next day 0 and 3 of 9 score
    # nothing, and the best has halved three and six times.
    assert got.tolist() == pytest.approx([-math.inf, -math.inf, 0.0, 6.25, 6.25 / 8, 6.25 / 64])


@given(COUNTS)
@settings(max_examples=30, deadline=None)
def test_the_e_detector_is_the_mean_of_chained_likelihood_ratios(counts: list[int]) -> None:
    m0, shape, chained = 4.0, 1.42, np.zeros(len(evidence.ALTERNATIVES))
    expected = []
    for count in counts:
        means = m0 * np.array(evidence.ALTERNATIVES)
        above = nbinom.logpmf(count, shape, shape / (shape + means))
        ratio = above - nbinom.logpmf(count, shape, shape / (shape + m0))
        chained = np.maximum(chained, 0.0) + ratio
        expected.append(float(np.log(np.exp(chained).mean())))
    assert statistic(Intensity(m0, shape), counts).tolist() == pytest.approx(
        expected, rel=1e-4, abs=1e-4
    )


def test_the_stage_entry_is_the_smaller_of_both() -> None:
    rng = np.random.default_rng(8)
    views = rng.poisson(300.0, (2, 40)).astype(float)
    counts = rng.binomial(views.astype(int), 0.03).astype(float)
    both = np.minimum(run(STAGE.propensity, counts, views), run(STAGE.intensity, counts, views))
    np.testing.assert_array_equal(run(STAGE, counts, views), both)
    a, b = 0.01 * 199, 0.99 * 199
    chained = np.zeros(3)
    for count, shown in zip(counts[0], views[0], strict=True):
        at_null = betabinom.logpmf(count, shown, a, b)
        for k, factor in enumerate(evidence.ALTERNATIVES):
            above = betabinom.logpmf(count, shown, a * factor, 199 - a * factor)
            chained[k] = max(chained[k], 0.0) + above - at_null
    expected = float(np.log(np.exp(chained).mean()))
    assert run(STAGE.propensity, counts, views)[0, -1] == pytest.approx(expected, rel=1e-3)


def test_the_return_period_is_that_of_the_stream() -> None:
    rng = np.random.default_rng(9)
    counts = rng.poisson(3.0, 5 * bursts.VISITS_PER_DAY).astype(float)
    state = np.zeros(1, bursts.BURST)
    bursts.begin(state[0])
    for visit, count in enumerate(counts):
        bursts.observe(state[0], visit, count)
    last = statistic(ReturnPeriod(), counts)[-1]
    assert last == pytest.approx(bursts.log_return_days(state[0]), rel=1e-6)


def test_a_calibrated_threshold_gives_the_rate_that_was_asked_for() -> None:
    rng = np.random.default_rng(10)
    rate = 1 / 500
    null = run(Cusum(4.0, 2.0), rng.poisson(4.0, (800, 1_000)).astype(float), np.ones((800, 1_000)))
    threshold = threshold_for(null, rate)
    fresh = run(
        Cusum(4.0, 2.0), rng.poisson(4.0, (800, 1_000)).astype(float), np.ones((800, 1_000))
    )
    share = (first_alarm(fresh, threshold) < 1_000).mean()
    assert share == pytest.approx(1 - math.exp(-2), abs=0.06)


def test_what_cannot_be_measured_is_refused() -> None:
    with pytest.raises(ValueError, match="too few"):
        threshold_for(np.zeros((10, 100)), 1e-6)
    with pytest.raises(ValueError, match="exposures"):
        contract.run(Never(), np.zeros((2, 3)), np.zeros((2, 4)))
