"""Training: forecasts that were made, and what became of them, in; a forecast's file out.

A moment is a hit when the level is crossed after it and within the horizon. What is known only
after the moment is in that answer, and nowhere else: the features are those that the forecast was
made with. How large the model may grow, and how its score becomes a probability, is found on videos
that it was not trained on, by folds over videos.
"""

from bisect import bisect_right
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from hashlib import blake2b, sha256
from typing import TYPE_CHECKING, Any, Final, Self

import numpy as np
import numpy.typing as npt

from models.boosted_trees import Grown, Size, average, grow, library_version
from models.even_growth import even_moments
from models.forecast_features import FEATURES
from models.forecast_model import Calibration, ForecastModel, Nodes
from models.parameters import Level
from models.probability_calibration import calibrate, log_loss
from models.vocabulary import ACTION_CODE, NO_SIGNAL, SIGNAL_OF_ACTION

if TYPE_CHECKING:
    from models.report_building import MadeForecasts

Floats = npt.NDArray[np.float64]
Singles = npt.NDArray[np.float32]
Ints = npt.NDArray[np.int64]
Flags = npt.NDArray[np.bool_]

SIZES: Final = (Size(7, 0.05, 350),)
"""What is tried, up to so many trees. 350 trees of 15 leaves had less loss on the popular list, but
less average precision: 1.442 times views per hour against 1.454 with 250 of 7 (three random halves
of the development half, each way); on the cascades 1.187 of shares per hour's against 1.206, and
1.162 with 4 leaves (six). 500 trees gained nothing."""

SIZES_OF_PEOPLE: Final = (Size(7, 0.05, 250, trees_least=250),)
"""The same for levels of people's actions, with nothing to choose. The loss on cascades that were
left out hardly tells 100 trees from 350, a hundredth of itself apart, and chooses 100 to 200; the
order in which they put cascades differs by more. By fifths, six ways drawn at random, average
precision in shares per hour's is in the mean 1.13 with 50 trees, 1.18 with 100, 1.20 with 200, 1.21
with 250, 1.20 with 350 and 1.18 with 600; within seven days, four ways, 1.07, 1.08, 1.09, 1.09 and
1.09 up to 350. With as many as the loss chooses it is 1.15 in a seventh way, 1.19 with 250."""

TREES_STEP: Final = 50
"""Numbers of trees that are tried are multiples of it: between two of them the loss differs by less
than between two ways to fold."""

FOLDS: Final = 5
"""Fifteen gained nothing over five."""

HITS_LEAST: Final = 20
"""Videos that reached the level, to train at all: four in each fold. A share that is estimated from
fewer has a 95 % interval wider than itself, and a curve fitted to them says anything."""


UNEVEN_SHARE_LEAST: Final = 0.1
"""Of a set's examples, to grow trees on them alone. It is 0.39 of the uploads' and 0.14 of the
popular list's; nothing smaller has been measured."""


class TooFewExamplesError(ValueError):
    """There is too little to learn from."""


@dataclass(frozen=True, slots=True)
class Examples:
    """Moments at which forecasts were made, and what became of them.

    Attributes:
        video: int64[n], which video each is of (`video_number`).
        time_ms: int64[n].
        features: float32[n, len(FEATURES)].
        hit: bool[n], whether the level was crossed later, within the horizon.
        before: float64[n], log odds of what is said without a model that is to add to it; None for
            one that speaks by itself.
    """

    video: Ints
    time_ms: Ints
    features: Singles
    hit: Flags
    before: Floats | None = None

    def __len__(self) -> int:
        """Return the number of moments."""
        return len(self.video)

    @classmethod
    def together(cls, parts: Iterable[Self]) -> Self:
        """Return the examples of several, for a model that speaks by itself."""
        nothing = cls(
            np.zeros(0, np.int64),
            np.zeros(0, np.int64),
            np.zeros((0, len(FEATURES)), np.float32),
            np.zeros(0, np.bool_),
        )
        every = [nothing, *parts]
        return cls(
            np.concatenate([part.video for part in every]),
            np.concatenate([part.time_ms for part in every]),
            np.concatenate([part.features for part in every]),
            np.concatenate([part.hit for part in every]),
        )

    def at(self, where: Ints | Flags) -> Self:
        """Return some of them."""
        return type(self)(
            self.video[where],
            self.time_ms[where],
            self.features[where],
            self.hit[where],
            None if self.before is None else self.before[where],
        )

    def in_order(self) -> Self:
        """Return them by video and time, whatever order they came in."""
        # Two moments of a video at one time are told apart by what was seen.
        by_features = tuple(self.features.T[::-1])
        return self.at(np.lexsort((self.hit, *by_features, self.time_ms, self.video)))

    def weights(self) -> Floats:
        """Return float[n]: one over the root of the number of moments of the same video.

        Between a weight for each moment, by which long series rule, and one for each video, by
        which most moments hardly count; better calibrated than either on the development halves.
        """
        _, which, count = np.unique(self.video, return_inverse=True, return_counts=True)
        return np.asarray(1 / np.sqrt(count[which]))

    def uneven(self) -> Flags:
        """Return bool[n], which of them are not amid growth that was spread evenly.

        They must be in order (`in_order`).
        """
        return ~even_moments(self.video, self.time_ms, self.features, self.hit)

    def digest(self) -> bytes:
        """Return what tells them from others, in any order."""
        ordered = self.in_order()
        columns = (ordered.video, ordered.time_ms, ordered.features, ordered.hit)
        return sha256(b"".join(column.tobytes() for column in columns)).digest()

    def videos(self) -> int:
        """Return how many videos there are."""
        return len(np.unique(self.video))

    def videos_hit(self) -> int:
        """Return how many videos reached the level after a moment."""
        return len(np.unique(self.video[self.hit]))


