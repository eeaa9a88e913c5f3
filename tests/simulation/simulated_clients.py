"""The parts of aiokafka's producer and consumers that the product uses, over the simulated broker.

They are made by the product itself, in place of aiokafka's own; which process asks, and which
broker is meant, travels in the option `bootstrap_servers`.
"""

import asyncio
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from aiokafka.errors import IllegalStateError, ProducerFenced
from aiokafka.structs import OffsetAndMetadata, TopicPartition
from simulated_broker import Broker, Writer
from simulated_group import Group
from virtual_loop import Process

from models.steps import Chunk
from streams.transport.ledger import Partition


class Servers(list[str]):
    """Stands for the addresses of a broker, and leads to it."""

    def __init__(self, broker: Broker, process: Process) -> None:
        super().__init__(["simulated:9092"])
        self.broker = broker
        self.process = process


class BatchBuilder:
    """aiokafka's `BatchBuilder`: takes records until it is full."""

    def __init__(self, records_max: int) -> None:
        self.records: list[tuple[bytes | None, bytes | None, tuple[tuple[str, bytes], ...]]] = []
        self._records_max = records_max
        self._is_closed = False

    def append(
        self,
        *,
        timestamp: int | None,
        key: bytes | None,
        value: bytes | None,
        headers: Iterable[tuple[str, bytes]] = (),
    ) -> object | None:
        """Take a record; return None when there is no room."""
        del timestamp
        if self._is_closed or len(self.records) >= self._records_max:
            return None
        self.records.append((key, value, tuple(headers)))
        return self

    def close(self) -> None:
        """Take no more."""
        self._is_closed = True

    def record_count(self) -> int:
        """Return how many it holds."""
        return len(self.records)


