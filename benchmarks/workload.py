"""The events that every engine is given, and the counts that are true of them.

One event is one line of 145 bytes of the contract (docs/events.md); with an `event_id` it has 175.
Lines that are alike are made as a matrix of bytes, whole blocks at a time. What comments say is in
benchmarks/spoken.
"""

import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Final

import numpy as np
import numpy.typing as npt
import polars as pl

from benchmarks import spoken

ACTIONS: Final = (
    "view",
    "like",
    "comment",
    "share",
    "bookmark",
    "follow",
    "dislike",
    "danmaku",
    "reply",
)
SHARES: Final = (0.800, 0.090, 0.030, 0.020, 0.025, 0.010, 0.005, 0.018, 0.002)
"""Shares of the actions: nine of ten people only watch, as in docs/detection.md's cohort."""

COMMENTS: Final = ("comment", "reply")

LINE_BYTES: Final = 145
"""Length of an event, as in the table of issue 4."""

WINDOW_MS: Final = 10_000
"""The peers count in tumbling windows of event time of this length."""

ZIPF: Final = 1.3
"""Exponent of the popularity of videos."""

ACTORS: Final = 5_000_000
BLOCK_LINES: Final = 200_000
"""Lines made at a time: a matrix of 29 MB."""

_EPOCH_MS: Final = 6 * 3_600_000
"""Event times begin at the start of an epoch of the monitor, so that the plain case holds none."""

_PLATFORM: Final = "douyin"
HOT_VIDEO: Final = 0
_VIDEO_DIGITS: Final = 10
_TIME_DIGITS: Final = 13
_ID_DIGITS: Final = 16
_WATCH_DIGITS: Final = 4
_WATCH_STRIDE_MS: Final = 7_919
WATCH_MS_MAX: Final = 10**_WATCH_DIGITS
"""Views last 10 to 20 s: one digit stands before those that are written."""
_BAD_LINES: Final = (
    b'{"time":1,"platform":"douyin","video_id":"BV","action":"view"}',
    b'{"platform":"douyin","video_id":"BV0000000001","action":"view"}',
    b'{"time":1700000000000,"platform":"douyin","video_id":"BV","action":"gaze"}',
    b"no JSON at all",
)


@dataclass(frozen=True, slots=True)
class Workload:
    """What is produced; all times are event times in ms."""

    events: int = 3_000_000
    videos: int = 200_000
    partitions: int = 4
    span_ms: int = 30_000
    hot_share: float = 0.0
    """Share of all events that goes to one video, besides the Zipf law."""
    bad_share: float = 0.0
    with_ids: bool = False
    with_texts: bool = False
    """Whether comments, replies and danmaku say something (benchmarks/spoken)."""
    with_watch: bool = False
    """Whether each view says how long it was watched."""
    every_video: bool = False
    """The first events name every video once, so that all of them are tracked."""
    seed: int = 7
    start_ms: int = int(time.time() * 1000) // _EPOCH_MS * _EPOCH_MS - 8 * _EPOCH_MS

    def with_events(self, events: int) -> "Workload":
        """Return the same over fewer events: the same span of time, hence as many windows."""
        return replace(self, events=events)


@dataclass(frozen=True, slots=True)
class Columns:
    """The events as columns of equal length; event i goes to partition i % partitions."""

    video: npt.NDArray[np.int64]
    action: npt.NDArray[np.int64]
    actor: npt.NDArray[np.int64]
    time_ms: npt.NDArray[np.int64]
    bad: npt.NDArray[np.bool_]
    said: npt.NDArray[np.int64]
    answered: npt.NDArray[np.int64]


def columns_of(workload: Workload) -> Columns:
    """Draw the events: the same seed gives the same ones."""
    dice = np.random.default_rng(workload.seed)
    count = workload.events
    video = dice.zipf(ZIPF, count) % workload.videos
    if workload.hot_share:
        video[dice.random(count) < workload.hot_share] = HOT_VIDEO
    if workload.every_video:
        video[: workload.videos] = np.arange(workload.videos)
    shares = np.array(SHARES) / sum(SHARES)
    action = dice.choice(len(ACTIONS), count, p=shares)
    columns = Columns(
        video=video,
        action=action,
        actor=dice.integers(0, ACTORS, count),
        time_ms=workload.start_ms + np.arange(count) * workload.span_ms // count,
        bad=dice.random(count) < workload.bad_share,
        said=np.full(count, spoken.NOTHING_SAID),
        answered=np.zeros(0, np.int64),
    )
    if not workload.with_texts:
        return columns
    comments = np.isin(action, [ACTIONS.index(name) for name in COMMENTS])
    speaks = comments | (action == ACTIONS.index("danmaku"))
    return replace(
        columns,
        said=spoken.draw(np.random.default_rng(workload.seed + 2), speaks),
        answered=spoken.answered(video, comments),
    )


