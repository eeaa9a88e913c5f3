"""Defects that the simulation must find: each breaks one of the promises that the flow rests on.

They are planted into single methods, of the broker or of the product, for one history.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import ExitStack
from typing import Any
from unittest.mock import patch

from aiokafka.structs import TopicPartition
from history import History
from simulated_broker import Broker
from simulated_worker import SimulatedApp

from models.event_time import SourceClocks
from models.measured_actions import MeasuredActions
from models.participation_table import ParticipationTable
from models.spending import Spending
from models.stage_reports import StageReport
from models.steps import Output
from models.video_state import VideoTable
from models.work_participation import WorkParticipation
from streams.agents.intake import IntakePartitions
from streams.learned import LearnedReader
from streams.stateful import StatefulPartitions
from streams.transactions import PartitionTransactions
from streams.transport.ledger import Delivery, Ledger, Partition, Verdict

Rows = Sequence[tuple[bytes, bytes | None]]


def broker_does_not_fence(stack: ExitStack, history: History) -> None:
    """Let a previous owner go on writing."""
    stack.enter_context(patch.object(history.broker, "fences", new=False))


def readers_see_uncommitted_data(stack: ExitStack, history: History) -> None:
    """Show records of transactions that are open or aborted."""
    stack.enter_context(patch.object(history.broker, "isolates", new=False))


def offsets_are_committed_before_rows(stack: ExitStack, _history: History) -> None:
    """Commit the consumed offset in a transaction of its own, ahead of the rows."""

    async def commit(
        self: PartitionTransactions, rows: Rows, outputs: Iterable[Output], offset: int
    ) -> None:
        await _transact(self, [], [], offset)
        await _transact(self, rows, outputs, None)

    stack.enter_context(patch.object(PartitionTransactions, "commit", commit))


def reports_that_come_again_count_again(stack: ExitStack, _history: History) -> None:
    """Decide again what a partition tells again after a crash."""
    stack.enter_context(patch.object(StageReport, "after", lambda report, *_: report))


def outputs_are_committed_before_rows(stack: ExitStack, _history: History) -> None:
    """Let outputs out in a transaction of their own, ahead of rows and offset."""

    async def commit(
        self: PartitionTransactions, rows: Rows, outputs: Iterable[Output], offset: int
    ) -> None:
        await _transact(self, [], outputs, None)
        await _transact(self, rows, [], offset)

    stack.enter_context(patch.object(PartitionTransactions, "commit", commit))


async def _transact(
    transactions: Any,  # noqa: ANN401 - reaches into what it breaks
    rows: Rows,
    outputs: Iterable[Output],
    offset: int | None,
) -> None:
    producer = transactions._producer  # noqa: SLF001 - see above
    await producer.begin_transaction()
    topic, number = transactions._changelog  # noqa: SLF001 - see above
    for key, value in rows:
        await (await producer.send(topic, key=key, value=value, partition=number))
    names: Mapping[str, str] = transactions._topics  # noqa: SLF001 - see above
    for output in outputs:
        await (
            await producer.send(
                names[output.topic],
                key=output.key,
                value=output.value,
                partition=output.partition,
                headers=output.headers,
            )
        )
    if offset is not None:
        consumed = TopicPartition(*transactions._consumed)  # noqa: SLF001 - see above
        await producer.send_offsets_to_transaction({consumed: offset}, "sim")
    await producer.commit_transaction()


def ledger_accepts_stale_chunks(stack: ExitStack, _history: History) -> None:
    """Process again what was processed."""
    judge = Ledger.begin

    def begin(self: Ledger, partition: Partition, chunk: Any) -> Any:  # noqa: ANN401 - either chunk
        delivery = judge(self, partition, chunk)
        if delivery.verdict is Verdict.STALE:
            return Delivery(Verdict.PROCESS, chunk=chunk)
        return delivery

    stack.enter_context(patch.object(Ledger, "begin", begin))


def ledger_overlooks_gaps(stack: ExitStack, _history: History) -> None:
    """Process what comes, though something before it is missing."""
    judge = Ledger.begin

    def begin(self: Ledger, partition: Partition, chunk: Any) -> Any:  # noqa: ANN401 - either chunk
        if self.expected(partition) is not None and chunk.low_offset > self._expect[partition]:
            self._expect[partition] = chunk.low_offset
        return judge(self, partition, chunk)

    stack.enter_context(patch.object(Ledger, "begin", begin))


def intake_commits_what_is_not_acknowledged(stack: ExitStack, _history: History) -> None:
    """Commit source offsets while their batches are still on the way."""

    async def checkpoint(self: IntakePartitions) -> Mapping[Partition, int]:
        assert self.consumer is not None
        return self.consumer.ledger.uncommitted(self.topics)

    stack.enter_context(patch.object(IntakePartitions, "checkpoint", checkpoint))


def processing_begins_before_recovery(stack: ExitStack, _history: History) -> None:
    """Take every partition for recovered, and load its changelog later."""
    load = SimulatedApp._load  # noqa: SLF001 - what it breaks

    async def load_later(self: SimulatedApp, *which: Any) -> None:  # noqa: ANN401 - passed on
        self.broker.loop.call_later(1.0, lambda: self.broker.loop.create_task(load(self, *which)))

    ready = property(lambda _self: True)
    stack.enter_context(patch.object(StatefulPartitions, "is_recovered", ready))
    stack.enter_context(patch.object(SimulatedApp, "_load", load_later))
    stack.enter_context(patch("simulated_worker.end_unrecovered", lambda _hosts: None))


def repeated_batches_count_again(stack: ExitStack, _history: History) -> None:
    """Count whatever a batch says, as if its source had never said it before."""
    accept = SourceClocks.accept

    def accept_all(self: SourceClocks, source: int, sources: int, low: int, high: int) -> int:
        accept(self, source, sources, low, high)
        return low + 1

    stack.enter_context(patch.object(SourceClocks, "accept", accept_all))


def what_was_learned_before_is_not_read(stack: ExitStack, _history: History) -> None:
    """Begin to follow the topic of what was learned at its end."""
    start = LearnedReader.start

    async def start_empty(self: LearnedReader) -> None:
        await start(self)
        self._latest.clear()

    stack.enter_context(patch.object(LearnedReader, "start", start_empty))


def broker_forgets_what_a_producer_sent(stack: ExitStack, _history: History) -> None:
    """Append again what is sent again after a lost answer."""
    append = Broker.append

    def append_again(self: Broker, writer: Any, *rest: Any) -> None:  # noqa: ANN401 - passed on
        writer.last_sequence.clear()
        append(self, writer, *rest)

    stack.enter_context(patch.object(Broker, "append", append_again))


def rows_change_while_they_are_written(stack: ExitStack, _history: History) -> None:
    """Write rows as they are when they are read, not as they were at the cut."""
    stack.enter_context(patch.object(VideoTable, "let_rows_change", lambda _table: None))


def participations_change_while_they_are_written(stack: ExitStack, _history: History) -> None:
    """Write participations as they are when they are read, not as they were at the cut."""
    stack.enter_context(patch.object(ParticipationTable, "let_rows_change", lambda _table: None))


def a_restart_forgets_the_budget(stack: ExitStack, _history: History) -> None:
    """Begin with a whole budget, and nothing withheld, after every restart."""
    stack.enter_context(patch.object(Spending, "load_dict", lambda _spending, _stored: None))


def a_restart_forgets_who_takes_part(stack: ExitStack, _history: History) -> None:
    """Begin with no record of who takes part in works after every restart."""
    stack.enter_context(patch.object(WorkParticipation, "load", lambda _self, _key, _value: None))


def a_restart_forgets_what_was_done(stack: ExitStack, _history: History) -> None:
    """Know nothing after a restart of the actions that were taken."""
    stack.enter_context(patch.object(MeasuredActions, "load", lambda *_: None))


DEFECTS: Mapping[str, Callable[[ExitStack, History], None]] = {
    plant.__name__: plant
    for plant in (
        broker_does_not_fence,
        readers_see_uncommitted_data,
        offsets_are_committed_before_rows,
        outputs_are_committed_before_rows,
        reports_that_come_again_count_again,
        ledger_accepts_stale_chunks,
        ledger_overlooks_gaps,
        intake_commits_what_is_not_acknowledged,
        processing_begins_before_recovery,
        repeated_batches_count_again,
        what_was_learned_before_is_not_read,
        broker_forgets_what_a_producer_sent,
        rows_change_while_they_are_written,
        participations_change_while_they_are_written,
        a_restart_forgets_the_budget,
        a_restart_forgets_who_takes_part,
        a_restart_forgets_what_was_done,
    )
}
