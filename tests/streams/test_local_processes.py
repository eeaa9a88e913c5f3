"""Children of a program end with it, whatever happens to it; ports and directories are held."""

import os
import signal
import socket
import subprocess
import sys
import textwrap
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from streams.local.errors import LocalServerError, Reason
from streams.local.processes import (
    PORTS,
    DirectoryLock,
    GuardedProcess,
    free_ports,
    make_directory,
    require_free_port,
    require_free_space,
)

SECONDS = 10.0
SLEEP = [sys.executable, "-I", "-S", "-c", "import time; time.sleep(600)"]
"""A server that does nothing for longer than any test."""

DEAF = ["/bin/sh", "-c", "trap '' TERM; echo deaf; while true; do sleep 1; done"]

PROGRAM = """
    import os, signal, sys, time
    from pathlib import Path
    from streams.local.processes import GuardedProcess

    directory = Path(sys.argv[1])
    removed = directory / "removed"
    removed.mkdir()
    server = GuardedProcess(
        [sys.executable, "-I", "-S", "-c", "import time; time.sleep(600)"],
        log_path=directory / "log",
        environment=os.environ,
        working_directory=directory,
        grace_seconds=2.0,
        remove=[removed],
    )
"""


def alive(pid: int) -> bool:
    """Tell whether a process runs; one that ended and was not waited for does not."""
    if sys.platform == "linux":
        try:
            return ") Z" not in Path(f"/proc/{pid}/stat").read_text()
        except (FileNotFoundError, ProcessLookupError):
            return False
    status = subprocess.run(
        ["ps", "-o", "stat=", "-p", str(pid)], capture_output=True, text=True, check=False
    ).stdout.strip()
    return bool(status) and not status.startswith("Z")


def becomes_true(condition: Callable[[], bool]) -> bool:
    deadline = time.monotonic() + SECONDS
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.02)
    return True


def start(
    directory: Path,
    command: list[str] | None = None,
    grace_seconds: float = 2.0,
    inherit: tuple[int, ...] = (),
) -> GuardedProcess:
    return GuardedProcess(
        command or SLEEP,
        log_path=directory / "log",
        environment=os.environ,
        working_directory=directory,
        grace_seconds=grace_seconds,
        inherit=inherit,
    )


def run_program(directory: Path, rest: str) -> subprocess.Popen[str]:
    source = textwrap.dedent(PROGRAM) + textwrap.dedent(rest)
    return subprocess.Popen(
        [sys.executable, "-c", source, str(directory)], stdout=subprocess.PIPE, text=True
    )


def read_number(program: subprocess.Popen[str]) -> int:
    assert program.stdout is not None
    return int(program.stdout.readline())


def test_a_server_ends_when_it_is_stopped(tmp_path: Path) -> None:
    server = start(tmp_path)
    assert alive(server.pid)
    assert server.returncode is None
    assert server.stop() == 128 + signal.SIGTERM
    assert not alive(server.pid)
    assert server.returncode == 128 + signal.SIGTERM


def test_a_server_that_ignores_sigterm_is_killed_after_the_grace(tmp_path: Path) -> None:
    server = start(tmp_path, DEAF, grace_seconds=0.3)
    assert becomes_true(lambda: "deaf" in server.log_tail())
    assert server.stop() == 128 + signal.SIGKILL
    assert not alive(server.pid)


def test_the_exit_code_and_the_log_of_a_server_that_ends_by_itself(tmp_path: Path) -> None:
    (tmp_path / "log").write_text("of an earlier run\n")
    server = start(tmp_path, ["/bin/sh", "-c", "echo out; echo err >&2; exit 7"])
    assert becomes_true(lambda: server.returncode == 7)
    assert server.log_tail() == "out\nerr\n"
    assert server.stop() == 7


def test_a_command_that_is_not_there_is_told_in_one_line(tmp_path: Path) -> None:
    with pytest.raises(LocalServerError, match=r"cannot be run.*No such file") as caught:
        start(tmp_path, [str(tmp_path / "nothing")])
    assert caught.value.reason is Reason.ENDED_EARLY
    assert "\n" not in str(caught.value)


