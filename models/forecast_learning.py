"""How the forecast learns from the stream: moments mature, and make a version that must be better.

A moment matures when the horizon has passed since its epoch, whatever became of it: if hits matured
sooner than misses, what is known at any time would promise too much (measured: on the development
half of the popular list average precision fell to 0.77 times that of views per hour).

When enough has matured, a candidate learns from the older moments, upon what was said of them
without anything that was learned here, and is held against that on the newest ones, of videos that
it did not learn from. When it is better by more than chance, a version learns from all of them and
takes force; else what was in force is taken back: on a platform that changes, an old version is
worse than none. On the development half of the uploads, where ever fewer videos reach the level, a
rule that leaves it in force made 1.145 times the average precision of views per hour, and this one
1.186, of 1.193 without any version; on the popular list 1.364 and 1.360, of 1.283.

What is learned is a function of the moments: in which order they came, and how many epochs end at
once, plays no part.
"""

import json
from bisect import bisect_right
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from models.blocks import BLOCK_SHIFT, DirtyBlocks
from models.boosted_trees import Size
from models.cohorts import EPOCHS_TO_LEARN
from models.forecast_features import FEATURES
from models.forecast_model import NODE, ForecastModel
from models.forecast_moments import MOMENT, THINNING_MAX, kept_at
from models.forecast_training import Examples, TooFewExamplesError, check_enough, train
from models.forecast_versions import check_version, key_of, name_of
from models.forecasting import LEAST_PROBABILITY
from models.parameters import Parameters
from models.probability_calibration import curve
from models.steps import AbandonedError

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]
Records = npt.NDArray[np.void]

KEPT_MAX: Final = 100_000
"""Moments that are kept, 12 MB of them: at the most half of them wait for their horizon."""

GROWN: Final = 0.25
"""Share of what was learned from last that must be new: the newest fifth is then all new to the
version in force."""

JUDGED_SHARE: Final = 0.2
"""Of the moments, the newest, by which a candidate is judged."""

HITS_JUDGED: Final = 10
"""Videos that reached the level, and that did not, to judge a candidate by: the standard error of
fewer is itself off by more than a quarter (1 / sqrt(2 (n - 1)))."""

SIZES: Final = (Size(7, 0.05, 150),)
"""What a version may grow to: half of what a past is given that is learned in one go, since the
stream waits meanwhile."""

VERSIONS_KEPT: Final = 4
"""For so many epochs after a newer version the older one stays on the topic; a partition of
`stages` is never more than two behind."""

PREFIX: Final = b"f/"
"""Of the keys of what is saved here."""

_STATE: Final = PREFIX + b"state"
_MODEL: Final = PREFIX + b"model"
_EPOCH: Final = PREFIX + b"epoch/"

EXAMPLE: Final = np.dtype(
    [
        ("video", np.int64),
        ("time_ms", np.int64),
        ("episode_ms", np.int64),
        ("reached_ms", np.int64),
        ("first", np.float32),
        ("features", np.float32, (len(FEATURES),)),
    ]
)
"""A moment as it is kept; `reached_ms` is when its episode reached the level, or NOT_REACHED."""

NOT_REACHED: Final = np.iinfo(np.int64).max


@dataclass(slots=True)
class _Epoch:
    """The examples of one epoch, and which blocks of them have changed."""

    examples: Records
    dirty: DirtyBlocks


@dataclass(frozen=True, slots=True)
class Bias:
    """How far probabilities lie from what happened, in the mean (calibration in the large).

    Attributes:
        mean: Mean probability minus the share that happened; above 0: too much was promised.
        error: Standard error of it.
    """

    mean: float
    error: float


@dataclass(frozen=True, slots=True)
class Judgement:
    """A candidate against what is said without it, on the newest moments that have matured.

    Attributes:
        first: Mean loss of what is said without any version: minus the logarithm of what was given
            to what happened.
        candidate: The same of the candidate.
        error: Standard error of the difference.
        first_bias: Of what is said without any version.
        candidate_bias: Of the candidate.
    """

    first: float
    candidate: float
    error: float
    first_bias: Bias
    candidate_bias: Bias

    @property
    def gain(self) -> float:
        """By how much the candidate's loss is smaller, per moment."""
        return self.first - self.candidate

    @property
    def is_better(self) -> bool:
        """Whether it is, by more than chance."""
        return self.gain > self.error


