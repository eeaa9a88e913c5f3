"""Ordinary life: thousands of videos with the reach and the propensities that were measured."""

from typing import Final

import numpy as np
import numpy.typing as npt
import polars as pl
from scipy.stats import norm

from models.parameters import HOUR_MS
from models.vocabulary import ACTION_CODE, Action, Signal
from streams.scenarios import figures as f
from streams.scenarios.arrivals import Videos, daily_rhythm, events_of, slot_times_ms
from streams.scenarios.event_blocks import single_events

ORDINARY_PLATFORMS: Final = {
    "douyin": 0.32,
    f.BILIBILI: 0.30,
    "weibo": 0.26,
    "kuaishou": 0.06,
    "xiaohongshu": 0.06,
}
"""Where ordinary videos appear: an assumption."""

HALF_LIFE_H: Final = 24.0
HALF_LIFE_SIGMA: Final = 0.5
"""Views of a video fall like 1 / (1 + age / half-life)^2; half-lives are lognormal. Measured on
1,782 uploads watched from the first hours on: of the views at 40 hours the median video had 16,
28, 47 and 79 % after 3, 6, 12 and 24 hours (this half-life: 14, 29, 51, 79), quartiles 20 and 41
% at 6."""
RISE_H: Final = 0.7
"""Time in which a platform begins to show a video. An assumption."""

VERTICALS: Final = ("food", "games", "music", "travel", "knowledge", "pets", "fashion", "sport")
TOPIC_COUNT: Final = 300
WITH_TOPIC_SHARE: Final = 0.6
VIDEOS_AT_ONCE: Final = 500
"""Videos generated together: bounds the memory (500 x 2,700 slots of float64 are 11 MB a
column)."""

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]


def views_curve(published_ms: Ints, half_life_h: Floats, rise_h: Floats) -> Floats:
    """Return float[n, SLOTS]: share of each slot in the views that a video gets in all its life.

    What falls after the end of the scenario is lost to it; nothing falls before publication.
    """
    middle_ms = slot_times_ms() + f.SLOT_MS / 2
    age_h = (middle_ms[None, :] - published_ms[:, None]) / HOUR_MS
    shown = age_h > 0
    age_h = np.maximum(age_h, 0.0)
    curve = (1 - np.exp(-age_h / rise_h[:, None])) / (1 + age_h / half_life_h[:, None]) ** 2
    curve *= shown * daily_rhythm()[None, :]
    # The integral of 1 / (1 + t/h)^2 is h; the rise takes off about rise_h of it.
    whole_slots = np.maximum(half_life_h - rise_h, 0.5) * f.SLOTS_PER_HOUR
    return np.asarray(curve / whole_slots[:, None])


def propensities(
    rng: np.random.Generator, views: Floats, on_bilibili: npt.NDArray[np.bool_]
) -> Floats:
    """Draw float[4, n]: the propensities of videos that will reach so many views.

    They have the measured quantiles and rank correlations, and fall with reach.
    """
    # A Gaussian copula with Pearson r has Spearman's rho = 6/pi asin(r/2), solved for r here.
    pearson = 2 * np.sin(np.pi * f.RANK_CORRELATION / 6)
    normal = rng.multivariate_normal(np.zeros(len(Signal)), pearson, len(views)).T
    rank = norm.cdf(normal)
    drawn = np.stack(
        [np.exp(np.interp(rank[s], f.QUANTILES, np.log(f.PROPENSITY_QUANTILES[s]))) for s in Signal]
    )
    drawn *= reach_factor(views)
    drawn[Signal.IDENTIFICATION] *= np.where(on_bilibili, 1.0, f.IDENTIFICATION_ELSEWHERE)
    return drawn


def reach_factor(views: Floats) -> Floats:
    """Return float[4, n]: how much less each signal's propensity is at that reach."""
    large = np.log(f.LARGE_REACH / f.SMALL_REACH)
    way = np.clip(np.log(np.maximum(views, 1) / f.SMALL_REACH) / large, 0, 1)
    ratio = np.array([f.LARGE_REACH_RATIO[s] for s in Signal])
    return np.asarray(ratio[:, None] ** way[None, :])