def test_sigkill_of_the_program_ends_its_server_and_removes_its_directory(tmp_path: Path) -> None:
    with run_program(tmp_path, "print(server.pid, flush=True); time.sleep(600)") as program:
        server_pid = read_number(program)
        assert alive(server_pid)
        program.kill()
    assert becomes_true(lambda: not alive(server_pid))
    assert becomes_true(lambda: not (tmp_path / "removed").exists())


def test_a_program_that_ends_without_a_word_ends_its_server(tmp_path: Path) -> None:
    with run_program(tmp_path, "print(server.pid, flush=True)") as program:
        server_pid = read_number(program)
    assert program.returncode == 0
    assert not alive(server_pid)


def test_a_fork_that_outlives_the_killed_program_does_not_keep_the_server(tmp_path: Path) -> None:
    rest = """
        print(server.pid, flush=True)
        if os.fork() == 0:
            server.stop()  # must do nothing here: the server is the program's
            print(os.getpid(), flush=True)
        time.sleep(600)
    """
    with run_program(tmp_path, rest) as program:
        server_pid, fork_pid = read_number(program), read_number(program)
        try:
            assert alive(server_pid)
            program.kill()
            assert becomes_true(lambda: not alive(server_pid))
            assert alive(fork_pid)
        finally:
            os.kill(fork_pid, signal.SIGKILL)


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux ends a child with its parent")
def test_sigkill_of_the_guard_ends_the_server(tmp_path: Path) -> None:
    server = start(tmp_path)
    os.kill(server.guard_pid, signal.SIGKILL)
    assert becomes_true(lambda: not alive(server.pid))
    assert server.stop() == -signal.SIGKILL


def test_a_server_started_by_a_thread_outlives_the_thread(tmp_path: Path) -> None:
    servers: list[GuardedProcess] = []
    thread = threading.Thread(target=lambda: servers.append(start(tmp_path)))
    thread.start()
    thread.join()
    # Longer than the guard takes to look whether it was orphaned.
    time.sleep(1.5)
    assert alive(servers[0].pid)
    servers[0].stop()


def test_a_directory_is_locked_as_long_as_the_server_lives(tmp_path: Path) -> None:
    lock = DirectoryLock(tmp_path)
    lock.acquire(0.0)
    server = start(tmp_path, inherit=(lock.descriptor,))
    lock.release()
    told: list[bool] = []
    with pytest.raises(LocalServerError, match="another program uses this directory") as caught:
        DirectoryLock(tmp_path).acquire(0.3, lambda: told.append(True))
    assert caught.value.reason is Reason.DIRECTORY_LOCKED
    assert told == [True]
    server.stop()
    later = DirectoryLock(tmp_path)
    later.acquire(1.0)
    later.release()


def test_free_ports_are_different_and_can_be_bound() -> None:
    ports = free_ports(5)
    assert len(set(ports)) == 5
    for port in ports:
        assert port in PORTS
        with socket.create_server(("127.0.0.1", port)):
            pass


# On every interface, too: such a listener would answer on the loopback as well.
@pytest.mark.parametrize("address", ["127.0.0.1", ""])
def test_a_port_that_is_taken_is_told(address: str) -> None:
    with socket.create_server((address, 0)) as listener:
        port = listener.getsockname()[1]
        with pytest.raises(LocalServerError, match=f"127.0.0.1:{port}") as caught:
            require_free_port(port, "Kafka")
    assert caught.value.reason is Reason.PORT_TAKEN
    require_free_port(port, "Kafka")


def test_a_disk_without_room_is_told(tmp_path: Path) -> None:
    require_free_space(tmp_path, 1, "a test")
    with pytest.raises(LocalServerError, match="the disk is full: a test needs") as caught:
        require_free_space(tmp_path, 1 << 60, "a test")
    assert caught.value.reason is Reason.DISK_FULL


def test_a_directory_that_cannot_be_made_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(LocalServerError, match="Not a directory") as caught:
        make_directory(tmp_path / "file" / "below", "choose another")
    assert caught.value.reason is Reason.DIRECTORY_UNUSABLE
