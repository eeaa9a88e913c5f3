"""A platform's past, turned into a forecast: read once, judged on its later part, learned whole.

The score is honest in time: what is judged learns from nothing after the moment at which the
videos that it is judged on begin to be forecast, neither from their past nor from anyone's outcome.
"""

import os
from bisect import bisect_right
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from errno import EISDIR
from hashlib import sha256
from pathlib import Path
from tempfile import NamedTemporaryFile
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from models.boosted_trees import Size
from models.forecast_features import FEATURES
from models.forecast_model import ForecastModel
from models.forecast_scores import Scores, judge
from models.forecast_training import (
    HITS_LEAST,
    Crossings,
    Examples,
    TooFewExamplesError,
    check_enough,
    crossings,
    examples_of,
    train,
    video_number,
)
from models.parameters import HOUR_MS, Level
from models.report_building import MadeForecasts
from streams.offline.backtest import Backtest

TRAINED_SHARE: Final = 0.7
"""Of the videos, in the order in which they are forecast first, those that the judged model learns
from: enough later ones are left to judge by."""

AGES_H: Final = (6, 24)
"""At which ages promises are held against what happened: those of the platform's first evening, and
of its first day."""

LEAST_LEAD_MS: Final = 6 * HOUR_MS
"""What is said less than a decision epoch before it happens is news, and no forecast: whatever
reaches a level is just below it a moment before, and everybody sees it. It does not count."""

NAME_DIGITS: Final = 12
"""Of a version's name: enough that no two of a platform's are the same by chance."""

MODE: Final = 0o644
"""Whoever runs the worker may read a model: it holds no data of anyone."""

_AGE: Final = FEATURES.index("age")
_MEAN_PACE: Final = FEATURES.index("mean_pace")

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]
Flags = npt.NDArray[np.bool_]


@dataclass(slots=True)
class Past:
    """All forecasts that were made over a file of events, and when the level was crossed.

    Attributes:
        level: What was forecast.
        horizon_ms: Within which time.
        made: The forecasts.
    """

    level: Level
    horizon_ms: int
    made: list[MadeForecasts] = field(default_factory=list)

    def read(self, backtest: Backtest, lines: Iterable[bytes]) -> Iterator[int]:
        """Take in lines of events; yield after each chunk how many it had."""
        made = backtest.pipeline.stages[0].made_forecasts = []
        for count, _, _ in backtest.run(lines):
            self.made += made
            made.clear()
            yield count

    def crossed(self) -> Crossings:
        """Return when the level was crossed."""
        return crossings(self.made, self.level.count)

    def first_ms(self) -> int:
        """Return the event time of the first forecast; -1 when there is none."""
        return min((int(one.time_ms.min()) for one in self.made if len(one.videos)), default=-1)

    def last_ms(self) -> int:
        """Return the event time of the last forecast; -1 when there is none."""
        return max((int(one.time_ms.max()) for one in self.made if len(one.videos)), default=-1)

    def examples(self, through_ms: int | None = None) -> Examples:
        """Return the examples, by what was known at a moment (at the end)."""
        return examples_of(
            self.made,
            self.crossed(),
            level_count=self.level.count,
            horizon_ms=self.horizon_ms,
            through_ms=self.last_ms() if through_ms is None else through_ms,
        )


def split_ms(examples: Examples) -> int:
    """Return the moment by which TRAINED_SHARE of the videos had been forecast for the first time.

    Args:
        examples: At least one.
    """
    ordered = np.sort(_first_ms(examples)[1])
    return int(ordered[int(TRAINED_SHARE * (len(ordered) - 1))])


def _first_ms(examples: Examples) -> tuple[Ints, Ints]:
    """Return the videos, and when each was forecast first."""
    videos, which = np.unique(examples.video, return_inverse=True)
    first = np.full(len(videos), np.iinfo(np.int64).max)
    np.minimum.at(first, which, examples.time_ms)
    return videos, first


def judged_later(
    past: Past,
    threshold: float,
    *,
    sizes: Sequence[Size] | None = None,
    advance: Callable[[int], None] | None = None,
) -> Scores:
    """Return how good a model is that learned up to a moment, on videos first forecast after it.

    Args:
        past: What was read.
        threshold: From which probability on an alert is raised.
        sizes: What the model may grow to; None for what its level may.
        advance: Called with 1 after each tree.

    Raises:
        TooFewExamplesError: There is too little before that moment to learn from, or after it to
            be judged on.
        NoTreesError: The library cannot be loaded.
    """
    whole = past.examples()
    check_enough([whole])
    moment_ms = split_ms(whole)
    before = past.examples(through_ms=moment_ms)
    videos, first_ms = _first_ms(whole)
    later = whole.at(np.isin(whole.video, videos[first_ms > moment_ms]))
    if later.videos_hit() < HITS_LEAST:
        raise TooFewExamplesError(
            f"{later.videos_hit()} of the later videos reached the level, and {HITS_LEAST} are "
            "needed to judge by"
        )
    model = train(
        before,
        level=past.level,
        horizon_ms=past.horizon_ms,
        name="judged",
        sizes=sizes,
        advance=advance,
    )
    return scores_of(model, later, past.crossed(), threshold)


