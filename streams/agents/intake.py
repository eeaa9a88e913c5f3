"""`intake`: reads engagement events, writes batches for every partition of `engagement-batches`.

At least once, chained: each batch names the source offsets (lo, hi] it answers for and goes to
every target partition; all of them are acknowledged before the source offset is committed. What is
written twice after a crash, `stages` recognises by the chain.
"""

import asyncio
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Protocol

from aiokafka import AIOKafkaProducer

from models.batches import encode_batch, heartbeat
from models.steps import Chunk
from streams.ending import ending_worker
from streams.metrics import Agent, Metrics
from streams.topics import Topic
from streams.transactions import MESSAGE_BYTES_MAX, RECORD_BATCH_BYTES
from streams.transport.chunks import pieces
from streams.transport.consumer import LedgerConsumer
from streams.transport.ledger import Partition

IDLE_CHECK_INTERVAL_S: Final = 0.2
"""How often partitions are looked at for idleness; a fiftieth of the default `idle_after_ms`."""
STEP_BYTES_MAX: Final = 4 * 1024 * 1024
"""Decompressed bytes that one step takes. What is fetched is bounded in compressed bytes, and JSON
shrinks twentyfold: the batches of one step must stay below MESSAGE_BYTES_MAX, and the event loop
must not stand still (600,000 JSON events of 134 bytes are decoded in a second, measured: 50 ms)."""
REJECT_HEADERS_BYTES: Final = 4 * 1024
"""Room for the headers and key of a rejected message."""


class Reject(Protocol):
    """A message that intake refuses (models/intake.py)."""

    @property
    def offset(self) -> int:
        """Its offset in the source partition."""

    @property
    def value(self) -> bytes | None:
        """Its original bytes."""

    @property
    def reason(self) -> str:
        """Why, out of a closed set."""

    @property
    def detail(self) -> str:
        """What exactly, for operators."""


class IntakeOutput(Protocol):
    """What one chunk becomes (models/intake.py)."""

    @property
    def batches(self) -> Sequence[Sequence[bytes]]:
        """Messages for each target partition."""

    @property
    def rejects(self) -> Sequence[Reject]:
        """What was refused."""

    @property
    def events(self) -> int:
        """How many events were valid."""


class IntakeStep(Protocol):
    """The pure step (models/intake.py)."""

    def process(self, chunk: Chunk, *, source: int, sources: int, received_ms: int) -> IntakeOutput:
        """Decode, validate, normalise and route one chunk."""


@dataclass(slots=True)
class _Rest:
    """Since when a partition has stood where it stands, and when that was last announced."""

    position: int
    since_s: float
    announced_s: float | None = None
    is_empty: bool | None = None


