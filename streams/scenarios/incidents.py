"""Beside the case: a video excluded and disputed, one ignored, one pushed by bots."""

from typing import Final

import numpy as np
import polars as pl

from models.vocabulary import ACTION_CODE, Action, Route, Signal, Stage, State
from streams.scenarios import figures as f
from streams.scenarios.arrivals import Videos, daily_rhythm, events_of, slot_times_ms
from streams.scenarios.event_blocks import BLOCK_SCHEMA, publication, single_events
from streams.scenarios.ordinary import HALF_LIFE_H, RISE_H, views_curve
from streams.scenarios.people import COLD_TEXTS, PLAIN_TEXTS, PUBLIC_ROLES
from streams.scenarios.planted import BEFORE, hours, median_propensity, ramp
from streams.scenarios.truth import PlantedTransition

EXCLUDED: Final = ("weibo", "excluded-1")
EXCLUDED_PUBLISHED_MS: Final = f.china_ms("2023-08-31T09:00")
EXCLUDED_VIEWS: Final = 120_000.0
EXCLUDED_JUDGMENT_MS: Final = EXCLUDED_PUBLISHED_MS + hours(3)
EXCLUDED_INTERACTION_MS: Final = EXCLUDED_PUBLISHED_MS + hours(8)
EXCLUDED_IDENTIFICATION: Final = 0.25
"""Likes relative to the median: hardly anybody takes its side."""
EXCLUSION_PROPENSITY: Final = 0.05
"""Five times the 99 % quantile of dislikes per view on YouTube's trending list."""
DISPUTE_PROPENSITY: Final = 0.045
"""Comments per view once the dispute is on: the 99 % quantile of the popular list."""

IGNORED: Final = ("douyin", "ignored-1")
IGNORED_PUBLISHED_MS: Final = f.china_ms("2023-09-01T09:00")
IGNORED_UNTIL_MS: Final = f.china_ms("2023-09-01T19:00")
IGNORED_VIEWS_PER_HOUR: Final = 4_000.0
IGNORED_AFTERWARDS_PER_HOUR: Final = 1.0
IGNORED_PROPENSITY: Final = np.array([0.0005, 0.008, 0.0001, 0.00002])
"""float[4] over Signal: fewer likes than the least liked twentieth of all uploads (measured
0.019)."""

BOTS: Final = ("douyin", "pushed-1")
BOTS_PUBLISHED_MS: Final = f.china_ms("2023-09-02T10:00")
BOTS_VIEWS: Final = 3_000.0
BOTS_FROM_MS: Final = f.china_ms("2023-09-02T14:00")
BOTS_FOR_H: Final = 8.0
BOT_ACCOUNTS: Final = 45
BOT_EVENTS: Final = {
    Action.LIKE: 5_000,
    Action.BOOKMARK: 1_500,
    Action.SHARE: 4_000,
    Action.COMMENT: 2_500,
    Action.REPLY: 1_000,
}
BOT_TAG: Final = "震惊挑战"
"""What they push: the known attack made a tag trend."""
BOT_REGION: Final = "CN"
"""All sit in one place."""
BOT_ACCOUNT_AGE_DAYS_MAX: Final = 20
BOT_FOLLOWERS_MAX: Final = 12

WISH: Final = ("douyin", "wish-2023")
WISH_PUBLISHED_MS: Final = f.china_ms("2023-08-28T08:00")
WISH_TEXT: Final = "想拍一部动画片，讲大英博物馆里的中国文物逃出来，回家过年"


def planted_transitions() -> list[PlantedTransition]:
    """Return the truth about the excluded and the ignored video."""
    return [
        PlantedTransition(
            *EXCLUDED, Stage.JUDGMENT, State.ACTIVE, EXCLUDED_JUDGMENT_MS, Route.EXCLUSION
        ),
        PlantedTransition(
            *EXCLUDED, Stage.INTERACTION, State.ACTIVE, EXCLUDED_INTERACTION_MS, Route.EXCLUSION
        ),
        PlantedTransition(*IGNORED, None, State.INTERRUPTED, IGNORED_UNTIL_MS),
    ]


def excluded(rng: np.random.Generator, number: int) -> list[pl.DataFrame]:
    """Return the blocks of a video that people reject, report and then argue about."""
    published_ms = np.array([EXCLUDED_PUBLISHED_MS])
    base = median_propensity(EXCLUDED[0], EXCLUDED_VIEWS)
    base[Signal.IDENTIFICATION] *= EXCLUDED_IDENTIFICATION
    boost = np.ones((len(Signal), 1, f.SLOTS))
    for signal, time_ms, height in (
        (Signal.EXCLUSION, EXCLUDED_JUDGMENT_MS, EXCLUSION_PROPENSITY),
        (Signal.INTERACTION, EXCLUDED_INTERACTION_MS, DISPUTE_PROPENSITY),
    ):
        boost[signal] = BEFORE + (height / base[signal] - BEFORE) * ramp(time_ms)
    curve = views_curve(published_ms, np.array([2 * HALF_LIFE_H]), np.array([RISE_H]))
    videos = Videos(
        number=np.array([number]),
        ids=[EXCLUDED[1]],
        on_bilibili=np.zeros(1, np.bool_),
        published_ms=published_ms,
        rate=EXCLUDED_VIEWS * curve / curve.sum(),
        propensity=base[:, None],
        boost=boost,
        texts=COLD_TEXTS,
        sentiment=-0.6,
        roles=PUBLIC_ROLES,
    )
    published = publication(EXCLUDED_PUBLISHED_MS, number, "硬蹭文物的带货短片", "creator-2")
    return [published, *events_of(rng, videos)]


