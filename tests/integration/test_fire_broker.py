"""The broker restarted, killed or silent, and the network cut, while events flow."""

import asyncio
import os
import signal
import time
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass

import pytest
from flood import flood, flowing, reasons
from product import Product, Truth, truth_of
from proxy import Proxy

from streams.learned import KAFKA_LOST_AFTER_S
from streams.local.kafka import EmbeddedKafka

pytestmark = [pytest.mark.kafka, pytest.mark.crash, pytest.mark.asyncio]

EVENTS = 60_000
FLOW_S = 50.0
BETWEEN_S = 3.0
LONG_S = 9.0
"""Longer than a session (product.SETTINGS: 6 s), shorter than KAFKA_LOST_AFTER_S."""
MINUTE_S = 60.0
SUPERVISED_S = 1.0
RESTARTS_MAX = 20


@pytest.fixture(scope="module")
def truth() -> Truth:
    return truth_of(flood(EVENTS))


@dataclass
class Line:
    """A broker of our own, and the network before it."""

    kafka: EmbeddedKafka
    proxy: Proxy

    @property
    def pid(self) -> int:
        assert self.kafka.process is not None
        return self.kafka.process.pid


@pytest.fixture(scope="module")
def line() -> Iterator[Line]:
    mapping = "PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT,FAR:PLAINTEXT"
    with (
        Proxy() as proxy,
        EmbeddedKafka(
            settings={"listener.security.protocol.map": mapping},
            listeners=["FAR"],
            advertised={"FAR": proxy.port},
        ) as kafka,
    ):
        proxy.target = int(kafka.address_of("FAR").rpartition(":")[2])
        yield Line(kafka, proxy)


@pytest.fixture
def product(line: Line, product: Product) -> Product:
    product.bootstrap_servers = line.proxy.address
    product.direct = line.kafka.bootstrap_servers
    return product


async def supervised(product: Product) -> None:
    """Start a worker again whenever it ends, as whoever runs it does."""
    for _ in range(RESTARTS_MAX):
        while all(worker.poll() is None for worker in product.workers):  # noqa: ASYNC110 - a process has no event
            await asyncio.sleep(SUPERVISED_S)
        product.restart_ended()


async def restarted(line: Line) -> None:
    await asyncio.to_thread(line.kafka.stop)
    await asyncio.to_thread(line.kafka.start)


async def killed(line: Line) -> None:
    process = line.kafka.process
    assert process is not None
    os.kill(process.pid, signal.SIGKILL)
    async with asyncio.timeout(10):
        while process.returncode is None:  # noqa: ASYNC110 - a process of another has no event
            await asyncio.sleep(0.05)
    await asyncio.to_thread(line.kafka.start)


async def stopped(line: Line) -> None:
    os.kill(line.pid, signal.SIGSTOP)
    await asyncio.sleep(LONG_S)
    os.kill(line.pid, signal.SIGCONT)


async def cut(line: Line) -> None:
    line.proxy.cut()
    await asyncio.sleep(LONG_S)
    line.proxy.mend()


async def silenced(line: Line) -> None:
    line.proxy.silence()
    await asyncio.sleep(LONG_S)
    line.proxy.mend()


async def cut_often(line: Line) -> None:
    """Connections break in the middle of whatever they do."""
    for _ in range(12):
        await asyncio.sleep(0.5)
        line.proxy.cut()
        line.proxy.mend()


FAULTS: dict[str, tuple[Callable[[Line], Awaitable[None]], ...]] = {
    "broker restarted, killed, silent": (restarted, killed, stopped),
    "network cut, silent, cut often": (cut, silenced, cut_often),
}


@pytest.mark.parametrize("faults", FAULTS)
async def test_the_broker_or_the_network_fails_while_events_flow(
    product: Product, line: Line, truth: Truth, faults: str
) -> None:
    supervisor = None
    try:
        async with flowing(product, truth.lines, FLOW_S):
            product.start_worker()
            await product.until_it_begins(0)
            supervisor = asyncio.create_task(supervised(product))
            for fault in FAULTS[faults]:
                await asyncio.sleep(BETWEEN_S)
                await fault(line)
        await product.wait_for(truth, restart=True)
        await product.assert_same_story(truth)
    finally:
        if supervisor is not None:
            supervisor.cancel()
    print(f"{faults}: workers ended themselves: {reasons(product)}")  # noqa: T201 - shown with -rP


async def test_the_broker_is_unreachable_for_a_minute(
    product: Product, line: Line, truth: Truth
) -> None:
    """The worker ends and says why; started again, it says so until the broker is back."""
    async with flowing(product, truth.lines, BETWEEN_S):
        worker = product.start_worker()
        await product.until_it_begins(0)
        await asyncio.sleep(BETWEEN_S)
        os.kill(line.pid, signal.SIGSTOP)
        began = time.monotonic()
        try:
            code = await asyncio.to_thread(worker.wait, 2 * KAFKA_LOST_AFTER_S)
            assert code == 1
            (reason,) = reasons(product)
            assert reason.startswith(
                f"Kafka at {product.bootstrap_servers} has not answered for"
            ), reason
            product.workers.remove(worker)
            again = product.start_worker()
            assert await asyncio.to_thread(again.wait, 30) == 2
            told = [text for text in product.logs().splitlines() if text.startswith("hotspots: ")]
            assert told[1] == (
                f"hotspots: {product.bootstrap_servers} does not answer within 5 s "
                "(HOTSPOTS_KAFKA): correct the address, or open the way (firewall, network, "
                "listener)"
            )
            product.workers.remove(again)
            await asyncio.sleep(max(0.0, began + MINUTE_S - time.monotonic()))
        finally:
            os.kill(line.pid, signal.SIGCONT)
        product.start_worker()
    await product.wait_for(truth, restart=True)
    await product.assert_same_story(truth)
