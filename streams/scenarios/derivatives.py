"""What was made of the drama: original derivatives, and a wave of near-copies."""

from typing import Final

import numpy as np
import numpy.typing as npt
import polars as pl

from models.vocabulary import ACTION_CODE, Action, Role
from streams.scenarios import figures as f
from streams.scenarios.arrivals import Videos, events_of
from streams.scenarios.case import EPISODES_VIEWS_SHARE, Episode
from streams.scenarios.event_blocks import single_events
from streams.scenarios.ordinary import HALF_LIFE_H, RISE_H, propensities, views_curve
from streams.scenarios.planted import hours

ORIGINALS: Final = 160
ORIGINAL_TITLES: Final = (
    "流失海外的文物有哪些",
    "缠枝纹薄胎玉壶是怎样做成的",
    "我在大英博物馆33号展厅",
    "给小玉壶画一幅插画",
    "女史箴图的故事",
    "听讲解员聊文物追索",
    "博物馆一日 vlog",
    "如果文物会说话",
)
"""The seeds: "cultural relic popular science articles, comments, exhibition vlogs"."""
ORIGINALS_FROM: Final = f.china_ms("2023-08-30T21:00")

NEAR_COPIES: Final = 60
NEAR_COPY_TITLE: Final = "小玉壶同款变装，一键同款"
NEAR_COPIES_FROM: Final = f.china_ms("2023-09-03T12:00")
NEAR_COPIES_FOR_H: Final = 12.0
NEAR_COPY_VIEWS: Final = 500.0
FLIPPED_BITS_MAX: Final = 3
"""Fingerprints of near-copies differ in so many of their 64 bits at most; those of originals in
about 32."""

DERIVATIVE_PLATFORMS: Final = ("douyin", f.BILIBILI, "weibo", "kuaishou", "xiaohongshu")
DERIVATIVE_SHARES: Final = (0.45, 0.2, 0.15, 0.1, 0.1)
"""The seeds name Douyin, Kuaishou and Xiaohongshu for the short-video craze; shares are an
assumption."""

Ints = npt.NDArray[np.int64]


def originals(
    rng: np.random.Generator, first_number: int, of: list[Episode]
) -> tuple[list[tuple[str, str]], Ints, list[pl.DataFrame]]:
    """Return names, publication times and blocks of the original derivatives."""
    published_ms = rng.integers(ORIGINALS_FROM, f.ENDS_MS - hours(6), ORIGINALS)
    titles = [f"{ORIGINAL_TITLES[i % len(ORIGINAL_TITLES)]} {i}" for i in range(ORIGINALS)]
    fingerprints = rng.integers(0, 2**64, ORIGINALS, dtype=np.uint64)
    total = f.VIEWS * f.SCALE * (1 - EPISODES_VIEWS_SHARE)
    weights = rng.lognormal(0, 1.0, ORIGINALS)
    views = np.minimum(total * weights / weights.sum(), f.ORDINARY_VIEWS_MAX)
    return _made(rng, first_number, of, "deriv", published_ms, views, titles, fingerprints)


def near_copies(
    rng: np.random.Generator, first_number: int, of: list[Episode]
) -> tuple[list[tuple[str, str]], Ints, list[pl.DataFrame]]:
    """Return names, publication times and blocks of the wave of near-copies."""
    published_ms = NEAR_COPIES_FROM + rng.integers(0, hours(NEAR_COPIES_FOR_H), NEAR_COPIES)
    template = int(rng.integers(0, 2**64, dtype=np.uint64))
    fingerprints = np.array([_flip(rng, template) for _ in range(NEAR_COPIES)], dtype=np.uint64)
    views = rng.lognormal(np.log(NEAR_COPY_VIEWS), 0.6, NEAR_COPIES)
    titles = [NEAR_COPY_TITLE] * NEAR_COPIES
    return _made(rng, first_number, of, "copy", published_ms, views, titles, fingerprints)


def _flip(rng: np.random.Generator, template: int) -> int:
    bits = rng.choice(64, int(rng.integers(0, FLIPPED_BITS_MAX + 1)), replace=False)
    for bit in bits:
        template ^= 1 << int(bit)
    return template


def _made(
    rng: np.random.Generator,
    first_number: int,
    of: list[Episode],
    prefix: str,
    published_ms: Ints,
    views: npt.NDArray[np.float64],
    titles: list[str],
    fingerprints: npt.NDArray[np.uint64],
) -> tuple[list[tuple[str, str]], Ints, list[pl.DataFrame]]:
    """Make derivatives of episodes that were out when each of them was published."""
    count = len(published_ms)
    platform = [str(p) for p in rng.choice(DERIVATIVE_PLATFORMS, count, p=DERIVATIVE_SHARES)]
    names = [(p, f"{prefix}-{i}") for i, p in enumerate(platform)]
    rows = []
    for i in range(count):
        out = [e for e in of if e.released_ms < published_ms[i]]
        source = out[int(rng.integers(0, len(out)))]
        fields = {
            "source_platform": source.platform,
            "source_video_id": source.video_id,
            "title": titles[i],
            "creator_id": f"creator-{prefix}-{i}",
            "creator_followers": int(rng.lognormal(np.log(2_000), 1.5)),
            "topics": [f.TOPIC],
            "fingerprint": f"{int(fingerprints[i]):016x}",
            "actor_role": Role.CREATOR.value,
        }
        actor = f"creator-{prefix}-{i}"
        rows.append(
            (int(published_ms[i]), first_number + i, ACTION_CODE[Action.DERIVE], actor, fields)
        )
    full = np.full(count, HALF_LIFE_H)
    on_bilibili = np.array(platform) == f.BILIBILI
    videos = Videos(
        number=np.arange(first_number, first_number + count),
        ids=[video_id for _, video_id in names],
        on_bilibili=on_bilibili,
        published_ms=published_ms,
        rate=views[:, None] * views_curve(published_ms, full, np.full(count, RISE_H)),
        propensity=propensities(rng, views, on_bilibili),
    )
    return names, published_ms, [single_events(rows), *events_of(rng, videos)]