class IntakePartitions:
    """The host of the input topic's partitions."""

    accepts_loss = True
    saves_positions = False
    is_recovered = True

    def __init__(
        self,
        *,
        topics: Mapping[str, str],
        step: IntakeStep,
        partitions: int,
        idle_after_ms: int,
        options: Mapping[str, Any],
        metrics: Metrics,
        clock: Callable[[], float] = time.monotonic,
        now_ms: Callable[[], int] = lambda: time.time_ns() // 1_000_000,
    ) -> None:
        """Own nothing yet.

        `topics` maps logical names to real ones, `partitions` counts the targets, `options` are
        those of aiokafka's clients; `clock` returns seconds that never go backwards, `now_ms` the
        time at which a chunk is received.
        """
        self._topics = topics
        self._input = topics[Topic.ENGAGEMENT]
        self.topics: Sequence[str] = (self._input,)
        self._step = step
        self._partitions = partitions
        self._idle_after_s = idle_after_ms / 1000
        self._options = options
        self._metrics = metrics
        self._clock = clock
        self._now_ms = now_ms
        self._sending = asyncio.Lock()
        self._unacknowledged: list[Any] = []
        self._rests: dict[Partition, _Rest] = {}
        self._took_s = self._woke_s = float("-inf")
        self._sources = 0
        self._producer: Any = None
        self.consumer: LedgerConsumer | None = None

    def _ledger_consumer(self) -> LedgerConsumer:
        if self.consumer is None:
            raise RuntimeError("intake was not attached to a consumer")
        return self.consumer

    async def start(self) -> None:
        """Open the idempotent producer.

        Raises:
            KafkaError: Kafka does not answer.
        """
        self._producer = AIOKafkaProducer(
            **self._options,
            acks="all",
            enable_idempotence=True,
            max_batch_size=RECORD_BATCH_BYTES,
            max_request_size=MESSAGE_BYTES_MAX,
        )
        await self._producer.start()

    async def stop(self) -> None:
        """Close the producer."""
        if self._producer is not None:
            await self._producer.stop()

    async def assign(self, partitions: frozenset[Partition]) -> None:
        """Learn how many source partitions there are; there is no state to take over."""
        del partitions
        self._sources = len(await self._producer.partitions_for(self._input))

    def saved_position(self, partition: Partition) -> int | None:
        """Return None: intake keeps no state."""
        del partition
        return None

    def opened(self, positions: Mapping[Partition, int]) -> None:
        """Watch the partitions for idleness from here on."""
        now = self._clock()
        self._rests = {tp: _Rest(position, now) for tp, position in positions.items()}

    def closed(self) -> None:
        """Watch nothing."""
        self._rests = {}

    async def take(self, partition: Partition, chunk: Chunk) -> None:
        """Process a delivered chunk, if it is the next one."""
        consumer = self._ledger_consumer()
        with ending_worker(f"intake of {partition.topic}-{partition.partition}"):
            async with self._sending:
                rest = await consumer.begin(partition, chunk)
                if rest is None:
                    return
                self._note_activity()
                for piece in pieces(rest, bytes_max=STEP_BYTES_MAX):
                    output = self._step.process(
                        piece,
                        source=partition.partition,
                        sources=self._sources,
                        received_ms=self._now_ms(),
                    )
                    await self._send(output, partition)
                consumer.end(partition, rest)
        self._metrics.observe_chunk(Agent.INTAKE, rest.values)

    async def _send(self, output: IntakeOutput, source: Partition) -> None:
        for target, messages in enumerate(output.batches):
            for message in messages:
                await self._send_batch(target, message)
        for reject in output.rejects:
            await self._send_reject(reject, source)
            self._metrics.rejects.labels(str(reject.reason)).inc()
        self._metrics.events.inc(output.events)
        self._metrics.batches.labels("events").inc(sum(map(len, output.batches)))

    async def _send_batch(self, target: int, message: bytes) -> None:
        acknowledged = await self._producer.send(
            self._topics[Topic.BATCHES], value=message, partition=target
        )
        # Named first: `self._unacknowledged.append(await …)` would bind the list before the wait,
        # in which a checkpoint may swap it.
        self._unacknowledged.append(acknowledged)

    async def _send_reject(self, reject: Reject, source: Partition) -> None:
        headers = [
            ("reason", str(reject.reason).encode()),
            ("detail", reject.detail.encode()),
            ("source_topic", source.topic.encode()),
            ("source_partition", str(source.partition).encode()),
            ("source_offset", str(reject.offset).encode()),
        ]
        value = reject.value
        if value is not None and len(value) > MESSAGE_BYTES_MAX - REJECT_HEADERS_BYTES:
            headers.append(("truncated_from_bytes", str(len(value)).encode()))
            value = value[: MESSAGE_BYTES_MAX - REJECT_HEADERS_BYTES]
        acknowledged = await self._producer.send(
            self._topics[Topic.REJECTED],
            key=f"{source.partition}:{reject.offset}".encode(),
            value=value,
            partition=0,
            headers=headers,
        )
        self._unacknowledged.append(acknowledged)

    async def checkpoint(self) -> Mapping[Partition, int]:
        """Wait until all that was sent is acknowledged; then the offsets may be committed.

        Raises:
            KafkaError: A send failed.
        """
        began = self._clock()
        offsets = self._ledger_consumer().ledger.uncommitted(self.topics)
        unacknowledged, self._unacknowledged = self._unacknowledged, []
        for acknowledged in unacknowledged:
            await acknowledged
        if offsets:
            self._metrics.checkpoint_duration.labels(Agent.INTAKE.value).observe(
                self._clock() - began
            )
        return offsets

    # ---- idleness ---------------------------------------------------------------------------

    async def watch_idleness(self) -> None:
        """Announce partitions that have nothing new, until cancelled."""
        while True:
            await asyncio.sleep(IDLE_CHECK_INTERVAL_S)
            with ending_worker("announcing idle partitions"):
                for partition in list(self._rests):
                    await self._look_at(partition)

    def _note_activity(self) -> None:
        """Note when the input woke up: until a while later nobody is called idle.

        After a silence the first chunk may bring days of event time (a replay); the chunks of the
        other partitions are on their way, and would come late if these were called idle now.
        """
        now = self._clock()
        if now - self._took_s >= self._idle_after_s:
            self._woke_s = now
        self._took_s = now

    async def _look_at(self, partition: Partition) -> None:
        """Announce that a partition is idle: at once when it is empty, then now and again.

        An idle partition lets the watermark follow the others up to its last announcement
        (models/event_time.py), hence it repeats it every `idle_after_ms`.
        """
        consumer = self._ledger_consumer()
        rest = self._rests.get(partition)
        position = consumer.ledger.done(partition)
        if rest is None or position is None:
            return
        if position != rest.position:
            self._rests[partition] = _Rest(position, self._clock(), is_empty=False)
            return
        end = consumer.stable_end(partition)
        if end is None or position < end:
            return
        if rest.is_empty is None:
            first = (await consumer.earliest_offsets(partition))[partition]
            rest.is_empty = first >= end
        quiet_since_s = max(rest.since_s, rest.announced_s or rest.since_s, self._woke_s)
        never_announced = rest.announced_s is None
        if (rest.is_empty and never_announced) or (
            self._clock() - quiet_since_s >= self._idle_after_s
        ):
            await self._announce(partition, rest)

    async def _announce(self, partition: Partition, rest: _Rest) -> None:
        async with self._sending:
            ledger = self._ledger_consumer().ledger
            if not ledger.is_at_rest(partition) or ledger.done(partition) != rest.position:
                return
            message = encode_batch(
                heartbeat(
                    source=partition.partition,
                    sources=self._sources,
                    offset=rest.position - 1,
                    idle=True,
                    received_ms=self._now_ms(),
                )
            )
            for target in range(self._partitions):
                await self._send_batch(target, message)
            rest.announced_s = self._clock()
            self._metrics.batches.labels("heartbeat").inc(self._partitions)
