"""What is learned depends on the examples alone, and is found on videos not learned from."""

from dataclasses import replace

import numpy as np
import pytest

from models.boosted_trees import Size, grow
from models.forecast_features import FEATURES
from models.forecast_model import Calibration, ForecastModel
from models.forecast_training import (
    FOLDS,
    HITS_LEAST,
    SIZES_OF_PEOPLE,
    Examples,
    TooFewExamplesError,
    _calibrated,
    crossings,
    examples_of,
    sizes_of,
    train,
    trees_to_grow,
    video_number,
)
from models.parameters import DAY_MS, HOUR_MS, Level
from models.probability_calibration import calibrate, log_loss
from models.report_building import MadeForecasts

LEVEL = Level("view", 1_000)
HORIZON_MS = 7 * DAY_MS
SMALL = (Size(4, 0.1, 100),)


def some(videos: int = 300, seed: int = 1, first: int = 0) -> Examples:
    """Return moments of videos that hit the more often the higher their first feature is."""
    random = np.random.default_rng(seed)
    moments = random.integers(2, 30, videos)
    which = np.repeat(np.arange(videos), moments)
    features = random.normal(size=(len(which), len(FEATURES))).astype(np.float32)
    features[:, 0] += random.normal(0, 2, videos)[which]
    chance = 1 / (1 + np.exp(-features[np.r_[0, np.cumsum(moments)[:-1]], 0]))
    hit = (random.random(videos) < chance)[which]
    numbers = np.array([video_number(f"v{first + number}") for number in which.tolist()])
    return Examples(numbers, random.integers(0, 10**9, len(which)), features, hit)


def trained(*parts: Examples, sizes: tuple[Size, ...] = SMALL, upon: str = "") -> ForecastModel:
    return train(*parts, level=LEVEL, horizon_ms=HORIZON_MS, name="test", upon=upon, sizes=sizes)


@pytest.fixture(scope="module")
def model() -> ForecastModel:
    return trained(some())


def test_upon_what_was_said_only_what_it_lacks_is_learned() -> None:
    taught, unseen = some(600), some(600, seed=2, first=10_000)
    random = np.random.default_rng(3)

    def knowing(examples: Examples, share: float) -> Examples:
        """What was said knows the first feature in part, and says nothing of the rest."""
        return replace(examples, before=share * examples.features[:, 0].astype(np.float64))

    for share in (0.0, 0.25):
        model = trained(knowing(taught, share), upon="first")
        assert model.upon == "first"
        before = knowing(unseen, share).before
        assert before is not None
        said = model.probabilities(unseen.features.astype(np.float64), before)
        ones = np.ones(len(unseen))
        odds = np.log(said / (1 - said))
        assert log_loss(odds, unseen.hit, ones) < log_loss(before, unseen.hit, ones)
    # The order of the examples plays no part, nor where each of them stands.
    order = random.permutation(len(taught))
    again = trained(knowing(taught, 0.25).at(order), upon="first")
    assert again.to_bytes() == model.to_bytes()


def test_what_was_said_before_and_who_said_it_belong_together() -> None:
    examples = some()
    with pytest.raises(ValueError, match="who said it"):
        trained(examples, upon="first")
    with pytest.raises(ValueError, match="who said it"):
        trained(replace(examples, before=np.zeros(len(examples))))


def test_what_was_learned_holds_for_videos_it_has_not_seen(model: ForecastModel) -> None:
    unseen = some(600, seed=2, first=10_000)

    said = model.probabilities(unseen.features.astype(np.float64))

    high, low = said > np.quantile(said, 0.9), said < np.quantile(said, 0.1)
    assert unseen.hit[high].mean() > unseen.hit[low].mean() + 0.3
    for part in (said < 0.3, (said >= 0.3) & (said < 0.7), said >= 0.7):
        assert unseen.hit[part].mean() == pytest.approx(said[part].mean(), abs=0.12)


