"""One Kafka transaction for each checkpoint of a partition: rows, outputs and the consumed offset.

Outputs that their reader knows when they come again may have a transaction of their own ahead of
it: many rows take time to write, and nobody is to wait for them.

Why one producer per partition: aiokafka sends no group generation with the offsets of a
transaction, so fencing a previous owner rests on the transactional id alone, and that id must name
one partition.
"""

import asyncio
from collections.abc import Awaitable, Iterable, Mapping
from typing import Any, Final

from aiokafka import AIOKafkaProducer
from aiokafka.structs import TopicPartition

from models.steps import Output
from streams.transport.ledger import Partition

MESSAGE_BYTES_MAX: Final = 16 * 1024 * 1024
"""The largest message that we write, before compression. The topics allow as much
(streams/topics.py)."""

RECORD_BATCH_BYTES: Final = 1024 * 1024
"""Rows sent at a time: Kafka's default for the largest request of a producer
(`max.request.size`); 153,000 rows of 300 bytes/s were acknowledged in batches of this size (design,
section 4)."""

RECORD_OVERHEAD_BYTES: Final = 92
"""Header of a record batch (61 bytes), of a record (21) and two lengths (5 each); aiokafka counts
them when it compares with `max_request_size`."""
_KEY_SHOWN_BYTES: Final = 64
"""The ids of most videos and works are shorter."""

COMPRESSION: Final = "snappy"
"""How rows and outputs are compressed. 100,000 rows of 700 bytes (a fifth of them hot) took 0.16 s
of CPU and 145 MB as they are, 0.22 s and 27 MB with snappy, 0.32 s and 22 MB with zstd, and 3.6 s
and 47 MB with aiokafka's lz4 (measured)."""

TRANSACTION_TIMEOUT_MS: Final = 60_000
"""After so long the broker aborts a transaction whose owner is gone: Kafka's own default
(`transaction.timeout.ms`). Readers of committed data wait at most so long; a new owner aborts it at
once."""

CHECKPOINT_TIMEOUT_S: Final = 45.0
"""A transaction that takes longer ends the worker, before the broker would abort it."""


class OversizedMessageError(ValueError):
    """A row or an output is larger than the topics take."""


