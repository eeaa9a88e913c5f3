"""What is kept to learn from: when it matures, what it costs, and what a restart finds."""

from dataclasses import replace
from itertools import pairwise

import numpy as np
import numpy.typing as npt
import pytest

from models import forecast_learning
from models.boosted_trees import Size
from models.forecast_features import FEATURES
from models.forecast_learning import VERSIONS_KEPT, Bias, ForecastLearning, Judgement
from models.forecast_model import ForecastModel, ModelFormatError
from models.forecast_moments import MOMENT, kept_at
from models.forecast_versions import ForecastVersions, key_of
from models.forecasting import BASELINE, BASELINE_OF_VIEWS
from models.parameters import HOUR_MS, Level, Parameters
from models.steps import AbandonedError

PARAMETERS = Parameters(epoch_ms=6 * HOUR_MS, horizon_ms=24 * HOUR_MS, level=Level("view", 3_000))
HORIZON_EPOCHS = 4

Records = npt.NDArray[np.void]


def moments(
    epoch: int, videos: npt.NDArray[np.int64], *, seed: int = 0, reached: bool = False
) -> Records:
    """Return one moment of each video in an epoch, at the level if they have reached it."""
    rng = np.random.default_rng([seed, epoch])
    told = np.zeros(len(videos), MOMENT)
    told["epoch"], told["video"] = epoch, videos
    told["time_ms"] = epoch * PARAMETERS.epoch_ms + rng.integers(
        0, PARAMETERS.epoch_ms, len(videos)
    )
    told["episode_ms"] = -1
    told["first"] = 0.5
    told["features"] = rng.normal(size=(len(videos), len(FEATURES)))
    # What grows fast will be a hit: odd numbers.
    told["features"][:, 3] += 4.0 * (videos % 2)
    told["progress"] = PARAMETERS.level.count if reached else 1_000
    return told


def history(epochs: int, videos: int = 40) -> list[Records]:
    """Return the moments of each epoch: odd videos reach the level two epochs on."""
    told = []
    for epoch in range(epochs):
        fresh = np.arange(videos) + epoch * videos
        before = fresh[fresh % 2 == 1] - 2 * videos
        told.append(
            np.concatenate(
                [
                    moments(epoch, fresh),
                    moments(epoch, before[before >= 0], reached=True, seed=1),
                ]
            )
        )
    return told


def run(
    learning: ForecastLearning, told: list[Records], first: int = 0
) -> list[tuple[bytes, bytes | None]]:
    records = []
    for epoch, part in enumerate(told[first:], first):
        learning.note(part)
        records += learning.learn_through(epoch)
    return records


@pytest.fixture(autouse=True)
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(forecast_learning, "SIZES", (Size(3, 0.1, 20),))


def test_it_learns_what_comes_and_what_was_learned_takes_force() -> None:
    learning = ForecastLearning(PARAMETERS, BASELINE.name)
    records = run(learning, history(20))
    (key, value), *_ = [record for record in records if record[1] is not None]
    assert value is not None
    model = ForecastModel.from_bytes(value, FEATURES)
    fast = np.zeros((2, len(FEATURES)))
    fast[1, 3] = 4.0
    low, high = model.probabilities(fast, np.zeros(2))
    assert low < 0.2
    assert high > 0.8
    assert key == b"forecast:epoch:" + model.name.split(":")[-1].encode()


def test_nothing_matures_before_the_horizon_whatever_became_of_it() -> None:
    learning = ForecastLearning(PARAMETERS, BASELINE.name)
    told = history(HORIZON_EPOCHS)
    assert not run(learning, told)
    assert learning.matured == 0
    for epoch in range(HORIZON_EPOCHS, HORIZON_EPOCHS + 3):
        learning.learn_through(epoch)
        # One epoch more each time: hits, known for long by then, no sooner than misses.
        assert learning.matured == 40 * (epoch - HORIZON_EPOCHS + 1)


def test_how_many_epochs_end_at_once_changes_nothing() -> None:
    told = history(20)
    one_by_one = run(ForecastLearning(PARAMETERS, BASELINE.name), told)
    at_once = ForecastLearning(PARAMETERS, BASELINE.name)
    for part in reversed(told):
        at_once.note(part[::-1])
    assert at_once.learn_through(len(told) - 1) == one_by_one


@pytest.mark.parametrize("restart", [3, 9, 14])
def test_a_restart_finds_everything(restart: int) -> None:
    told = history(20)
    expected = run(ForecastLearning(PARAMETERS, BASELINE.name), told)
    first = ForecastLearning(PARAMETERS, BASELINE.name)
    records = run(first, told[:restart])
    saved: dict[bytes, bytes | None] = dict(first.rows())
    again = ForecastLearning(PARAMETERS, BASELINE.name)
    for key, value in saved.items():
        if value is not None:
            again.load(key, value)
    again.recovered()
    # Reports that are kept are noted again: those of epochs that were learned teach nothing twice.
    for part in told[:restart]:
        again.note(part)
    assert records + run(again, told, restart) == expected
    assert len(again) == len(history(20)) * 40


