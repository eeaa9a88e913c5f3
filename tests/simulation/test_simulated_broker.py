"""The simulated broker keeps the promises of Kafka that the flow relies on, and no others."""

import random
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from aiokafka.errors import ProducerFenced
from aiokafka.structs import TopicPartition
from simulated_broker import Broker
from simulated_clients import Servers, SimulatedProducer
from virtual_loop import Process, VirtualLoop

from streams.transport.ledger import Partition

LOG = Partition("t", 0)


class World:
    """A loop, a broker with one partition, and what runs there."""

    def __init__(self, seed: int = 0) -> None:
        self.loop = VirtualLoop(random.Random(seed))  # noqa: S311 - to be repeated from its seed
        self.broker = Broker(self.loop, self.loop.choices, {"t": 1})

    def producer(self, process: Process, transactional_id: str | None = None) -> SimulatedProducer:
        return SimulatedProducer(
            bootstrap_servers=Servers(self.broker, process), transactional_id=transactional_id
        )

    def run(self, process: Process, live: Callable[[], Awaitable[Any]]) -> Any:  # noqa: ANN401 - its result
        async def living() -> Any:  # noqa: ANN401 - see above
            return await live()

        task = self.loop.spawn(process, living())
        self.loop.run_until(task, steps_max=10_000)
        return task.result()

    def seen(self) -> list[bytes | None]:
        chunk, _ = self.broker.read(LOG, 0, 1000)
        return chunk.values

    def let_pass(self, seconds: float) -> None:
        self.run(Process("clock"), lambda: _passed(self.loop, seconds))


async def _passed(loop: VirtualLoop, seconds: float) -> None:
    future = loop.create_future()
    loop.call_later(seconds, future.set_result, None)
    await future


async def _begun(producer: SimulatedProducer, value: bytes) -> None:
    await producer.start()
    await producer.begin_transaction()
    await (await producer.send("t", value, partition=0))


async def _finished(producer: SimulatedProducer, offset: int) -> None:
    await producer.send_offsets_to_transaction({TopicPartition("t", 0): offset}, "g")
    await producer.commit_transaction()


def test_a_transaction_is_seen_whole_after_its_end_and_not_before() -> None:
    world, process = World(), Process("a")
    producer = world.producer(process, "id")
    world.run(process, lambda: _begun(producer, b"1"))
    assert (world.seen(), world.broker.offsets) == ([], {})
    world.run(process, lambda: _finished(producer, 5))
    world.let_pass(1.0)
    assert (world.seen(), world.broker.offsets) == ([b"1"], {LOG: 5})


def test_a_new_owner_aborts_what_is_open_and_fences_the_old_one() -> None:
    world, old, new = World(), Process("old"), Process("new")
    first, second = world.producer(old, "id"), world.producer(new, "id")
    world.run(old, lambda: _begun(first, b"lost"))
    world.run(new, lambda: _begun(second, b"kept"))
    with pytest.raises(ProducerFenced):
        world.run(old, lambda: _finished(first, 1))
    world.run(new, lambda: _finished(second, 2))
    world.let_pass(1.0)
    assert (world.seen(), world.broker.offsets) == ([b"kept"], {LOG: 2})


def test_a_transaction_that_is_open_for_too_long_is_aborted() -> None:
    world, process = World(), Process("a")
    producer = world.producer(process, "id")
    world.run(process, lambda: _begun(producer, b"1"))
    world.let_pass(61.0)
    world.broker.abort_overdue(60.0)
    with pytest.raises(ProducerFenced):
        world.run(process, lambda: _finished(producer, 1))
    world.let_pass(1.0)
    assert world.seen() == []
    assert not world.broker.logs[LOG].open


@pytest.mark.parametrize("seed", range(5))
def test_what_is_sent_again_after_a_lost_answer_is_appended_once_and_in_order(seed: int) -> None:
    world, process = World(seed), Process("a")
    world.broker.rates.lost_answers = 0.5
    producer = world.producer(process)
    values = [b"%d" % number for number in range(20)]

    async def send() -> None:
        await producer.start()
        sent = [await producer.send("t", value, partition=0) for value in values]
        for acknowledged in sent:
            await acknowledged

    world.run(process, send)
    assert world.seen() == values


def test_the_dead_run_no_more_and_the_paused_go_on_where_they_stood() -> None:
    world, dead, paused = World(), Process("dead"), Process("paused")
    steps: list[str] = []

    async def live(process: Process) -> None:
        while len(steps) < 100:
            await _passed(world.loop, 1.0)
            steps.append(process.name)

    for process in (dead, paused):
        world.loop.spawn(process, live(process))
    world.let_pass(2.5)
    assert steps.count("dead") == steps.count("paused") == 2
    world.loop.kill(dead)
    world.loop.pause(paused)
    world.let_pass(10.0)
    assert len(steps) == 4
    world.loop.go_on(paused)
    world.let_pass(2.5)
    assert steps[4:] == ["paused"] * 3
    world.loop.close()
