"""Topics are made once, as documented, and what is not so is told with its remedy."""

import asyncio
from uuid import uuid4

import pytest
from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType

from streams.local.kafka import EmbeddedKafka
from streams.settings import Settings
from streams.topics import (
    Topic,
    TopicsError,
    create_input_topic,
    ensure_topics,
    topic_names,
    topic_problems,
    topic_specs,
)

pytestmark = [pytest.mark.kafka, pytest.mark.asyncio]


@pytest.fixture
def settings(kafka: EmbeddedKafka) -> Settings:
    name = f"t{uuid4().hex[:8]}"
    return Settings(
        kafka=kafka.bootstrap_servers,
        app_id=name,
        topic_prefix=f"{name}.",
        input_topic=f"{name}-in",
        partitions=3,
    )


async def test_names(settings: Settings) -> None:
    names = topic_names(settings)
    prefix, app = settings.topic_prefix, settings.app_id
    assert names[Topic.ENGAGEMENT] == settings.input_topic
    assert names[Topic.ALERTS] == f"{prefix}alerts"
    assert names[Topic.VIDEOS_CHANGELOG] == f"{prefix}{app}-videos-changelog"
    assert len(set(names.values())) == len(Topic)


async def test_they_are_made_once_and_found_as_they_must_be(settings: Settings) -> None:
    with pytest.raises(TopicsError, match=f"topic {settings.input_topic} does not exist"):
        await ensure_topics(settings)
    await create_input_topic(settings, partitions=2)
    await ensure_topics(settings)
    await ensure_topics(settings)
    assert await topic_problems(settings) == []
    made = await described(settings)
    assert {name: made[name] for name in (spec.name for spec in topic_specs(settings))} == {
        spec.name: spec.partitions for spec in topic_specs(settings)
    }


async def described(settings: Settings) -> dict[str, int]:
    admin = AIOKafkaAdminClient(bootstrap_servers=settings.kafka)
    await admin.start()
    topics = await admin.describe_topics(list(topic_names(settings).values()))
    await admin.close()
    return {topic["topic"]: len(topic["partitions"]) for topic in topics}


async def test_looking_makes_nothing(settings: Settings) -> None:
    (problem,) = await topic_problems(settings)
    assert "does not exist" in problem.what
    assert set((await described(settings)).values()) == {0}


async def test_what_is_otherwise_is_told_with_its_remedy(settings: Settings) -> None:
    await create_input_topic(settings, partitions=1)
    await ensure_topics(settings)
    name = topic_names(settings)[Topic.VIDEOS_CHANGELOG]
    admin = AIOKafkaAdminClient(bootstrap_servers=settings.kafka)
    await admin.start()
    await admin.alter_configs(
        [ConfigResource(ConfigResourceType.TOPIC, name, {"cleanup.policy": "delete"})]
    )
    await admin.close()
    async with asyncio.timeout(10):
        # The controller takes the change before the broker does.
        while not await topic_problems(settings):  # noqa: ASYNC110 - Kafka has no event for it
            await asyncio.sleep(0.1)
    with pytest.raises(TopicsError) as error:
        await ensure_topics(settings.model_copy(update={"partitions": 5}))
    told = "\n".join(error.value.lines)
    assert f"topic {name} has 3 partitions instead of 5 (HOTSPOTS_PARTITIONS): set it" in told
    assert f"topic {name} has cleanup.policy=delete instead of compact: kafka-configs" in told
    assert f"--entity-name {name} --add-config cleanup.policy=compact" in told


async def test_no_kafka() -> None:
    with pytest.raises(TopicsError, match=r"Kafka does not answer at 127.0.0.1:9 .*HOTSPOTS_KAFKA"):
        await ensure_topics(Settings(kafka="127.0.0.1:9"))


async def test_every_partition_answers_as_soon_as_the_topics_are_ensured(
    settings: Settings, caplog: pytest.LogCaptureFixture
) -> None:
    """Without that, one start in two is told NotLeaderForPartition on fresh topics."""
    for attempt in range(8):
        fresh = settings.model_copy(
            update={"app_id": f"{settings.app_id}-{attempt}", "partitions": 16}
        )
        fresh = fresh.model_copy(
            update={"topic_prefix": f"{fresh.app_id}.", "input_topic": f"{fresh.app_id}-in"}
        )
        await create_input_topic(fresh, partitions=2)
        await ensure_topics(fresh)
        consumer = AIOKafkaConsumer(bootstrap_servers=fresh.kafka, auto_offset_reset="earliest")
        await consumer.start()
        partitions = [
            TopicPartition(spec.name, number)
            for spec in topic_specs(fresh)
            for number in range(spec.partitions)
        ]
        consumer.assign(partitions)
        await consumer.seek_to_beginning(*partitions)
        await consumer.stop()
    refused = [record.message for record in caplog.records if record.levelname == "ERROR"]
    assert refused == []
