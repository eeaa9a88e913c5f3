"""Checkpoints of one partition: nothing lost, nothing twice, one at a time, at once or in time."""

import asyncio
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.steps import Chunk, Cut, Output
from streams.checkpoints import (
    PAUSE_S_MAX,
    POSITION_INTERVALS,
    POSITION_KEY,
    ROWS_TOLD_WITH,
    ROWS_WAIT_S,
    Committed,
    Pace,
    PartitionCheckpoints,
    ReservedKeyError,
    position_of,
    with_position,
)

INTERVAL_S = 0.5


@dataclass
class Counting:
    """Counts what it is given; every number becomes an output."""

    held: bool = False
    pending: list[int] = field(default_factory=list)
    reread_from: int | None = None
    rows: list[tuple[bytes, bytes | None]] = field(default_factory=list)

    @property
    def awaited(self) -> bool:
        return bool(self.pending)

    def load(self, key: bytes, value: bytes | None) -> None: ...

    def recovered(self) -> None: ...

    def process(self, chunk: Chunk) -> None:
        self.pending += chunk.offsets

    def learn(self, key: bytes, value: bytes | None) -> None: ...

    def cut(self) -> Cut:
        outputs = [Output("out", 0, None, str(number).encode()) for number in self.pending]
        self.pending = []
        return Cut(self.rows, outputs, self.reread_from)


class TellingAhead(Counting):
    """Its outputs may last before its rows."""

    may_tell = True

    def unsaved_rows(self) -> int:
        return len(self.rows)

    def tell(self) -> list[Output]:
        return self.cut().outputs


@dataclass
class Log:
    """Takes transactions, each of which lasts until it is let go."""

    done: list[tuple[list[int], int]] = field(default_factory=list)
    going: list[asyncio.Future[None]] = field(default_factory=list)
    waits: bool = False
    told: list[int] = field(default_factory=list)

    async def tell(self, outputs: list[Output]) -> None:
        self.told += [int(output.value or b"") for output in outputs]
        assert self.told[-1] not in [number for numbers, _ in self.done for number in numbers]

    async def commit(
        self, rows: Iterable[tuple[bytes, bytes | None]], outputs: list[Output], offset: int
    ) -> None:
        assert not self.going, "two transactions of a partition at a time"
        assert list(rows)[-1] == (POSITION_KEY, str(offset).encode())
        if self.waits:
            self.going.append(asyncio.get_running_loop().create_future())
            await self.going[0]
            self.going.pop()
        self.done.append(([int(output.value or b"") for output in outputs], offset))


class Clock:
    def __init__(self) -> None:
        self.now_s = 0.0

    def __call__(self) -> float:
        return self.now_s


def checkpoints(
    step: Counting, log: Log, clock: Clock, *, partitions: int = 1, saved: int | None = None
) -> PartitionCheckpoints:
    return PartitionCheckpoints(
        step,
        log,
        pace=Pace(INTERVAL_S, partitions),
        clock=clock,
        committed=lambda _committed: None,
        position=saved or 0,
        saved_position=saved,
    )


def number(step: Counting, made: PartitionCheckpoints, at: int) -> None:
    step.pending.append(at)
    made.moved(at + 1, 8)


async def until(condition: Callable[[], object]) -> None:
    async with asyncio.timeout(5):
        while not condition():  # noqa: ASYNC110 - what is waited for are other tasks
            await asyncio.sleep(0)


@pytest.mark.asyncio
async def test_what_others_wait_for_is_committed_without_the_timer() -> None:
    step, log = Counting(), Log()
    made = checkpoints(step, log, Clock())
    number(step, made, 0)
    made.soon()
    await until(lambda: log.done)
    assert log.done == [([0], 1)]
    assert made.committed_position == 1