def test_the_order_of_examples_changes_no_byte(model: ForecastModel) -> None:
    examples = some()
    shuffled = np.random.default_rng(3).permutation(len(examples))

    assert trained(examples.at(shuffled)).to_bytes() == model.to_bytes()
    assert examples.at(shuffled).digest() == examples.digest()
    assert examples.at(shuffled[1:]).digest() != examples.digest()


def test_the_file_of_what_was_learned_is_read_back(model: ForecastModel) -> None:
    again = ForecastModel.from_bytes(model.to_bytes(), FEATURES)

    assert again.to_bytes() == model.to_bytes()
    assert again.trained["videos"] == [300]
    assert again.trained["hits"] == [some().videos_hit()]
    assert [set(one) for one in again.trained["trees"]] == [{"leaves", "rate", "trees"}] * 2
    assert len(again.roots) == sum(one["trees"] for one in again.trained["trees"])


def random_features() -> np.ndarray:
    return np.random.default_rng(9).normal(0, 3, (5_000, len(FEATURES))).astype(np.float32)


def library_scores(examples: Examples, trees: int, features: np.ndarray) -> np.ndarray:
    """Return what LightGBM says that was given some examples, in log odds."""
    weight = examples.weights()
    weight /= weight.mean()
    size = Size(SMALL[0].leaves, SMALL[0].rate, trees)
    return grow(examples.features, examples.hit, weight, size).scores(features, trees)


def assert_says(model: ForecastModel, score: np.ndarray) -> None:
    curve = model.calibration
    np.testing.assert_allclose(
        model.probabilities(random_features().astype(np.float64)),
        np.interp(score, curve.score, curve.probability),
        rtol=0,
        atol=1e-9,
    )


def spread(examples: Examples, share: float) -> Examples:
    """Return examples of which all but a share of the videos grow at one pace each."""
    ordered = examples.in_order()
    even = ordered.video % 100 >= 100 * share
    _, first, which = np.unique(ordered.video, return_index=True, return_inverse=True)
    step = np.arange(len(which)) - first[which] + 1
    features = ordered.features.copy()
    features[even, FEATURES.index("progress")] = np.log(0.03 * step[even])
    features[even, FEATURES.index("age")] = np.log1p(step[even])
    time_ms = np.where(even, step * HOUR_MS, ordered.time_ms)
    return replace(ordered, features=features, time_ms=time_ms).in_order()


def test_a_model_says_what_the_library_says_through_its_calibration() -> None:
    examples = spread(some(600), 0.4)
    uneven = examples.uneven()
    assert 0.2 < uneven.mean() < 0.5

    model = trained(examples)

    # Half of what all teach, half of what the uneven teach, in log odds.
    every, moved = (one["trees"] for one in model.trained["trees"])
    score = library_scores(examples, every, random_features())
    score += library_scores(examples.at(uneven), moved, random_features())
    assert_says(model, score / 2)


def test_too_few_uneven_moments_are_not_learned_from_alone() -> None:
    examples = spread(some(600), 0.0)
    # The last moment of a miss alone: what follows it is unknown.
    assert 0 < examples.uneven().mean() < 0.1

    model = trained(examples)

    (size,) = model.trained["trees"]
    assert_says(model, library_scores(examples, size["trees"], random_features()))


def test_the_size_is_chosen_by_videos_left_out() -> None:
    # So little to learn that hundreds of trees with many leaves learn the videos by heart.
    noise = some(120, seed=5)
    noise = replace(noise, hit=np.isin(noise.video, np.unique(noise.video)[:50]))

    chosen = trained(noise, sizes=(Size(31, 0.3, 300),)).trained

    assert {one["trees"] for one in chosen["trees"]} == {50}
    least = trained(noise, sizes=(Size(31, 0.3, 60, trees_least=55),)).trained
    assert {one["trees"] for one in least["trees"]} == {55}
    share = noise.hit.mean()
    entropy = -(share * np.log(share) + (1 - share) * np.log(1 - share))
    assert chosen["log_loss_unseen"] > 0.9 * entropy


