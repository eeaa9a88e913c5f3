"""What the API's endpoints share: the stores, what may be changed, and how."""

import hmac
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

import anyio

from models.works import VIDEO
from streams.acting import action_line, send_action
from streams.board.answers import Act, Handle
from streams.board.feed import Feed
from streams.delivery.board_store import BoardStore
from streams.delivery.handling import Change, Handling, HandlingStore
from streams.settings import Settings


@dataclass(frozen=True, slots=True)
class Service:
    """The board of one Redis, for as long as a server runs.

    Attributes:
        settings: Those of the server.
        token: The secret that allows changes; empty: nobody may.
        store: The board, alerts and stories.
        handling: How hotspots are handled.
        feed: What changes.
    """

    settings: Settings
    token: str
    store: BoardStore
    handling: HandlingStore
    feed: Feed

    def allows(self, token: str) -> bool:
        """Tell whether this is the token, in a time that does not tell how much of it is."""
        return bool(self.token) and hmac.compare_digest(token.encode(), self.token.encode())

    async def handle(self, wanted: Handle) -> Handling:
        """Change how a hotspot is handled, by the clock on the wall."""
        now_ms = time.time_ns() // 1_000_000
        return await self.handling.change(wanted.hotspot_id, *changes_of(wanted, now_ms))

    def line_of(self, act: Act, board_ms: int) -> bytes:
        """Return the message that tells an action.

        Raises:
            UserError: It is no action of the contract (docs/actions.md).
        """
        said = {"level": act.level, "kind": act.kind, "by": act.by, "note": act.note}
        latest_ms = time.time_ns() // 1_000_000 + self.settings.max_ahead_ms
        return action_line(
            act.hotspot_id.removeprefix(f"{VIDEO}:"),
            said | {"alert_id": act.alert_id or ""},
            board_ms if act.taken_at_ms is None else act.taken_at_ms,
            act.action_id,
            latest_ms=latest_ms,
        )

    async def send(self, line: bytes) -> None:
        """Tell an action to the monitor.

        Raises:
            UserError: Kafka does not answer or refuses.
        """
        await send_action(self.settings, line)


def changes_of(wanted: Handle, now_ms: int) -> list[Change]:
    """Return what is to change.

    >>> change, = changes_of(Handle(hotspot_id="topic:t", by="li", silenced_for_ms=10), 5)
    >>> change.what, change.until_ms
    ('silenced', 15)
    """
    changes: list[Change] = []

    def add(what: str, to: str = "", until_ms: int = 0) -> None:
        changes.append(Change(now_ms, wanted.by, what, to, until_ms, wanted.note))

    if wanted.acknowledged is not None:
        add("acknowledged" if wanted.acknowledged else "unacknowledged")
    if wanted.assigned_to is not None:
        add("assigned" if wanted.assigned_to else "unassigned", to=wanted.assigned_to)
    if wanted.silenced_for_ms:
        add("silenced", until_ms=now_ms + wanted.silenced_for_ms)
    elif wanted.silenced_for_ms is not None:
        add("unsilenced")
    return changes


@asynccontextmanager
async def serving(settings: Settings, token: str) -> AsyncIterator[Service]:
    """Open the stores, and read what changes until the end."""
    async with (
        BoardStore(settings.redis, settings.board_key, settings.board_expire_s) as store,
        HandlingStore(settings.redis, settings.board_key) as handling,
        anyio.create_task_group() as tasks,
    ):
        service = Service(settings, token, store, handling, Feed(store, handling))
        tasks.start_soon(service.feed.run)
        yield service
        tasks.cancel_scope.cancel()
