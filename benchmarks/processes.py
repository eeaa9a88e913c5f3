"""A program under measurement: what it says of itself, and what it cost.

A peer is told to say `first SECONDS` when it holds its first event and `done SECONDS` when its last
commit is acknowledged (seconds since the epoch). It then waits for a line on its standard input,
so that CPU and memory are read at that moment; after the line it writes its counts and ends.
"""

import contextlib
import os
import subprocess
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Self

POLL_S: Final = 0.02
COUNTS_TIMEOUT_S: Final = 90.0
"""How long an engine may take to write its counts and end; none of it is measured."""
TERMINATE_TIMEOUT_S: Final = 15.0
"""A worker of ours ends within 10 s of SIGTERM."""
TAIL_CHARACTERS: Final = 1_500
_TICKS_PER_S: Final = os.sysconf("SC_CLK_TCK")


class EngineError(RuntimeError):
    """An engine failed, or did not finish in its time."""


@dataclass(frozen=True, slots=True)
class Cost:
    """CPU of a tree of processes from its start on, in seconds, and its peak memory in bytes."""

    cpu_s: float
    memory_bytes: int


def cost_of(root: int) -> Cost:
    """Return what a process and its descendants have cost until now, ended children included."""
    cpu_ticks, memory_bytes = 0, 0
    for pid in _tree(root):
        # Whoever ends between two lines here has left its CPU with its parent.
        with contextlib.suppress(FileNotFoundError, ProcessLookupError):
            fields = Path(f"/proc/{pid}/stat").read_text("ascii").rpartition(")")[2].split()
            cpu_ticks += sum(int(field) for field in fields[11:15])
            status = Path(f"/proc/{pid}/status").read_text("utf-8")
            memory_bytes += _kibibytes(status, "VmHWM") * 1024
    return Cost(cpu_ticks / _TICKS_PER_S, memory_bytes)


def resident_bytes(root: int) -> int:
    """Return the memory that a tree of processes has at this moment."""
    total = 0
    for pid in _tree(root):
        with contextlib.suppress(FileNotFoundError, ProcessLookupError):
            total += _kibibytes(Path(f"/proc/{pid}/status").read_text("utf-8"), "VmRSS") * 1024
    return total


def _kibibytes(status: str, name: str) -> int:
    for line in status.splitlines():
        if line.startswith(name):
            return int(line.split()[1])
    return 0  # a zombie has no memory any more


def _tree(root: int) -> list[int]:
    children: dict[int, list[int]] = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            with contextlib.suppress(FileNotFoundError, ProcessLookupError):
                stat = (entry / "stat").read_text("ascii", errors="replace")
                parent = int(stat.rpartition(")")[2].split()[1])
                children.setdefault(parent, []).append(int(entry.name))
    tree, waiting = [], [root]
    while waiting:
        pid = waiting.pop()
        tree.append(pid)
        waiting += children.get(pid, [])
    return tree


class MeasuredProcess:
    """A child process; use it as a context manager, which ends it whatever happens."""

    def __init__(
        self,
        command: Sequence[str],
        *,
        environment: Mapping[str, str],
        directory: Path,
        name: str,
    ) -> None:
        """Start it; its standard error goes to `NAME.log` in `directory`, where it also runs."""
        self.name = name
        self.log_path = directory / f"{name}.log"
        self.told: dict[str, float] = {}
        with self.log_path.open("ab") as log:
            self.started_s = time.time()
            self._child = subprocess.Popen(
                list(command),
                env={**os.environ, **environment},
                cwd=directory,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
            )
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()
        self._reader.join(1.0)
        for pipe in (self._child.stdin, self._child.stdout):
            if pipe is not None:
                with contextlib.suppress(BrokenPipeError):
                    pipe.close()

    @property
    def pid(self) -> int:
        """Its process id."""
        return self._child.pid

    def _read(self) -> None:
        if self._child.stdout is None:
            raise ValueError("the child was started with a pipe")
        with self.log_path.open("ab") as log:
            for line in self._child.stdout:
                words = line.decode(errors="replace").split()
                if len(words) == 2 and words[0] in ("first", "done"):
                    self.told.setdefault(words[0], float(words[1]))
                else:
                    log.write(line)
                    log.flush()

    def require_alive(self) -> None:
        """Raise what it said last if it has ended.

        Raises:
            EngineError: It has ended.
        """
        if self._child.poll() is not None:
            self._reader.join(1.0)
            raise EngineError(f"{self.name} ended with {self._child.returncode}: {self.tail()}")

    def tail(self) -> str:
        """Return the end of its log."""
        return self.log_path.read_text("utf-8", errors="replace")[-TAIL_CHARACTERS:].strip()

    def wait_until_done(self, timeout_s: float) -> Cost:
        """Wait for `done`, and return what it has cost by then.

        Raises:
            EngineError: It ended before, or did not say so in time.
        """
        deadline = time.monotonic() + timeout_s
        while "done" not in self.told:
            self.require_alive()
            if time.monotonic() > deadline:
                raise EngineError(f"{self.name} did not finish within {timeout_s:.0f} s")
            time.sleep(POLL_S)
        return cost_of(self.pid)

    def ask_for_counts(self) -> None:
        """Let it write its counts and end.

        Raises:
            EngineError: It failed at that.
        """
        try:
            self._release()
            self._child.wait(COUNTS_TIMEOUT_S)
        except subprocess.TimeoutExpired:
            raise EngineError(f"{self.name} wrote no counts: {self.tail()}") from None
        if self._child.returncode:
            raise EngineError(f"{self.name} ended with {self._child.returncode}: {self.tail()}")

    def _release(self) -> None:
        """End its standard input, which is an end of a line, too."""
        if self._child.stdin is None:
            raise ValueError("the child was started with a pipe")
        with contextlib.suppress(BrokenPipeError):  # it ended before, which its exit code tells
            self._child.stdin.write(b"\n")
            self._child.stdin.close()

    def stop(self) -> int:
        """End it with SIGTERM, or SIGKILL when that is of no use; return its exit code."""
        if self._child.poll() is None:
            self._child.terminate()
            try:
                self._child.wait(TERMINATE_TIMEOUT_S)
            except subprocess.TimeoutExpired:
                self._child.kill()
                self._child.wait()
        return self._child.returncode
