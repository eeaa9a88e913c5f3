"""Puts a worker together: the Faust app, its topics, tables, agents and hosts.

streams/app.py holds the only app at module level; tests build their own with other steps.

What is overridden of `faust.App` (faust/app/base.py): `_new_transport` (ours, which delivers
chunks), `_create_directories` (nothing is kept on disk), `on_first_start` (topics and connections
come first), `_crash` (crash-only), `on_rebalance_end` (processing begins), `on_stop` (the last
checkpoint) and `on_shutdown` (connections go last).
"""

import asyncio
import logging
import time
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from typing import Any, Final

import faust
from faust.app import BootStrategy
from prometheus_client import CollectorRegistry
from yarl import URL

from models.steps import StepFactory
from streams.agents.delivery import DeliveryPartitions, Store
from streams.agents.intake import IntakePartitions, IntakeStep
from streams.delivery.hooks import Hooks
from streams.delivery.routes import Receiver
from streams.ending import EXIT_UNUSABLE, end_when_late, end_worker, ending_worker, reason_of
from streams.errors import UserError
from streams.free_memory import GIVE_BACK_INTERVAL_S, give_back_free_memory
from streams.garbage import set_aside_what_stays
from streams.gauges import LAG_INTERVAL_S, LagGauges
from streams.input_identity import InputIdentity, input_identity_of
from streams.learned import LearnedReader
from streams.liveness import Liveness
from streams.metrics import Agent, Metrics, MetricsServer, serve
from streams.security import client_options, faust_credentials
from streams.settings import Settings
from streams.stateful import Observer, StatefulPartitions
from streams.tables import (
    RECOVERY_BUFFER_CHUNKS,
    ChangelogTable,
    ChunkSchema,
    PromptTableManager,
)
from streams.topics import Topic, ensure_topics, topic_names
from streams.transactions import PartitionTransactions
from streams.transport.consumer import ChunkTransport, Host, LedgerConsumer
from streams.transport.ledger import Partition
from streams.worker_liveness import worker_liveness

log = logging.getLogger(__name__)

STREAM_BUFFER_CHUNKS: Final = 16
"""Chunks that wait for an agent at most: at 1 MiB each, 16 MB for each agent. Faust stops fetching
a partition at four fifths of it."""
REBALANCE_TIMEOUT_S: Final = 60.0
"""How long the group waits for a member's last checkpoint; Faust's own default. A checkpoint takes
at most CHECKPOINT_TIMEOUT_S (streams/transactions.py)."""
HEARTBEATS_PER_SESSION: Final = 5
"""Kafka advises at least three (`heartbeat.interval.ms`); a loop that is busy may miss two."""

STOP_SECONDS: Final = 8.0
"""A stop in order takes 1.3 s (measured); issue 3 allows 10 s, however slow Kafka is."""
STOP_SECONDS_IN_REBALANCE: Final = 3.0
"""In the middle of a rebalance there is nothing to save, and Faust may wait for ever: its consumer
thread stops after the assignment, which waits for an answer of that thread."""


@dataclass(frozen=True, slots=True)
class Steps:
    """The pure steps of a worker."""

    intake: IntakeStep
    stages: StepFactory
    hotspots: StepFactory
    guidance: StepFactory
    observe_stages: Observer = lambda _partition, _step: None
    observe_hotspots: Observer = lambda _partition, _step: None
    observe_guidance: Observer = lambda _partition, _step: None
    warm_up: Callable[[], None] = lambda: None
    """Compiles or loads what the stateful steps need, before anything is read."""


TransactionsClass = Callable[..., PartitionTransactions]


class _Boot(BootStrategy):  # type: ignore[misc] # Faust is read as untyped
    """Starts everything but Faust's web server, whatever `faust worker` is told."""

    enable_web = False


