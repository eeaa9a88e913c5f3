"""One history: a seed becomes a platform, workers and faults; what comes out is compared."""

import os
import random
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from types import SimpleNamespace
from typing import Any
from unittest.mock import patch

from comparison import ACTOR_KEY, Comparison, Outcome
from simulated_broker import Broker, Rates
from simulated_clients import SimulatedProducer, SimulatedReader
from simulated_group import Group
from simulated_platform import (
    Platform,
    draw_actions,
    draw_learning_platform,
    draw_platform,
)
from simulated_worker import (
    CONSUMED,
    TOPICS,
    DeliveryFaults,
    Setup,
    SimulatedApp,
    SimulatedStore,
)
from virtual_loop import CURRENT, DeadlockError, Process, ProcessEnded, VirtualLoop

from models import report_log
from models.action_intake import ActionIntakeStep
from models.batch_header import BatchKind
from models.batches import decode_batch
from models.events import DecodingLimits
from models.hotspots import LEARNED, HotspotsStep
from models.stages import StagesStep
from models.vocabulary import Stage
from streams.checkpoints import ROWS_TOLD_WITH
from streams.topics import Topic
from streams.transport.ledger import Partition

SECONDS_MAX = 400.0
"""Virtual time after which a history counts as stuck."""
STEPS_MAX = 400_000
BUDGETS = (0, 0, 1, 24)
"""Alerts a day of a history, by its seed; in the first hour of a day a 24th of it is told."""
SAVE_AFTER_REPORTS = 4
"""With a budget works are saved this soon, and what a restart decides again begins there."""
QUIET_S = 3.0
"""Nothing may come for so long before a history counts as over; six checkpoints."""
QUIET_TOPICS = [TOPICS[t] for t in (Topic.VIDEO_STAGES, Topic.ALERTS, Topic.LEARNED, Topic.BOARD)]
"""Where nothing may come; heartbeats of idle partitions go on for good."""
SESSION_S = 6.0
REBALANCE_S = 10.0
TRANSACTION_TIMEOUT_S = 60.0
VISIT_MS = 20_000
"""So often it is told who takes part in a video: every second bucket."""
LOOK_MS = 10_000
"""All works are looked at so often: after each bucket."""
LEAST_CONTROLS = 2
"""So few videos suffice to measure what an action did."""
FORBIDDEN_ENDS = (
    "BrokenChain",
    "ReservedKey",
    "recovery stopped early",
    "deleted, unread",
    "RuntimeError",
    "ValueError",
    "KeyError",
    "TypeError",
    "AttributeError",
    "IllegalState",
    "Assertion",
    "IndexError",
)
"""What no fault of the world around may lead to; a worker that says so has found a defect."""


Defect = Callable[[ExitStack, "History"], None]
"""Plants a defect into a history; undone with the stack."""


class Supervised:
    """A place for a worker: whatever ends there is started again."""

    def __init__(self, number: int) -> None:
        self.number = number
        self.incarnation = 0
        self.process: Process | None = None
        self.app: SimulatedApp | None = None


