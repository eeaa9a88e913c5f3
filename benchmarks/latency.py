"""How soon a decision is told, at half of the full load, from broker append to broker append.

A paced producer sends events whose time is the clock's. A bucket is decided once every source
partition has shown an event past its end and the allowed lateness: the append of the last of those
record batches is where the clock starts, the append of the reports and alerts where it stops. Both
are the broker's own times (LogAppendTime).

The time of an event is the producer's clock when it is handed over for sending. How long its append
takes from there is measured, too: it is part of what passes between an event and its alert.
"""

import asyncio
import json
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt
from aiokafka import AIOKafkaProducer

from benchmarks import topics
from benchmarks.monitor import Monitor
from benchmarks.processes import EngineError, MeasuredProcess
from benchmarks.record_batches import record_batches
from benchmarks.topics import Reader
from benchmarks.workload import ACTIONS, LINE_BYTES, Workload, columns_of, lines_of
from models.stage_reports import decode_report
from streams.topics import Topic

SECONDS: Final = 75
"""A minute of steady work and the start."""
TICK_S: Final = 0.05
POOL_EVENTS: Final = 1_000_000
"""Lines made beforehand; they are sent again and again with the time of the moment."""
PARTITIONS: Final = 4
SURGING_VIDEOS: Final = 100
SURGING_SHARE: Final = 0.02
"""Share of the events that goes to videos to which half of the people respond."""
SURGE_S: Final = 5
"""Every five seconds other videos begin to surge, so that alerts are raised all along."""
READY_TIMEOUT_S: Final = 60.0
SETTLE_S: Final = 20.0
"""How long is waited for the reports of the last bucket."""

_TIME_AT: Final = len('{"time":')
_TIME_DIGITS: Final = 13
_VIDEO_AT: Final = len('{"time":0000000000000,"platform":"douyin","video_id":"BV')
_WAVE_DIGITS: Final = 4
"""The first digits of a video's number are those of its wave, 0000 for all that do not surge."""
_RESPONSES: Final = (ACTIONS.index("like"), ACTIONS.index("share"), ACTIONS.index("comment"))

Told = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class LatencyResult:
    """All in milliseconds."""

    rate_per_s: float
    """Events that were really sent per second."""
    appends_ms: list[float]
    """From the time of an event to its append, for each record batch."""
    reports_ms: list[float]
    """From the deciding append to the report, for each bucket and partition."""
    alerts_ms: list[float]
    """From the deciding append to each alert."""
    events_to_alerts_ms: list[float]
    """From the event time that an alert carries to its append."""
    buckets_to_alerts_ms: list[float]
    """From the begin of the bucket that decided an alert to its append: no event that had a part in
    the decision waited longer."""
    bucket_ms: int
    allowed_lateness_ms: int


@dataclass(slots=True)
class Sent:
    """What the broker acknowledged: partition, greatest event time, append time."""

    appended: list[tuple[int, int, int]] = field(default_factory=list)
    events: int = 0

    @property
    def delays_ms(self) -> list[float]:
        """How long after the time of its events each record batch was appended."""
        return [float(append_ms - high_ms) for _, high_ms, append_ms in self.appended]

    def decided_ms(self, threshold_ms: int) -> int | None:
        """Return when every partition had shown an event of that time or later."""
        first: dict[int, int] = {}
        for partition, high_ms, append_ms in self.appended:
            if high_ms >= threshold_ms:
                first[partition] = min(append_ms, first.get(partition, append_ms))
        return max(first.values()) if len(first) == PARTITIONS else None


def measure_latency(
    bootstrap: str, rate_per_s: float, *, directory: Path, told: Told, seconds: int = SECONDS
) -> LatencyResult:
    """Send events at a rate for a while beside a worker with default settings.

    Raises:
        EngineError: The worker ended, or decided nothing.
    """
    told(f"latency: {rate_per_s:,.0f} events/s for {seconds} s")
    result: LatencyResult = topics.run(_measure(bootstrap, rate_per_s, directory, seconds))
    topics.run(topics.delete(bootstrap, ["latency-"]))
    return result


async def _measure(
    bootstrap: str, rate_per_s: float, directory: Path, seconds: int
) -> LatencyResult:
    topic = "latency-engagement"
    await topics.create(bootstrap, topic, PARTITIONS)
    monitor = Monitor(bootstrap, "latency", topic, PARTITIONS, {})
    pool = await asyncio.to_thread(_make_pool)
    sent = Sent()
    with monitor.start(directory) as process:
        async with Reader(bootstrap) as reader:
            await _wait_until_ready(monitor, reader, process)
            began = time.monotonic()
            await _send(bootstrap, topic, pool, rate_per_s, seconds, sent)
            took_s = time.monotonic() - began
            process.require_alive()
            await asyncio.sleep(SETTLE_S)
            process.require_alive()
            reports = await _reports(monitor, reader, sent)
            alerts, events, buckets = await _alerts(monitor, reader, sent)
    if not reports:
        raise EngineError(f"no bucket was decided: {process.tail()}")
    settings = monitor.settings
    return LatencyResult(
        sent.events / took_s,
        sent.delays_ms,
        reports,
        alerts,
        events,
        buckets,
        settings.bucket_ms,
        settings.allowed_lateness_ms,
    )


