"""The topics: what each is called, what it is like, and whether the broker's are so.

docs/architecture.md, "Topics", is the contract.
"""

import asyncio
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final, Protocol, Self

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType
from aiokafka.errors import KafkaError, TopicAlreadyExistsError, for_code

from streams.errors import Problem, UserError
from streams.security import KafkaSettings, client_options
from streams.transactions import MESSAGE_BYTES_MAX

GIB: Final = 1024**3
RECORD_OVERHEAD_BYTES: Final = 64 * 1024
"""Room for the headers of a record batch around the largest message."""
CONNECT_TIMEOUT_MS: Final = 10_000
"""How long the first answer of Kafka may take; a start that waits longer looks hung."""

METADATA_INTERVAL_S: Final = 0.05
"""How often Kafka is asked for a topic or a leader that is on its way; one takes about 0.1 s."""


class Topic(StrEnum):
    """Logical names; `Output.topic` uses them."""

    ENGAGEMENT = "engagement"
    REJECTED = "engagement-rejected"
    GUIDANCE_ACTIONS = "guidance-actions"
    BATCHES = "engagement-batches"
    VIDEOS_CHANGELOG = "videos-changelog"
    VIDEO_STAGES = "video-stages"
    LEARNED = "learned"
    WORKS_CHANGELOG = "works-changelog"
    ACTIONS_CHANGELOG = "actions-changelog"
    ALERTS = "alerts"
    UNDELIVERED = "alerts-undelivered"
    BOARD = "hotspot-board"
    INPUT_IDENTITY = "input-identity"


class TopicSettings(KafkaSettings, Protocol):
    """The settings this file reads (streams/settings.py)."""

    @property
    def app_id(self) -> str:
        """The group, and the beginning of the changelogs' names."""

    @property
    def partitions(self) -> int:
        """Partitions of `engagement-batches`."""

    @property
    def topic_prefix(self) -> str:
        """Stands before each of our topics."""

    @property
    def input_topic(self) -> str:
        """The platform's topic."""


@dataclass(frozen=True, slots=True)
class TopicSpec:
    """What a topic of ours must be like."""

    name: str
    partitions: int
    configs: Mapping[str, str]


_BY_SIZE: Final = {"cleanup.policy": "delete", "retention.ms": "-1"}
"""Kept by size, never by the age of event times: replaying the past must not delete it (Kafka
Streams lost 15 to 20 % of a replay that way; design, section 5)."""
_COMPACTED: Final = {"cleanup.policy": "compact"}
_BROKER_TIME: Final = {"message.timestamp.type": "LogAppendTime"}
_LARGE: Final = {"max.message.bytes": str(MESSAGE_BYTES_MAX + RECORD_OVERHEAD_BYTES)}

BATCHES_RETENTION_BYTES: Final = 8 * GIB
"""Per partition. 100 bytes an event (measured on the simulated events) make 80 million events."""
REJECTED_RETENTION_BYTES: Final = GIB
"""Originals may hold ids of people: they are kept no longer than operators need (design 5.5)."""
REJECTED_RETENTION_MS: Final = 7 * 24 * 3_600_000
"""One week for operators to look; Kafka's own default for a topic (`retention.ms`)."""
OUTPUT_RETENTION_BYTES: Final = 4 * GIB
"""Per partition of what the steps write; about a million transitions or alerts of 4 KB."""


def topic_names(settings: TopicSettings) -> dict[str, str]:
    """Return the real name of each logical topic."""
    names = {topic.value: f"{settings.topic_prefix}{topic.value}" for topic in Topic}
    for own in (
        Topic.VIDEOS_CHANGELOG,
        Topic.WORKS_CHANGELOG,
        Topic.ACTIONS_CHANGELOG,
        Topic.INPUT_IDENTITY,
    ):
        names[own] = f"{settings.topic_prefix}{settings.app_id}-{own.value}"
    names[Topic.ENGAGEMENT] = settings.input_topic
    return names


