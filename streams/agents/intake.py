"""`intake`: reads engagement events, writes batches for every partition of `engagement-batches`.

At least once, chained: each batch names the source offsets (lo, hi] it answers for and goes to
every target partition; all of them are acknowledged before the source offset is committed. What is
written twice after a crash, `stages` recognises by the chain.

The step runs in a thread of its own: its loops give up the interpreter's lock, so that the event
loop goes on meanwhile, on another core where there is one. So that the thread need not wait for the
loop, it is given the next chunk before what came of the last one is sent.
"""

import asyncio
import logging
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, Final, Protocol

from aiokafka import AIOKafkaProducer

from models.batch_header import NO_TIME_MS
from models.batches import encode_batch, heartbeat
from models.packed_chunk import PackedChunk, packed
from models.steps import Chunk
from streams.agents.alignment import Alignment
from streams.agents.ordered_sending import Message, OrderedSender
from streams.ending import ending_worker
from streams.metrics import Agent, Metrics
from streams.topics import Topic
from streams.transactions import MESSAGE_BYTES_MAX, RECORD_BATCH_BYTES
from streams.transport.chunks import pieces
from streams.transport.consumer import LedgerConsumer
from streams.transport.ledger import Partition
from streams.transport.packing import CHUNK_BYTES
from streams.transport.packing import warm_up as warm_up_packing

log = logging.getLogger(__name__)

IDLE_CHECK_INTERVAL_S: Final = 0.2
"""How often partitions are looked at for idleness; a fiftieth of the default `idle_after_ms`."""
STEP_BYTES_MAX: Final = CHUNK_BYTES
"""Bytes that one step takes; only a chunk of a single, larger record batch is split. The batches of
one step must stay below MESSAGE_BYTES_MAX, also when every event carries a profile, which is hardly
longer than the event itself."""
CHUNKS_UNDER_WAY: Final = 2
"""Chunks that were taken and not sent yet: one in the thread and one that it finds when it is done,
of another partition.
With one the thread stood still for a third of the time (3 million events: 3.7 s in the agent, 2.2
s in the step)."""
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

    @property
    def middle_ms(self) -> int:
        """Where in event time the source stands, NO_TIME_MS when that is not known."""