def video_number(video: str) -> int:
    """Return a number for a video's key that is the same in every process: a digest of 63 bits.

    >>> video_number("a") == video_number("a") != video_number("b")
    True
    """
    return int.from_bytes(blake2b(video.encode(), digest_size=8).digest(), "big") >> 1


Crossings = Mapping[tuple[str, int], Sequence[int]]
"""When the level was crossed, in milliseconds, rising, by video and beginning of the episode: once
for each episode, and again for a video that had been forgotten in between."""


def crossings(made: Iterable["MadeForecasts"], level_count: int) -> Crossings:
    """Return when the level was crossed: of each episode, the last forecast is that moment."""
    crossed: dict[tuple[str, int], list[int]] = {}
    for one in made:
        for at in np.flatnonzero(one.progress >= level_count).tolist():
            key = one.videos[at], int(one.episode[at])
            crossed.setdefault(key, []).append(int(one.time_ms[at]))
    return {key: sorted(times) for key, times in crossed.items()}


def examples_of(
    made: Iterable["MadeForecasts"],
    crossed_ms: Crossings,
    *,
    level_count: int,
    horizon_ms: int,
    through_ms: int,
) -> Examples:
    """Return what forecasts made up to a moment teach, by what was known then.

    A moment whose horizon is not over then counts as a miss unless the level was crossed. Leaving
    such moments out (all, the young ones, or those of videos still active) was no better calibrated
    on later videos of the popular list, and far worse on those of the uploads: learned from the
    first half of them, the worst bin lay 0.4 to 0.5 off its promise, against 0.11.

    Args:
        made: The forecasts.
        crossed_ms: When the level was crossed.
        level_count: How many events make a hotspot: forecasts made with as many teach nothing.
        horizon_ms: Within which time it counts.
        through_ms: What happened later is not known.
    """
    parts = [_examples_of(one, crossed_ms, level_count, horizon_ms, through_ms) for one in made]
    return Examples.together(parts)


_NEVER: Final = np.iinfo(np.int64).max


def _examples_of(
    made: "MadeForecasts",
    crossed_ms: Crossings,
    level_count: int,
    horizon_ms: int,
    through_ms: int,
) -> Examples:
    where = np.flatnonzero((made.progress < level_count) & (made.time_ms <= through_ms))
    videos = [made.videos[at] for at in where.tolist()]
    time_ms = made.time_ms[where]
    next_ms = np.full(len(where), _NEVER)
    moments = zip(videos, made.episode[where].tolist(), time_ms.tolist(), strict=True)
    for at, (video, episode, moment_ms) in enumerate(moments):
        times = crossed_ms.get((video, episode), ())
        later = bisect_right(times, moment_ms)
        if later < len(times):
            next_ms[at] = times[later]
    hit = next_ms <= np.minimum(time_ms + horizon_ms, through_ms)
    numbers = np.array([video_number(video) for video in videos], np.int64)
    return Examples(numbers, time_ms, made.features[where], hit)