class WorkerApp(faust.App):  # type: ignore[misc] # Faust is read as untyped
    """The Faust app of a worker."""

    BootStrategy = _Boot
    settings_of_worker: Settings
    intake: IntakePartitions
    stateful: Sequence[StatefulPartitions]
    delivery: DeliveryPartitions
    learned: LearnedReader
    input_identity: InputIdentity
    warm_up_steps: Callable[[], None]
    worker_metrics: Metrics
    store: Any
    deliver_hooks: Hooks | None
    liveness: Liveness
    metrics_server: MetricsServer | None = None

    @property
    def hosts(self) -> Sequence[Host]:
        """What owns partitions."""
        return (self.intake, *self.stateful, self.delivery)

    @property
    def packed_topics(self) -> Collection[str]:
        """The topics of many small messages."""
        return self.intake.topics

    def _new_transport(self) -> ChunkTransport:
        return ChunkTransport(self.conf.broker_consumer, self)

    def _create_directories(self) -> None:
        """Create nothing: tables live in memory and in their changelogs."""

    async def on_first_start(self) -> None:
        """See to the topics and connect, before Faust's own services start."""
        await super().on_first_start()
        settings = self.settings_of_worker
        try:
            await ensure_topics(settings)
            await self.input_identity.claim()
            if settings.metrics_port:
                self.metrics_server = serve(
                    self.worker_metrics,
                    settings.metrics_host,
                    settings.metrics_port,
                    {"/healthz": self.liveness.health, "/readyz": self.liveness.readiness},
                )
        except UserError as error:
            end_worker("; ".join(error.lines), EXIT_UNUSABLE)
        with ending_worker("connecting to Kafka"):
            await asyncio.gather(
                self.intake.start(), self.learned.start(), asyncio.to_thread(self.warm_up_steps)
            )
        set_aside_what_stays()
        self.intake.consumer = self.consumer
        self.delivery.consumer = self.consumer
        for host in self.stateful:
            host.consumer = self.consumer
        if self.deliver_hooks is not None:
            with ending_worker("connecting hooks to Kafka"):
                await self.deliver_hooks.start()
        # Not tasks of the app, which Faust starts after recovery: that is watched, too.
        self.add_future(self.learned.watch_kafka())
        self.add_future(self.input_identity.watch())
        self.add_future(self._watch_liveness())
        self.add_future(_give_back_memory())

    async def _watch_liveness(self) -> None:
        while True:
            with ending_worker("looking for what does not move"):
                self.liveness.look()
            await asyncio.sleep(self.liveness.interval_s)

    async def on_stop(self) -> None:
        """Stop Faust's part, which makes the last checkpoint, then the connections."""
        is_open = self.consumer.ledger.is_open
        end_when_late(STOP_SECONDS if is_open else STOP_SECONDS_IN_REBALANCE)
        await super().on_stop()
        if self.consumer.ledger.is_open:
            await self.consumer.checkpoint()
            self.consumer.ledger.close()
        if self.deliver_hooks is not None:
            await self.deliver_hooks.stop()
        if self.metrics_server is not None:
            self.metrics_server.stop()

    def _crash(self, reason: BaseException) -> None:
        """End at once: Faust would stop all services in turn, committing on its way."""
        end_worker(f"Faust crashed: {reason_of(reason)}")

    def on_rebalance_end(self) -> None:
        """Begin to process: Faust has recovered the tables and cleared its queues."""
        super().on_rebalance_end()
        self.add_future(self.consumer.begin_processing())

    async def on_shutdown(self) -> None:
        """Close what `on_first_start` opened, after all services have stopped."""
        await super().on_shutdown()
        closing = [self.intake.stop(), self.learned.stop(), self.input_identity.stop()]
        closing += [host.stop() for host in self.stateful]
        for result in await asyncio.gather(*closing, return_exceptions=True):
            if isinstance(result, BaseException):
                log.warning("a connection was not closed in order: %s", reason_of(result))


def build_app(
    settings: Settings,
    steps: Steps,
    *,
    store: Store | None = None,
    metrics: Metrics | None = None,
    receivers: Sequence[Receiver] = (),
    transactions: TransactionsClass = PartitionTransactions,
) -> WorkerApp:
    """Return a worker's app, ready to be started by Faust.

    Raises:
        UserError: A certificate or key file cannot be read.
    """
    topics = topic_names(settings)
    metrics = metrics or Metrics(CollectorRegistry())
    app = _faust_app(settings)
    app.settings_of_worker = settings
    app.warm_up_steps = steps.warm_up
    app.worker_metrics = metrics
    app.store = store
    app.deliver_hooks = Hooks(receivers, settings, topics, metrics) if receivers else None
    options = client_options(settings)
    app.learned = LearnedReader(
        topic=topics[Topic.LEARNED],
        options=options,
        learners=lambda: [host.learn for host in app.stateful],
        clock=time.monotonic,
    )
    app.input_identity = input_identity_of(settings)
    app.intake = IntakePartitions(
        topics=topics,
        step=steps.intake,
        partitions=settings.partitions,
        idle_after_ms=settings.idle_after_ms,
        drift_max_ms=settings.drift_max_ms,
        options=options,
        metrics=metrics,
    )
    app.delivery = DeliveryPartitions(topics=topics, store=store, metrics=metrics)

    def transactions_of(consumed: Partition, changelog: Partition) -> PartitionTransactions:
        return transactions(
            app_id=settings.app_id,
            consumed=consumed,
            changelog=changelog,
            topics=topics,
            options=options,
        )

    def stateful(
        agent: Agent, consumed: Topic, changelog: Topic, factory: StepFactory, observe: Observer
    ) -> StatefulPartitions:
        return StatefulPartitions(
            agent=agent,
            topic=topics[consumed],
            changelog=topics[changelog],
            step_factory=factory,
            transactions_factory=transactions_of,
            learned=app.learned.latest,
            metrics=metrics,
            interval_s=settings.checkpoint_interval_ms / 1000,
            observe=observe,
        )

    app.stateful = (
        stateful(
            Agent.STAGES,
            Topic.BATCHES,
            Topic.VIDEOS_CHANGELOG,
            steps.stages,
            steps.observe_stages,
        ),
        stateful(
            Agent.GUIDANCE,
            Topic.GUIDANCE_ACTIONS,
            Topic.ACTIONS_CHANGELOG,
            steps.guidance,
            steps.observe_guidance,
        ),
        stateful(
            Agent.HOTSPOTS,
            Topic.VIDEO_STAGES,
            Topic.WORKS_CHANGELOG,
            steps.hotspots,
            steps.observe_hotspots,
        ),
    )
    app.liveness = worker_liveness(app, stall_s=settings.stall_ms / 1000)
    _add_tables(app)
    _add_agents(app)
    _add_tasks(app)
    return app


