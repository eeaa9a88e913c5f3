"""Loops over bytes and rows that numpy cannot express, compiled to machine code by numba.

Compiled once per machine: numba keeps the code beside the source, or in the user's cache directory
where that cannot be written. Functions give up the interpreter's lock while they run.
"""

from collections.abc import Callable, Iterator
from hashlib import sha256
from types import FunctionType, ModuleType
from typing import Any, Final, ParamSpec, TypeVar, cast

import numba
import numpy as np

Parameters = ParamSpec("Parameters")
Result = TypeVar("Result")

_FROZEN: Final = (bool, int, float, str, tuple, np.generic)
"""Globals of these types, and arrays, become part of the machine code; a compiled function reads no
others."""

COMPILED: Final[list[Any]] = []
"""Every function made by `compiled`: numba's dispatchers, or plain functions without it."""


def compiled(function: Callable[Parameters, Result]) -> Callable[Parameters, Result]:
    """Compile a function of numpy arrays and numbers at its first call.

    Integer overflow wraps and indices are not checked, as in C: callers hand in arrays of the right
    lengths, and tests run the same functions uncompiled (NUMBA_DISABLE_JIT=1) with every check on.
    """
    try:
        made = numba.njit(cache=True, nogil=True)(function)
        _keep_only_while_unchanged(made)
    except RuntimeError:  # no directory in which the code could be kept: compile at every start
        made = numba.njit(nogil=True)(function)
    COMPILED.append(made)
    return cast("Callable[Parameters, Result]", made)


def inlined(function: Callable[Parameters, Result]) -> Callable[Parameters, Result]:
    """Compile a function into each compiled function that calls it.

    It must not make an array. numba counts references to each array that is handed on, with locked
    instructions that cost eight times as much as the work of a small function (140 against 1,060 ns
    for a message of models/event_scanning.py), so that is off here; who calls holds the arrays.
    """
    made = numba.njit(nogil=True, forceinline=True, _nrt=False)(function)
    return cast("Callable[Parameters, Result]", made)


def _keep_only_while_unchanged(made: Any) -> None:  # noqa: ANN401 - numba ships no types
    """Let kept code be used only while all that it was made of is the same.

    numba itself looks at the file of the function alone: after a change to a function or constant
    of another file, it would go on running the old one.
    """
    if isinstance(made, FunctionType):  # NUMBA_DISABLE_JIT=1
        return
    # Private to numba, whose version is pinned; tests/models/test_compiled.py fails if this is
    # no longer what decides.
    index = made._cache._cache_file  # noqa: SLF001 - as said above
    index._source_stamp = _Stamp(index._source_stamp, made.py_func)  # noqa: SLF001 - as said above


class _Stamp:
    """What kept code was made of, told when it is looked for and not when the function is defined.

    Until then what a function calls may not be there yet: its file is read from top to bottom, and
    helpers stand below.
    """

    def __init__(self, file: object, function: FunctionType) -> None:
        self._file = file
        self._function = function

    def __eq__(self, other: object) -> bool:
        return bool(other == self._told())

    def __hash__(self) -> int:
        return hash(self._told())

    def __reduce__(self) -> tuple[type[tuple[object, ...]], tuple[tuple[object, str]]]:
        return tuple, (self._told(),)

    def _told(self) -> tuple[object, str]:
        return self._file, digest_of(self._function)


def digest_of(function: Callable[..., object]) -> str:
    """Return a digest of a function and of all that becomes part of its machine code."""
    digest = sha256()
    seen: set[str] = set()
    waiting = [function]
    while waiting:
        known = cast("FunctionType", getattr(waiting[-1], "py_func", waiting[-1]))
        waiting.pop()
        code = known.__code__
        digest.update(repr((known.__qualname__, code.co_consts, code.co_names)).encode())
        digest.update(code.co_code)
        for name, found in _globals_of(known):
            if isinstance(found, np.ndarray):
                digest.update(repr((name, found.dtype, found.shape)).encode() + found.tobytes())
            elif isinstance(found, _FROZEN):
                digest.update(repr((name, found)).encode())
            elif hasattr(found, "py_func") and f"{found.__module__}.{name}" not in seen:
                seen.add(f"{found.__module__}.{name}")
                waiting.append(found)
    return digest.hexdigest()


def _globals_of(function: FunctionType) -> Iterator[tuple[str, Any]]:
    """Yield what a function reads: by its own name, or as an attribute of a module."""
    names = function.__code__.co_names
    for name in names:
        found = function.__globals__.get(name)
        yield name, found
        if isinstance(found, ModuleType):
            # Which of the names stand behind the module's, the names alone do not say.
            yield from ((other, vars(found)[other]) for other in names if other in vars(found))
