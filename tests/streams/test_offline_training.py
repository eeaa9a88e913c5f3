"""Nothing that lies after a moment shows in what is forecast or learned up to it."""

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from models.boosted_trees import Size
from models.events import DecodingLimits
from models.forecast_features import FEATURES
from models.forecast_model import LEAF, NODE, Calibration, ForecastModel
from models.forecast_training import HITS_LEAST, Examples, TooFewExamplesError, video_number
from models.parameters import DAY_MS, HOUR_MS, Level, Parameters
from streams.offline.backtest import Backtest
from streams.offline.training import (
    Past,
    check_place,
    judged_later,
    learn,
    save,
    scores_of,
    split_ms,
)

START_MS = 1_704_067_200_000
LEVEL = Level("view", 1_000)
HORIZON_MS = 2 * DAY_MS
SMALL = (Size(4, 0.1, 50),)

Event = dict[str, object]


def growing(videos: int = 240, days: int = 6, seed: int = 1, name: str = "v") -> list[Event]:
    """Return videos that appear over some days and grow at a pace of their own, which decays.

    What is liked more grows longer.
    """
    random = np.random.default_rng(seed)
    events: list[Event] = []
    for number in range(videos):
        born_ms = START_MS + int(random.integers(0, days * DAY_MS))
        liked = random.beta(2, 8)
        per_step = 240 * random.lognormal(-0.5, 0.8)
        keep = 0.7 + 0.6 * liked
        for step in range(16):
            time_ms = born_ms + step * 3 * HOUR_MS + int(random.integers(0, HOUR_MS))
            views = int(random.poisson(per_step * keep**step))
            base = {"time": time_ms, "platform": "p", "video_id": f"{name}{number}"}
            if views:
                events.append({**base, "action": "view", "count": views})
                likes = int(random.binomial(views, liked))
                if likes:
                    events.append({**base, "action": "like", "count": likes})
    return sorted(events, key=lambda event: int(str(event["time"])))


def read(events: Sequence[Event]) -> Past:
    backtest = Backtest(
        parameters=Parameters(level=LEVEL, horizon_ms=HORIZON_MS),
        actor_key=bytes(16),
        limits=DecodingLimits(),
        received_ms=START_MS + 365 * DAY_MS,
    )
    past = Past(LEVEL, HORIZON_MS)
    lines = [json.dumps(event).encode() for event in events]
    assert sum(past.read(backtest, lines)) == len(lines)
    assert backtest.events == len(lines)
    return past


@pytest.fixture(scope="module")
def whole() -> list[Event]:
    return growing()


@pytest.fixture(scope="module")
def past(whole: list[Event]) -> Past:
    return read(whole)


def columns(examples: Examples) -> tuple[bytes, ...]:
    ordered = examples.in_order()
    return (
        ordered.video.tobytes(),
        ordered.time_ms.tobytes(),
        ordered.features.tobytes(),
        ordered.hit.tobytes(),
        # Which of them are even is hindsight, and ends where the rest does.
        ordered.uneven().tobytes(),
    )


def forecasts(past: Past, before_ms: int) -> set[tuple[object, ...]]:
    """Return every forecast made before a moment, with all that was looked at."""
    return {
        (video, time_ms, progress, episode, features.tobytes(), probability.tobytes())
        for one in past.made
        for video, time_ms, progress, episode, features, probability in zip(
            one.videos,
            one.time_ms.tolist(),
            one.progress.tolist(),
            one.episode.tolist(),
            one.features,
            one.probability,
            strict=True,
        )
        if time_ms < before_ms
    }


def futures(whole: list[Event], cut_ms: int) -> dict[str, list[Event]]:
    """Return different things that may come after a moment."""
    after = [event for event in whole if int(str(event["time"])) >= cut_ms]
    random = np.random.default_rng(8)
    times = random.permutation([event["time"] for event in after]).tolist()
    shuffled = [{**event, "time": time} for event, time in zip(after, times, strict=True)]
    ids = random.permutation([event["video_id"] for event in after]).tolist()
    return {
        "nothing": [],
        "the same at other times": sorted(shuffled, key=lambda event: int(str(event["time"]))),
        "the same of other videos": [
            {**event, "video_id": video} for event, video in zip(after, ids, strict=True)
        ],
        "everything a thousand times": [
            {**event, "count": 1_000 * int(str(event["count"]))} for event in after
        ],
        "other videos": [
            {**event, "time": int(str(event["time"])) - START_MS + cut_ms}
            for event in growing(40, 2, seed=9, name="w")
        ],
    }