def train(
    *parts: Examples,
    level: Level,
    horizon_ms: int,
    name: str,
    told: Mapping[str, Any] | None = None,
    upon: str = "",
    sizes: Sequence[Size] | None = None,
    advance: Callable[[int], None] | None = None,
) -> ForecastModel:
    """Return what the examples teach. The same examples, in any order, give the same bytes.

    Two models are grown, one on all examples and one on those that are not even
    (models/even_growth.py), and the mean of their scores, in log odds, is what is said. The first
    knows more moments, the second none that foretells itself. On the development halves (five
    folds by video, by creator on the popular list) half and half made 1.470 times views per hour
    on the popular list and 1.327 on the uploads, 0.3 of the second 1.459 and 1.329, none 1.429 and
    1.318. Where fewer than UNEVEN_SHARE_LEAST of a set's examples are uneven, or
    too few of them hits, the first speaks alone.

    Examples that say what was said before are learned upon it: the trees begin where it ends, so
    that where little is known little changes.

    Args:
        parts: The examples of each set; each set weighs the same. All of them say what was said
            before, or none does.
        level: What was forecast.
        horizon_ms: Within which time.
        name: The version's name.
        told: What the file says of its training, beside what is said here.
        upon: The name of what said before what the examples say; empty when they say nothing.
        sizes: How large it may grow; None for `sizes_of` the level.
        advance: Called with 1 after each tree; there are `trees_to_grow` of them at the most.

    Raises:
        TooFewExamplesError: Fewer than HITS_LEAST videos reached the level, or did not.
        NoTreesError: The library cannot be loaded.
        ValueError: Examples say what was said before and not who said it, or the other way.
    """
    if any((part.before is None) == bool(upon) for part in parts):
        raise ValueError("what was said before belongs to who said it")
    check_enough(parts)
    ordered = [part.in_order() for part in parts]
    every = [np.ones(len(part), np.bool_) for part in ordered]
    uneven = [part.uneven() for part in ordered]
    chosen = [every, uneven] if _teaches(ordered, uneven) else [every]
    features = np.concatenate([part.features for part in ordered])
    hit = np.concatenate([part.hit for part in ordered])
    video = np.concatenate([part.video for part in ordered])
    before = _before(ordered)
    weights = [_weights(ordered, flags) for flags in chosen]
    tried = sizes_of(level) if sizes is None else sizes
    learned = [
        _learn(features, hit, before, weight, video % FOLDS, tried, advance) for weight in weights
    ]
    nodes, roots = average([one.trees for one in learned])
    score = np.mean([one.score for one in learned], axis=0)
    return ForecastModel(
        name=name,
        level=level,
        horizon_ms=horizon_ms,
        features=FEATURES,
        nodes=nodes,
        roots=roots,
        intercept=0.0,
        calibration=_calibrated(video, score, hit, weights),
        upon=upon,
        trained={
            "library": f"lightgbm {library_version()}",
            "videos": [part.videos() for part in parts],
            "hits": [part.videos_hit() for part in parts],
            "moments": [len(part) for part in parts],
            "moments_uneven": [int(flags.sum()) for flags in uneven],
            "trees": [_told(one.size) for one in learned],
            "log_loss_unseen": round(log_loss(score, hit, weights[0]), 6),
            **(told or {}),
        },
    )


def sizes_of(level: Level) -> Sequence[Size]:
    """Return how large a forecast of a level may grow."""
    by_people = SIGNAL_OF_ACTION[ACTION_CODE[level.action]] != NO_SIGNAL
    return SIZES_OF_PEOPLE if by_people else SIZES


def _told(size: Size) -> dict[str, Any]:
    return {"leaves": size.leaves, "rate": size.rate, "trees": size.trees}


def _before(ordered: Sequence[Examples]) -> Floats | None:
    """Return what was said before of all examples, one set after the other; None for nothing."""
    said = [part.before for part in ordered if part.before is not None]
    return np.concatenate(said) if said else None


def _teaches(ordered: Sequence[Examples], uneven: Sequence[Flags]) -> bool:
    """Tell whether the uneven examples of every set are enough to learn from them alone."""
    if min(flags.mean() for flags in uneven) < UNEVEN_SHARE_LEAST:
        return False
    return _shortage(part.at(flags) for part, flags in zip(ordered, uneven, strict=True)) is None


def _weights(ordered: Sequence[Examples], chosen: Sequence[Flags]) -> Floats:
    """Return float[n] for all sets one after the other: 0 for what was not chosen.

    Each set weighs the same.
    """
    weights = []
    for part, flags in zip(ordered, chosen, strict=True):
        weight = np.zeros(len(part))
        weight[flags] = part.at(flags).weights()
        weights.append(weight / weight.sum())
    count = sum(int(flags.sum()) for flags in chosen)
    return np.concatenate(weights) * count


@dataclass(frozen=True, slots=True)
class _Learned:
    """Trees grown on some of the examples, and what trees not grown on a video say of it.

    Attributes:
        size: How large they are.
        trees: As of `Grown.nodes`.
        score: float[n], log odds for every example, out of fold.
    """

    size: Size
    trees: tuple[Nodes, Ints]
    score: Floats


def _learn(
    features: Singles,
    hit: Flags,
    before: Floats | None,
    weight: Floats,
    fold: Ints,
    sizes: Sequence[Size],
    advance: Callable[[int], None] | None,
) -> _Learned:
    """Return what the examples teach that weigh anything."""
    size, score = _choose(features, hit, before, weight, fold, sizes, advance)
    taught = weight > 0
    begin = None if before is None else before[taught]
    grown = grow(features[taught], hit[taught], weight[taught], size, advance, begin)
    return _Learned(size, grown.nodes(size.trees), score)


