"""Events in columns, and as JSON lines in the order of time.

A block is a polars frame of BLOCK_SCHEMA: `extra` is the JSON text of the fields that few events
have, without its braces, or null.
"""

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

import polars as pl

from models.vocabulary import ACTION_CODE, ACTIONS, Action

BLOCK_SCHEMA: Final = {
    "arrival_ms": pl.Int64,
    "time_ms": pl.Int64,
    "video": pl.UInt32,
    "action": pl.UInt8,
    "count": pl.Int64,
    "actor": pl.String,
    "extra": pl.String,
}


def json_fields(fields: Mapping[str, Any]) -> str:
    """Return the fields as JSON text without the braces.

    >>> json_fields({"title": "a", "topics": []})
    '"title":"a","topics":[]'
    """
    return json.dumps(fields, ensure_ascii=False, separators=(",", ":"))[1:-1]


def single_events(
    rows: Iterable[tuple[int, int, int, str | None, Mapping[str, Any]]],
) -> pl.DataFrame:
    """Return a block of events, each given as time_ms, video, action, actor, other fields."""
    return pl.DataFrame(
        [
            (time_ms, time_ms, video, action, 1, actor, json_fields(fields) or None)
            for time_ms, video, action, actor, fields in rows
        ],
        schema=BLOCK_SCHEMA,
        orient="row",
    )


def publication(time_ms: int, video: int, title: str, creator: str, **more: object) -> pl.DataFrame:
    """Return a block of one `publish` by somebody whom few know; `more` are other fields of it."""
    fields = {"title": title, "creator_id": creator, "creator_followers": 5_000, **more}
    return single_events([(time_ms, video, ACTION_CODE[Action.PUBLISH], None, fields)])


def as_lines(blocks: Sequence[pl.DataFrame], videos: Sequence[tuple[str, str]]) -> pl.DataFrame:
    """Return all events as JSON lines, sorted by arrival; equal times keep the order of the blocks.

    Args:
        blocks: Frames of BLOCK_SCHEMA.
        videos: Platform and id of each video number; ids are plain ASCII.

    Returns:
        Columns `arrival_ms` (int64) and `line` (the JSON text, no newline).
    """
    names = pl.DataFrame(
        {
            "video": pl.Series(range(len(videos)), dtype=pl.UInt32),
            "name": [json_fields({"platform": p, "video_id": v}) for p, v in videos],
        }
    )
    actions = pl.DataFrame(
        {
            "action": pl.Series(range(len(ACTIONS)), dtype=pl.UInt8),
            "verb": [json_fields({"action": action.value}) for action in ACTIONS],
        }
    )
    return (
        pl.concat(list(blocks))
        .sort("arrival_ms", maintain_order=True)
        .join(names, on="video", how="left", maintain_order="left")
        .join(actions, on="action", how="left", maintain_order="left")
        .select(
            "arrival_ms",
            line=pl.concat_str(
                pl.lit('{"time":'),
                pl.col("time_ms"),
                pl.lit(","),
                pl.col("name"),
                pl.lit(","),
                pl.col("verb"),
                pl.when(pl.col("count") > 1)
                .then(pl.format(',"count":{}', "count"))
                .otherwise(pl.lit("")),
                pl.when(pl.col("actor").is_not_null())
                .then(pl.format(',"actor_id":"{}"', "actor"))
                .otherwise(pl.lit("")),
                pl.when(pl.col("extra").is_not_null())
                .then(pl.format(",{}", "extra"))
                .otherwise(pl.lit("")),
                pl.lit("}"),
            ),
        )
    )
