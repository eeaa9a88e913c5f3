"""Events to Kafka: in the order given, spread over the partitions, at a chosen speed.

aiokafka's batches are built here record by record and sent whole: kafka-python, which has no bound
on what it buffers, carried 47,000 events/s on the same machine at its best (zstd, batches of
256 KiB), and this 980,000.
"""

import asyncio
import time
from collections import deque
from collections.abc import Awaitable, Callable, Iterable, Iterator, Sequence
from types import TracebackType
from typing import Any, Final, Self

from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaError

from streams.errors import UserError
from streams.security import KafkaSettings, client_options

END_MARK_KEY: Final = b"hotspots:end"
"""With a null value it ends a partition of a finished replay (docs/architecture.md)."""

CHUNK_EVENTS: Final = 8_000
"""Events handed on at a time: some 800 KB, less than RECORD_BATCH_BYTES for each partition."""

RECORD_BATCH_BYTES: Final = 512 * 1024
"""Half of what a consumer fetches from one partition at a time (Kafka's default, 1 MiB)."""

MESSAGE_BYTES_MAX: Final = 16 * 1024 * 1024
"""One event at most: the longest line that streams/scenarios/event_files.py reads."""

IN_FLIGHT_BATCHES_MAX: Final = 32
"""Batches sent and not yet acknowledged: 16 MB at most, however slow the broker is."""

TICK_S: Final = 0.05
"""At a chosen speed events leave every 50 ms: five minutes and a half of event time in the demo."""

REQUEST_TIMEOUT_MS: Final = 30_000
"""How long an acknowledgement may take before sending gives up."""

INPUT_PARTITIONS: Final = 4
"""Partitions of the input topic where `demo`, `simulate` and `replay` must create it."""


class EventProducer:
    """Sends events to the partitions of one topic in turn; an asynchronous context manager.

    Idempotent: what is retried is not stored twice, and each partition keeps the order.

    Raises:
        UserError: Kafka does not answer, refuses, or does not have the topic.
    """

    def __init__(self, settings: KafkaSettings, topic: str) -> None:
        self._settings = settings
        self._topic = topic
        self._producer: Any = None
        self._partitions: list[int] = []
        self._next = 0
        self._in_flight: deque[Awaitable[object]] = deque()

    async def __aenter__(self) -> Self:
        self._producer = AIOKafkaProducer(
            **client_options(self._settings),
            enable_idempotence=True,
            # Events repeat their names: an eighth of the bytes is left, hardly any time is lost.
            compression_type="zstd",
            max_batch_size=RECORD_BATCH_BYTES,
            max_request_size=MESSAGE_BYTES_MAX,
            request_timeout_ms=REQUEST_TIMEOUT_MS,
        )
        try:
            await self._producer.start()
            self._partitions = sorted(await self._producer.partitions_for(self._topic))
        except (KafkaError, OSError) as error:
            await self._producer.stop()
            raise self._failed(error) from error
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self._producer.stop()

    async def send(self, values: Sequence[bytes]) -> None:
        """Send events, the first to the partition after that of the last before.

        Returns once they are on their way; at most IN_FLIGHT_BATCHES_MAX batches are.
        """
        count = len(self._partitions)
        for turn in range(min(count, len(values))):
            partition = self._partitions[(self._next + turn) % count]
            await self._send_to(partition, values[turn::count])
        self._next = (self._next + len(values)) % count

    async def flush(self) -> None:
        """Wait until everything sent so far is acknowledged."""
        while self._in_flight:
            await self._acknowledged()

    async def end(self) -> None:
        """Put an end mark on every partition, after everything before is acknowledged."""
        await self.flush()
        for partition in self._partitions:
            batch = self._producer.create_batch()
            batch.append(timestamp=None, key=END_MARK_KEY, value=None)
            await self._hand_over(batch, partition)
        await self.flush()

    async def _send_to(self, partition: int, values: Sequence[bytes]) -> None:
        batch = self._producer.create_batch()
        for value in values:
            if batch.append(timestamp=None, key=None, value=value) is None:
                await self._hand_over(batch, partition)
                batch = self._producer.create_batch()
                # An empty batch takes one record of any size.
                batch.append(timestamp=None, key=None, value=value)
        await self._hand_over(batch, partition)

    async def _hand_over(self, batch: Any, partition: int) -> None:  # noqa: ANN401 - untyped
        while len(self._in_flight) >= IN_FLIGHT_BATCHES_MAX:
            await self._acknowledged()
        batch.close()
        try:
            sent = await self._producer.send_batch(batch, self._topic, partition=partition)
        except (KafkaError, OSError) as error:
            raise self._failed(error) from error
        self._in_flight.append(sent)

    async def _acknowledged(self) -> None:
        try:
            await self._in_flight.popleft()
        except (KafkaError, OSError) as error:
            raise self._failed(error) from error

    def _failed(self, error: Exception) -> UserError:
        return UserError(
            f"events cannot be sent to topic {self._topic} at {self._settings.kafka}, "
            f"{type(error).__name__}: {error}",
            "HOTSPOTS_KAFKA",
            "run `hotspots check`, which finds out why",
        )


class Pace:
    """How much faster than life events are sent; None is as fast as Kafka takes them."""

    def __init__(self, speed: float | None, clock_s: Callable[[], float] = time.monotonic) -> None:
        self._speed = speed
        self._clock_s = clock_s
        self._began_s = 0.0
        self._first_ms: int | None = None

    def wait_s(self, time_ms: int) -> float:
        """Return how long it is until an event of that time is due; 0 when it is overdue."""
        if self._speed is None:
            return 0.0
        if self._first_ms is None:
            self._first_ms = time_ms
            self._began_s = self._clock_s()
        due_s = self._began_s + (time_ms - self._first_ms) / 1000 / self._speed
        return max(0.0, due_s - self._clock_s())


async def produce(
    producer: EventProducer,
    events: Iterable[tuple[int, bytes]],
    pace: Pace,
    sent: Callable[[int, int], None],
) -> int:
    """Send all events in order, each not before it is due; return how many there were.

    Args:
        producer: Where they go.
        events: When the platform sends each (ms since the epoch), and its bytes.
        pace: The speed.
        sent: Told after each chunk how many events it had and the time of its last event.
    """
    total = 0
    for chunk, last_ms, wait_s in chunks_of(events, pace):
        if chunk:
            await producer.send(chunk)
            total += len(chunk)
            sent(len(chunk), last_ms)
        # Also without a pause: acknowledgements and the screen need their turn.
        await asyncio.sleep(wait_s)
    await producer.flush()
    return total


def chunks_of(
    events: Iterable[tuple[int, bytes]], pace: Pace
) -> Iterator[tuple[list[bytes], int, float]]:
    """Yield what may be sent together, the time of its last event, and the pause after it."""
    chunk: list[bytes] = []
    last_ms = 0
    for time_ms, value in events:
        wait_s = pace.wait_s(time_ms)
        if wait_s > TICK_S or len(chunk) >= CHUNK_EVENTS:
            yield chunk, last_ms, wait_s
            chunk = []
        chunk.append(value)
        last_ms = time_ms
    yield chunk, last_ms, 0.0
