"""Rows as they were at a cut, packed only when they are read: a cut by itself takes no memory.

A commit reads them slice by slice while they are sent. Whoever is about to change rows sets aside
first what is still to be read.
"""

from collections.abc import Callable, Iterator

import numpy as np
import numpy.typing as npt

Packed = tuple[str, bytes | None]
"""Key of a video, and its packed row; None where the video was removed."""

PACKED_AT_ONCE = 4_096
"""Rows whose bytes are copied together: 2.7 MB."""


class DirtyRows:
    """Iterate once over changed rows, then over keys that were removed; `len` counts them all."""

    def __init__(
        self,
        slots: npt.NDArray[np.int64],
        pack: Callable[[npt.NDArray[np.int64]], Iterator[Packed]],
        removed: list[str],
    ) -> None:
        """Take int64[n] slots and what packs some of them as they are at that moment."""
        self._count = len(slots) + len(removed)
        self._slots = slots
        self._pack = pack
        self._next = 0
        self._aside: list[Packed] = []
        self._removed = removed

    def __len__(self) -> int:
        """Return how many there were at the cut."""
        return self._count

    def __iter__(self) -> Iterator[Packed]:
        """Yield each row once, however often it is asked for."""
        while part := self._part():
            yield from part

    def set_aside(self) -> None:
        """Pack what was not read yet: the rows are about to change."""
        if self._next < len(self._slots):
            self._aside = list(self._pack(self._slots[self._next :]))
            self._next = len(self._slots)

    def _part(self) -> list[Packed]:
        while self._next < len(self._slots):
            first, self._next = self._next, min(self._next + PACKED_AT_ONCE, len(self._slots))
            if part := list(self._pack(self._slots[first : self._next])):
                return part
        part, self._aside, self._removed = self._aside + self._removed_rows(), [], []
        return part

    def _removed_rows(self) -> list[Packed]:
        return [(key, None) for key in self._removed]
