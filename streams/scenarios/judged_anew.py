"""Videos that people judge in two ways, or twice: disputed, rejected, and rediscovered.

The papers' words: judgment is identification or exclusion, both may lead into interaction, and
exclusion may interrupt dissemination (seed 000, section 3.1); what was forgotten may return.
"""

from typing import Final

import numpy as np
import polars as pl

from models.vocabulary import Route, Signal, Stage, State
from streams.scenarios import figures as f
from streams.scenarios.arrivals import Videos, daily_rhythm, events_of, slot_times_ms
from streams.scenarios.event_blocks import publication
from streams.scenarios.incidents import (
    DISPUTE_PROPENSITY,
    EXCLUDED_IDENTIFICATION,
    EXCLUSION_PROPENSITY,
)
from streams.scenarios.ordinary import HALF_LIFE_H, RISE_H, views_curve
from streams.scenarios.people import COLD_TEXTS, PLAIN_TEXTS, PUBLIC_ROLES, WARM_TEXTS
from streams.scenarios.planted import BEFORE, Floats, hours, median_propensity, ramp
from streams.scenarios.truth import PlantedTransition

IDENTIFICATION_PROPENSITY: Final = 0.348
"""Of those who take a video to their hearts: the 99 % quantile of the popular list (Bilibili)."""

DISPUTED: Final = ("douyin", "disputed-1")
DISPUTED_PUBLISHED_MS: Final = f.china_ms("2023-09-01T08:00")
DISPUTED_VIEWS: Final = 90_000.0
DISPUTED_JUDGMENT_MS: Final = DISPUTED_PUBLISHED_MS + hours(3)
DISPUTED_EXCLUSION_MS: Final = DISPUTED_PUBLISHED_MS + hours(6)
DISPUTED_INTERACTION_MS: Final = DISPUTED_PUBLISHED_MS + hours(9)

REJECTED: Final = ("weibo", "rejected-1")
REJECTED_PUBLISHED_MS: Final = f.china_ms("2023-09-03T09:00")
REJECTED_JUDGMENT_MS: Final = REJECTED_PUBLISHED_MS + hours(3)
REJECTED_UNTIL_MS: Final = REJECTED_PUBLISHED_MS + hours(10)
REJECTED_VIEWS_PER_HOUR: Final = 4_000.0
REJECTED_AFTERWARDS_PER_HOUR: Final = 1.0
"""As the ignored video is shown: much, and then no more."""

REDISCOVERED: Final = (f.BILIBILI, "rediscovered-1")
REDISCOVERED_PUBLISHED_MS: Final = f.china_ms("2023-08-30T09:00")
REDISCOVERED_AGAIN_MS: Final = f.china_ms("2023-09-04T10:00")
REDISCOVERED_VIEWS: Final = 75_000.0
"""Each time: within a day as many as the disputed video has in all."""
REDISCOVERED_HALF_LIFE_H: Final = 5.0
"""Forgotten within two days: views fall to a tenth in 11 h."""
REDISCOVERED_JUDGED_AFTER_MS: Final = hours(3)
REDISCOVERED_LOVED_FOR_MS: Final = hours(24)
"""Who still comes after that, between the waves, is nobody special."""


def planted_transitions() -> list[PlantedTransition]:
    """Return the truth about the three."""
    active, by_like, by_dislike = State.ACTIVE, Route.IDENTIFICATION, Route.EXCLUSION
    judged, both = Stage.JUDGMENT, Route.CONTESTED
    first_ms, again_ms = (
        at_ms + REDISCOVERED_JUDGED_AFTER_MS
        for at_ms in (REDISCOVERED_PUBLISHED_MS, REDISCOVERED_AGAIN_MS)
    )
    return [
        PlantedTransition(*DISPUTED, judged, active, DISPUTED_JUDGMENT_MS, by_like),
        PlantedTransition(*DISPUTED, judged, active, DISPUTED_EXCLUSION_MS, both),
        PlantedTransition(*DISPUTED, Stage.INTERACTION, active, DISPUTED_INTERACTION_MS, both),
        PlantedTransition(*REJECTED, judged, active, REJECTED_JUDGMENT_MS, by_dislike),
        PlantedTransition(*REJECTED, None, State.INTERRUPTED, REJECTED_UNTIL_MS),
        PlantedTransition(*REDISCOVERED, judged, active, first_ms, by_like),
        PlantedTransition(*REDISCOVERED, judged, State.REVIVED, again_ms, by_like),
    ]


