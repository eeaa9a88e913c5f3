"""When a partition is committed: at once when others wait for it, seldom when little is gained.

Per partition, one transaction at a time. Processing goes on while it is in flight, and everything
stays exact, for a cut and the offset that belongs to it are taken together with no `await` between,
what is processed meanwhile goes into the next cut, and the next cut is taken only when the
transaction before it is committed. One that fails ends the worker, hence no cut is ever lost while
a later one is written.

How often: a commit costs CPU time, so after each the partition pauses for as long as keeps all
partitions of the worker together below CPU_SHARE_MAX (`Pace`). After a quiet time the first commit
begins at once: with the default buckets and 64 partitions a report never waits.

Where outputs may last before the rows (`models.steps.TellsAhead`) and rows are many, outputs have
transactions of their own, and the rows come seldom, by the timer.
"""

import asyncio
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from typing import Final, Protocol

from models.steps import Cut, Output, PartitionStep, Rows, TellsAhead
from streams.ending import ending_worker

POSITION_KEY: Final = b"\x00position"
"""The row that holds the saved position; no step uses a key that begins with a zero byte."""

COMMIT_CPU_S: Final = 0.002
"""CPU time of one transaction with one row and one output: 2.2 ms alone, 1.3 ms with four
side by side, 0.8 ms with 64 (measured on 2 cores, broker beside it, aiokafka 0.14)."""
ROW_CPU_S: Final = 2.5e-6
"""CPU time of one row of 700 bytes in a transaction, compressed and sent (2.2 us measured)."""
CPU_SHARE_MAX: Final = 0.05
"""Share of a core that the checkpoints of one agent may take. Two agents keep state, and all
checkpoints together are to stay below a tenth."""
PAUSE_S_MAX: Final = 4.0
"""However dear a commit was, where others wait for what comes with the next one: less than the
default bucket, so that what comes at the pace of the clock never waits for it."""
ROWS_PAUSE_S_MAX: Final = 10.0
"""However dear a commit was, where outputs go ahead and only rows wait: all they save is reading
again. With 40,000 rows a commit in each of four partitions it keeps the share above; it is also the
interval that Flink's checkpoints have in our comparison (benchmarks/)."""
CAUGHT_UP_PAUSE_S: Final = 0.1
"""Between commits of a partition that has read all there is: a pause spares nothing then, for there
is nothing else to do. Ten commits a second take 2 % of a core."""
ROWS_TOLD_WITH: Final = 1_000
"""Up to so many rows outputs leave together with them: writing these takes no longer than the
transaction itself (COMMIT_CPU_S). Beyond it, outputs that may go ahead do: with 10,000 rows a
report stood 0.3 to 0.8 s in an open transaction, while the next agent waited (measured)."""
ROWS_WAIT_S: Final = 0.25
"""How long rows wait at least when outputs went ahead: the event loop packs them, and who was told
has it to itself meanwhile. Packed at once, the rows of four partitions held up `hotspots` by 0.3 s,
which takes a tenth of a second for the same bucket (measured)."""
ROWS_WAIT_S_MAX: Final = 1.0
"""How long rows that are due wait at the most, where outputs go ahead one after the other."""
POSITION_INTERVALS: Final = 10
"""Commits that only move the position come so many times less often than others. All they save is
reading again: five seconds of the log by default, which take a fraction of that to read."""


class ReservedKeyError(ValueError):
    """A step wrote a row under a key that begins with a zero byte."""


class Transactions(Protocol):
    """What writes a checkpoint (streams/transactions.py)."""

    async def tell(self, outputs: list[Output]) -> None:
        """Write outputs, all or nothing, ahead of the rows and the offset."""

    async def commit(
        self, rows: Iterable[tuple[bytes, bytes | None]], outputs: list[Output], offset: int
    ) -> None:
        """Write rows, outputs and the consumed offset, all or nothing."""


@dataclass(slots=True)
class Pace:
    """How long partitions pause between commits.

    >>> pace = Pace(interval_s=0.5, partitions=64)
    >>> round(pace.pause_s(rows=1), 2), pace.pause_s(rows=100_000)
    (2.56, 4.0)
    >>> round(Pace(interval_s=0.5, partitions=4).pause_s(rows=1), 2)
    0.16
    """

    interval_s: float
    """How often changed rows are committed that nobody waits for."""
    partitions: int = 1
    """How many partitions share the processor."""

    def pause_s(self, rows: int, most_s: float = PAUSE_S_MAX) -> float:
        """Return how long after the beginning of a commit of so many rows the next may begin."""
        cost_s = COMMIT_CPU_S + rows * ROW_CPU_S
        return min(most_s, cost_s * self.partitions / CPU_SHARE_MAX)


