"""A Faust transport that delivers chunks, checks every delivery, and commits by checkpoints.

What is overridden, and why:

- `AIOKafkaConsumerThread._create_worker_consumer` (faust/transport/drivers/aiokafka.py): asks for
  chunks of committed data and for short waits before the consumer starts.
- `AIOKafkaConsumerThread._fetch_records`: joins what was fetched of a partition into one message.
- `Consumer._wait_next_records` (faust/transport/consumer.py): looks often which partitions to read.
- `LedgerConsumer._getmany`: reads nothing that the ledger would refuse.
- `Consumer._add_gap` (faust/transport/consumer.py): Faust counts every jump of offsets as handled;
  the ledger knows better.
- `Consumer.perform_seek`: nothing. Faust calls it before it clears its queues for the last time,
  and also when it merely finds its flow stopped. We seek in `begin_processing`, which the app calls
  when a rebalance is over (`App.on_rebalance_end`): a chunk that is lost after that seek and is the
  last of its partition would be missed by nobody.
- `Consumer._read_offset`: Faust drops what lies before it, and sets it late, after our seeks.
- `Consumer.force_commit`: the checkpoint of what has no state. The commit timer passes here, and
  the stop, at which everything is made to last.
- `Consumer.on_partitions_revoked`: a last checkpoint, then nothing is processed any more.
- `Consumer.on_partitions_assigned`: the hosts take their partitions (fencing the previous owner)
  before Faust begins recovery.
"""

import asyncio
import logging
import time
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Protocol

from aiokafka.errors import CommitFailedError, IllegalStateError
from aiokafka.structs import OffsetAndMetadata, TopicPartition
from faust.transport.drivers import aiokafka as driver
from faust.types import TP

from models.packed_chunk import PackedChunk
from models.steps import BrokenChainError, Chunk
from streams.ending import EXIT_UNUSABLE, end_worker, ending_worker
from streams.transport.chunks import joined, request_chunks
from streams.transport.ledger import Delivered, Ledger, Partition, Span, Verdict

log = logging.getLogger(__name__)

FETCH_MAX_WAIT_MS: Final = 50
"""How long the broker may wait for news before it answers. aiokafka has one fetch in flight per
broker, so a partition at its end holds up the others for so long: with the 1,500 ms of Faust's
driver a catch-up ran at 662,000 events/s, with 50 ms at 850,000 (design, section 4)."""

RECORDS_WAIT_S: Final = 0.05
"""How long Faust waits for records before it looks anew which partitions are to be read; with its
own second, a partition that is released or recovered was read up to a second late. Twenty looks a
second at idle partitions take 1 % of a core."""

RECORD_BATCHES_PER_FETCH_MAX: Final = 1_000
"""Record batches joined into one chunk. A fetch holds at most `fetch_bytes_max` of a partition, and
a record batch at least 61 bytes; so many keep the step of one chunk below a second."""

MARKER_LOOKS: Final = 10
MARKER_INTERVAL_S: Final = 0.5
"""How often, and how far apart, it is looked whether another worker has written what an offset
tells of: the markers of a transaction reach its partitions one after the other, so that an offset
may be seen before the rows."""


class TakenOverError(RuntimeError):
    """Another worker owns a partition by now, and this one missed the rebalance."""


class Host(Protocol):
    """What owns the partitions of one or more topics: an agent's state and its way to make it last.

    All methods are called in the event loop of the app.
    """

    topics: Sequence[str]
    """The topics (real names) whose chunks it processes."""
    accepts_loss: bool
    """Whether records that the log has already deleted are reported and passed over; otherwise
    they end the worker."""

    async def assign(self, partitions: frozenset[Partition]) -> None:
        """Take over these partitions, and drop all others; from here the old owner is fenced."""

    @property
    def is_recovered(self) -> bool:
        """Whether the state of every partition taken over is complete."""

    def saved_position(self, partition: Partition) -> int | None:
        """Return the offset that the recovered state has come to, None when it holds none."""

    @property
    def saves_positions(self) -> bool:
        """Whether `saved_position` must agree with what is committed.

        Such a host commits its offsets itself, together with its state.
        """

    async def was_taken_over(self, partition: Partition) -> bool:
        """Tell whether another worker has written the partition's state since it was recovered."""

    def opened(self, positions: Mapping[Partition, int]) -> None:
        """Learn that processing of its partitions begins, and where."""

    def closed(self) -> None:
        """Learn that nothing of its partitions is processed any more."""

    async def checkpoint(self) -> Mapping[Partition, int]:
        """Make everything done so far last; return the offsets that the group is to commit.

        A host that saves positions is only asked before its partitions go.
        """


