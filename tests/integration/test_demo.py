"""The demo as a user starts it: on given servers, ended early, and with a dead worker."""

import asyncio
import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from aiokafka.admin import AIOKafkaAdminClient
from redis import Redis

from streams.commands.demo import EXIT_NOT_KEPT, EXIT_WORKER_FAILED
from streams.local.kafka import EmbeddedKafka
from streams.scenarios.british_museum import british_museum

pytestmark = pytest.mark.kafka

FEW = ("--ordinary-videos", "60")
"""Enough to see the path work; what the detector is worth is judged on the whole scenario."""

GONE_WITHIN_S = 40.0
"""The sum of what each may take before it is killed: a worker 10 s, Kafka 8 s, Valkey 3 s, and as
much again for a busy machine."""


def environment(**changes: str) -> dict[str, str]:
    plain = {name: value for name, value in os.environ.items() if not name.startswith("HOTSPOTS_")}
    ports = {f"HOTSPOTS_{name}_PORT": str(free_port()) for name in ("METRICS", "BOARD")}
    return plain | ports | changes


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextmanager
def demo(log: Path, environ: dict[str, str], *arguments: str) -> Iterator[subprocess.Popen[bytes]]:
    command = [sys.executable, "-m", "streams.cli", "demo", *FEW, *arguments]
    with log.open("wb") as out:
        process = subprocess.Popen(command, env=environ, stdout=out, stderr=subprocess.STDOUT)
    try:
        yield process
    finally:
        # As a user ends it: one that is killed cannot remove its topics and its board.
        process.terminate()
        try:
            process.wait(timeout=GONE_WITHIN_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def wait_for(log: Path, text: str, process: subprocess.Popen[bytes], timeout_s: float) -> None:
    deadline_s = time.monotonic() + timeout_s
    while text not in log.read_text():
        assert process.poll() is None, log.read_text()
        assert time.monotonic() < deadline_s, log.read_text()
        time.sleep(0.1)


def listens(port: int) -> bool:
    with socket.socket() as client:
        return client.connect_ex(("127.0.0.1", port)) == 0


def traces(kafka: EmbeddedKafka, redis_url: str) -> set[str]:
    """Return the topics in Kafka and the demos' keys in Redis, those of other tests too."""
    with Redis.from_url(redis_url, decode_responses=True) as redis:
        return asyncio.run(topics_of(kafka)) | set(redis.scan_iter("*demo*"))


async def topics_of(kafka: EmbeddedKafka) -> set[str]:
    admin = AIOKafkaAdminClient(bootstrap_servers=kafka.bootstrap_servers)
    await admin.start()
    try:
        # Those of Kafka itself stay: any client brings them about.
        return {name for name in await admin.list_topics() if not name.startswith("__")}
    finally:
        await admin.close()


def test_the_demo_ends_with_a_verdict_and_leaves_nothing_on_given_servers(
    kafka: EmbeddedKafka, redis_url: str, tmp_path: Path
) -> None:
    before = traces(kafka, redis_url)
    log = tmp_path / "log"
    given = environment(HOTSPOTS_KAFKA=kafka.bootstrap_servers, HOTSPOTS_REDIS=redis_url)
    with demo(log, given, "--once", "--speed", "max") as process:
        code = process.wait(timeout=240)
    text = log.read_text()
    kept = "The promise is kept." in text
    assert code == (0 if kept else EXIT_NOT_KEPT), text
    planted = british_museum(ordinary_videos=1).truth.planted
    found = re.search(r"(\d+) of (\d+) planted transitions detected", text)
    assert found is not None, text
    assert int(found[2]) == len(planted)
    # Sixty videos teach nothing about what is ordinary; most of it is seen all the same.
    assert int(found[1]) >= len(planted) // 2
    for transition in planted:
        assert f"{transition.platform}/{transition.video_id}" in text
    assert "is a hotspot" in text
    assert traces(kafka, redis_url) == before


def test_without_once_the_board_stays_and_the_verdict_is_the_exit_code(
    kafka: EmbeddedKafka, redis_url: str, tmp_path: Path
) -> None:
    before = traces(kafka, redis_url)
    log = tmp_path / "log"
    given = environment(HOTSPOTS_KAFKA=kafka.bootstrap_servers, HOTSPOTS_REDIS=redis_url)
    with demo(log, given, "--speed", "max") as process:
        wait_for(log, "all is decided; Ctrl-C ends", process, 240)
        time.sleep(2)
        assert process.poll() is None
        assert any("{demo-" in trace for trace in traces(kafka, redis_url) - before)
        process.send_signal(signal.SIGINT)
        code = process.wait(timeout=GONE_WITHIN_S)
    text = log.read_text()
    assert code == (0 if "The promise is kept." in text else EXIT_NOT_KEPT), text
    assert text.count("Planted against detected transitions") == 1
    assert traces(kafka, redis_url) == before


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGKILL])
def test_an_early_end_leaves_no_process(tmp_path: Path, number: signal.Signals) -> None:
    log = tmp_path / "log"
    environ = environment()
    with demo(log, environ) as process:
        wait_for(log, "the week passes", process, 120)
        ports = [int(port) for port in re.findall(r"on 127\.0\.0\.1:(\d+)", log.read_text())]
        ports += [int(environ[f"HOTSPOTS_{name}_PORT"]) for name in ("METRICS", "BOARD")]
        assert len(ports) == 4
        assert all(listens(port) for port in ports)
        page = re.search(r"page (http://127\.0\.0\.1:\d+/)#token=\S{16}", log.read_text())
        assert page is not None
        with urllib.request.urlopen(f"{page[1]}api/v1/about") as answer:  # noqa: S310 - the demo's own address
            assert json.load(answer)["may_act"]
        process.send_signal(number)
        code = process.wait(timeout=GONE_WITHIN_S)
        assert code == (1 if number is not signal.SIGKILL else -signal.SIGKILL)
        deadline_s = time.monotonic() + GONE_WITHIN_S
        while any(listens(port) for port in ports):
            assert time.monotonic() < deadline_s
            time.sleep(0.1)
    assert "Traceback" not in log.read_text()


def test_a_worker_that_ends_is_told_with_its_last_words(
    kafka: EmbeddedKafka, redis_url: str, tmp_path: Path
) -> None:
    log = tmp_path / "log"
    with socket.socket() as taken:
        # Bound and not listening: the worker cannot serve its metrics there.
        taken.bind(("127.0.0.1", 0))
        environ = environment(
            HOTSPOTS_KAFKA=kafka.bootstrap_servers,
            HOTSPOTS_REDIS=redis_url,
            HOTSPOTS_METRICS_PORT=str(taken.getsockname()[1]),
        )
        with demo(log, environ, "--once") as process:
            code = process.wait(timeout=60)
    text = log.read_text()
    assert code == EXIT_WORKER_FAILED, text
    assert "the worker ended with exit code" in text
    assert str(environ["HOTSPOTS_METRICS_PORT"]) in text
    assert "Traceback" not in text