def disputed(rng: np.random.Generator, number: int) -> list[pl.DataFrame]:
    """Return the blocks of a video that many like, many reject, and all argue about."""
    base = median_propensity(DISPUTED[0], DISPUTED_VIEWS)
    boost = _climbing(
        base,
        (Signal.IDENTIFICATION, DISPUTED_JUDGMENT_MS, _identification(DISPUTED[0])),
        (Signal.EXCLUSION, DISPUTED_EXCLUSION_MS, EXCLUSION_PROPENSITY),
        (Signal.INTERACTION, DISPUTED_INTERACTION_MS, DISPUTE_PROPENSITY),
    )
    published_ms = np.array([DISPUTED_PUBLISHED_MS])
    curve = views_curve(published_ms, np.array([2 * HALF_LIFE_H]), np.array([RISE_H]))
    videos = Videos(
        number=np.array([number]),
        ids=[DISPUTED[1]],
        on_bilibili=np.zeros(1, np.bool_),
        published_ms=published_ms,
        rate=DISPUTED_VIEWS * curve / curve.sum(),
        propensity=base[:, None],
        boost=boost,
        texts=(*COLD_TEXTS, *PLAIN_TEXTS),
        sentiment=-0.2,
        roles=PUBLIC_ROLES,
    )
    published = publication(DISPUTED_PUBLISHED_MS, number, "让文物先留在国外？", "creator-5")
    return [published, *events_of(rng, videos)]


def rejected(rng: np.random.Generator, number: int) -> list[pl.DataFrame]:
    """Return the blocks of a video that people reject without a word, and that is shown no more."""
    base = median_propensity(REJECTED[0], REJECTED_VIEWS_PER_HOUR * 10)
    base[Signal.IDENTIFICATION] *= EXCLUDED_IDENTIFICATION
    climb = (Signal.EXCLUSION, REJECTED_JUDGMENT_MS, EXCLUSION_PROPENSITY)
    times_ms = slot_times_ms()
    shown = times_ms < REJECTED_UNTIL_MS
    per_hour = np.where(
        shown, REJECTED_VIEWS_PER_HOUR, REJECTED_AFTERWARDS_PER_HOUR * daily_rhythm()
    )
    rate = np.where(times_ms >= REJECTED_PUBLISHED_MS, per_hour, 0.0) / f.SLOTS_PER_HOUR
    videos = Videos(
        number=np.array([number]),
        ids=[REJECTED[1]],
        on_bilibili=np.zeros(1, np.bool_),
        published_ms=np.array([REJECTED_PUBLISHED_MS]),
        rate=rate[None, :],
        propensity=base[:, None],
        boost=_climbing(base, climb),
        texts=COLD_TEXTS,
        sentiment=-0.6,
        roles=PUBLIC_ROLES,
    )
    published = publication(REJECTED_PUBLISHED_MS, number, "文物盲盒，限时抢购", "creator-6")
    return [published, *events_of(rng, videos)]


def rediscovered(rng: np.random.Generator, number: int) -> list[pl.DataFrame]:
    """Return the blocks of a video that is loved, forgotten, and found again days later."""
    base = median_propensity(REDISCOVERED[0], 2 * REDISCOVERED_VIEWS)
    half_life_h, rise_h = np.array([REDISCOVERED_HALF_LIFE_H]), np.array([RISE_H])
    rate = np.zeros((1, f.SLOTS))
    boost = np.ones((len(Signal), 1, f.SLOTS))
    boost[Signal.IDENTIFICATION] = BEFORE
    for begins_ms in (REDISCOVERED_PUBLISHED_MS, REDISCOVERED_AGAIN_MS):
        curve = views_curve(np.array([begins_ms]), half_life_h, rise_h)
        rate += REDISCOVERED_VIEWS * curve / curve.sum()
        judged_ms = begins_ms + REDISCOVERED_JUDGED_AFTER_MS
        climb = (Signal.IDENTIFICATION, judged_ms, _identification(REDISCOVERED[0]))
        since_ms = slot_times_ms() - begins_ms
        wave = (since_ms >= 0) & (since_ms < REDISCOVERED_LOVED_FOR_MS)
        boost[..., wave] = _climbing(base, climb)[..., wave]
    videos = Videos(
        number=np.array([number]),
        ids=[REDISCOVERED[1]],
        on_bilibili=np.ones(1, np.bool_),
        published_ms=np.array([REDISCOVERED_PUBLISHED_MS]),
        rate=rate,
        propensity=base[:, None],
        boost=boost,
        texts=WARM_TEXTS,
        sentiment=0.4,
        roles=PUBLIC_ROLES,
    )
    published = publication(REDISCOVERED_PUBLISHED_MS, number, "修复师的一天", "creator-7")
    return [published, *events_of(rng, videos)]


def _identification(platform: str) -> float:
    """Return how many of those who see a loved video identify with it there."""
    elsewhere = 1.0 if platform == f.BILIBILI else f.IDENTIFICATION_ELSEWHERE
    return IDENTIFICATION_PROPENSITY * elsewhere


def _climbing(base: Floats, *climbs: tuple[Signal, int, float]) -> Floats:
    """Return float[4, 1, SLOTS]: what brings each signal from BEFORE to a height at its time."""
    boost = np.ones((len(Signal), 1, f.SLOTS))
    for signal, time_ms, height in climbs:
        boost[signal] = BEFORE + (height / base[signal] - BEFORE) * ramp(time_ms)
    return boost