def test_what_is_saved_changes_only_where_something_did() -> None:
    learning = ForecastLearning(PARAMETERS, BASELINE.name)
    told = history(6)
    run(learning, told[:5])
    learning.rows()
    run(learning, told, 5)
    blocks = {key for key, _ in learning.rows() if key.startswith(b"f/epoch/")}
    # The new epoch, and the one whose videos reached the level in it.
    assert blocks == {b"f/epoch/5/00000000", b"f/epoch/3/00000000"}


def test_memory_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(forecast_learning, "KEPT_MAX", 800)
    learning = ForecastLearning(PARAMETERS, BASELINE.name)
    numbers = np.random.default_rng(2).integers(0, 2**62, (12, 1_000))
    saved: dict[bytes, bytes] = {}
    told = [0, 0]
    for epoch in range(12):
        # For two epochs nobody knows yet how many there are.
        learning.note(moments(epoch, numbers[epoch][kept_at(numbers[epoch], told[epoch])]))
        learning.learn_through(epoch)
        assert len(learning) <= 800
        for key, value in learning.rows():
            if value is None:
                del saved[key]
            else:
                saved[key] = value
        told.append(learning.thinning)
    # A hundred of an epoch fill half of what is kept: one of ten videos, so one of sixteen or so.
    assert set(told[2:]) <= {3, 4}
    assert len([key for key in saved if key.startswith(b"f/epoch/")]) <= 12
    again = ForecastLearning(PARAMETERS, BASELINE.name)
    for key, value in saved.items():
        again.load(key, value)
    again.recovered()
    assert len(again) == len(learning)


def test_what_is_told_thinned_is_counted_whole() -> None:
    learning = ForecastLearning(PARAMETERS, BASELINE.name)
    most = forecast_learning.KEPT_MAX // (2 * HORIZON_EPOCHS)
    numbers = np.random.default_rng(3).integers(0, 2**62, 3 * most)
    told = [0, 0]
    for epoch in range(6):
        kept = numbers[kept_at(numbers, told[epoch])]
        learning.note(moments(epoch, kept))
        learning.learn_through(epoch)
        told.append(learning.thinning)
    # What is kept at a thinning fits, and what would be told without is not forgotten.
    assert told[2:] == [2] * 6


def test_other_settings_begin_anew_and_forget() -> None:
    learning = ForecastLearning(PARAMETERS, BASELINE.name)
    run(learning, history(6))
    saved = dict(learning.rows())
    other = Parameters(
        epoch_ms=PARAMETERS.epoch_ms, horizon_ms=PARAMETERS.horizon_ms, level=Level("view", 4_000)
    )
    again = ForecastLearning(other, BASELINE.name)
    for key, value in saved.items():
        if value is not None:
            again.load(key, value)
    again.recovered()
    assert len(again) == 0
    removed = {key for key, value in again.rows() if value is None}
    assert removed == {key for key in saved if key.startswith(b"f/epoch/")}


def test_a_worse_candidate_changes_nothing() -> None:
    told = history(12)
    # Nothing is to be learned from outcomes that have nothing to do with what was seen: by more
    # than one standard error noise does seem to tell something in one case of six, not in this.
    rng = np.random.default_rng(5)
    for part in told:
        part["features"] = rng.normal(size=part["features"].shape)
    assert not run(ForecastLearning(PARAMETERS, BASELINE.name), told)
    # Nor where everything is known already.
    told = history(12)
    for part in told:
        part["first"] = np.where(part["video"] % 2 == 1, 0.999, 0.001)
    assert not run(ForecastLearning(PARAMETERS, BASELINE.name), told)


UNBIASED = Bias(0.0, 0.1)


def judgements(monkeypatch: pytest.MonkeyPatch, gains: list[float]) -> None:
    """Let candidates be better by so much, one after the other, then by nothing."""
    rest = list(gains)
    monkeypatch.setattr(
        ForecastLearning,
        "_judged",
        lambda *_: Judgement(1.0, 1.0 - (rest.pop(0) if rest else 0.0), 0.1, UNBIASED, UNBIASED),
    )


def versions(records: list[tuple[bytes, bytes | None]]) -> list[ForecastModel]:
    return [ForecastModel.from_bytes(value, FEATURES) for _, value in records if value is not None]


@pytest.mark.parametrize("restart", [0, 12])
def test_a_version_is_taken_back_when_the_next_candidate_is_not_better(
    monkeypatch: pytest.MonkeyPatch, restart: int
) -> None:
    judgements(monkeypatch, [0.5, 0.05])
    told = history(24)
    first = ForecastLearning(PARAMETERS, BASELINE.name)
    records = run(first, told[:restart])
    again = ForecastLearning(PARAMETERS, BASELINE.name)
    for key, value in first.rows():
        if value is not None:
            again.load(key, value)
    again.recovered()
    learned, nothing = versions(records + run(again, told, restart))
    assert len(learned.roots) > 0
    # It says what is said without it, and is told once.
    assert len(nothing.roots) == 0
    assert first.judged + again.judged > 2