def topic_specs(settings: TopicSettings) -> list[TopicSpec]:
    """Return what each of our topics must be like; the platform's own is not among them."""
    names = topic_names(settings)
    size = "retention.bytes"
    specs: dict[Topic, tuple[int, dict[str, str]]] = {
        Topic.REJECTED: (
            1,
            {
                "cleanup.policy": "delete",
                "retention.ms": str(REJECTED_RETENTION_MS),
                size: str(REJECTED_RETENTION_BYTES),
                **_BROKER_TIME,
                **_LARGE,
            },
        ),
        Topic.BATCHES: (
            settings.partitions,
            {**_BY_SIZE, size: str(BATCHES_RETENTION_BYTES), **_BROKER_TIME, **_LARGE},
        ),
        Topic.VIDEOS_CHANGELOG: (settings.partitions, {**_COMPACTED, **_LARGE}),
        Topic.VIDEO_STAGES: (
            1,
            {**_BY_SIZE, size: str(OUTPUT_RETENTION_BYTES), **_BROKER_TIME, **_LARGE},
        ),
        Topic.LEARNED: (1, {**_COMPACTED, **_BROKER_TIME, **_LARGE}),
        Topic.WORKS_CHANGELOG: (1, {**_COMPACTED, **_LARGE}),
        Topic.GUIDANCE_ACTIONS: (
            1,
            {**_BY_SIZE, size: str(OUTPUT_RETENTION_BYTES), **_BROKER_TIME},
        ),
        Topic.ACTIONS_CHANGELOG: (1, {**_COMPACTED}),
        Topic.ALERTS: (
            1,
            {**_BY_SIZE, size: str(OUTPUT_RETENTION_BYTES), **_BROKER_TIME, **_LARGE},
        ),
        Topic.UNDELIVERED: (
            1,
            {**_BY_SIZE, size: str(OUTPUT_RETENTION_BYTES), **_BROKER_TIME, **_LARGE},
        ),
        Topic.BOARD: (1, {**_COMPACTED, **_BROKER_TIME, **_LARGE}),
        Topic.INPUT_IDENTITY: (1, {**_COMPACTED, **_BROKER_TIME}),
    }
    return [TopicSpec(names[topic], *spec) for topic, spec in specs.items()]


class TopicsError(UserError):
    """Kafka cannot be reached, or topics are missing or not as they must be."""


async def ensure_topics(settings: TopicSettings) -> None:
    """Create what is missing of our topics and check what is there; does so any number of times.

    Raises:
        TopicsError: Kafka does not answer, the input topic is missing, or a topic of ours has
            another number of partitions or other configs than it must have.
        UserError: A certificate or key file cannot be read.
    """
    async with _Admin(settings) as admin:
        await admin.create(topic_specs(settings))
        await admin.wait_for_leaders(spec.name for spec in topic_specs(settings))
        problems = await admin.problems(topic_specs(settings))
        if not await admin.partitions_of([settings.input_topic]):
            problems.append(_input_missing(settings))
    if problems:
        raise TopicsError.of(problems)


async def topic_problems(settings: TopicSettings) -> list[Problem]:
    """Return what is wrong with the topics, without creating any; ours may be missing.

    Raises:
        TopicsError: Kafka does not answer.
        UserError: A certificate or key file cannot be read.
    """
    async with _Admin(settings) as admin:
        there = await admin.partitions_of([spec.name for spec in topic_specs(settings)])
        problems = await admin.problems(
            [spec for spec in topic_specs(settings) if spec.name in there]
        )
        if not await admin.partitions_of([settings.input_topic]):
            problems.append(_input_missing(settings))
    return problems


async def create_input_topic(settings: TopicSettings, *, partitions: int) -> None:
    """Create the input topic when it is missing: for the demo and for simulated events only.

    Raises:
        TopicsError: Kafka does not answer, or refuses.
        UserError: A certificate or key file cannot be read.
    """
    spec = TopicSpec(settings.input_topic, partitions, {**_BY_SIZE, **_BROKER_TIME})
    async with _Admin(settings) as admin:
        await admin.create([spec])
        await admin.wait_for_leaders([spec.name])


async def create_actions_topic(settings: TopicSettings) -> None:
    """Create `guidance-actions` when it is missing: who tells actions may be there first.

    Raises:
        TopicsError: Kafka does not answer, or refuses.
        UserError: A certificate or key file cannot be read.
    """
    name = topic_names(settings)[Topic.GUIDANCE_ACTIONS]
    specs = [spec for spec in topic_specs(settings) if spec.name == name]
    async with _Admin(settings) as admin:
        await admin.create(specs)
        await admin.wait_for_leaders([name])


def _input_missing(settings: TopicSettings) -> Problem:
    return Problem(
        f"topic {settings.input_topic} does not exist",
        "HOTSPOTS_INPUT_TOPIC",
        "create it, or name the topic that holds the engagement events",
    )


def _new_topic(spec: TopicSpec) -> NewTopic:
    topic = NewTopic(spec.name, spec.partitions, 1, topic_configs=dict(spec.configs))
    # As many replicas as the broker's default.replication.factor says (KIP-464); aiokafka's
    # constructor does not let -1 pass.
    topic.replication_factor = -1
    return topic