class PartitionTransactions:
    """Writes the checkpoints of one consumed partition under its own transactional id."""

    def __init__(
        self,
        *,
        app_id: str,
        consumed: Partition,
        changelog: Partition,
        topics: Mapping[str, str],
        options: Mapping[str, Any],
    ) -> None:
        """Name everything; nothing is sent before `start`.

        `consumed` is the partition whose offset is committed, `changelog` the one that takes the
        rows, `topics` maps logical names of outputs to real ones, `options` are those of
        aiokafka's clients.
        """
        self._app_id = app_id
        self._consumed = consumed
        self._changelog = changelog
        self._topics = topics
        self._options = options
        self._producer: Any = None

    @property
    def transactional_id(self) -> str:
        """The id under which only one producer at a time may write."""
        return f"{self._app_id}-{self._consumed.topic}-{self._consumed.partition}"

    async def start(self) -> None:
        """Fence the previous owner: its open transaction is aborted before this returns."""
        self._producer = AIOKafkaProducer(
            **self._options,
            transactional_id=self.transactional_id,
            transaction_timeout_ms=TRANSACTION_TIMEOUT_MS,
            max_batch_size=RECORD_BATCH_BYTES,
            compression_type=COMPRESSION,
            max_request_size=MESSAGE_BYTES_MAX,
        )
        await self._producer.start()

    async def stop(self) -> None:
        """Close the connections; an open transaction is left to the next owner to abort."""
        if self._producer is not None:
            await self._producer.stop()

    async def tell(self, outputs: Iterable[Output]) -> None:
        """Write outputs, all or nothing, ahead of the rows and the offset.

        Raises:
            OversizedMessageError: An output is larger than MESSAGE_BYTES_MAX.
            KafkaError: Anything failed, or another producer has taken over the id.
            TimeoutError: It took longer than CHECKPOINT_TIMEOUT_S.
        """
        async with asyncio.timeout(CHECKPOINT_TIMEOUT_S):
            await self._producer.begin_transaction()
            sent = [await self._send(output) for output in outputs]
            for acknowledged in sent:
                await acknowledged
            await self._producer.commit_transaction()

    async def commit(
        self,
        rows: Iterable[tuple[bytes, bytes | None]],
        outputs: Iterable[Output],
        offset: int,
    ) -> None:
        """Write rows, outputs and the consumed offset, all or nothing.

        Raises:
            OversizedMessageError: A row or output is larger than MESSAGE_BYTES_MAX.
            KafkaError: Anything failed, or another producer has taken over the id.
            TimeoutError: It took longer than CHECKPOINT_TIMEOUT_S.
        """
        async with asyncio.timeout(CHECKPOINT_TIMEOUT_S):
            await self._producer.begin_transaction()
            sent = [await self._send(output) for output in outputs]
            sent += await self._send_rows(rows)
            await self.before_offsets()
            for acknowledged in sent:
                await acknowledged
            await self._producer.send_offsets_to_transaction(
                {TopicPartition(*self._consumed): offset}, self._app_id
            )
            await self.before_commit()
            await self._producer.commit_transaction()

    async def before_offsets(self) -> None:
        """Do nothing; a place between the steps, where tests end or stop the process."""

    async def before_commit(self) -> None:
        """Do nothing; see `before_offsets`."""

    async def _send_rows(
        self, rows: Iterable[tuple[bytes, bytes | None]]
    ) -> list[Awaitable[object]]:
        """Send rows to the changelog in as few record batches as hold them.

        Between two batches the event loop gets its turn: `send_batch` waits until the batch before
        is on its way, so that hundreds of thousands of rows neither block it nor pile up.
        """
        topic, partition = self._changelog
        sent: list[Awaitable[object]] = []
        batch = None
        for key, value in rows:
            if batch is None or batch.append(timestamp=None, key=key, value=value) is None:
                if batch is not None:
                    sent.append(await self._send_batch(batch, topic, partition))
                _check_size(topic, key, value)
                batch = self._producer.create_batch()
                # An empty batch takes one record of any size.
                batch.append(timestamp=None, key=key, value=value)
        if batch is not None:
            sent.append(await self._send_batch(batch, topic, partition))
        return sent

    async def _send_batch(self, batch: Any, topic: str, partition: int) -> Awaitable[object]:  # noqa: ANN401 - aiokafka's type
        batch.close()
        acknowledged: Awaitable[object] = await self._producer.send_batch(
            batch, topic, partition=partition
        )
        await asyncio.sleep(0)
        return acknowledged

    async def _send(self, output: Output) -> Awaitable[object]:
        topic = self._topics[output.topic]
        _check_size(topic, output.key, output.value)
        acknowledged: Awaitable[object] = await self._producer.send(
            topic,
            key=output.key,
            value=output.value,
            partition=output.partition,
            headers=list(output.headers),
        )
        return acknowledged


def _check_size(topic: str, key: bytes | None, value: bytes | None) -> None:
    """Name what Kafka would refuse without a name.

    Raises:
        OversizedMessageError: The message does not fit into the topic.
    """
    size = len(key or b"") + len(value or b"") + RECORD_OVERHEAD_BYTES
    if size > MESSAGE_BYTES_MAX:
        raise OversizedMessageError(
            f"a message for {topic} with key {_shown(key)} has {size} bytes, more than the "
            f"{MESSAGE_BYTES_MAX} that our topics take"
        )


def _shown(key: bytes | None) -> str:
    """Show the beginning of a key.

    >>> _shown(b"board"), _shown(b"x" * 1000)
    ("b'board'", "b'xxxxxxxx'...")
    """
    if key is None or len(key) <= _KEY_SHOWN_BYTES:
        return repr(key)
    return f"{key[:8]!r}..."
