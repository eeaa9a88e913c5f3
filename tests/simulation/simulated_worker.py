"""One worker: the product's own hosts and consumer, over the simulated broker.

What is real: `IntakePartitions`, `StatefulPartitions`, `PartitionTransactions`, `LearnedReader`,
`LedgerConsumer` with its ledger, the methods of Faust's `Consumer` that it extends, and the steps.
What stands in for Faust: the order in which it calls them (streams/assembly.py has it), its queues,
which lose, repeat and reorder chunks here far more often than there, and its recovery.
"""

import asyncio
import random
from collections import defaultdict, deque
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, field
from functools import partial
from types import SimpleNamespace
from typing import Any
from unittest.mock import patch

from aiokafka.errors import UnknownMemberIdError
from faust.transport.drivers import aiokafka as driver
from faust.types import TP
from prometheus_client import CollectorRegistry
from simulated_broker import BROKER_EPOCH_MS, Broker
from simulated_clients import Servers, SimulatedGroupConsumer
from simulated_group import Group
from virtual_loop import Process

from models.intake import Intake
from models.packed_chunk import PackedChunk, packed
from models.parameters import Parameters
from models.steps import Chunk, StepFactory
from streams.agents.delivery import DeliveryPartitions
from streams.agents.intake import IntakePartitions
from streams.errors import UserError
from streams.gauges import LAG_INTERVAL_S
from streams.learned import LearnedReader
from streams.metrics import Agent, Metrics
from streams.stateful import StatefulPartitions, end_unrecovered
from streams.topics import Topic
from streams.transactions import PartitionTransactions
from streams.transport.consumer import ChunkThread, Host, LedgerConsumer
from streams.transport.ledger import Partition

Delivered = Chunk | PackedChunk
APP_ID = "sim"
TOPICS = {topic.value: topic.value for topic in Topic}

AGENTS = (
    (Topic.ENGAGEMENT,),
    (Topic.BATCHES,),
    (Topic.GUIDANCE_ACTIONS,),
    (Topic.VIDEO_STAGES,),
    (Topic.ALERTS, Topic.BOARD),
)
"""The topics of each agent; those of one agent share a queue, as in Faust."""
CONSUMED = tuple(TOPICS[topic] for topics in AGENTS for topic in topics)
METRICS = Metrics(CollectorRegistry())
"""One for all workers of this process: nothing here reads them, and making them takes long."""


@dataclass(frozen=True)
class Setup:
    """What all workers of a history have in common."""

    parameters: Parameters
    actor_key: bytes
    idle_after_ms: int
    drift_max_ms: int
    checkpoint_interval_s: float
    heartbeat_s: float
    chunk_records: tuple[int, ...]
    stages: StepFactory
    hotspots: StepFactory
    guidance: StepFactory


@dataclass
class SimulatedStore:
    """Stands for Redis: outside all workers, idempotent, and now and then not there."""

    broker: Broker
    failures: float = 0.0
    alerts: dict[str, Mapping[str, Any]] = field(default_factory=dict)
    board: Mapping[str, Any] | None = None

    async def write_board(self, board: Mapping[str, Any]) -> bool:
        """Replace the board, unless it is of a later time (streams/delivery/board_store.py)."""

        def replace_older() -> bool:
            if self.board is not None and self.board["time_ms"] > board["time_ms"]:
                return False
            self.board = board
            return True

        replaced: bool = await self.broker.request("write of the board", replace_older)
        self._fail()
        return replaced

    async def record_alerts(self, alerts: Sequence[Mapping[str, Any]]) -> int:
        """Add alerts by their ids."""
        self._fail()
        known = {alert["id"]: alert for alert in alerts}
        await self.broker.request("write of alerts", lambda: self.alerts.update(known))
        return len(alerts)

    def _fail(self) -> None:
        if self.failures and self.broker.choices.random() < self.failures:
            raise UserError("the store does not answer", "HOTSPOTS_REDIS", "wait")


@dataclass
class DeliveryFaults:
    """How often a fetched chunk is dropped, repeated or overtaken on its way to the agent."""

    dropped: float = 0.0
    repeated: float = 0.0
    overtaken: float = 0.0


