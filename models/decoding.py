"""From a chunk of messages to columns: fast where that is certain, message by message elsewhere.

models/validation.py is the authority on what an event is; models/fast_decoding.py reads whole
chunks about six times as fast and says which lines it is certain of. Together they give exactly
what the authority alone gives (tests/models/test_decoding.py).
"""

from typing import Final, cast

import numpy as np
import numpy.typing as npt
import polars as pl

from models.events import (
    FIRST_OF_VIDEO,
    DecodingLimits,
    EventColumns,
    Reject,
    RejectedEventError,
)
from models.fast_decoding import FAST_ROWS_MIN, ROW_SCHEMA, Reading, Rows, decode_fast, reading_for
from models.steps import Chunk
from models.validation import Event, profile_json, validate
from models.vocabulary import ACTION_CODE

SECOND_READ_SHARE_MIN: Final = 1 / 32
"""Undecided lines are read once more with other columns when they are at least this share: fewer
cost less on the slow path than a fifth of the chunk's own time."""

READS_MAX: Final = 2
"""A first read with the columns of a sample of all lines, a second with those of what it left."""

_PROFILE_ACTION_CODES: Final = [ACTION_CODE[action.value] for action in FIRST_OF_VIDEO]


def decode(
    chunk: Chunk, *, received_ms: int, limits: DecodingLimits
) -> tuple[EventColumns, list[Reject]]:
    """Return the events of a chunk, in log order, and the messages that are none.

    Args:
        chunk: Messages of the input topic; an end mark is a tombstone here (models/intake.py).
        received_ms: When the chunk was received, ms since the epoch; bounds event times where the
            topic carries no append time.
        limits: The bounds to hold events to.

    Returns:
        The events, and one `Reject` for each message that is not an event, in log order. They are
        the same however the messages are chunked, but for one thing: a profile is repeated for the
        first event per video and list of topics in each chunk.
    """
    latest_ms = _latest_ms(chunk, received_ms, limits)
    undecided: Rows = np.arange(len(chunk.values), dtype=np.int64)
    worth_reading = max(FAST_ROWS_MIN, int(len(undecided) * SECOND_READ_SHARE_MIN))
    frames: list[pl.DataFrame] = []
    reading: Reading | None = None
    for _ in range(READS_MAX):
        if len(undecided) < worth_reading:
            break
        values = _values_at(chunk, undecided)
        previous, reading = reading, reading_for(values)
        if reading == previous:
            break
        frame, decided = decode_fast(values, reading, latest_ms[undecided], limits)
        frames.append(frame.with_columns(row=pl.Series(undecided[decided])).select(*ROW_SCHEMA))
        undecided = undecided[~decided]
    slow, rejects = _decode_slowly(chunk, undecided, latest_ms, limits)
    frames = [frame for frame in (*frames, slow) if len(frame)] or [slow]
    merged = frames[0] if len(frames) == 1 else pl.concat(frames).sort("row")
    return _columns_of(chunk, merged), rejects


def decode_slowly(
    chunk: Chunk, *, received_ms: int, limits: DecodingLimits
) -> tuple[EventColumns, list[Reject]]:
    """Do what `decode` does, message by message: what it is measured and tested against."""
    latest_ms = _latest_ms(chunk, received_ms, limits)
    rows = np.arange(len(chunk.values), dtype=np.int64)
    frame, rejects = _decode_slowly(chunk, rows, latest_ms, limits)
    return _columns_of(chunk, frame), rejects


def _values_at(chunk: Chunk, rows: Rows) -> list[bytes]:
    """Return messages; a tombstone becomes an empty one, which is never read fast."""
    if len(rows) == len(chunk.values) and None not in chunk.values:
        return cast("list[bytes]", chunk.values)
    return [chunk.values[row] or b"" for row in rows.tolist()]


def _latest_ms(chunk: Chunk, received_ms: int, limits: DecodingLimits) -> Rows:
    append_ms = np.asarray(chunk.append_ms, np.int64)
    return np.where(append_ms >= 0, append_ms, received_ms) + limits.max_ahead_ms


def _decode_slowly(
    chunk: Chunk, rows: Rows, latest_ms: Rows, limits: DecodingLimits
) -> tuple[pl.DataFrame, list[Reject]]:
    events: list[tuple[int, Event]] = []
    rejects = []
    for row, latest in zip(rows.tolist(), latest_ms[rows].tolist(), strict=True):
        value = chunk.values[row]
        try:
            events.append((row, validate(value, latest_ms=latest, limits=limits)))
        except RejectedEventError as error:
            key = chunk.keys[row]
            offset = chunk.offsets[row]
            rejects.append(Reject(offset, key, value, error.reason, error.detail))
    columns = {
        name: [getattr(event, name) for _, event in events]
        for name in ROW_SCHEMA
        if name not in {"row", "topics"}
    }
    columns["row"] = [row for row, _ in events]
    columns["topics"] = [event.topics and list(event.topics) for _, event in events]
    return pl.DataFrame(columns, schema=ROW_SCHEMA), rejects


def _columns_of(chunk: Chunk, frame: pl.DataFrame) -> EventColumns:
    videos, video = _coded(frame["video"])
    actors, actor = _coded(frame["actor"])
    events, event = _coded(frame["event"])
    rows = frame["row"].to_numpy()
    sources = frame.with_row_index("at").filter(pl.col("source").is_not_null())
    return EventColumns(
        offset=np.asarray(chunk.offsets, np.int64)[rows],
        time_ms=frame["time_ms"].to_numpy(),
        videos=videos,
        video=video,
        action=frame["action"].to_numpy(),
        count=frame["count"].to_numpy(),
        actors=actors,
        actor=actor,
        role=frame["role"].to_numpy(),
        events=events,
        event=event,
        sources=list(zip(sources["at"].to_list(), sources["source"].to_list(), strict=True)),
        profiles=_profiles_of(frame),
    )


def _coded(column: pl.Series) -> tuple[list[str], npt.NDArray[np.int32]]:
    """Return the distinct texts in order of appearance, and int32[n] of their indices or -1."""
    if column.null_count() == len(column):
        return [], np.full(len(column), -1, np.int32)
    encoded = column.to_arrow().dictionary_encode()
    codes: npt.NDArray[np.int32] = encoded.indices.fill_null(-1).to_numpy(zero_copy_only=False)
    return encoded.dictionary.to_pylist(), codes


def _profiles_of(frame: pl.DataFrame) -> list[tuple[int, str]]:
    """Return the profiles of new videos, and of the first event per video and list of topics."""
    if frame["topics"].null_count() == len(frame) == frame["profile"].null_count():
        return []
    always = pl.col("action").is_in(_PROFILE_ACTION_CODES)
    candidates = (
        frame.with_row_index("at")
        .filter(always | pl.col("topics").is_not_null())
        .filter(always | pl.struct("video", "topics").is_first_distinct())
    )
    chosen = candidates.select("at", "topics", "profile").iter_rows()
    return [(at, profile or profile_json({"topics": topics})) for at, topics, profile in chosen]
