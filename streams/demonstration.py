"""The demo: a scenario through the real path, from Kafka through a worker to the board.

The worker and the board are processes of their own, started with the environment of
streams/demo_settings.py. The demo sees what any other program sees: the board in Redis and the
topic of alerts.
"""

import asyncio
import json
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

from aiokafka import AIOKafkaConsumer
from aiokafka.structs import TopicPartition
from rich.console import Console
from rich.live import Live

from streams.acting import send_action
from streams.delivery.board_store import BoardStore
from streams.local.processes import GuardedProcess
from streams.producing import INPUT_PARTITIONS, EventProducer, Pace, produce
from streams.scenarios.british_museum import Scenario
from streams.scenarios.verdict import Verdict, judge
from streams.security import client_options
from streams.settings import Settings
from streams.terminal_board import DemoState, PlainBoard, render
from streams.topics import Topic, create_input_topic, topic_names
from streams.verdict_table import show_verdict

REFRESH_S: Final = 0.5
"""The screen and the board: an event-time hour at the demo's speed."""

START_TIMEOUT_S: Final = 60.0
"""For the worker to serve its metrics (measured: 3 s), and as long for the board's page."""

SILENCE_TIMEOUT_S: Final = 120.0
"""After the last event the worker may take so long for its next decision: ten times what a whole
replay without pauses took."""

WORKER_GRACE_S: Final = 10.0
"""A worker ends within 10 s of SIGTERM (docs/architecture.md)."""

LOG_LINES_SHOWN: Final = 20


class WorkerFailedError(Exception):
    """The worker or the board ended, or nothing is decided any more; last words are in `log`."""

    def __init__(self, what: str, log: str) -> None:
        super().__init__(what)
        self.log = "\n".join(log.splitlines()[-LOG_LINES_SHOWN:])


@contextmanager
def running(command: str, environment: Mapping[str, str]) -> Iterator[GuardedProcess]:
    """Run a command in a process of its own, which ends with this program, whatever ends that."""
    with TemporaryDirectory(prefix="hotspots-demo-") as directory:
        process = GuardedProcess(
            [sys.executable, "-m", "streams.cli", command],
            log_path=Path(directory) / f"{command}.log",
            environment=environment,
            working_directory=Path.cwd(),
            grace_seconds=WORKER_GRACE_S,
        )
        try:
            yield process
        finally:
            process.stop()


