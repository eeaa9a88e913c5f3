"""Many messages at once: what can be read with certainty, and proof that it was read rightly.

models/validation.py is the authority. polars reads whole chunks about six times faster, but it
guesses: numbers become strings, the first of two equal keys wins (Python: the last), halves of
surrogate pairs become U+0000, a blank line vanishes, and one malformed line fails the whole chunk
(all measured with polars 2.1.0; tests/models/test_decoding.py repeats it). So nothing that polars
read is believed without proof:

- *Types.* Strings are read as `pl.Binary` and closed sets as `pl.Enum`: with `ignore_errors` these
  give null for everything that is not a JSON string, where `pl.String` would convert it. (An Enum
  with a word such as `1` or `true` would take the number for it; ours have none.)
- *Keys.* In valid JSON every key ends with a quote, then perhaps white space, then a colon. So the
  colons that follow a quote or white space are never fewer than the keys of a line, and the keys
  are never fewer than its cells that are not null. Where both ends of that chain are equal, the
  line holds exactly the fields that were read, each once, at the top level, none null or mistyped.
- *Lines.* Lines with half a surrogate pair, a newline or a control character are kept from polars
  altogether (models/screening.py).

A line without that proof is not wrong, only undecided: models/decoding.py asks the authority.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt
import polars as pl

from models.events import (
    COUNT_MAX,
    FIELDS,
    FIRST_OF_VIDEO,
    NAME_CHARACTERS_MAX,
    NAMES_MAX,
    REQUIRED_FIELDS,
    DecodingLimits,
    FieldKind,
)
from models.identity import KEY_SEPARATOR
from models.parameters import HOUR_MS, MINUTE_MS
from models.screening import Lines, screen
from models.validation import may_nest_too_deeply, normal_platform
from models.vocabulary import ACTION_CODE, ACTIONS, ROLES, Action

FAST_ROWS_MIN: Final = 64
"""Below that a call of polars and what goes with it (about 0.5 ms, measured) costs more than the
slow path (5 to 9 us an event)."""

SAMPLE_ROWS: Final = 16
"""How many lines are looked at to learn which fields a chunk holds; a wrong guess costs time only,
and `SAMPLE_ROWS` calls of Python's parser are a hundredth of a chunk of 10,000 lines."""

EXTRA_FIELDS_MAX: Final = 64
"""How many fields that are not in the contract are read along, so that the keys can be counted."""

SAMPLE_BYTES_MAX: Final = 64 * 1024
"""Longer messages are not looked at for the sample: their text would cost more than it teaches."""

_SAFE_SENTIMENT: Final = 0.999_999
"""Beyond it, whether a number lies within -1 to 1 may hang on how its last digit is rounded."""

_FAST_TYPES: Final[dict[FieldKind, pl.DataType]] = {
    FieldKind.TIME: pl.Int64(),
    FieldKind.COUNT: pl.Int64(),
    FieldKind.NAME: pl.Binary(),
    FieldKind.TEXT: pl.Binary(),
    FieldKind.WHOLE_NUMBER: pl.Int64(),
    FieldKind.SENTIMENT: pl.Float64(),
    FieldKind.NAMES: pl.List(pl.Binary()),
}
_SLOW_FIELDS: Final = frozenset(
    {
        "source_video_id",
        "source_platform",
        "source_comment_id",
        "title",
        "creator_id",
        "creator_followers",
        "mcn",
        "duration_ms",
        "vertical",
        "labels",
        "fingerprint",
        "retracts",
    },
)
"""Fields of rare events: they are never read here, so the count of keys leaves their lines over."""

