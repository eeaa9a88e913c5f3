"""Two workers against one, over a stream that begins when all of them are ready.

A worker takes 2.5 CPU-seconds to start. Where the input is there before, the start of a second one
falls into a stream of a few seconds, and so does the rebalance when it joins. Here the workers
are started beside an empty topic; once the group has rested with all of them, the topic is filled
with record batches made before. Clock and CPU count from then on to the last commit.
"""

import asyncio
import contextlib
import itertools
import statistics
import time
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
import polars as pl
from aiokafka import AIOKafkaProducer

from benchmarks import topics
from benchmarks.monitor import Monitor, wait_until_done
from benchmarks.processes import EngineError, MeasuredProcess, cost_of
from benchmarks.record_batches import RecordBatch, record_batches
from benchmarks.topics import Reader
from benchmarks.truth import Difference, compare, totals
from benchmarks.workload import (
    LINE_BYTES,
    Columns,
    Workload,
    columns_of,
    lines_of,
    true_counts,
)
from streams.producing import END_MARK_KEY

WORKERS: Final = (1, 2)
RUNS: Final = 3
LONGER: Final = 3
"""So many times the events of a case: what begins and ends a stream weighs less."""
READY_TIMEOUT_S: Final = 60.0
REST_S: Final = 3.0
"""How long the group must have had all its members: recovery of nothing takes 0.1 s (measured)."""
TIMEOUT_S: Final = 120.0
IN_FLIGHT_MAX: Final = 400

Told = Callable[[str], None]
Batches = Sequence[tuple[int, RecordBatch]]


@dataclass(frozen=True, slots=True)
class WorkersRun:
    """One run of so many workers."""

    workers: int
    events: int
    seconds: float
    """From the first append of the input to the last commit."""
    fill_seconds: float
    """From the first append of the input to its last."""
    cpu_s: float
    """Of all workers, without their start."""
    difference: Difference

    @property
    def events_per_s(self) -> float:
        """Events per second."""
        return self.events / self.seconds

    @property
    def events_per_cpu_s(self) -> float:
        """Events per CPU-second of the workers."""
        return self.events / self.cpu_s

    def __str__(self) -> str:
        return (
            f"{self.workers} workers: {self.events_per_s:,.0f} events/s, "
            f"{self.events_per_cpu_s:,.0f} per CPU-second ({self.cpu_s:.1f} s), filled in "
            f"{self.fill_seconds:.1f} of {self.seconds:.1f} s, counts {self.difference}"
        )


def measure_workers(
    bootstrap: str, events: int, *, directory: Path, told: Told, runs: int = RUNS
) -> list[WorkersRun]:
    """Run one worker and two in turn.

    Args:
        bootstrap: Where Kafka is.
        events: How many events a case has; here there are LONGER times as many.
        directory: Where logs go.
        told: Told what goes on.
        runs: How often each number of workers is run.

    Raises:
        EngineError: A worker ended, or they did not finish.
    """
    workload = Workload(events=LONGER * events)
    columns = columns_of(workload)
    true = totals(true_counts(columns))
    batches = make_batches(workload, columns)
    del columns
    done: list[WorkersRun] = []
    for run in range(runs):
        # What the machine does by itself meets both: whoever was first is second next.
        for workers in WORKERS if run % 2 == 0 else WORKERS[::-1]:
            name = f"workers{workers}-{run}"
            measured: WorkersRun = topics.run(
                _measure(bootstrap, name, workload, batches, true, workers, directory)
            )
            topics.run(topics.delete(bootstrap, [f"{name}-"]))
            told(str(measured))
            done.append(measured)
    return done


def medians(runs: Sequence[WorkersRun], figure: Callable[[WorkersRun], float]) -> dict[int, float]:
    """Return the median of a figure for each number of workers."""
    counts = sorted({run.workers for run in runs})
    return {
        count: statistics.median(figure(run) for run in runs if run.workers == count)
        for count in counts
    }


def make_batches(workload: Workload, columns: Columns) -> Batches:
    """Return the input in the order in which it is sent: the partitions advance together."""
    batches: list[tuple[int, RecordBatch]] = []
    for lines in lines_of(workload, columns):
        block = np.frombuffer(b"".join(lines), np.uint8).reshape(-1, LINE_BYTES)
        parts = [
            record_batches(block[partition :: workload.partitions], workload.start_ms)
            for partition in range(workload.partitions)
        ]
        for turn in itertools.zip_longest(*parts):
            batches += [(number, batch) for number, batch in enumerate(turn) if batch is not None]
    return batches


async def _measure(
    bootstrap: str,
    name: str,
    workload: Workload,
    batches: Batches,
    true: pl.DataFrame,
    workers: int,
    directory: Path,
) -> WorkersRun:
    topic = f"{name}-engagement"
    await topics.create(bootstrap, topic, workload.partitions)
    monitor = Monitor(bootstrap, name, topic, workload.partitions, {})
    async with Reader(bootstrap) as reader:
        with contextlib.ExitStack() as running:
            processes = [
                running.enter_context(monitor.start(directory, number=number))
                for number in range(workers)
            ]
            await _wait_until_ready(monitor, reader, processes)
            spent_s = _cpu_s(processes)
            await _fill(bootstrap, topic, workload.partitions, batches)
            filled_s = time.time()
            ends = await reader.ends(topic, workload.partitions)
            last_s = await wait_until_done(monitor, reader, ends, processes, TIMEOUT_S)
            cpu_s = _cpu_s(processes) - spent_s
        first_s = await reader.first_append_s(topic, workload.partitions)
        if first_s is None:
            raise EngineError(f"{topic} is empty")
        return WorkersRun(
            workers,
            workload.events,
            last_s - first_s,
            filled_s - first_s,
            cpu_s,
            compare(true, await monitor.totals(reader)),
        )


def _cpu_s(processes: Sequence[MeasuredProcess]) -> float:
    return sum(cost_of(process.pid).cpu_s for process in processes)


async def _wait_until_ready(
    monitor: Monitor, reader: Reader, processes: Sequence[MeasuredProcess]
) -> None:
    """Wait until the group has rested for a while with all its members."""
    deadline = time.monotonic() + READY_TIMEOUT_S
    since_s: float | None = None
    while since_s is None or time.monotonic() - since_s < REST_S:
        for process in processes:
            process.require_alive()
        if await reader.stable_members(monitor.name) < len(processes):
            since_s = None
        elif since_s is None:
            since_s = time.monotonic()
        if time.monotonic() > deadline:
            raise EngineError(f"{monitor.name}: not ready within {READY_TIMEOUT_S:.0f} s")
        await asyncio.sleep(0.1)


async def _fill(bootstrap: str, topic: str, partitions: int, batches: Batches) -> None:
    """Send everything as fast as the broker takes it, with end marks at the end."""
    producer = AIOKafkaProducer(bootstrap_servers=bootstrap, enable_idempotence=True)
    await producer.start()
    in_flight: deque[Awaitable[object]] = deque()
    try:
        for partition, batch in batches:
            while len(in_flight) >= IN_FLIGHT_MAX:
                await in_flight.popleft()
            in_flight.append(await producer.send_batch(batch, topic, partition=partition))
        for partition in range(partitions):
            end = producer.create_batch()
            end.append(timestamp=None, key=END_MARK_KEY, value=None)
            in_flight.append(await producer.send_batch(end, topic, partition=partition))
        while in_flight:
            await in_flight.popleft()
    finally:
        await producer.stop()
