"""What one run of one engine came to."""

import statistics
from collections.abc import Sequence
from dataclasses import dataclass

from benchmarks.processes import Cost
from benchmarks.truth import Difference


@dataclass(frozen=True, slots=True)
class Measurement:
    """One run: from the first event to the last commit, and the cost from the start on."""

    engine: str
    events: int
    seconds: float
    start_seconds: float
    """From the start of the process to the first event."""
    cost: Cost
    difference: Difference | None
    """None for a limit, which counts nothing."""

    @property
    def events_per_s(self) -> float:
        """Events per second between the first event and the last commit."""
        return self.events / self.seconds

    @property
    def events_per_cpu_s(self) -> float:
        """Events per CPU-second of the whole process, start-up included."""
        return self.events / self.cost.cpu_s

    @property
    def is_exact(self) -> bool:
        """Whether it counted right, or had nothing to count."""
        return self.difference is None or self.difference.is_exact

    def __str__(self) -> str:
        counts = "" if self.difference is None else f", counts {self.difference}"
        return (
            f"{self.engine}: {self.events_per_s:,.0f} events/s, {self.events_per_cpu_s:,.0f} per "
            f"CPU-second ({self.cost.cpu_s:.1f} s), begins after {self.start_seconds:.1f} s, "
            f"{self.cost.memory_bytes >> 20:,} MiB{counts}"
        )


@dataclass(frozen=True, slots=True)
class Summary:
    """The runs of one engine: medians, and whether all were right."""

    engine: str
    does: str
    runs: Sequence[Measurement]
    reason: str = ""
    """Why there are no runs, or fewer than asked for."""

    @property
    def events(self) -> int:
        """Events of a run."""
        return self.runs[0].events

    @property
    def events_per_s(self) -> float:
        """Median over the runs."""
        return statistics.median(run.events_per_s for run in self.runs)

    @property
    def events_per_cpu_s(self) -> float:
        """Median over the runs."""
        return statistics.median(run.events_per_cpu_s for run in self.runs)

    @property
    def memory_bytes(self) -> float:
        """Median of the peaks."""
        return statistics.median(run.cost.memory_bytes for run in self.runs)

    @property
    def counts(self) -> str:
        """Say what the comparison with the truth found, the worst of all runs."""
        if all(run.difference is None for run in self.runs):
            return "counts nothing"
        wrong = [run.difference for run in self.runs if not run.is_exact]
        return str(wrong[0]) if wrong else "exact"
