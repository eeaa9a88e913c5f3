"""Files to a real broker: what was sent is what is there, in order, with an end mark everywhere."""

import asyncio
import gzip
import subprocess
import sys
import time
from pathlib import Path
from uuid import uuid4

import pytest
from aiokafka import AIOKafkaConsumer
from aiokafka.structs import TopicPartition

from streams import producing
from streams.local.kafka import EmbeddedKafka
from streams.producing import END_MARK_KEY, INPUT_PARTITIONS, EventProducer
from streams.settings import Settings
from streams.topics import create_input_topic

pytestmark = pytest.mark.kafka

Records = dict[int, list[tuple[bytes | None, bytes | None]]]


def hotspots(kafka: EmbeddedKafka, topic: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    environment = {
        "PATH": "/usr/bin:/bin",
        "HOTSPOTS_KAFKA": kafka.bootstrap_servers,
        "HOTSPOTS_INPUT_TOPIC": topic,
    }
    return subprocess.run(
        [sys.executable, "-m", "streams.cli", *arguments],
        env=environment,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def read_all(kafka: EmbeddedKafka, topic: str) -> Records:
    """Return key and value of every record of every partition."""

    async def read() -> Records:
        consumer = AIOKafkaConsumer(
            bootstrap_servers=kafka.bootstrap_servers,
            group_id=None,
            enable_auto_commit=False,
            max_partition_fetch_bytes=32 << 20,
        )
        await consumer.start()
        try:
            partitions = [TopicPartition(topic, p) for p in range(INPUT_PARTITIONS)]
            consumer.assign(partitions)
            await consumer.seek_to_beginning(*partitions)
            ends = await consumer.end_offsets(partitions)
            found: Records = {tp.partition: [] for tp in partitions}
            while any(len(found[tp.partition]) < end for tp, end in ends.items()):
                for tp, records in (await consumer.getmany(timeout_ms=500)).items():
                    found[tp.partition] += [(r.key, r.value) for r in records]
            return found
        finally:
            await consumer.stop()

    return asyncio.run(read())


def lines_of(count: int) -> list[bytes]:
    return [b'{"time":%d,"n":%d}' % (1_693_371_600_000 + i, i) for i in range(count)]


def check(found: Records, lines: list[bytes], *, ended: bool) -> None:
    """Check that events went to the partitions in turn, in order, and what stands at the end."""
    for partition, records in found.items():
        if ended:
            assert records[-1] == (END_MARK_KEY, None)
        events = records[:-1] if ended else records
        assert [value for _, value in events] == lines[partition::INPUT_PARTITIONS]
        assert all(key is None for key, _ in events)


@pytest.mark.parametrize("end", [True, False])
def test_a_file_is_there_in_order_with_end_marks(
    kafka: EmbeddedKafka, tmp_path: Path, *, end: bool
) -> None:
    topic = f"replay-{uuid4().hex}"
    lines = lines_of(20_003)
    path = tmp_path / "events.jsonl.gz"
    path.write_bytes(gzip.compress(b"\n".join(lines)))
    done = hotspots(kafka, topic, "replay", str(path), *([] if end else ["--no-end"]))
    assert done.returncode == 0, done.stderr
    assert "20,003 events sent" in done.stdout
    assert ("end mark" in done.stdout) is end
    check(read_all(kafka, topic), lines, ended=end)


def test_a_chosen_speed_takes_its_time(kafka: EmbeddedKafka, tmp_path: Path) -> None:
    topic = f"replay-{uuid4().hex}"
    path = tmp_path / "events.jsonl"
    path.write_bytes(b'{"time":0}\nnot json\n{"time":"1970-01-01T00:02:00Z"}\n')
    began_s = time.monotonic()
    done = hotspots(kafka, topic, "replay", str(path), "--speed", "60")
    assert done.returncode == 0, done.stderr
    assert time.monotonic() - began_s > 2
    found = read_all(kafka, topic)
    values = [value for records in found.values() for _, value in records if value is not None]
    assert len(values) == 3


def test_a_file_without_events_is_told(kafka: EmbeddedKafka, tmp_path: Path) -> None:
    path = tmp_path / "events.jsonl"
    path.write_bytes(b"\n\n")
    done = hotspots(kafka, f"replay-{uuid4().hex}", "replay", str(path))
    assert done.returncode == 2
    assert done.stderr.count("\n") == 1
    assert "holds no event" in done.stderr


def test_an_unreachable_kafka_is_told(tmp_path: Path) -> None:
    path = tmp_path / "events.jsonl"
    path.write_bytes(b'{"time":0}\n')
    done = subprocess.run(
        [sys.executable, "-m", "streams.cli", "replay", str(path), "--kafka", "127.0.0.1:1"],
        env={"PATH": "/usr/bin:/bin"},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 2
    assert "HOTSPOTS_KAFKA" in done.stderr
    assert "Traceback" not in done.stderr


def test_large_events_and_few_in_flight_change_nothing(
    kafka: EmbeddedKafka, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(producing, "IN_FLIGHT_BATCHES_MAX", 1)
    monkeypatch.setattr(producing, "RECORD_BATCH_BYTES", 2_000)
    topic = f"replay-{uuid4().hex}"
    settings = Settings(kafka=kafka.bootstrap_servers, input_topic=topic)
    # The middle one is larger than a batch, and random: it does not shrink.
    lines = [*lines_of(500), b"%0100000x" % (1 << 399_999), *lines_of(500)]

    async def send() -> None:
        await create_input_topic(settings, partitions=INPUT_PARTITIONS)
        async with EventProducer(settings, topic) as producer:
            for low in range(0, len(lines), 77):
                await producer.send(lines[low : low + 77])
            await producer.end()

    asyncio.run(send())
    check(read_all(kafka, topic), lines, ended=True)