def _calibrated(video: Ints, score: Floats, hit: Flags, weights: Sequence[Floats]) -> Calibration:
    """Return the curve that keeps its promise at any moment, and when a score is a video's highest.

    Who is told of a video is told when it is forecast higher than ever before, and a curve that is
    right for all moments together promised too much then: on the development half of the popular
    list 0.59 of the videos told of at 0.6 reached the level, against 0.60 (0.56 and 0.58 by the
    shipped model), and the worst bin at 6 and 24 hours lay 0.083 off its promise, against 0.055.

    It counts each choice of examples the same, as the trees do. By halves, as above: with all
    examples alone the worst bin lay 0.10 off (0.56 of the told reached the level), since even
    moments are surer of what comes than open ones; with the uneven alone 0.16, the other way;
    with both 0.03 (0.65), and 0.02 (0.64) for the uploads.

    Args:
        video: int64[n], in order of video and time.
        score: float[n], log odds said by trees that were not grown on the video.
        hit: bool[n].
        weights: float[n] for each choice of examples, 0 for what was not chosen.
    """
    both = np.zeros(len(score))
    for weight in weights:
        chosen = np.flatnonzero(weight)
        highest = chosen[_highest_so_far(video[chosen], score[chosen])]
        both += weight / weight.sum()
        both[highest] += weight[highest] / weight[highest].sum()
    return calibrate(score, hit, both * (len(both) / both.sum()))


def _highest_so_far(video: Ints, score: Floats) -> Flags:
    """Return bool[n], where a video's score is higher than before; in order of video and time."""
    begins = np.diff(video, prepend=video[:1] - 1) != 0
    # Each video's scores lie above all of the videos before it, so one running maximum does.
    raised = score + np.cumsum(begins) * (np.ptp(score) + 1)
    highest = np.ones(len(score), np.bool_)
    highest[1:] = raised[1:] > np.maximum.accumulate(raised)[:-1]
    return highest


def check_enough(parts: Iterable[Examples]) -> None:
    """Make sure that there is enough to learn from.

    Raises:
        TooFewExamplesError: There is not.
    """
    if shortage := _shortage(parts):
        raise TooFewExamplesError(shortage)


def _shortage(parts: Iterable[Examples]) -> str | None:
    """Return what is missing to learn from, if anything is."""
    for part in parts:
        hits, videos = part.videos_hit(), part.videos()
        misses = videos - hits
        for count, done in ((hits, "reached"), (misses, "did not reach")):
            if count < HITS_LEAST:
                return (
                    f"{count} of {videos:,} videos {done} the level after a forecast, "
                    f"and {HITS_LEAST} are needed to tell chance from skill"
                )
    return None


def trees_to_grow(sizes: Sequence[Size]) -> int:
    """Return how many trees `train` grows at the most."""
    once = FOLDS * sum(size.trees for size in sizes) + max(size.trees for size in sizes)
    return 2 * once


def _choose(
    features: Singles,
    hit: Flags,
    before: Floats | None,
    weight: Floats,
    fold: Ints,
    sizes: Sequence[Size],
    advance: Callable[[int], None] | None,
) -> tuple[Size, Floats]:
    """Return the size with the least loss on videos not trained on, and their scores (log odds).

    Args:
        features: float32[n, F].
        hit: bool[n].
        before: float[n], log odds that the trees are added to, where there are any.
        weight: float[n], 0 for examples that are only given a score.
        fold: int64[n], in 0 to FOLDS - 1: which videos are left out together.
        sizes: What may be chosen, each with every TREES_STEP from its least trees to its most.
        advance: As for `train`.
    """
    best: tuple[float, Size, Floats] | None = None
    for size in sizes:
        least = size.trees_least or min(TREES_STEP, size.trees)
        steps = range(least, size.trees + 1, TREES_STEP)
        scores = np.zeros((len(steps), len(hit)))
        for left_out in range(FOLDS):
            unseen = fold == left_out
            if not unseen.any():
                continue
            seen = ~unseen & (weight > 0)
            begin = None if before is None else before[seen]
            grown: Grown = grow(features[seen], hit[seen], weight[seen], size, advance, begin)
            for at, trees in enumerate(steps):
                scores[at, unseen] = grown.scores(features[unseen], trees)
                if before is not None:
                    scores[at, unseen] += before[unseen]
        for at, trees in enumerate(steps):
            loss = log_loss(scores[at], hit, weight)
            if best is None or loss < best[0]:
                best = loss, Size(size.leaves, size.rate, trees), scores[at].copy()
    if best is None:
        raise ValueError("no size to choose from")
    return best[1], best[2]