class Thread(ChunkThread):
    """The consumer's thread, which is no thread here, but takes as long to answer."""

    def __init__(self, consumer: "SimulatedConsumer", kafka: SimulatedGroupConsumer) -> None:
        self.consumer = consumer
        self._consumer = kafka

    async def call_thread(
        self,
        fun: Callable[..., Awaitable[Any]],
        *args: Any,  # noqa: ANN401 - mode's signature
        **kwargs: Any,  # noqa: ANN401 - mode's signature
    ) -> Any:  # noqa: ANN401 - mode's signature
        """Call a function a little later."""
        await asyncio.sleep(self.consumer.choices.choice((0.0, 0.0, 0.001, 0.01)))
        result = fun(*args, **kwargs)
        return await result if asyncio.iscoroutine(result) else result


class SimulatedConsumer(LedgerConsumer):
    """The product's consumer without Faust's services around it."""

    in_transaction = False

    def __init__(
        self, app: "SimulatedApp", kafka: SimulatedGroupConsumer, choices: random.Random
    ) -> None:
        # Without Faust's own: it makes services and reads the wall clock.
        with patch.object(driver.Consumer, "__init__", _nothing):
            super().__init__()
        self.app = app
        self.choices = choices
        self._thread = Thread(self, kafka)
        self.diag = SimpleNamespace(set_flag=_nothing, unset_flag=_nothing)
        self.log = SimpleNamespace(dev=_nothing, info=_nothing, warning=_nothing)
        self._gap = {}
        self._acked = defaultdict(list)
        self._acked_index = defaultdict(set)
        self._committed_offset = {}
        self._active_partitions = set()
        self._paused_partitions = set()
        self._buffered_partitions = set()
        self._on_partitions_revoked = app.revoked
        self._on_partitions_assigned = app.assigned

    def is_wanted(self, partition: Partition) -> bool:
        """Tell whether a partition is fetched."""
        return self.app.flow_active and TP(*partition) not in self._paused_partitions


def _nothing(*_: object, **__: object) -> None:
    """Do nothing."""