async def _wait_until_ready(monitor: Monitor, reader: Reader, process: MeasuredProcess) -> None:
    """Wait until the worker has its partitions."""
    deadline = time.monotonic() + READY_TIMEOUT_S
    while await reader.group_state(monitor.name) != "Stable":
        process.require_alive()
        if time.monotonic() > deadline:
            raise EngineError(f"no partitions within {READY_TIMEOUT_S:.0f} s: {process.tail()}")
        await asyncio.sleep(0.1)


@dataclass(frozen=True, slots=True)
class _Pool:
    """Lines as a matrix of bytes, and which of them are of surging videos."""

    lines: npt.NDArray[np.uint8]
    surges: npt.NDArray[np.bool_]

    def take(self, start: int, count: int, time_ms: int, wave: int) -> npt.NDArray[np.uint8]:
        """Return lines from `start` on and around, with this time, the surging of this wave."""
        at = np.arange(start, start + count) % len(self.lines)
        rows = self.lines[at]
        rows[:, _TIME_AT : _TIME_AT + _TIME_DIGITS] = _digits(time_ms, _TIME_DIGITS)
        place = slice(_VIDEO_AT, _VIDEO_AT + _WAVE_DIGITS)
        rows[self.surges[at], place] = _digits(wave, _WAVE_DIGITS)
        return rows


def _digits(number: int, digits: int) -> npt.NDArray[np.uint8]:
    return np.frombuffer(f"{number:0{digits}d}".encode(), np.uint8)


def _make_pool() -> _Pool:
    workload = Workload(events=POOL_EVENTS)
    columns = columns_of(workload)
    dice = np.random.default_rng(workload.seed)
    surges = dice.random(POOL_EVENTS) < SURGING_SHARE
    columns.video[surges] = dice.integers(0, SURGING_VIDEOS, surges.sum())
    responds = surges & (dice.random(POOL_EVENTS) < 0.5)
    columns.action[responds] = dice.choice(_RESPONSES, responds.sum())
    lines = b"".join(b"".join(block) for block in lines_of(workload, columns))
    return _Pool(np.frombuffer(lines, np.uint8).reshape(-1, LINE_BYTES), surges)


async def _send(
    bootstrap: str,
    topic: str,
    pool: _Pool,
    rate_per_s: float,
    seconds: int,
    sent: Sent,
) -> None:
    producer = AIOKafkaProducer(bootstrap_servers=bootstrap, enable_idempotence=True)
    await producer.start()
    waiting: list[tuple[int, int, Awaitable[Any]]] = []
    try:
        began = time.monotonic()
        while (now := time.monotonic()) - began < seconds:
            due = int((now - began) * rate_per_s) - sent.events
            if due:
                time_ms = int(time.time() * 1000)
                wave = 1 + int((now - began) // SURGE_S)
                lines = pool.take(sent.events, due, time_ms, wave)
                for partition in range(PARTITIONS):
                    for batch in record_batches(lines[partition::PARTITIONS], time_ms):
                        future = await producer.send_batch(batch, topic, partition=partition)
                        waiting.append((partition, time_ms, future))
                sent.events += due
            await asyncio.sleep(max(0.0, TICK_S - (time.monotonic() - now)))
        for partition, time_ms, future in waiting:
            sent.appended.append((partition, time_ms, (await future).timestamp))
    finally:
        await producer.stop()


def _threshold_ms(monitor: Monitor, bucket: int) -> int:
    settings = monitor.settings
    return (bucket + 1) * settings.bucket_ms + settings.allowed_lateness_ms


async def _reports(monitor: Monitor, reader: Reader, sent: Sent) -> list[float]:
    """Return the latency of each report that says that a bucket is decided."""
    told_ms: dict[tuple[int, int], int] = {}
    async for records in reader.records(monitor.topic(Topic.VIDEO_STAGES), 1):
        for record in records:
            report = decode_report(record.value)
            told_ms.setdefault((report.partition, report.through_bucket), record.timestamp)
    latencies = []
    for (_, bucket), append_ms in told_ms.items():
        decided_ms = sent.decided_ms(_threshold_ms(monitor, bucket))
        if decided_ms is not None:
            latencies.append(float(append_ms - decided_ms))
    return latencies


async def _alerts(
    monitor: Monitor, reader: Reader, sent: Sent
) -> tuple[list[float], list[float], list[float]]:
    """Return how late each alert is: since its decision, its event and its bucket's begin."""
    since_decision, since_event, since_begin = [], [], []
    bucket_ms = monitor.settings.bucket_ms
    async for records in reader.records(monitor.topic(Topic.ALERTS), 1):
        for record in records:
            alert = json.loads(record.value)
            time_ms = int(datetime.fromisoformat(alert["time"]).timestamp() * 1000)
            since_event.append(float(record.timestamp - time_ms))
            bucket = time_ms // bucket_ms
            since_begin.append(float(record.timestamp - bucket * bucket_ms))
            decided_ms = sent.decided_ms(_threshold_ms(monitor, bucket))
            if decided_ms is not None:
                since_decision.append(float(record.timestamp - decided_ms))
    return since_decision, since_event, since_begin
