"""The owner of a stateful step's partitions: recovery, processing, holding, exact checkpoints.

`stages` and `hotspots` are both run by this one class. Each partition has its step, its own
transactions and its position, and these three never part: what is committed is always the offset
that the rows belong to.

The position is also saved as a row of the changelog, in the same transaction, and compared with
the committed offset before anything is processed. The check is worth its
40 bytes: without it, agents that run before recovery is complete count twice,
and nothing says so.
"""

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Protocol

from models.steps import Chunk, Cut, PartitionStep, StepFactory, load_records
from streams.ending import end_worker, ending_worker
from streams.metrics import Agent, Metrics
from streams.transactions import PartitionTransactions
from streams.transport.ledger import Partition

log = logging.getLogger(__name__)

POSITION_KEY: Final = b"\x00position"
"""The row that holds the saved position; no step uses a key that begins with a zero byte."""

STOP_TIMEOUT_S: Final = 5.0
"""How long closing a connection may take before it is left alone; half of the 10 s in which a
worker must end."""


class ReservedKeyError(ValueError):
    """A step wrote a row under a key that begins with a zero byte."""


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

    def hold(self, partition: Partition) -> None:
        """Deliver nothing more of a partition."""

    async def release(self, partition: Partition) -> None:
        """Deliver it again."""

    async def checkpoint(self) -> bool:
        """Make everything done so far last."""

    async def seek(self, partition: Any, offset: int) -> None:  # noqa: ANN401 - Faust's type
        """Fetch from `offset` on."""


TransactionsFactory = Callable[[Partition, Partition], PartitionTransactions]
"""Makes the transactions of a consumed partition, whose rows go to the second one."""
Observer = Callable[[int, PartitionStep], None]
"""Shows the figures of a partition's step in the metrics."""