def test_another_future_changes_nothing_that_was_said_before(
    whole: list[Event], past: Past
) -> None:
    bucket_ms = Parameters().bucket_ms
    cut_ms = int(whole[len(whole) // 2]["time"])  # type: ignore[call-overload]  # an int
    cut_ms -= cut_ms % bucket_ms
    before = [event for event in whole if int(str(event["time"])) < cut_ms]
    said = forecasts(past, cut_ms)
    known = columns(past.examples(through_ms=cut_ms - 1))
    outcomes = set()
    assert len(said) > 100
    for name, after in futures(whole, cut_ms).items():
        other = read(before + after)

        assert forecasts(other, cut_ms) == said, name
        assert columns(other.examples(through_ms=cut_ms - 1)) == known, name

        # What became of them is another matter: the future is in the outcomes, and there alone.
        later = other.examples(through_ms=cut_ms + 30 * DAY_MS).in_order()
        until_then = later.at(later.time_ms < cut_ms)
        assert columns(until_then)[:3] == known[:3], name
        outcomes.add(columns(until_then)[3])
    assert len(outcomes) > 2


def test_the_judged_model_learns_from_nothing_after_its_moment(
    whole: list[Event], past: Past, monkeypatch: pytest.MonkeyPatch
) -> None:
    moment_ms = split_ms(past.examples())
    seen: list[Examples] = []
    judged: list[Examples] = []
    from streams.offline import training

    learn_from, score = training.train, training.scores_of

    def train(*parts: Examples, **rest: object) -> ForecastModel:
        seen.extend(parts)
        return learn_from(*parts, **rest)  # type: ignore[arg-type]  # handed on as they came

    def scores_of(model: ForecastModel, later: Examples, *rest: object) -> object:
        judged.append(later)
        return score(model, later, *rest)  # type: ignore[arg-type]  # handed on as they came

    monkeypatch.setattr(training, "train", train)
    monkeypatch.setattr(training, "scores_of", scores_of)
    judged_later(past, 0.6, sizes=SMALL)

    (learned,), (later,) = seen, judged
    assert learned.time_ms.max() <= moment_ms < later.time_ms.min()
    assert not set(learned.video.tolist()) & set(later.video.tolist())
    # A stream that ended at the moment teaches the same.
    ended = read([event for event in whole if int(str(event["time"])) <= moment_ms])
    assert columns(ended.examples(through_ms=moment_ms)) == columns(learned)


def test_scores_on_later_videos_are_better_than_chance(past: Past) -> None:
    trees = 0

    def advance(more: int) -> None:
        nonlocal trees
        trees += more

    scores = judged_later(past, 0.6, sizes=SMALL, advance=advance)

    assert trees > 250
    assert scores.hits >= HITS_LEAST
    assert scores.average_precision[0] > 1.3 * scores.hits / scores.videos
    assert set(scores.calibration) == {"6 h", "24 h"}
    assert sum(one.videos for one in scores.calibration["24 h"]) > 10
    kept = scores.to_dict()
    assert json.loads(json.dumps(kept)) == kept


def moments(*rows: tuple[int, float, float, bool]) -> Examples:
    """Return moments: video, hours since it began, share of the level a day, whether a hit."""
    features = np.zeros((len(rows), len(FEATURES)), np.float32)
    features[:, FEATURES.index("age")] = [np.log1p(row[1]) for row in rows]
    features[:, FEATURES.index("mean_pace")] = [np.log(row[2]) for row in rows]
    return Examples(
        np.array([video_number(str(row[0])) for row in rows]),
        np.array([START_MS + int(row[1] * HOUR_MS) for row in rows]),
        features,
        np.array([row[3] for row in rows]),
    )


def by_pace() -> ForecastModel:
    """Return a model that says 0.9 of a mean pace above half the level a day, else 0.1."""
    nodes = np.zeros(3, NODE)
    nodes["feature"] = LEAF
    nodes[0] = (np.log(0.5), 0.0, FEATURES.index("mean_pace"), 1, 2, 0)
    nodes["value"][1:] = -1, 1
    return ForecastModel(
        name="pace",
        level=LEVEL,
        horizon_ms=HORIZON_MS,
        features=FEATURES,
        nodes=nodes,
        roots=np.zeros(1, np.int64),
        intercept=0.0,
        calibration=Calibration(np.array([-1.0, 1.0]), np.array([0.1, 0.9])),
    )


def test_what_is_said_shortly_before_it_happens_does_not_count() -> None:
    judged = moments(
        (1, 2, 0.2, True),
        (1, 15, 0.9, True),  # five hours before
        (2, 2, 0.2, True),
        (2, 13, 0.9, True),  # seven hours before
        (3, 2, 0.2, False),
        (3, 19, 0.9, False),
        (4, 19, 0.9, True),  # nothing but an hour before
    )
    crossed = {(str(video), -1): [START_MS + 20 * HOUR_MS] for video in (1, 2, 4)}

    scores = scores_of(by_pace(), judged, crossed, 0.6)

    assert (scores.videos, scores.hits) == (4, 3)
    assert (scores.alerts.videos, scores.alerts.hits) == (2, 1)


def test_promises_are_those_in_force_at_an_age_of_what_was_undecided_then() -> None:
    judged = moments(
        (1, 2, 0.2, True),
        (1, 5, 0.9, True),
        (1, 9, 0.2, True),
        (2, 3, 0.9, False),
        (2, 30, 0.2, False),
        (3, 4, 0.9, True),  # has reached it when it is six hours old
        (4, 7, 0.9, False),  # is not forecast yet then
    )
    crossed = {
        ("1", -1): [START_MS + 40 * HOUR_MS],
        ("3", -1): [START_MS + 5 * HOUR_MS],
    }

    found = scores_of(by_pace(), judged, crossed, 0.6).calibration

    (six,) = found["6 h"]
    assert (six.promised, six.happened, six.videos) == (pytest.approx(0.9), 0.5, 2)
    low, high = found["24 h"]
    assert (low.promised, low.happened, low.videos) == (pytest.approx(0.1), 1, 1)
    assert (high.promised, high.happened, high.videos) == (pytest.approx(0.9), 0, 2)


def test_the_same_past_gives_the_same_file(past: Past, tmp_path: Path) -> None:
    def model(past: Past) -> ForecastModel:
        return learn(past, level=LEVEL, horizon_ms=HORIZON_MS, told={"by": "test"}, sizes=SMALL)

    first, again = model(past), model(replace(past, made=past.made[::-1]))
    save(first, tmp_path / "m.json")
    save(again, tmp_path / "n.json")

    assert (tmp_path / "m.json").read_bytes() == (tmp_path / "n.json").read_bytes()
    read_back = ForecastModel.from_bytes((tmp_path / "m.json").read_bytes(), FEATURES)
    assert (read_back.level, read_back.horizon_ms) == (LEVEL, HORIZON_MS)
    assert read_back.trained["by"] == "test"
    assert read_back.name.startswith("trained:")
    assert {path.name for path in tmp_path.iterdir()} == {"m.json", "n.json"}


def test_two_pasts_with_levels_of_their_own_teach_one_model(past: Past) -> None:
    both = learn(past, past, level=LEVEL, horizon_ms=HORIZON_MS, told={}, sizes=SMALL)

    assert both.trained["videos"] == [past.examples().videos()] * 2
    assert len(both.to_bytes()) < 150_000


def test_a_file_that_cannot_be_replaced_stays_as_it_was(past: Past, tmp_path: Path) -> None:
    model = learn(past, level=LEVEL, horizon_ms=HORIZON_MS, told={}, sizes=SMALL)
    (tmp_path / "taken").mkdir()

    with pytest.raises(OSError, match="taken"):
        save(model, tmp_path / "taken")
    with pytest.raises(OSError, match="directory"):
        check_place(tmp_path / "taken")
    with pytest.raises(OSError, match="No such file"):
        check_place(tmp_path / "nowhere" / "m.json")
    check_place(tmp_path / "m.json")
    assert [path.name for path in tmp_path.iterdir()] == ["taken"]


def test_a_past_with_too_few_hits_is_refused() -> None:
    small = read(growing(30))

    with pytest.raises(TooFewExamplesError, match=f"{HITS_LEAST} are needed"):
        judged_later(small, 0.6, sizes=SMALL)
    with pytest.raises(TooFewExamplesError, match="0 of 0"):
        judged_later(Past(LEVEL, HORIZON_MS), 0.6)