class Demonstration:
    """One run of the demo against servers that are there."""

    def __init__(
        self,
        scenario: Scenario,
        settings: Settings,
        environment: Mapping[str, str],
        *,
        board_url: str,
        speed: float | None,
        console: Console,
    ) -> None:
        """Prepare a run.

        Args:
            scenario: What happens.
            settings: What `environment` says.
            environment: The worker's whole environment, and that of the board.
            board_url: Where the page will be.
            speed: Event time over wall time; None is as fast as Kafka takes the events.
            console: Where the board is shown.
        """
        arrivals = scenario.events["arrival_ms"]
        self._scenario = scenario
        self._settings = settings
        self._environment = environment
        self._speed = speed
        self._console = console
        self._topics = topic_names(settings)
        self._alerts_wanted = sys.maxsize
        self._alerts_read = asyncio.Event()
        self.verdict: Verdict | None = None
        """What the run was worth, once all is decided."""
        self.state = DemoState(
            starts_ms=int(arrivals[0]),
            ends_ms=int(arrivals[-1]),
            total=len(arrivals),
            metrics_url=f"http://{settings.metrics_host}:{settings.metrics_port}/metrics",
            board_url=board_url,
        )

    async def run(self, *, once: bool) -> Verdict:
        """Play the scenario and return the verdict; without `once` go on showing until cancelled.

        Raises:
            WorkerFailedError: The worker ended or does not go on.
            UserError: Kafka or Redis cannot be used.
        """
        await create_input_topic(self._settings, partitions=INPUT_PARTITIONS)
        environment = self._environment
        with running("worker", environment) as worker, running("board", environment) as page:
            await self._started(worker, page)
            works = (
                *(self._watch(*one) for one in (("worker", worker), ("board", page))),
                *(self._read_board(), self._read_alerts(), self._show()),
            )
            tasks = [asyncio.create_task(work) for work in works]
            play = asyncio.create_task(self._play(worker, once=once))
            try:
                # Whatever ends first: the play, or one of the others by an error.
                done, _ = await asyncio.wait([play, *tasks], return_when="FIRST_COMPLETED")
                for task in done:
                    task.result()
            finally:
                for task in (play, *tasks):
                    task.cancel()
                await asyncio.gather(play, *tasks, return_exceptions=True)
        return self._judge()

    def _judge(self) -> Verdict:
        rate = self._settings.alarm_rate_per_video_day
        self.verdict = judge(self.state.alerts, self._scenario.truth, rate)
        return self.verdict

    async def _started(self, worker: GuardedProcess, page: GuardedProcess) -> None:
        """Wait until the worker serves its metrics, and the board its page."""
        self.state.phase = "starting the worker"
        settings = self._settings
        await self._served("worker", worker, settings.metrics_host, settings.metrics_port)
        await self._served("board", page, settings.board_host, settings.board_port)

    async def _served(self, name: str, process: GuardedProcess, host: str, port: int) -> None:
        try:
            async with asyncio.timeout(START_TIMEOUT_S):
                while process.returncode is None:
                    try:
                        _, writer = await asyncio.open_connection(host, port)
                    except OSError:
                        await asyncio.sleep(REFRESH_S / 5)
                    else:
                        writer.close()
                        return
        except TimeoutError as error:
            raise WorkerFailedError(
                f"the {name} does not serve on port {port} after {START_TIMEOUT_S:.0f} s",
                process.log_tail(),
            ) from error
        raise _ended(name, process)

    async def _watch(self, name: str, process: GuardedProcess) -> None:
        """End with an error when a process ends."""
        while process.returncode is None:  # noqa: ASYNC110 - a process sets no event of ours
            await asyncio.sleep(REFRESH_S)
        raise _ended(name, process)

    async def _play(self, worker: GuardedProcess, *, once: bool) -> None:
        state = self.state
        # What is told ahead of its time waits for it: at any speed it counts when it was taken.
        for action in self._scenario.actions:
            await send_action(self._settings, action)
        state.phase = "the week passes"

        def sent(count: int, last_ms: int) -> None:
            state.sent += count
            state.sent_ms = last_ms

        async with EventProducer(self._settings, self._settings.input_topic) as producer:
            await produce(producer, self._scenario.timed_events(), Pace(self._speed), sent)
            await producer.end()
        state.phase = "the week is over, the worker decides the rest"
        await self._decided(worker)
        await self._caught_up()
        state.phase = "all is decided"
        if not once:
            state.phase = "all is decided; Ctrl-C ends"
            show_verdict(self._judge(), self._scenario.truth, self._console)
            await asyncio.Event().wait()

    async def _decided(self, worker: GuardedProcess) -> None:
        """Wait until the last event is decided: the end marks close all buckets."""
        seen_ms = -1
        deadline_s = 0.0
        loop = asyncio.get_running_loop()
        while self.state.decided_ms <= self.state.ends_ms:
            if self.state.decided_ms > seen_ms:
                seen_ms = self.state.decided_ms
                deadline_s = loop.time() + SILENCE_TIMEOUT_S
            elif loop.time() > deadline_s:
                raise WorkerFailedError(
                    f"the worker has decided nothing for {SILENCE_TIMEOUT_S:.0f} s",
                    worker.log_tail(),
                )
            await asyncio.sleep(REFRESH_S / 5)

    async def _caught_up(self) -> None:
        """Wait until every alert is read that is in Kafka now.

        The board of an event time is written in the same transaction as the alerts up to it, so
        when the board is there, they are.
        """
        alerts = TopicPartition(self._topics[Topic.ALERTS], 0)
        async with self._consumer() as consumer:
            self._alerts_wanted = (await consumer.end_offsets([alerts]))[alerts]
        await self._alerts_read.wait()

    def _consumer(self) -> "_Consumer":
        return _Consumer(self._settings)

    async def _read_alerts(self) -> None:
        alerts = TopicPartition(self._topics[Topic.ALERTS], 0)
        async with self._consumer() as consumer:
            consumer.assign([alerts])
            await consumer.seek_to_beginning(alerts)
            while True:
                records = await consumer.getmany(alerts, timeout_ms=int(REFRESH_S * 1000))
                for record in records.get(alerts, ()):
                    self.state.alerts.append(json.loads(record.value))
                if await consumer.position(alerts) >= self._alerts_wanted:
                    self._alerts_read.set()

    async def _read_board(self) -> None:
        settings = self._settings
        async with BoardStore(settings.redis, settings.board_key, settings.board_expire_s) as store:
            while True:
                self.state.board = await store.read_board() or self.state.board
                await asyncio.sleep(REFRESH_S)

    async def _show(self) -> None:
        """Show the board on a terminal, plain lines elsewhere."""
        if not self._console.is_terminal:
            plain = PlainBoard(self._console)
            while True:
                plain.show(self.state)
                await asyncio.sleep(REFRESH_S)
        with Live(render(self.state), console=self._console, auto_refresh=False) as live:
            while True:
                live.update(render(self.state), refresh=True)
                await asyncio.sleep(REFRESH_S)


class _Consumer:
    """A reader of committed messages without a group."""

    def __init__(self, settings: Settings) -> None:
        self._client = AIOKafkaConsumer(
            **client_options(settings),
            group_id=None,
            enable_auto_commit=False,
            isolation_level="read_committed",
        )

    async def __aenter__(self) -> AIOKafkaConsumer:
        await self._client.start()
        return self._client

    async def __aexit__(self, *_: object) -> None:
        await self._client.stop()


def _ended(name: str, process: GuardedProcess) -> WorkerFailedError:
    return WorkerFailedError(
        f"the {name} ended with exit code {process.returncode}", process.log_tail()
    )