class SimulatedApp:
    """What Faust's app is to the consumer, and the order in which Faust does things."""

    should_stop = False

    def __init__(
        self,
        broker: Broker,
        group: Group,
        setup: Setup,
        process: Process,
        faults: DeliveryFaults,
        store: SimulatedStore,
    ) -> None:
        self.broker = broker
        self.group = group
        self.setup = setup
        self.process = process
        self.faults = faults
        self.store = store
        self.choices = broker.choices
        self.conf = SimpleNamespace(id=APP_ID)
        self.rebalancing = True
        self.flow_active = False
        self.is_leaving = False
        self._queues: dict[str, deque[tuple[Partition, Delivered]]] = {}
        self._arrived: dict[str, asyncio.Event] = {}
        for topics in AGENTS:
            shared: deque[tuple[Partition, Delivered]] = deque()
            self._queues |= dict.fromkeys(topics, shared)
            self._arrived |= dict.fromkeys(topics, asyncio.Event())
        self._background: set[asyncio.Task[None]] = set()
        self._connect()

    def _connect(self) -> None:
        """Put the worker together, as streams/assembly.py does."""
        setup, broker = self.setup, self.broker
        clock = broker.loop.time
        options = {"bootstrap_servers": Servers(broker, self.process)}
        metrics = METRICS
        self.kafka = SimulatedGroupConsumer(broker, self.group, self.process.name)
        self.learned = LearnedReader(
            topic=TOPICS[Topic.LEARNED],
            options=options,
            learners=lambda: [host.learn for host in self.stateful],
            clock=clock,
        )
        self.intake = IntakePartitions(
            topics=TOPICS,
            step=Intake(setup.parameters.partitions, setup.actor_key),
            partitions=setup.parameters.partitions,
            idle_after_ms=setup.idle_after_ms,
            drift_max_ms=setup.drift_max_ms,
            options=options,
            metrics=metrics,
            clock=clock,
            now_ms=lambda: BROKER_EPOCH_MS + int(clock() * 1000),
        )

        def transactions_of(consumed: Partition, changelog: Partition) -> PartitionTransactions:
            return PartitionTransactions(
                app_id=APP_ID,
                consumed=consumed,
                changelog=changelog,
                topics=TOPICS,
                options=options,
            )

        def stateful(
            agent: Agent, consumed: Topic, changelog: Topic, factory: StepFactory
        ) -> StatefulPartitions:
            return StatefulPartitions(
                agent=agent,
                topic=TOPICS[consumed],
                changelog=TOPICS[changelog],
                step_factory=factory,
                transactions_factory=transactions_of,
                learned=self.learned.latest,
                metrics=metrics,
                interval_s=setup.checkpoint_interval_s,
                clock=clock,
            )

        self.stateful = (
            stateful(Agent.STAGES, Topic.BATCHES, Topic.VIDEOS_CHANGELOG, setup.stages),
            stateful(
                Agent.GUIDANCE, Topic.GUIDANCE_ACTIONS, Topic.ACTIONS_CHANGELOG, setup.guidance
            ),
            stateful(Agent.HOTSPOTS, Topic.VIDEO_STAGES, Topic.WORKS_CHANGELOG, setup.hotspots),
        )
        self.delivery = DeliveryPartitions(topics=TOPICS, store=self.store, metrics=metrics)
        self.hosts: tuple[Host, ...] = (self.intake, *self.stateful, self.delivery)
        self.consumer = SimulatedConsumer(self, self.kafka, self.choices)

    async def run(self) -> None:
        """Be a worker until death."""
        await asyncio.gather(self.intake.start(), self.learned.start())
        self.intake.consumer = self.delivery.consumer = self.consumer
        for host in self.stateful:
            host.consumer = self.consumer
        self.broker.watch(CONSUMED, self._grew)
        await asyncio.gather(
            *(self._run_agent(host) for host in self.hosts),
            *(host.keep_checkpoints() for host in self.stateful),
            self.learned.follow(),
            self.intake.watch_idleness(),
            self._look_for_what_stands(),
            self._commit_by_timer(),
            self._fetch(),
            self._take_part(),
        )

    # ---- Faust's tasks ----------------------------------------------------------------------

    async def _run_agent(self, host: Any) -> None:  # noqa: ANN401 - hosts differ in kind
        queue, arrived = self._queues[host.topics[0]], self._arrived[host.topics[0]]
        while True:
            while not queue:
                arrived.clear()
                await arrived.wait()
            await host.take(*queue.popleft())

    async def _look_for_what_stands(self) -> None:
        while True:
            await asyncio.sleep(LAG_INTERVAL_S)
            await self.consumer.seek_what_stands()

    async def _commit_by_timer(self) -> None:
        while True:
            await asyncio.sleep(self.setup.checkpoint_interval_s)
            await self.consumer.force_commit()

    def _grew(self, partition: Partition) -> None:
        if partition in self.kafka.positions:
            self.kafka.changed.set()

    async def _fetch(self) -> None:
        while True:
            wanted = [tp for tp in sorted(self.kafka.positions) if self._has_news(tp)]
            if not wanted:
                self.kafka.changed.clear()
                await self.kafka.changed.wait()
                continue
            partition = self.choices.choice(wanted)
            records_max = self.choices.choice(self.setup.chunk_records)
            chunk = await self.kafka.fetch(partition, records_max)
            if chunk is not None and self.flow_active:
                is_input = partition.topic == TOPICS[Topic.ENGAGEMENT]
                self._deliver(partition, packed(chunk) if is_input else chunk)

    def _has_news(self, partition: Partition) -> bool:
        if partition.topic not in CONSUMED or not self.consumer.is_wanted(partition):
            return False
        end = self.broker.logs[partition].stable_end
        return (
            self.kafka.positions[partition] < end or self.kafka.last_stable_offset(partition) != end  # type: ignore[arg-type] # equal tuples
        )

    def _deliver(self, partition: Partition, chunk: Delivered) -> None:
        """Put a chunk into the queue of its agent, if nothing happens to it on the way."""
        queue = self._queues[partition.topic]
        draw = self.choices.random()
        if draw < self.faults.dropped:
            self.broker.note(f"drops {_shown(partition, chunk)}")
            return
        draw -= self.faults.dropped
        queue.append((partition, chunk))
        if draw < self.faults.repeated:
            self.broker.note(f"repeats {_shown(partition, chunk)}")
            later = self.choices.random() * 2
            self.broker.loop.call_later(later, self._deliver_again, partition, chunk)
        elif draw < self.faults.repeated + self.faults.overtaken and len(queue) > 1:
            queue[-1], queue[-2] = queue[-2], queue[-1]
        self._arrived[partition.topic].set()

    def _deliver_again(self, partition: Partition, chunk: Delivered) -> None:
        self._queues[partition.topic].append((partition, chunk))
        self._arrived[partition.topic].set()

    # ---- the group --------------------------------------------------------------------------

    async def _take_part(self) -> None:
        """Join, be assigned, be revoked, and again: aiokafka's coordinator."""
        name = self.process.name
        while True:
            generation, assigned = await self.broker.ask(
                f"join of {name}",
                lambda answer: self.group.join(name, self.process, answer),
            )
            self.kafka.assign_from_group(generation, assigned)
            rejoin = asyncio.Event()
            beating = asyncio.create_task(self._beat(generation, rejoin))
            await self.consumer.on_partitions_assigned(
                {TP(*partition) for partition in assigned}, generation
            )
            await rejoin.wait()
            beating.cancel()
            self.rebalancing = True
            await self.consumer.on_partitions_revoked(
                {TP(*partition) for partition in self.kafka.positions}
            )
            if self.is_leaving:
                await self.broker.request(f"leave of {name}", lambda: self.group.leave(name))
                self.broker.note("has left in order")
                await asyncio.gather(*(host.stop() for host in self.stateful), self.intake.stop())
                await self.broker.loop.create_future()  # its supervisor ends it

    async def _beat(self, generation: int, rejoin: asyncio.Event) -> None:
        while True:
            await asyncio.sleep(self.setup.heartbeat_s)
            try:
                again = await self.broker.request(
                    f"heartbeat of {self.process.name}",
                    lambda: self.group.heartbeat(self.process.name, generation),
                )
            except UnknownMemberIdError:
                again = True
            if again or self.is_leaving:
                rejoin.set()
                return

    # ---- what Faust's app does at a rebalance -----------------------------------------------

    def _start_span_from_rebalancing(self, _name: str) -> Any:  # noqa: ANN401 - Faust's type
        return nullcontext()

    def on_rebalance_return(self) -> None:
        """Do nothing: Faust closes a trace here."""

    async def revoked(self, _partitions: set[TP]) -> None:
        """Stop the flow and empty the queues."""
        self.flow_active = False
        self._clear()

    async def assigned(self, partitions: set[TP], generation: int) -> None:
        """Begin recovery."""
        task = asyncio.create_task(self._recover(partitions, generation))
        self._background.add(task)
        task.add_done_callback(self._background.discard)

    def _clear(self) -> None:
        for queue in self._queues.values():
            queue.clear()

    async def _recover(self, partitions: set[TP], generation: int) -> None:
        """Read the changelogs, then let processing begin, unless overtaken by a rebalance."""
        for host in self.stateful:
            for tp in sorted(partitions):
                if tp.topic == host.topic:
                    await self._load(host, tp.partition, generation)
                if generation != self.kafka.generation:
                    return
        end_unrecovered(self.stateful)
        # Fetching begins before the queues are emptied for the last time.
        self.flow_active = True
        self.kafka.changed.set()
        await asyncio.sleep(self.choices.choice((0.0, 0.02)))
        if generation != self.kafka.generation:
            return
        self._clear()
        self.rebalancing = False
        await self.consumer.begin_processing()

    async def _load(self, host: StatefulPartitions, number: int, generation: int) -> None:
        """Hand a changelog to its host; now and then a chunk is lost before it."""
        partition = Partition(host.changelog, number)
        end = self.broker.logs[partition].stable_end
        position = 0
        while position < end and generation == self.kafka.generation:
            read = partial(self.broker.read, partition, position, self.choices.choice((1, 5, 1000)))
            chunk, _ = await self.broker.request(f"fetch of {host.changelog}-{number}", read)
            position = chunk.next_offset
            if position < end and self.choices.random() < self.faults.dropped:
                continue
            missing = host.changelog_gap(number, chunk)
            if missing is not None:
                position = missing
                continue
            host.load(number, chunk)


def _shown(partition: Partition, chunk: Delivered) -> str:
    return f"{partition.topic}-{partition.partition} {chunk.low_offset}..{chunk.next_offset - 1}"
