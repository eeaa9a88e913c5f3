"""The owner of a stateful step's partitions: recovery, processing, holding, exact checkpoints.

`stages` and `hotspots` are both run by this one class. Each partition has its step, its own
transactions and its position, and these three never part: what is committed is always the offset
that the rows belong to. When a partition is committed, streams/checkpoints.py says.

The position is also saved as a row of the changelog, in the same transaction, and compared with
the committed offset before anything is processed. The check is worth its
40 bytes: without it, agents that run before recovery is complete count twice,
and nothing says so.
"""

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Final, Protocol

from models.steps import (
    AbandonedError,
    Chunk,
    LearnsAtLength,
    PartitionStep,
    StepFactory,
    load_records,
)
from streams.checkpoints import POSITION_KEY, Committed, Pace, PartitionCheckpoints
from streams.ending import end_worker, ending_worker
from streams.metrics import Agent, Metrics
from streams.transactions import PartitionTransactions
from streams.transport.ledger import Partition

log = logging.getLogger(__name__)

UNSAVED_BYTES_MAX: Final = 64 * 1024 * 1024
"""Bytes of chunks that the partitions of one agent may be ahead of commits that are wanted: a
second at a million events of 60 bytes. Beyond it the agent waits for Kafka."""
ROWS_IN_FLIGHT_MAX: Final = 65_536
"""Rows in the transactions of one agent beyond which a partition goes on only when its own is
over: changed meanwhile, each would stand in memory twice (0.8 KB, so 50 MB)."""
OBSERVE_INTERVAL_S: Final = 1.0
"""How often the figures of a partition are shown; Prometheus asks every 15 s by custom."""

STOP_TIMEOUT_S: Final = 5.0
"""How long closing a connection may take before it is left alone; half of the 10 s in which a
worker must end."""


class Offsets(Protocol):
    """What of the consumer is needed to know how long a changelog is."""

    async def earliest_offsets(self, *partitions: Partition) -> Mapping[Partition, int]:
        """Return the first offset of each partition."""

    async def highwaters(self, *partitions: Partition) -> Mapping[Partition, int]:
        """Return the offset after the last committed one of each partition."""


class Deliveries(Offsets, Protocol):
    """What of the consumer is needed to process (streams/transport/consumer.py)."""

    async def begin(self, partition: Partition, chunk: Chunk) -> Chunk | None:
        """Return what is to be processed of a delivered chunk."""

    def end(self, partition: Partition, chunk: Chunk) -> None:
        """Note that it is processed."""

    def stable_end(self, partition: Partition) -> int | None:
        """Return where committed data ended at the last fetch, None when that is not known."""

    def hold(self, partition: Partition) -> None:
        """Deliver nothing more of a partition."""

    async def release(self, partition: Partition) -> None:
        """Deliver it again."""


TransactionsFactory = Callable[[Partition, Partition], PartitionTransactions]
"""Makes the transactions of a consumed partition, whose rows go to the second one."""
Observer = Callable[[int, PartitionStep], None]
"""Shows the figures of a partition's step in the metrics."""


@dataclass(slots=True)
class _Owned:
    """One partition that is ours: its step, how to save it, and how far both have come."""

    step: PartitionStep
    learner: LearnsAtLength | None
    """The same, where it learns at length."""
    transactions: PartitionTransactions
    changelog: Partition
    changelog_next: int
    """The next changelog offset to load."""
    changelog_end: int
    """Where loading ends."""
    changelog_seen: int
    """The next changelog offset that may arrive."""
    saved_position: int | None = None
    checkpoints: PartitionCheckpoints | None = None
    """None until processing begins."""
    records: int = 0
    is_recovered: bool = False
    observed_s: float = float("-inf")

    @property
    def is_amid_chunk(self) -> bool:
        """Whether the step is at work, so that nobody may look at it."""
        return self.checkpoints is not None and self.checkpoints.is_amid_chunk