@pytest.mark.asyncio
@pytest.mark.parametrize("made_of", [Counting, TellingAhead])
@pytest.mark.parametrize("count", [ROWS_TOLD_WITH, ROWS_TOLD_WITH + 1])
async def test_outputs_that_may_go_ahead_do_not_wait_for_many_rows(
    made_of: type[Counting], count: int
) -> None:
    step, log, clock = made_of(), Log(), Clock()
    step.rows = [(str(row).encode(), b"") for row in range(count)]
    made = checkpoints(step, log, clock)
    number(step, made, 0)
    made.soon()
    await until(lambda: log.done or log.told)
    goes_ahead = made_of is TellingAhead and count > ROWS_TOLD_WITH
    assert log.told == ([0] if goes_ahead else [])
    assert log.done == ([] if goes_ahead else [([0], 1)])
    if goes_ahead:
        await until(lambda: not made.is_busy)
        assert made.committed_position is None
        made.tick()
        assert not made.is_busy, "rows wait for who was told"
        clock.now_s += ROWS_WAIT_S
        made.tick()
        await until(lambda: log.done)
        assert log.done == [([], 1)]
    assert made.committed_position == 1


@pytest.mark.asyncio
async def test_outputs_that_may_not_go_ahead_go_with_the_rows() -> None:
    step, log = TellingAhead(), Log()
    step.may_tell = False
    step.rows = [(str(row).encode(), b"") for row in range(ROWS_TOLD_WITH + 1)]
    made = checkpoints(step, log, Clock())
    number(step, made, 0)
    made.soon()
    await until(lambda: log.done)
    assert (log.told, log.done) == ([], [([0], 1)])


@pytest.mark.asyncio
async def test_many_rows_are_seldom_written_while_outputs_go_ahead_of_them() -> None:
    step, log, clock = TellingAhead(), Log(), Clock()
    step.rows = [(str(row).encode(), b"") for row in range(60_000)]
    made = checkpoints(step, log, clock, partitions=4)
    for at in range(200):
        clock.now_s += 0.1
        number(step, made, at)
        made.soon()
        made.tick()
        await until(lambda: not made.is_busy)
    assert log.told == list(range(200))
    # The first a second after they are due, then one in ROWS_PAUSE_S_MAX and a second, of 20 s.
    first, second = (offset for _, offset in log.done)
    assert first == pytest.approx(10, abs=1)
    assert second - first == pytest.approx(110, abs=1)


@pytest.mark.asyncio
async def test_rows_follow_soon_where_there_is_nothing_else_to_do() -> None:
    step, log, clock = TellingAhead(), Log(), Clock()
    step.rows = [(str(row).encode(), b"") for row in range(40_000)]
    made = checkpoints(step, log, clock, partitions=4)
    for at in range(2):
        step.pending.append(at)
        made.moved(at + 1, 8, is_caught_up=True)
        made.caught_up_soon()
        await until(lambda: len(log.told) > at and not made.is_busy)  # noqa: B023 - awaited here
        clock.now_s += ROWS_WAIT_S
        await asyncio.sleep(ROWS_WAIT_S)
        await until(lambda: len(log.done) > at)  # noqa: B023 - awaited here
    assert log.done == [([], 1), ([], 2)]


@pytest.mark.asyncio
async def test_rows_do_not_wait_for_the_next_outputs_once_all_has_been_read() -> None:
    step, log, clock = TellingAhead(), Log(), Clock()
    step.rows = [(str(row).encode(), b"") for row in range(60_000)]
    made = checkpoints(step, log, clock, partitions=4)
    clock.now_s += 1
    number(step, made, 0)
    made.tick()
    await until(lambda: log.done)
    await until(lambda: not made.is_busy)
    clock.now_s += 2 * INTERVAL_S
    made.moved(2, 8)
    made.tick()
    assert not made.is_busy, "there is more to read"
    made.moved(3, 8, is_caught_up=True)
    made.tick()
    await until(lambda: len(log.done) == 2)


@pytest.mark.asyncio
async def test_what_is_processed_during_a_transaction_goes_into_the_next() -> None:
    step, log = Counting(), Log(waits=True)
    made = checkpoints(step, log, Clock())
    number(step, made, 0)
    made.soon()
    await until(lambda: log.going)
    number(step, made, 1)
    made.soon(urgent=True)
    number(step, made, 2)
    made.soon(urgent=True)
    log.going[0].set_result(None)
    await until(lambda: log.done and log.going)
    log.going[0].set_result(None)
    await until(lambda: not made.is_busy)
    assert log.done == [([0], 1), ([1, 2], 3)]


