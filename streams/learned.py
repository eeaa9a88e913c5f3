"""Reads what was learned: every worker reads all of the topic, from the beginning, for good."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Final

from aiokafka import AIOKafkaConsumer
from aiokafka.errors import KafkaError
from aiokafka.structs import TopicPartition

from streams.ending import end_worker, ending_worker, reason_of
from streams.transport.ledger import Partition

log = logging.getLogger(__name__)

FETCH_MAX_WAIT_MS: Final = 500
"""A new version reaches a waiting step at once, whatever this is; aiokafka's own default."""
KAFKA_PROBE_INTERVAL_S: Final = 5.0
"""How often Kafka is asked whether it is there; an idle worker would not notice otherwise."""
KAFKA_LOST_AFTER_S: Final = 30.0
"""A worker whose Kafka has not answered for so long ends. Longer than the restart of a broker or
the election of a leader; the clients retry in the meantime."""

Learn = Callable[[bytes, bytes | None], Awaitable[None]]


class LearnedReader:
    """Follows the `learned` topic; remembers the latest value of each key."""

    def __init__(
        self,
        *,
        topic: str,
        options: Mapping[str, Any],
        learners: Callable[[], list[Learn]],
        clock: Callable[[], float],
    ) -> None:
        """Read nothing yet; `options` are those of aiokafka's clients, `clock` returns seconds."""
        self._partition = Partition(topic, 0)
        self._options = options
        self._learners = learners
        self._clock = clock
        self._latest: dict[bytes, bytes | None] = {}
        self._consumer: Any = None
        self.is_kafka_silent = False
        """Whether Kafka left the last question unanswered."""

    def latest(self) -> Mapping[bytes, bytes | None]:
        """Return the latest value of each key read so far."""
        return self._latest

    async def start(self) -> None:
        """Read the topic to its end, so that no step waits for what is long known.

        Raises:
            KafkaError: Kafka does not answer.
        """
        partition = TopicPartition(*self._partition)
        self._consumer = AIOKafkaConsumer(
            **self._options,
            group_id=None,
            enable_auto_commit=False,
            isolation_level="read_committed",
            auto_offset_reset="earliest",
            fetch_max_wait_ms=FETCH_MAX_WAIT_MS,
        )
        await self._consumer.start()
        self._consumer.assign([partition])
        await self._consumer.seek_to_beginning(partition)
        end = (await self._consumer.end_offsets([partition]))[partition]
        while await self._consumer.position(partition) < end:
            await self._read(timeout_ms=FETCH_MAX_WAIT_MS)
        log.info("learned: %d keys known", len(self._latest))

    async def follow(self) -> None:
        """Hand on every record that comes, until cancelled."""
        with ending_worker("reading what was learned"):
            while True:
                for key, value in await self._read(timeout_ms=60_000):
                    for learn in self._learners():
                        await learn(key, value)

    async def _read(self, *, timeout_ms: int) -> list[tuple[bytes, bytes | None]]:
        fetched = await self._consumer.getmany(timeout_ms=timeout_ms)
        records = [
            (record.key, record.value)
            for batch in fetched.values()
            for record in batch
            if record.key is not None
        ]
        self._latest.update(records)
        return records

    async def watch_kafka(self) -> None:
        """End the worker when Kafka has not answered for KAFKA_LOST_AFTER_S."""
        answered = self._clock()
        while True:
            await asyncio.sleep(KAFKA_PROBE_INTERVAL_S)
            try:
                async with asyncio.timeout(KAFKA_PROBE_INTERVAL_S):
                    await self._consumer.end_offsets(self._consumer.assignment())
            except (KafkaError, OSError, TimeoutError) as error:
                self.is_kafka_silent = True
                silent_s = self._clock() - answered
                if silent_s >= KAFKA_LOST_AFTER_S:
                    servers = ",".join(self._options["bootstrap_servers"])
                    end_worker(
                        f"Kafka at {servers} has not answered for {silent_s:.0f} s "
                        f"({reason_of(error)})"
                    )
                log.warning("Kafka does not answer (%s)", reason_of(error))
            else:
                answered = self._clock()
                self.is_kafka_silent = False

    async def stop(self) -> None:
        """Close the connection."""
        if self._consumer is not None:
            await self._consumer.stop()
