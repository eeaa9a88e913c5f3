"""Pathway: a tumbling window in event time over a static read, with persistence on."""

import os

os.environ.setdefault("PATHWAY_THREADS", "2")

import pathway as pw
from saying import WINDOW_MS, arguments, say, wait_to_be_read, write_counts

given = arguments()
final: dict[tuple[int, str, str], int] = {}


class Event(pw.Schema):
    """The fields that are counted by."""

    time: int
    video_id: str
    action: str


def keep(key: object, row: dict[str, int | str], time: int, is_addition: bool) -> None:  # noqa: ARG001 - Pathway passes them by name
    """Keep the counts that stand at the end."""
    what = (int(row["window"]), str(row["video_id"]), str(row["action"]))
    if is_addition:
        final[what] = int(row["count"])
    elif final.get(what) == row["count"]:
        del final[what]


def main() -> None:
    """Run to the end of the topic."""
    events = pw.io.kafka.read(
        {
            "bootstrap.servers": given.bootstrap,
            "group.id": given.group,
            "auto.offset.reset": "earliest",
            "fetch.queue.backoff.ms": "5",
        },
        topic=given.topic,
        schema=Event,
        format="json",
        mode="static",
    )
    windows = events.select(
        pw.this.video_id,
        pw.this.action,
        window=pw.this.time // WINDOW_MS * WINDOW_MS,
    )
    counts = windows.groupby(pw.this.window, pw.this.video_id, pw.this.action).reduce(
        pw.this.window, pw.this.video_id, pw.this.action, count=pw.reducers.count()
    )
    pw.io.subscribe(counts, on_change=keep)
    backend = pw.persistence.Backend.filesystem(given.state)
    say("first")  # the engine is in Rust and does not say when it has the first event
    pw.run(
        persistence_config=pw.persistence.Config(backend, snapshot_interval_ms=10_000),
        monitoring_level=pw.MonitoringLevel.NONE,
    )
    say("done")
    wait_to_be_read()
    write_counts(given.counts, ((*key, count) for key, count in final.items()))


main()
