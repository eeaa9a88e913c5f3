"""One action of `hotspots act`: checked here, then sent to `guidance-actions`."""

import json
from collections.abc import Mapping
from hashlib import sha256
from typing import Final

from models.events import DecodingLimits, RejectedEventError
from models.guidance_actions import validate_action
from models.works import TOPIC
from streams.errors import UserError
from streams.producing import EventProducer
from streams.settings import Settings
from streams.topics import Topic, create_actions_topic, topic_names

ID_CHARACTERS: Final = 32
"""Of an action's own id: as many as those of alerts have."""


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
