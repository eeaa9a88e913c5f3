"""The peers: what each is, how it is started, and how many events it is given."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import polars as pl

from benchmarks.environments import PEERS, java_peer, python_of
from benchmarks.measurement import Measurement
from benchmarks.processes import EngineError, MeasuredProcess
from benchmarks.truth import compare, read_counts

CONFLUENT: Final = ("confluent-kafka==2.16.1", "orjson==3.13.0")
FAUST: Final = ("faust-streaming==0.15.3", "aiokafka==0.14.0", "orjson==3.13.0", "cramjam==2.14.0")
QUIX: Final = ("quixstreams==3.28.0",)
BYTEWAX: Final = ("bytewax==0.21.1", "confluent-kafka==2.16.1", "orjson==3.13.0")
PATHWAY: Final = ("pathway==0.33.0",)

JAVA_OPTIONS: Final = (
    "-Xmx2g",
    "-XX:+UseParallelGC",  # the collector with the greatest throughput on two cores
    "-Dorg.slf4j.simpleLogger.defaultLogLevel=error",
    # What Flink and its serialisation ask for since Java 17 (Flink's own start script).
    "--add-opens=java.base/java.lang=ALL-UNNAMED",
    "--add-opens=java.base/java.util=ALL-UNNAMED",
)

Command = Callable[[], list[str]]
"""Installs what is needed and returns how to start the program, without its arguments."""


@dataclass(frozen=True, slots=True)
class Peer:
    """An engine that does the peers' job."""

    name: str
    does: str
    """What it is and how it is used, in a few words."""
    command: Command
    variant: str = ""
    divisor: int = 1
    """It is given the topic with 1/divisor of the events; a slow engine's rate is as steady."""
    runs: int = 3
    timeout_s: float = 120.0
    is_java: bool = False
    counts: bool = True
    """Whether it counts at all; a limit decodes nothing."""
    environment: Mapping[str, str] = field(default_factory=dict)


def _python(script: str, requirements: tuple[str, ...]) -> Command:
    def command() -> list[str]:
        return [str(python_of(requirements)), str(PEERS / script)]

    return command


def _java(module: str, main: str) -> Command:
    def command() -> list[str]:
        java, class_path = java_peer(module)
        return [str(java), *JAVA_OPTIONS, "-cp", class_path, f"benchmarks.{main}"]

    return command


PEERS_IN_ORDER: Final = (
    Peer(
        "Faust, table",
        "plain Faust 0.15.3, a table with a changelog",
        _python("faust_counts.py", FAUST),
        "table",
        divisor=30,
        runs=1,
    ),
    Peer(
        "Faust, dict",
        "plain Faust 0.15.3, a dict that is lost with the process",
        _python("faust_counts.py", FAUST),
        "dict",
        divisor=30,
        runs=1,
    ),
    Peer(
        "Quix Streams",
        "Quix Streams 3.28, RocksDB and changelog",
        _python("quix_counts.py", QUIX),
        divisor=10,
        runs=1,
    ),
    Peer(
        "Bytewax",
        "Bytewax 0.21.1, its windows, recovery on",
        _python("bytewax_counts.py", BYTEWAX),
        divisor=10,
        runs=1,
    ),
    Peer(
        "Pathway",
        "Pathway 0.33, group by window, persistence on, 2 threads",
        _python("pathway_counts.py", PATHWAY),
        divisor=3,
        runs=1,
    ),
    Peer(
        "Kafka Streams, 1 thread",
        "Kafka Streams 4.1, RocksDB and changelog, exactly_once_v2",
        _java("kafka-streams", "StreamsCounts"),
        "1",
        is_java=True,
    ),
    Peer(
        "Kafka Streams, 2 threads",
        "Kafka Streams 4.1, RocksDB and changelog, exactly_once_v2",
        _java("kafka-streams", "StreamsCounts"),
        "2",
        is_java=True,
    ),
    Peer(
        "Flink, RocksDB",
        "Flink 2.1, parallelism 2, a checkpoint every 10 s",
        _java("flink", "FlinkCounts"),
        "rocksdb",
        is_java=True,
    ),
    Peer(
        "Flink, heap",
        "Flink 2.1, parallelism 2, object reuse, a checkpoint every 10 s",
        _java("flink", "FlinkCounts"),
        "heap",
        is_java=True,
    ),
    Peer(
        "no engine",
        "confluent-kafka, orjson and a dict; no durable state",
        _python("confluent_dict.py", CONFLUENT),
    ),
    Peer(
        "limit: read only",
        "confluent-kafka, nothing decoded",
        _python("confluent_dict.py", CONFLUENT),
        "raw",
        counts=False,
    ),
)


def run_peer(
    peer: Peer, bootstrap: str, topic: str, true: pl.DataFrame, *, directory: Path, run: str
) -> Measurement:
    """Run a peer over a topic once.

    Args:
        peer: The engine.
        bootstrap: Where Kafka is.
        topic: What it reads.
        true: The true counts of that topic (benchmarks.workload.true_counts).
        directory: Where it may put its state, its counts and its log.
        run: Names this run apart from others; also the consumer group.

    Raises:
        UnavailableError: It cannot be installed.
        EngineError: It failed or did not finish.
    """
    command = peer.command()
    counts = directory / f"{run}.counts"
    given = {
        "bootstrap": bootstrap,
        "topic": topic,
        "group": run,
        "counts": str(counts),
        "state": str(directory / f"{run}.state"),
        "events": str(true["count"].sum()),
        "variant": peer.variant,
    }
    arguments = [word for name, value in given.items() for word in (f"--{name}", value)]
    with MeasuredProcess(
        [*command, *arguments], environment=peer.environment, directory=directory, name=run
    ) as process:
        cost = process.wait_until_done(peer.timeout_s)
        process.ask_for_counts()
        told, started_s = process.told, process.started_s
    if "first" not in told:
        raise EngineError(f"{peer.name} did not say when it began")
    return Measurement(
        engine=peer.name,
        events=int(true["count"].sum()),
        seconds=told["done"] - told["first"],
        start_seconds=told["first"] - started_s,
        cost=cost,
        difference=compare(true, read_counts(counts)) if peer.counts else None,
    )
