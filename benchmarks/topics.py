"""The input topic: made, filled with a workload, and asked how far a group has read it."""

import asyncio
import contextlib
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from contextlib import asynccontextmanager
from typing import Any, Final, Self

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.errors import KafkaError

from benchmarks.workload import Columns, Workload, lines_of
from streams.producing import END_MARK_KEY

INPUT_CONFIGS: Final = {
    # The broker's time, and never deleted by age: see docs/architecture.md.
    "message.timestamp.type": "LogAppendTime",
    "retention.ms": "-1",
}
BATCH_BYTES: Final = 200_000
"""Bytes of a record batch before it is compressed: what a busy producer with linger fills."""
IN_FLIGHT_MAX: Final = 60

Told = Callable[[int], None]
"""Told how many events have been sent."""


@asynccontextmanager
async def administration(bootstrap: str) -> AsyncIterator[AIOKafkaAdminClient]:
    """Open an admin client."""
    admin = AIOKafkaAdminClient(bootstrap_servers=bootstrap)
    await admin.start()
    try:
        yield admin
    finally:
        await admin.close()


async def create(bootstrap: str, topic: str, partitions: int) -> None:
    """Create an input topic."""
    async with administration(bootstrap) as admin:
        await admin.create_topics([NewTopic(topic, partitions, 1, topic_configs=INPUT_CONFIGS)])


async def delete(bootstrap: str, prefixes: Iterable[str]) -> None:
    """Delete all topics whose names begin so: what a case has left behind is not needed again."""
    beginnings = tuple(prefixes)
    async with administration(bootstrap) as admin:
        names = [name for name in await admin.list_topics() if name.startswith(beginnings)]
        with contextlib.suppress(KafkaError):  # one that a dying group re-creates harms nobody
            await admin.delete_topics(names)


async def load(
    bootstrap: str,
    topic: str,
    workload: Workload,
    columns: Columns,
    told: Told = lambda _: None,
    *,
    end: bool = True,
) -> None:
    """Fill a topic: event i to partition i % partitions, lz4, in order, end marks at the end."""
    producer = AIOKafkaProducer(
        bootstrap_servers=bootstrap,
        compression_type="lz4",
        enable_idempotence=True,
        max_batch_size=BATCH_BYTES,
        linger_ms=5,
    )
    await producer.start()
    try:
        sender = _Sender(producer, topic, workload.partitions)
        for lines in lines_of(workload, columns):
            await sender.send(lines)
            told(len(lines))
        await sender.flush()
        if end:
            await sender.end()
    finally:
        await producer.stop()


class _Sender:
    """Batches of each partition, filled record by record and sent whole."""

    def __init__(self, producer: AIOKafkaProducer, topic: str, partitions: int) -> None:
        self._producer = producer
        self._topic = topic
        self._partitions = partitions
        self._next = 0
        self._open: list[Any] = [None] * partitions
        self._in_flight: deque[Awaitable[object]] = deque()

    async def send(self, lines: list[bytes]) -> None:
        for turn in range(min(self._partitions, len(lines))):
            partition = (self._next + turn) % self._partitions
            for line in lines[turn :: self._partitions]:
                batch = self._open[partition]
                if batch is None or batch.append(timestamp=None, key=None, value=line) is None:
                    await self._hand_over(partition)
                    batch = self._open[partition] = self._producer.create_batch()
                    batch.append(timestamp=None, key=None, value=line)
        self._next = (self._next + len(lines)) % self._partitions

    async def flush(self) -> None:
        for partition in range(self._partitions):
            await self._hand_over(partition)
        while self._in_flight:
            await self._in_flight.popleft()

    async def end(self) -> None:
        for partition in range(self._partitions):
            batch = self._open[partition] = self._producer.create_batch()
            batch.append(timestamp=None, key=END_MARK_KEY, value=None)
        await self.flush()

    async def _hand_over(self, partition: int) -> None:
        batch, self._open[partition] = self._open[partition], None
        if batch is None:
            return
        while len(self._in_flight) >= IN_FLIGHT_MAX:
            await self._in_flight.popleft()
        batch.close()
        self._in_flight.append(
            await self._producer.send_batch(batch, self._topic, partition=partition)
        )


class Reader:
    """Asks the broker about offsets and reads committed records; an async context manager."""

    def __init__(self, bootstrap: str) -> None:
        self._bootstrap = bootstrap
        self._admin = AIOKafkaAdminClient(bootstrap_servers=bootstrap)
        self._consumer = AIOKafkaConsumer(
            bootstrap_servers=bootstrap, isolation_level="read_committed"
        )

    async def __aenter__(self) -> Self:
        await self._admin.start()
        await self._consumer.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._consumer.stop()
        await self._admin.close()

    async def ends(self, topic: str, partitions: int) -> dict[TopicPartition, int]:
        """Return where committed data end."""
        wanted = [TopicPartition(topic, number) for number in range(partitions)]
        found: dict[TopicPartition, int] = await self._consumer.end_offsets(wanted)
        return found

    async def committed(self, group: str) -> dict[TopicPartition, int]:
        """Return what a group has committed; nothing while it does not exist."""
        try:
            found = await self._admin.list_consumer_group_offsets(group)
        except KafkaError:  # the broker has no coordinator for it yet
            return {}
        return {partition: known.offset for partition, known in found.items()}

    async def group_state(self, group: str) -> str:
        """Return the state of a consumer group as the broker names it, such as Stable."""
        try:
            (answer,) = await self._admin.describe_consumer_groups([group])
        except KafkaError:
            return "unknown"
        return str(answer.groups[0][2])

    async def stable_members(self, group: str) -> int:
        """Return how many members a consumer group has, none while it is not Stable."""
        try:
            (answer,) = await self._admin.describe_consumer_groups([group])
        except KafkaError:
            return 0
        about = answer.groups[0]
        return len(about[5]) if about[2] == "Stable" else 0

    async def records(self, topic: str, partitions: int) -> AsyncIterator[list[Any]]:
        """Yield all committed records, some at a time, those of one partition in order."""
        wanted = [TopicPartition(topic, number) for number in range(partitions)]
        consumer = AIOKafkaConsumer(
            bootstrap_servers=self._bootstrap,
            isolation_level="read_committed",
            auto_offset_reset="earliest",
        )
        await consumer.start()
        try:
            ends = await consumer.end_offsets(wanted)
            consumer.assign(wanted)
            await consumer.seek_to_beginning(*wanted)
            while True:
                for batch in (await consumer.getmany(timeout_ms=100)).values():
                    yield batch
                positions = [await consumer.position(partition) for partition in wanted]
                if all(at >= ends[tp] for at, tp in zip(positions, wanted, strict=True)):
                    return
        finally:
            await consumer.stop()

    async def first_append_s(self, topic: str, partitions: int) -> float | None:
        """Return when the first record of a topic was appended, or None while there is none."""
        wanted = [TopicPartition(topic, number) for number in range(partitions)]
        try:
            found = await self._consumer.offsets_for_times(dict.fromkeys(wanted, 0))
        except KafkaError:  # the topic is not there yet
            return None
        times = [at.timestamp / 1000 for at in found.values() if at is not None]
        return min(times) if times else None


def run(coroutine: Any) -> Any:  # noqa: ANN401 - the result is the coroutine's
    """Run a coroutine from ordinary code."""
    return asyncio.run(coroutine)