def test_what_an_older_program_learned_is_refused() -> None:
    learning = ForecastLearning(PARAMETERS, BASELINE.name)
    (version, *_) = versions(run(learning, history(20)))
    alone = replace(version, upon="")
    saved = {key: value for key, value in learning.rows() if value is not None}
    again = ForecastLearning(PARAMETERS, BASELINE.name)
    for key, value in (saved | {b"f/model": alone.to_bytes()}).items():
        again.load(key, value)
    with pytest.raises(ModelFormatError, match="of an older program"):
        again.recovered()
    held = ForecastVersions(PARAMETERS, BASELINE)
    with pytest.raises(ModelFormatError, match="of an older program"):
        held.learn(key_of(8), alone.to_bytes())


def test_another_first_forecast_begins_anew() -> None:
    learning = ForecastLearning(PARAMETERS, BASELINE.name)
    told = history(20)
    (version, *_) = versions(run(learning, told))
    again = ForecastLearning(PARAMETERS, BASELINE_OF_VIEWS.name)
    for key, value in learning.rows():
        if value is not None:
            again.load(key, value)
    again.recovered()
    assert len(again) == 0
    held = ForecastVersions(PARAMETERS, BASELINE_OF_VIEWS)
    held.learn(key_of(8), version.to_bytes())
    assert held.of(12) is BASELINE_OF_VIEWS


def test_a_version_without_trees_gives_the_word_back_to_who_spoke_first() -> None:
    learning = ForecastLearning(PARAMETERS, BASELINE.name)
    (version, *_) = versions(run(learning, history(20)))
    held = ForecastVersions(PARAMETERS, BASELINE)
    held.learn(key_of(8), version.to_bytes())
    nothing = replace(version, nodes=version.nodes[:0], roots=version.roots[:0])
    held.learn(key_of(12), nothing.to_bytes())
    assert held.of(9) is BASELINE
    assert held.of(10).adds_to_first
    assert held.of(13).name == version.name
    assert held.of(14) is BASELINE


def test_an_old_version_stays_until_a_newer_one_has_long_been_in_force(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    found = Judgement(2.0, 1.0, 0.0, UNBIASED, UNBIASED)
    monkeypatch.setattr(ForecastLearning, "_judged", lambda *_: found)
    learning = ForecastLearning(PARAMETERS, BASELINE.name)
    told, removed = [], []
    for epoch, part in enumerate(history(24)):
        learning.note(part)
        for key, value in learning.learn_through(epoch):
            of_epoch = int(key.split(b":")[-1])
            if value is None:
                removed.append((of_epoch, epoch))
            else:
                assert of_epoch == epoch
                told.append(of_epoch)
    assert len(removed) >= 2
    later = dict(pairwise(told))
    assert removed == [(of_epoch, later[of_epoch] + VERSIONS_KEPT) for of_epoch, _ in removed]


def test_who_is_no_longer_waited_for_stops_at_the_next_tree() -> None:
    learning = ForecastLearning(PARAMETERS, BASELINE.name)
    told = history(24)
    learned = 0
    for epoch, part in enumerate(told):
        learning.note(part)
        if learned:
            learning.abandon()
        before = learning.trees_grown
        try:
            learned += len(learning.learn_through(epoch))
        except AbandonedError:
            break
    else:
        pytest.fail("it learned to the end")
    assert learned
    assert learning.trees_grown == before


def test_what_was_judged_is_told() -> None:
    learning = ForecastLearning(PARAMETERS, BASELINE.name)
    adding = [one for one in versions(run(learning, history(24))) if len(one.roots)]
    assert learning.adopted == len(adding) > 0
    assert learning.judged >= learning.adopted
    assert learning.judgement is not None
    assert learning.judgement.first > 0
    assert learning.judgement.candidate > 0
    assert learning.trees_grown > 0


@pytest.mark.parametrize("shift", [-0.2, 0.0, 0.2])
def test_what_promises_too_much_or_too_little_is_biased_by_so_much(shift: float) -> None:
    told = history(24)
    for part in told:
        # Half of all videos come to their level, whatever is said of each.
        part["first"] = 0.5 + shift
    learning = ForecastLearning(PARAMETERS, BASELINE.name)
    run(learning, told)
    assert learning.judgement is not None
    bias = learning.judgement.first_bias
    assert 0 < bias.error < 0.1
    assert bias.mean == pytest.approx(shift, abs=3 * bias.error)
    assert abs(learning.judgement.candidate_bias.mean) < 0.1
