"""Videos that are alike, and an action on one of them: what it does is known, for it is planted.

Creators film nights in museums; people talk about all of these videos, hardly differing. On one of
them the team that guides content acts, and from that moment on it is seen FACTOR times as much.
"""

import json
from typing import Final

import numpy as np
import polars as pl

from models.vocabulary import Signal
from streams.scenarios import figures as f
from streams.scenarios.arrivals import Videos, events_of, slot_times_ms
from streams.scenarios.event_blocks import publication
from streams.scenarios.incidents import DISPUTE_PROPENSITY
from streams.scenarios.ordinary import HALF_LIFE_H, RISE_H, views_curve
from streams.scenarios.people import PUBLIC_ROLES, WARM_TEXTS
from streams.scenarios.planted import BEFORE, hours, median_propensity, ramp

PLATFORM: Final = "xiaohongshu"
NIGHTS: Final = 60
"""So many that nine or more are alike in activity, with which an effect can be measured
(models/guidance_effects.py)."""

PUBLISHED_MS: Final = f.china_ms("2023-09-02T08:00")
DISCUSSED_MS: Final = PUBLISHED_MS + hours(2)
ACTED_MS: Final = f.china_ms("2023-09-02T19:00")
VIEWS: Final = 40_000.0
FACTOR: Final = 2.5
"""How much more the video is seen once the team has acted. An assumption; it is to be found."""

NAMES: Final = tuple((PLATFORM, f"museum-night-{number}") for number in range(1, NIGHTS + 1))
GUIDED: Final = NAMES[0]


def actions() -> tuple[bytes, ...]:
    """Return what the team tells of what it did (docs/actions.md), a JSON object each."""
    platform, video_id = GUIDED
    action = {
        "action_id": "demo-1",
        "taken_at": ACTED_MS,
        "platform": platform,
        "video_id": video_id,
        "level": "interaction",
        "kind": "expert_answers",
        "by": "the demo's team",
        "note": "a restorer answers under the video, which is recommended for it",
    }
    return (json.dumps(action, ensure_ascii=False).encode(),)


def nights(rng: np.random.Generator, first_number: int) -> list[pl.DataFrame]:
    """Return the blocks of all of them."""
    numbers = np.arange(first_number, first_number + NIGHTS)
    published_ms = np.full(NIGHTS, PUBLISHED_MS)
    curve = views_curve(published_ms, np.full(NIGHTS, HALF_LIFE_H), np.full(NIGHTS, RISE_H))
    rate = VIEWS * curve
    rate[0, slot_times_ms() >= ACTED_MS] *= FACTOR
    base = median_propensity(PLATFORM, VIEWS)
    boost = np.full((len(Signal), 1, f.SLOTS), BEFORE)
    climb = DISPUTE_PROPENSITY / base[Signal.INTERACTION] - BEFORE
    boost[Signal.INTERACTION] = BEFORE + climb * ramp(DISCUSSED_MS)
    videos = Videos(
        number=numbers,
        ids=[video_id for _, video_id in NAMES],
        on_bilibili=np.zeros(NIGHTS, np.bool_),
        published_ms=published_ms,
        rate=rate,
        propensity=np.repeat(base[:, None], NIGHTS, axis=1),
        boost=np.repeat(boost, NIGHTS, axis=1),
        texts=WARM_TEXTS,
        sentiment=0.4,
        roles=PUBLIC_ROLES,
    )
    published = [
        publication(PUBLISHED_MS, number, f"博物馆之夜 {number}", f"creator-night-{number}")
        for number in numbers.tolist()
    ]
    return [*published, *events_of(rng, videos)]
