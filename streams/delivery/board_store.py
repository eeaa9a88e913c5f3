"""The board in Redis: the hotspots of this moment and the latest alerts, for whoever shows them.

Keys, with the prefix (`HOTSPOTS_BOARD_KEY`, here `hotspots`) as a hash tag, so that all of them
fall into one slot of a cluster and can change in one transaction:

| key | type | holds |
|---|---|---|
| `{hotspots}:board` | sorted set | ids of the hotspots, scored by rank (1 is the hottest) |
| `{hotspots}:board:about` | hash | `time_ms`, `hotspots` (how many); `withheld`, `discoveries`, |
| | | `actions` (docs/actions.md) and `views` (docs/views.md) as JSON |
| `{hotspots}:hotspot:ID` | hash | one hotspot: each field as text, the whole as JSON in `json` |
| `{hotspots}:alerts` | list | the latest alerts (CloudEvents JSON), newest first |
| `{hotspots}:alerts:ids` | sorted set | ids of alerts seen, scored by arrival |
| `{hotspots}:story:ID` | hash | how a hotspot came about: alerts (CloudEvents JSON) by milestone |
| | | (streams/delivery/stories.py) |
| `{hotspots}:stories` | sorted set | ids of hotspots that have a story, scored by arrival |
| `{hotspots}:handling` | hash | who takes care of what (streams/delivery/handling.py) |

A board is built under temporary keys and renamed into place in one MULTI: a reader sees the old
board or the new one, never a mixture.
"""

import json
import secrets
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

from redis.asyncio.client import Pipeline
from redis.typing import EncodableT, FieldT

from streams.delivery.handling import HANDLING_KEYS
from streams.delivery.redis_store import RedisStore, as_json, begin
from streams.delivery.stories import (
    STORIES_LIMIT,
    STORY_LIMIT,
    hotspots_of,
    is_told_once,
    milestone_of,
)

HOTSPOTS_LIMIT: Final = 1_000
"""Hotspots on a board at most; the upper end of the setting `HOTSPOTS_BOARD_SIZE`."""
ALERTS_LIMIT: Final = 500
"""Alerts in the list at most: some screens full; the topic `alerts` is the archive."""
ALERT_IDS_LIMIT: Final = 10_000
"""Ids remembered to drop repeats: more than one fetched chunk of alerts (1 MiB of some 500 bytes
each is 2,000), which is what comes again after a crash."""
ALERTS_EXPIRE_S: Final = 7 * 24 * 3_600
"""A week without any alert: whoever looks now wants the archive."""
BUILDING_EXPIRE_S: Final = 60
"""Temporary keys of a writer that died vanish by themselves."""
BESIDE: Final[Mapping[str, Sequence[object] | Mapping[str, object]]] = {
    "withheld": [],
    "discoveries": {},
    "actions": [],
    "views": {},
}
"""What stands on a board beside its hotspots, and what of it there is where nothing is."""


