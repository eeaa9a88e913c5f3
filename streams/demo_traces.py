"""What the demo removes from servers that are not its own: its topics, its group and its board."""

import asyncio
import time
from typing import Final

from kafka import KafkaAdminClient
from kafka.errors import KafkaError

from streams.connections import quiet
from streams.delivery.board_store import BoardStore
from streams.errors import UserError
from streams.progress import say
from streams.security import client_options
from streams.settings import Settings
from streams.topics import topic_names

GONE: Final = ("OK", "GroupIdNotFoundError")
GROUP_TIMEOUT_S: Final = 12.0
"""A group can be removed when it is empty; a worker that was killed leaves it after its session
timeout, 10 s by default."""


def remove_traces(settings: Settings) -> None:
    """Remove what the demo made; what cannot be removed is said, so that somebody else can."""
    try:
        asyncio.run(_clear_board(settings))
    except UserError as error:
        say(f"the demo's board could not be removed: {error}")
    try:
        with quiet("kafka"), KafkaAdminClient(**client_options(settings)) as admin:
            ours = set(admin.list_topics()) & set(topic_names(settings).values())
            if ours:
                admin.delete_topics(sorted(ours))
            _remove_group(admin, settings.app_id)
    except KafkaError as error:
        say(
            f"the demo's topics ({settings.input_topic}, {settings.topic_prefix}*) and its group "
            f"{settings.app_id} could not be removed: {type(error).__name__}"
        )


async def _clear_board(settings: Settings) -> None:
    async with BoardStore(settings.redis, settings.board_key) as store:
        await store.clear()


def _remove_group(admin: KafkaAdminClient, group: str) -> None:
    deadline_s = time.monotonic() + GROUP_TIMEOUT_S
    while (result := admin.delete_groups([group])[group]) not in GONE:
        if time.monotonic() > deadline_s:
            say(f"the demo's group {group} could not be removed: {result}")
            return
        time.sleep(0.5)
