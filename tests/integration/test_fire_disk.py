"""The disk of the broker takes no more, and Redis refuses writes: nothing lost, nothing twice.

The state of a worker lives in the log of the broker, so that its disk is the broker's. It is made
to be full by a limit on the size of its files, which needs no rights: a write beyond it is cut
short, as on a full disk, and the broker gives up its only directory.
"""

import asyncio
import resource
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest
from flood import flood, flowing, reasons
from product import Product, Truth, truth_of
from redis.asyncio import Redis

from streams.delivery.board_store import BoardStore
from streams.local.kafka import EmbeddedKafka
from streams.local.processes import free_ports
from streams.local.valkey import EmbeddedValkey

pytestmark = [pytest.mark.kafka, pytest.mark.crash, pytest.mark.asyncio]

EVENTS = 40_000
FLOW_S = 12.0
BEFORE_S = 3.0
ROOM_BYTES = 64 * 1024
FULL_S = 20.0
STALL_MS = 2_000
DELIVERY_STANDS = 'hotspots_stalled{agent="delivery"} 1.0'


@pytest.fixture(scope="module")
def truth() -> Truth:
    return truth_of(flood(EVENTS))


def with_logs(product: Product) -> Iterator[Product]:
    try:
        yield product
    finally:
        product.stop_workers()
        print(product.logs())  # noqa: T201 - pytest shows it when the test fails


@pytest.fixture
def own_kafka() -> Iterator[EmbeddedKafka]:
    with EmbeddedKafka() as server:
        yield server


@pytest.fixture
def on_own_kafka(own_kafka: EmbeddedKafka, redis_url: str, tmp_path: Path) -> Iterator[Product]:
    yield from with_logs(Product(own_kafka.bootstrap_servers, tmp_path, redis_url=redis_url))


@pytest.fixture
def own_redis() -> Iterator[EmbeddedValkey]:
    with EmbeddedValkey() as server:
        yield server


@pytest.fixture
def on_own_redis(
    kafka: EmbeddedKafka, own_redis: EmbeddedValkey, tmp_path: Path
) -> Iterator[Product]:
    yield from with_logs(Product(kafka.bootstrap_servers, tmp_path, redis_url=own_redis.url))


def fill_disk(kafka: EmbeddedKafka) -> None:
    """Let no file of the broker grow much beyond the longest log that it has now."""
    assert kafka.process is not None
    logs = (kafka.log_path.parent / "log").glob("*-engagement-batches-*/*.log")
    longest = max(log.stat().st_size for log in logs)
    _, hard = resource.prlimit(kafka.process.pid, resource.RLIMIT_FSIZE)
    resource.prlimit(kafka.process.pid, resource.RLIMIT_FSIZE, (longest + ROOM_BYTES, hard))


async def test_the_disk_of_the_state_is_full(
    on_own_kafka: Product, own_kafka: EmbeddedKafka, truth: Truth
) -> None:
    product = on_own_kafka
    async with flowing(product, truth.lines, FLOW_S):
        product.start_worker()
        await product.until_it_begins(0)
        await asyncio.sleep(BEFORE_S)
        fill_disk(own_kafka)
        broker = own_kafka.process
        assert broker is not None
        async with asyncio.timeout(FULL_S):
            while broker.returncode is None:  # noqa: ASYNC110 - a process of another has no event
                await asyncio.sleep(0.1)
        assert "all log dirs" in broker.log_tail()
        # A new process, without the limit: there is room again.
        await asyncio.to_thread(own_kafka.start)
    await product.wait_for(truth, restart=True)
    await product.assert_same_story(truth)
    print(f"workers ended themselves: {reasons(product)}")  # noqa: T201 - shown with -rP


async def out_of_memory(redis: Redis) -> None:
    await redis.config_set("maxmemory", "1")


async def read_only(redis: Redis) -> None:
    await redis.replicaof("127.0.0.1", 1)


async def mended(redis: Redis) -> None:
    await redis.config_set("maxmemory", str(128 << 20))
    await redis.replicaof("NO", "ONE")


def answer_of(port: int, path: str) -> str:
    with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=5) as answer:
        return str(answer.read().decode())


async def test_redis_refuses_writes(on_own_redis: Product, truth: Truth) -> None:
    """The monitor goes on, what was not delivered waits in its topics, and comes once.

    That delivery stands is told; but the worker is alive, and starting it anew would not help.
    """
    product = on_own_redis
    (port,) = free_ports(1)
    product.values = {"metrics_port": port, "stall_ms": STALL_MS}
    async with Redis.from_url(product.redis_url) as redis:
        await redis.config_set("maxmemory", "1")
        async with flowing(product, truth.lines, 0):
            worker = product.start_worker()
            await product.until_it_says(0, "or remove what else is in it; next attempt in")
            await redis.replicaof("127.0.0.1", 1)
            await redis.config_set("maxmemory", str(128 << 20))
            await product.until_it_says(0, "name the primary; next attempt in")
            async with asyncio.timeout(60):
                while len(await product.alerts_so_far()) < len(truth.alerts):  # noqa: ASYNC110 - Kafka has no event for it
                    await asyncio.sleep(0.3)
            await product.until_it_says(0, "delivery does not move")
        assert DELIVERY_STANDS in answer_of(port, "/metrics")
        assert answer_of(port, "/healthz").strip() == "alive"
        async with BoardStore(product.redis_url, product.name) as store:
            assert await store.read_alerts() == []
        await redis.replicaof("NO", "ONE")
    await product.wait_for(truth)
    assert worker.poll() is None
    await product.until_it_says(0, "delivery moves again")
    assert DELIVERY_STANDS not in answer_of(port, "/metrics")
    await product.assert_same_story(truth)
    async with BoardStore(product.redis_url, product.name) as store:
        shown = [alert["id"] for alert in await store.read_alerts()]
    assert shown == [alert["id"] for alert in truth.alerts][::-1]
