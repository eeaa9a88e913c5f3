"""A broker in memory: logs, transactions with fencing, offsets of a group, and its membership.

It keeps Kafka's promises and no more: markers of a transaction are written a while after its end
was acknowledged and not everywhere at once, a request whose answer was lost is sent again, what is
on the wire arrives though its sender is dead, and only the epoch of a transactional id keeps a
previous owner out.
"""

import random
from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

from aiokafka.errors import (
    ProducerFenced,
)
from virtual_loop import CURRENT, Process, VirtualLoop

from models.steps import Chunk
from streams.transport.ledger import Partition

BROKER_EPOCH_MS = 1_800_000_000_000
"""What the broker's clock shows when the virtual clock shows 0."""

LOST_WITH_SENDER = 0.3
"""How much of what a process had on the wire when it died never arrives."""


def name_of(partition: Partition) -> str:
    """Return a partition as the trace shows it."""
    return f"{partition.topic}-{partition.partition}"


def shown(offsets: dict[Partition, int]) -> str:
    """Return offsets as the trace shows them."""
    return " ".join(f"{name_of(tp)}@{offset}" for tp, offset in offsets.items()) or "nothing"


class NotYet(Exception):  # noqa: N818 - an answer of the broker: ask again
    """The broker asks its client to try again (ConcurrentTransactions)."""


@dataclass(slots=True)
class Transaction:
    """One transaction of a transactional id."""

    number: int
    began_s: float
    first_offsets: dict[Partition, int] = field(default_factory=dict)
    offsets: dict[Partition, int] = field(default_factory=dict)
    open_markers: int = 0
    is_ending: bool = False
    is_committed: bool = False


@dataclass(slots=True)
class Entry:
    """One record, or a marker when it has no producer to show it to."""

    key: bytes | None
    value: bytes | None
    headers: tuple[tuple[str, bytes], ...]
    append_ms: int
    transaction: Transaction | None = None
    is_marker: bool = False


class Log:
    """One partition."""

    def __init__(self) -> None:
        self.entries: list[Entry | None] = []
        self.compacted: dict[int, Entry] = {}
        """What compaction has removed; no reader sees it, the comparison does."""
        self.begin = 0
        self.open: dict[int, int] = {}
        """First offset of each transaction whose marker is not written here yet."""

    @property
    def end(self) -> int:
        return len(self.entries)

    @property
    def stable_end(self) -> int:
        """Where committed data ends."""
        return min(self.open.values(), default=self.end)

    def visible(self, low: int, high: int, *, isolated: bool = True) -> list[tuple[int, Entry]]:
        """Return what a reader of committed data sees in [low, high)."""
        return [
            (offset, entry)
            for offset, entry in enumerate(self.entries[low:high], low)
            if entry is not None
            and not entry.is_marker
            and (not isolated or entry.transaction is None or entry.transaction.is_committed)
        ]

    def compact(self) -> None:
        """Remove committed records that a later one of the same key replaces."""
        end = self.stable_end
        last = {entry.key: offset for offset, entry in self.visible(0, end)}
        for offset, entry in enumerate(self.entries[:end]):
            if entry is not None and not entry.is_marker and last.get(entry.key) != offset:
                self.compacted[offset] = entry
                self.entries[offset] = None


@dataclass(slots=True)
class Writer:
    """What the broker knows of a producer id."""

    identity: int
    epoch: int = 0
    transactional_id: str | None = None
    transaction: Transaction | None = None
    last_number: int = 0
    last_sequence: dict[Partition, int] = field(default_factory=dict)


@dataclass(slots=True)
class Rates:
    """How often things go wrong on the wire, and how long they take."""

    lost_answers: float = 0.0
    slow: float = 0.0
    slow_s: float = 2.0
    typical_s: float = 0.01
    queue_s: float = 0.3
    """How long a producer's queue may stay full."""


