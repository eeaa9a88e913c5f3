"""docs/performance.md and its picture: what was measured, in tables between marks."""

import os
import platform
import statistics
from collections.abc import Sequence
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Final

from benchmarks.cases import CaseResult
from benchmarks.engines import PEERS_IN_ORDER
from benchmarks.latency import LatencyResult
from benchmarks.measurement import Summary
from benchmarks.state import CheckpointResult, StateResult
from benchmarks.workers import WorkersRun, medians
from streams.measured_pages import picture, table

HOTSPOTS: Final = "Hotspots"
FLINK: Final = "Flink, heap"
FAUST: Final = "Faust, table"
MEBIBYTE: Final = 1 << 20


def machine() -> str:
    """Say in one line on what and with what was measured."""
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / (1 << 30)
    packages = ("faust-streaming", "aiokafka", "numba", "polars", "pyarrow")
    return (
        f"{datetime.now(UTC):%Y-%m-%d}, {os.cpu_count()} cores ({platform.machine()}), "
        f"{memory:.0f} GiB, {platform.system()} {platform.release().split('-')[0]}, "
        f"Python {platform.python_version()}, "
        + ", ".join(f"{name} {version(name)}" for name in packages)
    )


def rounded(number: float) -> str:
    """Write a figure with three digits that count.

    >>> rounded(378_912.0), rounded(3.14159), rounded(0)
    ('379,000', '3.14', '0')
    """
    if not number:
        return "0"
    digits = 3 - len(str(int(abs(number))))
    return f"{round(number, digits):,.0f}" if digits <= 0 else f"{number:.{digits}f}"


def engines_part(summaries: Sequence[Summary], partitions: int) -> str:
    """Return the table of our monitor and the peers."""
    of = {summary.engine: summary for summary in summaries}
    ours = of.get(HOTSPOTS)
    rows = []
    for summary in summaries:
        if not summary.runs:
            rows.append([f"{summary.engine}: {summary.does}", "-", "-", "-", "-", "-", "-", "-"])
            continue
        ratio = ours.events_per_s / summary.events_per_s if ours and ours.runs else 0.0
        cpu_ratio = ours.events_per_cpu_s / summary.events_per_cpu_s if ours and ours.runs else 0.0
        rows.append(
            [
                f"{summary.engine}: {summary.does}",
                rounded(summary.events_per_s),
                rounded(summary.events_per_cpu_s),
                rounded(ratio),
                rounded(cpu_ratio),
                f"{summary.memory_bytes / MEBIBYTE:,.0f}",
                f"{summary.events:,} × {len(summary.runs)}",
                summary.counts,
            ]
        )
    head = [
        "engine",
        "events/s",
        "events per CPU-second",
        "ours to it",
        "ours to it, CPU",
        "peak MiB",
        "events × runs",
        "counts",
    ]
    missing = [f"- {s.engine}: {s.reason}" for s in summaries if s.reason]
    lines = [
        f"Measured {machine()}; {partitions} partitions. Medians of the runs.",
        "",
        table(head, rows),
        "",
        *_verdicts(of),
    ]
    if missing:
        lines += ["", "What did not run, or not as often as asked for:", "", *missing]
    return "\n".join(lines).rstrip()


def _verdicts(of: dict[str, Summary]) -> list[str]:
    ours = of.get(HOTSPOTS)
    lines = []
    for name, wanted in ((FLINK, 2), (FAUST, 150)):
        other = of.get(name)
        if ours is None or other is None or not ours.runs or not other.runs:
            continue
        ratio = ours.events_per_s / other.events_per_s
        cpu = ours.events_per_cpu_s / other.events_per_cpu_s
        word = "reached" if min(ratio, cpu) >= wanted else "not reached"
        lines.append(
            f"- Against {name}: {rounded(ratio)} times the events/s and {rounded(cpu)} times the "
            f"events per CPU-second; {wanted} times was the aim ({word})."
        )
    return lines


def cases_part(results: Sequence[CaseResult], events: int) -> str:
    """Return the table of the cases of our worker."""
    plain = [result for result in results if result.case.name.startswith("plain") and result.runs]
    base = statistics.median(run.events_per_s for result in plain for run in result.runs)
    base_cpu = statistics.median(run.events_per_cpu_s for result in plain for run in result.runs)
    rows = []
    for result in results:
        if not result.runs:
            rows.append([result.case.name, "-", "-", "-", "-", "-", result.reason])
            continue
        wrong = [run.difference for run in result.runs if not run.is_exact]
        rows.append(
            [
                result.case.name,
                rounded(result.events_per_s),
                f"{100 * result.events_per_s / base:.0f} %",
                rounded(result.events_per_cpu_s),
                f"{100 * result.events_per_cpu_s / base_cpu:.0f} %",
                f"{max(run.cost.memory_bytes for run in result.runs) / MEBIBYTE:,.0f}",
                str(wrong[0]) if wrong else "exact",
            ]
        )
    head = ["case", "events/s", "of plain", "per CPU-second", "of plain", "peak MiB", "counts"]
    count = max((len(result.runs) for result in results), default=0)
    text = f"Measured {machine()}; {events:,} events, medians of {count} runs.\n\n"
    return text + table(head, rows)


