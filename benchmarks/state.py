"""How large the state is, how quickly it is back, and what saving it costs."""

import statistics
import time
import urllib.request
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from prometheus_client.parser import text_string_to_metric_families

from benchmarks import topics
from benchmarks.measurement import Measurement
from benchmarks.monitor import Monitor, run_monitor
from benchmarks.processes import EngineError, MeasuredProcess, cost_of, resident_bytes
from benchmarks.topics import Reader
from benchmarks.workload import HOT_VIDEO, Workload, columns_of, true_counts, video_name
from streams.local.processes import free_ports
from streams.topics import Topic

VIDEOS: Final = 1_000_000
HOT_SHARE: Final = 0.3
RECOVERY_TIMEOUT_S: Final = 120.0
SELDOM_MS: Final = 60_000
"""A checkpoint interval that a run does not live to see: only what is waited for is committed."""
PAIRS: Final = 3
"""How often both intervals are run, in turn."""

Told = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class StateResult:
    """What a million tracked videos take."""

    run: Measurement
    videos: int
    memory_after_recovery_bytes: int
    recovery_s: float
    """What a partition took to read its changelog, on average."""
    ready_s: float
    """From the start of the process until all partitions are recovered."""
    recovery_cpu_s: float
    quiet_bytes: float
    """Median row of a video, key included, in the changelog."""
    hot_bytes: int
    """Row of the video with three tenths of all events, key included."""
    changelog_bytes: int
    """All rows that stand."""


@dataclass(frozen=True, slots=True)
class CheckpointResult:
    """CPU-seconds with checkpoints at the default interval, and with only the last one."""

    default_cpu_s: list[float]
    seldom_cpu_s: list[float]

    @property
    def share(self) -> float:
        """The share of the CPU that checkpoints take, of the median runs."""
        default = statistics.median(self.default_cpu_s)
        return (default - statistics.median(self.seldom_cpu_s)) / default


def measure_state(bootstrap: str, events: int, *, directory: Path, told: Told) -> StateResult:
    """Track a million videos, one of them hot; stop the worker, start it again.

    With fewer than two million events there are half as many videos as events.

    Raises:
        EngineError: A worker failed or took too long.
    """
    videos = min(VIDEOS, events // 2)
    told(f"{videos:,} videos: a worker that meets them all")
    workload = Workload(events=events, videos=videos, hot_share=HOT_SHARE, every_video=True)
    columns = columns_of(workload)
    true = true_counts(columns)
    topic = "state-engagement"
    topics.run(topics.create(bootstrap, topic, workload.partitions))
    topics.run(topics.load(bootstrap, topic, workload, columns))
    del columns
    (port,) = free_ports(1)
    monitor = Monitor(bootstrap, "state", topic, workload.partitions, {"metrics_port": port})
    run = topics.run(run_monitor(monitor, true, directory=directory))
    told(f"  {run}")
    told(f"{videos:,} videos: recovery")
    with monitor.start(directory, number=1) as process:
        recovery_s, ready_s = _wait_for_recovery(process, port, monitor.settings.partitions)
        recovery_cpu_s = cost_of(process.pid).cpu_s
        memory_bytes = resident_bytes(process.pid)
    told(f"{videos:,} videos: size of the rows")
    quiet, hot, whole = topics.run(_sizes(monitor))
    topics.run(topics.delete(bootstrap, ["state-"]))
    return StateResult(
        run, videos, memory_bytes, recovery_s, ready_s, recovery_cpu_s, quiet, hot, whole
    )


def _wait_for_recovery(process: MeasuredProcess, port: int, partitions: int) -> tuple[float, float]:
    """Return the mean seconds of a partition, and those since the start of the process."""
    deadline = time.monotonic() + RECOVERY_TIMEOUT_S
    while time.monotonic() < deadline:
        process.require_alive()
        try:
            recovered, seconds = _recovered(port)
        except OSError:  # not served yet
            recovered, seconds = 0, 0.0
        if recovered >= partitions:
            return seconds, time.time() - process.started_s
        time.sleep(0.05)
    raise EngineError(f"no recovery within {RECOVERY_TIMEOUT_S:.0f} s: {process.tail()}")


def _recovered(port: int) -> tuple[int, float]:
    """Return how many partitions of stages are recovered, and the mean of their seconds."""
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=2) as answer:
        text = answer.read().decode()
    found = {}
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            if sample.labels.get("agent") == "stages":
                found[sample.name] = sample.value
    count = int(found.get("hotspots_recovery_duration_seconds_count", 0))
    return count, found.get("hotspots_recovery_duration_seconds_sum", 0.0) / max(1, count)


async def _sizes(monitor: Monitor) -> tuple[float, int, int]:
    """Return the median size of a row, that of the hot video, and that of all rows that stand."""
    sizes: dict[bytes, int] = {}
    name = video_name(HOT_VIDEO).encode()
    hot = 0
    async with Reader(monitor.bootstrap) as reader:
        partitions = monitor.settings.partitions
        changelog = monitor.topic(Topic.VIDEOS_CHANGELOG)
        async for records in reader.records(changelog, partitions):
            for record in records:
                key = b"%d/%s" % (record.partition, record.key)
                if record.value is None:
                    sizes.pop(key, None)
                    continue
                sizes[key] = len(record.key) + len(record.value)
                if record.key.endswith(name):
                    hot = sizes[key]
    return statistics.median(sizes.values()), hot, sum(sizes.values())


def measure_checkpoints(
    bootstrap: str, events: int, *, directory: Path, told: Told
) -> CheckpointResult:
    """Run the plain case with and without checkpoints on the way, in turn.

    Raises:
        EngineError: A worker failed or took too long.
    """
    workload = Workload(events=events)
    columns = columns_of(workload)
    true = true_counts(columns)
    topic = "checkpoints-engagement"
    topics.run(topics.create(bootstrap, topic, workload.partitions))
    topics.run(topics.load(bootstrap, topic, workload, columns))
    del columns
    cpu_s: dict[str, list[float]] = {"default": [], "seldom": []}
    for pair in range(PAIRS):
        for name, spent in cpu_s.items():
            told(f"checkpoints: {name}, {pair + 1} of {PAIRS}")
            values = {"checkpoint_interval_ms": SELDOM_MS} if name == "seldom" else {}
            group = f"checkpoints-{name}-{pair}"
            monitor = Monitor(bootstrap, group, topic, workload.partitions, values)
            run = topics.run(run_monitor(monitor, true, directory=directory, until_idle=True))
            if not run.is_exact:
                raise EngineError(f"counts {run.difference}: not all was done when it was read")
            spent.append(run.cost.cpu_s)
            told(f"  {run}")
    topics.run(topics.delete(bootstrap, ["checkpoints-"]))
    return CheckpointResult(cpu_s["default"], cpu_s["seldom"])
