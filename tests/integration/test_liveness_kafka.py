"""A worker says whether it is alive and ready, also while its Kafka stands still."""

import asyncio
import os
import signal
import subprocess
import urllib.error
import urllib.request
from pathlib import Path

import pytest
from pipeline import Pipeline

from streams.local.kafka import EmbeddedKafka
from streams.local.processes import free_ports
from streams.topics import create_input_topic

pytestmark = [pytest.mark.kafka, pytest.mark.asyncio]

STALL_MS = 2_000
NOTICE_S = 25.0
"""Two seconds of standing, after whatever was on its way when the broker stopped."""


def asked(port: int, path: str) -> tuple[int, str]:
    """Return status and text; 0 while nobody answers."""
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=5) as answer:
            return answer.status, answer.read().decode().strip()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.read().decode().strip()
    except OSError:
        return 0, ""


async def wait_for(port: int, path: str, status: int, worker: subprocess.Popen[bytes]) -> str:
    """Wait until the worker answers with `status`; return what it says."""
    async with asyncio.timeout(NOTICE_S):
        while True:
            found, text = await asyncio.to_thread(asked, port, path)
            if found == status:
                return text
            assert worker.poll() is None, "the worker has ended"
            await asyncio.sleep(0.1)


@pytest.mark.crash
async def test_a_broker_that_stands_makes_the_worker_unhealthy_until_it_goes_on(
    tmp_path: Path,
) -> None:
    (port,) = free_ports(1)
    with EmbeddedKafka() as own:
        assert own.process is not None
        pipeline = Pipeline(own.bootstrap_servers, tmp_path)
        try:
            await pipeline.produce(30_000, seed=1)
            worker = pipeline.start_worker(
                HOTSPOTS_METRICS_PORT=str(port),
                HOTSPOTS_STALL_MS=str(STALL_MS),
                TEST_SLOW_S="0.1",
            )
            assert await wait_for(port, "/readyz", 200, worker) == "ready"
            await pipeline.wait_until_begun()
            assert asked(port, "/healthz") == (200, "alive")
            os.kill(own.process.pid, signal.SIGSTOP)
            try:
                said = await wait_for(port, "/healthz", 503, worker)
            finally:
                os.kill(own.process.pid, signal.SIGCONT)
            assert " for " in said
            assert asked(port, "/metrics")[0] == 200
            assert await wait_for(port, "/healthz", 200, worker) == "alive"
            await pipeline.wait_until_done()
            await pipeline.assert_exact()
            assert "does not move" in pipeline.logs()
            assert "moves again" in pipeline.logs()
        finally:
            pipeline.stop_workers()
            print(pipeline.logs())  # noqa: T201 - pytest shows it when the test fails


async def test_workers_begin_on_fresh_topics_without_an_error(pipeline: Pipeline) -> None:
    """Topics that were just created have leaders that do not know it yet."""
    for _ in range(3):
        fresh = Pipeline(pipeline.bootstrap_servers, pipeline.logs_directory, partitions=16)
        await create_input_topic(fresh.settings, partitions=2)
        (port,) = free_ports(1)
        worker = fresh.start_worker(HOTSPOTS_METRICS_PORT=str(port))
        try:
            assert await wait_for(port, "/readyz", 200, worker) == "ready"
            await fresh.stop(worker)
        finally:
            fresh.stop_workers()
        errors = [line for line in fresh.logs().splitlines() if " ERROR " in line]
        # The broker makes the topic of all groups' offsets when the first group asks for it.
        assert [line for line in errors if "GroupCoordinatorNotAvailable" not in line] == []
