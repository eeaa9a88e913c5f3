"""The topic `alerts` as one route reads it, with the position of its own consumer group.

Each route is a group, of which one worker has the topic's one partition: a route that stands delays
no other, and another worker takes it over with all that waits.
"""

import asyncio
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, ConsumerRebalanceListener, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import (
    CommitFailedError,
    IllegalStateError,
    RebalanceInProgressError,
    UnknownMemberIdError,
)

from streams.delivery.hook_position import HookPosition

RECORDS_MAX: Final = 100
"""Alerts fetched at a time: 2 MB of the largest that are usual."""
REQUEST_TIMEOUT_MS: Final = 30_000
"""How long Kafka may be silent before the worker ends, as with all else it asks for."""
POLL_S_MAX: Final = 1.0
"""A group takes a member that asks for nothing for dead (`max.poll.interval.ms`, five minutes), so
also a route that waits goes on asking, for nothing."""

POLL_S_MIN: Final = 0.01
"""aiokafka that is given no time lets nobody else run; nothing here is in such a hurry."""


@dataclass(frozen=True, slots=True)
class LoggedAlert:
    """One message of the topic: its offset, the broker's time, and the bytes."""

    offset: int
    appended_ms: int
    value: bytes


class LostError(Exception):
    """The partition has gone to another worker; what is in memory is worth nothing."""


class _Assigned(ConsumerRebalanceListener):  # type: ignore[misc] # aiokafka is read as untyped
    def __init__(self) -> None:
        self.times = 0

    def on_partitions_revoked(self, revoked: Sequence[Any]) -> None:
        """Do nothing: what was not committed is delivered again."""

    def on_partitions_assigned(self, assigned: Sequence[Any]) -> None:
        """Count it: the position is loaded anew."""
        del assigned
        self.times += 1


class AlertLog:
    """Reads the alerts for one route."""

    def __init__(
        self,
        *,
        topic: str,
        group: str,
        options: Mapping[str, Any],
        session_timeout_ms: int = 10_000,
        instance_id: str = "",
    ) -> None:
        self._partition = TopicPartition(topic, 0)
        self._group = group
        self._options = dict(options)
        self._assigned = _Assigned()
        self._loaded = 0
        self._consumer: Any = AIOKafkaConsumer(
            **self._options,
            group_id=group,
            group_instance_id=instance_id or None,
            enable_auto_commit=False,
            isolation_level="read_committed",
            auto_offset_reset="earliest",
            session_timeout_ms=session_timeout_ms,
            heartbeat_interval_ms=session_timeout_ms // 5,
            request_timeout_ms=max(REQUEST_TIMEOUT_MS, session_timeout_ms + 1_000),
        )

    async def start(self) -> None:
        """Join the group."""
        self._consumer.subscribe([self._partition.topic], listener=self._assigned)
        await self._consumer.start()

    async def stop(self) -> None:
        """Leave the group; nothing is committed."""
        await self._consumer.stop()

    @property
    def is_ours(self) -> bool:
        """Whether this worker has the partition, and its position was loaded since it was given."""
        return self._has_it and self._loaded == self._assigned.times

    @property
    def _has_it(self) -> bool:
        return self._partition in self._consumer.assignment()

    async def load(self) -> HookPosition | None:
        """Wait a little for the partition and return the committed position.

        Returns None as long as another worker has it or Kafka does not tell. A new group has none:
        `next_offset` is -1.

        Raises:
            ValueError: The position is one of another version.
        """
        if not self._has_it:
            await self._consumer.getmany(timeout_ms=int(POLL_S_MAX * 1000 / 4))
            return None
        assigned = self._assigned.times
        committed = await self._consumer.committed(self._partition)
        if committed is None:
            self._loaded = assigned
            return HookPosition(-1)
        metadata = await self._metadata_of(committed)
        if metadata is None:
            return None
        self._loaded = assigned
        return HookPosition.of(committed, metadata)

    async def _metadata_of(self, committed: int) -> str | None:
        """Return what was committed beside an offset, None when Kafka does not tell it now.

        The consumer itself tells the offset alone; the client for administration, which tells both,
        takes a coordinator that is just moving for one that knows nothing.
        """
        admin = AIOKafkaAdminClient(**self._options, request_timeout_ms=REQUEST_TIMEOUT_MS)
        await admin.start()
        try:
            found = await admin.list_consumer_group_offsets(
                self._group, partitions=[self._partition]
            )
        finally:
            await admin.close()
        about = found.get(self._partition)
        if about is None or about.offset != committed:
            await asyncio.sleep(POLL_S_MAX)
            return None
        return about.metadata or ""

    async def offset_since(self, appended_ms: int) -> int:
        """Return the first offset that was appended at a time or later."""
        found = await self._consumer.offsets_for_times({self._partition: max(0, appended_ms)})
        if (at := found.get(self._partition)) is not None:
            return int(at.offset)
        ends = await self._consumer.end_offsets([self._partition])
        return int(ends[self._partition])

    def seek(self, offset: int) -> None:
        """Read from an offset on."""
        with _losing():
            self._consumer.seek(self._partition, offset)

    async def read(self, wait_s: float) -> list[LoggedAlert]:
        """Return the next alerts, after `wait_s` (at most POLL_S_MAX) at the latest."""
        if self._consumer.paused():
            self._consumer.resume(self._partition)
        return await self._poll(wait_s)

    async def rest(self, wait_s: float) -> None:
        """Read nothing for so long, and stay a member."""
        if self._has_it:
            self._consumer.pause(self._partition)
        await self._poll(wait_s)

    async def _poll(self, wait_s: float) -> list[LoggedAlert]:
        records = await self._consumer.getmany(
            timeout_ms=int(min(max(wait_s, POLL_S_MIN), POLL_S_MAX) * 1000),
            max_records=RECORDS_MAX,
        )
        return [
            LoggedAlert(record.offset, record.timestamp, record.value or b"")
            for record in records.get(self._partition, ())
        ]

    async def commit(self, position: HookPosition) -> None:
        """Keep a position.

        Raises:
            LostError: The partition has gone to another worker, which delivers from the last one.
        """
        with _losing():
            await self._consumer.commit(
                {self._partition: (position.first_offset, position.metadata())}
            )


