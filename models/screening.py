"""JSON messages as one run of bytes: which may be read together, and how many keys each can hold.

Nothing here parses. `sound` is a guess that saves time (a malformed line fails a whole read), but
for three properties that models/fast_decoding.py rests on: a sound line holds no newline, no half
of a surrogate pair, and nests no deeper than is allowed. `keys_max` is a bound that always holds.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from models.events import NESTING_MAX
from models.validation import may_nest_too_deeply

Mask = npt.NDArray[np.bool_]
Bytes = npt.NDArray[np.uint8]
Positions = npt.NDArray[np.int64]

_QUOTE: Final = ord('"')
_COLON: Final = ord(":")
_COMMA: Final = ord(",")
_OPEN: Final = ord("{")
_CLOSE: Final = ord("}")
_SPACE: Final = ord(" ")
_MINUS: Final = ord("-")

_SURROGATE: Final = re.compile(rb"\\u[dD][89a-fA-F]")
_SURROGATE_PAIR: Final = re.compile(
    rb"\\u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}",
)


def _table(allowed: bytes) -> Mask:
    table = np.zeros(256, np.bool_)
    table[list(allowed)] = True
    return table


_STARTS_VALUE: Final = _table(b'"-0123456789tfn[{ ')
_STARTS_NUMBER: Final = _table(b"0123456789")


@dataclass(frozen=True, slots=True)
class Lines:
    """Messages joined by newlines.

    Attributes:
        values: The messages.
        joined: All of them, a newline between each two.
        sound: bool[n], whether a message may be read together with others.
        keys_max: int64[n], no fewer than the keys at all levels of a message, if it is JSON.
    """

    values: Sequence[bytes]
    joined: bytes
    sound: Mask
    keys_max: npt.NDArray[np.int64]


def screen(values: Sequence[bytes], *, message_bytes_max: int) -> Lines:
    """Join messages and tell which of them may be read together."""
    joined = b"\n".join(values)
    count = len(values)
    if not joined:
        return Lines(values, joined, np.zeros(count, np.bool_), np.zeros(count, np.int64))
    data = np.frombuffer(joined, np.uint8)
    lengths = np.fromiter(map(len, values), np.int64, count)
    ends = np.cumsum(lengths) + np.arange(count)
    starts = ends - lengths
    colons = _key_colons(data)
    keys_max = np.diff(np.searchsorted(colons, ends), prepend=0)
    sound = (lengths >= 2) & (lengths <= message_bytes_max)
    sound &= _framed(data, starts, ends)
    for positions in (_strange_values(data, colons), _control_bytes(data, ends)):
        sound[np.searchsorted(ends, positions, side="right")] = False
    _drop_unencodable(sound, values, joined)
    _drop_half_pairs(sound, values, joined, ends)
    for line in np.flatnonzero(sound & (lengths > 2 * NESTING_MAX)).tolist():
        sound[line] = not may_nest_too_deeply(values[line])
    return Lines(values, joined, sound, keys_max)


def _key_colons(data: Bytes) -> Positions:
    """Return the colons that follow a quote or white space: those of all keys, and perhaps more."""
    colons = np.flatnonzero(data == _COLON)
    before = data[colons - 1]
    key_colons: Positions = colons[(before == _QUOTE) | (before <= _SPACE)]
    return key_colons


def _framed(data: Bytes, starts: Positions, ends: Positions) -> Mask:
    """Tell which lines begin and end as an object does."""
    last = len(data) - 1
    second = data[np.minimum(starts + 1, last)]
    framed: Mask = data[np.minimum(starts, last)] == _OPEN
    framed &= data[np.maximum(ends - 1, 0)] == _CLOSE
    framed &= (second == _QUOTE) | (second == _SPACE) | (second == _CLOSE)
    framed &= data[np.maximum(ends - 2, 0)] != _COMMA
    return framed


def _strange_values(data: Bytes, colons: Positions) -> Positions:
    """Return the colons after which no JSON value starts, such as that before `NaN`."""
    last = len(data) - 1
    at = np.minimum(colons + 1, last)
    first = data[at]
    spaced = first == _SPACE
    if spaced.any():
        at = np.minimum(at + spaced, last)
        first = data[at]
    strange = ~_STARTS_VALUE[first]
    negative = np.flatnonzero(first == _MINUS)
    strange[negative] = ~_STARTS_NUMBER[data[np.minimum(at[negative] + 1, last)]]
    return colons[strange]


def _control_bytes(data: Bytes, ends: Positions) -> Positions:
    """Return the control bytes, newlines included, that are not ours between two lines."""
    control = data < _SPACE
    if np.count_nonzero(control) == len(ends) - 1:
        return np.empty(0, np.int64)
    control[ends[:-1]] = False
    return np.flatnonzero(control)


def _drop_unencodable(sound: Mask, values: Sequence[bytes], joined: bytes) -> None:
    if joined.isascii():
        return
    try:
        joined.decode()
    except UnicodeDecodeError:
        for line in np.flatnonzero(sound).tolist():
            try:
                values[line].decode()
            except UnicodeDecodeError:
                sound[line] = False


def _drop_half_pairs(sound: Mask, values: Sequence[bytes], joined: bytes, ends: Positions) -> None:
    r"""Drop lines with an escaped surrogate that is not surely one half of a pair.

    Behind an escaped backslash, `\\ud83d\ude00` is text and half a pair: such lines are not sure.
    """
    if b"\\" not in joined or b"\\u" not in joined:  # looking for one byte is ten times as fast
        return
    found = [match.start() for match in _SURROGATE.finditer(joined)]
    for line in np.unique(np.searchsorted(ends, found, side="right")).tolist():
        value = values[line]
        if b"\\\\" in value or _SURROGATE.search(_SURROGATE_PAIR.sub(b"", value)):
            sound[line] = False
