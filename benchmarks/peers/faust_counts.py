"""Plain Faust: one agent over the events, a table with a changelog (`table`) or a dict (`dict`).

One worker owns all partitions, so a key needs no repartitioning to be counted right: that would
halve the speed. The table's key is one string, which is cheaper than a tuple.
"""

import os
from pathlib import Path

import faust
import orjson
from saying import WINDOW_MS, arguments, say, wait_to_be_read, write_counts

given = arguments()
app = faust.App(
    given.group,
    broker=f"aiokafka://{given.bootstrap}",
    store="memory://",
    datadir=given.state,
    topic_partitions=4,
    topic_disable_leader=True,
    table_standby_replicas=0,
    web_enabled=False,
    consumer_auto_offset_reset="earliest",
    broker_commit_interval=1.0,
    stream_wait_empty=False,
    producer_linger=0.005,
)
source = app.topic(given.topic, value_serializer="raw", key_serializer="raw")
counts = app.Table("counts", default=int) if given.variant == "table" else {}
progress = {"seen": 0}


@app.agent(source)
async def count(stream):  # noqa: ANN001, ANN201 - as Faust's own examples
    """Count every event under its video, action and window."""
    async for value in stream:
        if value is None:
            continue
        if not progress["seen"]:
            say("first")
        event = orjson.loads(value)
        window = event["time"] // WINDOW_MS * WINDOW_MS
        key = f"{window}\t{event['video_id']}\t{event['action']}"
        counts[key] = counts.get(key, 0) + 1
        progress["seen"] += 1


@app.timer(0.1)
async def finish() -> None:
    """Say so once all is counted, acknowledged by the changelog and committed."""
    if progress["seen"] < given.events:
        return
    committed = app.consumer._committed_offset  # noqa: SLF001 - nothing public tells it
    offsets = [offset for tp, offset in committed.items() if tp.topic == given.topic]
    if sum(offset for offset in offsets if offset) < given.events:
        return
    await app.producer.flush()
    say("done")
    wait_to_be_read()
    rows = ((*key.split("\t"), number) for key, number in counts.items())
    write_counts(given.counts, rows)
    # Faust's own end in order takes seconds, and nothing is left to save.
    os._exit(0)


if __name__ == "__main__":
    Path(given.state).mkdir(parents=True, exist_ok=True)
    worker = faust.Worker(app, loglevel="warning")
    worker.execute_from_commandline()
