"""A small parent for one server process, which ends the server when the program has ended.

The program starts this file as a script and holds the other end of its standard input. However
the program ends, even by SIGKILL, the kernel closes that end, the guard reads the end of the file
and ends the server: SIGTERM first, SIGKILL after a grace. This works on every Unix and does not
depend on which thread of the program started the server. (`PR_SET_PDEATHSIG` in the program itself
would: the signal comes when the *thread* that forked has ended [1], so a server started from a
worker thread would die with that thread.)

The guard has one thread, so here that signal means what it says: on Linux the server asks the
kernel for SIGKILL in case the guard itself is killed.

Only the standard library, and no import of this project: the file is run with `-I -S`, by path, so
that it is up in some 20 ms and works whatever the program's own path is.

References:
    [1] prctl(2), PR_SET_PDEATHSIG: "the parent in this case is considered to be the thread that
        created this process".
"""

import argparse
import ctypes
import os
import select
import shutil
import signal
import subprocess
import sys
import time
from types import FrameType

PR_SET_PDEATHSIG = 1
"""include/uapi/linux/prctl.h."""

PARENT_CHECK_SECONDS = 1.0
"""How often the guard looks whether it was orphaned although its input is still open, which happens
when the program had forked and the fork, which holds the other end, outlives it."""

SIGNAL_EXIT_BASE = 128
"""A shell's convention: a process ended by signal n is told as 128 + n."""


def _die_with_guard(guard_pid: int) -> None:
    """Run in the server's process before it becomes the server (Linux only)."""
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    if os.getppid() != guard_pid:
        # The guard ended between the fork and the line above: the signal will not come any more.
        os._exit(1)


def _start(command: list[str]) -> subprocess.Popen[bytes]:
    guard_pid = os.getpid()
    ask_kernel = (lambda: _die_with_guard(guard_pid)) if sys.platform == "linux" else None
    # The server's output goes where the guard's errors go: to the server's log file.
    return subprocess.Popen(
        command,
        stdin=subprocess.DEVNULL,
        stdout=sys.stderr,
        stderr=sys.stderr,
        preexec_fn=ask_kernel,  # noqa: PLW1509 - safe: this process has one thread
    )


def _wait(server: subprocess.Popen[bytes], wake: int, stopping: list[int]) -> None:
    """Return when the server has ended, when told to stop, or when the program has ended."""
    program_pid = os.getppid()
    standard_input = sys.stdin.fileno()
    while server.poll() is None and not stopping:
        ready, _, _ = select.select([standard_input, wake], [], [], PARENT_CHECK_SECONDS)
        if wake in ready:
            os.read(wake, 512)
        if standard_input in ready and not os.read(standard_input, 512):
            return
        if os.getppid() != program_pid:
            return


def _end(server: subprocess.Popen[bytes], grace_seconds: float) -> int:
    if server.poll() is None:
        server.terminate()
        try:
            server.wait(grace_seconds)
        except subprocess.TimeoutExpired:
            server.kill()
    code = server.wait()
    return code if code >= 0 else SIGNAL_EXIT_BASE - code


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    parser.add_argument("--grace-seconds", type=float, required=True)
    parser.add_argument("--remove", action="append", default=[])
    parser.add_argument("command", nargs="+")
    return parser.parse_args()


def _signals() -> tuple[int, list[int]]:
    """Make signals wake `select`; return the file descriptor they wake and the list they fill."""
    wake, write = os.pipe()
    os.set_blocking(wake, False)
    os.set_blocking(write, False)
    signal.set_wakeup_fd(write, warn_on_full_buffer=False)
    stopping: list[int] = []

    def stop(number: int, _frame: FrameType | None) -> None:
        stopping.append(number)

    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, stop)
    # A handler that does nothing: without one, SIGCHLD would not reach the wake-up descriptor.
    signal.signal(signal.SIGCHLD, lambda _number, _frame: None)
    return wake, stopping


def main() -> int:
    """Run the command that the arguments name until it, or the program above us, ends."""
    arguments = _arguments()
    wake, stopping = _signals()
    try:
        server = _start(arguments.command)
    except OSError as error:
        print(f"error {error}", flush=True)  # noqa: T201 - standard output is the program's pipe
        return SIGNAL_EXIT_BASE - 1
    print(f"pid {server.pid}", flush=True)  # noqa: T201 - standard output is the program's pipe
    _wait(server, wake, stopping)
    program_is_gone = not stopping and server.poll() is None
    ended = time.monotonic()
    code = _end(server, arguments.grace_seconds)
    if program_is_gone:
        seconds = time.monotonic() - ended
        sys.stderr.write(f"the program ended; its server ended {seconds:.1f} s later\n")
        for directory in arguments.remove:
            shutil.rmtree(directory, ignore_errors=True)
    return code


if __name__ == "__main__":
    sys.exit(main())
