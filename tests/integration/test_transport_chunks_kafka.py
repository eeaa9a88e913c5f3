"""Chunks of a real broker: codecs, transactions, compaction, times, seek and pause."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from itertools import pairwise
from typing import Any
from uuid import uuid4

import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, NewTopic

from models.packed_chunk import PackedChunk
from models.steps import CREATE_TIME_MS, Chunk
from streams.local.kafka import EmbeddedKafka
from streams.transport.chunks import joined, request_chunks

pytestmark = [pytest.mark.kafka, pytest.mark.asyncio]

PAST_MS = 1_500_000_000_000


async def create(kafka: EmbeddedKafka, **configs: str) -> TopicPartition:
    topic = f"chunks-{uuid4().hex[:8]}"
    admin = AIOKafkaAdminClient(bootstrap_servers=kafka.bootstrap_servers)
    await admin.start()
    named = {name.replace("_", "."): value for name, value in configs.items()}
    await admin.create_topics([NewTopic(topic, 1, 1, topic_configs=named)])
    await admin.close()
    return TopicPartition(topic, 0)


@asynccontextmanager
async def producing(kafka: EmbeddedKafka, **options: Any) -> AsyncIterator[AIOKafkaProducer]:  # noqa: ANN401 - aiokafka's options
    producer = AIOKafkaProducer(bootstrap_servers=kafka.bootstrap_servers, **options)
    await producer.start()
    try:
        yield producer
    finally:
        await producer.stop()


@asynccontextmanager
async def consuming(
    kafka: EmbeddedKafka, tp: TopicPartition, *, packed: bool = False
) -> AsyncIterator[AIOKafkaConsumer]:
    consumer = AIOKafkaConsumer(
        bootstrap_servers=kafka.bootstrap_servers,
        auto_offset_reset="earliest",
        max_partition_fetch_bytes=200_000 if packed else 20_000,
    )
    request_chunks(consumer, fetch_max_wait_ms=50, packed_topics=[tp.topic] if packed else [])
    await consumer.start()
    consumer.assign([tp])
    try:
        yield consumer
    finally:
        await consumer.stop()


async def fetch(consumer: AIOKafkaConsumer, tp: TopicPartition, end: int) -> list[Chunk]:
    """Fetch chunks until `end`; none may leave a hole to the next."""
    chunks: list[Chunk] = []
    while not chunks or chunks[-1].next_offset < end:
        fetched = await consumer.getmany(tp, timeout_ms=5_000)
        assert fetched, f"nothing after {chunks[-1:]} of {end}"
        chunks += fetched[tp]
    joined(chunks)  # raises when they do not follow each other
    return chunks


async def fetch_packed(
    consumer: AIOKafkaConsumer, tp: TopicPartition, end: int
) -> list[PackedChunk]:
    """Fetch packed chunks until `end`; none may leave a hole to the next."""
    chunks: list[PackedChunk] = []
    while not chunks or chunks[-1].next_offset < end:
        fetched = await consumer.getmany(tp, timeout_ms=5_000)
        assert fetched, f"nothing after {chunks[-1:]} of {end}"
        chunks += fetched[tp]
    assert all(isinstance(chunk, PackedChunk) for chunk in chunks)
    assert all(one.next_offset == other.low_offset for one, other in pairwise(chunks))
    return chunks


def values_of(chunks: list[PackedChunk]) -> list[bytes | None]:
    return [chunk.value(row) for chunk in chunks for row in range(len(chunk))]


async def end_of(consumer: AIOKafkaConsumer, tp: TopicPartition) -> int:
    end: int = (await consumer.end_offsets([tp]))[tp]
    return end


@pytest.mark.parametrize("codec", [None, "gzip", "snappy", "lz4", "zstd"])
async def test_every_codec(kafka: EmbeddedKafka, codec: str | None) -> None:
    tp = await create(kafka)
    values = [f"{number} {'text ' * (number % 40)}".encode() for number in range(3_000)]
    async with producing(kafka, compression_type=codec, linger_ms=5) as producer:
        sent = [await producer.send(tp.topic, value, key=value[:4]) for value in values]
        await asyncio.gather(*sent)
    async with consuming(kafka, tp) as consumer:
        chunks = await fetch(consumer, tp, len(values))
    whole = joined(chunks)
    assert len(chunks) > 1
    assert whole.values == values
    assert whole.keys == [value[:4] for value in values]
    assert whole.offsets == list(range(len(values)))
    assert (whole.low_offset, whole.next_offset) == (0, len(values))
    async with consuming(kafka, tp, packed=True) as consumer:
        packed = await fetch_packed(consumer, tp, len(values))
        consumer.seek(tp, 1_234)
        rest = await fetch_packed(consumer, tp, len(values))
    assert values_of(packed) == values
    assert len(packed) < len(chunks), "many record batches make one chunk"
    assert (rest[0].low_offset, rest[0].offset[0]) == (1_234, 1_234)
    assert values_of(rest) == values[1_234:]


async def test_empty_values_tombstones_and_missing_keys(kafka: EmbeddedKafka) -> None:
    tp = await create(kafka)
    async with producing(kafka) as producer:
        await producer.send_and_wait(tp.topic, b"")
        await producer.send_and_wait(tp.topic, None, key=b"k")
        await producer.send_and_wait(tp.topic, b"v", key=b"")
    async with consuming(kafka, tp) as consumer:
        whole = joined(await fetch(consumer, tp, 3))
    assert whole.values == [b"", None, b"v"]
    assert whole.keys == [None, b"k", b""]


async def test_aborted_transactions_move_the_position_on_as_empty_chunks(
    kafka: EmbeddedKafka,
) -> None:
    tp = await create(kafka)
    committed = []
    async with (
        producing(kafka, transactional_id=uuid4().hex) as first,
        producing(kafka, transactional_id=uuid4().hex) as second,
        producing(kafka) as plain,
    ):
        for number in range(6):
            # Two transactions at once, their batches interleaved with those of neither.
            await first.begin_transaction()
            await second.begin_transaction()
            for producer, name in ((first, b"first"), (second, b"second"), (plain, b"plain")):
                await producer.send_and_wait(tp.topic, b"%s %d" % (name, number))
                await producer.send_and_wait(tp.topic, b"%s %d again" % (name, number))
            await (first.commit_transaction() if number % 2 else first.abort_transaction())
            await second.abort_transaction()
            committed += [b"first %d" % number, b"first %d again" % number] if number % 2 else []
            committed += [b"plain %d" % number, b"plain %d again" % number]
        await second.begin_transaction()
        await second.send_and_wait(tp.topic, b"aborted at the very end")
        await second.abort_transaction()
        async with consuming(kafka, tp) as consumer:
            end = await end_of(consumer, tp)
            chunks = await fetch(consumer, tp, end)
        async with consuming(kafka, tp, packed=True) as consumer:
            assert values_of(await fetch_packed(consumer, tp, end)) == committed
        async with consuming(kafka, tp) as consumer:
            await second.begin_transaction()
            await second.send_and_wait(tp.topic, b"still open")
            assert await end_of(consumer, tp) == end, "nobody reads beyond an open transaction"
            assert (await fetch(consumer, tp, end))[-1].next_offset == end
        await second.abort_transaction()
    assert [value for chunk in chunks for value in chunk.values] == committed
    assert chunks[-1].next_offset == end
    assert chunks[-1].values == []
    assert any(not chunk.values for chunk in chunks[:-1])


async def test_a_chunk_begins_where_was_sought_also_within_a_batch(kafka: EmbeddedKafka) -> None:
    tp = await create(kafka)
    async with producing(kafka, linger_ms=50) as producer:
        sent = [await producer.send(tp.topic, b"%d" % number) for number in range(100)]
        await asyncio.gather(*sent)
    async with consuming(kafka, tp) as consumer:
        await fetch(consumer, tp, 100)
        consumer.seek(tp, 37)
        (chunk,) = await fetch(consumer, tp, 100)
        assert (chunk.low_offset, chunk.offsets[0], chunk.next_offset) == (37, 37, 100)
        consumer.seek(tp, 0)
        assert joined(await fetch(consumer, tp, 100)).offsets == list(range(100))


async def test_a_paused_partition_waits(kafka: EmbeddedKafka) -> None:
    tp = await create(kafka)
    async with producing(kafka) as producer:
        await producer.send_and_wait(tp.topic, b"0")
        async with consuming(kafka, tp) as consumer:
            await fetch(consumer, tp, 1)
            consumer.pause(tp)
            await producer.send_and_wait(tp.topic, b"1")
            assert not await consumer.getmany(tp, timeout_ms=300)
            consumer.resume(tp)
            assert joined(await fetch(consumer, tp, 2)).values == [b"1"]


@pytest.mark.parametrize("kind", ["CreateTime", "LogAppendTime"])
async def test_the_brokers_time_is_told_from_the_producers(kafka: EmbeddedKafka, kind: str) -> None:
    tp = await create(kafka, message_timestamp_type=kind)
    async with producing(kafka) as producer:
        record = await producer.send_and_wait(tp.topic, b"past", timestamp_ms=PAST_MS)
    async with consuming(kafka, tp) as consumer:
        whole = joined(await fetch(consumer, tp, 1))
    if kind == "LogAppendTime":
        assert whole.append_ms == [record.timestamp]
        assert whole.append_ms[0] > PAST_MS
    else:
        assert whole.append_ms == [CREATE_TIME_MS]


async def test_compaction_leaves_no_gap_between_chunks(kafka: EmbeddedKafka) -> None:
    tp = await create(
        kafka,
        cleanup_policy="compact",
        segment_ms="50",
        min_cleanable_dirty_ratio="0.0",
        max_compaction_lag_ms="1",
    )
    async with producing(kafka) as producer:
        for number in range(60):
            await producer.send_and_wait(tp.topic, b"%d" % number, key=b"%d" % (number % 3))
            await asyncio.sleep(0.02)
        for _ in range(60):
            # The active segment is never compacted: keep on rolling it.
            await producer.send_and_wait(tp.topic, b"last", key=b"last")
            async with consuming(kafka, tp) as consumer:
                end = await end_of(consumer, tp)
                chunks = await fetch(consumer, tp, end)
            whole = joined(chunks)
            if len(whole.offsets) < 30:
                break
            await asyncio.sleep(0.5)
    assert len(whole.offsets) < 30, "the broker has not compacted"
    assert (whole.low_offset, whole.next_offset) == (0, end)
    # Where the broker has removed everything before what is left, the gap is at the beginning.
    offsets = [whole.low_offset - 1, *whole.offsets]
    assert any(after > before + 1 for before, after in pairwise(offsets))
    latest = dict(zip(whole.keys, whole.values, strict=True))
    assert latest == {b"0": b"57", b"1": b"58", b"2": b"59", b"last": b"last"}


async def test_other_consumers_of_the_process_keep_their_records(kafka: EmbeddedKafka) -> None:
    tp = await create(kafka)
    async with producing(kafka) as producer:
        await producer.send_and_wait(tp.topic, b"v", key=b"k")
    plain = AIOKafkaConsumer(
        bootstrap_servers=kafka.bootstrap_servers, auto_offset_reset="earliest"
    )
    async with consuming(kafka, tp) as consumer:
        await fetch(consumer, tp, 1)
        await plain.start()
        plain.assign([tp])
        record = await plain.getone()
        await plain.stop()
    assert (record.key, record.value) == (b"k", b"v")
