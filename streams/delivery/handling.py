"""Who takes care of a hotspot: acknowledged, assigned, silenced, by whom and when.

It is about people, not about events: it stands in Redis beside the board, decides nothing, and its
times are those of the clock on the wall.

| key | type | holds |
|---|---|---|
| `{hotspots}:handling` | hash | id of a hotspot: a `Handling` as JSON |
| `{hotspots}:handling:at` | sorted set | ids, scored by the version in which they changed last |
| `{hotspots}:handling:version` | number | how many changes there were |
"""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from typing import Any, Final, Self

from redis.asyncio.client import Pipeline

from streams.delivery.redis_store import RedisStore, as_json, begin

HANDLING_KEYS: Final = ("handling", "handling:at", "handling:version")
HANDLED_LIMIT: Final = 1_000
"""Hotspots that are handled at once: as many as a board may show; those changed longest ago go."""
CHANGES_LIMIT: Final = 20
"""Changes of one hotspot that are remembered: a screen of them."""
EXPIRE_S: Final = 30 * 24 * 3_600
"""After a month without any change nobody is at work here; four times the longest silence."""


@dataclass(frozen=True, slots=True)
class Change:
    """One thing that somebody did about a hotspot on the board.

    Attributes:
        at_ms: When, by the clock of the board's server.
        by: Who.
        what: `acknowledged`, `unacknowledged`, `assigned`, `unassigned`, `silenced`, `unsilenced`.
        to: To whom it was assigned, or empty.
        until_ms: Until when it is silenced, or 0.
        note: For people.
    """

    at_ms: int
    by: str
    what: str
    to: str = ""
    until_ms: int = 0
    note: str = ""


@dataclass(frozen=True, slots=True)
class Handling:
    """How a hotspot is handled; as it is when nobody has done anything.

    Attributes:
        acknowledged_by: Who has seen to it, or empty.
        assigned_to: Whose it is, or empty.
        silenced_until_ms: It is not to be shown as open until then; 0: it is.
        changes: The latest `CHANGES_LIMIT`, the newest first.
    """

    acknowledged_by: str = ""
    assigned_to: str = ""
    silenced_until_ms: int = 0
    changes: tuple[Change, ...] = field(default=())

    @classmethod
    def of(cls, stored: Mapping[str, Any]) -> Self:
        """Return what was stored."""
        changes = tuple(Change(**change) for change in stored["changes"])
        return cls(**{**stored, "changes": changes})

    def to_dict(self) -> dict[str, Any]:
        """Return it JSON-ready."""
        return asdict(self)

    def changed(self, change: Change) -> "Handling":
        """Return what it is after a change.

        >>> Handling().changed(Change(5, "li", "assigned", to="wang")).assigned_to
        'wang'
        """
        match change.what:
            case "acknowledged":
                after = replace(self, acknowledged_by=change.by)
            case "unacknowledged":
                after = replace(self, acknowledged_by="")
            case "assigned" | "unassigned":
                after = replace(self, assigned_to=change.to)
            case "silenced" | "unsilenced":
                after = replace(self, silenced_until_ms=change.until_ms)
            case other:
                raise ValueError(f"{other!r} is no change")
        return replace(after, changes=(change, *self.changes)[:CHANGES_LIMIT])


class HandlingStore(RedisStore):
    """Reads and changes how the hotspots of one prefix are handled."""

    async def read(self) -> dict[str, Handling]:
        """Return it by hotspot; those that nobody has touched are missing."""

        async def attempt(pipe: Pipeline) -> dict[str, Handling]:
            pipe.hgetall(self._key)
            (texts,) = await pipe.execute()
            return {name: Handling.of(json.loads(text)) for name, text in texts.items()}

        return await self._transact(attempt)

    async def version(self) -> int:
        """Return how many changes there were."""

        async def attempt(pipe: Pipeline) -> int:
            pipe.get(self._version_key)
            (version,) = await pipe.execute()
            return int(version or 0)

        return await self._transact(attempt)

    async def change(self, hotspot_id: str, *changes: Change) -> Handling:
        """Change it, all at once, and return what it is now."""

        async def attempt(pipe: Pipeline) -> Handling:
            await pipe.watch(self._key, self._at_key, self._version_key)
            text = await pipe.hget(self._key, hotspot_id)
            after = Handling.of(json.loads(text)) if text else Handling()
            for change in changes:
                after = after.changed(change)
            oldest = await pipe.zrange(self._at_key, 0, -HANDLED_LIMIT)
            gone = [str(name) for name in oldest if name != hotspot_id]
            version = int(await pipe.get(self._version_key) or 0) + 1
            begin(pipe)
            if gone and text is None:
                pipe.hdel(self._key, *gone)
                pipe.zrem(self._at_key, *gone)
            pipe.hset(self._key, hotspot_id, as_json(after.to_dict()))
            pipe.zadd(self._at_key, {hotspot_id: version})
            pipe.set(self._version_key, version)
            for key in (self._key, self._at_key, self._version_key):
                pipe.expire(key, EXPIRE_S)
            await pipe.execute()
            return after

        return await self._transact(attempt)

    @property
    def _key(self) -> str:
        return f"{self._tag}:handling"

    @property
    def _at_key(self) -> str:
        return f"{self._tag}:handling:at"

    @property
    def _version_key(self) -> str:
        return f"{self._tag}:handling:version"