def ignored(rng: np.random.Generator, number: int) -> list[pl.DataFrame]:
    """Return the blocks of a video that is shown a lot, liked by nobody, and then shown no more."""
    published_ms = np.array([IGNORED_PUBLISHED_MS])
    times_ms = slot_times_ms()
    shown = (times_ms >= IGNORED_PUBLISHED_MS) & (times_ms < IGNORED_UNTIL_MS)
    per_hour = np.where(shown, IGNORED_VIEWS_PER_HOUR, IGNORED_AFTERWARDS_PER_HOUR * daily_rhythm())
    rate = np.where(times_ms >= IGNORED_PUBLISHED_MS, per_hour, 0) / f.SLOTS_PER_HOUR
    videos = Videos(
        number=np.array([number]),
        ids=[IGNORED[1]],
        on_bilibili=np.zeros(1, np.bool_),
        published_ms=published_ms,
        rate=rate[None, :],
        propensity=IGNORED_PROPENSITY[:, None],
        texts=PLAIN_TEXTS,
    )
    published = publication(
        IGNORED_PUBLISHED_MS, number, "品牌宣传片", "brand-1", labels=["advert"]
    )
    return [published, *events_of(rng, videos)]


def bots(rng: np.random.Generator, number: int) -> list[pl.DataFrame]:
    """Return the blocks of an ordinary video that a few young accounts push."""
    published_ms = np.array([BOTS_PUBLISHED_MS])
    videos = Videos(
        number=np.array([number]),
        ids=[BOTS[1]],
        on_bilibili=np.zeros(1, np.bool_),
        published_ms=published_ms,
        rate=BOTS_VIEWS * views_curve(published_ms, np.array([HALF_LIFE_H]), np.array([RISE_H])),
        propensity=median_propensity(BOTS[0], BOTS_VIEWS)[:, None],
    )
    published = publication(
        BOTS_PUBLISHED_MS, number, "震惊！点进来看", "creator-3", topics=[BOT_TAG]
    )
    pushed = [_pushed(rng, number, action, count) for action, count in BOT_EVENTS.items()]
    return [published, *events_of(rng, videos), *pushed]


def wish(rng: np.random.Generator, number: int) -> list[pl.DataFrame]:
    """Return the blocks of the ordinary video under which the drama began as a comment."""
    published_ms = np.array([WISH_PUBLISHED_MS])
    views = float(f.ORDINARY_VIEWS_MEDIAN)
    videos = Videos(
        number=np.array([number]),
        ids=[WISH[1]],
        on_bilibili=np.zeros(1, np.bool_),
        published_ms=published_ms,
        rate=views * views_curve(published_ms, np.array([HALF_LIFE_H]), np.array([RISE_H])),
        propensity=median_propensity(WISH[0], views)[:, None],
    )
    comment = {"comment_id": f"{WISH[1]}-origin", "text": WISH_TEXT, "sentiment": 0.5}
    at_ms = WISH_PUBLISHED_MS + hours(1)
    said = single_events([(at_ms, number, ACTION_CODE[Action.COMMENT], "p-wish", comment)])
    published = publication(WISH_PUBLISHED_MS, number, "大英博物馆一日游", "creator-4")
    return [published, said, *events_of(rng, videos)]


def _pushed(rng: np.random.Generator, number: int, action: Action, count: int) -> pl.DataFrame:
    """Return what the bots do: each account acts again and again."""
    time_ms = BOTS_FROM_MS + rng.integers(0, hours(BOTS_FOR_H), count)
    account = rng.integers(0, BOT_ACCOUNTS, count)
    age_days = rng.integers(1, BOT_ACCOUNT_AGE_DAYS_MAX, BOT_ACCOUNTS)[account]
    followers = rng.integers(0, BOT_FOLLOWERS_MAX, BOT_ACCOUNTS)[account]
    frame = pl.DataFrame({"account": account, "age": age_days, "followers": followers})
    return pl.DataFrame(
        {
            "arrival_ms": time_ms,
            "time_ms": time_ms,
            "video": np.full(count, number),
            "action": np.full(count, ACTION_CODE[action]),
            "count": np.ones(count, np.int64),
            "actor": frame.select(pl.format("bot-{}", "account")).to_series(),
            "extra": frame.select(
                pl.format(
                    f'"actor_region":"{BOT_REGION}","actor_age_days":{{}},"actor_followers":{{}}',
                    "age",
                    "followers",
                )
            ).to_series(),
        },
        schema=BLOCK_SCHEMA,
        strict=False,
    )
