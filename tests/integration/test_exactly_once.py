"""Every event counts exactly once, whatever happens to the workers: real workers, a real broker."""

import asyncio
import random
import signal

import pytest
from counting import KillPlace
from pipeline import Pipeline

from streams.topics import Topic

pytestmark = [pytest.mark.kafka, pytest.mark.asyncio]


async def test_one_undisturbed_worker(pipeline: Pipeline) -> None:
    await pipeline.produce(12_000, seed=1)
    await pipeline.produce(6_000, seed=2, transactional=True)
    worker = pipeline.start_worker()
    await pipeline.wait_until_done()
    worker.send_signal(signal.SIGTERM)
    assert await asyncio.to_thread(worker.wait, 10) == 0, "ends cleanly within 10 s"
    await pipeline.assert_exact()
    committed = await pipeline.committed()
    assert committed == await pipeline.ends(), "the very end, control records included"
    headers = await pipeline.rejected_headers()
    assert headers.keys() == pipeline.refused
    for key, found in headers.items():
        partition, offset = key.split(b":")
        assert found == {
            "reason": b"malformed",
            "detail": b"two words expected",
            "source_topic": pipeline.topics[Topic.ENGAGEMENT].encode(),
            "source_partition": partition,
            "source_offset": offset,
        }


@pytest.mark.crash
async def test_killed_at_random_points(pipeline: Pipeline) -> None:
    chance = random.Random(7)  # noqa: S311 - a test's dice
    await pipeline.produce(10_000, seed=1)
    pipeline.environment = {"TEST_SLOW_S": "0.1", "HOTSPOTS_INSTANCE_ID": "one"}
    worker = pipeline.start_worker()
    at_work = 0
    for round_number in range(5):
        await asyncio.sleep(chance.uniform(2.0, 3.0))
        await pipeline.produce(10_000, seed=10 + round_number)
        await asyncio.sleep(chance.uniform(0.0, 0.6))
        worker.kill()
        worker.wait()
        at_work += await pipeline.lag() > 0
        pipeline.restart_ended()
        (worker,) = pipeline.workers
    assert at_work >= 3, "killed when there was nothing to do"
    await pipeline.wait_until_done()
    await pipeline.assert_exact()


@pytest.mark.crash
async def test_killed_inside_checkpoints(pipeline: Pipeline) -> None:
    """Five transactions run side by side; each has four places, and the worker dies at all four.

    Which transaction it is, and where the others stand meanwhile, is left to chance.
    """
    await pipeline.produce(30_000, seed=1)
    for times, place in enumerate(KillPlace, start=2):
        pipeline.environment = {
            "TEST_KILL_PLACE": place,
            "TEST_KILL_AT": str(times),
            "TEST_SLOW_S": "0.02",
            "HOTSPOTS_INSTANCE_ID": "one",
        }
        worker = pipeline.start_worker()
        assert await asyncio.to_thread(worker.wait, 30) == -signal.SIGKILL
        pipeline.workers.remove(worker)
        await pipeline.produce(2_000, seed=times)
    del pipeline.environment["TEST_KILL_PLACE"]
    pipeline.start_worker()
    await pipeline.wait_until_done()
    await pipeline.assert_exact()
    killed = [line for line in pipeline.logs().splitlines() if line.startswith("test: killed")]
    assert sorted(killed) == sorted(f"test: killed {place}" for place in KillPlace)


@pytest.mark.crash
async def test_a_second_worker_joins_and_leaves(pipeline: Pipeline) -> None:
    await pipeline.produce(20_000, seed=1)
    pipeline.environment = {"TEST_SLOW_S": "0.05"}
    pipeline.start_worker()
    await pipeline.wait_until_begun()
    second = pipeline.start_worker()
    log = pipeline.logs_directory / f"{pipeline.name}-1.log"
    async with asyncio.timeout(30):
        while "begins at" not in log.read_text():  # noqa: ASYNC110 - a file has no event
            await asyncio.sleep(0.1)
    await pipeline.produce(30_000, seed=3)
    assert await pipeline.lag() > 0
    await pipeline.stop(second)
    await pipeline.wait_until_done()
    await pipeline.assert_exact()


@pytest.mark.crash
async def test_partitions_go_away_while_the_thread_of_intake_works(pipeline: Pipeline) -> None:
    """A chunk that is at work at a rebalance is dropped, and read again by who has it then."""
    await pipeline.produce(30_000, seed=5)
    first = pipeline.start_worker(TEST_INTAKE_SLOW_S="0.5")
    await pipeline.wait_until_begun()
    second = pipeline.start_worker(TEST_INTAKE_SLOW_S="0.5")
    await pipeline.produce(30_000, seed=6)
    await pipeline.wait_until_done()
    await pipeline.stop(second)
    await pipeline.produce(3_000, seed=7)
    await pipeline.wait_until_done()
    await pipeline.stop(first)
    await pipeline.assert_exact()
    assert "went away at work" in pipeline.logs()


async def test_a_stopped_worker_is_fenced_when_it_comes_back(pipeline: Pipeline) -> None:
    """SIGSTOP until the partitions have moved, then SIGCONT."""
    await pipeline.produce(40_000, seed=1)
    pipeline.environment = {"TEST_SLOW_S": "0.3"}
    frozen = pipeline.start_worker()
    await pipeline.wait_until_begun()
    await pipeline.produce(30_000, seed=2)
    assert await pipeline.lag() > 0
    frozen.send_signal(signal.SIGSTOP)
    pipeline.environment = {}
    pipeline.start_worker()
    await pipeline.produce(10_000, seed=3)
    await pipeline.wait_until_done()
    frozen.send_signal(signal.SIGCONT)
    assert await asyncio.to_thread(frozen.wait, 15) == 1
    last_line = (pipeline.logs_directory / f"{pipeline.name}-0.log").read_text().splitlines()[-1]
    # Whichever comes first: the broker's refusal, or the client's own after it has heard of it.
    refusals = ("ProducerFenced", "IllegalOperation: Can't send messages while not in transaction")
    began = "hotspots: worker ends: a checkpoint failed: "
    assert last_line.startswith(tuple(began + refusal for refusal in refusals)), last_line
    pipeline.workers.remove(frozen)
    await pipeline.produce(5_000, seed=4)
    await pipeline.wait_until_done()
    await pipeline.assert_exact()


async def test_held_partitions_go_on_when_what_they_wait_for_is_learned(pipeline: Pipeline) -> None:
    await pipeline.produce(40_000, seed=1)
    pipeline.environment = {"TEST_WAITS": "yes"}
    worker = pipeline.start_worker()
    await asyncio.sleep(3.0)
    worker.kill()
    worker.wait()
    pipeline.restart_ended()
    await pipeline.wait_until_done()
    await pipeline.assert_exact()
    versions = await pipeline.read(Topic.LEARNED)
    assert len(versions) > 4, "nobody had to wait"
