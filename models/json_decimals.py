"""Numbers of JSON as float32, the same to the last bit as Python's `float` rounded to float32."""

from typing import Final

import numpy as np
import numpy.typing as npt

from models.compiled import compiled
from models.json_syntax import DIGIT_0, DIGIT_9, DOT, MINUS
from models.words import Bytes

_DIGITS_MAX: Final = 18
"""So many digits fit into 64 bits; those behind them change a number by less than 1e-17 of it."""

_EXPONENT_MAX: Final = 22
"""10^22 is the greatest power of ten that float64 holds exactly (W. D. Clinger, "How to read
floating point numbers accurately", PLDI 1990)."""

_POWERS: Final = np.array([10.0**power for power in range(_EXPONENT_MAX + 1)])

_SLACK: Final = 1e-15
"""Relative; more than the error of what is computed here, which is two roundings to float64
(1.1e-16 each) and the digits left out, and that of the nearest float64, together."""


@compiled
def _decimals(
    data: Bytes,
    begin: npt.NDArray[np.int64],
    length: npt.NDArray[np.int32],
    values: npt.NDArray[np.float32],
    certain: npt.NDArray[np.bool_],
) -> None:
    """Fill `values` where that is `certain`: where all numbers that are near have one float32."""
    for row in range(len(begin)):
        at = begin[row]
        end = at + length[row]
        negative = data[at] == MINUS
        at += 1 if negative else 0
        number = digits = 0
        exponent = 0
        fraction = False
        while at < end and (data[at] == DOT or DIGIT_0 <= data[at] <= DIGIT_9):
            if data[at] == DOT:
                fraction = True
            elif digits < _DIGITS_MAX:
                number = 10 * number + (int(np.int64(data[at])) - DIGIT_0)
                digits += 1 if number > 0 else 0
                exponent -= 1 if fraction else 0
            else:
                exponent += 0 if fraction else 1
            at += 1
        certain[row] = at == end and -_EXPONENT_MAX <= exponent <= 0
        values[row] = 0
        if certain[row]:
            near = number / _POWERS[-exponent]
            values[row] = near
            low, high = np.float32(near * (1 - _SLACK)), np.float32(near * (1 + _SLACK))
            certain[row] = low == high
            if negative and number > 0:
                values[row] = -values[row]


def decimals(
    data: Bytes, begin: npt.NDArray[np.int64], length: npt.NDArray[np.int32]
) -> npt.NDArray[np.float32]:
    """Return float32[n] of numbers of JSON; 0 for -0.

    Args:
        data: Where they lie.
        begin: int64[n], where each begins.
        length: int32[n], its bytes, 1 or more.
    """
    values = np.empty(len(begin), np.float32)
    certain = np.empty(len(begin), np.bool_)
    _decimals(data, begin, length, values, certain)
    for row in np.flatnonzero(~certain).tolist():
        text = data[begin[row] : begin[row] + length[row]].tobytes()
        values[row] = float(text)
    return values + np.float32(0)