def test_how_many_trees_is_chosen_for_levels_of_views_alone() -> None:
    (chosen,) = sizes_of(Level("view", 1_000))
    assert 0 == chosen.trees_least < chosen.trees

    by_people = train(some(50), level=Level("share", 100), horizon_ms=HORIZON_MS, name="test")
    assert [one["trees"] for one in by_people.trained["trees"]] == [SIZES_OF_PEOPLE[0].trees] * 2


def test_the_curve_keeps_its_promise_when_a_score_is_the_highest_so_far() -> None:
    random = np.random.default_rng(12)
    true = random.normal(-1, 1.5, 3_000)
    video = np.repeat(np.arange(len(true)), 12)
    score = true[video] + random.normal(0, 1.5, len(video))
    hit = (random.random(len(true)) < 1 / (1 + np.exp(-true)))[video]
    weight = np.ones(len(video))
    highest = score == np.maximum.accumulate(score.reshape(-1, 12), axis=1).reshape(-1)

    def off(curve: Calibration, where: np.ndarray) -> float:
        said = np.interp(score[where], curve.score, curve.probability)
        return float(said.mean() - hit[where].mean())

    plain, found = calibrate(score, hit, weight), _calibrated(video, score, hit, [weight])

    # Chance makes a highest score high: what is right on the whole promises too much there.
    assert abs(off(plain, np.ones(len(video), bool))) < 0.01
    assert off(plain, highest) > 0.05
    assert 0 < off(found, highest) < 0.6 * off(plain, highest)


def test_the_curve_stands_between_what_all_and_what_some_examples_say() -> None:
    random = np.random.default_rng(13)
    score = random.normal(0, 1.5, 20_000)
    some = np.arange(len(score)) % 8 == 0
    # Of some the score says what happens, of the others it says half of it.
    hit = random.random(len(score)) < 1 / (1 + np.exp(-score * np.where(some, 1, 2)))
    video = np.arange(len(score))
    every, few = np.ones(len(score)), some.astype(np.float64)

    def said(*weights: np.ndarray) -> float:
        curve = _calibrated(video, score, hit, weights)
        return float(np.interp(1.0, curve.score, curve.probability))

    assert said(few) == pytest.approx(1 / (1 + np.exp(-1)), abs=0.02)
    assert said(few) + 0.03 < said(every, few) < said(every) - 0.03


def test_each_set_weighs_the_same() -> None:
    few, many = some(150, seed=6), some(600, seed=7, first=5_000)
    # In the few, what counts is the other way round.
    few = replace(few, features=few.features * np.where(np.arange(len(FEATURES)) == 0, -1, 1))
    few = replace(few, features=few.features.astype(np.float32))
    high, low = np.zeros((2, len(FEATURES)))
    high[0], low[0] = 2.5, -2.5

    def slope(*parts: Examples) -> float:
        said = trained(*parts).probabilities(np.stack([high, low]))
        return float(said[0] - said[1])

    assert slope(many) > 0.4
    assert slope(few) < -0.4
    assert abs(slope(few, many)) < 0.2


def test_all_trees_are_told_of() -> None:
    told: list[int] = []
    train(
        some(100), level=LEVEL, horizon_ms=HORIZON_MS, name="test", sizes=SMALL, advance=told.append
    )

    assert FOLDS * SMALL[0].trees < sum(told) <= trees_to_grow(SMALL)


@pytest.mark.parametrize("hits", [0, HITS_LEAST - 1])
def test_too_few_hits_or_misses_are_refused(hits: int) -> None:
    examples = some(200)
    chosen = np.unique(examples.video)[:hits]
    few_hits = replace(examples, hit=np.isin(examples.video, chosen))

    with pytest.raises(TooFewExamplesError, match=f"{hits} of 200 videos reached"):
        trained(few_hits)
    with pytest.raises(TooFewExamplesError, match=f"{hits} of 200 videos did not"):
        trained(replace(few_hits, hit=~few_hits.hit))
    with pytest.raises(TooFewExamplesError, match="0 of 0"):
        trained(Examples.together([]))


