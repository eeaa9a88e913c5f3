"""Order, acknowledgement, bounds and failure of what intake sends, with a real broker."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from uuid import uuid4

import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.errors import KafkaError

from streams.agents import ordered_sending
from streams.agents.ordered_sending import Message, OrderedSender
from streams.local.kafka import EmbeddedKafka
from streams.transport.ledger import Partition

pytestmark = [pytest.mark.kafka, pytest.mark.asyncio]

PARTITIONS = 3
BATCH_BYTES = 2_000


@asynccontextmanager
async def sending(kafka: EmbeddedKafka, **configs: str) -> AsyncIterator[tuple[OrderedSender, str]]:
    topic = f"ordered-{uuid4().hex[:8]}"
    admin = AIOKafkaAdminClient(bootstrap_servers=kafka.bootstrap_servers)
    await admin.start()
    named = {name.replace("_", "."): value for name, value in configs.items()}
    await admin.create_topics([NewTopic(topic, PARTITIONS, 1, topic_configs=named)])
    await admin.close()
    producer = AIOKafkaProducer(
        bootstrap_servers=kafka.bootstrap_servers,
        acks="all",
        enable_idempotence=True,
        max_batch_size=BATCH_BYTES,
    )
    await producer.start()
    try:
        yield OrderedSender(producer), topic
    finally:
        await producer.stop()


async def read(kafka: EmbeddedKafka, topic: str) -> dict[int, list[Message]]:
    """Return everything up to the present end."""
    consumer = AIOKafkaConsumer(
        bootstrap_servers=kafka.bootstrap_servers, auto_offset_reset="earliest"
    )
    await consumer.start()
    partitions = [TopicPartition(topic, number) for number in range(PARTITIONS)]
    consumer.assign(partitions)
    ends = await consumer.end_offsets(partitions)
    found: dict[int, list[Message]] = {number: [] for number in range(PARTITIONS)}
    while any(len(found[tp.partition]) < end for tp, end in ends.items()):
        for tp, records in (await consumer.getmany(timeout_ms=1_000)).items():
            found[tp.partition] += [
                Message(record.key, record.value, record.headers) for record in records
            ]
    await consumer.stop()
    return found


async def test_everything_is_there_in_its_order_once_flushed(kafka: EmbeddedKafka) -> None:
    sent: dict[int, list[Message]] = {number: [] for number in range(PARTITIONS)}
    async with sending(kafka) as (sender, topic):
        for turn in range(200):
            for partition in range(PARTITIONS):
                messages = [
                    Message(
                        None if each else b"k", b"%d " % turn * (each + 1), (("h", b"%d" % each),)
                    )
                    for each in range(turn % 4)
                ]
                sender.send(Partition(topic, partition), messages)
                sent[partition] += messages
            if turn % 50 == 49:
                await sender.flush()
                assert sender.unacknowledged_bytes == 0
                assert await read(kafka, topic) == sent
            await asyncio.sleep(0)


async def test_a_message_larger_than_a_record_batch_is_sent(kafka: EmbeddedKafka) -> None:
    async with sending(kafka) as (sender, topic):
        messages = [Message(None, bytes([65 + each]) * BATCH_BYTES * each) for each in (1, 9, 1)]
        sender.send(Partition(topic, 0), messages)
        await sender.flush()
        assert (await read(kafka, topic))[0] == messages


async def test_flushing_does_not_wait_for_what_comes_after_it(kafka: EmbeddedKafka) -> None:
    async with sending(kafka) as (sender, topic):
        sender.send(Partition(topic, 0), [Message(None, b"first")])
        flushing = asyncio.create_task(sender.flush())
        await asyncio.sleep(0)
        while not flushing.done():
            sender.send(Partition(topic, 0), [Message(None, b"on and on")])
            await asyncio.sleep(0)
        await flushing
        await sender.flush()
        assert (await read(kafka, topic))[0][0].value == b"first"


async def test_who_sends_waits_while_too_much_is_unacknowledged(
    kafka: EmbeddedKafka, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ordered_sending, "UNACKNOWLEDGED_BYTES_MAX", 10_000)
    most = 0
    async with sending(kafka) as (sender, topic):
        for _ in range(100):
            await sender.room()
            sender.send(Partition(topic, 0), [Message(None, b"x" * 1_000) for _ in range(5)])
            most = max(most, sender.unacknowledged_bytes)
        await sender.flush()
        assert len((await read(kafka, topic))[0]) == 500
    assert 10_000 <= most < 10_000 + 5_000


async def test_a_failed_send_fails_everything_after_it(kafka: EmbeddedKafka) -> None:
    async with sending(kafka, max_message_bytes="5000") as (sender, topic):
        sender.send(Partition(topic, 0), [Message(None, b"x" * 6_000)])
        with pytest.raises(KafkaError):
            await sender.flush()
        with pytest.raises(KafkaError):
            sender.send(Partition(topic, 1), [Message(None, b"y")])
        with pytest.raises(KafkaError):
            await sender.room()


async def test_what_is_stopped_sends_nothing_more(kafka: EmbeddedKafka) -> None:
    async with sending(kafka) as (sender, topic):
        sender.send(Partition(topic, 0), [Message(None, b"flushed")])
        await sender.flush()
        sender.send(Partition(topic, 0), [Message(None, b"not yet on its way")])
        await sender.stop()
        await asyncio.sleep(0.2)
        assert [message.value for message in (await read(kafka, topic))[0]] == [b"flushed"]
