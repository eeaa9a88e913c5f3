"""No engine and no durable state: confluent-kafka, orjson and a dict. With `raw`, not even that."""

import orjson
from confluent_kafka import Consumer
from saying import WINDOW_MS, arguments, say, wait_to_be_read, write_counts


def main() -> None:
    """Count until all events are there, and commit the offsets."""
    given = arguments()
    decodes = given.variant != "raw"
    consumer = Consumer(
        {
            "bootstrap.servers": given.bootstrap,
            "group.id": given.group,
            "auto.offset.reset": "earliest",
            "enable.auto.commit": False,
            # With the default of 1 s a full queue stops fetching for that long.
            "fetch.queue.backoff.ms": 5,
        }
    )
    consumer.subscribe([given.topic])
    counts: dict[tuple[int, str, str], int] = {}
    seen = 0
    while seen < given.events:
        messages = consumer.consume(10_000, 0.5)
        if messages and not seen:
            say("first")
        for message in messages:
            value = message.value()
            if value is None:
                continue
            seen += 1
            if decodes:
                event = orjson.loads(value)
                window = event["time"] // WINDOW_MS * WINDOW_MS
                key = (window, event["video_id"], event["action"])
                counts[key] = counts.get(key, 0) + 1
    consumer.commit(asynchronous=False)
    say("done")
    wait_to_be_read()
    write_counts(given.counts, ((*key, count) for key, count in counts.items()))
    consumer.close()


main()