@pytest.mark.asyncio
async def test_a_second_commit_pauses_unless_it_is_urgent() -> None:
    step, log, clock = Counting(), Log(), Clock()
    made = checkpoints(step, log, clock, partitions=10_000)  # the longest pause
    number(step, made, 0)
    made.soon()
    await until(lambda: log.done)
    number(step, made, 1)
    made.soon()
    for _ in range(20):
        await asyncio.sleep(0)
    assert len(log.done) == 1
    made.soon(urgent=True)
    await until(lambda: len(log.done) == 2)


@pytest.mark.asyncio
async def test_the_timer_commits_news_soon_and_positions_seldom() -> None:
    step, log, clock = Counting(), Log(), Clock()
    made = checkpoints(step, log, clock, saved=0)
    number(step, made, 0)
    made.tick()
    await until(lambda: log.done)
    made.moved(5, 0)
    moved_at_s = []
    for _ in range(2 * POSITION_INTERVALS):
        clock.now_s += INTERVAL_S
        made.tick()
        await until(lambda: not made.is_busy)
        if len(log.done) == 2:
            moved_at_s.append(clock.now_s)
    assert log.done == [([0], 1), ([], 5)]
    assert moved_at_s[0] == POSITION_INTERVALS * INTERVAL_S


@pytest.mark.asyncio
async def test_settling_takes_everything_along_and_nothing_comes_after_it() -> None:
    step, log = Counting(), Log(waits=True)
    made = checkpoints(step, log, Clock(), partitions=10_000)
    number(step, made, 0)
    made.soon()
    await until(lambda: log.going)
    number(step, made, 1)
    settling = asyncio.create_task(made.settle())
    await asyncio.sleep(0)
    number(step, made, 2)
    made.soon()
    log.going[0].set_result(None)
    await until(lambda: log.done and log.going)
    log.going[0].set_result(None)
    await settling
    assert log.done == [([0], 1), ([1, 2], 3)]
    number(step, made, 3)
    made.soon(urgent=True)
    made.tick()
    assert not made.is_busy


@pytest.mark.asyncio
async def test_nothing_is_cut_while_the_step_is_at_work() -> None:
    step, log, clock = Counting(), Log(), Clock()
    made = checkpoints(step, log, clock)
    number(step, made, 0)
    made.soon(urgent=True)
    made.begun()
    step.pending.append(1)
    for _ in range(10):
        await asyncio.sleep(0)
    clock.now_s = 100 * INTERVAL_S
    made.tick()
    assert log.done == []
    made.moved(2, 8)
    await until(lambda: log.done)
    assert log.done == [([0, 1], 2)]
    made.begun()
    step.pending.append(2)
    clock.now_s = 200 * INTERVAL_S
    made.tick()
    assert not made.is_busy


@pytest.mark.asyncio
async def test_settling_amid_a_chunk_leaves_it_to_the_next_owner() -> None:
    step, log = Counting(), Log(waits=True)
    made = checkpoints(step, log, Clock())
    number(step, made, 0)
    made.soon()
    await until(lambda: log.going)
    number(step, made, 1)
    made.soon(urgent=True)
    made.begun()
    step.pending.append(2)
    settling = asyncio.create_task(made.settle())
    await asyncio.sleep(0)
    log.going[0].set_result(None)
    async with asyncio.timeout(5):
        await settling
    assert log.done == [([0], 1)]
    assert not made.is_busy


@pytest.mark.asyncio
async def test_a_step_that_is_done_while_settling_goes_with_it() -> None:
    step, log = Counting(), Log(waits=True)
    made = checkpoints(step, log, Clock())
    number(step, made, 0)
    made.soon()
    await until(lambda: log.going)
    made.begun()
    settling = asyncio.create_task(made.settle())
    await asyncio.sleep(0)
    number(step, made, 1)
    log.going[0].set_result(None)
    await until(lambda: log.done and log.going)
    log.going[0].set_result(None)
    await settling
    assert log.done == [([0], 1), ([1], 2)]