class Hosting(Protocol):
    """What the consumer expects of the app beyond Faust's own."""

    hosts: Sequence[Host]
    packed_topics: Collection[str]
    """The topics (real names) whose chunks are packed (models/packed_chunk.py)."""


@dataclass(frozen=True, slots=True)
class ChunkRecord:
    """The shape of aiokafka's `ConsumerRecord` that Faust reads, around one chunk."""

    topic: str
    partition: int
    offset: int
    value: Chunk | PackedChunk
    timestamp: int = 0
    timestamp_type: int = 0
    headers: tuple[tuple[str, bytes], ...] = ()
    key: bytes = b""
    checksum: int | None = None
    serialized_key_size: int = 0
    serialized_value_size: int = 0


class ChunkThread(driver.AIOKafkaConsumerThread):  # type: ignore[misc] # Faust is read as untyped
    """The thread of the aiokafka consumer, fetching chunks."""

    def _create_worker_consumer(self, transport: Any) -> Any:  # noqa: ANN401 - Faust's types
        consumer = super()._create_worker_consumer(transport)
        hosting: Hosting = transport.app
        request_chunks(
            consumer,
            fetch_max_wait_ms=FETCH_MAX_WAIT_MS,
            packed_topics=hosting.packed_topics,
        )
        return consumer

    async def _fetch_records(
        self,
        consumer: Any,  # noqa: ANN401 - aiokafka's type
        active_partitions: set[Any],
        timeout: float | None = None,  # noqa: ASYNC109 - the signature is Faust's
        max_records: int | None = None,
    ) -> dict[Any, list[ChunkRecord]]:
        del max_records  # it counts records, we count record batches
        fetched = await super()._fetch_records(
            consumer, active_partitions, timeout=timeout, max_records=RECORD_BATCHES_PER_FETCH_MAX
        )
        messages = {}
        for tp, chunks in fetched.items():
            # Packed chunks have their size; the others come one for each record batch.
            whole = chunks if isinstance(chunks[0], PackedChunk) else [joined(chunks)]
            messages[tp] = [
                ChunkRecord(tp.topic, tp.partition, chunk.next_offset - 1, chunk) for chunk in whole
            ]
        return messages

    def stable_end(self, partition: Partition) -> int | None:
        """Return where committed data ended at the last fetch, None when that is not known."""
        consumer = self._ensure_consumer()
        tp = TopicPartition(*partition)
        if tp not in consumer.assignment():
            return None
        end: int | None = consumer.last_stable_offset(tp)
        return end

    async def committed_offsets(
        self, partitions: Sequence[Partition]
    ) -> dict[Partition, int | None]:
        """Return what the group has committed; None where it has committed nothing.

        Faust's `seek_to_committed` fails when a rebalance takes the partitions away meanwhile.
        """
        consumer = self._ensure_consumer()
        return {tp: await consumer.committed(TopicPartition(*tp)) for tp in partitions}

    async def commit_with_group(self, offsets: Mapping[Partition, int]) -> bool:
        """Commit; return False when the partitions have gone to another worker meanwhile.

        Faust's own `_commit` reports success to its caller after most errors, or restarts.
        """
        try:
            await self._ensure_consumer().commit(
                {TopicPartition(*tp): OffsetAndMetadata(at, "") for tp, at in offsets.items()}
            )
        except (CommitFailedError, IllegalStateError):
            return False
        return True


class _NothingRead(dict[Any, None]):
    """Stands in place of Faust's read offsets: nothing was read, so nothing is dropped for it."""

    def __getitem__(self, tp: object) -> None:
        """Return None, "no message read yet"."""

    def __setitem__(self, tp: object, offset: object) -> None:
        """Forget it."""

    def update(self, *_: object, **__: object) -> None:
        """Forget it."""