@dataclass(slots=True)
class _Owned:
    """One partition that is ours: its step, how to save it, and how far both have come."""

    step: PartitionStep
    transactions: PartitionTransactions
    changelog: Partition
    changelog_next: int
    """The next changelog offset to load."""
    changelog_end: int
    """Where loading ends."""
    changelog_seen: int
    """The next changelog offset that may arrive."""
    saved_position: int | None = None
    position: int | None = None
    """The next offset to process; None until processing begins."""
    committed_position: int | None = None
    records: int = 0
    is_recovered: bool = False


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
        observe: Observer = lambda _partition, _step: None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Own nothing yet.

        `topic` and `changelog` are real names; `learned` returns the latest value of each key of
        the topic of what was learned; `clock` returns seconds, for durations only.
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
        self._owned: dict[int, _Owned] = {}
        self._assigned = False
        self._is_open = False
        self._began = 0.0
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
        for partition in previous:
            self._metrics.revoke(self.agent, self.topic, partition)
        await asyncio.gather(*(_stop(owned.transactions) for owned in previous.values()))
        owned = await asyncio.gather(*(self._take_over(partition) for partition in partitions))
        self._owned = {item.changelog.partition: item for item in owned}
        self._assigned = True
        for partition in list(self._owned):
            self._finish_recovery(partition)

    async def _take_over(self, consumed: Partition) -> _Owned:
        changelog = Partition(self.changelog, consumed.partition)
        transactions = self._transactions_factory(consumed, changelog)
        await transactions.start()
        # After the fence: nobody can write to the changelog any more, its end is final.
        consumer = self._deliveries()
        first = (await consumer.earliest_offsets(changelog))[changelog]
        end = (await consumer.highwaters(changelog))[changelog]
        return _Owned(
            step=self._step_factory(consumed.partition),
            transactions=transactions,
            changelog=changelog,
            changelog_next=first,
            changelog_end=end,
            changelog_seen=first,
        )

    def closed(self) -> None:
        """Process nothing more; the states stay until the next assignment, to no use."""
        self._is_open = False

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

    def opened(self, positions: Mapping[Partition, int]) -> None:
        """Begin to process."""
        self._is_open = True
        for partition, position in positions.items():
            owned = self._owned[partition.partition]
            owned.position = position
            owned.committed_position = owned.saved_position
            if owned.step.held:
                self._deliveries().hold(partition)

    # ---- processing -------------------------------------------------------------------------

    async def take(self, partition: Partition, chunk: Chunk) -> None:
        """Process a delivered chunk, if it is the next one."""
        consumer = self._deliveries()
        rest = await consumer.begin(partition, chunk)
        if rest is None:
            return
        owned = self._owned[partition.partition]
        with ending_worker(f"processing {partition.topic}-{partition.partition}"):
            owned.step.process(rest)
        owned.position = rest.next_offset
        consumer.end(partition, rest)
        self._metrics.observe_chunk(self.agent, rest.values)
        if owned.step.held:
            await self._hold(partition)
        elif owned.step.awaited:
            await consumer.checkpoint()

    async def _hold(self, partition: Partition) -> None:
        """Wait for a version: deliver nothing more, and let what it is made of be seen at once."""
        consumer = self._deliveries()
        consumer.hold(partition)
        await consumer.checkpoint()
        # The version may have come while the checkpoint was made.
        await self._release_if_free(partition.partition)

    async def learn(self, key: bytes, value: bytes | None) -> None:
        """Hand a record of what was learned to every step, and go on with those it frees.

        What a held step did with it is made to last at once, also when it is held again: the next
        version may be made of that.
        """
        waited = False
        for partition, owned in list(self._owned.items()):
            if not owned.is_recovered:
                continue  # gets the latest of everything when it is
            was_held = owned.step.held
            with ending_worker(f"learning in {self.topic}-{partition}"):
                owned.step.learn(key, value)
            waited = waited or was_held
            await self._release_if_free(partition)
        if waited and self._is_open:
            await self._deliveries().checkpoint()

    async def _release_if_free(self, partition: int) -> None:
        owned = self._owned.get(partition)
        if self._is_open and owned is not None and not owned.step.held:
            await self._deliveries().release(Partition(self.topic, partition))

    # ---- checkpoints ------------------------------------------------------------------------

    async def checkpoint(self) -> Mapping[Partition, int]:
        """Commit one transaction for each partition that has something new.

        Returns:
            Nothing: the offsets are committed in the transactions.

        Raises:
            KafkaError: A transaction failed.
            ReservedKeyError: A step wrote under a key that is ours.
        """
        if not self._is_open:
            return {}
        # The cuts are taken before anything is awaited: each belongs to its position.
        work = []
        for owned in self._owned.values():
            if owned.position is not None:
                cut = owned.step.cut()
                work.append((owned, _position_of(cut, owned.position), cut))
        await asyncio.gather(
            *(
                self._commit(owned, position, cut)
                for owned, position, cut in work
                if cut or position != owned.committed_position
            )
        )
        held = sum(owned.step.held for owned in self._owned.values())
        self._metrics.held_partitions.labels(self.agent.value).set(held)
        return {}

    async def _commit(self, owned: _Owned, position: int, cut: Cut) -> None:
        began = self._clock()
        if any(key[:1] == POSITION_KEY[:1] for key, _ in cut.rows):
            raise ReservedKeyError(f"a step of {self.topic} wrote a row under a reserved key")
        rows = [*cut.rows, (POSITION_KEY, str(position).encode())]
        await owned.transactions.commit(rows, cut.outputs, position)
        owned.committed_position = position
        seconds = self._clock() - began
        self._metrics.checkpoint_duration.labels(self.agent.value).observe(seconds)
        self._observe(owned.changelog.partition, owned.step)
        self._metrics.observe_outputs(cut.outputs)

    async def stop(self) -> None:
        """Close the connections."""
        await asyncio.gather(*(_stop(owned.transactions) for owned in self._owned.values()))


def _position_of(cut: Cut, processed: int) -> int:
    """Return the offset that belongs to a cut: from here on the log is read again.

    Raises:
        ValueError: The step asks for offsets that it has not been given yet.
    """
    if cut.position is None:
        return processed
    if cut.position > processed:
        raise ValueError(
            f"a step wants to begin at {cut.position}, but was given up to {processed}"
        )
    return cut.position


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
