"""What a worker does when something is wrong, idle, or has to be told in one line."""

import asyncio
import json
import subprocess
from collections import defaultdict
from pathlib import Path

import pytest
from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, NewPartitions, RecordsToDelete
from pipeline import Pipeline

from models.batch_header import BatchHeader, BatchKind
from models.batches import decode_batch
from streams.delivery.board_store import BoardStore
from streams.local.kafka import EmbeddedKafka
from streams.topics import Topic, create_input_topic, ensure_topics

pytestmark = [pytest.mark.kafka, pytest.mark.asyncio]


async def ended(
    pipeline: Pipeline, worker: subprocess.Popen[bytes], seconds: float
) -> tuple[int, str]:
    """Wait for a worker to end; return its exit code and the one line that says why."""
    code = await asyncio.to_thread(worker.wait, seconds)
    number = pipeline.workers.index(worker)
    text = (pipeline.logs_directory / f"{pipeline.name}-{number}.log").read_text()
    lines = [line for line in text.splitlines() if line.startswith("hotspots: ")]
    assert len(lines) == 1, lines
    assert "Traceback" not in text
    return code, lines[0]


async def test_a_missing_input_topic_is_told_in_one_line(pipeline: Pipeline) -> None:
    code, line = await ended(pipeline, pipeline.start_worker(), 20)
    assert code == 2
    assert line == (
        f"hotspots: worker ends: topic {pipeline.topics[Topic.ENGAGEMENT]} does not exist "
        "(HOTSPOTS_INPUT_TOPIC): create it, or name the topic that holds the engagement events"
    )


async def test_topics_of_another_number_of_partitions_are_refused(pipeline: Pipeline) -> None:
    await create_input_topic(pipeline.settings, partitions=1)
    await ensure_topics(pipeline.settings)
    worker = pipeline.start_worker(HOTSPOTS_PARTITIONS="3")
    code, line = await ended(pipeline, worker, 20)
    assert code == 2
    assert f"topic {pipeline.topics[Topic.BATCHES]} has 4 partitions instead of 3" in line
    assert "(HOTSPOTS_PARTITIONS): set it to that number" in line


async def test_idle_and_empty_partitions_are_announced_after_everything(pipeline: Pipeline) -> None:
    await pipeline.produce(600, seed=1)
    # One more source partition, which nobody ever writes to.
    admin = AIOKafkaAdminClient(bootstrap_servers=pipeline.bootstrap_servers)
    await admin.start()
    await admin.create_partitions({pipeline.topics[Topic.ENGAGEMENT]: NewPartitions(4)})
    await admin.close()
    worker = pipeline.start_worker(HOTSPOTS_IDLE_AFTER_MS="1000")
    while not await pipeline.read(Topic.BATCHES):  # noqa: ASYNC110 - Kafka has no event for it
        await asyncio.sleep(0.3)
    await asyncio.sleep(5.0)
    await pipeline.stop(worker)
    headers: dict[tuple[int, int], list[BatchHeader]] = defaultdict(list)
    for partition, _, value in await pipeline.read(Topic.BATCHES):
        header = decode_batch(value or b"").header
        assert header.sources == 4
        headers[partition, header.source].append(header)
    assert len(headers) == 4 * 4, "every source is heard of in every partition"
    for (_, source), heard in headers.items():
        idle = [header for header in heard if header.kind is BatchKind.HEARTBEAT]
        events = [header for header in heard if header.kind is BatchKind.EVENTS]
        assert heard == events + idle, "announced after everything, then now and again"
        assert 1 <= len(idle) <= 6
        assert all(header.idle for header in idle)
        last = -1 if source == 3 else events[-1].high
        assert {header.high for header in idle} == {last}
    await pipeline.assert_exact()


async def test_offsets_that_were_reset_end_the_worker(pipeline: Pipeline) -> None:
    await pipeline.produce(2_000, seed=1)
    worker = pipeline.start_worker()
    await pipeline.wait_until_done()
    await pipeline.stop(worker)
    partition = TopicPartition(pipeline.topics[Topic.BATCHES], 0)
    resetting = AIOKafkaConsumer(
        bootstrap_servers=pipeline.bootstrap_servers,
        group_id=pipeline.name,
        enable_auto_commit=False,
    )
    await resetting.start()
    resetting.assign([partition])
    await resetting.commit({partition: 1})
    await resetting.stop()
    code, line = await ended(pipeline, pipeline.start_worker(), 20)
    assert code == 1
    assert f"stands at 1 of {partition.topic}-0, but its state was saved at" in line


async def test_input_that_was_deleted_unread_is_passed_over_and_reported(
    pipeline: Pipeline,
) -> None:
    await pipeline.produce(3_000, seed=1)
    worker = pipeline.start_worker()
    await pipeline.wait_until_done()
    await pipeline.stop(worker)
    await pipeline.assert_exact()
    counted = pipeline.truth.copy()
    await pipeline.produce(3_000, seed=2)
    ends = await pipeline.ends()
    topic = pipeline.topics[Topic.ENGAGEMENT]
    admin = AIOKafkaAdminClient(bootstrap_servers=pipeline.bootstrap_servers)
    await admin.start()
    await admin.delete_records(
        {tp: RecordsToDelete(before_offset=end) for tp, end in ends.items() if tp.topic == topic}
    )
    await admin.close()
    pipeline.truth = counted
    await pipeline.produce(3_000, seed=3)
    pipeline.start_worker()
    await pipeline.wait_until_done()
    assert pipeline.logs().count("are deleted, unread") == pipeline.sources
    pipeline.refused = {key for key in pipeline.refused if key in await pipeline.rejected_headers()}
    await pipeline.assert_exact()


async def test_a_board_that_is_down_stops_nothing_and_gets_everything_later(
    pipeline: Pipeline, redis_url: str
) -> None:
    await pipeline.produce(3_000, seed=1)
    worker = pipeline.start_worker(HOTSPOTS_REDIS="redis://127.0.0.1:9/0")
    alerts = TopicPartition(pipeline.topics[Topic.ALERTS], 0)
    # All but the alerts are committed.
    while await pipeline.lag() > (await pipeline.ends()).get(alerts, 0):  # noqa: ASYNC110 - Kafka has no event for it
        await asyncio.sleep(0.3)
    await pipeline.stop(worker)
    assert (await pipeline.committed())[alerts] == 0
    pipeline.start_worker(HOTSPOTS_REDIS=redis_url, HOTSPOTS_BOARD_KEY=pipeline.name)
    await pipeline.wait_until_done()
    await pipeline.assert_exact()
    async with BoardStore(redis_url, pipeline.name) as store:
        shown = [alert["id"] for alert in await store.read_alerts()]
    told = [json.loads(value or b"")["id"] for _, _, value in await pipeline.read(Topic.ALERTS)]
    assert shown == told[::-1]


async def test_a_worker_without_its_kafka_ends_with_one_line(tmp_path: Path) -> None:
    with EmbeddedKafka() as own:
        pipeline = Pipeline(own.bootstrap_servers, tmp_path)
        await pipeline.produce(1_000, seed=1)
        worker = pipeline.start_worker()
        await pipeline.wait_until_done()
    try:
        code = await asyncio.to_thread(worker.wait, 60)
    finally:
        pipeline.stop_workers()
    assert code == 1
    (line,) = [line for line in pipeline.logs().splitlines() if line.startswith("hotspots: ")]
    assert f"Kafka at {pipeline.bootstrap_servers} has not answered for" in line