_FAST_SCHEMA: Final[dict[str, pl.DataType]] = {
    name: _FAST_TYPES[kind] for name, kind in FIELDS.items() if name not in _SLOW_FIELDS
} | {
    "action": pl.Enum([action.value for action in ACTIONS]),
    "actor_role": pl.Enum([role.value for role in ROLES]),
}
_SLOW_ACTION_CODES: Final = [
    ACTION_CODE[action.value] for action in (*FIRST_OF_VIDEO, Action.RETRACT)
]
ROW_SCHEMA: Final[dict[str, pl.DataType]] = {
    "row": pl.Int64(),
    "time_ms": pl.Int64(),
    "video": pl.String(),
    "action": pl.UInt8(),
    "count": pl.Int64(),
    "actor": pl.String(),
    "role": pl.UInt8(),
    "event": pl.String(),
    "source": pl.String(),
    "topics": pl.List(pl.String()),
    "profile": pl.String(),
}
"""What both paths give; `row` is the index of the message in the chunk."""

_DEBUG_FORM: Final = "Static("
"""How polars writes whole numbers of more than 64 bits into a `pl.Binary`, where it gives null for
every other number; a real text that begins so is left to the slow path."""

_HUGE_NUMBER: Final = "[0-9]{20}|[0-9][eE][+-]?[0-9]{3}"
"""Numbers that polars may call malformed though they are JSON: beyond 64 bits, or a double."""

# RFC 3339 as nearly every producer writes it; the slow path knows the rest of the grammar.
_PLAIN_RFC_3339: Final = (
    r"^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-5][0-9](\.[0-9]+)?"
    r"(Z|[+-]([01][0-9]|2[0-3]):[0-5][0-9])$"
)

_NOTHING: Final = pl.DataFrame(schema=ROW_SCHEMA).drop("row")

Rows = npt.NDArray[np.int64]
Mask = npt.NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Reading:
    """Which columns to read: known fields, others, and whether times are text."""

    fields: frozenset[str]
    extras: tuple[str, ...]
    time_is_text: bool

    def schema(self) -> dict[str, pl.DataType]:
        """Return the columns with their types, for polars."""
        known = {name: kind for name, kind in _FAST_SCHEMA.items() if name in self.fields}
        if self.time_is_text:
            known["time"] = pl.Binary()
        return known | dict.fromkeys(self.extras, pl.String())


