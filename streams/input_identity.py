"""Whether the input is still the topic that the state was made from.

A topic that is deleted and created anew has its old name and begins at offset 0 again. Everything
behind `intake` rests on these offsets: `stages` would take the new events for repeats and drop
them, or `intake` would go on in the middle of them. Kafka gives every topic an id of its own
(KIP-516). The id that a deployment began with stands in a topic of ours, written before the first
event is read; a worker that finds another one ends with a line that says what to do.
"""

import asyncio
import json
import logging
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer
from aiokafka.structs import TopicPartition
from kafka.admin import KafkaAdminClient
from kafka.errors import KafkaError

from streams.ending import EXIT_UNUSABLE, end_worker, ending_worker, reason_of
from streams.errors import Problem, UserError
from streams.security import client_options
from streams.topics import Topic, TopicSettings, topic_names

log = logging.getLogger(__name__)

IDENTITY_KEY: Final = b"input"
LOOK_INTERVAL_S: Final = 5.0
"""How often a running worker looks. One question takes 9 ms (measured), and whatever is done
between two looks belongs to a state that has to be given up."""
ANSWER_TIMEOUT_MS: Final = 10_000
"""For one look; a Kafka that does not answer is noticed elsewhere (streams/learned.py)."""
MISSING_LOOKS: Final = 2
"""A topic that was made a moment ago may be unknown to a broker; one that is gone stays so."""
NO_ERROR: Final = 0
UNKNOWN_TOPIC: Final = 3
"""Error codes of the Kafka protocol ("Error Codes" in its guide)."""


@dataclass(frozen=True, slots=True)
class InputTopic:
    """A topic by its name and by Kafka's own id of it."""

    name: str
    topic_id: str

    def to_json(self) -> bytes:
        """Return it as it is kept."""
        return json.dumps({"topic": self.name, "topic_id": self.topic_id}).encode()

    @classmethod
    def from_json(cls, value: bytes) -> "InputTopic":
        """Return what `to_json` made.

        >>> InputTopic.from_json(InputTopic("engagement", "f5d0").to_json())
        InputTopic(name='engagement', topic_id='f5d0')
        """
        stored = json.loads(value)
        return cls(stored["topic"], stored["topic_id"])


class InputReplacedError(UserError):
    """The input is not the topic that the state was made from."""


def require_same(known: InputTopic, found: InputTopic) -> None:
    """Compare the topic that a deployment began with and the one that is there.

    Raises:
        InputReplacedError: They differ.
    """
    if known == found:
        return
    what = (
        f"topic {found.name} was deleted and created anew (its id was {known.topic_id}, now it is "
        f"{found.topic_id})"
        if known.name == found.name
        else f"this deployment counts topic {known.name}, not {found.name}"
    )
    raise InputReplacedError(
        f"{what}; its offsets are others, so that no count can go on",
        "HOTSPOTS_INPUT_TOPIC",
        "set another HOTSPOTS_APP_ID and another HOTSPOTS_TOPIC_PREFIX to begin anew with it",
    )