def scores_of(
    model: ForecastModel, judged: Examples, crossed_ms: Crossings, threshold: float
) -> Scores:
    """Return how good a model is on videos that it was not trained on.

    Of what was said of a video, the highest counts that came LEAST_LEAD_MS before the outcome.

    Args:
        model: What forecasts.
        judged: The moments, all of them before the outcome.
        crossed_ms: When the level was crossed.
        threshold: From which probability on an alert is raised.
    """
    ordered = judged.in_order()
    said = model.probabilities(ordered.features.astype(np.float64))
    next_ms = _next_crossing_ms(ordered, crossed_ms)
    videos, which = np.unique(ordered.video, return_inverse=True)
    in_time = np.flatnonzero(~ordered.hit | (next_ms - ordered.time_ms >= LEAST_LEAD_MS))
    best, rival = np.zeros(len(videos)), np.full(len(videos), -np.inf)
    np.maximum.at(best, which[in_time], said[in_time])
    mean_pace = ordered.features[in_time, _MEAN_PACE].astype(np.float64)
    np.maximum.at(rival, which[in_time], mean_pace)
    hit = np.zeros(len(videos), np.bool_)
    hit[which[ordered.hit]] = True
    return judge(
        best,
        rival,
        hit,
        threshold=threshold,
        in_force={f"{age_h} h": _in_force(ordered, said, next_ms, age_h) for age_h in AGES_H},
    )


def _next_crossing_ms(ordered: Examples, crossed_ms: Crossings) -> Ints:
    """Return int64[n]: when the video of each moment crossed the level next."""
    times_of: dict[int, list[int]] = {}
    for (video, _), times in crossed_ms.items():
        times_of.setdefault(video_number(video), []).extend(times)
    for times in times_of.values():
        times.sort()
    next_ms = np.full(len(ordered), np.iinfo(np.int64).max)
    moments = zip(ordered.video.tolist(), ordered.time_ms.tolist(), strict=True)
    for at, (number, time_ms) in enumerate(moments):
        times = times_of.get(number, [])
        later = bisect_right(times, time_ms)
        if later < len(times):
            next_ms[at] = times[later]
    return next_ms


def _in_force(ordered: Examples, said: Floats, next_ms: Ints, age_h: int) -> tuple[Floats, Flags]:
    """Return what was last said of each video up to an age, and whether it came true later.

    Videos that had reached the level by then, or were not forecast yet, are left out.
    """
    age = np.expm1(ordered.features[:, _AGE].astype(np.float64))
    begun_ms = ordered.time_ms - age * HOUR_MS
    by_then = np.flatnonzero(age <= age_h)
    # In order of time: of several, the last one counts.
    last = np.append(ordered.video[by_then][1:] != ordered.video[by_then][:-1], len(by_then) > 0)
    at = by_then[last[: len(by_then)]]
    at = at[next_ms[at] > begun_ms[at] + age_h * HOUR_MS]
    return said[at], ordered.hit[at]


def learn(
    *pasts: Past,
    level: Level,
    horizon_ms: int,
    told: Mapping[str, Any],
    made_by: str = "trained",
    sizes: Sequence[Size] | None = None,
    advance: Callable[[int], None] | None = None,
) -> ForecastModel:
    """Return what whole pasts teach, each of which weighs the same.

    The version is named by who made it and by what it learned from: the same past, the same file.

    Raises:
        TooFewExamplesError: There is too little to learn from.
        NoTreesError: The library cannot be loaded.
    """
    parts = [past.examples() for past in pasts]
    digest = sha256()
    for part in parts:
        digest.update(part.digest())
    return train(
        *parts,
        level=level,
        horizon_ms=horizon_ms,
        name=f"{made_by}:{digest.hexdigest()[:NAME_DIGITS]}",
        told=told,
        sizes=sizes,
        advance=advance,
    )


def check_place(path: Path) -> None:
    """Make sure that a file can be written.

    Raises:
        OSError: It cannot.
    """
    if path.is_dir():
        raise IsADirectoryError(EISDIR, os.strerror(EISDIR), str(path))
    with NamedTemporaryFile(dir=path.parent, prefix=f".{path.name}."):
        pass


def save(model: ForecastModel, path: Path) -> None:
    """Write a model's file as a whole: who reads it finds the one before or this one.

    Raises:
        OSError: It cannot be written.
    """
    with NamedTemporaryFile(dir=path.parent, prefix=f".{path.name}.", delete=False) as file:
        part = Path(file.name)
        try:
            file.write(model.to_bytes())
            file.flush()
            os.fsync(file.fileno())
            # A temporary file is its owner's alone; a worker may run as somebody else.
            part.chmod(MODE)
            part.replace(path)
        except BaseException:
            part.unlink(missing_ok=True)
            raise