class History:
    """The world of one seed."""

    def __init__(self, seed: int, *, calm: bool = False, learns: bool = False) -> None:
        self.seed = seed
        self.choices = random.Random(seed)  # noqa: S311 - a history is to be repeated from its seed
        self.platform: Platform = (
            draw_learning_platform(self.choices)
            if learns
            else draw_platform(self.choices, BUDGETS[seed % len(BUDGETS)], draw_actions(seed))
        )
        parameters = self.platform.parameters
        self.loop = VirtualLoop(self.choices)
        self.broker = Broker(
            self.loop,
            self.choices,
            {
                TOPICS[Topic.ENGAGEMENT]: len(self.platform.sources),
                TOPICS[Topic.REJECTED]: 1,
                TOPICS[Topic.BATCHES]: parameters.partitions,
                TOPICS[Topic.VIDEOS_CHANGELOG]: parameters.partitions,
                TOPICS[Topic.VIDEO_STAGES]: 1,
                TOPICS[Topic.LEARNED]: 1,
                TOPICS[Topic.WORKS_CHANGELOG]: 1,
                TOPICS[Topic.GUIDANCE_ACTIONS]: 1,
                TOPICS[Topic.ACTIONS_CHANGELOG]: 1,
                TOPICS[Topic.ALERTS]: 1,
                TOPICS[Topic.BOARD]: 1,
            },
        )
        self.group = Group(self.broker, CONSUMED, session_s=SESSION_S, rebalance_s=REBALANCE_S)
        self.setup = Setup(
            parameters=parameters,
            actor_key=ACTOR_KEY,
            idle_after_ms=self.choices.choice((3_000, 10_000, 10_000_000)),
            drift_max_ms=self.choices.choice((parameters.bucket_ms, 3_600_000)),
            checkpoint_interval_s=self.choices.choice((0.2, 0.5)),
            heartbeat_s=SESSION_S / 5,
            chunk_records=self.choices.choice(((1, 3, 10), (5, 20), (30, 100))),
            stages=lambda partition: StagesStep(partition, parameters),
            hotspots=lambda partition: HotspotsStep(partition, parameters),
            guidance=lambda partition: ActionIntakeStep(partition, DecodingLimits()),
        )
        self.calm = calm
        self.fault_rate = 0.0 if calm else self.choices.choice((0.002, 0.005, 0.02))
        self.faults_left = 0 if calm else self.choices.randint(1, 6)
        self.delivery = DeliveryFaults()
        self.store = SimulatedStore(self.broker)
        self.faults: dict[str, int] = {}
        self.problems: list[str] = []
        self.places = [Supervised(number) for number in range(self.choices.randint(1, 3))]
        self.faults_end_s = 0.0
        self._grown_s = 0.0
        self._sizes: list[int] = []

    # ---- processes --------------------------------------------------------------------------

    def start(self, place: Supervised) -> None:
        """Start a worker."""
        place.incarnation += 1
        process = Process(f"w{place.number}.{place.incarnation}")
        self.broker.note(f"{process} starts")
        place.process = process

        async def live() -> None:
            place.app = SimulatedApp(
                self.broker, self.group, self.setup, process, self.delivery, self.store
            )
            await place.app.run()

        task = self.loop.spawn(process, live())
        task.add_done_callback(lambda done: self._ended_by_itself(process, done))

    def _ended_by_itself(self, process: Process, task: Any) -> None:  # noqa: ANN401 - a task
        error = None if task.cancelled() else task.exception()
        if not process.is_dead:
            self.problems.append(f"{process} came to an end: {error!r}")

    def die(self, process: Process, why: str) -> None:
        """End a process where it stands, and start another in its place a while later."""
        self.broker.note(f"{process} dies: {why}")
        self.loop.kill(process)
        place = next(p for p in self.places if p.process is process)
        if place.app is not None:
            self.broker.forget(place.app._grew)  # noqa: SLF001 - what it watched
        self.loop.in_world(0.05 + self.choices.random() * 2, self.start, place)

    def end_worker(self, line: str) -> None:
        """Take the place of the end of a process."""
        process = CURRENT.get()
        assert process is not None
        if not process.is_dead:
            if any(word in line for word in FORBIDDEN_ENDS) and not self._was_overtaken(line):
                self.problems.append(line)
            self.count("ended itself")
            self.die(process, line)
        raise ProcessEnded

    def _was_overtaken(self, line: str) -> bool:
        """Tell whether a worker stood still between its recovery and the look at the offsets."""
        stood_still = self.faults.get("paused") or self.faults.get("broker restarted")
        return bool(stood_still) and "stood still until another had taken over" in line

    # ---- faults -----------------------------------------------------------------------------

    def count(self, fault: str) -> None:
        """Note that a fault happened."""
        self.faults[fault] = self.faults.get(fault, 0) + 1

    def fault(self, process: Process, where: str) -> bool:
        """Maybe stop a process at a request; the broker asks."""
        if process.is_dead:
            return True
        if not self.faults_left or self.choices.random() >= self.fault_rate:
            return False
        self.faults_left -= 1
        if self.choices.random() < 0.6:
            self.count("killed")
            self.die(process, f"killed {where}")
            return True
        self.pause(process, where)
        return False

    def pause(self, process: Process, where: str) -> None:
        """Pause a process, for shorter or longer than its session."""
        self.count("paused")
        seconds = self.choices.choice((0.5, 5.0, 15.0, 30.0, 80.0))
        self.broker.note(f"{process} is paused for {seconds} s {where}")
        self.loop.pause(process)
        self.loop.in_world(seconds, self.go_on, process)

    def go_on(self, process: Process) -> None:
        """Let it run again."""
        if not process.is_dead:
            self.broker.note(f"{process} goes on")
            self.loop.go_on(process)

    async def _trouble(self) -> None:
        """Let more go wrong than requests can tell of, for a while."""
        choices, rates = self.choices, self.broker.rates
        rates.lost_answers = choices.choice((0.0, 0.01, 0.05))
        rates.slow = choices.choice((0.0, 0.02, 0.1))
        rates.slow_s = choices.choice((0.5, 3.0))
        rates.queue_s = choices.choice((0.3, 2.0))
        self.delivery.dropped = choices.choice((0.0, 0.05, 0.2))
        self.delivery.repeated = choices.choice((0.0, 0.1))
        self.delivery.overtaken = choices.choice((0.0, 0.1))
        self.store.failures = choices.choice((0.0, 0.0, 0.3))
        until = self.loop.time() + choices.choice((10.0, 30.0, 60.0))
        while self.loop.time() < until:
            await _sleep(self.loop, choices.random() * 10)
            draw = choices.random()
            living = [p.process for p in self.places if p.process and not p.process.is_dead]
            running = [process for process in living if not process.is_paused]
            if draw < 0.15 and running:
                self.count("killed")
                self.die(choices.choice(running), "killed between requests")
            elif draw < 0.3 and running:
                self.pause(choices.choice(running), "between requests")
            elif draw < 0.4:
                self.leave_in_order(choices.choice(self.places))
            elif draw < 0.5 and len(self.places) < 3:
                self.count("joined")
                self.places.append(Supervised(len(self.places)))
                self.start(self.places[-1])
            elif draw < 0.58:
                self.restart_broker()
            elif draw < 0.7:
                self.count("compacted")
                for partition, log in self.broker.logs.items():
                    if partition.topic.endswith("changelog") or partition.topic == LEARNED:
                        log.compact()
        rates.lost_answers = rates.slow = self.store.failures = 0.0
        rates.queue_s = Rates().queue_s
        self.delivery.dropped = self.delivery.repeated = self.delivery.overtaken = 0.0
        self.faults_left = 0

    def leave_in_order(self, place: Supervised) -> None:
        """Stop a worker as SIGTERM does, and start another later."""
        process = place.process
        if process is None or process.is_dead or process.is_paused or place.app is None:
            return
        self.count("left in order")
        place.app.is_leaving = True
        self.loop.in_world(8.0, self._end_left, process)

    def _end_left(self, process: Process) -> None:
        if not process.is_dead:
            self.die(process, "its time to stop is over")

    def restart_broker(self) -> None:
        """Let the broker answer nobody for a while."""
        self.count("broker restarted")
        seconds = self.choices.choice((0.5, 5.0, 50.0, 70.0))
        self.broker.note(f"the broker is down for {seconds} s")
        self.broker.down_until_s = self.loop.time() + seconds

    async def _keep_house(self) -> None:
        """Do what the broker does by itself."""
        while True:
            await _sleep(self.loop, 1.0)
            if self.loop.time() >= self.broker.down_until_s:
                self.broker.abort_overdue(TRANSACTION_TIMEOUT_S)
                self.group.look_for_dead()

    # ---- the run ----------------------------------------------------------------------------

    async def _send_all(self) -> None:
        """Let the platform send its events: all at once, or a few at a time."""
        rest = [list(source) for source in self.platform.sources]
        actions = list(self.platform.actions)
        at_once = self.choices.choice((10_000, 10_000, 40))
        while any(rest) or actions:
            if actions:
                told = Partition(TOPICS[Topic.GUIDANCE_ACTIONS], 0)
                self.broker.platform_writes(told, [(None, actions.pop(0))])
                await _sleep(self.loop, self.choices.random())
            for number, source in enumerate(rest):
                taken, rest[number] = source[:at_once], source[at_once:]
                if taken:
                    self.broker.platform_writes(Partition(TOPICS[Topic.ENGAGEMENT], number), taken)
                    await _sleep(self.loop, self.choices.random())

    async def _live(self) -> None:
        self.loop.spawn(None, self._keep_house())
        sending = self.loop.spawn(None, self._send_all())
        for place in self.places:
            self.start(place)
        if not self.calm:
            self.broker.fault = self.fault
            await self._trouble()
        await sending
        while not self.problems:
            await _sleep(self.loop, 0.5)
            if self._is_over():
                return
            if self.loop.time() > SECONDS_MAX:
                self.problems.append(f"it stands: {self._where_it_stands()}")

    def _is_over(self) -> bool:
        """Tell whether everything was processed and nothing has come for a while."""
        sizes = [self.broker.logs[Partition(topic, 0)].end for topic in QUIET_TOPICS]
        if sizes != self._sizes or self._where_it_stands():
            self._sizes, self._grown_s = sizes, self.loop.time()
            return False
        return self.loop.time() - self._grown_s > QUIET_S

    def _where_it_stands(self) -> dict[str, str]:
        """Return what the group has not come to yet; heartbeats after the end do not count."""
        standing = {}
        for tp in self.group.partitions:
            log = self.broker.logs[tp]
            wanted = log.stable_end if not log.open else log.end
            if tp.topic == TOPICS[Topic.BATCHES]:
                wanted = self._end_of_events(log)
            while wanted and (entry := log.entries[wanted - 1]) is not None and entry.is_marker:
                wanted -= 1
            at = self.broker.offsets.get(tp, 0)
            if at < wanted:
                standing[f"{tp.topic}-{tp.partition}"] = f"{at} of {wanted}"
        return standing

    def _end_of_events(self, log: Any) -> int:  # noqa: ANN401 - a log
        for offset in range(log.end, 0, -1):
            value = log.entries[offset - 1].value
            if decode_batch(value).header.kind is not BatchKind.HEARTBEAT:
                return offset
        return 0

    def run(self, plant: Defect | None = None) -> Outcome:
        """Run it to its end and compare."""
        with ExitStack() as stack:
            stack.enter_context(_simulated(self))
            if plant is not None:
                plant(stack, self)
            living = self.loop.spawn(None, self._live())
            try:
                self.loop.run_until(living, steps_max=STEPS_MAX)
                living.result()
            except DeadlockError as error:
                self.problems.append(f"{error}; it stands: {self._where_it_stands()}")
            finally:
                self.loop.close()
        outcome = Outcome(
            seed=self.seed,
            problems=self.problems,
            trace=list(self.broker.trace),
            events=self.platform.events,
            faults=self.faults,
            steps=self.loop.steps,
            requests=self.broker.requests,
        )
        if not self.problems:
            with _short_spans():
                Comparison(self.platform, self.broker, self.store, outcome).compare()
        return outcome


