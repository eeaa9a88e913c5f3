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

_INDEX_SHIFT: Final = np.uint64(58)
_INDEX_BITS: Final = np.uint64(6)
_HIGHEST_BIT: Final = np.uint64(1 << 63)
_ONE: Final = np.uint64(1)
_RANK_MAX: Final = 59
"""A rank is the position of the first one among the 58 bits that are no index, or one beyond."""

_BIAS: Final = 0.709
"""alpha_64 of [1], figure 3."""

_LINEAR_LIMIT: Final = 2.5
"""Linear counting serves up to 2.5 m [1], figure 3."""

_INVERSE_POWERS: Final = np.exp2(-np.arange(_RANK_MAX + 1, dtype=np.float64))


@compiled
def add(registers: npt.NDArray[np.uint8], value: np.uint64) -> None:
    """Add one hash to a sketch (uint8[REGISTERS]), in place; the order does not matter."""
    index = np.int64(value >> _INDEX_SHIFT)
    rest = value << _INDEX_BITS
    rank = 1
    while rank < _RANK_MAX and not rest & _HIGHEST_BIT:
        rest = rest << _ONE
        rank += 1
    registers[index] = max(registers[index], np.uint8(rank))


@compiled
def estimate(registers: npt.NDArray[np.uint8]) -> float:
    """Return the estimated number of different hashes in a sketch (uint8[REGISTERS]), 0 if none."""
    inverse = 0.0
    empty = 0
    for register in registers:
        inverse += _INVERSE_POWERS[register]
        empty += register == 0
    raw = _BIAS * REGISTERS**2 / inverse
    if raw <= _LINEAR_LIMIT * REGISTERS and empty > 0:
        return REGISTERS * math.log(REGISTERS / empty)
    return raw
