"""Our own worker under measurement: the full monitor, as a user starts it."""

import asyncio
import sys
import time
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import polars as pl
from aiokafka import TopicPartition
from pydantic import SecretStr

from benchmarks.measurement import Measurement
from benchmarks.processes import EngineError, MeasuredProcess, cost_of
from benchmarks.topics import Reader
from benchmarks.truth import compare, counts_by_action, totals
from benchmarks.workload import ACTIONS
from models.identity import split_video_key
from models.stages import StagesStep
from models.steps import load_records
from models.vocabulary import ACTION_CODE
from streams.checkpoints import POSITION_KEY
from streams.settings import Settings, variable
from streams.topics import Topic, topic_names

ACTOR_KEY: Final = "benchmarks-0123456789"
POLL_S: Final = 0.05
"""How often the broker is asked what is committed; the last commit is known to that precision."""
REST_S: Final = 2.0
REST_SHARE: Final = 0.15
"""A worker at rest takes some 5 % of a core (heartbeats, timers); at work more than half of one."""
POLLS_DONE: Final = 3
"""So often in a row all must be committed: no step has something under way that follows."""


@dataclass(frozen=True, slots=True)
class Monitor:
    """A group of workers with settings and topics of its own."""

    bootstrap: str
    name: str
    input_topic: str
    sources: int
    values: Mapping[str, object]

    @property
    def settings(self) -> Settings:
        """Its settings."""
        return Settings.model_validate(
            {
                "kafka": self.bootstrap,
                "actor_key": SecretStr(ACTOR_KEY),
                "app_id": self.name,
                "topic_prefix": f"{self.name}-",
                "input_topic": self.input_topic,
                "metrics_port": 0,
                **self.values,
            }
        )

    def topic(self, topic: Topic) -> str:
        """Return the real name of one of its topics."""
        return topic_names(self.settings)[topic]

    def start(self, directory: Path, *, number: int = 0) -> MeasuredProcess:
        """Start a worker: `hotspots worker` with `HOTSPOTS_*` variables."""
        settings = self.settings
        names = {"kafka", "app_id", "topic_prefix", "input_topic", "metrics_port", *self.values}
        environment = {variable(name): str(getattr(settings, name)) for name in names}
        environment["HOTSPOTS_ACTOR_KEY"] = ACTOR_KEY
        return MeasuredProcess(
            [sys.executable, "-m", "streams.cli", "worker"],
            environment=environment,
            directory=directory,
            name=f"{self.name}-{number}",
        )

    async def is_done(self, reader: Reader, ends: Mapping[TopicPartition, int]) -> bool:
        """Tell whether all steps have committed everything up to those ends of the input."""
        committed = await reader.committed(self.name)
        if any(committed.get(partition, 0) < end for partition, end in ends.items()):
            return False
        settings = self.settings
        batches = await reader.ends(self.topic(Topic.BATCHES), settings.partitions)
        if not all(batches.values()) or any(
            committed.get(partition, 0) < end for partition, end in batches.items()
        ):
            return False
        # The last offset of a topic written in transactions is a mark, which nobody reads.
        reports = await reader.ends(self.topic(Topic.VIDEO_STAGES), 1)
        return all(committed.get(partition, 0) >= end - 1 for partition, end in reports.items())

    async def steps(self, reader: Reader) -> AsyncIterator[StagesStep]:
        """Yield the state of each partition as a worker recovers it from the changelog."""
        settings = self.settings
        steps = [StagesStep(n, settings.parameters()) for n in range(settings.partitions)]
        changelog = self.topic(Topic.VIDEOS_CHANGELOG)
        async for records in reader.records(changelog, settings.partitions):
            rows = [record for record in records if record.key != POSITION_KEY]
            if rows:
                step = steps[rows[0].partition]
                load_records(step, [row.key for row in rows], [row.value for row in rows])
        for step in steps:
            step.recovered()
            yield step

    async def totals(self, reader: Reader) -> pl.DataFrame:
        """Return what the changelog says that was counted: `video`, `action`, `count`."""
        per_video: dict[str, list[int]] = {}
        async for step in self.steps(reader):
            for key, counts in step.totals().items():
                per_video[split_video_key(key)[1]] = counts
        codes = {action: ACTION_CODE[action] for action in ACTIONS}
        return counts_by_action(per_video, codes)


async def run_monitor(
    monitor: Monitor,
    true: pl.DataFrame,
    *,
    directory: Path,
    engine: str = "Hotspots",
    timeout_s: float = 180.0,
    messages: int | None = None,
    until_idle: bool = False,
) -> Measurement:
    """Run a worker over the input until everything is committed, and check the totals.

    The first event is taken from the broker: when the first batch was appended. The worker has
    parsed at most a few chunks of 1 MiB by then; its CPU counts from its start.

    Args:
        monitor: What is run.
        true: The true counts of the input.
        directory: Where logs go.
        engine: Under which name the measurement goes.
        timeout_s: How long it may take.
        messages: How many messages the input has, where bad ones are among them.
        until_idle: Whether the end is seen by the CPU at rest and not by what is committed: the
            only way where checkpoints are seldom. The seconds then mean nothing.

    Raises:
        EngineError: The worker ended, or did not finish.
    """
    async with Reader(monitor.bootstrap) as reader:
        ends = await reader.ends(monitor.input_topic, monitor.sources)
        with monitor.start(directory) as process:
            if until_idle:
                last_s = await _wait_until_idle(monitor, reader, process, timeout_s)
            else:
                last_s = await wait_until_done(monitor, reader, ends, [process], timeout_s)
            cost = cost_of(process.pid)
        first_s = await reader.first_append_s(
            monitor.topic(Topic.BATCHES), monitor.settings.partitions
        )
        if first_s is None:
            raise EngineError(f"{monitor.name} wrote no batch")
        return Measurement(
            engine=engine,
            events=messages or int(true["count"].sum()),
            seconds=last_s - first_s,
            start_seconds=first_s - process.started_s,
            cost=cost,
            difference=compare(totals(true), await monitor.totals(reader)),
        )


async def wait_until_done(
    monitor: Monitor,
    reader: Reader,
    ends: Mapping[TopicPartition, int],
    processes: Sequence[MeasuredProcess],
    timeout_s: float,
) -> float:
    """Wait until everything up to those ends is committed, and return since when it is.

    Raises:
        EngineError: A worker ended, or they did not finish.
    """
    deadline = time.monotonic() + timeout_s
    polls_done = 0
    done_s = 0.0
    while polls_done < POLLS_DONE:
        if await monitor.is_done(reader, ends):
            done_s = done_s if polls_done else time.time()
            polls_done += 1
        else:
            polls_done = 0
        for process in processes:
            process.require_alive()
        if time.monotonic() > deadline:
            raise EngineError(f"{monitor.name} did not finish within {timeout_s:.0f} s")
        await asyncio.sleep(POLL_S)
    return done_s


async def _wait_until_idle(
    monitor: Monitor, reader: Reader, process: MeasuredProcess, timeout_s: float
) -> float:
    deadline = time.monotonic() + timeout_s
    batches, partitions = monitor.topic(Topic.BATCHES), monitor.settings.partitions
    spent_s = 0.0
    while True:
        await asyncio.sleep(REST_S)
        process.require_alive()
        before_s, spent_s = spent_s, cost_of(process.pid).cpu_s
        has_begun = await reader.first_append_s(batches, partitions) is not None
        if has_begun and spent_s - before_s < REST_SHARE * REST_S:
            return time.time()
        if time.monotonic() > deadline:
            raise EngineError(f"{monitor.name} did not come to rest within {timeout_s:.0f} s")