def video_name(number: int) -> str:
    """Return the `video_id` of a video.

    >>> video_name(7)
    'BV0000000007'
    """
    return f"BV{number:0{_VIDEO_DIGITS}d}"


def true_counts(columns: Columns) -> pl.DataFrame:
    """Count what was drawn: `window_ms`, `video`, `action`, `count`, without the bad lines."""
    good = ~columns.bad
    window = columns.time_ms[good] // WINDOW_MS * WINDOW_MS
    frame = pl.DataFrame(
        {"window_ms": window, "number": columns.video[good], "code": columns.action[good]}
    )
    counted = frame.group_by("window_ms", "number", "code").agg(pl.len().alias("count"))
    names = pl.DataFrame({"code": range(len(ACTIONS)), "action": list(ACTIONS)})
    digits = pl.col("number").cast(pl.String).str.zfill(_VIDEO_DIGITS)
    return counted.join(names, on="code").select(
        "window_ms",
        pl.concat_str(pl.lit("BV"), digits).alias("video"),
        "action",
        pl.col("count").cast(pl.Int64),
    )


def lines_of(workload: Workload, columns: Columns) -> Iterator[list[bytes]]:
    """Yield the events as lines, in order, in blocks of BLOCK_LINES."""
    dice = np.random.default_rng(workload.seed + 1)
    for start in range(0, workload.events, BLOCK_LINES):
        rows = np.arange(start, min(start + BLOCK_LINES, workload.events))
        lines = _block(workload, columns, rows)
        for row in np.flatnonzero(columns.bad[rows]).tolist():
            lines[row] = _BAD_LINES[dice.integers(len(_BAD_LINES))]
        yield lines


def _block(workload: Workload, columns: Columns, rows: npt.NDArray[np.int64]) -> list[bytes]:
    lines = [b""] * len(rows)
    said = spoken.variants(workload.seed) if workload.with_texts else []
    alike = columns.action[rows] * (len(said) + 1) + columns.said[rows] + 1
    for kind in np.unique(alike).tolist():
        code, variant = divmod(kind, len(said) + 1)
        here = np.flatnonzero(alike == kind)
        what = said[variant - 1] if variant else None
        template, places = _template(workload, ACTIONS[code], what)
        matrix = np.empty((len(here), len(template)), np.uint8)
        matrix[:] = np.frombuffer(template, np.uint8)
        at = rows[here]
        for name, (place, digits) in places.items():
            _write_digits(matrix, place, digits, _numbers(columns, name, at))
        data = matrix.tobytes()
        for row, place in zip(here.tolist(), range(0, len(data), len(template)), strict=True):
            lines[row] = data[place : place + len(template)]
    return lines


def _numbers(columns: Columns, name: str, at: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    """Return what stands in the digits of a name, for some events."""
    if name == "watch":
        return at * _WATCH_STRIDE_MS % WATCH_MS_MAX
    if name == "parent":
        return columns.answered[at]
    if name in ("event", "comment"):
        return at
    drawn = {"time": columns.time_ms, "video": columns.video, "actor": columns.actor}
    return drawn[name][at]


def _template(
    workload: Workload, action: str, said: spoken.Said | None
) -> tuple[bytes, dict[str, tuple[int, int]]]:
    """Return a line of zeros and, by name, where the digits stand and how many they are."""
    role = "ordinary" if said is None else said.role
    tail = f'","action":"{action}","actor_role":"{role}"'
    parts = [('{"time":', "time", _TIME_DIGITS)]
    parts.append((f',"platform":"{_PLATFORM}","video_id":"BV', "video", _VIDEO_DIGITS))
    head = sum(len(text) + digits for text, _, digits in parts) + len('","actor_id":"u}')
    # The id of the actor fills the line up: actions have names of different lengths.
    parts.append(('","actor_id":"u', "actor", LINE_BYTES - head - len(tail)))
    if workload.with_ids:
        parts.append(('","event_id":"', "event", _ID_DIGITS))
    if workload.with_watch and action == "view":
        parts.append((f'{tail},"watch_ms":1', "watch", _WATCH_DIGITS))
        tail = ""
    if said is not None and action in COMMENTS:
        parts.append((f'{tail},"comment_id":"c', "comment", _ID_DIGITS))
        tail = '"'
        if action == "reply":
            parts.append(('","parent_id":"c', "parent", _ID_DIGITS))
        tail += f',{said.account},"text":"{said.text}"'
    elif said is not None:
        tail += f',"text":"{said.danmaku}"'
    line, places = "", {}
    for text, name, digits in parts:
        line += text
        places[name] = (len(line), digits)
        line += "0" * digits
    return f"{line}{tail}}}".encode(), places


def _write_digits(
    matrix: npt.NDArray[np.uint8],
    place: int,
    digits: int,
    numbers: npt.NDArray[np.int64],
) -> None:
    rest = numbers.copy()
    for position in range(place + digits - 1, place - 1, -1):
        if not rest.any():
            break
        matrix[:, position] = 48 + rest % 10
        rest //= 10
