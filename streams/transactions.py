"""One Kafka transaction for each checkpoint of a partition: rows, outputs and the consumed offset.

Why one producer per partition: aiokafka sends no group generation with the offsets of a
transaction, so fencing a previous owner rests on the transactional id alone, and that id must name
one partition.
"""

import asyncio
from collections.abc import Awaitable, Iterable, Mapping, Sequence
from typing import Any, Final

from aiokafka import AIOKafkaProducer
from aiokafka.structs import TopicPartition

from models.steps import Output
from streams.transport.ledger import Partition

MESSAGE_BYTES_MAX: Final = 16 * 1024 * 1024
"""The largest message that we write: a row of state with its sketches may take several MB. The
topics allow as much (streams/topics.py)."""

RECORD_BATCH_BYTES: Final = 1024 * 1024
"""Rows sent at a time: Kafka's default for the largest request of a producer
(`max.request.size`); 153,000 rows of 300 bytes/s were acknowledged in batches of this size (design,
section 4)."""

TRANSACTION_TIMEOUT_MS: Final = 60_000
"""After so long the broker aborts a transaction whose owner is gone: Kafka's own default
(`transaction.timeout.ms`). Readers of committed data wait at most so long; a new owner aborts it at
once."""

CHECKPOINT_TIMEOUT_S: Final = 45.0
"""A transaction that takes longer ends the worker, before the broker would abort it."""


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
            max_request_size=MESSAGE_BYTES_MAX,
        )
        await self._producer.start()

    async def stop(self) -> None:
        """Close the connections; an open transaction is left to the next owner to abort."""
        if self._producer is not None:
            await self._producer.stop()

    async def commit(
        self,
        rows: Sequence[tuple[bytes, bytes | None]],
        outputs: Iterable[Output],
        offset: int,
    ) -> None:
        """Write rows, outputs and the consumed offset, all or nothing.

        Raises:
            KafkaError: Anything failed, or another producer has taken over the id.
            TimeoutError: It took longer than CHECKPOINT_TIMEOUT_S.
        """
        async with asyncio.timeout(CHECKPOINT_TIMEOUT_S):
            await self._producer.begin_transaction()
            sent = [
                *await self._send_rows(rows),
                *[await self._send(output) for output in outputs],
            ]
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
        self, rows: Sequence[tuple[bytes, bytes | None]]
    ) -> list[Awaitable[object]]:
        """Send rows to the changelog in as few record batches as hold them."""
        topic, partition = self._changelog
        sent: list[Awaitable[object]] = []
        batch = None
        for key, value in rows:
            if batch is None or batch.append(timestamp=None, key=key, value=value) is None:
                if batch is not None:
                    batch.close()
                    sent.append(await self._producer.send_batch(batch, topic, partition=partition))
                batch = self._producer.create_batch()
                # An empty batch takes one record of any size.
                batch.append(timestamp=None, key=key, value=value)
        if batch is not None:
            batch.close()
            sent.append(await self._producer.send_batch(batch, topic, partition=partition))
        return sent

    async def _send(self, output: Output) -> Awaitable[object]:
        acknowledged: Awaitable[object] = await self._producer.send(
            self._topics[output.topic],
            key=output.key,
            value=output.value,
            partition=output.partition,
        )
        return acknowledged
