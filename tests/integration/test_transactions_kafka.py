"""Checkpoints as Kafka has them: all or nothing, in any size, by one owner only."""

from uuid import uuid4

import pytest
from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import ProducerFenced

from models.steps import Output
from streams.local.kafka import EmbeddedKafka
from streams.settings import Settings
from streams.topics import Topic, create_input_topic, ensure_topics, topic_names
from streams.transactions import MESSAGE_BYTES_MAX, OversizedMessageError, PartitionTransactions
from streams.transport.ledger import Partition

pytestmark = [pytest.mark.kafka, pytest.mark.asyncio]


@pytest.fixture
def settings(kafka: EmbeddedKafka) -> Settings:
    name = f"t{uuid4().hex[:8]}"
    return Settings(
        kafka=kafka.bootstrap_servers,
        app_id=name,
        topic_prefix=f"{name}.",
        input_topic=f"{name}-in",
        partitions=1,
    )


async def made(settings: Settings) -> PartitionTransactions:
    names = topic_names(settings)
    transactions = PartitionTransactions(
        app_id=settings.app_id,
        consumed=Partition(names[Topic.BATCHES], 0),
        changelog=Partition(names[Topic.VIDEOS_CHANGELOG], 0),
        topics=names,
        options={"bootstrap_servers": [settings.kafka]},
    )
    await transactions.start()
    return transactions


async def written_end(settings: Settings, partition: TopicPartition) -> int:
    """Return where the log ends, with what is committed but not marked so yet."""
    consumer = AIOKafkaConsumer(bootstrap_servers=settings.kafka)
    await consumer.start()
    end = (await consumer.end_offsets([partition]))[partition]
    await consumer.stop()
    return int(end)


async def read(settings: Settings, topic: Topic) -> list[tuple[bytes | None, bytes | None]]:
    consumer = AIOKafkaConsumer(
        bootstrap_servers=settings.kafka,
        isolation_level="read_committed",
        auto_offset_reset="earliest",
    )
    await consumer.start()
    partition = TopicPartition(topic_names(settings)[topic], 0)
    consumer.assign([partition])
    end = await written_end(settings, partition)
    found = []
    while await consumer.position(partition) < end:
        for records in (await consumer.getmany(timeout_ms=500)).values():
            found += [(record.key, record.value) for record in records]
    await consumer.stop()
    return found


async def committed(settings: Settings) -> int:
    partition = TopicPartition(topic_names(settings)[Topic.BATCHES], 0)
    admin = AIOKafkaAdminClient(bootstrap_servers=settings.kafka)
    await admin.start()
    found = await admin.list_consumer_group_offsets(settings.app_id, partitions=[partition])
    await admin.close()
    return int(found[partition].offset)


async def test_many_rows_fill_several_record_batches_in_order(settings: Settings) -> None:
    await create_input_topic(settings, partitions=1)
    await ensure_topics(settings)
    transactions = await made(settings)
    rows = [(b"v%06d" % number, b"%d" % number * 100) for number in range(20_000)]
    large = (b"large", bytes(3 * 1024 * 1024))
    outputs = [Output(Topic.VIDEO_STAGES, 0, None, b"report %d" % number) for number in range(3)]
    await transactions.commit([*rows[:9_000], large, *rows[9_000:]], outputs, 7)
    await transactions.stop()
    assert await read(settings, Topic.VIDEOS_CHANGELOG) == [*rows[:9_000], large, *rows[9_000:]]
    assert [value for _, value in await read(settings, Topic.VIDEO_STAGES)] == [
        output.value for output in outputs
    ]
    assert await committed(settings) == 7


async def test_a_message_that_fits_nowhere_is_named_and_nothing_is_committed(
    settings: Settings,
) -> None:
    await create_input_topic(settings, partitions=1)
    await ensure_topics(settings)
    names = topic_names(settings)
    too_large = bytes(MESSAGE_BYTES_MAX)
    cases = [
        ([(b"row", too_large)], [], names[Topic.VIDEOS_CHANGELOG], "b'row'"),
        ([], [Output(Topic.ALERTS, 0, b"alert", too_large)], names[Topic.ALERTS], "b'alert'"),
    ]
    for rows, outputs, topic, key in cases:
        transactions = await made(settings)
        with pytest.raises(
            OversizedMessageError, match=rf"a message for {topic} with key {key} has 167\d{{5}} "
        ):
            await transactions.commit([(b"before", b"it"), *rows], outputs, 1)
        await transactions.stop()
    transactions = await made(settings)  # aborts what the others left open
    await transactions.stop()
    assert await read(settings, Topic.VIDEOS_CHANGELOG) == []
    assert await committed(settings) == -1


async def test_who_comes_later_fences_who_was_before(settings: Settings) -> None:
    await create_input_topic(settings, partitions=1)
    await ensure_topics(settings)
    first = await made(settings)
    await first.commit([(b"a", b"first")], [], 1)
    second = await made(settings)
    with pytest.raises(ProducerFenced):
        await first.commit([(b"a", b"late")], [], 2)
    await second.commit([(b"a", b"second")], [], 3)
    await first.stop()
    await second.stop()
    assert await read(settings, Topic.VIDEOS_CHANGELOG) == [(b"a", b"first"), (b"a", b"second")]
    assert await committed(settings) == 3


async def test_outputs_that_go_first_are_there_before_the_rows_and_outlast_a_crash(
    settings: Settings,
) -> None:
    await create_input_topic(settings, partitions=1)
    await ensure_topics(settings)
    crashed = await made(settings)
    await crashed.tell([Output(Topic.VIDEO_STAGES, 0, None, b"report")])
    assert await read(settings, Topic.VIDEO_STAGES) == [(None, b"report")]
    assert await read(settings, Topic.VIDEOS_CHANGELOG) == []
    owner = await made(settings)
    with pytest.raises(ProducerFenced):
        await crashed.tell([Output(Topic.VIDEO_STAGES, 0, None, b"of a zombie")])
    await crashed.stop()
    await owner.tell([Output(Topic.VIDEO_STAGES, 0, None, b"report")])
    await owner.commit([(b"v", b"row")], [], 7)
    await owner.stop()
    assert await read(settings, Topic.VIDEO_STAGES) == [(None, b"report")] * 2
    assert await read(settings, Topic.VIDEOS_CHANGELOG) == [(b"v", b"row")]
    assert await committed(settings) == 7
