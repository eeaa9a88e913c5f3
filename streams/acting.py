"""One action that a command tells: checked here, then sent to `guidance-actions`."""

import asyncio
import json
import time
from collections.abc import Mapping
from hashlib import sha256
from typing import Final

from models.events import DecodingLimits, RejectedEventError
from models.guidance_actions import validate_action
from models.works import TOPIC
from streams.errors import UserError
from streams.producing import EventProducer
from streams.settings import PRODUCER_NEEDS, Settings, load_settings
from streams.topics import Topic, create_actions_topic, topic_names

ID_CHARACTERS: Final = 32
"""Of an action's own id: as many as those of alerts have."""


def tell_action(
    subject: str,
    said: Mapping[str, str],
    at: str | None,
    *,
    action_id: str | None = None,
    kafka: str | None = None,
) -> str:
    """Send an action, and return its id.

    Args:
        subject: As of `action_line`, with the next two.
        said: Level, kind, and what else there is to say.
        at: When it was taken, RFC 3339; None: now.
        action_id: Its id; None: a digest of all the rest.
        kafka: Bootstrap servers, above HOTSPOTS_KAFKA.

    Raises:
        UserError: It is no action, or Kafka does not take it.
    """
    settings = load_settings(needs=PRODUCER_NEEDS, overrides={"kafka": kafka} if kafka else None)
    now_ms = time.time_ns() // 1_000_000
    latest_ms = now_ms + settings.max_ahead_ms
    line = action_line(subject, said, at or now_ms, action_id, latest_ms=latest_ms)
    asyncio.run(send_action(settings, line))
    told: str = json.loads(line)["action_id"]
    return told


def action_line(
    subject: str, said: Mapping[str, str], at: str | int, action_id: str | None, *, latest_ms: int
) -> bytes:
    """Return the message that tells an action.

    Args:
        subject: `PLATFORM/VIDEO_ID`, or `topic:NAME`.
        said: Level, kind, and what else there is to say.
        at: When it was taken: ms since the epoch, or RFC 3339.
        action_id: Its id; None: a digest of all the rest.
        latest_ms: The latest time that is credible.

    Raises:
        UserError: It is no action of the contract (docs/actions.md).
    """
    kind, _, topic = subject.partition(":")
    if kind == TOPIC and topic:
        named = {"topic": topic}
    else:
        platform, _, video_id = subject.partition("/")
        named = {"platform": platform, "video_id": video_id}
    told = {"taken_at": at, **named, **{name: text for name, text in said.items() if text}}
    digest = sha256(json.dumps(told, sort_keys=True).encode()).hexdigest()[:ID_CHARACTERS]
    line = json.dumps({"action_id": action_id or digest, **told}, ensure_ascii=False).encode()
    try:
        validate_action(line, latest_ms=latest_ms, limits=DecodingLimits())
    except RejectedEventError as error:
        remedy = "name a video as PLATFORM/VIDEO_ID or a topic as topic:NAME; see docs/actions.md"
        raise UserError(f"this is no action ({error})", remedy=remedy) from error
    return line


async def send_action(settings: Settings, line: bytes) -> None:
    """Send one action, once.

    Raises:
        UserError: Kafka does not answer or refuses.
    """
    await create_actions_topic(settings)
    async with EventProducer(settings, topic_names(settings)[Topic.GUIDANCE_ACTIONS]) as producer:
        await producer.send([line])
        await producer.flush()
