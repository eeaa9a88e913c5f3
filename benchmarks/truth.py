"""Whether an engine counted right: its counts against the true ones, lost and extra apart."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import polars as pl

COLUMNS: Final = ("window_ms", "video", "action", "count")
"""What a peer writes, separated by tabs, without a header; several lines of one key add up."""


@dataclass(frozen=True, slots=True)
class Difference:
    """Events that an engine lost, and those that it counted too often."""

    lost: int
    extra: int
    keys: int
    """How many keys were counted wrongly."""

    @property
    def is_exact(self) -> bool:
        """Whether every key has its true count."""
        return self.keys == 0

    def __str__(self) -> str:
        if self.is_exact:
            return "exact"
        parts = [f"{self.lost:,} lost"] if self.lost else []
        parts += [f"{self.extra:,} extra"] if self.extra else []
        return ", ".join(parts)


def compare(true: pl.DataFrame, found: pl.DataFrame) -> Difference:
    """Hold counts against the truth; what they have in common but `count` is the key.

    Raises:
        ValueError: The columns are not the same.
    """
    if set(true.columns) != set(found.columns):
        raise ValueError(f"{sorted(found.columns)} cannot be held against {sorted(true.columns)}")
    key = [name for name in true.columns if name != "count"]
    expected = true.group_by(key).agg(pl.col("count").sum().alias("expected"))
    counted = found.group_by(key).agg(pl.col("count").sum().alias("counted"))
    both = expected.join(counted, on=key, how="full", coalesce=True).with_columns(
        pl.col("counted").fill_null(0) - pl.col("expected").fill_null(0)
    )
    off = both.get_column("counted")
    return Difference(
        lost=int(-off.filter(off < 0).sum()),
        extra=int(off.filter(off > 0).sum()),
        keys=int((off != 0).sum()),
    )


def read_counts(path: Path) -> pl.DataFrame:
    """Read what a peer wrote: a file of COLUMNS, or a directory with any number of them.

    Raises:
        FileNotFoundError: There is nothing.
    """
    files = [path] if path.is_file() else sorted(p for p in path.rglob("*") if p.is_file())
    if not files:
        raise FileNotFoundError(f"no counts in {path}")
    schema = dict(zip(COLUMNS, (pl.Int64, pl.String, pl.String, pl.Int64), strict=True))
    return pl.concat(
        pl.read_csv(file, separator="\t", has_header=False, schema=schema)
        for file in files
        if file.stat().st_size
    )


def totals(counts: pl.DataFrame) -> pl.DataFrame:
    """Sum counts over the windows: per video and action."""
    return counts.group_by("video", "action").agg(pl.col("count").sum())


def counts_by_action(
    per_video: Mapping[str, Sequence[int]], actions: Mapping[str, int]
) -> pl.DataFrame:
    """Turn the monitor's totals into counts; zeros are left out.

    Args:
        per_video: By `video_id`, a count for each code.
        actions: The code of each action.
    """
    videos: list[str] = []
    names: list[str] = []
    counts: list[int] = []
    for video, by_code in per_video.items():
        for action, code in actions.items():
            if by_code[code]:
                videos.append(video)
                names.append(action)
                counts.append(int(by_code[code]))
    return pl.DataFrame(
        {"video": videos, "action": names, "count": counts},
        schema={"video": pl.String, "action": pl.String, "count": pl.Int64},
    )
