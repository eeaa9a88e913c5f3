"""Memory stays bounded while the input outruns the worker and Redis stands still."""

import asyncio
import os
import signal
import time
from collections.abc import Iterator

import numpy as np
import pytest
from flood import flood, flowing, resident_mb
from product import Product, truth_of

from streams.delivery.board_store import BoardStore
from streams.local.valkey import EmbeddedValkey

pytestmark = [pytest.mark.kafka, pytest.mark.asyncio]

EVENTS = int(os.environ.get("FIRE_EVENTS", "120000"))
PADDING_BYTES = 2_000
"""Of a field that nobody knows; all events together are more than MORE_MB_MAX."""
MORE_MB_MAX = 200.0
"""What a worker may take above what it took before the flood. Its fetches, chunks and batches that
wait are some 100 MB (docs/reliability.md); a worker that takes in what waits needs 400 MB and more.
"""
SETTLED_S = 2.0
DONE_S = 150.0


@pytest.fixture
def own_redis() -> Iterator[EmbeddedValkey]:
    with EmbeddedValkey() as server:
        yield server


@pytest.fixture
def product(own_redis: EmbeddedValkey, product: Product) -> Product:
    product.redis_url = own_redis.url
    return product


def padded(lines: list[bytes]) -> list[bytes]:
    """Add a field of hexadecimal digits at random, which no codec shrinks below half."""
    rng = np.random.default_rng(3)
    pool = rng.bytes(1 << 20).hex().encode()
    starts = rng.integers(0, len(pool) - PADDING_BYTES, len(lines)).tolist()
    return [
        b'%s,"padding":"%s"}' % (line[:-1], pool[start : start + PADDING_BYTES])
        for line, start in zip(lines, starts, strict=True)
    ]


async def test_memory_stays_bounded_when_input_waits_and_redis_stands(
    product: Product, own_redis: EmbeddedValkey
) -> None:
    truth = truth_of(flood(EVENTS))
    lines = padded(truth.lines)
    waiting_mb = sum(map(len, lines)) / 1e6
    assert waiting_mb > MORE_MB_MAX, "what waits would fit in"
    warm, rest = lines[:2_000], lines[2_000:]
    async with flowing(product, warm, 0, end=False):
        pass
    worker = product.start_worker()
    await product.until_it_begins(0)
    await asyncio.sleep(SETTLED_S)
    before_mb = resident_mb(worker.pid)
    assert own_redis.process is not None
    os.kill(own_redis.process.pid, signal.SIGSTOP)
    highest_mb = before_mb
    try:
        async with flowing(product, rest, 0, first=len(warm)):
            deadline = time.monotonic() + DONE_S
            told = 0
            while told < len(truth.alerts):
                assert time.monotonic() < deadline, f"{told} of {len(truth.alerts)} alerts"
                for _ in range(10):
                    await asyncio.sleep(0.1)
                    highest_mb = max(highest_mb, resident_mb(worker.pid))
                told = len(await product.alerts_so_far())
    finally:
        os.kill(own_redis.process.pid, signal.SIGCONT)
    print(  # noqa: T201 - shown with -rP
        f"{waiting_mb:.0f} MB waited; {before_mb:.0f} MB before, at most {highest_mb:.0f} MB"
    )
    assert highest_mb - before_mb < MORE_MB_MAX
    await product.wait_for(truth)
    await product.assert_same_story(truth)
    async with BoardStore(product.redis_url, product.name) as store:
        shown = {alert["id"] for alert in await store.read_alerts()}
    assert shown == {alert["id"] for alert in truth.alerts}