@contextmanager
def _losing() -> Iterator[None]:
    """Turn errors of a member that has lost its partition into LostError."""
    try:
        yield
    except (
        CommitFailedError,
        IllegalStateError,
        RebalanceInProgressError,
        UnknownMemberIdError,
    ) as error:
        raise LostError from error


class DeadLetters:
    """The topic of what could not be delivered."""

    def __init__(self, topic: str, options: Mapping[str, Any]) -> None:
        self._topic = topic
        self._options = dict(options)
        self._producer: Any = None
        self._starting = asyncio.Lock()

    async def write(self, route: str, alert: bytes, why: str, attempts: int) -> None:
        """Write an alert that a route could not deliver; acknowledged when this returns."""
        async with self._starting:
            if self._producer is None:
                producer = AIOKafkaProducer(**self._options, enable_idempotence=True)
                await producer.start()
                self._producer = producer
        headers = [("route", route), ("reason", why), ("attempts", str(attempts))]
        await self._producer.send_and_wait(
            self._topic,
            key=route.encode(),
            value=alert,
            headers=[(name, text.encode()) for name, text in headers],
        )

    async def stop(self) -> None:
        """Close the connection, where there is one."""
        if self._producer is not None:
            await self._producer.stop()


Clock = Callable[[], int]
"""The wall clock in milliseconds."""


def parse_alert(value: bytes) -> dict[str, Any] | None:
    """Return the CloudEvent that bytes hold, None when they hold none of ours.

    >>> parse_alert(b"[1]") is None
    True
    """
    try:
        alert = json.loads(value)
        if isinstance(alert["data"], dict) and all(alert[k] for k in ("id", "type", "subject")):
            event_time_ms(alert)
            return dict(alert)
    except (ValueError, KeyError, TypeError):
        return None
    return None


def event_time_ms(alert: dict[str, Any]) -> int:
    """Return the event time of an alert.

    >>> event_time_ms({"time": "1970-01-01T00:00:01.500Z"})
    1500
    """
    return round(datetime.fromisoformat(alert["time"]).timestamp() * 1000)
