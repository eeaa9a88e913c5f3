"""How many different people: HyperLogLog sketches, one small array of registers each.

References:
    [1] P. Flajolet, E. Fusy, O. Gandouet, F. Meunier, "HyperLogLog", 2007: registers, the
        estimator and its bias constant; figure 3: linear counting for small counts.
"""

import math
from typing import Final

import numpy as np
import numpy.typing as npt

from models.compiled import compiled

REGISTERS: Final = 64
"""A relative error of 1.04 / sqrt(64) = 13 % [1]: enough to tell forty accounts that act a
thousand times from a thousand people."""

FINE_REGISTERS: Final = 128
"""A relative error of 1.04 / sqrt(128) = 9 % [1]: for shares, where it counts both ways."""

_INDEX_BITS: Final = np.uint64(6)
_FINE_INDEX_BITS: Final = np.uint64(7)
_BITS: Final = np.uint64(64)
_HIGHEST_BIT: Final = np.uint64(1 << 63)
_ONE: Final = np.uint64(1)
_RANK_MAX: Final = 59
"""A rank is the position of the first one among the bits that are no index, or one beyond."""

_BIAS: Final = 0.709
"""alpha_64 of [1], figure 3."""

_FINE_BIAS: Final = 0.7213 / (1 + 1.079 / FINE_REGISTERS)
"""alpha_m of [1], figure 3, for m >= 128."""

_LINEAR_LIMIT: Final = 2.5
"""Linear counting serves up to 2.5 m [1], figure 3."""

_INVERSE_POWERS: Final = np.exp2(-np.arange(_RANK_MAX + 1, dtype=np.float64))


@compiled
def add(registers: npt.NDArray[np.uint8], value: np.uint64) -> None:
    """Add one hash to a sketch, in place; the order does not matter.

    Args:
        registers: uint8[REGISTERS] or uint8[FINE_REGISTERS].
        value: The hash.
    """
    index_bits = _INDEX_BITS if len(registers) == REGISTERS else _FINE_INDEX_BITS
    index = np.int64(value >> (_BITS - index_bits))
    rest = value << index_bits
    rank = 1
    while rank < _RANK_MAX and not rest & _HIGHEST_BIT:
        rest = rest << _ONE
        rank += 1
    registers[index] = max(registers[index], np.uint8(rank))


@compiled
def estimate(registers: npt.NDArray[np.uint8]) -> float:
    """Return the estimated number of different hashes in a sketch, 0 if none.

    Args:
        registers: uint8[REGISTERS] or uint8[FINE_REGISTERS].
    """
    count = len(registers)
    bias = _BIAS if count == REGISTERS else _FINE_BIAS
    inverse = 0.0
    empty = 0
    for register in registers:
        inverse += _INVERSE_POWERS[register]
        empty += register == 0
    raw = bias * count**2 / inverse
    if raw <= _LINEAR_LIMIT * count and empty > 0:
        return count * math.log(count / empty)
    return raw


@compiled
def merge(into: npt.NDArray[np.uint8], other: npt.NDArray[np.uint8]) -> None:
    """Merge a sketch into another of the same length, in place: that of all hashes of both."""
    for register in range(len(into)):
        into[register] = max(into[register], other[register])
