import json
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from models.cohort_learning import (
    HALF_LIFE_MS,
    MOST_PLATFORMS,
    PRIOR_PROPENSITY,
    CohortMemory,
    EpochSummary,
    VideoEpochs,
    bin_index,
    bins_of,
    derive,
    quantile,
    summarise,
)
from models.cohorts import SHIPPED, SIGNALS
from models.parameters import HOUR_MS
from models.vocabulary import Signal

EPOCH_MS = 6 * HOUR_MS
BIN = 10 ** (1 / 12)
SUMMARY_FIELDS = (
    "propensity",
    "response",
    "intensity",
    "overdispersion",
    "burstiness",
    "hours",
    "newcomers",
)


def summary(seed: int, density: float = 0.05) -> EpochSummary:
    """Return whole counts in some of the bins."""
    rng = np.random.default_rng(seed)
    made = EpochSummary.empty()
    for name in SUMMARY_FIELDS:
        values = getattr(made, name)
        values += rng.integers(1, 5, values.shape) * (rng.random(values.shape) < density)
    return made


def video_epochs(
    n: int, *, views: float, acted: list[float], seed: int = 0, new: bool = True
) -> VideoEpochs:
    """Return n videos of the youngest age with Poisson actions over twelve half-hour visits."""
    rng = np.random.default_rng(seed)
    visits, hours = 12, 0.5
    per_visit = rng.poisson(np.array(acted) / visits, (visits, n, SIGNALS)).astype(float)
    exposed = np.full(n, views)
    return VideoEpochs(
        age=np.zeros(n, np.int64),
        reach=np.full(n, int(np.digitize(views, [1_000, 10_000, 100_000, 1_000_000]))),
        views=exposed,
        acted_ever=per_visit.sum(axis=0),
        hours_watched=np.full(n, 6.0),
        exposed=exposed,
        acted=per_visit.sum(axis=0),
        acted_squared_per_exposed=(per_visit**2 / (views / visits)).sum(axis=0),
        acted_squared=(per_visit**2).sum(axis=0),
        acted_times_span=(per_visit * hours).sum(axis=0),
        span=np.full(n, visits * hours),
        span_squared=np.full(n, visits * hours**2),
        visits=np.full(n, float(visits)),
        new=np.full(n, new),
    )


# -- histograms and quantiles -----------------------------------------------------------------


@given(values=st.lists(st.floats(1e-5, 0.99), min_size=1, max_size=60), q=st.floats(0.01, 0.99))
def test_a_quantile_is_exact_to_a_bin(values: list[float], q: float) -> None:
    histogram = np.bincount(
        bin_index("propensity", np.array(values)), minlength=bins_of("propensity")
    ).astype(float)
    rank = min(q * len(values) + 1, len(values))
    plain = sorted(values)[int(np.ceil(rank)) - 1]
    got = float(quantile("propensity", histogram, q))
    assert plain / BIN * 0.999 <= got <= plain * BIN * 1.001


@given(
    others=st.lists(st.floats(0, 0.99), min_size=1, max_size=40),
    own=st.floats(0, 1),
    q=st.floats(0.01, 0.99),
)
def test_no_video_lowers_the_quantile_below_that_of_the_others(
    others: list[float], own: float, q: float
) -> None:
    """The null must be fitted without the video under test: its own value cannot help it."""
    ordered = sorted(others)
    plain = ordered[max(int(np.ceil(q * len(others))) - 1, 0)]
    both = np.bincount(
        bin_index("propensity", np.array([*others, own])), minlength=bins_of("propensity")
    ).astype(float)
    # To a bin: where in its bin the others' quantile lies is not kept.
    floor = np.power(10.0, -6 + (bin_index("propensity", np.array(plain)) - 1) / 12)
    assert float(quantile("propensity", both, q)) >= (0 if plain < 1e-6 else float(floor) * 0.9999)


@given(seed=st.integers(0, 10_000), q=st.sampled_from([0.01, 0.25, 0.5, 0.9, 0.95, 0.99]))
@settings(max_examples=300)
def test_a_faded_histogram_has_a_quantile_wherever_it_has_anything(seed: int, q: float) -> None:
    rng = np.random.default_rng(seed)
    histogram = np.zeros(bins_of("intensity"))
    for _ in range(6):
        histogram *= 0.5 ** (EPOCH_MS / HALF_LIFE_MS)
        histogram[1 + rng.integers(0, len(histogram) - 1, 12)] += 1
    assert float(quantile("intensity", histogram, q)) > 0


