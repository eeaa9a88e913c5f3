"""`make bench`: our monitor and the peers on the same events, one after the other.

Everything runs on the loopback, in processes of its own, is bounded in count and time and ends by
itself. A full run writes its tables and the picture into docs/; any other run prints them.
"""

import logging
import shutil
import signal
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import click
import polars as pl

from benchmarks import page, topics
from benchmarks.cases import RUNS as CASE_RUNS
from benchmarks.cases import run_cases
from benchmarks.engines import PEERS_IN_ORDER, Peer, run_peer
from benchmarks.environments import UnavailableError, cache_directory
from benchmarks.latency import measure_latency
from benchmarks.measurement import Measurement, Summary
from benchmarks.monitor import Monitor, run_monitor
from benchmarks.processes import EngineError
from benchmarks.state import measure_checkpoints, measure_state
from benchmarks.workers import measure_workers
from benchmarks.workload import Workload, columns_of, true_counts
from streams.local.kafka import EmbeddedKafka
from streams.measured_pages import DOCS, write
from streams.progress import progress, say

EVENTS: Final = 3_000_000
QUICK_EVENTS: Final = 300_000
WARM_EVENTS: Final = 1_000_000
"""Enough that our loops are compiled and kept before anything is measured, and most of the broker's
code, too: its compilers take 2.4 CPU-seconds in the first 3 million events and 0.9 in the next
(measured), on the cores that it shares with whoever is measured."""
OUR_RUNS: Final = 3
BROKER_HEAP_MEGABYTES: Final = 1_024
PARTS: Final = ("engines", "cases", "workers", "state", "latency")
QUICK_PARTS: Final = ("engines",)
PAGE: Final = "performance.md"
PICTURE: Final = "performance.svg"
WITH_IDS: Final = "Hotspots, event ids"
"""Our monitor over events with an `event_id`, repeats of which count once."""


@dataclass(slots=True)
class Topics:
    """The input topics that were made, and their true counts."""

    bootstrap: str
    made: dict[Workload, tuple[str, pl.DataFrame]] = field(default_factory=dict)

    def of(self, workload: Workload) -> tuple[str, pl.DataFrame]:
        """Return a topic with this workload and its true counts; made and filled once."""
        if workload not in self.made:
            name = f"engagement-{len(self.made)}-{workload.events}"
            columns = columns_of(workload)
            topics.run(topics.create(self.bootstrap, name, workload.partitions))
            with progress(f"filling {name}", workload.events, unit="events") as steps:
                loading = topics.load(self.bootstrap, name, workload, columns, steps.advance)
                topics.run(loading)
            self.made[workload] = (name, true_counts(columns))
        return self.made[workload]


@dataclass(slots=True)
class _Results:
    summaries: list[Summary] = field(default_factory=list)
    parts: dict[str, str] = field(default_factory=dict)