class BoardStore(RedisStore):
    """Reads and writes the board of one prefix."""

    def __init__(
        self, url: str, key_prefix: str = "hotspots", expire_s: int = 3_600, branch: str = ""
    ) -> None:
        """Prepare a store; nothing is sent before the first call.

        `url` begins with redis://, rediss:// (TLS) or unix://, `branch` stands between the prefix
        and the names of the keys.
        """
        super().__init__(url, key_prefix, branch)
        self._url = url
        self._key_prefix = key_prefix
        self._expire_s = expire_s

    async def write_board(self, board: Mapping[str, Any]) -> bool:
        """Replace the board; return False and do nothing when the stored one is of a later time.

        `board` is the JSON of the topic `hotspot-board`: `time_ms`, `hotspots`, each with
        `hotspot_id` and `rank`; `withheld`, what emerged and was not told because of the alert
        budget; `discoveries`, those of the latest epoch; `actions`, what people did of late and
        what came of it; and `views` by vertical, creator and agency (models/views.py). A hotspot
        that is no longer on it loses its hash.

        Raises:
            BoardStoreError: See the class.
            ValueError: More hotspots than `HOTSPOTS_LIMIT`.
        """
        hotspots: Sequence[Mapping[str, Any]] = board["hotspots"]
        if len(hotspots) > HOTSPOTS_LIMIT:
            raise ValueError(f"{len(hotspots)} hotspots on a board, {HOTSPOTS_LIMIT} are the most")
        time_ms = int(board["time_ms"])
        names = {str(hotspot["hotspot_id"]) for hotspot in hotspots}
        # A board of an earlier version has not all of them.
        beside: dict[FieldT, EncodableT] = {
            name: as_json(board.get(name, nothing)) for name, nothing in BESIDE.items()
        }
        building = self._tag + self._new_branch()

        async def attempt(pipe: Pipeline) -> bool:
            await pipe.watch(self._about_key, self._board_key)
            stored = await pipe.hget(self._about_key, "time_ms")
            if stored is not None and int(stored) > time_ms:
                return False
            gone = set(await _members(pipe, self._board_key)) - names
            await self._build(building, hotspots)
            begin(pipe)
            self._put_in_place(pipe, building, names, gone)
            about: dict[FieldT, EncodableT] = {
                "time_ms": time_ms,
                "hotspots": len(hotspots),
                **beside,
            }
            pipe.hset(self._about_key, mapping=about)
            pipe.expire(self._about_key, self._expire_s)
            await pipe.execute()
            return True

        return await self._transact(attempt)

    async def read_board(self) -> dict[str, Any] | None:
        """Return the board as it was written, hottest first, or None when there is none."""

        async def attempt(pipe: Pipeline) -> dict[str, Any] | None:
            await pipe.watch(self._about_key, self._board_key)
            time_ms, *beside = await pipe.hmget(self._about_key, ["time_ms", *BESIDE])
            names = await _members(pipe, self._board_key)
            begin(pipe)
            for name in names:
                pipe.hget(self._hotspot_key(name), "json")
            texts = await pipe.execute()
            if time_ms is None:
                return None
            hotspots = [json.loads(text) for text in texts if text is not None]
            return {
                "time_ms": int(time_ms),
                "hotspots": hotspots,
                **{
                    name: nothing if text is None else json.loads(text)
                    for (name, nothing), text in zip(BESIDE.items(), beside, strict=True)
                },
            }

        return await self._transact(attempt)

    async def read_hotspot(self, hotspot_id: str) -> dict[str, Any] | None:
        """Return a hotspot as it was written, or None when it is not on the board."""

        async def attempt(pipe: Pipeline) -> dict[str, Any] | None:
            pipe.zscore(self._board_key, hotspot_id)
            pipe.hget(self._hotspot_key(hotspot_id), "json")
            rank, text = await pipe.execute()
            if rank is None or text is None:
                return None
            found: dict[str, Any] = json.loads(text)
            return found

        return await self._transact(attempt)

    async def record_alerts(self, alerts: Sequence[Mapping[str, Any]]) -> int:
        """Put alerts, oldest first, in front of the list; return how many of them were new.

        An alert whose `id` is among the last `ALERT_IDS_LIMIT` is dropped: delivery is
        at-least-once, and this is where its repeats end.
        """
        distinct = {str(alert["id"]): alert for alert in alerts}
        if not distinct:
            return 0

        async def attempt(pipe: Pipeline) -> int:
            await pipe.watch(self._alerts_key, self._alert_ids_key)
            known = await pipe.zmscore(self._alert_ids_key, list(distinct))
            fresh = [name for name, score in zip(distinct, known, strict=True) if score is None]
            if not fresh:
                return 0
            last = await pipe.zrange(self._alert_ids_key, -1, -1, withscores=True)
            arrival = int(last[0][1]) + 1 if last else 1
            stories = await self._stories_of([distinct[name] for name in fresh])
            oldest = await pipe.zrange(self._stories_key, 0, -STORIES_LIMIT - 1)
            shown = await _members(pipe, self._board_key) if oldest else []
            begin(pipe)
            gone = {str(name) for name in oldest} - stories.keys() - set(shown)
            self._forget_stories(pipe, gone)
            self._tell_stories(pipe, stories, arrival)
            pipe.zadd(self._alert_ids_key, {name: arrival + i for i, name in enumerate(fresh)})
            pipe.zremrangebyrank(self._alert_ids_key, 0, -ALERT_IDS_LIMIT - 1)
            pipe.lpush(self._alerts_key, *(as_json(distinct[name]) for name in fresh))
            pipe.ltrim(self._alerts_key, 0, ALERTS_LIMIT - 1)
            pipe.expire(self._alerts_key, ALERTS_EXPIRE_S)
            pipe.expire(self._alert_ids_key, ALERTS_EXPIRE_S)
            await pipe.execute()
            return len(fresh)

        return await self._transact(attempt)

    async def read_alerts(self, count: int = ALERTS_LIMIT) -> list[dict[str, Any]]:
        """Return the latest `count` alerts, newest first."""

        async def attempt(pipe: Pipeline) -> list[dict[str, Any]]:
            pipe.lrange(self._alerts_key, 0, count - 1)
            (texts,) = await pipe.execute()
            return [json.loads(text) for text in texts]

        return await self._transact(attempt) if count > 0 else []

    async def read_marks(self) -> tuple[str | None, str | None]:
        """Return what changes when the board does, and when alerts come: its time, the latest."""

        async def attempt(pipe: Pipeline) -> tuple[str | None, str | None]:
            pipe.hget(self._about_key, "time_ms")
            pipe.lindex(self._alerts_key, 0)
            time_ms, latest = await pipe.execute()
            return time_ms, latest

        return await self._transact(attempt)

    async def read_story(self, hotspot_ids: Iterable[str]) -> list[dict[str, Any]]:
        """Return the alerts that tell how a hotspot came about, in order of event time.

        Args:
            hotspot_ids: Its id, and those of the names that it goes by, too.
        """
        names = list(hotspot_ids)

        async def attempt(pipe: Pipeline) -> list[dict[str, Any]]:
            for name in names:
                pipe.hvals(self._story_key(name))
            alerts = [json.loads(text) for texts in await pipe.execute() for text in texts]
            told = {str(alert["id"]): alert for alert in alerts}
            return sorted(told.values(), key=lambda alert: (alert["time"], alert["id"]))

        return await self._transact(attempt) if names else []

    async def clear(self) -> None:
        """Remove the board, the alerts, the stories and who takes care of what."""

        async def attempt(pipe: Pipeline) -> None:
            await pipe.watch(self._board_key, self._stories_key)
            names = await _members(pipe, self._board_key)
            told = await _members(pipe, self._stories_key)
            begin(pipe)
            pipe.delete(*(self._hotspot_key(name) for name in names), self._board_key)
            pipe.delete(*(self._story_key(name) for name in told), self._stories_key)
            pipe.delete(self._about_key, self._alerts_key, self._alert_ids_key)
            pipe.delete(*(f"{self._tag}:{key}" for key in HANDLING_KEYS))
            await pipe.execute()

        await self._transact(attempt)

    async def probe(self) -> None:
        """Run every command that this class needs, under keys beside the board's own."""
        probe = BoardStore(self._url, self._key_prefix, BUILDING_EXPIRE_S, self._new_branch())
        async with probe:
            hotspots = [{"hotspot_id": "probe", "rank": 1}]
            board = {"time_ms": 1, "hotspots": hotspots, "withheld": [], "discoveries": {}}
            await probe.write_board(board)
            await probe.record_alerts(
                [{"id": "probe", "type": "", "subject": "video:probe", "data": {}}]
            )
            await probe.read_board()
            await probe.read_alerts(1)
            await probe.clear()

    def _new_branch(self) -> str:
        return f":building:{secrets.token_hex(8)}"

    @property
    def _board_key(self) -> str:
        return f"{self._tag}:board"

    @property
    def _about_key(self) -> str:
        return f"{self._tag}:board:about"

    @property
    def _alerts_key(self) -> str:
        return f"{self._tag}:alerts"

    @property
    def _alert_ids_key(self) -> str:
        return f"{self._tag}:alerts:ids"

    @property
    def _stories_key(self) -> str:
        return f"{self._tag}:stories"

    def _story_key(self, name: str) -> str:
        return f"{self._tag}:story:{name}"

    def _hotspot_key(self, name: str) -> str:
        return f"{self._tag}:hotspot:{name}"

    async def _stories_of(
        self, alerts: Sequence[Mapping[str, Any]]
    ) -> dict[str, list[Mapping[str, Any]]]:
        """Return the alerts, oldest first, by the hotspots whose story has room for them."""
        stories: dict[str, list[Mapping[str, Any]]] = {}
        for alert in alerts:
            for name in hotspots_of(alert):
                stories.setdefault(name, []).append(alert)
        pipe = self._redis.pipeline(transaction=False)
        for name in stories:
            pipe.hlen(self._story_key(name))
        sizes = dict(zip(stories, await pipe.execute(), strict=True))
        return {name: told for name, told in stories.items() if sizes[name] < STORY_LIMIT}

    def _tell_stories(
        self, pipe: Pipeline, stories: Mapping[str, Sequence[Mapping[str, Any]]], arrival: int
    ) -> None:
        """Queue what adds alerts to stories."""
        for name, alerts in stories.items():
            key = self._story_key(name)
            for alert in alerts:
                put = pipe.hsetnx if is_told_once(alert) else pipe.hset
                put(key, milestone_of(alert), as_json(alert))
            pipe.expire(key, ALERTS_EXPIRE_S)
            pipe.zadd(self._stories_key, {name: arrival})
        pipe.expire(self._stories_key, ALERTS_EXPIRE_S)

    def _forget_stories(self, pipe: Pipeline, gone: set[str]) -> None:
        """Queue the end of stories that were told longest ago and make room."""
        if gone:
            pipe.delete(*(self._story_key(name) for name in sorted(gone)))
            pipe.zrem(self._stories_key, *sorted(gone))

    async def _build(self, building: str, hotspots: Sequence[Mapping[str, Any]]) -> None:
        """Write the board under temporary keys, which expire unless they are put in place."""
        pipe = self._redis.pipeline(transaction=False)
        for hotspot in hotspots:
            name = str(hotspot["hotspot_id"])
            key = f"{building}:hotspot:{name}"
            pipe.delete(key)
            pipe.hset(key, mapping=_as_texts(hotspot))
            pipe.expire(key, BUILDING_EXPIRE_S)
            pipe.zadd(building, {name: float(hotspot["rank"])})
        if hotspots:
            pipe.expire(building, BUILDING_EXPIRE_S)
        await pipe.execute()

    def _put_in_place(self, pipe: Pipeline, building: str, names: set[str], gone: set[str]) -> None:
        """Queue what makes the built board the board."""
        for name in sorted(names):
            pipe.rename(f"{building}:hotspot:{name}", self._hotspot_key(name))
            pipe.expire(self._hotspot_key(name), self._expire_s)
        for name in sorted(gone):
            pipe.delete(self._hotspot_key(name))
        if names:
            pipe.rename(building, self._board_key)
            pipe.expire(self._board_key, self._expire_s)
        else:
            pipe.delete(self._board_key)


async def _members(pipe: Pipeline, key: str) -> list[str]:
    return [str(member) for member in await pipe.zrange(key, 0, -1)]


def _as_texts(hotspot: Mapping[str, Any]) -> dict[FieldT, EncodableT]:
    """Return the fields of a hash: text as it is, anything else as JSON, null not at all."""
    texts: dict[FieldT, EncodableT] = {
        str(field): value if isinstance(value, str) else as_json(value)
        for field, value in hotspot.items()
        if value is not None
    }
    return {**texts, "json": as_json(hotspot)}
