"""Arrays of records, moved as bytes.

numpy assigns and joins records field by field: 100,000 of 496 bytes in 15.3 ms, their bytes in 3.7
(measured); and it picks them with an index in 8.7 ms, with `take` in 2.1. So positions are taken
with numpy's own `take`, and what is assigned or joined goes through here.
"""

from collections.abc import Sequence
from typing import Any, Final

import numpy as np
import numpy.typing as npt

_GROWTH: Final = 1.25
"""A large array grows by a quarter: what is copied stays small against what is there."""

_DOUBLES_BELOW: Final = 65_536
"""Below so many, arrays double: what room they leave is small."""

_MOVED_BYTES: Final = 32 * 1024 * 1024
"""An array of so many bytes has pages of its own, whatever glibc has learned of the sizes in use
(`M_MMAP_THRESHOLD` is never more than that, mallopt(3)), so `realloc` moves it without a copy."""

_GROWS_BY: Final = 16
"""The part of itself by which an array grows in place."""


def assign(into: npt.NDArray[Any], records: npt.NDArray[Any]) -> None:
    """Copy records over others; both are contiguous and of one length and dtype.

    Raises:
        ValueError: They are not.
    """
    if into.dtype != records.dtype:
        raise ValueError(f"{records.dtype} are not {into.dtype}")
    into.view(np.uint8)[:] = records.view(np.uint8)


def joined(parts: Sequence[npt.NDArray[Any]]) -> npt.NDArray[Any]:
    """Return records of one dtype one after the other: the very array when there is only one.

    Raises:
        ValueError: There are none, or they are not contiguous, or not of one dtype.
    """
    if len(parts) == 1:
        return parts[0]
    if not parts:
        raise ValueError("no arrays to join")
    made = np.empty(sum(map(len, parts)), parts[0].dtype)
    at = 0
    for part in parts:
        assign(made[at : at + len(part)], part)
        at += len(part)
    return made


def grown(array: npt.NDArray[Any], length: int, fill: Any = None) -> npt.NDArray[Any]:  # noqa: ANN401 - any scalar
    """Return an array of at least `length` that begins with this one, with room to spare.

    Room that is not filled takes no memory until it is written.
    """
    if length <= len(array):
        return array
    by = 2.0 if len(array) < _DOUBLES_BELOW else _GROWTH
    made = np.empty(max(length, int(len(array) * by)), array.dtype)
    assign(made[: len(array)], array)
    if fill is not None:
        made[len(array) :] = fill
    return made


def resize(owner: object, name: str, length: int) -> None:
    """Give an array that is an attribute another length, in place where that can be.

    A copy beside it would stand there at the peak; the C library moves the pages of a large array
    instead. What is new is zero. Only the attribute may hold the array: it is passed by its name,
    for an argument would hold it, too.
    """
    try:
        getattr(owner, name).resize(length)
    except ValueError:
        # Somebody else looks at it (a profiler, a debugger): theirs stays as it is.
        array: npt.NDArray[Any] = getattr(owner, name)
        made = np.zeros(length, array.dtype)
        kept = min(length, len(array))
        assign(made[:kept], array[:kept])
        setattr(owner, name, made)


def grow(owner: object, name: str, length: int) -> None:
    """See to it that an array that is an attribute has at least `length` records, as `grown` does.

    From _MOVED_BYTES on it grows in place, and by less: that costs no copy.
    """
    array: npt.NDArray[Any] = getattr(owner, name)
    have, is_small = len(array), array.nbytes < _MOVED_BYTES
    if length <= have:
        return
    if is_small:
        setattr(owner, name, grown(array, length))
        return
    del array
    resize(owner, name, max(length, have + have // _GROWS_BY))