class StatefulPartitions:
    """The host of one consumed topic whose step keeps state in a changelog."""

    accepts_loss = False
    saves_positions = True

    def __init__(
        self,
        *,
        agent: Agent,
        topic: str,
        changelog: str,
        step_factory: StepFactory,
        transactions_factory: TransactionsFactory,
        learned: Callable[[], Mapping[bytes, bytes | None]],
        metrics: Metrics,
        interval_s: float,
        observe: Observer = lambda _partition, _step: None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Own nothing yet.

        `topic` and `changelog` are real names; `learned` returns the latest value of each key of
        the topic of what was learned; what nobody waits for is committed every `interval_s`;
        `clock` returns seconds, for durations only.
        """
        self.agent = agent
        self._observe = observe
        self.topics: Sequence[str] = (topic,)
        self.topic = topic
        self.changelog = changelog
        self._step_factory = step_factory
        self._transactions_factory = transactions_factory
        self._learned = learned
        self._clock = clock
        self._metrics = metrics
        self._pace = Pace(interval_s)
        self._owned: dict[int, _Owned] = {}
        self._assigned = False
        self._is_open = False
        self._began = 0.0
        self._thread = ThreadPoolExecutor(1, f"learning of {agent.value}")
        self.consumer: Deliveries | None = None

    # ---- taking over and recovery -----------------------------------------------------------

    def _deliveries(self) -> Deliveries:
        if self.consumer is None:
            raise RuntimeError(f"the host of {self.topic} was not attached to a consumer")
        return self.consumer

    async def assign(self, partitions: frozenset[Partition]) -> None:
        """Fence the previous owners, then begin with empty steps.

        Every partition is recovered anew, also one that was ours before: while this worker was
        stopped, another may have had it.

        Raises:
            KafkaError: A producer could not be initialised.
        """
        self._began = self._clock()
        self._assigned = False
        self._is_open = False
        previous, self._owned = self._owned, {}
        # None is in flight after `checkpoint`, unless the partitions were lost without a word.
        await asyncio.gather(
            *(owned.checkpoints.caught_up() for owned in previous.values() if owned.checkpoints)
        )
        for partition in previous:
            self._metrics.revoke(self.agent, partition)
        await asyncio.gather(*(_stop(owned.transactions) for owned in previous.values()))
        transactions = {
            partition: self._transactions_factory(partition, self._changelog_of(partition))
            for partition in sorted(partitions)
        }
        await asyncio.gather(*(each.start() for each in transactions.values()))
        # After the fence: nobody can write to the changelogs any more, their ends are final.
        await self._take_over(transactions)
        self._assigned = True
        for number in list(self._owned):
            self._finish_recovery(number)

    def _changelog_of(self, consumed: Partition) -> Partition:
        return Partition(self.changelog, consumed.partition)

    async def _take_over(self, transactions: Mapping[Partition, PartitionTransactions]) -> None:
        """Begin with empty steps that are to be loaded from here on."""
        changelogs = [self._changelog_of(partition) for partition in transactions]
        if not changelogs:
            return
        consumer = self._deliveries()
        first = await consumer.earliest_offsets(*changelogs)
        end = await consumer.highwaters(*changelogs)
        for changelog, started in zip(changelogs, transactions.values(), strict=True):
            step = self._step_factory(changelog.partition)
            self._owned[changelog.partition] = _Owned(
                step=step,
                learner=step if isinstance(step, LearnsAtLength) else None,
                transactions=started,
                changelog=changelog,
                changelog_next=first[changelog],
                changelog_end=end[changelog],
                changelog_seen=first[changelog],
            )

    def closed(self) -> None:
        """Process nothing more; the states stay until the next assignment, to no use."""
        self._is_open = False
        self._abandon_work()

    @property
    def is_recovered(self) -> bool:
        """Whether every partition taken over is complete."""
        return self._assigned and all(owned.is_recovered for owned in self._owned.values())

    def missing(self) -> str:
        """Say which changelogs are incomplete, for the line that ends a worker."""
        return ", ".join(
            f"{owned.changelog.topic}-{partition} loaded to {owned.changelog_next} of "
            f"{owned.changelog_end}"
            for partition, owned in sorted(self._owned.items())
            if not owned.is_recovered
        )

    def learned_so_far(self, partition: int) -> int:
        """Return what grows while the step of a partition learns at length."""
        owned = self._owned.get(partition)
        return owned.learner.finished if owned is not None and owned.learner is not None else 0

    def transactions_since_s(self) -> Mapping[int, float]:
        """Return since when (by `clock`) a transaction of each partition is in flight."""
        return {
            partition: owned.checkpoints.in_flight_since_s
            for partition, owned in self._owned.items()
            if owned.checkpoints is not None and owned.checkpoints.in_flight_since_s is not None
        }

    def changelog_gap(self, partition: int, chunk: Chunk) -> int | None:
        """Note that a chunk of the changelog arrived; return where to seek when some are missing.

        Faust empties the changelog's queue whenever its flow resumes, chunks and all.
        """
        owned = self._owned.get(partition)
        if owned is None or chunk.next_offset <= owned.changelog_seen:
            return None
        if chunk.low_offset > owned.changelog_seen:
            return owned.changelog_seen
        owned.changelog_seen = chunk.next_offset
        return None

    def load(self, partition: int, chunk: Chunk) -> None:
        """Load a chunk of the changelog; what does not follow on is passed over."""
        owned = self._owned.get(partition)
        if owned is None or owned.is_recovered:
            return
        if not chunk.low_offset <= owned.changelog_next < chunk.next_offset:
            return
        rest = chunk.after(owned.changelog_next)
        keys, values = [], []
        for key, value in zip(rest.keys, rest.values, strict=True):
            if key == POSITION_KEY:
                owned.saved_position = None if value is None else int(value)
            elif key is not None:
                keys.append(key)
                values.append(value)
        load_records(owned.step, keys, values)
        owned.records += len(rest.keys)
        owned.changelog_next = chunk.next_offset
        self._finish_recovery(partition)

    def _finish_recovery(self, partition: int) -> None:
        """Complete a partition whose changelog is loaded to its end."""
        owned = self._owned[partition]
        if owned.is_recovered or owned.changelog_next < owned.changelog_end:
            return
        owned.step.recovered()
        for key, value in self._learned().items():
            owned.step.learn(key, value)
        owned.is_recovered = True
        seconds = self._clock() - self._began
        self._metrics.recovery_duration.labels(self.agent.value).observe(seconds)
        self._observe(partition, owned.step)
        log.info(
            "%s-%d recovered: %d records in %.2f s",
            owned.changelog.topic,
            partition,
            owned.records,
            seconds,
        )

    def saved_position(self, partition: Partition) -> int | None:
        """Return the offset that the recovered state has come to."""
        return self._owned[partition.partition].saved_position

    async def was_taken_over(self, partition: Partition) -> bool:
        """Tell whether the changelog has grown since it was recovered: by another's hand."""
        owned = self._owned[partition.partition]
        end = await self._deliveries().highwaters(owned.changelog)
        return end[owned.changelog] > owned.changelog_end

    def opened(self, positions: Mapping[Partition, int]) -> None:
        """Begin to process."""
        self._is_open = True
        self._pace.partitions = max(1, len(positions))
        for partition, position in positions.items():
            owned = self._owned[partition.partition]
            owned.checkpoints = PartitionCheckpoints(
                owned.step,
                owned.transactions,
                pace=self._pace,
                clock=self._clock,
                committed=self._note_commit,
                position=position,
                saved_position=owned.saved_position,
            )
            if owned.step.held:
                self._deliveries().hold(partition)
            if owned.step.held or owned.step.awaited:
                # What was learned while nobody read may have led to outputs.
                owned.checkpoints.soon(urgent=True)

    # ---- processing -------------------------------------------------------------------------

    async def take(self, partition: Partition, chunk: Chunk) -> None:
        """Process a delivered chunk, if it is the next one."""
        consumer = self._deliveries()
        await self._bound_rows(partition)
        rest = await consumer.begin(partition, chunk)
        if rest is None:
            return
        owned = self._owned[partition.partition]
        if owned.checkpoints is None:
            raise RuntimeError(f"{partition.topic}-{partition.partition} is not open")
        if owned.is_amid_chunk:
            return  # it was abandoned: its step is of no use, and is to be replaced
        with ending_worker(f"processing {partition.topic}-{partition.partition}"):
            owned.checkpoints.begun()
            if owned.learner is None:
                owned.step.process(rest)
            elif owned.learner.take_in(rest) and not await self._finish(partition, owned):
                return
        size = sum(len(value) for value in rest.values if value)
        end = consumer.stable_end(partition)
        is_caught_up = end is not None and rest.next_offset >= end
        owned.checkpoints.moved(rest.next_offset, size, is_caught_up=is_caught_up)
        consumer.end(partition, rest)
        self._metrics.observe_chunk(self.agent, rest.values)
        if owned.step.held:
            # Waits for a version: deliver nothing more, and let what it is made of be seen.
            consumer.hold(partition)
        urgent = owned.step.held or owned.step.urgent
        if urgent:
            owned.checkpoints.soon(urgent=True)
        elif owned.step.awaited:
            if is_caught_up:
                owned.checkpoints.caught_up_soon()
            else:
                owned.checkpoints.soon()
        await self._bound(owned.checkpoints)

    async def _finish(self, partition: Partition, owned: _Owned) -> bool:
        """Let a step learn in another thread; return False when its partition went away meanwhile.

        Whoever has the partition then reads the chunk again: none of it was committed.
        """
        if owned.learner is None:
            return True
        began = self._clock()
        try:
            await asyncio.get_running_loop().run_in_executor(self._thread, owned.learner.finish)
        except AbandonedError:
            log.info("%s-%d went away while it learned", partition.topic, partition.partition)
            return False
        self._metrics.learning_duration.observe(self._clock() - began)
        return self._is_open and self._owned.get(partition.partition) is owned

    def _abandon_work(self) -> None:
        """Let no step go on learning: at a stop or a rebalance nobody waits for it."""
        for owned in self._owned.values():
            if owned.learner is not None and owned.is_amid_chunk:
                owned.learner.abandon()

    async def _bound_rows(self, partition: Partition) -> None:
        """Wait for the commit of a partition when too many rows are being written."""
        owned = self._owned.get(partition.partition)
        if owned is None or owned.checkpoints is None or not owned.checkpoints.rows_in_flight:
            return
        in_flight = sum(
            each.checkpoints.rows_in_flight
            for each in self._owned.values()
            if each.checkpoints is not None
        )
        if in_flight > ROWS_IN_FLIGHT_MAX:
            await owned.checkpoints.written()

    async def _bound(self, checkpoints: PartitionCheckpoints) -> None:
        """Wait for the commit of a partition when too much was processed beyond the last cuts.

        Outputs grow with what is processed; Kafka may be slower than we are.
        """
        if checkpoints.is_busy and self._unsaved_bytes() > UNSAVED_BYTES_MAX:
            await checkpoints.caught_up()

    def _unsaved_bytes(self) -> int:
        return sum(
            owned.checkpoints.unsaved_bytes
            for owned in self._owned.values()
            if owned.checkpoints is not None and owned.checkpoints.is_busy
        )

    async def learn(self, key: bytes, value: bytes | None) -> None:
        """Hand a record of what was learned to every step, and go on with those it frees.

        What a held step did with it is made to last at once, also when it is held again: the next
        version may be made of that.
        """
        for partition, owned in list(self._owned.items()):
            if not owned.is_recovered:
                continue  # gets the latest of everything when it is
            was_held = owned.step.held
            with ending_worker(f"learning in {self.topic}-{partition}"):
                owned.step.learn(key, value)
            if self._is_open and owned.checkpoints is not None:
                if was_held:
                    owned.checkpoints.soon(urgent=True)
                if not owned.step.held:
                    await self._deliveries().release(Partition(self.topic, partition))

    # ---- checkpoints ------------------------------------------------------------------------

    async def keep_checkpoints(self) -> None:
        """Commit what nobody waits for, and show the figures, until cancelled."""
        while True:
            await asyncio.sleep(self._pace.interval_s)
            for partition, owned in self._owned.items():
                if self._is_open and owned.checkpoints is not None:
                    with ending_worker("a checkpoint"):
                        owned.checkpoints.tick()
                    self._show(partition, owned)
            held = sum(owned.step.held for owned in self._owned.values())
            self._metrics.held_partitions.labels(self.agent.value).set(held)

    def _show(self, partition: int, owned: _Owned) -> None:
        now = self._clock()
        if owned.is_amid_chunk:
            return
        if now - owned.observed_s >= OBSERVE_INTERVAL_S:
            owned.observed_s = now
            self._observe(partition, owned.step)

    async def checkpoint(self) -> Mapping[Partition, int]:
        """Make everything last before the partitions go; nothing is committed after it.

        Returns:
            Nothing: the offsets are committed in the transactions.

        Raises:
            KafkaError: A transaction failed.
        """
        if self._is_open:
            self._abandon_work()
            await asyncio.gather(
                *(
                    owned.checkpoints.settle()
                    for owned in self._owned.values()
                    if owned.checkpoints is not None
                )
            )
        return {}

    def _note_commit(self, committed: Committed) -> None:
        self._metrics.checkpoint_duration.labels(self.agent.value).observe(committed.seconds)
        self._metrics.observe_outputs(committed.cut.outputs)

    async def stop(self) -> None:
        """Close the connections."""
        self._abandon_work()
        self._thread.shutdown(wait=False, cancel_futures=True)
        await asyncio.gather(*(_stop(owned.transactions) for owned in self._owned.values()))


async def _stop(transactions: PartitionTransactions) -> None:
    """Close a producer, or leave it alone when that takes too long or fails.

    It may be one that was fenced: whatever it says no longer matters.
    """
    stopping: Awaitable[None] = transactions.stop()
    try:
        await asyncio.wait_for(stopping, STOP_TIMEOUT_S)
    except Exception:
        log.warning("could not close %s in order", transactions.transactional_id, exc_info=True)


def end_unrecovered(hosts: Sequence[StatefulPartitions]) -> None:
    """End the worker when Faust believes that recovery is over and it is not."""
    missing = "; ".join(filter(None, (host.missing() for host in hosts)))
    if missing:
        end_worker(f"recovery stopped early: {missing}")