@pytest.mark.asyncio
async def test_a_stop_that_comes_along_two_ways_commits_once() -> None:
    """The timer's way is cancelled in the midst of it, as Faust does."""
    step, log = Counting(), Log(waits=True)
    made = checkpoints(step, log, Clock())
    number(step, made, 0)
    first = asyncio.create_task(made.settle())
    await until(lambda: log.going)
    number(step, made, 1)
    second, third = asyncio.create_task(made.settle()), asyncio.create_task(made.settle())
    await asyncio.sleep(0)
    first.cancel()
    log.going[0].set_result(None)
    await until(lambda: log.done and log.going)
    log.going[0].set_result(None)
    await asyncio.gather(second, third)
    assert first.cancelled()
    assert log.done == [([0], 1), ([1], 2)]


@pytest.mark.asyncio
async def test_the_step_says_from_where_it_is_read_again() -> None:
    step, log = Counting(reread_from=3), Log()
    made = checkpoints(step, log, Clock(), saved=2)
    number(step, made, 9)
    made.soon()
    await until(lambda: log.done)
    assert log.done == [([9], 3)]
    assert made.committed_position == 3


@pytest.mark.parametrize("position", [1, 8])
def test_a_position_outside_of_what_was_given_is_refused(position: int) -> None:
    with pytest.raises(ValueError, match=f"wants to begin at {position}"):
        position_of(Cut(position=position), 7, 2)


def test_a_row_under_a_key_of_ours_is_refused_when_it_is_written() -> None:
    rows = with_position([(b"v", b""), (b"\x00mine", b"")], 7)
    assert next(rows) == (b"v", b"")
    with pytest.raises(ReservedKeyError):
        next(rows)


@pytest.mark.asyncio
async def test_who_waits_for_the_rows_in_flight_goes_on_when_they_are_written() -> None:
    step, log = Counting(rows=[(b"a", b""), (b"b", b"")]), Log(waits=True)
    made = checkpoints(step, log, Clock())
    await made.written()
    number(step, made, 0)
    made.soon()
    await until(lambda: log.going)
    assert made.rows_in_flight == len(step.rows) + 1
    number(step, made, 1)
    made.soon(urgent=True)
    waiting = asyncio.create_task(made.written())
    await asyncio.sleep(0)
    assert not waiting.done()
    log.going[0].set_result(None)
    async with asyncio.timeout(5):
        await waiting
    assert log.done == [([0], 1)], "what was asked for meanwhile is not waited for"
    await until(lambda: log.going)
    log.going[0].set_result(None)
    await made.caught_up()
    assert not made.rows_in_flight


@given(rows=st.integers(1, 10**7), partitions=st.integers(1, 256))
def test_pauses_are_bounded_and_grow_with_what_is_shared(rows: int, partitions: int) -> None:
    pause_s = Pace(INTERVAL_S, partitions).pause_s(rows)
    assert 0 < pause_s <= PAUSE_S_MAX
    assert Pace(INTERVAL_S, partitions + 1).pause_s(rows) >= pause_s
    assert Pace(INTERVAL_S, partitions).pause_s(rows + 1) >= pause_s


STEPS = st.lists(
    st.sampled_from(["process", "soon", "urgent", "tick", "let go", "later", "turn"]), max_size=60
)


@given(steps=STEPS)
def test_every_output_once_in_order_with_its_offset(steps: list[str]) -> None:
    """Whatever happens when: each transaction holds exactly what lies between two offsets."""

    async def history() -> tuple[Log, int]:
        step, log, clock = Counting(), Log(waits=True), Clock()
        seen: list[Committed] = []
        made = PartitionCheckpoints(
            step,
            log,
            pace=Pace(INTERVAL_S, 50),
            clock=clock,
            committed=seen.append,
            position=0,
            saved_position=None,
        )
        processed = 0
        for what in steps:
            if what == "process":
                number(step, made, processed)
                processed += 1
            elif what in {"soon", "urgent"}:
                made.soon(urgent=what == "urgent")
            elif what == "tick":
                made.tick()
            elif what == "let go" and log.going and not log.going[0].done():
                log.going[0].set_result(None)
            elif what == "later":
                clock.now_s += 10.0
            await asyncio.sleep(0)
        log.waits = False
        if log.going and not log.going[0].done():
            log.going[0].set_result(None)
        await made.settle()
        assert len(seen) == len(log.done)
        return log, processed

    log, processed = asyncio.run(history())
    position = 0
    for outputs, offset in log.done:
        assert outputs == list(range(position, offset))
        position = offset
    assert position == processed