class SimulatedProducer:
    """aiokafka's `AIOKafkaProducer`: one batch in flight per partition, in order, retried."""

    def __init__(
        self,
        *,
        bootstrap_servers: Servers,
        transactional_id: str | None = None,
        **_options: object,
    ) -> None:
        self._broker = bootstrap_servers.broker
        self._transactional_id = transactional_id
        self._writer = Writer(0)
        self._epoch = 0
        self._number = 0
        self._is_in_transaction = False
        self._is_fenced = False
        self._waiting: dict[Partition, list[tuple[Any, asyncio.Future[object]]]] = {}
        self._sequences: dict[Partition, int] = {}
        self._senders: dict[Partition, asyncio.Task[None]] = {}

    async def start(self) -> None:
        """Get an id and an epoch from the broker."""
        self._writer, self._epoch = await self._broker.request(
            f"init of {self._transactional_id}",
            lambda: self._broker.init_producer(self._transactional_id),
        )
        self._number = self._writer.last_number

    async def stop(self) -> None:
        """Wait for what is on its way."""
        await self.flush()

    async def flush(self) -> None:
        """Wait for what is on its way."""
        await asyncio.gather(*self._senders.values())

    async def partitions_for(self, topic: str) -> set[int]:
        """Return the numbers of a topic's partitions."""
        return set(range(self._broker.topics[topic]))

    def create_batch(self) -> BatchBuilder:
        """Return an empty batch; how much it holds is drawn."""
        return BatchBuilder(self._broker.choices.choice((1, 3, 1000)))

    async def send_batch(
        self, batch: BatchBuilder, topic: str, *, partition: int
    ) -> asyncio.Future[object]:
        """Put a batch into the queue of its partition, once all before it are on their way.

        That may take so long that chunks are processed and others commit meanwhile.
        """
        batch.close()
        to = Partition(topic, partition)
        while self._waiting.get(to) and not self._is_fenced:  # noqa: ASYNC110 - in virtual time
            await asyncio.sleep(
                self._broker.choices.choice((0.001, 0.3, self._broker.rates.queue_s))
            )
        return self._enqueue(to, batch.records)

    async def send(
        self,
        topic: str,
        value: bytes | None = None,
        *,
        key: bytes | None = None,
        partition: int,
        headers: Iterable[tuple[str, bytes]] = (),
        timestamp_ms: int | None = None,
    ) -> asyncio.Future[object]:
        """Put a record into the queue of its partition."""
        del timestamp_ms
        return self._enqueue(Partition(topic, partition), [(key, value, tuple(headers))])

    def _enqueue(
        self,
        partition: Partition,
        records: list[tuple[bytes | None, bytes | None, tuple[tuple[str, bytes], ...]]],
    ) -> asyncio.Future[object]:
        if self._is_fenced:
            raise ProducerFenced
        if self._transactional_id is not None and not self._is_in_transaction:
            raise IllegalStateError("no transaction was begun")
        acknowledged = self._broker.loop.create_future()
        self._waiting.setdefault(partition, []).append((records, acknowledged))
        sender = self._senders.get(partition)
        if sender is None or sender.done():
            self._senders[partition] = self._broker.loop.create_task(self._drain(partition))
        return acknowledged

    async def _drain(self, partition: Partition) -> None:
        waiting = self._waiting[partition]
        while waiting:
            await asyncio.sleep(self._broker.choices.choice((0.0, 0.0, 0.002)))
            together = self._broker.choices.randint(1, len(waiting))
            taken, waiting[:together] = waiting[:together], []
            records = [record for part, _ in taken for record in part]
            sequence = self._sequences.get(partition, -1) + 1
            self._sequences[partition] = sequence
            number = self._number if self._transactional_id is not None else None
            try:
                await self._broker.request(
                    f"produce to {partition.topic}-{partition.partition}",
                    lambda sequence=sequence, records=records, number=number: self._broker.append(
                        self._writer, self._epoch, partition, sequence, number, records
                    ),
                )
            except ProducerFenced as error:
                self._is_fenced = True
                for _, acknowledged in [*taken, *waiting]:
                    if not acknowledged.done():
                        acknowledged.set_exception(error)
                        acknowledged.exception()  # a crash may come before anybody awaits it
                waiting.clear()
                return
            for _, acknowledged in taken:
                if not acknowledged.done():  # whoever waited for it may have given up
                    acknowledged.set_result(None)

    # ---- transactions -----------------------------------------------------------------------

    async def begin_transaction(self) -> None:
        """Begin a transaction; the broker learns of it with the first record."""
        if self._is_fenced:
            raise ProducerFenced
        if self._is_in_transaction:
            raise IllegalStateError("a transaction is open already")
        self._is_in_transaction = True
        self._number += 1

    async def send_offsets_to_transaction(
        self, offsets: Mapping[TopicPartition, int], group_id: str
    ) -> None:
        """Add consumed offsets to the transaction."""
        del group_id
        await self._ask(
            "offsets of",
            lambda: self._broker.add_offsets(
                self._writer,
                self._epoch,
                self._number,
                {Partition(*tp): offset for tp, offset in offsets.items()},
            ),
        )

    async def commit_transaction(self) -> None:
        """Commit, after everything sent was acknowledged."""
        await self.flush()
        await self._ask(
            "commit of",
            lambda: self._broker.end_transaction(self._writer, self._epoch, self._number),
        )
        self._is_in_transaction = False

    async def _ask(self, name: str, effect: Any) -> None:  # noqa: ANN401 - a callable
        if self._is_fenced:
            raise ProducerFenced
        try:
            await self._broker.request(f"{name} {self._transactional_id}", effect)
        except ProducerFenced:
            self._is_fenced = True
            raise


@dataclass(frozen=True, slots=True)
class Record:
    """aiokafka's `ConsumerRecord`, as far as it is read."""

    key: bytes | None
    value: bytes | None
    offset: int


class SimulatedReader:
    """aiokafka's `AIOKafkaConsumer` without a group: follows one topic."""

    def __init__(self, *, bootstrap_servers: Servers, **_options: object) -> None:
        self._broker = bootstrap_servers.broker
        self._position = 0
        self._assigned: list[TopicPartition] = []
        self._grown = asyncio.Event()

    async def start(self) -> None:
        """Connect."""
        await self._broker.request("metadata", lambda: None)

    async def stop(self) -> None:
        """Read no more."""
        self._broker.forget(self._wake)

    def assign(self, partitions: list[TopicPartition]) -> None:
        """Read this partition."""
        self._assigned = list(partitions)
        self._broker.watch([partitions[0].topic], self._wake)

    def _wake(self, _partition: Partition) -> None:
        self._grown.set()

    def assignment(self) -> set[TopicPartition]:
        """Return what is read."""
        return set(self._assigned)

    async def seek_to_beginning(self, partition: TopicPartition) -> None:
        """Begin at the beginning."""
        del partition
        self._position = 0

    async def position(self, partition: TopicPartition) -> int:
        """Return the next offset."""
        del partition
        return self._position

    async def end_offsets(self, partitions: Iterable[TopicPartition]) -> dict[TopicPartition, int]:
        """Return where committed data end."""
        found: dict[TopicPartition, int] = await self._broker.request(
            "end of learned",
            lambda: {tp: self._broker.logs[Partition(*tp)].stable_end for tp in partitions},
        )
        return found

    async def getmany(self, *, timeout_ms: int) -> dict[TopicPartition, list[Record]]:
        """Return what is new, after waiting for it."""
        partition = Partition(*self._assigned[0])
        if self._position >= self._broker.logs[partition].stable_end:
            self._grown.clear()
            try:
                async with asyncio.timeout(timeout_ms / 1000):
                    await self._grown.wait()
            except TimeoutError:
                return {}
        chunk, _ = await self._broker.request(
            "read of learned",
            lambda: self._broker.read(
                partition, self._position, self._broker.choices.choice((1, 3, 100))
            ),
        )
        self._position = chunk.next_offset
        records = map(Record, chunk.keys, chunk.values, chunk.offsets)
        return {self._assigned[0]: list(records)}