class ForecastLearning:
    """The moments that are kept, and the version that was learned last.

    Attributes:
        parameters: Level, horizon, epoch.
        first: The name of what forecasts without anything that was learned here.
        thinning: Of one video of 2^thinning moments are wanted, two epochs on.
        matured: How many moments have matured, those that were forgotten since included.
        judged: How many candidates were held against what is said without them, in this process.
        adopted: How many of them were better.
        judgement: The last one's.
        trees_grown: How many trees, in this process.
    """

    def __init__(self, parameters: Parameters, first: str) -> None:
        """Know nothing yet."""
        self.parameters = parameters
        self.first = first
        self.thinning = 0
        self._is_in_force = False
        self._noted: dict[int, list[Records]] = {}
        self._epochs: dict[int, _Epoch] = {}
        self._through: int | None = None
        self._thinnings: dict[int, int] = {}
        self.matured = 0
        self._matured_then = 0
        self._learned_from = 0
        self._published: list[int] = []
        self._model: bytes | None = None
        self._is_model_dirty = self._is_state_dirty = False
        self._dropped: list[bytes] = []
        self._loaded: dict[bytes, bytes] = {}
        self.judged = self.adopted = 0
        self.judgement: Judgement | None = None
        self.trees_grown = 0
        self._is_abandoned = False
        self._epochs_to_mature = -(-parameters.horizon_ms // parameters.epoch_ms)
        self._most_of_epoch = max(KEPT_MAX // (2 * self._epochs_to_mature), 1)

    def __len__(self) -> int:
        """Return how many moments are kept."""
        return sum(len(epoch.examples) for epoch in self._epochs.values())

    # -- moments in ---------------------------------------------------------------------------

    def note(self, moments: Records) -> None:
        """Take in moments: MOMENT[n]; those of epochs that were learned are known already."""
        for epoch in np.unique(moments["epoch"]).tolist():
            if self._through is None or epoch > self._through:
                self._noted.setdefault(epoch, []).append(moments[moments["epoch"] == epoch])

    def learn_through(self, last_epoch: int) -> list[tuple[bytes, bytes | None]]:
        """Learn from the epochs up to one, all of whose moments have come.

        Returns:
            Records for the topic of what was learned, in order: new versions, and removals.

        Raises:
            AbandonedError: `abandon` was called.
            NoTreesError: The library that grows trees cannot be loaded.
        """
        if not self.parameters.learn_forecast:
            return []
        records: list[tuple[bytes, bytes | None]] = []
        first = min(self._noted, default=last_epoch) if self._through is None else self._through + 1
        for epoch in range(first, last_epoch + 1):
            self._fold(epoch)
            self._through = epoch
            self._is_state_dirty = True
            model = self._learned()
            if model is not None:
                self._is_in_force = len(model.roots) > 0
                self._model = model.to_bytes()
                self._is_model_dirty = True
                self._published.append(epoch)
                records.append((key_of(epoch), self._model))
            while len(self._published) > 1 and self._published[1] + VERSIONS_KEPT <= epoch:
                records.append((key_of(self._published.pop(0)), None))
        return records

    def abandon(self) -> None:
        """Let `learn_through` raise AbandonedError with the next tree; from any thread."""
        self._is_abandoned = True

    def _grew(self, trees: int) -> None:
        if self._is_abandoned:
            raise AbandonedError("nobody waits for this forecast any more")
        self.trees_grown += trees

    def _fold(self, epoch: int) -> None:
        """Take in the moments of an epoch, and let another one mature."""
        noted = np.concatenate([np.zeros(0, MOMENT), *self._noted.pop(epoch, [])])
        by_features = tuple(noted["features"].T[::-1])
        noted = noted[np.lexsort((*by_features, noted["time_ms"], noted["video"]))]
        reached = noted["progress"] >= self.parameters.level.count
        moments = self._thinned(noted[~reached], epoch)
        if len(moments):
            examples = np.zeros(len(moments), EXAMPLE)
            for name in ("video", "time_ms", "episode_ms", "first", "features"):
                examples[name] = moments[name]
            examples["reached_ms"] = NOT_REACHED
            dirty = DirtyBlocks(len(examples))
            dirty.flags[:] = True
            self._epochs[epoch] = _Epoch(examples, dirty)
        if reached.any():
            self._reach(noted[reached], epoch)
        matured = self._epochs.get(epoch - self._epochs_to_mature)
        if matured is not None:
            self.matured += len(matured.examples)
        while len(self) > KEPT_MAX:
            oldest = min(self._epochs)
            self._dropped += _keys(oldest, self._epochs.pop(oldest))

    def _thinned(self, moments: Records, epoch: int) -> Records:
        """Return the moments that are kept of an epoch, and find out how many will be wanted."""
        told = self._thinnings.pop(epoch - EPOCHS_TO_LEARN, 0)
        every, thinning = len(moments) << told, told
        while np.count_nonzero(kept := kept_at(moments["video"], thinning)) > self._most_of_epoch:
            if thinning == THINNING_MAX:
                break
            thinning += 1
        self.thinning = min(max(-(-every // self._most_of_epoch) - 1, 0).bit_length(), THINNING_MAX)
        self._thinnings[epoch] = self.thinning
        return moments[kept][: self._most_of_epoch]

    def _reach(self, reached: Records, epoch: int) -> None:
        """Write down for the moments that have not matured when their episodes reached the level.

        Args:
            reached: MOMENT[n], in order of video and time.
            epoch: In which they did.
        """
        times: dict[tuple[int, int], list[int]] = {}
        for video, episode_ms, time_ms in zip(
            *(reached[name].tolist() for name in ("video", "episode_ms", "time_ms")), strict=True
        ):
            times.setdefault((video, episode_ms), []).append(time_ms)
        for number, kept in self._epochs.items():
            if number + self._epochs_to_mature < epoch:
                continue
            examples = kept.examples
            open_ones = np.isin(examples["video"], reached["video"])
            open_ones &= examples["reached_ms"] == NOT_REACHED
            for at in np.flatnonzero(open_ones).tolist():
                one = examples[at]
                of_episode = times.get((int(one["video"]), int(one["episode_ms"])), [])
                later = bisect_right(of_episode, int(one["time_ms"]))
                if later < len(of_episode):
                    examples["reached_ms"][at] = of_episode[later]
                    kept.dirty.flags[at >> BLOCK_SHIFT] = True

    # -- learning -----------------------------------------------------------------------------

    def _learned(self) -> ForecastModel | None:
        """Return what takes force, when there is enough that is new."""
        if self._through is None or self.matured == self._matured_then:
            return None
        if self.matured - self._matured_then < GROWN * self._learned_from:
            return None
        mature = [
            self._epochs[epoch].examples
            for epoch in sorted(self._epochs)
            if epoch + self._epochs_to_mature <= self._through
        ]
        kept = np.concatenate([np.zeros(0, EXAMPLE), *mature])
        older, newest = _split(kept)
        if not self._is_enough(older, newest):
            return None  # more will come: it is asked again in the next epoch
        self._matured_then, self._learned_from = self.matured, len(kept)
        self.judgement = found = self._judged(older, newest)
        self.judged += 1
        told = {"gain": round(found.gain, 6), "standard_error": round(found.error, 6)}
        if not found.is_better:
            return self._nothing(told) if self._is_in_force else None
        version = self._train(kept, told)
        self.adopted += 1
        return version

    def _is_enough(self, older: Records, newest: Records) -> bool:
        judged = self._examples(newest)
        hits = judged.videos_hit()
        if min(hits, judged.videos() - hits) < HITS_JUDGED:
            return False
        try:
            check_enough([self._examples(older)])
        except TooFewExamplesError:
            return False
        return True

    def _examples(self, kept: Records) -> Examples:
        hit = kept["reached_ms"] <= kept["time_ms"] + self.parameters.horizon_ms
        before = _log_odds(kept["first"].astype(np.float64))
        return Examples(kept["video"], kept["time_ms"], kept["features"], hit, before)

    def _nothing(self, told: dict[str, Any]) -> ForecastModel:
        """Return the version that adds nothing to what is said without it."""
        through_epoch = self._through or 0
        return ForecastModel(
            name=name_of(through_epoch),
            level=self.parameters.level,
            horizon_ms=self.parameters.horizon_ms,
            features=FEATURES,
            nodes=np.zeros(0, NODE),
            roots=np.zeros(0, np.int64),
            intercept=0.0,
            calibration=curve(1.0, 0.0),
            upon=self.first,
            trained={"through_epoch": through_epoch, **told},
        )

    def _train(self, kept: Records, told: dict[str, Any]) -> ForecastModel:
        through_epoch = self._through or 0
        return train(
            self._examples(kept),
            level=self.parameters.level,
            horizon_ms=self.parameters.horizon_ms,
            name=name_of(through_epoch),
            told={"through_epoch": through_epoch, **told},
            upon=self.first,
            sizes=SIZES,
            advance=self._grew,
        )

    def _judged(self, older: Records, newest: Records) -> Judgement:
        """Hold what the older moments teach against what is said without it, on the newest.

        Videos weigh by the root of their moments, as in training, and the error is that of a mean
        over videos.
        """
        candidate = self._train(older, {})
        judged = self._examples(newest)
        said = candidate.probabilities(judged.features.astype(np.float64), judged.before)
        said_without = newest["first"].astype(np.float64)
        lost_without, lost_with = _loss(said_without, judged.hit), _loss(said, judged.hit)
        weight = judged.weights() / judged.weights().sum()
        _, which = np.unique(judged.video, return_inverse=True)
        _, error = _mean_over_videos(lost_without - lost_with, weight, which)
        return Judgement(
            float(weight @ lost_without),
            float(weight @ lost_with),
            error,
            Bias(*_mean_over_videos(said_without - judged.hit, weight, which)),
            Bias(*_mean_over_videos(said - judged.hit, weight, which)),
        )

    # -- what is saved ------------------------------------------------------------------------

    def rows(self) -> list[tuple[bytes, bytes | None]]:
        """Return what has changed since the last call, for the changelog."""
        rows: list[tuple[bytes, bytes | None]] = [(key, None) for key in self._dropped]
        self._dropped = []
        for epoch, kept in self._epochs.items():
            rows += [(_key(epoch, n), part) for n, part in kept.dirty.take(kept.examples)]
        if self._is_model_dirty:
            rows.append((_MODEL, self._model))
        if self._is_state_dirty:
            rows.append((_STATE, json.dumps(self._state()).encode()))
        self._is_model_dirty = self._is_state_dirty = False
        return rows

    def load(self, key: bytes, value: bytes) -> None:
        """Take back one of the rows; any order will do."""
        self._loaded[key] = value

    def recovered(self) -> None:
        """Finish recovery. What was learned under other settings is forgotten.

        Raises:
            ModelFormatError: The version that was learned last is damaged, or of an older program.
        """
        loaded, self._loaded = self._loaded, {}
        if _STATE not in loaded:
            return
        state = json.loads(loaded.pop(_STATE))
        self._published = state["published"]
        model = loaded.pop(_MODEL, None)
        self._through = state["through"]
        same = state["settings"] == self._settings()
        if model is not None and same:
            self._model = model
            version = ForecastModel.from_bytes(model, FEATURES)
            check_version(version)
            self._is_in_force = len(version.roots) > 0
        if not same or not self.parameters.learn_forecast:
            # Outcomes that come while nobody learns are not known: nothing may be made of these.
            self._dropped = [*loaded]
            self._is_state_dirty = True
            return
        self.thinning = state["thinning"]
        self._thinnings = {int(epoch): thinning for epoch, thinning in state["thinnings"]}
        self.matured, self._matured_then = state["matured"], state["matured_then"]
        self._learned_from = state["learned_from"]
        parts: dict[int, list[bytes]] = {}
        for key in sorted(loaded):
            parts.setdefault(int(key[len(_EPOCH) :].split(b"/")[0]), []).append(loaded[key])
        for epoch in sorted(parts):
            examples = np.frombuffer(b"".join(parts[epoch]), EXAMPLE).copy()
            self._epochs[epoch] = _Epoch(examples, DirtyBlocks(len(examples)))

    def _settings(self) -> dict[str, Any]:
        """Return what moments depend on: of other settings they teach nothing."""
        parameters = self.parameters
        return {
            "level": str(parameters.level),
            "horizon_ms": parameters.horizon_ms,
            "epoch_ms": parameters.epoch_ms,
            "first": self.first,
            "features": list(FEATURES),
        }

    def _state(self) -> dict[str, Any]:
        return {
            "settings": self._settings(),
            "through": self._through,
            "thinning": self.thinning,
            "thinnings": sorted(self._thinnings.items()),
            "matured": self.matured,
            "matured_then": self._matured_then,
            "learned_from": self._learned_from,
            "published": self._published,
        }


def _key(epoch: int, block: int) -> bytes:
    return _EPOCH + f"{epoch}/{block:08}".encode()


def _keys(epoch: int, kept: _Epoch) -> list[bytes]:
    return [_key(epoch, block) for block in range(len(kept.dirty.flags))]


def _split(kept: Records) -> tuple[Records, Records]:
    """Return the older moments of videos that are not among the newest ones, and these."""
    if not len(kept):
        return kept, kept
    cut_ms = np.sort(kept["time_ms"])[int((1 - JUDGED_SHARE) * (len(kept) - 1))]
    is_older = kept["time_ms"] <= cut_ms
    newest = kept[~is_older]
    return kept[is_older & ~np.isin(kept["video"], newest["video"])], newest


def _log_odds(probability: Floats) -> Floats:
    inside = np.clip(probability, LEAST_PROBABILITY, 1 - LEAST_PROBABILITY)
    return np.asarray(np.log(inside / (1 - inside)))


def _mean_over_videos(values: Floats, weight: Floats, video: Ints) -> tuple[float, float]:
    """Return the weighted mean of what moments have, and its standard error over videos."""
    mean = float(weight @ values)
    of_video = np.bincount(video, weight * (values - mean))
    return mean, float(np.sqrt((of_video**2).sum()))


def _loss(probability: Floats, hit: npt.NDArray[np.bool_]) -> Floats:
    given = np.where(hit, probability, 1 - probability)
    return np.asarray(-np.log(np.clip(given, LEAST_PROBABILITY, 1)))
