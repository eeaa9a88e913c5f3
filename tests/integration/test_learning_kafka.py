"""Who learns for longer than a loop may stand stays alive, in its group, and exact."""

import asyncio
import urllib.request

import pytest
from pipeline import Pipeline
from test_liveness_kafka import asked, wait_for

from streams.local.processes import free_ports
from streams.topics import Topic

pytestmark = [pytest.mark.kafka, pytest.mark.asyncio]

LEARN_S = 8.0
"""Longer than the session of 6 s and than the time after which what stands is unhealthy."""
STALL_MS = 2_000
PATIENCE_S = 60.0


def learned_s(port: int) -> float:
    """Return for how many seconds the worker has learned."""
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=5) as answer:
        for line in answer.read().decode().splitlines():
            if line.startswith("hotspots_learning_duration_seconds_sum"):
                return float(line.split()[1])
    return 0.0


async def test_who_learns_for_long_stays_alive_and_in_its_group(pipeline: Pipeline) -> None:
    (port,) = free_ports(1)
    await pipeline.produce(3_000, seed=5)
    worker = pipeline.start_worker(
        HOTSPOTS_METRICS_PORT=str(port),
        HOTSPOTS_STALL_MS=str(STALL_MS),
        TEST_LEARN_S=str(LEARN_S),
    )
    await wait_for(port, "/readyz", 200, worker)
    async with asyncio.timeout(PATIENCE_S):
        while await asyncio.to_thread(learned_s, port) < LEARN_S:
            assert await asyncio.to_thread(asked, port, "/healthz") == (200, "alive")
            await asyncio.sleep(0.2)
    # What comes meanwhile is taken in: the loop and the other agents go on.
    await pipeline.produce(2_000, seed=6)
    await pipeline.wait_until_done()
    await pipeline.stop(worker)
    begun = [line for line in pipeline.logs().splitlines() if "begins at" in line]
    assert len(begun) == 1, "it was thrown out of its group"
    await pipeline.assert_exact()


@pytest.mark.crash
async def test_a_worker_that_is_stopped_amid_learning_leaves_at_once_and_loses_nothing(
    pipeline: Pipeline,
) -> None:
    (port,) = free_ports(1)
    await pipeline.produce(3_000, seed=7)
    first = pipeline.start_worker(HOTSPOTS_METRICS_PORT=str(port), TEST_LEARN_S="60")
    await wait_for(port, "/readyz", 200, first)
    await pipeline.wait_until_begun()
    async with asyncio.timeout(PATIENCE_S):
        while not await pipeline.read(Topic.VIDEO_STAGES):  # noqa: ASYNC110 - Kafka has no event for it
            await asyncio.sleep(0.2)
    await asyncio.sleep(1.0)
    assert not await pipeline.read(Topic.ALERTS)
    await pipeline.stop(first)
    # Nor does one that joins wait for who learns.
    second = pipeline.start_worker(TEST_LEARN_S="60")
    await pipeline.wait_until_begun()
    await asyncio.sleep(3.0)
    third = pipeline.start_worker(TEST_LEARN_S="0.2")
    await asyncio.sleep(3.0)
    await pipeline.stop(second)
    await pipeline.wait_until_done()
    await pipeline.stop(third)
    await pipeline.assert_exact()
