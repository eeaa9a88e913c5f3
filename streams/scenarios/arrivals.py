"""From intensities to events: over-dispersed views per slot, and what viewers do with a video.

Views of a video in a slot are Poisson around a rate that wobbles from hour to hour (gamma); the
events of a signal are binomial in the views, at a propensity that wobbles, too.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

import numpy as np
import numpy.typing as npt
import polars as pl

from models.parameters import HOUR_MS
from models.vocabulary import ACTION_CODE, Action, Role, Signal
from streams.scenarios import figures as f
from streams.scenarios.event_blocks import BLOCK_SCHEMA
from streams.scenarios.people import PLAIN_TEXTS, audience_members, comment_fields

VIEW_WOBBLE_SHAPE: Final = 8.0
PROPENSITY_WOBBLE_SHAPE: Final = 40.0
"""Gamma shapes of the hourly wobble: the variance beyond Poisson is the mean squared over the
shape. Assumptions: rates vary by a third from hour to hour, propensities by a sixth."""

COMMENTERS_PER_COMMENT: Final = 0.8
"""Distinct people per comment: some come back. An assumption."""
REPEATED_SHARE: Final = 0.002
REPEATED_WITHIN_MS: Final = 20_000
"""Producers that send an event twice (same `event_id`), the second up to so much later."""
RETRACTED_SHARE: Final = 0.005
"""Likes taken back within six hours. An assumption."""
PROPENSITY_MAX: Final = 0.9

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Videos:
    """Some videos and the intensities of what happens to them.

    Attributes:
        number: int64[n], numbers of the videos in the scenario.
        ids: Their ids.
        on_bilibili: bool[n], for people identify in other ways there.
        published_ms: int64[n].
        rate: float[n, SLOTS], expected views in each slot of the scenario.
        propensity: float[4, n] over Signal, events per view at the age of AGE_REFERENCE_H.
        boost: float[4, n, SLOTS], what multiplies the propensity, or None for 1.
        texts: What comments say.
        sentiment: Its mean, -1 to 1.
        roles: Who comments.
        enters_ms: From when on those of some roles do.
    """

    number: Ints
    ids: list[str]
    on_bilibili: npt.NDArray[np.bool_]
    published_ms: Ints
    rate: Floats
    propensity: Floats
    boost: Floats | None = None
    texts: tuple[str, ...] = PLAIN_TEXTS
    sentiment: float = 0.1
    roles: dict[Role, float] = field(default_factory=lambda: {Role.ORDINARY: 1.0})
    enters_ms: Mapping[Role, int] = field(default_factory=dict)


def slot_times_ms() -> Ints:
    """Return int64[SLOTS]: when each slot begins."""
    return f.STARTS_MS + np.arange(f.SLOTS, dtype=np.int64) * f.SLOT_MS


def daily_rhythm() -> Floats:
    """Return float[SLOTS]: activity relative to the day's mean."""
    hour = (slot_times_ms() // HOUR_MS + 8) % 24
    return f.RHYTHM[hour]


def age_factor(age_h: Floats) -> Floats:
    """Return how much a propensity at each age differs from that at AGE_REFERENCE_H."""
    return np.asarray((np.maximum(age_h, 1.0) / f.AGE_REFERENCE_H) ** f.AGE_EXPONENT)


def _wobble(rng: np.random.Generator, n: int, shape: float) -> Floats:
    hours = -(-f.SLOTS // f.SLOTS_PER_HOUR)
    hourly = rng.gamma(shape, 1 / shape, (n, hours))
    return np.repeat(hourly, f.SLOTS_PER_HOUR, axis=1)[:, : f.SLOTS]


def events_of(rng: np.random.Generator, videos: Videos) -> list[pl.DataFrame]:
    """Return the blocks of all views and of what the viewers did."""
    n = len(videos.number)
    views = rng.poisson(videos.rate * _wobble(rng, n, VIEW_WOBBLE_SHAPE))
    row, slot = np.nonzero(views)
    viewed = views[row, slot]
    totals = np.maximum(views.sum(axis=1), 1)
    begin_ms = np.maximum(slot_times_ms()[slot], videos.published_ms[row])
    cells = _Cells(row, slot, begin_ms, slot_times_ms()[slot] + f.SLOT_MS - begin_ms)
    blocks = [_block(videos, row, Action.VIEW, cells.moments(rng, np.arange(len(row))), viewed)]
    age_h = (begin_ms - videos.published_ms[row]) / HOUR_MS
    for signal in Signal:
        chance = videos.propensity[signal, row] * age_factor(age_h)
        chance *= _wobble(rng, n, PROPENSITY_WOBBLE_SHAPE)[row, slot]
        if videos.boost is not None:
            chance *= videos.boost[signal, row, slot]
        happened = rng.binomial(viewed, np.minimum(chance, PROPENSITY_MAX))
        which = np.repeat(np.arange(len(row)), happened)
        blocks += _actions(rng, videos, signal, cells, which, totals)
    return blocks


@dataclass(frozen=True, slots=True)
class _Cells:
    """The (video, slot) pairs in which something happens."""

    row: Ints
    slot: Ints
    begin_ms: Ints
    length_ms: Ints

    def moments(self, rng: np.random.Generator, which: Ints) -> Ints:
        """Return a moment inside each of the cells `which`."""
        return self.begin_ms[which] + (rng.random(len(which)) * self.length_ms[which]).astype(
            np.int64
        )


def _block(
    videos: Videos,
    row: Ints,
    action: Action,
    time_ms: Ints,
    count: Ints | None = None,
    actor: pl.Series | None = None,
    extra: pl.Series | None = None,
) -> pl.DataFrame:
    n = len(row)
    nothing = pl.Series([None], dtype=pl.String).new_from_index(0, n)
    return pl.DataFrame(
        {
            "arrival_ms": time_ms,
            "time_ms": time_ms,
            "video": videos.number[row],
            "action": np.full(n, ACTION_CODE[action]),
            "count": np.ones(n, np.int64) if count is None else count,
            "actor": nothing if actor is None else actor,
            "extra": nothing if extra is None else extra,
        },
        schema=BLOCK_SCHEMA,
        strict=False,
    )


def _actions(
    rng: np.random.Generator,
    videos: Videos,
    signal: Signal,
    cells: _Cells,
    which: Ints,
    totals: Ints,
) -> list[pl.DataFrame]:
    """Divide the events of one signal among its actions, each by a person."""
    shares = f.ACTION_SHARES[signal]
    bounds = _bounds(signal)[videos.on_bilibili[cells.row[which]].astype(np.intp)]
    kind = (rng.random(len(which))[:, None] >= bounds).sum(axis=1)
    blocks = []
    time_ms = cells.moments(rng, which)
    number = _running_numbers(cells.row[which], time_ms)
    for code, action in enumerate(shares):
        chosen = np.flatnonzero(kind == code)
        row = cells.row[which[chosen]]
        commenters = np.bincount(cells.row[which], minlength=len(totals)) * COMMENTERS_PER_COMMENT
        audience = totals if signal is not Signal.INTERACTION else commenters + 1
        actor = audience_members(rng, videos.number[row], audience[row].astype(np.int64))
        extra = None
        if action in (Action.COMMENT, Action.REPLY):
            extra = comment_fields(
                rng,
                pl.Series(videos.ids).gather(row),
                number[chosen],
                np.full(len(chosen), action is Action.REPLY),
                videos.texts,
                videos.sentiment,
                videos.roles,
                time_ms[chosen],
                videos.enters_ms,
            )
        block = _block(videos, row, action, time_ms[chosen], actor=actor, extra=extra)
        blocks.append(block)
        if action is Action.LIKE:
            blocks.append(_retractions(rng, block))
        else:
            blocks.append(_repeats(rng, block))
    return blocks


def _bounds(signal: Signal) -> Floats:
    """Return float[2, actions - 1]: where in [0, 1) each action ends, elsewhere and on Bilibili."""
    elsewhere = f.ACTION_SHARES[signal]
    there = f.IDENTIFICATION_ON_BILIBILI if signal is Signal.IDENTIFICATION else elsewhere
    shares = [[place[action] for action in elsewhere] for place in (elsewhere, there)]
    return np.cumsum(shares, axis=1)[:, :-1]


def _running_numbers(row: Ints, time_ms: Ints) -> Ints:
    """Number the events of each video from 0 in the order of time."""
    order = np.lexsort((time_ms, row))
    sorted_row = row[order]
    first = np.searchsorted(sorted_row, sorted_row)
    numbers = np.empty(len(row), np.int64)
    numbers[order] = np.arange(len(row)) - first
    return numbers


def _retractions(rng: np.random.Generator, likes: pl.DataFrame) -> pl.DataFrame:
    """Return the `retract` events of a few of the likes."""
    chosen = likes.filter(pl.Series(rng.random(likes.height) < RETRACTED_SHARE, dtype=pl.Boolean))
    after_ms = pl.Series(rng.integers(1_000, 6 * HOUR_MS, chosen.height), dtype=pl.Int64)
    return chosen.with_columns(
        (pl.col("time_ms") + after_ms).alias("time_ms"),
        (pl.col("time_ms") + after_ms).alias("arrival_ms"),
        pl.lit(ACTION_CODE[Action.RETRACT], pl.UInt8).alias("action"),
        pl.lit('"retracts":"like"').alias("extra"),
    ).filter(pl.col("time_ms") < f.ENDS_MS)


def _repeats(rng: np.random.Generator, block: pl.DataFrame) -> pl.DataFrame:
    """Return events that a producer sent twice, both times with the same `event_id`.

    They come on top of the block: both copies together count once more.
    """
    chosen = block.filter(pl.Series(rng.random(block.height) < REPEATED_SHARE, dtype=pl.Boolean))
    name = pl.format('"event_id":"{}-{}-{}"', "video", "action", "time_ms")
    first = chosen.with_columns(
        pl.when(pl.col("extra").is_null())
        .then(name)
        .otherwise(pl.concat_str(name, pl.lit(","), pl.col("extra")))
        .alias("extra")
    )
    late_ms = pl.Series(rng.integers(1, REPEATED_WITHIN_MS, first.height), dtype=pl.Int64)
    second = first.with_columns((pl.col("arrival_ms") + late_ms).alias("arrival_ms"))
    return pl.concat([first, second])
