"""Which videos a forecast is judged on, and from when on their outcome could be seen.

Judged are videos that were below the level when they were first watched. What was said of one
counts up to its last observation before the outcome: a counter is only known when it is read, so
that events spread between two readings must not give away the later one.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
import numpy.typing as npt
import polars as pl

Floats = npt.NDArray[np.float64]
Flags = npt.NDArray[np.bool_]

HOUR_S: Final = 3_600

LEAD_IN_S: Final = 36 * HOUR_S
"""A list's first two readings (a day apart, or nearly) hold what was on it before."""

MILLION: Final = 1_000_000
MILLION_BADGE: Final = "百万播放"
"""What the popular list puts on a video with a million views, rounded in its favour or not."""

JUDGED_AT: Final = 20
"""A cascade is judged at its twentieth share: a fifth of the way, as usual for cascades (Cheng et
al., "Can cascades be predicted?", 2014, look from the fifth on)."""


@dataclass(frozen=True, slots=True)
class Watched:
    """Videos that were watched from below the level on.

    Attributes:
        videos: Their ids.
        start_s: float[n], when each was published.
        until_s: float[n], up to when what was said of it counts.
        outcome_s: float[n], when it was first seen at the level; nan when never, or not known.
        hit: bool[n], whether it reached the level.
        rival: float[n], its views (or shares) per hour of age, at their highest.
        seen_s: When each was observed, rising.
    """

    videos: list[str]
    start_s: Floats
    until_s: Floats
    outcome_s: Floats
    hit: Flags
    rival: Floats
    seen_s: list[Floats]


def uploads(data: Path, level: int) -> Watched:
    """Return uploads of which counters were read now and then.

    Args:
        data: Parquet of `bvid`, `pub_ts` and `snap_ts` in seconds, `view`.
        level: How many views are a hotspot.
    """
    rows = pl.read_parquet(data).sort("snap_ts")
    return _counters(rows, pl.col("view") >= level, level)


def popular(data: Path) -> Watched:
    """Return videos of a popular list, without the readings of its first days.

    Args:
        data: Parquet as for `uploads`, with the badge in `rcmd_reason`.
    """
    rows = pl.read_parquet(data).sort("snap_ts")
    first_s = rows["snap_ts"].min()
    badge = pl.col("rcmd_reason").fill_null("").str.contains(MILLION_BADGE)
    watched = pl.col("snap_ts") > pl.lit(first_s) + LEAD_IN_S
    return _counters(rows, (pl.col("view") >= MILLION) | badge, MILLION, watched)


def _counters(
    rows: pl.DataFrame, reached: pl.Expr, level: int, watched: pl.Expr | None = None
) -> Watched:
    crossed = rows.filter(reached).group_by("bvid").agg(pl.col("snap_ts").min().alias("outcome"))
    rows = rows.join(crossed, on="bvid", how="left", maintain_order="left")
    if watched is not None:
        rows = rows.filter(watched)
    before = pl.col("outcome").is_null() | (pl.col("snap_ts") < pl.col("outcome"))
    age_h = (pl.col("snap_ts") - pl.col("pub_ts")) / HOUR_S + 1
    found = (
        rows.filter(before & (pl.col("view") < level))
        .group_by("bvid")
        .agg(
            pl.col("pub_ts").first().alias("start"),
            pl.col("snap_ts").max().alias("until"),
            pl.col("outcome").first(),
            (pl.col("view") / age_h).max().alias("rival"),
            pl.col("snap_ts").sort().alias("seen"),
        )
        .rename({"bvid": "video"})
        .sort("video")
    )
    return _watched(found.with_columns(pl.col("outcome").is_not_null().alias("hit")))


def cascades(data: Path, level: int) -> Watched:
    """Return cascades of shares that came as far as JUDGED_AT.

    Args:
        data: Parquet of `cascade` and `ts` in seconds, a row per share, the first the original.
        level: How many rows make a large one.
    """
    rows = pl.read_parquet(data).sort("ts", maintain_order=True)
    age_h = (pl.col("until") - pl.col("start")) / HOUR_S + 1
    found = (
        rows.group_by("cascade")
        .agg(
            pl.col("ts").first().alias("start"),
            pl.col("ts").slice(JUDGED_AT, 1).first().alias("until"),
            pl.col("ts").slice(JUDGED_AT + 1, 1).first().alias("after"),
            pl.col("ts").slice(level, 1).first().alias("outcome"),
            pl.len().alias("size"),
            pl.col("ts").alias("seen"),
        )
        .filter(pl.col("until").is_not_null())
        # Of two shares in one second the later one would be seen at the earlier.
        .filter(pl.col("after").is_null() | (pl.col("after") > pl.col("until")))
        .with_columns(
            (JUDGED_AT / age_h).alias("rival"),
            (pl.col("size") >= level).alias("hit"),
            pl.col("cascade").cast(pl.String).alias("video"),
        )
        .sort("video")
    )
    return _watched(found)


def _watched(found: pl.DataFrame) -> Watched:
    return Watched(
        videos=found["video"].to_list(),
        start_s=found["start"].cast(pl.Float64).to_numpy(),
        until_s=found["until"].cast(pl.Float64).to_numpy(),
        outcome_s=found["outcome"].cast(pl.Float64).fill_null(float("nan")).to_numpy(),
        hit=found["hit"].to_numpy().astype(np.bool_),
        rival=found["rival"].to_numpy(),
        seen_s=[np.array(seen, np.float64) for seen in found["seen"].to_list()],
    )