def test_rounding_does_not_lose_the_highest_rank() -> None:
    # Pairwise and running sums of these differ in the last digit; found by search.
    for seed in range(4_000):
        rng = np.random.default_rng(seed)
        histogram = np.zeros(bins_of("intensity"))
        histogram[1:] = rng.random(len(histogram) - 1)
        if float(np.cumsum(histogram)[-1]) < float(histogram.sum()):
            assert float(quantile("intensity", histogram, 0.9999)) > 1e7
            return
    pytest.fail("no such histogram was found")


def test_nothing_and_zeros_have_the_quantile_zero() -> None:
    histogram = np.zeros(bins_of("propensity"))
    assert quantile("propensity", histogram, 0.5) == 0
    histogram[0] = 10
    assert quantile("propensity", histogram, 0.9) == 0


@given(low=st.floats(1e-9, 1e12), factor=st.floats(1, 1e6))
def test_bins_keep_order_and_hold_everything(low: float, factor: float) -> None:
    for scale in ("propensity", "intensity", "dispersion"):
        one, two = bin_index(scale, np.array([low, low * factor])).tolist()
        assert 1 <= one <= two < bins_of(scale)
    assert bin_index("propensity", np.array([0.0, -1.0])).tolist() == [0, 0]


# -- summaries --------------------------------------------------------------------------------


@given(seed=st.integers(0, 1_000))
@settings(max_examples=20, deadline=None)
def test_a_summary_survives_being_written(seed: int) -> None:
    before = summary(seed)
    before.add(summary(seed + 1), fade=0.9753)
    after = EpochSummary.from_dict(json.loads(json.dumps(before.to_dict())))
    for name in SUMMARY_FIELDS:
        np.testing.assert_array_equal(getattr(before, name), getattr(after, name))


def test_videos_split_over_partitions_sum_to_the_same_counts() -> None:
    columns = video_epochs(60, views=6_000, acted=[600, 3, 60, 20])
    whole = summarise(columns, np.arange(24.0))
    parts = EpochSummary.empty()
    for part in (slice(0, 17), slice(17, 18), slice(18, 60)):
        names = VideoEpochs.__dataclass_fields__
        cut = VideoEpochs(**{name: getattr(columns, name)[part] for name in names})
        parts.add(summarise(cut, np.arange(24.0) * (part.start == 0)))
    for name in SUMMARY_FIELDS:
        np.testing.assert_array_equal(getattr(whole, name), getattr(parts, name))


def test_videos_with_too_few_exposures_say_nothing_about_propensities() -> None:
    made = summarise(video_epochs(50, views=150, acted=[60, 0, 0, 0]), np.zeros(24))
    assert not made.propensity.any()
    assert not made.response.any()
    assert made.intensity.sum() == 50 * SIGNALS
    assert made.newcomers[0] == 50


# -- the version that follows -----------------------------------------------------------------


def memory_of(columns: VideoEpochs) -> EpochSummary:
    return summarise(columns, np.ones(24))


def test_of_nothing_the_shipped_cohort_follows() -> None:
    derived = derive(EpochSummary.empty())
    for name in ("propensity", "scarcity", "intensity", "concentration", "shape", "rhythm"):
        np.testing.assert_allclose(getattr(derived, name), getattr(SHIPPED, name), rtol=1e-6)
    assert derived.videos == 0


@given(n=st.sampled_from([1, 10, 50, 400, 3_000]))
@settings(max_examples=5, deadline=None)
def test_what_was_seen_weighs_by_how_many_videos_showed_it(n: int) -> None:
    # Twice the shipped propensity to interact, so that the learned one is known.
    interact = 2 * SHIPPED.propensity[Signal.INTERACTION, 0, 1]
    derived = derive(memory_of(video_epochs(n, views=9_000, acted=[900, 0, interact * 9_000, 9])))
    got = derived.propensity[Signal.INTERACTION, 0, 1]
    weight = n / (n + PRIOR_PROPENSITY)
    expected = SHIPPED.propensity[Signal.INTERACTION, 0, 1] * 2**weight
    # A bin's width and the sampling of single videos.
    assert got == pytest.approx(expected, rel=0.25)
    # Cells that nobody stood in stay as shipped.
    assert derived.propensity[Signal.INTERACTION, 3, 4] == pytest.approx(
        SHIPPED.propensity[Signal.INTERACTION, 3, 4]
    )


