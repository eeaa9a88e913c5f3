"""Bytewax: its tumbling windows in event time, with recovery on, over a bounded read of the topic.

The watermark of Bytewax is of each key, and moves with the clock while nothing comes: so no event
is called late, and windows close at the end of the input.
"""

from collections.abc import Iterable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import orjson
from bytewax import operators as op
from bytewax._bytewax import cli_main
from bytewax.connectors.kafka import KafkaSource, KafkaSourceMessage
from bytewax.dataflow import Dataflow
from bytewax.operators import windowing
from bytewax.outputs import DynamicSink, StatelessSinkPartition
from bytewax.recovery import RecoveryConfig, init_db_dir
from saying import WINDOW_MS, arguments, say, wait_to_be_read

given = arguments()
ALIGN_TO = datetime(2020, 1, 1, tzinfo=UTC)
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
progress = {"seen": 0}


def parse(messages: Iterable[KafkaSourceMessage]) -> Iterator[tuple[str, datetime]]:
    """Yield a key and a time of each event, a batch at a time."""
    if not progress["seen"]:
        say("first")
        progress["seen"] = 1
    loads = orjson.loads
    for message in messages:
        if message.value is not None:
            event = loads(message.value)
            at = EPOCH + timedelta(milliseconds=event["time"])
            yield f"{event['video_id']}\t{event['action']}", at


class CountsPartition(StatelessSinkPartition):
    """Appends counts to a file."""

    def __init__(self, path: Path) -> None:
        self._file = path.open("a", encoding="utf-8")

    def write_batch(self, items: list[Any]) -> None:
        """Write the counts of some windows."""
        start_ms = int((ALIGN_TO - EPOCH).total_seconds() * 1000)
        self._file.writelines(
            f"{start_ms + window * WINDOW_MS}\t{key}\t{count}\n" for key, (window, count) in items
        )

    def close(self) -> None:
        """Put what was written on the disk."""
        self._file.close()


class CountsSink(DynamicSink):
    """A file for each worker."""

    def build(self, _step_id: str, worker_index: int, _worker_count: int) -> CountsPartition:
        """Open the file of a worker."""
        directory = Path(given.counts)
        directory.mkdir(parents=True, exist_ok=True)
        return CountsPartition(directory / f"{worker_index}.tsv")


def main() -> None:
    """Run to the end of the topic."""
    flow = Dataflow("counts")
    source = KafkaSource(
        [given.bootstrap],
        [given.topic],
        tail=False,
        batch_size=10_000,
        add_config={"fetch.queue.backoff.ms": "5"},
    )
    messages = op.input("events", flow, source)
    keyed = op.flat_map_batch("parse", messages, parse)
    clock = windowing.EventClock(
        ts_getter=lambda pair: pair, wait_for_system_duration=timedelta(days=1)
    )
    windower = windowing.TumblingWindower(
        length=timedelta(milliseconds=WINDOW_MS), align_to=ALIGN_TO
    )
    counted = windowing.fold_window(
        "count", keyed, clock, windower, lambda: 0, lambda n, _: n + 1, lambda a, b: a + b
    )
    op.output("counts", counted.down, CountsSink())
    recovery = Path(given.state)
    recovery.mkdir(parents=True, exist_ok=True)
    init_db_dir(recovery, 1)
    cli_main(
        flow,
        workers_per_process=1,
        epoch_interval=timedelta(seconds=10),
        recovery_config=RecoveryConfig(recovery),
    )
    say("done")
    wait_to_be_read()


main()