def reading_for(values: Sequence[bytes]) -> Reading:
    """Guess from a sample which columns to read; a wrong guess leaves lines undecided."""
    step = max(1, len(values) // SAMPLE_ROWS)
    names: dict[str, None] = {}
    text_times = 0
    objects = [found for value in values[::step] if (found := _object_in(value)) is not None]
    for found in objects:
        names.update(dict.fromkeys(found))
        text_times += isinstance(found.get("time"), str)
    return Reading(
        fields=frozenset(REQUIRED_FIELDS) | (names.keys() & _FAST_SCHEMA.keys()),
        extras=tuple(name for name in names if name not in FIELDS)[:EXTRA_FIELDS_MAX],
        time_is_text=text_times * 2 > len(objects),
    )


def _object_in(value: bytes) -> dict[str, object] | None:
    """Return the object in a message, if it is one whose keys can name columns: for a guess."""
    if len(value) > SAMPLE_BYTES_MAX or may_nest_too_deeply(value):
        return None
    try:
        found = json.loads(value.decode())
        " ".join(found).encode()
    except (ValueError, TypeError):  # the slow path will say what is wrong with it
        return None
    return found if isinstance(found, dict) else None


def decode_fast(
    values: Sequence[bytes], reading: Reading, latest_ms: Rows, limits: DecodingLimits
) -> tuple[pl.DataFrame, Mask]:
    """Return the events that are certain, and which lines they are."""
    lines = screen(values, message_bytes_max=limits.message_bytes_max)
    decided = np.zeros(len(values), np.bool_)
    frames = []
    for frame, rows in _read(lines, np.flatnonzero(lines.sound), reading):
        certain = _proven(frame, lines.keys_max[rows])
        typed = _typed(frame, reading)
        certain &= _valid(typed, latest_ms[rows], limits)
        decided[rows[certain]] = True
        frames.append(typed if certain.all() else typed.filter(certain))
    return _normalise(pl.concat(frames)) if frames else _NOTHING, decided


def _read(lines: Lines, rows: Rows, reading: Reading) -> list[tuple[pl.DataFrame, Rows]]:
    """Read lines together; where that fails, leave out what is malformed, then what may be."""
    if not len(rows):
        return []
    frame = _read_together(lines, rows, reading)
    if frame is not None:
        return [(frame, rows)]
    # serde's reader gives null for malformed lines, and for those without a time.
    texts = pl.Series([lines.values[row] for row in rows.tolist()], dtype=pl.Binary).cast(pl.String)
    well_formed = texts.str.json_path_match("$.time").is_not_null()
    rest = rows[well_formed.to_numpy()]
    frame = _read_together(lines, rest, reading)
    if frame is not None:
        return [(frame, rest)]
    plain = rows[(well_formed & ~texts.str.contains(_HUGE_NUMBER)).to_numpy()]
    return _read_in_halves(lines, plain, reading, rows_min=max(FAST_ROWS_MIN, len(plain) // 8))


def _read_in_halves(
    lines: Lines, rows: Rows, reading: Reading, *, rows_min: int
) -> list[tuple[pl.DataFrame, Rows]]:
    """Read what polars can; fewer lines than `rows_min` are left to the slow path."""
    if len(rows) < rows_min:
        return []
    frame = _read_together(lines, rows, reading)
    if frame is not None:
        return [(frame, rows)]
    middle = len(rows) // 2
    first = _read_in_halves(lines, rows[:middle], reading, rows_min=rows_min)
    return first + _read_in_halves(lines, rows[middle:], reading, rows_min=rows_min)


def _read_together(lines: Lines, rows: Rows, reading: Reading) -> pl.DataFrame | None:
    """Return a row per line, or None when one of them is malformed."""
    if len(rows) == len(lines.values):
        joined = lines.joined
    else:
        joined = b"\n".join([lines.values[row] for row in rows.tolist()])
    try:
        frame = pl.read_ndjson(joined, schema=reading.schema(), ignore_errors=True)
    except pl.exceptions.ComputeError:
        return None
    return frame if len(frame) == len(rows) else None


def _proven(frame: pl.DataFrame, keys_max: Rows) -> Mask:
    """Tell which rows hold every key of their line (the module says why that proves them)."""
    nulls = sum(frame.null_count().row(0))
    if frame.width * len(frame) - nulls == keys_max.sum():
        return np.ones(len(frame), np.bool_)
    present = pl.sum_horizontal(pl.all().is_not_null().cast(pl.Int64))
    proven: Mask = frame.select(present).to_series().to_numpy() == keys_max
    return proven


def _typed(frame: pl.DataFrame, reading: Reading) -> pl.DataFrame:
    """Turn bytes into text, and text of times into ms."""
    texts = [name for name, kind in frame.schema.items() if kind == pl.Binary]
    frame = frame.with_columns(pl.col(texts).cast(pl.String))
    if "topics" in reading.fields:
        frame = frame.with_columns(pl.col("topics").cast(pl.List(pl.String)))
    if reading.time_is_text:
        frame = frame.with_columns(time=_rfc_3339_ms(pl.col("time")))
    return frame


def _rfc_3339_ms(text: pl.Expr) -> pl.Expr:
    """Return ms since the epoch, null where the slow path must look."""
    plain = pl.when(text.str.contains(_PLAIN_RFC_3339)).then(text)
    local = plain.str.head(19).str.to_datetime("%Y-%m-%dT%H:%M:%S", time_unit="ms", strict=False)
    fraction = plain.str.extract(r"\.([0-9]{1,3})").fill_null("0").str.pad_end(3, "0")
    hours = plain.str.extract(r"[+-]([0-9]{2}):[0-9]{2}$").cast(pl.Int64).fill_null(0)
    minutes = plain.str.extract(r"[+-][0-9]{2}:([0-9]{2})$").cast(pl.Int64).fill_null(0)
    offset_ms = hours * HOUR_MS + minutes * MINUTE_MS
    east = plain.str.contains(r"\+[0-9]{2}:[0-9]{2}$")
    utc_ms = local.cast(pl.Int64) + pl.when(east).then(-offset_ms).otherwise(offset_ms)
    return utc_ms + fraction.cast(pl.Int64)


def _valid(frame: pl.DataFrame, latest_ms: Rows, limits: DecodingLimits) -> Mask:
    """Tell which rows hold values that are certainly good."""
    conditions = [
        pl.col("time").is_between(limits.earliest_ms, pl.lit(pl.Series(latest_ms))),
        pl.col("platform").is_in(_good_platforms(frame["platform"])),
        pl.col("video_id") != "",
        pl.col("action").is_not_null(),
        ~pl.col("action").to_physical().is_in(_SLOW_ACTION_CODES),
    ]
    for name, kind in FIELDS.items():
        if name not in frame.columns or name in {"time", "action", "actor_role"}:
            continue
        column = pl.col(name)
        if kind in {FieldKind.NAME, FieldKind.TEXT}:
            conditions.append(~column.str.starts_with(_DEBUG_FORM).fill_null(False))
        if kind is FieldKind.NAME:
            conditions.append((column.str.len_bytes() <= NAME_CHARACTERS_MAX).fill_null(True))
        elif kind is FieldKind.COUNT:
            conditions.append(column.is_between(1, COUNT_MAX).fill_null(True))
        elif kind is FieldKind.WHOLE_NUMBER:
            conditions.append((column >= 0).fill_null(True))
        elif kind is FieldKind.SENTIMENT:
            conditions.append((column.abs() <= _SAFE_SENTIMENT).fill_null(True))
        elif kind is FieldKind.NAMES:
            length = pl.element().str.len_bytes()
            good = length.is_between(1, NAME_CHARACTERS_MAX).fill_null(False)
            good &= ~pl.element().str.starts_with(_DEBUG_FORM).fill_null(False)
            conditions.append(column.list.agg(good.all()).fill_null(True))
            conditions.append((column.list.len() <= NAMES_MAX).fill_null(True))
    valid: Mask = (
        frame.select(pl.all_horizontal(conditions).fill_null(False)).to_series().to_numpy()
    )
    return valid


def _good_platforms(platform: pl.Series) -> list[str]:
    return [text for text in platform.unique().to_list() if text and normal_platform(text)]


def _normalise(frame: pl.DataFrame) -> pl.DataFrame:
    """Return the columns of `ROW_SCHEMA`, but for `row`."""
    names = frame["platform"].unique().to_list()
    normal = {name: normal_platform(name) for name in names}
    platform = pl.col("platform")
    if any(name != good for name, good in normal.items()):
        platform = platform.replace_strict(normal, return_dtype=pl.String)
    present = set(frame.columns)

    def scoped(name: str) -> pl.Expr:
        if name not in present:
            return pl.lit(None, pl.String)
        given = pl.when(pl.col(name) != "").then(pl.col(name))
        return pl.concat_str(platform, given, separator=KEY_SEPARATOR)

    return frame.select(
        time_ms=pl.col("time"),
        video=pl.concat_str(platform, pl.col("video_id"), separator=KEY_SEPARATOR),
        action=pl.col("action").to_physical().cast(pl.UInt8),
        count=pl.col("count").fill_null(1) if "count" in present else pl.lit(1, pl.Int64),
        actor=scoped("actor_id"),
        role=pl.col("actor_role").to_physical().fill_null(0).cast(pl.UInt8)
        if "actor_role" in present
        else pl.lit(0, pl.UInt8),
        event=scoped("event_id"),
        source=pl.lit(None, pl.String),
        topics=pl.when(pl.col("topics").list.len() > 0).then(pl.col("topics"))
        if "topics" in present
        else pl.lit(None, pl.List(pl.String)),
        profile=pl.lit(None, pl.String),
    )