def test_six_hours_of_one_video_are_not_many_videos() -> None:
    memory = EpochSummary.empty()
    for epoch in range(40):
        columns = video_epochs(1, views=9_000, acted=[0, 0, 900, 0], seed=epoch, new=epoch == 0)
        memory.add(memory_of(columns))
    derived = derive(memory)
    before, after = SHIPPED.propensity[2, 0, 1], derived.propensity[2, 0, 1]
    assert derived.videos == 1
    assert after < before * 1.1, "one loud video must not make loudness ordinary"


@given(
    n=st.integers(1, 200),
    acted=st.lists(st.sampled_from([0.0, 1.0, 40.0, 2_000.0]), min_size=4, max_size=4),
)
@settings(max_examples=25, deadline=None)
def test_every_version_is_usable(n: int, acted: list[float]) -> None:
    derived = derive(memory_of(video_epochs(n, views=2_500, acted=acted)))
    for name in ("propensity", "scarcity", "concentration", "intensity", "shape"):
        values = getattr(derived, name)
        assert np.isfinite(values).all(), name
        assert (values > 0).all(), name
    assert (derived.propensity <= 1).all()
    assert (derived.rhythm >= 0).all()


def test_burstier_videos_make_nulls_that_allow_for_bursts() -> None:
    calm = memory_of(video_epochs(300, views=9_000, acted=[900, 0, 90, 40]))
    columns = video_epochs(300, views=9_000, acted=[900, 0, 90, 40])
    bursts = replace(
        columns,
        acted_squared=columns.acted_squared * 4,
        acted_squared_per_exposed=columns.acted_squared_per_exposed * 4,
    )
    burst = memory_of(bursts)
    assert (derive(burst).shape < derive(calm).shape)[Signal.IDENTIFICATION]
    assert (derive(burst).concentration < derive(calm).concentration)[Signal.IDENTIFICATION]


# -- the memory -------------------------------------------------------------------------------


@given(
    order=st.permutations(range(6)),
    epochs=st.lists(st.integers(1, 5), min_size=3, max_size=6),
    cut=st.integers(0, 5),
)
@settings(max_examples=8, deadline=None, phases=[Phase.generate])
def test_partitions_and_platforms_come_in_any_order(
    order: list[int], epochs: list[int], cut: int
) -> None:
    """Summaries of one epoch: three partitions of two platforms, in any order, or summed first."""
    one, two, three = (CohortMemory(EPOCH_MS) for _ in range(3))
    epoch = 0
    for number, step in enumerate(epochs):
        epoch += step
        parts = [(f"p{i % 2}", summary(97 * number + i, 0.05)) for i in range(6)]
        one.fold(epoch, parts)
        two.fold(epoch, [parts[i] for i in order])
        summed = {name: EpochSummary.empty() for name in ("p0", "p1")}
        for name, part in parts:
            summed[name].add(part)
        three.fold(epoch, list(summed.items()))
        if number == cut:
            restored = CohortMemory(EPOCH_MS)
            restored.load_bytes(two.to_bytes())
            two = restored
    assert one.to_bytes() == two.to_bytes() == three.to_bytes()
    versions = [json.dumps(m.version(epoch).to_dict()) for m in (one, two, three)]
    assert versions[0] == versions[1] == versions[2]


def test_the_memory_fades_by_half_in_a_week_also_over_a_gap() -> None:
    week = HALF_LIFE_MS // EPOCH_MS
    gap, steady = CohortMemory(EPOCH_MS), CohortMemory(EPOCH_MS)
    gap.fold(0, [("p", summary(1))])
    gap.fold(week, [])
    steady.fold(0, [("p", summary(1))])
    for epoch in range(1, week + 1):
        steady.fold(epoch, [("other", summary(epoch))])
    for memory in (gap, steady):
        np.testing.assert_allclose(
            memory.platforms["p"].propensity, summary(1).propensity / 2, rtol=1e-9
        )


def test_an_epoch_is_folded_once() -> None:
    memory = CohortMemory(EPOCH_MS)
    memory.fold(3, [])
    for epoch in (3, 2):
        with pytest.raises(ValueError, match=f"epoch {epoch} after 3"):
            memory.fold(epoch, [])


def test_platforms_beyond_the_limit_share_the_shipped_cohort() -> None:
    memory = CohortMemory(EPOCH_MS)
    names = [f"p{number:03d}" for number in range(MOST_PLATFORMS + 5)]
    tiny = EpochSummary.empty()
    tiny.newcomers += 1
    memory.fold(0, [(name, tiny) for name in reversed(names)])
    memory.fold(1, [("another", tiny), ("p000", tiny)])
    assert set(memory.platforms) == set(names[:MOST_PLATFORMS])
    version = memory.version(1)
    assert version.of("another") is SHIPPED
    assert version.of("p000") is not SHIPPED