class SimulatedGroupConsumer:
    """aiokafka's `AIOKafkaConsumer` with a group, below Faust's thread: positions and fetches."""

    def __init__(self, broker: Broker, group: Group, name: str) -> None:
        self._broker = broker
        self._group = group
        self.name = name
        self.generation = 0
        self.positions: dict[Partition, int] = {}
        self._ends: dict[Partition, int] = {}
        self.changed = asyncio.Event()

    def assign_from_group(self, generation: int, partitions: Iterable[Partition]) -> None:
        """Take an assignment; positions are what the group has committed, or the beginning."""
        self.generation = generation
        self.positions = {tp: self._broker.offsets.get(tp, 0) for tp in partitions}
        self._ends = {}

    def assignment(self) -> set[TopicPartition]:
        """Return what is assigned."""
        return {TopicPartition(*tp) for tp in self.positions}

    def last_stable_offset(self, tp: TopicPartition) -> int | None:
        """Return where committed data ended at the last fetch."""
        return self._ends.get(Partition(*tp))

    def highwater(self, tp: TopicPartition) -> int | None:
        """Return the same; nothing here tells them apart."""
        return self._ends.get(Partition(*tp))

    def seek(self, tp: TopicPartition, offset: int) -> None:
        """Fetch from `offset` on; what was fetched for another position is dropped."""
        if Partition(*tp) not in self.positions:
            raise IllegalStateError(f"{tp} is not assigned")
        self.positions[Partition(*tp)] = offset
        self.changed.set()

    async def committed(self, tp: TopicPartition) -> int | None:
        """Return what the group has committed."""
        found: int | None = await self._broker.request(
            f"offset of {tp.topic}-{tp.partition}",
            lambda: self._broker.offsets.get(Partition(*tp)),
        )
        return found

    async def commit(self, offsets: Mapping[TopicPartition, OffsetAndMetadata]) -> None:
        """Commit as a member of the generation that was assigned."""
        wanted = {Partition(*tp): offset.offset for tp, offset in offsets.items()}
        generation = self.generation
        if not wanted.keys() <= self.positions.keys():
            raise IllegalStateError("committing what is not assigned")
        await self._broker.request(
            f"commit of {self.name}", lambda: self._group.commit(self.name, generation, wanted)
        )

    async def beginning_offsets(self, partitions: Iterable[Any]) -> dict[Any, int]:
        """Return the first offsets."""
        found: dict[Any, int] = await self._broker.request(
            "beginnings", lambda: {tp: self._broker.logs[Partition(*tp)].begin for tp in partitions}
        )
        return found

    async def end_offsets(self, partitions: Iterable[Any]) -> dict[Any, int]:
        """Return where committed data end."""
        found: dict[Any, int] = await self._broker.request(
            "ends", lambda: {tp: self._broker.logs[Partition(*tp)].stable_end for tp in partitions}
        )
        return found

    async def fetch(self, partition: Partition, records_max: int) -> Chunk | None:
        """Fetch one chunk; None when there is nothing, or it was sought or revoked meanwhile."""
        position = self.positions[partition]
        generation = self.generation
        chunk, end = await self._broker.request(
            f"fetch of {partition.topic}-{partition.partition}",
            lambda: self._broker.read(partition, position, records_max),
        )
        if generation != self.generation or self.positions.get(partition) != position:
            return None
        self._ends[partition] = end
        if chunk.next_offset == position:
            return None
        self.positions[partition] = chunk.next_offset
        return chunk
