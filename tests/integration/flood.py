"""Many events with a story in them, sent at a pace whatever befalls the broker, and the truth."""

import asyncio
import json
import os
import re
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from heapq import merge
from pathlib import Path

import numpy as np
from aiokafka import AIOKafkaProducer
from product import HOURS, START_MS, Product, story

from models.events import END_MARK_KEY
from models.parameters import HOUR_MS
from streams.topics import Topic, create_input_topic

EVENTS = int(os.environ.get("FIRE_EVENTS", "1000000"))
"""Events of the storm."""
SOURCES = 4
TICK_S = 0.05
PATIENCE_MS = 240_000
"""The sender outlives every fault of these tests: what it was given must reach the log once."""
BATCH_BYTES = 1 << 20
IN_FLIGHT_BATCHES = 64
SENT_S = 60.0
"""How long the rest may take after the faults."""
VIDEOS = 3_000
FILLING = (
    '{"time":%d,"platform":"%s","video_id":"f%d","action":"%s","actor_id":"person-%d",'
    '"actor_role":"ordinary"}'
)


def flood(count: int, *, seed: int = 7) -> list[bytes]:
    """Return the story among `count` events of other videos, in order of their times."""
    told = story()
    rng = np.random.default_rng(seed)
    times = np.sort(rng.integers(START_MS, START_MS + HOURS * HOUR_MS, count)).tolist()
    videos = (np.minimum(rng.zipf(1.3, count), VIDEOS) - 1).tolist()
    people = rng.integers(0, 50_000, count).tolist()
    actions = rng.choice(
        ["view", "like", "comment", "share", "bookmark"], count, p=[0.9, 0.06, 0.02, 0.01, 0.01]
    ).tolist()
    filling = [
        (t, (FILLING % (t, ("douyin", "bilibili")[v % 2], v, a, p)).encode())
        for t, v, a, p in zip(times, videos, actions, people, strict=True)
    ]
    *in_order, late = told  # the last one comes a day late
    timed = [(json.loads(line)["time"], line) for line in in_order]
    return [line for _, line in merge(timed, filling, key=lambda pair: pair[0])] + [late]


@asynccontextmanager
async def flowing(
    product: Product, lines: list[bytes], seconds: float, *, first: int = 0, end: bool = True
) -> AsyncIterator[None]:
    """Send lines in about so many seconds, in the background; at the end wait until all are sent.

    `first` is the number of the first line, where others were sent before; `end` says whether end
    marks follow the last one. The sender has a way to the broker of its own, `product.direct`,
    where faults may stand in the workers' way.
    """
    direct = product.settings.model_copy(
        update={"kafka": product.direct or product.bootstrap_servers}
    )
    await create_input_topic(direct, partitions=SOURCES)
    sending = asyncio.create_task(_send(direct.kafka, product, lines, seconds, first, end))
    try:
        yield
        await asyncio.wait_for(sending, seconds + SENT_S)
    finally:
        sending.cancel()
        await asyncio.gather(sending, return_exceptions=True)


async def _send(
    servers: str, product: Product, lines: list[bytes], seconds: float, first: int, end: bool
) -> None:
    producer = AIOKafkaProducer(
        bootstrap_servers=servers,
        enable_idempotence=True,
        compression_type="lz4",
        max_batch_size=BATCH_BYTES,
        max_request_size=2 * BATCH_BYTES,
        request_timeout_ms=PATIENCE_MS,
    )
    await producer.start()
    try:
        await _send_at_pace(producer, product.topics[Topic.ENGAGEMENT], lines, seconds, first)
        if end:
            await _end(producer, product.topics[Topic.ENGAGEMENT])
    finally:
        await producer.stop()


async def _send_at_pace(
    producer: AIOKafkaProducer, topic: str, lines: list[bytes], seconds: float, number_of_first: int
) -> None:
    step = max(1, int(len(lines) * TICK_S / seconds)) if seconds else 1_600
    began = time.monotonic()
    sent: list[asyncio.Future[object]] = []
    for number, start in enumerate(range(0, len(lines), step)):
        due = began + number * TICK_S if seconds else began
        await asyncio.sleep(max(0.0, due - time.monotonic()))
        for partition in range(SOURCES):
            # Event i goes to partition i modulo the partitions, whatever the step.
            first = start + (partition - start - number_of_first) % SOURCES
            values = lines[first : start + step : SOURCES]
            if values:
                sent.append(await _send_batch(producer, topic, partition, values))
        while len(sent) > IN_FLIGHT_BATCHES:
            await sent.pop(0)
    for acknowledged in sent:
        await acknowledged


async def _end(producer: AIOKafkaProducer, topic: str) -> None:
    for partition in range(SOURCES):
        await producer.send_and_wait(topic, None, key=END_MARK_KEY, partition=partition)


async def _send_batch(
    producer: AIOKafkaProducer, topic: str, partition: int, values: list[bytes]
) -> object:
    batch = producer.create_batch()
    for value in values:
        assert batch.append(timestamp=None, key=None, value=value) is not None, "too much for one"
    batch.close()
    sent: asyncio.Future[object] = await producer.send_batch(batch, topic, partition=partition)
    return sent


def reasons(product: Product) -> list[str]:
    """Return the one line of each worker that ended itself."""
    return re.findall(r"^hotspots: worker ends: (.*)$", product.logs(), re.MULTILINE)


def resident_mb(pid: int) -> float:
    """Return the resident memory of a process in MB; 0 when it has ended."""
    try:
        status = Path(f"/proc/{pid}/status").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return 0.0
    found = re.search(r"^VmRSS:\s+(\d+) kB", status, re.MULTILINE)
    return int(found[1]) / 1024 if found else 0.0