async def _sleep(loop: VirtualLoop, seconds: float) -> None:
    future = loop.create_future()
    loop.call_later(seconds, future.set_result, None)
    await future


@contextmanager
def _short_spans() -> Iterator[None]:
    """Let visits, looks and windows be shorter than a history, or none would end in it."""
    with (
        patch("models.participation_table.VISIT_MS", VISIT_MS),
        patch("models.looks.LOOK_MS", LOOK_MS),
        patch("models.activity_history.LEAST_STAGE", Stage.PRESENTATION),
        patch("models.guidance_effects.LEAST_CONTROLS", LEAST_CONTROLS),
        patch("models.measured_actions.LEAST_LOOKS", 1),
    ):
        yield


@contextmanager
def _simulated(history: History) -> Iterator[None]:
    """Put the simulated clients in the place of aiokafka's, and let ends be told to the history."""

    def tell(_descriptor: int, line: bytes) -> int:
        history.end_worker(line.decode().strip())
        return len(line)

    save_after = report_log.SAVE_AFTER_REPORTS
    if history.platform.parameters.alerts_per_day:
        save_after = SAVE_AFTER_REPORTS
    with (
        patch.object(report_log, "SAVE_AFTER_REPORTS", save_after),
        patch("streams.agents.intake.AIOKafkaProducer", SimulatedProducer),
        patch("streams.transactions.AIOKafkaProducer", SimulatedProducer),
        patch("streams.learned.AIOKafkaConsumer", SimulatedReader),
        # A cut is read bit by bit: the step goes on in between, as with many rows.
        patch("models.dirty_rows.PACKED_AT_ONCE", 1),
        _short_spans(),
        # In every other history what is told goes ahead of all rows, few as they are.
        patch("streams.checkpoints.ROWS_TOLD_WITH", ROWS_TOLD_WITH if history.seed % 2 else 0),
        patch("streams.ending.os", SimpleNamespace(write=tell, _exit=os._exit)),
    ):
        yield