class InputIdentity:
    """Remembers which topic the input was, and looks whether it still is."""

    def __init__(self, *, input_topic: str, kept_in: str, options: Mapping[str, Any]) -> None:
        """Ask nothing yet.

        `kept_in` is the real name of Topic.INPUT_IDENTITY, `options` are those of the clients.
        """
        self._input_topic = input_topic
        self._kept_in = kept_in
        self._options = options
        self._known: InputTopic | None = None
        self._admin: KafkaAdminClient | None = None

    async def claim(self) -> None:
        """Compare with what is kept, or keep what is there; before anything of it is read.

        Raises:
            InputReplacedError: The input is another topic than the one that was claimed first.
        """
        with ending_worker("looking at the input topic"):
            found = await self._look()
            if found is None:
                log.warning("this Kafka tells no ids of topics: a topic made anew is not noticed")
                return
            self._known = await self._kept()
            if self._known is None:
                self._known = found
                await self._keep(found)
        require_same(self._known, found)

    async def problems(self) -> list[Problem]:
        """Compare with what is kept, and keep nothing; for `hotspots check`."""
        try:
            found = await self._look()
            if found is None or not await asyncio.to_thread(self._has_been_kept):
                return []
            require_same(await self._kept() or found, found)
        except InputReplacedError as error:
            return list(error.problems)
        except KafkaError as error:
            return [
                Problem(
                    f"Kafka did not tell about {self._input_topic}, {reason_of(error)}",
                    "HOTSPOTS_KAFKA",
                    "try again; a broker may be starting or overloaded",
                )
            ]
        finally:
            await self.stop()
        return []

    async def watch(self) -> None:
        """End the worker when the input is replaced or deleted; until cancelled."""
        missing = 0
        while True:
            await asyncio.sleep(LOOK_INTERVAL_S)
            try:
                found = await self._look()
            except (KafkaError, OSError) as error:
                log.info("could not look at %s (%s)", self._input_topic, reason_of(error))
                continue
            missing = missing + 1 if found is None else 0
            if self._known is None:
                continue  # this broker tells no ids
            if missing >= MISSING_LOOKS:
                end_worker(
                    f"topic {self._input_topic} was deleted (HOTSPOTS_INPUT_TOPIC): when it is "
                    "created anew, set another HOTSPOTS_APP_ID and another HOTSPOTS_TOPIC_PREFIX",
                    EXIT_UNUSABLE,
                )
            if found is not None:
                with ending_worker("looking at the input topic"):
                    self._require(found)

    def _require(self, found: InputTopic) -> None:
        try:
            require_same(self._known or found, found)
        except InputReplacedError as error:
            end_worker("; ".join(error.lines), EXIT_UNUSABLE)

    async def stop(self) -> None:
        """Close the connection."""
        await asyncio.to_thread(self._close)

    # ---- what is there, and what is kept ----------------------------------------------------

    async def _look(self) -> InputTopic | None:
        """Return the input topic as it is; None when it is missing or the broker tells no ids."""
        return await asyncio.to_thread(self._look_now)

    def _look_now(self) -> InputTopic | None:
        about = self._describe(self._input_topic)
        topic_id = about.get("topic_id")
        if about["error_code"] == UNKNOWN_TOPIC or not topic_id:
            return None
        return InputTopic(self._input_topic, str(topic_id))

    def _has_been_kept(self) -> bool:
        return bool(self._describe(self._kept_in)["error_code"] == NO_ERROR)

    def _describe(self, topic: str) -> Mapping[str, Any]:
        """Ask for one topic, in such a way that no broker creates it."""
        try:
            if self._admin is None:
                self._admin = KafkaAdminClient(
                    **self._options,
                    bootstrap_timeout_ms=ANSWER_TIMEOUT_MS,
                    request_timeout_ms=ANSWER_TIMEOUT_MS,
                )
            (about,) = self._admin.describe_topics([topic])
        except BaseException:
            self._close()
            raise
        described: Mapping[str, Any] = about
        return described

    def _close(self) -> None:
        admin, self._admin = self._admin, None
        if admin is not None:
            admin.close()

    async def _kept(self) -> InputTopic | None:
        """Return what was claimed before, None when nothing was."""
        partition = TopicPartition(self._kept_in, 0)
        async with AIOKafkaConsumer(
            **self._options,
            group_id=None,
            enable_auto_commit=False,
            auto_offset_reset="earliest",
        ) as consumer:
            consumer.assign([partition])
            await consumer.seek_to_beginning(partition)
            end = (await consumer.end_offsets([partition]))[partition]
            kept = None
            while await consumer.position(partition) < end:
                for batch in (await consumer.getmany(timeout_ms=500)).values():
                    for record in batch:
                        if record.key == IDENTITY_KEY and record.value is not None:
                            kept = InputTopic.from_json(record.value)
            return kept

    async def _keep(self, found: InputTopic) -> None:
        async with AIOKafkaProducer(**self._options, acks="all", enable_idempotence=True) as out:
            await out.send_and_wait(self._kept_in, found.to_json(), key=IDENTITY_KEY, partition=0)


def input_identity_of(settings: TopicSettings) -> InputIdentity:
    """Return the identity of the input of a deployment; nothing is asked yet.

    Raises:
        UserError: A certificate or key file cannot be read.
    """
    return InputIdentity(
        input_topic=settings.input_topic,
        kept_in=topic_names(settings)[Topic.INPUT_IDENTITY],
        options=client_options(settings),
    )


__all__: tuple[str, ...] = (
    "InputIdentity",
    "InputReplacedError",
    "InputTopic",
    "input_identity_of",
    "require_same",
)