@dataclass(frozen=True, slots=True)
class Committed:
    """What one transaction has made to last, and how long it took."""

    cut: Cut
    seconds: float


class PartitionCheckpoints:
    """The checkpoints of one partition that is open for processing."""

    def __init__(
        self,
        step: PartitionStep,
        transactions: Transactions,
        *,
        pace: Pace,
        clock: Callable[[], float],
        committed: Callable[[Committed], None],
        position: int,
        saved_position: int | None,
    ) -> None:
        """Begin at `position`; `committed` is called after each transaction.

        `clock` returns seconds that never go backwards.
        """
        self._step = step
        self._transactions = transactions
        self._pace = pace
        self._clock = clock
        self._committed = committed
        self.position = position
        """The next offset to process."""
        self.committed_position = saved_position
        self.unsaved_bytes = 0
        """Bytes processed since outputs were last taken."""
        self.in_flight_since_s: float | None = None
        self.rows_in_flight = 0
        """Rows of the cut whose transaction is going on."""
        self._began_s = self._cut_s = float("-inf")
        self._ready_s = self._told_s = float("-inf")
        self._rows_ready_s = clock()
        self._is_caught_up = False
        self._wanted = False
        self._is_settling = False
        self._hurry = asyncio.Event()
        self._is_written = asyncio.Event()
        self.is_amid_chunk = False
        """Whether the step is at work on a chunk: nothing is cut before `moved`."""
        self._may_cut = asyncio.Event()
        self._may_cut.set()
        self._task: asyncio.Task[None] | None = None

    @property
    def is_busy(self) -> bool:
        """Whether a commit is in flight or waits for its turn."""
        return self._task is not None

    def begun(self) -> None:
        """Note that the step begins with a chunk."""
        self.is_amid_chunk = True
        self._may_cut.clear()

    def moved(self, position: int, size: int, *, is_caught_up: bool = False) -> None:
        """Note that the step has processed `size` more bytes, up to `position`, perhaps the end."""
        self.is_amid_chunk = False
        self._may_cut.set()
        self.position = position
        self.unsaved_bytes += size
        self._is_caught_up = is_caught_up

    def soon(self, *, urgent: bool = False) -> None:
        """See to a commit as soon as the one in flight is over, and after the pause unless urgent.

        Returns at once: whatever is processed until then goes with it.
        """
        if self._is_settling:
            return  # `settle` takes everything along, and afterwards it is too late
        self._wanted = True
        if urgent:
            self._hurry.set()
        if self._task is None:
            self._task = asyncio.create_task(self._commit_wanted())

    def caught_up_soon(self) -> None:
        """See to a commit soon, whatever the last one cost: there is nothing more to process."""
        self.soon()
        wait_s = self._began_s + CAUGHT_UP_PAUSE_S - self._clock()
        if wait_s <= 0:
            self._hurry.set()
        elif self._task is not None:
            asyncio.get_running_loop().call_later(wait_s, self._hurry.set)

    def tick(self) -> None:
        """Commit what nobody waits for, when it is time; the timer calls it."""
        now = self._clock()
        ready_s = self._rows_ready_s
        if self._is_caught_up:
            ready_s = min(ready_s, self._cut_s + self._pace.pause_s(rows=0))
        if now < max(ready_s, self._told_s + ROWS_WAIT_S):
            return
        if now - self._cut_s < self._pace.interval_s:
            return
        long_ago = now - self._cut_s >= POSITION_INTERVALS * self._pace.interval_s
        self._begin_commit(with_position_only=long_ago)

    def _begin_commit(self, *, with_position_only: bool) -> None:
        """Begin to commit what there is, unless something is going on."""
        if self._task is not None or self._is_settling or self.is_amid_chunk:
            return
        work = self._cut(with_position_only=with_position_only)
        if work is not None:
            self._task = asyncio.create_task(self._commit_cut(*work))

    async def caught_up(self) -> None:
        """Wait until nothing is in flight and nothing waits for its turn."""
        while self._task is not None:
            self._hurry.set()
            # Leaves the transaction alone when whoever waits here is cancelled.
            await asyncio.wait([self._task])

    async def written(self) -> None:
        """Wait until the transaction that is going on is over."""
        if self.rows_in_flight:
            await self._is_written.wait()

    async def settle(self) -> None:
        """Make the last commit before the partition goes: everything; `soon` does nothing more.

        Amid a chunk there is nothing to commit: whoever has the partition next reads again what
        came since the last cut. May be called again, also meanwhile: a stop comes along more than
        one way.
        """
        self._is_settling = True
        self._may_cut.set()
        await self.caught_up()
        if self._task is None and not self.is_amid_chunk:
            work = self._cut(with_position_only=True)
            if work is not None:
                self._task = asyncio.create_task(self._commit_cut(*work))
        await self.caught_up()

    async def _commit_wanted(self) -> None:
        try:
            with ending_worker("a checkpoint"):
                while self._wanted:
                    await self._pause()
                    if not await self._between_chunks():
                        return
                    self._wanted = False
                    self._hurry.clear()
                    if (outputs := self._outputs_ahead()) is not None:
                        await self._tell(outputs)
                        if self._clock() < self._rows_ready_s + ROWS_WAIT_S_MAX:
                            continue
                        if not await self._between_chunks():
                            return
                    if (work := self._cut(with_position_only=False)) is not None:
                        await self._commit(*work)
        finally:
            self._task = None

    async def _commit_cut(self, cut: Cut, position: int) -> None:
        try:
            with ending_worker("a checkpoint"):
                await self._commit(cut, position)
        finally:
            self._task = None
        if self._wanted:
            self.soon()

    async def _pause(self) -> None:
        """Wait until the next commit may begin, or somebody waits for what comes after it."""
        wait_s = self._ready_s - self._clock()
        if wait_s > 0:
            with suppress(TimeoutError):
                await asyncio.wait_for(self._hurry.wait(), wait_s)

    async def _between_chunks(self) -> bool:
        """Wait until the step is not at work on a chunk; return False when the partition goes."""
        while self.is_amid_chunk and not self._is_settling:
            await self._may_cut.wait()
        return not self._is_settling

    def _cut(self, *, with_position_only: bool) -> tuple[Cut, int] | None:
        """Take a cut and the offset that belongs to it; None when there is nothing to write."""
        cut = self._step.cut()
        self.unsaved_bytes = 0
        position = position_of(cut, self.position, self.committed_position)
        if cut or (with_position_only and position != self.committed_position):
            return cut, position
        return None

    def _outputs_ahead(self) -> list[Output] | None:
        """Return what is told ahead of the rows, None where all goes together."""
        step = self._step
        if not isinstance(step, TellsAhead) or not step.may_tell:
            return None
        if step.unsaved_rows() <= ROWS_TOLD_WITH:
            return None
        self.unsaved_bytes = 0
        return step.tell()

    async def _tell(self, outputs: list[Output]) -> None:
        """Write outputs; the rows come later, soon where there is nothing else to do."""
        if not outputs:
            return
        began = self._clock()
        self._began_s = self.in_flight_since_s = began
        await self._transactions.tell(outputs)
        self.in_flight_since_s = None
        self._told_s = self._clock()
        self._ready_s = began + self._pace.pause_s(rows=0)
        if self._is_caught_up:
            self._rows_ready_s = self._told_s
            asyncio.get_running_loop().call_later(ROWS_WAIT_S, self._commit_rows)
        self._committed(Committed(Cut(outputs=outputs), self._told_s - began))

    def _commit_rows(self) -> None:
        """Begin to commit rows, unless something is going on: then the timer sees to them."""
        self._begin_commit(with_position_only=False)

    async def _commit(self, cut: Cut, position: int) -> None:
        began = self._clock()
        self._began_s = self._cut_s = self.in_flight_since_s = began
        self.rows_in_flight = rows = len(cut.rows) + 1
        self._is_written.clear()
        try:
            await self._transactions.commit(
                with_position(cut.rows, position), cut.outputs, position
            )
        finally:
            self.rows_in_flight = 0
            self._is_written.set()
        self.in_flight_since_s = None
        self.committed_position = position
        self._rows_ready_s = self._ready_s = began + self._pace.pause_s(rows)
        if isinstance(self._step, TellsAhead):
            self._ready_s = began + self._pace.pause_s(rows=0)
            self._rows_ready_s = began + self._pace.pause_s(rows, ROWS_PAUSE_S_MAX)
        self._committed(Committed(cut, self._clock() - began))


def with_position(rows: Rows, position: int) -> Iterator[tuple[bytes, bytes | None]]:
    """Yield the rows of a cut, read while they are written, and the saved position.

    Raises:
        ReservedKeyError: A step wrote under a key that is ours.
    """
    for row in rows:
        if row[0][:1] == POSITION_KEY[:1]:
            raise ReservedKeyError("a step wrote a row under a reserved key")
        yield row
    yield POSITION_KEY, str(position).encode()


def position_of(cut: Cut, processed: int, committed: int | None) -> int:
    """Return the offset that belongs to a cut: from there on the log is read again.

    Raises:
        ValueError: The step asks for offsets that it was not given yet, or that were given up.

    >>> position_of(Cut(), 7, 3), position_of(Cut(position=5), 7, 3)
    (7, 5)
    """
    if cut.position is None:
        return processed
    if not (committed or 0) <= cut.position <= processed:
        raise ValueError(
            f"a step wants to begin at {cut.position}, but was given {committed} to {processed}"
        )
    return cut.position
