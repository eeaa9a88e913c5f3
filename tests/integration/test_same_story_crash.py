"""Workers that are killed, joined, left and stopped tell the story that nobody disturbed."""

import asyncio
import random
import signal
import subprocess
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from product import Product, Truth, story, truth_of

pytestmark = [pytest.mark.kafka, pytest.mark.crash, pytest.mark.asyncio]


KILLS = 5


@pytest.fixture(scope="module")
def truth() -> Truth:
    return truth_of(story())


@asynccontextmanager
async def sending(product: Product, truth: Truth, seconds: float) -> AsyncIterator[None]:
    """Send the file within about so many seconds, in the background; wait for its end."""
    replay = await asyncio.to_thread(product.start_replay, truth.lines, seconds)
    try:
        yield
        assert await asyncio.to_thread(replay.wait, 60) == 0
    finally:
        if replay.poll() is None:
            replay.kill()
            replay.wait()


async def until_alerts(product: Product, count: int, *, seconds: float = 40) -> None:
    """Wait until so many alerts are committed: the story is under way."""
    deadline = time.monotonic() + seconds
    while len(found := await product.alerts_so_far()) < count:
        assert time.monotonic() < deadline, f"{len(found)} of {count} alerts after {seconds} s"
        await asyncio.sleep(0.3)


def kill(product: Product, worker: subprocess.Popen[bytes]) -> None:
    worker.kill()
    worker.wait()
    product.workers.remove(worker)


async def test_killed_at_random_moments(product: Product, truth: Truth) -> None:
    """What came while nobody lived gives every life more than enough to do at its beginning."""
    seed = 20_230_830
    chance = random.Random(seed)  # noqa: S311 - a test's dice
    product.environment = {"HOTSPOTS_INSTANCE_ID": "one"}
    told = []
    async with sending(product, truth, 20):
        for life in range(KILLS):
            worker = product.start_worker()
            await product.until_it_begins(life)
            await asyncio.sleep(chance.uniform(0.0, 1.5))
            kill(product, worker)
            told.append(len(await product.alerts()))
            print(f"life {life}: {told[-1]} of {len(truth.alerts)} alerts")  # noqa: T201 - shown when it fails
    product.start_worker()
    await product.wait_for(truth)
    await product.assert_same_story(truth)
    unfinished = [count for count in told if count < len(truth.alerts)]
    assert len(unfinished) >= 3, f"seed {seed}: most kills came too late, {told}"
    assert len(set(unfinished)) >= 2, f"seed {seed}: no kill in the middle of it, {told}"


@pytest.mark.parametrize("end", [signal.SIGTERM, signal.SIGKILL])
async def test_a_second_worker_joins_and_leaves(
    product: Product, truth: Truth, end: signal.Signals
) -> None:
    async with sending(product, truth, 22):
        first = product.start_worker()
        await until_alerts(product, 5)
        second = product.start_worker()
        await product.until_it_begins(1)
        await asyncio.sleep(2.0)
        second.send_signal(end)
        code = await asyncio.to_thread(second.wait, 10)
        assert code == (0 if end is signal.SIGTERM else -end)
        product.workers.remove(second)
        told = await product.alerts_so_far()
        assert 5 <= len(told) < len(truth.alerts), "it left too late"
    await product.wait_for(truth)
    assert first.poll() is None
    await product.assert_same_story(truth)


async def test_a_stopped_worker_does_no_harm_when_it_goes_on(
    product: Product, truth: Truth
) -> None:
    """SIGSTOP until the partitions have moved, then SIGCONT."""
    product.values = {"session_timeout_ms": 3_000}
    async with sending(product, truth, 28):
        frozen = product.start_worker()
        await until_alerts(product, 3)
        other = product.start_worker()
        await product.until_it_begins(1)
        await asyncio.sleep(1.0)
        told = await product.alerts_so_far()
        frozen.send_signal(signal.SIGSTOP)
        await until_alerts(product, len(told) + 8)
        assert len(await product.alerts_so_far()) < len(truth.alerts), "it was stopped too late"
        frozen.send_signal(signal.SIGCONT)
        await asyncio.sleep(2.0)
        if frozen.poll() is not None:
            assert frozen.returncode == 1, "a zombie ends itself, to begin anew"
            product.workers.remove(frozen)
            product.start_worker()
    await product.wait_for(truth, restart=True)
    assert other.poll() is None
    await product.assert_same_story(truth)
