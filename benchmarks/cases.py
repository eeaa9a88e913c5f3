"""Flat cost: our worker over streams of other shapes, each held against the plain one."""

import statistics
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from benchmarks import topics
from benchmarks.measurement import Measurement
from benchmarks.monitor import Monitor, run_monitor
from benchmarks.processes import EngineError
from benchmarks.workload import Workload, columns_of, true_counts

DAY_MS: Final = 86_400_000
RUNS: Final = 2

Told = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Case:
    """A shape of the stream, or settings of the worker."""

    name: str
    shape: Mapping[str, object] = field(default_factory=dict)
    """What differs from the plain workload (benchmarks.workload.Workload)."""
    values: Mapping[str, object] = field(default_factory=dict)
    """Settings that differ from the defaults."""


PLAIN: Final = Case("plain")
CASES: Final = (
    PLAIN,
    Case("10,000 videos", {"videos": 10_000}),
    Case("1,000,000 videos", {"videos": 1_000_000}),
    Case("16 partitions", {"partitions": 16}, {"partitions": 16}),
    Case("64 partitions", {"partitions": 64}, {"partitions": 64}),
    Case("one video has half of all events", {"hot_share": 0.5}),
    Case("1 % bad lines", {"bad_share": 0.01}),
    Case("every event has an id", {"with_ids": True}),
    Case("comments with texts and roles", {"with_texts": True}),
    Case("every view says how long", {"with_watch": True}),
    Case("a day of replay", {"span_ms": DAY_MS}),
)


@dataclass(frozen=True, slots=True)
class CaseResult:
    """The runs of one case, or why there are none."""

    case: Case
    runs: Sequence[Measurement]
    reason: str = ""

    @property
    def events_per_s(self) -> float:
        """Median over the runs."""
        return statistics.median(run.events_per_s for run in self.runs)

    @property
    def events_per_cpu_s(self) -> float:
        """Median over the runs, start-up included."""
        return statistics.median(run.events_per_cpu_s for run in self.runs)


def run_cases(
    bootstrap: str, events: int, *, directory: Path, told: Told, only: str = "", runs: int = RUNS
) -> list[CaseResult]:
    """Run every case, the plain one first and again last: so much does a run differ by itself.

    Args:
        bootstrap: Where Kafka is.
        events: How many events each has.
        directory: Where logs go.
        told: Told what goes on.
        only: Part of a case's name; the plain one is always there.
        runs: How often each case is run.
    """
    chosen = [case for case in CASES if case is PLAIN or only in case.name]
    results: list[CaseResult] = []
    for case in [*chosen, PLAIN]:
        again = case is PLAIN and bool(results)
        name = "plain, at the end" if again else case.name
        told(name)
        shown = Case(name, case.shape, case.values)
        results.append(_run_case(bootstrap, shown, events, directory, len(results), runs, told))
    return results


def _run_case(
    bootstrap: str, case: Case, events: int, directory: Path, number: int, runs: int, told: Told
) -> CaseResult:
    workload = Workload(events=events, **case.shape)  # type: ignore[arg-type] # fields by name
    columns = columns_of(workload)
    true = true_counts(columns)
    topic = f"case{number}-engagement"
    topics.run(topics.create(bootstrap, topic, workload.partitions))
    topics.run(topics.load(bootstrap, topic, workload, columns))
    del columns
    done: list[Measurement] = []
    reason = ""
    try:
        for run in range(runs):
            monitor = Monitor(
                bootstrap, f"case{number}-{run}", topic, workload.partitions, case.values
            )
            measured = run_monitor(
                monitor,
                true,
                directory=directory,
                engine=case.name,
                messages=events,
            )
            done.append(topics.run(measured))
            told(f"  {done[-1]}")
    except EngineError as error:
        reason = str(error)
    topics.run(topics.delete(bootstrap, [f"case{number}-"]))
    return CaseResult(case, done, reason)