class LedgerConsumer(driver.Consumer):  # type: ignore[misc] # Faust is read as untyped
    """A consumer whose agents ask the ledger for every chunk, and which commits by checkpoints."""

    app: Any

    def __init__(self, *arguments: Any, **keywords: Any) -> None:  # noqa: ANN401 - passed on to Faust
        super().__init__(*arguments, **keywords)
        self.ledger = Ledger()
        self._checkpointing = asyncio.Lock()
        self.assignments = 0
        """How many times partitions were assigned."""
        self.committing_since_s: float | None = None
        """Since when (time.monotonic) a commit with the group is on its way."""
        self._read_offset = _NothingRead()
        self._standing: dict[Partition, int] = {}

    @property
    def hosts(self) -> Sequence[Host]:
        """The hosts of the app."""
        hosting: Hosting = self.app
        return hosting.hosts

    def _new_consumer_thread(self) -> ChunkThread:
        return ChunkThread(self, loop=self.loop, beacon=self.beacon)

    # ---- deliveries -------------------------------------------------------------------------

    async def begin(self, partition: Partition, chunk: Delivered) -> Delivered | None:
        """Return the part of a delivered chunk that is to be processed now, None for nothing.

        No `await` may stand between this and the change of the state that the chunk leads to.
        """
        delivery = self.ledger.begin(partition, chunk)
        if delivery.verdict is Verdict.GAP and delivery.seek_to is not None:
            return await self._close_gap(partition, chunk, delivery.seek_to)
        return delivery.chunk

    def end(self, partition: Partition, chunk: Span) -> None:
        """Note that a chunk is processed."""
        self.ledger.end(partition, chunk)

    async def _close_gap(
        self, partition: Partition, chunk: Delivered, expected: int
    ) -> Delivered | None:
        """Fetch again what is missing before `chunk`, or find that the log no longer has it."""
        with ending_worker(f"looking for offset {expected} of {_name(partition)}"):
            earliest = (await self.earliest_offsets(partition))[partition]
        if self.ledger.expected(partition) != expected:
            return None  # the partition was closed, or sought, meanwhile
        if earliest > expected:
            self._report_loss(partition, expected, earliest)
            if chunk.low_offset <= earliest:
                return self.ledger.begin(partition, self.ledger.skip_to(partition, chunk)).chunk
        log.info("%s: fetches again from %d, got %d", _name(partition), expected, chunk.low_offset)
        await self.seek(partition, max(expected, earliest))
        return None

    def _report_loss(self, partition: Partition, expected: int, earliest: int) -> None:
        lost = f"offsets {expected} to {earliest - 1} of {_name(partition)} are deleted, unread"
        host = self._host_of(partition)
        if host is None or not host.accepts_loss:
            end_worker(f"{lost}: raise the topic's retention.bytes", EXIT_UNUSABLE)
        log.error("%s: going on after them; raise the topic's retention", lost)

    def _host_of(self, partition: Partition) -> Host | None:
        return next((host for host in self.hosts if partition.topic in host.topics), None)

    def hold(self, partition: Partition) -> None:
        """Deliver nothing more of a partition until `release`."""
        self.ledger.hold(partition)
        if self.ledger.is_held(partition):  # else it is closed, and nobody would release it
            self.pause_partitions({TP(*partition)})

    async def release(self, partition: Partition) -> None:
        """Deliver a held partition again, from where its agent stands."""
        position = self.ledger.release(partition)
        if position is not None:
            self.resume_partitions({TP(*partition)})
            await self.seek(partition, position)

    async def _seek(self, partition: Partition, offset: int) -> None:
        # In the consumer's own thread: Faust seeks across threads, which wakes nobody up.
        try:
            await self._thread.call_thread(self._thread.seek, TopicPartition(*partition), offset)
        except IllegalStateError:
            # Revoked, though the callback has yet to say so: whoever gets it seeks for itself.
            log.info("%s went away before a seek to %d", _name(partition), offset)

    async def _add_gap(self, tp: Any, offset_from: int, offset_to: int) -> None:  # noqa: ANN401 - Faust's type
        """Do nothing: the ledger knows of every gap."""

    def stable_end(self, partition: Partition) -> int | None:
        """Return where committed data ended at the last fetch, None when that is not known."""
        end: int | None = self._thread.stable_end(partition)
        return end

    async def _wait_next_records(self, timeout: float) -> tuple[Any, Any]:  # noqa: ASYNC109 - the signature is Faust's
        if self.flow_active and not self._get_active_partitions():
            await self.sleep(RECORDS_WAIT_S)
            return {}, set()
        found: tuple[Any, Any] = await super()._wait_next_records(min(timeout, RECORDS_WAIT_S))
        return found

    async def _getmany(self, active_partitions: set[Any], timeout: float) -> Any:  # noqa: ANN401, ASYNC109 - the signature is Faust's
        """Read what is wanted, and of the hosts' topics only what may be processed.

        Between Faust's resuming its flow and the opening of the ledger a million events were read
        here, only to be refused and read again (measured).
        """
        hosted = {topic for host in self.hosts for topic in host.topics}
        wanted = {
            tp
            for tp in active_partitions
            if tp.topic not in hosted or self.ledger.expected(Partition(*tp)) is not None
        }
        if not wanted:
            await self.sleep(RECORDS_WAIT_S)
            return {}
        return await super()._getmany(wanted, timeout)

    async def verify_all_partitions_active(self) -> None:
        """Do nothing: it judges by acknowledgements, and warns of held partitions at length.

        Lag is a metric (streams/metrics.py).
        """

    # ---- assignment -------------------------------------------------------------------------

    async def on_partitions_revoked(self, revoked: set[Any]) -> None:
        """Make a last checkpoint while the partitions are still ours, then process nothing more."""
        if not self.app.should_stop:
            await self.checkpoint()
        self._close()
        await super().on_partitions_revoked(revoked)

    async def on_partitions_assigned(self, assigned: set[Any], generation_id: int = 0) -> None:
        """Let the hosts take over before Faust begins recovery."""
        self._close()
        self.assignments += 1
        if not self.app.should_stop:
            with ending_worker("taking over partitions"):
                await asyncio.gather(
                    *(host.assign(self._of(host, assigned)) for host in self.hosts)
                )
        await super().on_partitions_assigned(assigned, generation_id)

    def _of(self, host: Host, assigned: Iterable[Any]) -> frozenset[Partition]:
        return frozenset(Partition(*tp) for tp in assigned if tp.topic in host.topics)

    def _close(self) -> None:
        self.ledger.close()
        for host in self.hosts:
            host.closed()

    async def perform_seek(self) -> None:
        """Do nothing: see `begin_processing`."""

    async def begin_processing(self) -> None:
        """Seek to where each partition begins and open the ledger, once Faust's flow is resumed."""
        if self.ledger.is_open or not all(host.is_recovered for host in self.hosts):
            return  # another rebalance has come meanwhile
        with ending_worker("finding where to begin"):
            positions = await self._starting_positions()
            if positions is None:
                return
            self.ledger.open(positions)
            # Closing the ledger has forgotten what was held; Faust remembers what was paused, also
            # over an assignment that leaves the partition here.
            self.resume_partitions({TP(*tp) for tp in positions})
            for host in self.hosts:
                host.opened({tp: at for tp, at in positions.items() if tp.topic in host.topics})
            for partition, offset in positions.items():
                await self.seek(partition, offset)
        log.info("begins at %s", {_name(tp): at for tp, at in sorted(positions.items())})

    async def seek_what_stands(self) -> None:
        """Fetch again where there is more to read, but nothing was processed since the last call.

        A net below the ledger: it sees a gap only when a later chunk arrives, and the last chunk
        of a partition has no later one.
        """
        if not self.ledger.is_open and not self.app.rebalancing and self.assignment():
            await self.begin_processing()
        standing = {}
        for partition in [tp for host in self.hosts for tp in self._of(host, self.assignment())]:
            expected = self.ledger.expected(partition)
            end = self.stable_end(partition)
            if expected is None or end is None or expected >= end:
                continue
            if self.ledger.is_held(partition) or not self.ledger.is_at_rest(partition):
                continue
            standing[partition] = expected
            if self._standing.get(partition) == expected:
                log.warning("%s stands at %d of %d: fetches again", _name(partition), expected, end)
                await self.seek(partition, expected)
        self._standing = standing

    async def _starting_positions(self) -> dict[Partition, int] | None:
        """Return where each partition begins, checked against the log and against the states.

        None when there is nothing to begin any more: another call has begun, or a rebalance.

        Raises:
            BrokenChainError: What is committed contradicts the log or a saved state.
            TakenOverError: Another worker has taken a partition over.
        """
        assignments = self.assignments
        partitions = sorted({tp for host in self.hosts for tp in self._of(host, self.assignment())})
        if not partitions:
            return {}
        committed_offsets = await self._thread.call_thread(
            self._thread.committed_offsets, partitions
        )
        earliest = await self.earliest_offsets(*partitions)
        end = await self.highwaters(*partitions)
        # Before anything is compared: what is saved may be of another assignment by now, or of one
        # that was counted already when this began and whose hosts only take over now; and what is
        # committed may come from processing that has begun, and even ended, meanwhile.
        if assignments != self.assignments or self.ledger.is_open or self.app.rebalancing:
            return None
        if not all(host.is_recovered for host in self.hosts):
            return None
        positions = {}
        for partition in partitions:
            host = self._host_of(partition)
            committed = committed_offsets[partition]
            saved = host.saved_position(partition) if host is not None else None
            if host is not None and host.saves_positions:
                await _check_saved(self.app.conf.id, host, partition, committed, saved)
            position = next(at for at in (saved, committed, earliest[partition]) if at is not None)
            if position > end[partition]:
                raise BrokenChainError(
                    f"{_name(partition)} ends at {end[partition]}, but was read to {position}: was "
                    "it deleted and created anew? Choose another HOTSPOTS_APP_ID"
                )
            positions[partition] = position
        return positions

    # ---- checkpoints ------------------------------------------------------------------------

    async def force_commit(
        self,
        topics: Any = None,  # noqa: ANN401 - Faust's type
        start_new_transaction: bool = True,
    ) -> bool:
        """Commit with the group what the timer is there for; everything at the stop.

        Partitions with state keep their own time (streams/checkpoints.py).
        """
        del topics, start_new_transaction
        # Faust keeps on noting acknowledgements that nobody reads.
        self._acked.clear()
        self._acked_index.clear()
        if self.app.should_stop:
            return await self.checkpoint()
        return await self._commit_group()

    async def checkpoint(self) -> bool:
        """Make everything last before the partitions go; return whether the group committed."""
        if not self.ledger.is_open:
            return False
        with ending_worker("a checkpoint"):
            _, committed = await asyncio.gather(
                asyncio.gather(*(host.checkpoint() for host in self.hosts if host.saves_positions)),
                self._commit_group(),
            )
        return committed

    async def _commit_group(self) -> bool:
        """Commit the offsets of the hosts without state; return whether there were any."""
        if not self.ledger.is_open:
            return False
        async with self._checkpointing:
            self.committing_since_s = time.monotonic()
            with ending_worker("a checkpoint"):
                hosts = [host for host in self.hosts if not host.saves_positions]
                parts = await asyncio.gather(*(host.checkpoint() for host in hosts))
                offsets = {tp: at for part in parts for tp, at in part.items()}
                committed = bool(offsets) and bool(
                    await self._thread.call_thread(self._thread.commit_with_group, offsets)
                )
            self.committing_since_s = None
            if committed:
                self.ledger.committed(offsets)
            return committed


async def _check_saved(
    app_id: str, host: Host, partition: Partition, committed: int | None, saved: int | None
) -> None:
    """Compare the committed offset with the one that was saved with the state.

    Both are written in one transaction, hence always agree, unless somebody reset one of them, or
    another worker has written both since this one recovered.

    Raises:
        TakenOverError: Another worker has taken the partition over.
        BrokenChainError: They differ, so that events would be counted twice or not at all.
    """
    if committed is None or committed == saved:
        return
    for _ in range(MARKER_LOOKS):
        if await host.was_taken_over(partition):
            raise TakenOverError(
                f"{_name(partition)} was taken over while this worker recovered it and missed that "
                "it had lost it: start again"
            )
        await asyncio.sleep(MARKER_INTERVAL_S)
    raise BrokenChainError(
        f"group {app_id} stands at {committed} of {_name(partition)}, but its state was saved "
        f"at {saved}: were offsets reset or a changelog deleted? Choose another HOTSPOTS_APP_ID"
    )


def _name(partition: Partition) -> str:
    return f"{partition.topic}-{partition.partition}"


class ChunkTransport(driver.Transport):  # type: ignore[misc] # Faust is read as untyped
    """Faust's Kafka transport with our consumer."""

    Consumer = LedgerConsumer
