"""Loops over bytes and rows that numpy cannot express, compiled to machine code by numba.

Compiled once per machine: numba keeps the code beside the source, or in the user's cache directory
where that cannot be written. Functions give up the interpreter's lock while they run.
"""

from collections.abc import Callable
from typing import ParamSpec, TypeVar, cast

import numba

Parameters = ParamSpec("Parameters")
Result = TypeVar("Result")


def compiled(function: Callable[Parameters, Result]) -> Callable[Parameters, Result]:
    """Compile a function of numpy arrays and numbers at its first call.

    Integer overflow wraps and indices are not checked, as in C: callers hand in arrays of the right
    lengths, and tests run the same functions uncompiled (NUMBA_DISABLE_JIT=1) with every check on.
    """
    try:
        made = numba.njit(cache=True, nogil=True)(function)
    except RuntimeError:  # no directory in which the code could be kept: compile at every start
        made = numba.njit(nogil=True)(function)
    return cast("Callable[Parameters, Result]", made)
