"""Forecasts on sets of real videos: each part of them is forecast by what the other parts taught.

Nobody is judged by a model that has seen them: videos are parted by a digest of their id, into
halves and into fifths, and the model of each part learns from the other ones. A half teaches less
than a platform's whole past would, four fifths nearly as much; what is said of all parts is judged
together. The regression was fitted by hand on the uploads and the popular list, and is judged on
what it was fitted on.
"""

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

import numpy as np
import numpy.typing as npt

from models.boosted_trees import Size
from models.events import DecodingLimits
from models.forecast_training import FOLDS, sizes_of, train, trees_to_grow, video_number
from models.identity import split_video_key
from models.parameters import DAY_MS, Level, Parameters
from streams.durations import format_duration
from streams.offline.backtest import Backtest
from streams.offline.training import Past
from streams.progress import progress
from streams.scenarios.event_files import read_events
from streams.scoreboard import forecast_sets, ship_forecast
from streams.scoreboard.forecast_judging import Judged, Said, judged
from streams.scoreboard.forecast_sets import Watched

TRAINED: Final = "`hotspots train`"
AS_SHIPPED: Final = "as shipped"
REGRESSION: Final = "regression"

HALVES: Final = 2
FIFTHS: Final = 5
"""Five parts or ten are recommended as a compromise of bias and variance by Hastie, Tibshirani and
Friedman ("The elements of statistical learning", 2009, 7.10.1); five take half the time."""
BY_FIFTHS: Final = ", by fifths"
"""Follows the name of what is forecast so, and not by halves."""

RECEIVED_MS: Final = 1 << 52
"""Events of the past: nothing lies ahead of their receipt."""
KEY: Final = b"what is measured is the same every time"

Floats = npt.NDArray[np.float64]
Flags = npt.NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Question:
    """What is asked of a set.

    Attributes:
        file: Name of its files, `.parquet` and `.jsonl`.
        name: What is asked, in words.
        rival: What views (or shares) per hour are called.
        level: What makes a hotspot.
        watched: Reads the parquet.
        also_within_ms: Another horizon that it is learned for, too, where hits count whenever they
            come.
    """

    file: str
    name: str
    rival: str
    level: Level
    watched: Callable[[Path], Watched]
    also_within_ms: int | None = None


QUESTIONS: Final = (
    Question(
        "uploads",
        "uploads, 10,000 views",
        "views per hour",
        Level("view", 10_000),
        lambda data: forecast_sets.uploads(data, 10_000),
    ),
    Question(
        "popular",
        "popular list, 1,000,000 views",
        "views per hour",
        Level("view", forecast_sets.MILLION),
        forecast_sets.popular,
    ),
    Question(
        "cascades",
        "cascades at the 20th share, 100 shares",
        "shares per hour",
        Level("share", 100),
        lambda data: forecast_sets.cascades(data, 100),
        also_within_ms=1_500 * DAY_MS,
    ),
)


@dataclass(frozen=True, slots=True)
class Answer:
    """How good one way to forecast was on one set.

    Attributes:
        question: What was asked.
        way: How it was forecast.
        judged: How good it was.
        told_s: When an alert was raised first, in seconds, by video; judged or not.
    """

    question: Question
    way: str
    judged: Judged
    told_s: dict[str, float]


@dataclass(frozen=True, slots=True)
class ReadSet:
    """A set as it was read: its past, what is judged, and where each forecast belongs."""

    question: Question
    past: Past
    watched: Watched
    videos: list[str]
    number: npt.NDArray[np.int64]
    said: Said


def measure(data: Path, questions: Sequence[Question] = QUESTIONS) -> Iterator[Answer]:
    """Judge every way to forecast on each set.

    Args:
        data: The directory of the sets.
        questions: Which of them.
    """
    sets = [_read(data, question) for question in questions]
    views = [one for one in sets if one.question.level.action == "view"]
    for one in sets:
        own = sizes_of(one.question.level)
        ways = [(TRAINED, [one], own)]
        if one in views:
            ways.append((AS_SHIPPED, views, ship_forecast.SIZES))
        if one.question.also_within_ms is not None:
            past = replace(one.past, horizon_ms=one.question.also_within_ms)
            horizon = format_duration(past.horizon_ms)
            way = f"`hotspots train --horizon {horizon}`"
            ways.append((way, [replace(one, past=past)], own))
        for way, taught_by, sizes in ways:
            yield _answer(one, way, unseen(one, taught_by, sizes, HALVES))
            yield _answer(one, way + BY_FIFTHS, unseen(one, taught_by, sizes, FIFTHS))
        yield _answer(one, REGRESSION, one.said.probability)


def _read(data: Path, question: Question) -> ReadSet:
    events = data / f"{question.file}.jsonl"
    parameters = Parameters(level=question.level)
    backtest = Backtest(parameters, KEY, DecodingLimits(), received_ms=RECEIVED_MS)
    past = Past(parameters.level, parameters.horizon_ms)
    with progress(f"reading {events.name}", unit="events") as steps:
        for count in past.read(backtest, read_events(events)):
            steps.advance(count)
    watched = question.watched(data / f"{question.file}.parquet")
    position = {video: at for at, video in enumerate(watched.videos)}
    keys = [key for made in past.made for key in made.videos]
    videos = [split_video_key(key)[1] for key in keys]
    said = Said(
        video=np.array([position.get(video, -1) for video in videos], np.int64),
        time_s=np.concatenate([made.time_ms for made in past.made]) / 1_000,
        probability=np.concatenate([made.probability for made in past.made]).astype(np.float64),
    )
    number = np.array([video_number(key) for key in keys], np.int64)
    return ReadSet(question, past, watched, videos, number, said)


def _answer(one: ReadSet, way: str, probability: Floats) -> Answer:
    threshold = Parameters().emerging_probability
    said = Said(one.said.video, one.said.time_s, probability)
    told_s: dict[str, float] = {}
    for at in np.flatnonzero(probability >= threshold).tolist():
        told_s.setdefault(one.videos[at], float(said.time_s[at]))
    return Answer(one.question, way, judged(one.watched, said, threshold), told_s)


def unseen(one: ReadSet, taught_by: Sequence[ReadSet], sizes: Sequence[Size], parts: int) -> Floats:
    """Return what the videos of each part are forecast by what the other parts of some sets taught.

    Args:
        one: The set that is forecast.
        taught_by: The sets that teach, each weighing the same.
        sizes: How large a model may grow.
        parts: Into how many the videos of all sets are parted.
    """
    features = np.concatenate([made.features for made in one.past.made]).astype(np.float64)
    reached = np.concatenate([made.progress for made in one.past.made]) >= one.past.level.count
    probability = np.ones(len(features))
    name = one.question.file
    examples = [other.past.examples() for other in taught_by]
    trees = parts * trees_to_grow(sizes)
    with progress(f"learning from {parts} parts of {name}", trees, unit="trees") as on:
        for part in range(parts):
            model = train(
                *(taught.at(parted(taught.video, parts) != part) for taught in examples),
                level=one.past.level,
                horizon_ms=one.past.horizon_ms,
                name="part",
                sizes=sizes,
                advance=on.advance,
            )
            here = (parted(one.number, parts) == part) & ~reached
            probability[here] = model.probabilities(features[here])
    return probability


def parted(number: npt.NDArray[np.int64], parts: int) -> npt.NDArray[np.int64]:
    """Return which part each video belongs to, independent of the folds that `train` makes."""
    return number % parts if math.gcd(parts, FOLDS) == 1 else number // FOLDS % parts
