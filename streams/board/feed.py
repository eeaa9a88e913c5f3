"""What changes, told to everybody who listens: one reader of Redis, server-sent events for all.

A listener holds nothing but the place up to which it has been told, so one that is slow skips
boards and misses no alert that is still in the list. Events and their data:

| event | data | id |
|---|---|---|
| `board` | the board, at once and whenever it or how it is handled has changed | |
| `alert` | an alert, oldest first | that of the alert |
| `reset` | nothing: alerts were missed that are no longer known; read them anew | |
| `trouble` | `detail`: why there is nothing new | |
"""

import asyncio
import json
import logging
from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from typing import Any, Final

from streams.delivery.board_store import BESIDE, BoardStore
from streams.delivery.handling import HandlingStore
from streams.delivery.redis_store import BoardStoreError, as_json

log = logging.getLogger(__name__)

POLL_S: Final = 1.0
"""Between two looks into Redis, a few hundred bytes each: a board comes every 5 s of event time
(`HOTSPOTS_BUCKET_MS`), and people notice a second."""
LISTENERS_LIMIT: Final = 256
"""Listeners at once: a team, and its screens on the wall."""
NOT_ANSWERING: Final = "the board's Redis does not answer; what is shown is of before"

NO_BOARD: Final = {"time_ms": None, "hotspots": [], **BESIDE}


@dataclass(frozen=True, slots=True)
class Told:
    """One event for listeners."""

    event: str
    data: str
    event_id: str | None = None


@dataclass(frozen=True, slots=True)
class _Snapshot:
    """What was read last: JSON, and alerts by their ids, the newest first."""

    board: str = ""
    alerts: tuple[tuple[str, str], ...] | None = None
    trouble: bool = False


class Feed:
    """Reads what changes, and tells it.

    Args:
        store: The board and alerts.
        handling: How hotspots are handled.
        poll_s: Seconds between two looks.
    """

    def __init__(self, store: BoardStore, handling: HandlingStore, poll_s: float = POLL_S) -> None:
        self._store = store
        self._handling = handling
        self._poll_s = poll_s
        self._snapshot = _Snapshot()
        self._marks: tuple[object, object] = (None, None)
        self._changed = asyncio.Event()
        self._ended = False
        self.listeners = 0

    async def run(self) -> None:
        """Read for ever; Redis may go and come back."""
        while not self._ended:
            try:
                snapshot = await self._look()
            except BoardStoreError as error:
                if not self._snapshot.trouble:
                    log.warning("%s", error)
                snapshot = replace(self._snapshot, trouble=True)
            if snapshot != self._snapshot:
                self._snapshot = snapshot
                self._wake()
            await asyncio.sleep(self._poll_s)

    def end(self) -> None:
        """Let every listener go: no answer is open for ever when the server ends."""
        self._ended = True
        self._wake()

    def _wake(self) -> None:
        self._changed.set()
        self._changed = asyncio.Event()

    async def _look(self) -> _Snapshot:
        """Return what there is now; nothing is read again that has not changed."""
        time_ms, latest = await self._store.read_marks()
        board_mark = (time_ms, await self._handling.version())
        before, (known_board, known_latest) = self._snapshot, self._marks
        board, alerts = before.board, before.alerts
        if not board or board_mark != known_board:
            board = as_json(await read_board(self._store, self._handling))
        if alerts is None or latest != known_latest:
            read = await self._store.read_alerts()
            alerts = tuple((str(alert["id"]), as_json(alert)) for alert in read)
        self._marks = (board_mark, latest)
        return _Snapshot(board, alerts)

    async def follow(self, last_id: str | None) -> AsyncIterator[Told]:
        """Yield what is new from now on, or after the alert `last_id`; the board at once."""
        said = _Snapshot()
        while not self._ended:
            changed, now = self._changed, self._snapshot
            if now.trouble and not said.trouble:
                yield Told("trouble", json.dumps({"detail": NOT_ANSWERING}))
            # After trouble the board says that it is over.
            if now.board and (now.board != said.board or (said.trouble and not now.trouble)):
                yield Told("board", now.board)
            if now.alerts is not None and now.alerts is not said.alerts:
                fresh = _after(now.alerts, last_id)
                if fresh is None:
                    yield Told("reset", "{}")
                for alert_id, alert in fresh or ():
                    yield Told("alert", alert, alert_id)
                last_id = now.alerts[0][0] if now.alerts else ""
            said = now
            await changed.wait()


def _after(
    alerts: tuple[tuple[str, str], ...], last_id: str | None
) -> list[tuple[str, str]] | None:
    """Return the alerts that came after one, oldest first; None when that is no longer known.

    >>> _after((("c", "3"), ("b", "2"), ("a", "1")), "a")
    [('b', '2'), ('c', '3')]
    """
    if last_id is None:
        return []
    ids = [alert_id for alert_id, _ in alerts]
    if last_id and last_id not in ids:
        return None
    fresh = alerts[: ids.index(last_id)] if last_id else alerts
    return list(reversed(fresh))


async def read_board(store: BoardStore, handling: HandlingStore) -> dict[str, Any]:
    """Return the board with how it is handled, JSON-ready; one without hotspots where none is."""
    board = await store.read_board() or dict(NO_BOARD)
    handled = await handling.read()
    return board | {"handling": {name: one.to_dict() for name, one in handled.items()}}