def workers_part(runs: Sequence[WorkersRun]) -> str:
    """Return what a second worker brings."""
    speeds = medians(runs, lambda run: run.events_per_s)
    per_cpu = medians(runs, lambda run: run.events_per_cpu_s)
    rows = []
    for workers, speed in speeds.items():
        of_these = [run for run in runs if run.workers == workers]
        wrong = [run.difference for run in of_these if not run.difference.is_exact]
        rows.append(
            [
                str(workers),
                rounded(speed),
                f"{100 * speed / speeds[min(speeds)]:.0f} %",
                rounded(per_cpu[workers]),
                f"{100 * per_cpu[workers] / per_cpu[min(speeds)]:.0f} %",
                f"{statistics.median(run.fill_seconds / run.seconds for run in of_these):.0%}",
                str(wrong[0]) if wrong else "exact",
            ]
        )
    head = [
        "workers",
        "events/s",
        "of one",
        "per CPU-second, without the start",
        "of one",
        "time in which the topic was filled",
        "counts",
    ]
    text = (
        f"Measured {machine()}; {runs[0].events:,} events, "
        f"medians of {len(runs) // len(speeds)} runs.\n\n"
    )
    return text + table(head, rows)


def state_part(state: StateResult, checkpoints: CheckpointResult) -> str:
    """Return what the state takes and costs."""
    counts = str(state.run.difference)
    rows = [
        [f"events in the run with {state.videos:,} videos", f"{state.run.events:,} ({counts})"],
        ["peak memory of the worker", f"{state.run.cost.memory_bytes / MEBIBYTE:,.0f} MiB"],
        [
            "memory right after recovery",
            f"{state.memory_after_recovery_bytes / MEBIBYTE:,.0f} MiB",
        ],
        ["changelog, a video of the quiet tail (median)", f"{state.quiet_bytes:,.0f} bytes"],
        ["changelog, the video with three tenths of all events", f"{state.hot_bytes:,} bytes"],
        ["changelog, all rows that stand", f"{state.changelog_bytes / MEBIBYTE:,.0f} MiB"],
        ["recovery, mean of the partitions", f"{state.recovery_s:.1f} s"],
        ["recovery, from the start of the process", f"{state.ready_s:.1f} s"],
        ["recovery, CPU with start-up", f"{state.recovery_cpu_s:.1f} s"],
        [
            "CPU of a plain run, checkpoints at the default interval",
            f"{statistics.median(checkpoints.default_cpu_s):.2f} s",
        ],
        [
            "CPU of a plain run, only checkpoints that somebody waits for",
            f"{statistics.median(checkpoints.seldom_cpu_s):.2f} s",
        ],
        ["share of the CPU in checkpoints", f"{100 * checkpoints.share:.1f} %"],
    ]
    return f"Measured {machine()}.\n\n" + table(["what", "figure"], rows)


def latency_part(result: LatencyResult) -> str:
    """Return how soon decisions are told."""
    rows = [
        ["broker append that decides a bucket, to its report", *_spread(result.reports_ms)],
        ["broker append that decides a bucket, to an alert", *_spread(result.alerts_ms)],
        [
            "time of the event that an alert names, to the alert",
            *_spread(result.events_to_alerts_ms),
        ],
        [
            "begin of the bucket that decided an alert, to the alert",
            *_spread(result.buckets_to_alerts_ms),
        ],
        ["time of an event, to its broker append (the producer)", *_spread(result.appends_ms)],
    ]
    text = (
        f"Measured {machine()}; {result.rate_per_s:,.0f} events/s were sent, with default "
        f"settings: buckets of {result.bucket_ms / 1000:g} s, allowed lateness "
        f"{result.allowed_lateness_ms / 1000:g} s.\n\n"
    )
    return text + table(["from, to", "median", "99 %", "worst", "of"], rows)


def _spread(milliseconds: Sequence[float]) -> list[str]:
    if not milliseconds:
        return ["-", "-", "-", "0"]
    ordered = sorted(milliseconds)
    high = ordered[min(len(ordered) - 1, int(0.99 * len(ordered)))]
    figures = (statistics.median(ordered), high, ordered[-1])
    return [*(f"{figure / 1000:.2f} s" for figure in figures), str(len(ordered))]


def draw(summaries: Sequence[Summary], path: Path) -> None:
    """Draw events/s and events per CPU-second of every engine that ran."""
    ran = [summary for summary in reversed(summaries) if summary.runs]
    names = [summary.engine for summary in ran]
    colours = ["#b8322a" if name.startswith(HOTSPOTS) else "#8fa3b0" for name in names]
    with picture(path, 8.4, 0.3 * len(ran) + 0.9) as figure:
        left, right = figure.subplots(1, 2, sharey=True)
        for axes, title, figures in (
            (left, "events per second", [summary.events_per_s for summary in ran]),
            (right, "events per CPU-second", [summary.events_per_cpu_s for summary in ran]),
        ):
            bars = axes.barh(names, figures, color=colours, height=0.7)
            axes.bar_label(bars, [rounded(figure) for figure in figures], padding=3, fontsize=8)
            axes.set_title(title, fontsize=9, loc="left")
            axes.set_xlim(0, 1.25 * max(figures))
            axes.xaxis.set_visible(False)
            axes.tick_params(left=False)
            axes.spines[["top", "right", "bottom"]].set_visible(False)


def does_of(engine: str) -> str:
    """Return what an engine is."""
    if engine.startswith(HOTSPOTS):
        return "the full monitor, durable state, transitions and alerts"
    return next(peer.does for peer in PEERS_IN_ORDER if peer.name == engine)