class _Admin:
    """aiokafka's admin client with errors that say what to do."""

    def __init__(self, settings: TopicSettings) -> None:
        self._settings = settings
        self._client: Any = None

    async def __aenter__(self) -> Self:
        self._client = AIOKafkaAdminClient(
            **client_options(self._settings), request_timeout_ms=CONNECT_TIMEOUT_MS
        )
        try:
            async with asyncio.timeout(2 * CONNECT_TIMEOUT_MS / 1000):
                await self._client.start()
        except (KafkaError, OSError, TimeoutError) as error:
            await self._client.close()
            raise TopicsError(
                f"Kafka does not answer at {self._settings.kafka} ({type(error).__name__})",
                "HOTSPOTS_KAFKA",
                "start it, or correct the address, protocol and credentials",
            ) from error
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._client.close()

    async def create(self, specs: Iterable[TopicSpec]) -> None:
        """Create the topics that are missing.

        Raises:
            TopicsError: The broker refuses.
        """
        specs = list(specs)
        there = await self.partitions_of([spec.name for spec in specs])
        missing = [_new_topic(spec) for spec in specs if spec.name not in there]
        if not missing:
            return
        response = await self._client.create_topics(missing)
        for name, code, *details in response.topic_errors:
            error = for_code(code)
            if code and error is not TopicAlreadyExistsError:
                raise TopicsError(
                    f"Kafka refuses to create topic {name} "
                    f"({error.__name__}: {next(filter(None, details), 'no details')})",
                    "HOTSPOTS_KAFKA",
                    "grant the right to create topics, or create it as docs/architecture.md says",
                )

    async def wait_for_leaders(self, names: Iterable[str]) -> None:
        """Wait until every partition answers as its leader.

        Metadata name a leader before that broker knows that it leads: whoever asks it then is
        refused (NotLeaderForPartition), and aiokafka logs that as an error. Also for topics that
        another worker has just created, hence at every start.

        Raises:
            TopicsError: Some partitions have no leader for CONNECT_TIMEOUT_MS.
        """
        consumer = AIOKafkaConsumer(
            **client_options(self._settings),
            request_timeout_ms=CONNECT_TIMEOUT_MS,
            retry_backoff_ms=int(METADATA_INTERVAL_S * 1000),
        )
        await consumer.start()
        try:
            async with asyncio.timeout(CONNECT_TIMEOUT_MS / 1000):
                there = await self._wait_for(set(names))
                # All of them at once: `end_offsets` finds unknown topics one by one, with a wait.
                await consumer._client.set_topics(there)  # noqa: SLF001 - aiokafka has no public way
                # Asks every leader, and again as long as one is missing or refuses.
                await consumer.end_offsets(
                    [
                        TopicPartition(name, partition)
                        for name, count in there.items()
                        for partition in range(count)
                    ]
                )
        except (KafkaError, TimeoutError) as error:
            raise TopicsError(
                f"topics just created have no leader ({type(error).__name__})",
                "HOTSPOTS_KAFKA",
                "see whether all brokers are up",
            ) from error
        finally:
            await consumer.stop()

    async def _wait_for(self, names: set[str]) -> dict[str, int]:
        """Wait until metadata know the topics: a broker answers before they are everywhere."""
        while set(there := await self.partitions_of(list(names))) < names:  # noqa: ASYNC110 - Kafka has no event for it
            await asyncio.sleep(METADATA_INTERVAL_S)
        return there

    async def partitions_of(self, names: list[str]) -> dict[str, int]:
        """Return how many partitions each of the topics has that exist."""
        # aiokafka asks in such a way that a topic asked for by its name is created, with the
        # broker's defaults, where auto.create.topics.enable is on (as it is by default): ask for
        # all of them instead.
        described = await self._client.describe_topics()
        return {
            topic["topic"]: len(topic["partitions"])
            for topic in described
            if topic["topic"] in names and not topic["error_code"]
        }

    async def problems(self, specs: list[TopicSpec]) -> list[Problem]:
        """Return how the topics differ from what they must be."""
        partitions = await self.partitions_of([spec.name for spec in specs])
        configs = await self._configs_of([spec.name for spec in specs])
        problems = []
        for spec in specs:
            if partitions.get(spec.name) != spec.partitions:
                problems.append(
                    Problem(
                        f"topic {spec.name} has {partitions.get(spec.name, 0)} partitions instead "
                        f"of {spec.partitions}",
                        "HOTSPOTS_PARTITIONS",
                        "set it to that number, or choose another HOTSPOTS_TOPIC_PREFIX",
                    )
                )
            problems += [
                Problem(
                    f"topic {spec.name} has {key}={configs.get(spec.name, {}).get(key)} instead of "
                    f"{value}",
                    "",
                    f"kafka-configs --alter --entity-type topics --entity-name {spec.name} "
                    f"--add-config {key}={value}",
                )
                for key, value in spec.configs.items()
                if key in _CHECKED and configs.get(spec.name, {}).get(key) != value
            ]
        return problems

    async def _configs_of(self, names: list[str]) -> dict[str, dict[str, str]]:
        if not names:
            return {}
        resources = [ConfigResource(ConfigResourceType.TOPIC, name) for name in names]
        responses = await self._client.describe_configs(resources)
        return {
            name: {entry[0]: entry[1] for entry in entries}
            for response in responses
            for _code, _message, _kind, name, entries in response.resources
        }


_CHECKED: Final = frozenset({"cleanup.policy", "message.timestamp.type", "max.message.bytes"})
"""The configs without which something breaks; retention is the operator's to change."""
