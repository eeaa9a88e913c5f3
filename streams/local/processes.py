"""Child servers that never outlive the program, their ports and the directories they hold."""

import atexit
import contextlib
import errno
import os
import random
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Final

from streams.local.errors import LocalServerError, Reason

LOOPBACK: Final = "127.0.0.1"
Progress = Callable[[str], None]
"""Is told, in a few words, what a slow piece of work is doing."""

PORTS: Final = range(20_000, 32_768)
"""Where free ports are looked for: above the registered services that are common, and below the
range from which Linux (32768, ip(7)) and macOS (49152) choose the ports of outgoing connections,
so that no client of this machine takes a port between our look and the server's bind."""

PORT_TRIES: Final = 200
KILL_WAIT_SECONDS: Final = 5.0
LOG_TAIL_BYTES: Final = 65_536
_GUARD: Final = Path(__file__).with_name("guard.py")


def quiet(_message: str) -> None:
    """Tell nobody: the default of every `progress`."""


def port_is_free(port: int) -> bool:
    """Tell whether a server could listen on the loopback port."""
    # The wildcard address too: on macOS a specific address may be bound over a wildcard listener.
    for address in (LOOPBACK, "0.0.0.0"):  # noqa: S104 - bound for an instant, never listened on
        with socket.socket() as probe:
            # As servers do: connections of an earlier server in TIME_WAIT do not matter.
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind((address, port))
            except OSError:
                return False
    return True


def free_ports(count: int) -> list[int]:
    """Return `count` different loopback ports that nobody listens on.

    Raises:
        LocalServerError: No free port was found (PORT_TAKEN).
    """
    found: list[int] = []
    for port in random.SystemRandom().sample(PORTS, PORT_TRIES):
        if port_is_free(port):
            found.append(port)
        if len(found) == count:
            return found
    raise LocalServerError(
        Reason.PORT_TAKEN,
        f"{PORT_TRIES} ports were tried and fewer than {count} are free",
        where=f"{LOOPBACK}:{PORTS.start}-{PORTS.stop - 1}",
        remedy="end programs that hold ports, or name a free port",
    )


def require_free_port(port: int, server: str) -> None:
    """Check that a port somebody asked for is free.

    Raises:
        LocalServerError: Another program listens there (PORT_TAKEN).
    """
    if not port_is_free(port):
        raise LocalServerError(
            Reason.PORT_TAKEN,
            f"another program listens on the port {server} was to use",
            where=f"{LOOPBACK}:{port}",
            remedy="name another port, or end that program",
        )


def require_free_space(directory: Path, needed_bytes: int, purpose: str) -> None:
    """Check that the file system under `directory` has room.

    Raises:
        LocalServerError: It has not (DISK_FULL).
    """
    free_bytes = shutil.disk_usage(directory).free
    if free_bytes < needed_bytes:
        raise disk_full(
            directory, f"{purpose} needs {needed_bytes >> 20} MB, {free_bytes >> 20} MB are free"
        )


@contextlib.contextmanager
def telling_of_a_full_disk(directory: Path) -> Iterator[None]:
    """Turn the system's error for a full disk into ours, with the directory and the remedy.

    Raises:
        LocalServerError: The disk became full inside the block (DISK_FULL).
    """
    try:
        yield
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise disk_full(directory) from error
        raise


def disk_full(directory: Path, what: str = "no space is left") -> LocalServerError:
    """Return the error for a full disk."""
    return LocalServerError(
        Reason.DISK_FULL,
        f"the disk is full: {what}",
        where=directory,
        remedy="free some space, or choose another disk (XDG_CACHE_HOME for downloads,"
        " TMPDIR or a data directory for the servers)",
    )


def make_directory(directory: Path, remedy: str) -> Path:
    """Create a directory with its parents; return it as an absolute path.

    Raises:
        LocalServerError: It cannot be created or written to (DIRECTORY_UNUSABLE).
    """
    try:
        directory.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=directory):
            return directory.resolve()
    except OSError as error:
        raise LocalServerError(
            Reason.DIRECTORY_UNUSABLE,
            f"cannot write there: {error.strerror}",
            where=directory,
            remedy=remedy,
        ) from error


