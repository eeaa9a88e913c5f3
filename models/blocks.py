"""Columns as rows of the changelog: blocks of records, each written when one of its own changed.

A record for every row would cost more than the work on it: 6.5 us to write one to Kafka,
acknowledged (153,000 rows of 300 bytes a second, design section 4), against about 1 us to bring it
forward.
"""

from collections.abc import Iterator
from typing import Final

import numpy as np
import numpy.typing as npt

BLOCK_SHIFT: Final = 10
BLOCK_ROWS: Final = 1 << BLOCK_SHIFT
"""Rows of a block: 200 kB of works, 20 kB of videos. Fewer would make more messages, more would
write more that has not changed."""


class DirtyBlocks:
    """Which blocks of an array have changed.

    Attributes:
        flags: bool[blocks]; compiled loops set them.
    """

    def __init__(self, rows: int) -> None:
        self.flags = np.zeros(0, np.bool_)
        self.reserve(rows)

    def reserve(self, rows: int) -> None:
        """Make room for an array of so many rows."""
        blocks = -(-rows // BLOCK_ROWS)
        self.flags = np.concatenate([self.flags, np.zeros(blocks - len(self.flags), np.bool_)])

    def take(self, rows: npt.NDArray[np.void]) -> Iterator[tuple[int, bytes]]:
        """Yield number and bytes of every block that changed since the last call."""
        for number in np.flatnonzero(self.flags).tolist():
            part = rows[number << BLOCK_SHIFT : (number + 1) << BLOCK_SHIFT]
            if len(part):
                yield number, part.tobytes()
        self.clear()

    def clear(self) -> None:
        """Forget that anything changed."""
        self.flags[:] = False