@dataclass(slots=True)
class Bench:
    """One run of the benchmarks beside one broker."""

    bootstrap: str
    directory: Path
    workload: Workload
    inputs: Topics

    def warm_up(self) -> None:
        """Let everything be compiled and read from the disk once."""
        say("warming up")
        self.ours(self.workload.with_events(WARM_EVENTS), "warm-up", "warm-up")

    def ours(self, workload: Workload, engine: str, run: str) -> Measurement:
        """Run our monitor once."""
        topic, true = self.inputs.of(workload)
        monitor = Monitor(self.bootstrap, run, topic, workload.partitions, {})
        measured = run_monitor(monitor, true, directory=self.directory, engine=engine)
        result: Measurement = topics.run(measured)
        return result

    def peer(self, peer: Peer, run: str) -> Measurement:
        """Run a peer once."""
        share = self.workload.with_events(self.workload.events // peer.divisor)
        topic, true = self.inputs.of(share)
        return run_peer(peer, self.bootstrap, topic, true, directory=self.directory, run=run)

    def engines(self, peers: Sequence[Peer], runs: int) -> list[Summary]:
        """Run our monitor and the peers in turn, round by round, so that all share what drifts."""
        names = [page.HOTSPOTS, WITH_IDS, *(peer.name for peer in peers)]
        done: dict[str, list[Measurement]] = {name: [] for name in names}
        reasons: dict[str, str] = {}
        for number in range(runs):
            for name in names:
                peer = next((peer for peer in peers if peer.name == name), None)
                if name in reasons or (peer is not None and number >= peer.runs):
                    continue
                try:
                    measurement = self._once(name, peer, f"run{number}-{names.index(name)}")
                except (EngineError, UnavailableError) as error:
                    reasons[name] = " ".join(str(error).split())
                    say(f"{name}: {error}")
                    continue
                done[name].append(measurement)
                say(str(measurement))
        return [
            Summary(name, page.does_of(name), done[name], reasons.get(name, "")) for name in names
        ]

    def _once(self, name: str, peer: Peer | None, run: str) -> Measurement:
        if peer is not None:
            return self.peer(peer, run)
        if name == WITH_IDS:
            with_ids = Workload(events=self.workload.events, with_ids=True)
            return self.ours(with_ids, name, run)
        return self.ours(self.workload, name, run)

    def parts(self, chosen: Sequence[str], peers: Sequence[Peer], runs: int, case: str) -> _Results:
        """Measure the chosen parts, in the order of PARTS."""
        results = _Results()
        full_rate_per_s = 0.0
        self.warm_up()
        if "engines" in chosen:
            results.summaries = self.engines(peers, runs)
            partitions = self.workload.partitions
            results.parts["engines"] = page.engines_part(results.summaries, partitions)
            if results.summaries[0].runs:
                full_rate_per_s = results.summaries[0].events_per_s
        self._free()
        events = self.workload.events
        if "cases" in chosen:
            cases = run_cases(
                self.bootstrap,
                events,
                directory=self.directory,
                told=say,
                only=case,
                runs=min(runs, CASE_RUNS),
            )
            results.parts["cases"] = page.cases_part(cases, events)
        if "workers" in chosen:
            workers = measure_workers(
                self.bootstrap, events, directory=self.directory, told=say, runs=runs
            )
            results.parts["workers"] = page.workers_part(workers)
        if "state" in chosen:
            state = measure_state(self.bootstrap, events, directory=self.directory, told=say)
            saving = measure_checkpoints(self.bootstrap, events, directory=self.directory, told=say)
            results.parts["state"] = page.state_part(state, saving)
        if "latency" in chosen:
            full = full_rate_per_s or self.ours(self.workload, page.HOTSPOTS, "full").events_per_s
            latency = measure_latency(self.bootstrap, full / 2, directory=self.directory, told=say)
            results.parts["latency"] = page.latency_part(latency)
        return results

    def _free(self) -> None:
        """Delete what is not read again: the disk need not hold all topics at once."""
        topics.run(topics.delete(self.bootstrap, ["engagement-", "run", "warm-up"]))
        self.inputs.made.clear()


@click.command()
@click.option("--quick", is_flag=True, help=f"{QUICK_EVENTS:,} events, once, no peers in Java.")
@click.option("--events", type=click.IntRange(10_000), help=f"Events, by default {EVENTS:,}.")
@click.option("--runs", type=click.IntRange(1), help=f"Runs of each, by default {OUR_RUNS}.")
@click.option("--part", "parts", multiple=True, type=click.Choice(PARTS), help="Only these parts.")
@click.option("--peer", default="", help="Only peers with this in their name; `none` for none.")
@click.option("--case", default="", help="Only cases with this in their name, and the plain one.")
@click.option("--write", is_flag=True, help="Write what was measured into docs/ in any case.")
def main(
    quick: bool,
    events: int | None,
    runs: int | None,
    parts: tuple[str, ...],
    peer: str,
    case: str,
    write: bool,
) -> None:
    """Run our monitor and the peers on the same events, and write docs/performance.md."""
    # As an interrupt: whatever is running is ended and what it wrote is removed.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    # It tells of leaders that a new topic does not have yet, and tries again.
    logging.getLogger("aiokafka").setLevel(logging.CRITICAL)
    began_s = time.monotonic()
    is_full = not (quick or events or runs or parts or peer or case)
    peers = [one for one in PEERS_IN_ORDER if peer in one.name and not (quick and one.is_java)]
    workload = Workload(events=events or (QUICK_EVENTS if quick else EVENTS))
    chosen = parts or (QUICK_PARTS if quick else PARTS)
    cache_directory().mkdir(parents=True, exist_ok=True)
    directory = Path(tempfile.mkdtemp(prefix="run-", dir=cache_directory()))
    try:
        with EmbeddedKafka(heap_megabytes=BROKER_HEAP_MEGABYTES, progress=say) as kafka:
            servers = kafka.bootstrap_servers
            bench = Bench(servers, directory, workload, Topics(servers))
            results = bench.parts(chosen, peers, runs or (1 if quick else OUR_RUNS), case)
    finally:
        shutil.rmtree(directory, ignore_errors=True)
    for name, text in results.parts.items():
        print(f"\n## {name}\n\n{text}")
    if is_full or write:
        _write(results)
    say(f"took {(time.monotonic() - began_s) / 60:.1f} minutes")


def _write(results: _Results) -> None:
    write(DOCS / PAGE, results.parts)
    if any(summary.runs for summary in results.summaries):
        page.draw(results.summaries, DOCS / PICTURE)
    say(f"wrote docs/{PAGE}")


if __name__ == "__main__":
    main()