def made(*rows: tuple[str, int, int, int]) -> MadeForecasts:
    """Return forecasts: video, time, progress, and when the episode began (-1: the first)."""
    return MadeForecasts(
        videos=[row[0] for row in rows],
        time_ms=np.array([row[1] for row in rows]),
        progress=np.array([row[2] for row in rows]),
        episode=np.array([row[3] for row in rows]),
        features=np.arange(len(rows) * len(FEATURES), dtype=np.float32).reshape(len(rows), -1),
        probability=np.zeros(len(rows), np.float32),
    )


def hits(*parts: MadeForecasts, horizon_ms: int, through_ms: int) -> list[bool]:
    crossed = crossings(parts, LEVEL.count)
    examples = examples_of(
        parts,
        crossed,
        level_count=LEVEL.count,
        horizon_ms=horizon_ms,
        through_ms=through_ms,
    )
    return examples.hit.tolist()


def test_a_moment_is_a_hit_when_the_level_is_crossed_within_the_horizon() -> None:
    first = made(("a", 0, 60, -1), ("b", HOUR_MS, 60, -1), ("a", 2 * HOUR_MS, 600, -1))
    second = made(("a", 5 * HOUR_MS, 1_000, -1), ("b", 9 * HOUR_MS, 70, -1))

    assert hits(first, second, horizon_ms=DAY_MS, through_ms=DAY_MS) == [True, False, True, False]
    # Five hours are too long for the first moment, three are enough for the second.
    assert hits(first, second, horizon_ms=4 * HOUR_MS, through_ms=DAY_MS) == [
        False,
        False,
        True,
        False,
    ]


def test_what_happens_after_a_moment_is_not_known_at_it() -> None:
    part = made(("a", 0, 60, -1), ("a", 2, 600, -1), ("a", 5, 1_000, -1), ("b", 6, 90, -1))

    assert hits(part, horizon_ms=10, through_ms=4) == [False, False]
    assert hits(part, horizon_ms=10, through_ms=5) == [True, True]
    assert hits(part, horizon_ms=10, through_ms=6) == [True, True, False]


def test_each_episode_has_an_outcome_of_its_own() -> None:
    part = made(
        ("a", 0, 60, -1),
        ("a", 1, 1_200, -1),
        ("a", 5, 60, 4),  # a second episode, counted anew
        ("a", 6, 600, 4),
        ("a", 8, 80, 7),  # a third that reaches it
        ("a", 9, 1_001, 7),
    )

    assert hits(part, horizon_ms=100, through_ms=100) == [True, False, False, True]


def test_a_video_that_was_forgotten_and_came_back_is_judged_by_what_came_next() -> None:
    part = made(("a", 0, 60, -1), ("a", 3, 1_000, -1), ("a", 50, 60, -1), ("a", 70, 1_000, -1))

    assert hits(part, horizon_ms=30, through_ms=100) == [True, True]
    assert hits(part, horizon_ms=10, through_ms=100) == [True, False]


def test_examples_hold_what_the_forecast_looked_at() -> None:
    part = made(("a", 3, 60, -1), ("a", 4, 1_000, -1), ("b", 5, 70, -1))

    examples = examples_of(
        [part],
        crossings([part], LEVEL.count),
        level_count=LEVEL.count,
        horizon_ms=10,
        through_ms=10,
    )

    assert examples.video.tolist() == [video_number("a"), video_number("b")]
    assert examples.time_ms.tolist() == [3, 5]
    np.testing.assert_array_equal(examples.features, part.features[[0, 2]])
    assert (examples.videos(), examples.videos_hit()) == (2, 1)


def test_many_moments_of_a_video_weigh_more_than_one_and_less_than_many_videos() -> None:
    examples = some(2)
    examples = replace(examples, video=np.r_[1, np.full(len(examples) - 1, 2)])

    weight = examples.weights()

    assert weight[0] == 1
    assert weight[1:].sum() == pytest.approx(np.sqrt(len(examples) - 1))