def ordinary_life(
    rng: np.random.Generator, first_number: int, count: int
) -> tuple[list[tuple[str, str]], Ints, list[pl.DataFrame]]:
    """Return names, publication times and blocks of `count` ordinary videos."""
    platform = rng.choice(
        list(ORDINARY_PLATFORMS), count, p=np.array(list(ORDINARY_PLATFORMS.values()))
    )
    hours = rng.choice(24, count, p=f.RHYTHM / f.RHYTHM.sum())
    days = rng.integers(0, -(-f.SLOTS // f.SLOTS_PER_DAY), count)
    published_ms = f.STARTS_MS + (days * 24 + hours) * HOUR_MS + rng.integers(0, HOUR_MS, count)
    # The last day is not whole: what would be published after the end is published on another day.
    late = published_ms >= f.ENDS_MS
    published_ms = np.where(
        late, published_ms - rng.integers(1, 8, count) * 24 * HOUR_MS, published_ms
    )
    views = np.minimum(
        rng.lognormal(np.log(f.ORDINARY_VIEWS_MEDIAN), f.ORDINARY_VIEWS_SIGMA, count),
        f.ORDINARY_VIEWS_MAX,
    )
    names = [(str(p), f"{str(p)[:2]}{first_number + i:06d}") for i, p in enumerate(platform)]
    chance = propensities(rng, views, platform == f.BILIBILI)
    half_life_h = rng.lognormal(np.log(HALF_LIFE_H), HALF_LIFE_SIGMA, count)
    blocks = [_publications(rng, first_number, published_ms, views)]
    for low in range(0, count, VIDEOS_AT_ONCE):
        part = slice(low, min(low + VIDEOS_AT_ONCE, count))
        rate = views[part, None] * views_curve(
            published_ms[part], half_life_h[part], np.full(len(views[part]), RISE_H)
        )
        blocks += events_of(
            rng,
            Videos(
                number=np.arange(first_number + part.start, first_number + part.stop),
                ids=[video_id for _, video_id in names[part]],
                on_bilibili=platform[part] == f.BILIBILI,
                published_ms=published_ms[part],
                rate=rate,
                propensity=chance[:, part],
            ),
        )
    return names, published_ms, blocks


def _publications(
    rng: np.random.Generator, first_number: int, published_ms: Ints, views: Floats
) -> pl.DataFrame:
    """Return the `publish` events, with what a platform says about a video."""
    followers = rng.lognormal(np.log(np.maximum(views, 10)), 1.0).astype(np.int64)
    # Zipf's law with exponent 1, as the frequencies of hashtags roughly follow.
    weights = 1 / np.arange(1, TOPIC_COUNT + 1)
    topic = rng.choice(TOPIC_COUNT, len(views), p=weights / weights.sum())
    has_topic = rng.random(len(views)) < WITH_TOPIC_SHARE
    vertical = rng.integers(0, len(VERTICALS), len(views))
    duration_ms = rng.lognormal(np.log(45_000), 0.8, len(views)).astype(np.int64)
    fingerprint = rng.integers(0, 2**64, len(views), dtype=np.uint64)
    rows = []
    for i in range(len(views)):
        fields = {
            "title": f"{VERTICALS[vertical[i]]} {first_number + i}",
            "creator_id": f"creator-{rng.integers(0, 3_000)}",
            "creator_followers": int(followers[i]),
            "duration_ms": int(duration_ms[i]),
            "vertical": VERTICALS[vertical[i]],
            "fingerprint": f"{fingerprint[i]:016x}",
        }
        if has_topic[i]:
            fields["topics"] = [f"topic-{topic[i]}"]
        rows.append(
            (int(published_ms[i]), first_number + i, ACTION_CODE[Action.PUBLISH], None, fields)
        )
    return single_events(rows)