class DirectoryLock:
    """An exclusive lock on a directory, held by whoever has its descriptor open.

    The guard of a server inherits the descriptor, so the lock lives exactly as long as the server,
    even when the program that took it was killed. flock(2) is what has this property; locks of
    fcntl(2) belong to a process and would be lost.
    """

    def __init__(self, directory: Path) -> None:
        self.path = directory / ".hotspots.lock"
        self._descriptor: int | None = None

    @property
    def descriptor(self) -> int:
        """The open file, to be passed on to a guard."""
        if self._descriptor is None:
            raise ValueError("the lock is not held")
        return self._descriptor

    def try_acquire(self) -> bool:
        """Take the lock if nobody has it; tell whether it is held now."""
        import fcntl  # noqa: PLC0415 - Unix only, and other systems are to hear so in a sentence

        descriptor = os.open(self.path, os.O_RDWR | os.O_CREAT, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(descriptor)
            return False
        self._descriptor = descriptor
        return True

    def acquire(self, wait_seconds: float, waiting: Callable[[], None] = lambda: None) -> None:
        """Take the lock, waiting for an earlier holder who may be about to end.

        Raises:
            LocalServerError: Somebody still holds it after `wait_seconds` (DIRECTORY_LOCKED).
        """
        deadline = time.monotonic() + wait_seconds
        told = False
        while not self.try_acquire():
            if time.monotonic() >= deadline:
                raise LocalServerError(
                    Reason.DIRECTORY_LOCKED,
                    "another program uses this directory",
                    where=self.path.parent,
                    remedy="end that program, or choose another directory",
                )
            if not told:
                waiting()
                told = True
            time.sleep(0.1)

    def release(self) -> None:
        """Close our copy of the lock; a guard's copy keeps it held."""
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None


class GuardedProcess:
    """One server under a guard (guard.py): it ends when this program ends, however that happens."""

    def __init__(
        self,
        command: Sequence[str | Path],
        *,
        log_path: Path,
        environment: Mapping[str, str],
        working_directory: Path,
        grace_seconds: float,
        remove: Sequence[Path] = (),
        inherit: Sequence[int] = (),
    ) -> None:
        """Start the command.

        Args:
            command: The server's program, by path, and its arguments.
            log_path: Where the server's output is appended.
            environment: The server's whole environment.
            working_directory: Where it runs.
            grace_seconds: From SIGTERM to SIGKILL when it is stopped.
            remove: Directories that the guard removes when the program was killed.
            inherit: Open descriptors that the guard keeps as long as the server lives.

        Raises:
            LocalServerError: The command cannot be run (ENDED_EARLY).
        """
        self.log_path = log_path
        self._grace_seconds = grace_seconds
        self._owner_pid = os.getpid()
        removals = [word for path in remove for word in ("--remove", str(path))]
        with log_path.open("ab") as log:
            self._log_start = log.tell()
            self._guard = subprocess.Popen(
                [
                    sys.executable,
                    "-I",
                    "-S",
                    str(_GUARD),
                    "--grace-seconds",
                    str(grace_seconds),
                    *removals,
                    "--",
                    *map(str, command),
                ],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                env=dict(environment),
                cwd=working_directory,
                pass_fds=tuple(inherit),
                # A Ctrl-C in the terminal is for the program: it needs its servers to end well.
                start_new_session=True,
            )
        self.pid = self._read_pid(command)
        """The server's own process id."""
        atexit.register(self.stop)

    def _read_pid(self, command: Sequence[str | Path]) -> int:
        if self._guard.stdout is None:
            raise ValueError("the guard's output was not piped")
        word, _, rest = self._guard.stdout.readline().decode().strip().partition(" ")
        if word == "pid":
            return int(rest)
        self._reap()
        raise LocalServerError(
            Reason.ENDED_EARLY,
            f"the server cannot be run: {rest or self.log_tail()[-500:]}",
            where=command[0],
            remedy="install this program again with its extra `local`",
        )

    @property
    def guard_pid(self) -> int:
        """The process id of the guard."""
        return self._guard.pid

    @property
    def returncode(self) -> int | None:
        """None while the server lives, else its exit code (128 + n when signal n ended it)."""
        return self._guard.poll()

    def log_tail(self) -> str:
        """Return the last of what this server wrote."""
        with self.log_path.open("rb") as log:
            end = log.seek(0, os.SEEK_END)
            log.seek(max(self._log_start, end - LOG_TAIL_BYTES))
            return log.read().decode(errors="replace")

    def stop(self) -> int | None:
        """End the server and return its exit code; does nothing in a fork of the program."""
        if os.getpid() != self._owner_pid:
            return None
        atexit.unregister(self.stop)
        if self._guard.poll() is None:
            self._guard.terminate()
            try:
                self._guard.wait(self._grace_seconds + KILL_WAIT_SECONDS)
            except subprocess.TimeoutExpired:
                # The guard itself hangs: on Linux the server falls with it.
                self._guard.kill()
        return self._reap()

    def _reap(self) -> int:
        for pipe in (self._guard.stdin, self._guard.stdout):
            if pipe is not None:
                with contextlib.suppress(BrokenPipeError):
                    pipe.close()
        return self._guard.wait()
