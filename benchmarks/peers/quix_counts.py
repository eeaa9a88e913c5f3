"""Quix Streams: counts in its state (RocksDB with a changelog topic), one instance.

The events have no key, so state is kept for each partition and the parts of a key add up; a
`group_by` would send every event through Kafka once more.
"""

from typing import Any

from quixstreams import Application, State, message_context
from saying import WINDOW_MS, arguments, say, wait_to_be_read, write_counts

given = arguments()
latest: dict[tuple[int, str], int] = {}
progress = {"seen": 0}


def count(event: dict[str, Any], state: State) -> None:
    """Add one to the event's count in the state."""
    if not progress["seen"]:
        say("first")
    progress["seen"] += 1
    window = event["time"] // WINDOW_MS * WINDOW_MS
    key = f"{window}\t{event['video_id']}\t{event['action']}"
    number = state.get(key, 0) + 1
    state.set(key, number)
    # What the state said last, to be held against the truth.
    latest[message_context().partition, key] = number


def main() -> None:
    """Run until all events are counted; the last checkpoint is made when the run ends."""
    app = Application(
        broker_address=given.bootstrap,
        consumer_group=given.group,
        auto_offset_reset="earliest",
        state_dir=given.state,
        commit_interval=5.0,
        loglevel="WARNING",
        consumer_extra_config={"fetch.queue.backoff.ms": 5},
    )
    topic = app.topic(given.topic, value_deserializer="json")
    frame = app.dataframe(topic)
    frame = frame[frame.apply(lambda event: event is not None)]
    frame = frame.update(count, stateful=True)
    app.run(frame, count=given.events, collect=False)
    say("done")
    wait_to_be_read()
    rows = ((*key.split("\t"), number) for (_, key), number in latest.items())
    write_counts(given.counts, rows)


main()
