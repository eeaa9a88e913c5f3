"""The delivery ledger: which offset an agent may process next, and up to which it is done.

It stands in place of Faust's acknowledgements, which lose chunks at a rebalance (63,060 of
2,000,000 events in a test, design section 4): Faust empties its queues after it has sought, counts
every jump of offsets as handled and forgets what was acknowledged before the revocation. Here the
*agent* asks for each chunk whether it is the next one. Pure bookkeeping, no Kafka.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Generic, NamedTuple, Protocol, Self, TypeVar


class Partition(NamedTuple):
    """A partition of a topic, equal to Faust's and aiokafka's own pairs."""

    topic: str
    partition: int


class Span(Protocol):
    """What the ledger needs of a chunk (models/steps.py, models/packed_chunk.py)."""

    @property
    def low_offset(self) -> int:
        """The first offset that it answers for."""

    @property
    def next_offset(self) -> int:
        """The offset after the last that it answers for."""

    def after(self, offset: int) -> Self:
        """Return the part that starts at `offset`."""

    def answering_from(self, offset: int) -> Self:
        """Return the same messages answering for the offsets from `offset` on, too."""


Delivered = TypeVar("Delivered", bound=Span)


class Verdict(StrEnum):
    """What is to be done with a delivered chunk."""

    PROCESS = "process"
    STALE = "stale"
    GAP = "gap"
    CLOSED = "closed"
    HELD = "held"


@dataclass(frozen=True, slots=True)
class Delivery(Generic[Delivered]):
    """A verdict, the part of the chunk to process, and the offset to seek to at a gap."""

    verdict: Verdict
    chunk: Delivered | None = None
    seek_to: int | None = None


class Ledger:
    """Positions of all partitions that may be processed; closed for all others."""

    def __init__(self) -> None:
        self._expect: dict[Partition, int] = {}
        self._done: dict[Partition, int] = {}
        self._committed: dict[Partition, int] = {}
        self._held: set[Partition] = set()
        self._openings = 0

    @property
    def openings(self) -> int:
        """How often the ledger was opened: what was begun before the last time is void."""
        return self._openings

    @property
    def is_open(self) -> bool:
        """Whether anything may be processed."""
        return bool(self._expect)

    def open(self, positions: Mapping[Partition, int]) -> None:
        """Let partitions be processed from the given offsets on.

        Raises:
            ValueError: The ledger is open: its positions belong to states that have moved on.
        """
        if self._expect:
            raise ValueError("the ledger is open already")
        self._openings += 1
        self._expect = dict(positions)
        self._done = dict(positions)
        self._committed = dict(positions)

    def close(self) -> None:
        """Let nothing be processed any more, as long as the ledger is not opened again."""
        self._expect = {}
        self._done = {}
        self._committed = {}
        self._held = set()

    def begin(self, partition: Partition, chunk: Delivered) -> Delivery[Delivered]:
        """Judge a delivered chunk; with PROCESS, its offsets are the agent's from now on."""
        expected = self._expect.get(partition)
        if expected is None:
            return Delivery(Verdict.CLOSED)
        if partition in self._held:
            return Delivery(Verdict.HELD)
        if chunk.next_offset <= expected:
            return Delivery(Verdict.STALE)
        if chunk.low_offset > expected:
            return Delivery(Verdict.GAP, seek_to=expected)
        self._expect[partition] = chunk.next_offset
        return Delivery(Verdict.PROCESS, chunk=chunk.after(expected))

    def end(self, partition: Partition, chunk: Span) -> None:
        """Note that a chunk is processed: its offsets may be committed.

        A chunk that was begun before the ledger was closed and opened again is not noted: whoever
        has the partition now processes it anew.
        """
        if self._expect.get(partition) == chunk.next_offset:
            self._done[partition] = chunk.next_offset

    def skip_to(self, partition: Partition, chunk: Delivered) -> Delivered:
        """Return the chunk as if it began at the expected offset, whose records are gone.

        The chunk answers for the lost offsets, too, so that whoever checks the chain sees no hole;
        the caller has to report the loss.
        """
        return chunk.answering_from(self._expect[partition])

    def hold(self, partition: Partition) -> None:
        """Refuse further chunks of a partition until `release`."""
        if partition in self._expect:
            self._held.add(partition)

    def release(self, partition: Partition) -> int | None:
        """Accept chunks again; return the offset to seek to, None when it was not held."""
        if partition not in self._held:
            return None
        self._held.discard(partition)
        return self._expect[partition]

    def is_held(self, partition: Partition) -> bool:
        """Tell whether a partition is held."""
        return partition in self._held

    def expected(self, partition: Partition) -> int | None:
        """Return the next offset to process, None when the partition is closed."""
        return self._expect.get(partition)

    def done(self, partition: Partition) -> int | None:
        """Return the offset after the last one processed, None when the partition is closed."""
        return self._done.get(partition)

    def is_at_rest(self, partition: Partition) -> bool:
        """Tell whether no chunk of an open partition is being processed."""
        expected = self._expect.get(partition)
        return expected is not None and self._done[partition] == expected

    def uncommitted(self, topics: Iterable[str]) -> dict[Partition, int]:
        """Return what may be committed and is not: the next offset of each partition."""
        wanted = set(topics)
        return {
            partition: offset
            for partition, offset in self._done.items()
            if partition.topic in wanted and offset > self._committed[partition]
        }

    def committed(self, offsets: Mapping[Partition, int]) -> None:
        """Note what was committed; partitions that were closed meanwhile are passed over."""
        for partition, offset in offsets.items():
            if partition in self._committed:
                self._committed[partition] = max(offset, self._committed[partition])

    def partitions(self, topic: str) -> list[Partition]:
        """Return the open partitions of a topic, in order."""
        return sorted(partition for partition in self._expect if partition.topic == topic)
