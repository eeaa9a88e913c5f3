"""Messages to Kafka in the order they were given, several in a record batch, with a bound.

What arrives while a record batch of a partition is on its way goes together into the next one: the
busier Kafka is, the fewer and larger the batches. aiokafka's own `send` makes a future for each
message, and splits nothing less.
"""

import asyncio
import time
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, NamedTuple, Protocol

from streams.transport.ledger import Partition

UNACKNOWLEDGED_BYTES_MAX: Final = 64 * 1024 * 1024
"""What may wait for Kafka's acknowledgement before whoever sends has to wait: two seconds of a
million events a second at 30 bytes a row. A broker that is slow or away stops the reading of the
input this way, in place of filling memory."""

SMALL_BYTES: Final = 64 * 1024
"""A record batch below this size waits a little for more: what it costs besides its bytes (35 us,
measured) is then more than the bytes themselves (2 ns each)."""
SMALL_WAIT_S: Final = 0.05
"""How long it waits after the one before it. The first one after a silence goes at once, so that
only a busy stream, spread over many partitions, is told of this much later: a tenth of what the
processing may add at the median."""


class Message(NamedTuple):
    """What is sent."""

    key: bytes | None
    value: bytes | None
    headers: Sequence[tuple[str, bytes]] = ()

    @property
    def size(self) -> int:
        """Its bytes, without those of headers' names."""
        own = len(self.key or b"") + len(self.value or b"")
        return own + sum(len(value) for _, value in self.headers) if self.headers else own


class BatchProducer(Protocol):
    """What is used of aiokafka's producer."""

    def create_batch(self) -> Any:  # noqa: ANN401 - aiokafka ships no types
        """Return an empty record batch."""

    async def send_batch(
        self,
        batch: Any,  # noqa: ANN401 - aiokafka ships no types
        topic: str,
        *,
        partition: int,
    ) -> Awaitable[Any]:
        """Hand over a record batch; what is returned is done when it is acknowledged."""


@dataclass(slots=True)
class _Queue:
    """The messages of one partition that were not handed over yet, and how many ever were taken."""

    waiting: deque[Message] = field(default_factory=deque)
    waiting_bytes: int = 0
    taken: int = 0
    acknowledged: int = 0
    sent_s: float = float("-inf")
    sending: asyncio.Task[None] | None = None


class OrderedSender:
    """Sends messages so that those of one partition arrive in the order they were given.

    One record batch of a partition is on its way at a time. After a failed send every call raises:
    the worker ends, and what was not acknowledged is read again.

    Args:
        producer: An idempotent producer that has been started.
        clock: Returns seconds that never go backwards.
    """

    def __init__(
        self, producer: BatchProducer, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._producer = producer
        self._clock = clock
        self._queues: dict[Partition, _Queue] = {}
        self._bytes = 0
        self._changed = asyncio.Condition()
        self._failure: BaseException | None = None

    @property
    def unacknowledged_bytes(self) -> int:
        """How much was taken and is not acknowledged."""
        return self._bytes

    async def room(self) -> None:
        """Wait until less than UNACKNOWLEDGED_BYTES_MAX is not acknowledged.

        Raises:
            KafkaError: A send failed.
        """
        async with self._changed:
            await self._changed.wait_for(
                lambda: self._failure is not None or self._bytes < UNACKNOWLEDGED_BYTES_MAX
            )
        self._raise_failure()

    def send(self, partition: Partition, messages: Sequence[Message]) -> None:
        """Take messages; they are on their way when the caller waits for something next.

        Raises:
            KafkaError: A send failed.
        """
        self._raise_failure()
        if not messages:
            return
        queue = self._queues.setdefault(partition, _Queue())
        queue.waiting.extend(messages)
        queue.taken += len(messages)
        size = sum(message.size for message in messages)
        queue.waiting_bytes += size
        self._bytes += size
        if queue.sending is None:
            queue.sending = asyncio.create_task(self._send_waiting(partition, queue))

    async def flush(self) -> None:
        """Wait until everything taken so far is acknowledged.

        Raises:
            KafkaError: A send failed.
        """
        goals = [(queue, queue.taken) for queue in self._queues.values()]
        async with self._changed:
            await self._changed.wait_for(
                lambda: (
                    self._failure is not None
                    or all(queue.acknowledged >= goal for queue, goal in goals)
                )
            )
        self._raise_failure()

    async def stop(self) -> None:
        """Send nothing more; what was taken and not flushed is read again by the next worker."""
        sending = [queue.sending for queue in self._queues.values() if queue.sending is not None]
        for task in sending:
            task.cancel()
        await asyncio.gather(*sending, return_exceptions=True)

    def _raise_failure(self) -> None:
        if self._failure is not None:
            raise self._failure

    async def _send_waiting(self, partition: Partition, queue: _Queue) -> None:
        try:
            while queue.waiting:
                early_s = queue.sent_s + SMALL_WAIT_S - self._clock()
                if queue.waiting_bytes < SMALL_BYTES and early_s > 0:
                    await asyncio.sleep(early_s)
                batch, count, size = self._filled(queue.waiting)
                queue.waiting_bytes -= size
                queue.sent_s = self._clock()
                acknowledged = await self._producer.send_batch(
                    batch, partition.topic, partition=partition.partition
                )
                await acknowledged
                queue.acknowledged += count
                self._bytes -= size
                async with self._changed:
                    self._changed.notify_all()
        except Exception as error:  # noqa: BLE001 - whatever it is, `send` and `flush` raise it
            self._failure = error
            async with self._changed:
                self._changed.notify_all()
        finally:
            queue.sending = None

    def _filled(self, waiting: deque[Message]) -> tuple[Any, int, int]:
        """Return a record batch of what waits, how many messages it has, and their size."""
        batch = self._producer.create_batch()
        count = size = 0
        while waiting:
            message = waiting[0]
            appended = batch.append(
                timestamp=None, key=message.key, value=message.value, headers=list(message.headers)
            )
            if appended is None:  # full; an empty batch takes one record of any size
                break
            waiting.popleft()
            count += 1
            size += message.size
        batch.close()
        return batch, count, size