class Broker:
    """The one broker of a history."""

    fences = True
    """Turned off by a planted defect."""
    isolates = True
    """Turned off by a planted defect."""

    def __init__(self, loop: VirtualLoop, choices: random.Random, topics: dict[str, int]) -> None:
        self.loop = loop
        self.choices = choices
        self.topics = topics
        self.rates = Rates()
        self.logs = {Partition(t, p): Log() for t, count in topics.items() for p in range(count)}
        self.offsets: dict[Partition, int] = {}
        self.writers: dict[str, Writer] = {}
        self.trace: deque[str] = deque(maxlen=150)
        self.requests = 0
        self.fault: Callable[[Process, str], bool] = lambda _process, _where: False
        """Asked before and after each request; answers whether the process was stopped there."""
        self.down_until_s = 0.0
        self._writers_made = 0
        self._watchers: dict[str, list[Callable[[Partition], None]]] = {}

    # ---- the wire ---------------------------------------------------------------------------

    def note(self, text: str) -> None:
        """Add a line to the trace."""
        self.trace.append(f"{self.loop.time():9.3f}  {CURRENT.get() or 'world'}: {text}")

    def delay(self) -> float:
        """Draw how long one way takes."""
        if self.rates.slow and self.choices.random() < self.rates.slow:
            return self.choices.random() * self.rates.slow_s
        return self.choices.random() * self.rates.typical_s

    async def request(self, name: str, effect: Callable[[], Any]) -> Any:  # noqa: ANN401 - any answer
        """Send a request and return its answer; a lost answer is asked for again.

        `effect` is run at the broker, maybe after the death of who sent it, maybe more than once.
        """
        return await self.ask(name, lambda answer: answer(effect()))

    async def ask(self, name: str, effect: Callable[[Callable[[Any], None]], None]) -> Any:  # noqa: ANN401 - any answer
        """Send a request that the broker answers when it pleases."""
        process = CURRENT.get()
        assert process is not None
        if self.fault(process, f"before {name}"):
            await self.loop.create_future()  # never: the process is no more, or goes on later
        answered = self.loop.create_future()
        self._send(name, process, effect, answered)
        result = await answered
        if self.fault(process, f"after {name}"):
            await self.loop.create_future()
        return result

    def _send(
        self,
        name: str,
        process: Process,
        effect: Callable[[Callable[[Any], None]], None],
        answered: Any,  # noqa: ANN401 - a future
    ) -> None:
        self.requests += 1

        def respond(result: object, error: Exception | None = None) -> None:
            if self.rates.lost_answers and self.choices.random() < self.rates.lost_answers:
                self.note(f"the answer to {name} of {process} is lost")
                self.loop.in_world(0.1 + self.choices.random(), arrive)
                return
            self.loop.in_world(self.delay(), _settle, answered, result, error)

        def arrive() -> None:
            if self.loop.time() < self.down_until_s:
                self.loop.in_world(self.down_until_s - self.loop.time() + self.delay(), arrive)
                return
            if answered.done() or (process.is_dead and self.choices.random() < LOST_WITH_SENDER):
                return
            try:
                effect(respond)
            except NotYet:
                self.loop.in_world(0.005 + self.delay(), arrive)
            except Exception as error:  # noqa: BLE001 - the broker answers with an error
                respond(None, error)

        self.loop.in_world(self.delay(), arrive)

    def watch(self, topics: Iterable[str], callback: Callable[[Partition], None]) -> None:
        """Call back when committed data of a topic may have grown."""
        for topic in topics:
            self._watchers.setdefault(topic, []).append(callback)

    def forget(self, callback: Callable[[Partition], None]) -> None:
        """Watch no more."""
        for watchers in self._watchers.values():
            if callback in watchers:
                watchers.remove(callback)

    def _grew(self, partition: Partition) -> None:
        for callback in self._watchers.get(partition.topic, ()):
            callback(partition)

    # ---- writing ----------------------------------------------------------------------------

    def platform_writes(
        self, partition: Partition, records: list[tuple[bytes | None, bytes | None]]
    ) -> None:
        """Append what comes from outside the system under test."""
        log = self.logs[partition]
        for key, value in records:
            log.entries.append(Entry(key, value, (), self._now_ms()))
        self._grew(partition)

    def _now_ms(self) -> int:
        return BROKER_EPOCH_MS + int(self.loop.time() * 1000)

    def init_producer(self, transactional_id: str | None) -> tuple[Writer, int]:
        """Give a producer its id and epoch; with a transactional id, fence whoever had it.

        Raises:
            NotYet: The transaction of the previous owner is still being ended.
        """
        if transactional_id is None:
            self._writers_made += 1
            return Writer(self._writers_made), 0
        writer = self.writers.get(transactional_id)
        if writer is None:
            self._writers_made += 1
            writer = Writer(self._writers_made, transactional_id=transactional_id)
            self.writers[transactional_id] = writer
        elif writer.transaction is not None:
            if not writer.transaction.is_ending:
                if self.fences:
                    writer.epoch += 1  # from here on the old owner is refused
                self._end(writer, committed=False)
            raise NotYet
        writer.epoch += 1
        writer.last_sequence.clear()
        return writer, writer.epoch

    def _check(self, writer: Writer, epoch: int) -> None:
        if self.fences and epoch != writer.epoch:
            raise ProducerFenced

    def _transaction(self, writer: Writer, number: int) -> Transaction:
        if writer.transaction is None:
            if number <= writer.last_number and self.fences:
                raise ProducerFenced  # it was ended by its timeout
            writer.transaction = Transaction(number, self.loop.time())
        elif writer.transaction.is_ending:
            raise NotYet
        return writer.transaction

    def append(
        self,
        writer: Writer,
        epoch: int,
        partition: Partition,
        sequence: int,
        number: int | None,
        records: list[tuple[bytes | None, bytes | None, tuple[tuple[str, bytes], ...]]],
    ) -> None:
        """Append a batch once, however often it is sent.

        Raises:
            ProducerFenced: The epoch is not the writer's any more.
            NotYet: The writer's previous transaction is still being ended.
        """
        self._check(writer, epoch)
        key = (partition, epoch)
        if sequence <= writer.last_sequence.get(key, -1):  # type: ignore[call-overload]
            return
        transaction = None if number is None else self._transaction(writer, number)
        writer.last_sequence[key] = sequence  # type: ignore[index]
        log = self.logs[partition]
        if transaction is not None and partition not in transaction.first_offsets:
            transaction.first_offsets[partition] = log.end
            log.open[id(transaction)] = log.end
        for record_key, value, headers in records:
            log.entries.append(Entry(record_key, value, headers, self._now_ms(), transaction))
        self.note(f"{name_of(partition)} grows to {log.end}")
        self._grew(partition)

    def add_offsets(
        self, writer: Writer, epoch: int, number: int, offsets: dict[Partition, int]
    ) -> None:
        """Take the offsets that a transaction commits."""
        self._check(writer, epoch)
        self._transaction(writer, number).offsets.update(offsets)

    def end_transaction(self, writer: Writer, epoch: int, number: int) -> None:
        """Commit a transaction; its markers follow in their own time."""
        self._check(writer, epoch)
        if number <= writer.last_number and writer.transaction is None:
            return  # the answer to the first request was lost
        if writer.transaction is None:
            writer.last_number = number  # an empty one
        elif not writer.transaction.is_ending:
            self._end(writer, committed=True)
        elif writer.transaction.number != number and number > writer.last_number:
            raise NotYet

    def _end(self, writer: Writer, *, committed: bool) -> None:
        transaction = writer.transaction
        assert transaction is not None
        transaction.is_ending = True
        transaction.is_committed = committed
        writer.last_number = max(writer.last_number, transaction.number)
        transaction.open_markers = len(transaction.first_offsets) + 1
        said = "commits" if committed else "aborts"
        self.note(
            f"{said} a transaction of {writer.transactional_id} with {shown(transaction.offsets)}"
        )

        def done() -> None:
            transaction.open_markers -= 1
            if not transaction.open_markers and writer.transaction is transaction:
                writer.transaction = None

        def mark(partition: Partition) -> None:
            log = self.logs[partition]
            log.entries.append(Entry(None, None, (), self._now_ms(), is_marker=True))
            log.open.pop(id(transaction), None)
            self._grew(partition)
            done()

        def commit_offsets() -> None:
            if committed:
                self.offsets.update(transaction.offsets)
            done()

        for partition in transaction.first_offsets:
            self.loop.in_world(self.delay(), mark, partition)
        self.loop.in_world(self.delay(), commit_offsets)

    def abort_overdue(self, timeout_s: float) -> None:
        """Abort what has been open for too long, and fence its writer."""
        for writer in self.writers.values():
            transaction = writer.transaction
            if transaction is None or transaction.is_ending:
                continue
            if self.loop.time() - transaction.began_s > timeout_s:
                writer.epoch += 1
                self._end(writer, committed=False)

    # ---- reading ----------------------------------------------------------------------------

    def read(self, partition: Partition, position: int, records_max: int) -> tuple[Chunk, int]:
        """Return a chunk of committed data and where committed data ends."""
        log = self.logs[partition]
        end = log.stable_end if self.isolates else log.end
        following = max(position, min(end, position + records_max))
        found = log.visible(position, following, isolated=self.isolates)
        chunk = Chunk(
            low_offset=position,
            next_offset=following,
            offsets=[offset for offset, _ in found],
            keys=[entry.key for _, entry in found],
            values=[entry.value for _, entry in found],
            append_ms=[entry.append_ms for _, entry in found],
        )
        return chunk, end

    def committed(self, topic: str) -> list[Entry]:
        """Return all that was ever committed to a topic of one partition, in order."""
        log = self.logs[Partition(topic, 0)]
        found = dict(log.visible(0, log.stable_end))
        found |= {
            offset: entry
            for offset, entry in log.compacted.items()
            if entry.transaction is None or entry.transaction.is_committed
        }
        return [found[offset] for offset in sorted(found)]


def _settle(answered: Any, result: object, error: Exception | None) -> None:  # noqa: ANN401 - a future
    if answered.done():
        return
    if error is None:
        answered.set_result(result)
    else:
        answered.set_exception(error)