def _faust_app(settings: Settings) -> WorkerApp:
    session_s = settings.session_timeout_ms / 1000
    return WorkerApp(
        settings.app_id,
        broker=[URL(f"kafka://{server}") for server in settings.kafka.split(",")],
        broker_credentials=faust_credentials(settings),
        broker_commit_interval=settings.checkpoint_interval_ms / 1000,
        broker_session_timeout=session_s,
        broker_heartbeat_interval=session_s / HEARTBEATS_PER_SESSION,
        broker_rebalance_timeout=REBALANCE_TIMEOUT_S,
        broker_request_timeout=max(90.0, session_s),
        consumer_group_instance_id=settings.instance_id or None,
        consumer_auto_offset_reset="earliest",
        consumer_max_fetch_size=settings.fetch_bytes_max,
        stream_buffer_maxsize=STREAM_BUFFER_CHUNKS,
        # The ledger and the checkpoint do what waiting for acknowledgements would do.
        stream_wait_empty=False,
        store="memory://",
        TableManager=PromptTableManager,
        table_standby_replicas=0,
        topic_disable_leader=True,
        topic_partitions=settings.partitions,
        # Topics are ours to create (streams/topics.py).
        topic_allow_declare=False,
        web_enabled=False,
        autodiscover=False,
    )


async def _give_back_memory() -> None:
    while True:
        # In a thread: other threads may hold the C library's locks, and the loop is not to wait.
        await asyncio.to_thread(give_back_free_memory)
        await asyncio.sleep(GIVE_BACK_INTERVAL_S)


def _add_tables(app: WorkerApp) -> None:
    for host in app.stateful:
        table = ChangelogTable(
            app,
            name=host.agent.value,
            partitions=None,
            key_type=bytes,
            value_type=bytes,
            changelog_topic=app.topic(host.changelog, schema=ChunkSchema(), internal=False),
            recovery_buffer_size=RECOVERY_BUFFER_CHUNKS,
        )
        table.host = host
        app.tables.add(table)


def _add_agents(app: WorkerApp) -> None:
    agents: dict[Agent, Any] = {
        Agent.INTAKE: app.intake,
        **{host.agent: host for host in app.stateful},
        Agent.DELIVERY: app.delivery,
    }
    for agent, host in agents.items():
        channel = app.topic(*host.topics, schema=ChunkSchema(), internal=False)
        app.agent(channel, name=agent.value, concurrency=1)(_runner(host))


def _runner(host: Any) -> Callable[[Any], Any]:  # noqa: ANN401 - hosts differ in kind
    async def run(stream: Any) -> None:  # noqa: ANN401 - Faust's type
        async for event in stream.events():
            await host.take(Partition(*event.message.tp), event.value)

    return run


def _add_tasks(app: WorkerApp) -> None:
    gauges = LagGauges(app.worker_metrics, topic_names(app.settings_of_worker))

    # Functions, not bound methods: Faust marks what it is given with an attribute.
    async def follow_learned() -> None:
        await app.learned.follow()

    async def watch_idleness() -> None:
        await app.intake.watch_idleness()

    async def keep_checkpoints() -> None:
        await asyncio.gather(*(host.keep_checkpoints() for host in app.stateful))

    async def observe_lag() -> None:
        while True:
            await asyncio.sleep(LAG_INTERVAL_S)
            consumer: LedgerConsumer = app.consumer
            gauges.observe(consumer)
            with ending_worker("looking for what stands"):
                await consumer.seek_what_stands()

    for task in (follow_learned, watch_idleness, keep_checkpoints, observe_lag):
        app.task(task)
