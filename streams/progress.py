"""How long work shows that it goes on: one look for all commands, on stderr.

On a terminal a bar moves; elsewhere (a log, a pipe) a plain line is written now and then, so that
neither is silent.
"""

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Final, Protocol

from rich.console import Console
from rich.progress import (
    BarColumn,
    Progress,
    SpinnerColumn,
    TaskProgressColumn,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)

PLAIN_INTERVAL_S: Final = 5.0
"""Seconds between two plain lines: often enough to see life, seldom enough to read a log."""


class Steps(Protocol):
    """What a piece of long work calls to say how far it has come."""

    def advance(self, done: int = 1) -> None:
        """Say that `done` more units are done."""

    def describe(self, text: str) -> None:
        """Change what is said to be going on."""


class _Bar:
    def __init__(self, progress: Progress, text: str, total: int | None) -> None:
        self._progress = progress
        self._task = progress.add_task(text, total=total)

    def advance(self, done: int = 1) -> None:
        self._progress.advance(self._task, done)

    def describe(self, text: str) -> None:
        self._progress.update(self._task, description=text)


class _Lines:
    """Plain lines, at most one per interval, and one at the end."""

    def __init__(
        self,
        console: Console,
        text: str,
        total: int | None,
        unit: str,
        clock: Callable[[], float],
    ) -> None:
        self._console = console
        self._text = text
        self._total = total
        self._unit = unit
        self._clock = clock
        self._done = 0
        self._shown_done = -1
        self._started = self._shown = clock()

    def advance(self, done: int = 1) -> None:
        self._done += done
        if self._clock() - self._shown >= PLAIN_INTERVAL_S:
            self.show()

    def describe(self, text: str) -> None:
        self._text = text

    def finish(self) -> None:
        if self._done != self._shown_done:
            self.show()

    def show(self) -> None:
        self._shown, self._shown_done = self._clock(), self._done
        whole = f" of {self._total:,}" if self._total else ""
        share = f" ({100 * self._done // self._total} %)" if self._total else ""
        seconds = self._shown - self._started
        line = f"{self._text}: {self._done:,}{whole}{f' {self._unit}'.rstrip()}{share}"
        self._console.print(f"{line}, {seconds:.0f} s", highlight=False, markup=False)


def error_console() -> Console:
    """Return a console on stderr: stdout stays free for results."""
    return Console(stderr=True, soft_wrap=not sys.stderr.isatty())


@contextmanager
def progress(
    text: str,
    total: int | None = None,
    *,
    unit: str = "",
    console: Console | None = None,
    clock: Callable[[], float] = time.monotonic,
) -> Iterator[Steps]:
    """Show the progress of a piece of work of `total` units (None: nobody knows).

    `clock` returns seconds; it paces the plain lines only.
    """
    where = console or error_console()
    if not where.is_terminal:
        lines = _Lines(where, text, total, unit, clock)
        yield lines
        lines.finish()
        return
    columns = (
        SpinnerColumn(),
        TextColumn("{task.description}", markup=False),
        *((BarColumn(), TaskProgressColumn(), TimeRemainingColumn()) if total else ()),
        TextColumn(f"{{task.completed:,.0f}} {unit}"),
        TimeElapsedColumn(),
    )
    with Progress(*columns, console=where, transient=False) as bars:
        yield _Bar(bars, text, total)


def say(text: str, console: Console | None = None) -> None:
    """Write one plain line about what goes on, such as the steps of starting a server."""
    (console or error_console()).print(text, highlight=False, markup=False)
