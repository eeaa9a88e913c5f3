"""How many different people: HyperLogLog sketches kept as columns, one small array per row.

References:
    [1] P. Flajolet, E. Fusy, O. Gandouet, F. Meunier, "HyperLogLog", 2007: registers, the
        estimator and its bias constant; figure 3: linear counting for small counts.
"""

from typing import Final

import numpy as np
import numpy.typing as npt

REGISTERS: Final = 64
"""A relative error of 1.04 / sqrt(64) = 13 % [1]: enough to tell forty accounts that act a
thousand times from a thousand people."""

_INDEX_BITS: Final = 6
_BIAS: Final = 0.709
"""alpha_64 of [1], figure 3."""

_LINEAR_LIMIT: Final = 2.5
"""Linear counting serves up to 2.5 m [1], figure 3."""


def ranks(hashes: npt.NDArray[np.uint64]) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.uint8]]:
    """Return the register and the rank (leading zeros + 1 of the remaining bits) of each hash."""
    index = (hashes >> np.uint64(64 - _INDEX_BITS)).astype(np.int64)
    rest = hashes << np.uint64(_INDEX_BITS) | np.uint64(1 << (_INDEX_BITS - 1))
    # The exponent of the nearest float below gives the position of the leading bit; the lowest bits
    # are cut first, so that rounding up cannot cross a power of two.
    _, exponent = np.frexp((rest & ~np.uint64(0x7FF)).astype(np.float64))
    exponent = np.where(rest >> np.uint64(11) == 0, 11, exponent)
    return index, (64 - exponent + 1).astype(np.uint8)


def add(
    sketches: npt.NDArray[np.uint8], row: npt.NDArray[np.int64], hashes: npt.NDArray[np.uint64]
) -> None:
    """Add hashes to the sketches of their rows, in place; the order does not matter.

    Args:
        sketches: uint8[rows, REGISTERS].
        row: int64[n], the sketch of each hash.
        hashes: uint64[n].
    """
    index, rank = ranks(hashes)
    np.maximum.at(sketches, (row, index), rank)


def estimate(sketches: npt.NDArray[np.uint8]) -> npt.NDArray[np.float64]:
    """Return the estimated number of different hashes in each sketch.

    Args:
        sketches: uint8[n, REGISTERS].

    Returns:
        float[n]; 0 for an empty sketch.
    """
    inverse = np.exp2(-sketches.astype(np.float64)).sum(axis=1)
    raw = _BIAS * REGISTERS**2 / inverse
    empty = (sketches == 0).sum(axis=1)
    with np.errstate(divide="ignore"):
        linear = REGISTERS * np.log(REGISTERS / np.maximum(empty, 1e-300))
    return np.asarray(np.where((raw <= _LINEAR_LIMIT * REGISTERS) & (empty > 0), linear, raw))
