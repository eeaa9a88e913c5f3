"""How a worker ends when it must not go on: at once, with one line, and from the log anew.

Crash-only (design, section 5): after a failed send, a failed transaction or a broken check, nothing
that is still in memory may reach Kafka, so no handler, no finaliser and no service gets to run.
"""

import os
import threading
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final, NoReturn

EXIT_CRASH: Final = 1
"""The exit code of a worker that ended itself; whoever supervises it starts it again."""
EXIT_STOPPED: Final = 0
"""The exit code of a worker that was told to stop."""
EXIT_UNUSABLE: Final = 2
"""The exit code when a person has to mend something first."""

_REASON_CHARACTERS_MAX: Final = 1_000
"""Keeps the line readable: errors of Kafka may quote whole requests."""


def end_worker(reason: str, code: int = EXIT_CRASH) -> NoReturn:
    """Write one line to stderr and end the process without any clean-up."""
    line = " ".join(reason.split())[:_REASON_CHARACTERS_MAX]
    # Not through logging: Faust may have redirected or muted it, and its handlers may be blocked.
    os.write(2, f"hotspots: worker ends: {line}\n".encode())
    os._exit(code)


def end_when_late(seconds: float) -> threading.Timer:
    """End the process `seconds` from now, in whatever state its event loops are by then.

    For a stop that was asked for: what is not committed is processed again, as after a crash.
    """

    def end() -> None:
        end_worker(
            f"told to stop, it did not do so in order within {seconds:g} s; what was not committed "
            "is processed again",
            EXIT_STOPPED,
        )

    timer = threading.Timer(seconds, end)
    timer.daemon = True
    timer.start()
    return timer


def reason_of(error: BaseException) -> str:
    """Say an error in one line, with its kind, for many errors of Kafka have no text.

    >>> reason_of(KeyError("a"))
    "KeyError: 'a'"
    >>> reason_of(TimeoutError())
    'TimeoutError'
    """
    text = str(error)
    return f"{type(error).__name__}: {text}" if text else type(error).__name__


def _place_of(error: BaseException) -> str:
    """Say where an error arose: the one line must do without a traceback."""
    frames = traceback.extract_tb(error.__traceback__)
    return f" ({Path(frames[-1].filename).name}:{frames[-1].lineno})" if frames else ""


@contextmanager
def ending_worker(doing: str) -> Iterator[None]:
    """End the worker when the block raises: Faust would log the error, or swallow it, and go on."""
    try:
        yield
    except Exception as error:  # noqa: BLE001 - whatever it was, going on could lose or double events
        end_worker(f"{doing} failed: {reason_of(error)}{_place_of(error)}")