class IntakeStep(Protocol):
    """The pure step (models/intake.py)."""

    def warm_up(self) -> None:
        """Prepare for `process`, before there is work to do."""

    def process(
        self, chunk: PackedChunk, *, source: int, sources: int, received_ms: int
    ) -> IntakeOutput:
        """Decode, validate, normalise and route one chunk; called in another thread."""


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
        drift_max_ms: int,
        options: Mapping[str, Any],
        metrics: Metrics,
        clock: Callable[[], float] = time.monotonic,
        now_ms: Callable[[], int] = lambda: time.time_ns() // 1_000_000,
    ) -> None:
        """Own nothing yet.

        `topics` maps logical names to real ones, `partitions` counts the targets; `drift_max_ms` is
        how far (in event time) a source partition may be ahead of the slowest; `options` are those
        of aiokafka's clients; `clock` returns seconds that never go backwards, `now_ms` the
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
        self._thread = ThreadPoolExecutor(1, "intake")
        self._places = asyncio.Semaphore(CHUNKS_UNDER_WAY)
        self._last: asyncio.Task[None] | None = None
        self._under_way: dict[Partition, asyncio.Task[None]] = {}
        self._aligning = asyncio.Lock()
        self._alignment = Alignment(drift_max_ms)
        self._rests: dict[Partition, _Rest] = {}
        self._took_s = self._woke_s = float("-inf")
        self._sources = 0
        self._producer: Any = None
        self._sender: OrderedSender | None = None
        self.consumer: LedgerConsumer | None = None

    def _ledger_consumer(self) -> LedgerConsumer:
        if self.consumer is None:
            raise RuntimeError("intake was not attached to a consumer")
        return self.consumer

    def _ordered_sender(self) -> OrderedSender:
        if self._sender is None:
            raise RuntimeError("intake was not started")
        return self._sender

    async def start(self) -> None:
        """Prepare the step, and open the idempotent producer.

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
        self._sender = OrderedSender(self._producer, self._clock)
        await asyncio.to_thread(warm_up_packing)
        loop = asyncio.get_running_loop()
        await loop.run_in_executor(self._thread, self._step.warm_up)

    async def stop(self) -> None:
        """Close the producer."""
        self._thread.shutdown(wait=False, cancel_futures=True)
        if self._sender is not None:
            await self._sender.stop()
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

    async def was_taken_over(self, partition: Partition) -> bool:
        """Return False: there is no state that anybody could write."""
        del partition
        return False

    def opened(self, positions: Mapping[Partition, int]) -> None:
        """Watch the partitions for idleness from here on."""
        now = self._clock()
        self._rests = {tp: _Rest(position, now) for tp, position in positions.items()}
        self._alignment.reset()

    def closed(self) -> None:
        """Watch nothing."""
        self._rests = {}
        self._under_way = {}

    async def take(self, partition: Partition, chunk: PackedChunk | Chunk) -> None:
        """Begin to process a delivered chunk, if it is the next one; return when there is a place.

        Chunks are sent, and noted as done, in the order in which they were taken.
        """
        consumer = self._ledger_consumer()
        with ending_worker(f"intake of {partition.topic}-{partition.partition}"):
            # Old formats come as lists.
            whole = packed(chunk) if isinstance(chunk, Chunk) else chunk
            if partition in self._under_way:
                # Whether this chunk may begin, the alignment after the one before it decides.
                await self._under_way[partition]
            await self._places.acquire()
            rest = await consumer.begin(partition, whole)
            if rest is None:
                self._places.release()
                return
            self._note_activity()
            self._last = asyncio.create_task(self._work_off(partition, rest, self._last))
            self._under_way[partition] = self._last

    async def _work_off(
        self, partition: Partition, chunk: PackedChunk, before: asyncio.Task[None] | None
    ) -> None:
        """Process a chunk that was begun, and send what comes of it after what came before."""
        with ending_worker(f"intake of {partition.topic}-{partition.partition}"):
            if await self._process(partition, chunk, before):
                self._ledger_consumer().end(partition, chunk)
                self._metrics.observe_packed_chunk(Agent.INTAKE, len(chunk), chunk.value_bytes)
            self._places.release()
            await self._align()

    async def _process(
        self, partition: Partition, chunk: PackedChunk, before: asyncio.Task[None] | None
    ) -> bool:
        """Process a chunk; return False when its partition was assigned anew meanwhile.

        Whoever has the partition then reads the chunk again. What was sent of it before is in the
        log twice, which the chain shows.
        """
        ledger = self._ledger_consumer().ledger
        opening = ledger.openings
        loop = asyncio.get_running_loop()
        for piece in pieces(chunk, bytes_max=STEP_BYTES_MAX):
            output = await loop.run_in_executor(
                self._thread, self._run, piece, partition.partition, self._now_ms()
            )
            if before is not None:
                await before
            await self._ordered_sender().room()
            if not ledger.is_open or ledger.openings != opening:
                log.info("%s-%d went away at work", partition.topic, partition.partition)
                return False
            # No wait from here: a checkpoint sees all messages of a piece or none.
            self._send(output, partition)
            if output.middle_ms != NO_TIME_MS:
                self._alignment.note(partition, output.middle_ms)
        return True

    def _run(self, piece: PackedChunk, source: int, received_ms: int) -> IntakeOutput:
        """Run the step, in its thread."""
        return self._step.process(
            piece, source=source, sources=self._sources, received_ms=received_ms
        )

    def _send(self, output: IntakeOutput, source: Partition) -> None:
        sender = self._ordered_sender()
        for target, messages in enumerate(output.batches):
            sender.send(self._target(target), [Message(None, message) for message in messages])
        rejected = [_rejected(reject, source) for reject in output.rejects]
        sender.send(Partition(self._topics[Topic.REJECTED], 0), rejected)
        for reason, rejects in Counter(str(each.reason) for each in output.rejects).items():
            self._metrics.rejects.labels(reason).inc(rejects)
        self._metrics.events.inc(output.events)
        self._metrics.batches.labels("events").inc(sum(map(len, output.batches)))

    def _target(self, target: int) -> Partition:
        return Partition(self._topics[Topic.BATCHES], target)

    async def checkpoint(self) -> Mapping[Partition, int]:
        """Wait until all that was sent is acknowledged; then the offsets may be committed.

        Raises:
            KafkaError: A send failed.
        """
        began = self._clock()
        offsets = self._ledger_consumer().ledger.uncommitted(self.topics)
        await self._ordered_sender().flush()
        if offsets:
            self._metrics.checkpoint_duration.labels(Agent.INTAKE.value).observe(
                self._clock() - began
            )
        return offsets

    # ---- alignment --------------------------------------------------------------------------

    async def _align(self) -> None:
        """Let partitions wait that are far ahead of the others, and go on that no longer are."""
        async with self._aligning:
            await self._align_alone()

    async def _align_alone(self) -> None:
        consumer = self._ledger_consumer()
        ledger = consumer.ledger
        partitions = ledger.partitions(self._input)
        now = self._clock()
        for partition in partitions:
            end, done = consumer.stable_end(partition), ledger.done(partition)
            if end is not None and done is not None and done >= end:
                self._alignment.note_end(partition, now)
        ahead = self._alignment.too_far_ahead(partitions, now)
        for partition in partitions:
            name = f"{partition.topic}-{partition.partition}"
            if partition in ahead and not ledger.is_held(partition):
                log.info("%s waits: %d ms ahead of the slowest", name, ahead[partition])
                consumer.hold(partition)
            elif partition not in ahead and ledger.is_held(partition):
                log.info("%s goes on", name)
                await consumer.release(partition)

    # ---- idleness ---------------------------------------------------------------------------

    async def watch_idleness(self) -> None:
        """Announce partitions that have nothing new, and align the others, until cancelled."""
        while True:
            await asyncio.sleep(IDLE_CHECK_INTERVAL_S)
            with ending_worker("announcing idle partitions"):
                for partition in list(self._rests):
                    await self._look_at(partition)
            with ending_worker("aligning partitions"):
                await self._align()

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
            self._ordered_sender().send(self._target(target), [Message(None, message)])
        rest.announced_s = self._clock()
        self._metrics.batches.labels("heartbeat").inc(self._partitions)


def _rejected(reject: Reject, source: Partition) -> Message:
    """Return the message that tells of a refused one, with its original bytes."""
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
    return Message(f"{source.partition}:{reject.offset}".encode(), value, headers)
