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

A board is built under temporary keys and renamed into place in one MULTI: a reader sees the old
board or the new one, never a mixture.
"""

import json
import secrets
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any, Final, Self, TypeVar
from urllib.parse import urlsplit

from redis.asyncio import Redis
from redis.asyncio.client import Pipeline
from redis.exceptions import (
    AuthenticationError,
    NoPermissionError,
    OutOfMemoryError,
    ReadOnlyError,
    RedisError,
    ResponseError,
    WatchError,
)
from redis.typing import EncodableT, FieldT

from streams.errors import UserError

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
ATTEMPTS_LIMIT: Final = 10
"""Optimistic transactions tried in a row: several workers may write while a rebalance goes on."""
TIMEOUT_S: Final = 5.0
"""For connecting and for each answer: redis-py's own default since 8.0, stated here."""
BESIDE: Final[Mapping[str, Sequence[object] | Mapping[str, object]]] = {
    "withheld": [],
    "discoveries": {},
    "actions": [],
    "views": {},
}
"""What stands on a board beside its hotspots, and what of it there is where nothing is."""


Result = TypeVar("Result")


class BoardStoreError(UserError):
    """The board cannot be read or written."""


class BoardStore:
    """Reads and writes the board of one prefix; an asynchronous context manager.

    Every method raises `BoardStoreError`, in one line without the password, when Redis does not
    answer, refuses, or others write without end.
    """

    def __init__(
        self, url: str, key_prefix: str = "hotspots", expire_s: int = 3_600, branch: str = ""
    ) -> None:
        """Prepare a store; nothing is sent before the first call.

        `url` begins with redis://, rediss:// (TLS) or unix://, `branch` stands between the prefix
        and the names of the keys.
        """
        self._redis: Redis = Redis.from_url(
            url, decode_responses=True, socket_timeout=TIMEOUT_S, socket_connect_timeout=TIMEOUT_S
        )
        self._place = shown_address(url)
        self._url = url
        self._key_prefix = key_prefix
        self._tag = f"{{{key_prefix}}}{branch}"
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
            name: _as_json(board.get(name, nothing)) for name, nothing in BESIDE.items()
        }
        building = self._tag + self._new_branch()

        async def attempt(pipe: Pipeline) -> bool:
            await pipe.watch(self._about_key, self._board_key)
            stored = await pipe.hget(self._about_key, "time_ms")
            if stored is not None and int(stored) > time_ms:
                return False
            gone = set(await _members(pipe, self._board_key)) - names
            await self._build(building, hotspots)
            _begin(pipe)
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
            _begin(pipe)
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
            _begin(pipe)
            pipe.zadd(self._alert_ids_key, {name: arrival + i for i, name in enumerate(fresh)})
            pipe.zremrangebyrank(self._alert_ids_key, 0, -ALERT_IDS_LIMIT - 1)
            pipe.lpush(self._alerts_key, *(_as_json(distinct[name]) for name in fresh))
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

    async def clear(self) -> None:
        """Remove the board and the alerts."""

        async def attempt(pipe: Pipeline) -> None:
            await pipe.watch(self._board_key)
            names = await _members(pipe, self._board_key)
            _begin(pipe)
            pipe.delete(*(self._hotspot_key(name) for name in names), self._board_key)
            pipe.delete(self._about_key, self._alerts_key, self._alert_ids_key)
            await pipe.execute()

        await self._transact(attempt)

    async def probe(self) -> None:
        """Run every command that this class needs, under keys beside the board's own."""
        probe = BoardStore(self._url, self._key_prefix, BUILDING_EXPIRE_S, self._new_branch())
        async with probe:
            hotspots = [{"hotspot_id": "probe", "rank": 1}]
            board = {"time_ms": 1, "hotspots": hotspots, "withheld": [], "discoveries": {}}
            await probe.write_board(board)
            await probe.record_alerts([{"id": "probe"}])
            await probe.read_board()
            await probe.read_alerts(1)
            await probe.clear()

    async def close(self) -> None:
        """Close the connections."""
        await self._redis.aclose()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

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

    def _hotspot_key(self, name: str) -> str:
        return f"{self._tag}:hotspot:{name}"

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

    async def _transact(self, attempt: Callable[[Pipeline], Awaitable[Result]]) -> Result:
        """Run one optimistic transaction, again when another writer came between."""
        try:
            for _ in range(ATTEMPTS_LIMIT):
                async with self._redis.pipeline(transaction=True) as pipe:
                    try:
                        return await attempt(pipe)
                    except WatchError:
                        continue
        except (RedisError, OSError) as error:
            raise self._failed(error) from error
        raise BoardStoreError(
            f"others kept writing the board in {self._place}",
            "HOTSPOTS_BOARD_KEY",
            "let each deployment have a prefix of its own",
        )

    def _failed(self, error: Exception) -> BoardStoreError:
        return BoardStoreError(*explain(error, self._place))


def shown_address(url: str) -> str:
    """Return host and port (or the path) of a Redis address, without user and password.

    >>> shown_address("redis://me:secret@db.example:6380/2")
    'db.example:6380'
    """
    address = urlsplit(url)
    return (
        address.path if address.scheme == "unix" else f"{address.hostname}:{address.port or 6379}"
    )


def explain(error: Exception, place: str) -> tuple[str, str, str]:
    """Say what an error of redis-py means: what, where it was set, how to mend it."""
    text = str(error).strip() or type(error).__name__
    if isinstance(error, AuthenticationError) or "NOAUTH" in text or "WRONGPASS" in text:
        return (
            f"Redis at {place} does not accept the user or password",
            "HOTSPOTS_REDIS",
            "set them as in redis://user:password@host:6379/0",
        )
    if isinstance(error, NoPermissionError) or "NOPERM" in text:
        return (
            f"Redis at {place} refuses a command, {text}",
            "HOTSPOTS_REDIS",
            "allow this user to read and write the keys that begin with {HOTSPOTS_BOARD_KEY}",
        )
    if isinstance(error, OutOfMemoryError):
        return (
            f"Redis at {place} has no memory left for writes",
            "HOTSPOTS_REDIS",
            "raise its maxmemory, or remove what else is in it",
        )
    if isinstance(error, ReadOnlyError):
        return (
            f"Redis at {place} is a read-only replica",
            "HOTSPOTS_REDIS",
            "name the primary",
        )
    if isinstance(error, ResponseError):
        return (
            f"Redis at {place} answers with an error, {text}",
            "HOTSPOTS_REDIS",
            "name a single writable server, Redis 6.2 or later",
        )
    return (
        f"Redis at {place} does not answer, {text}",
        "HOTSPOTS_REDIS",
        "start it, or correct the address (rediss:// where it wants TLS); unset it for no board",
    )


def _begin(pipe: Pipeline) -> None:
    """From here on commands are queued; they run together at `execute`, or not at all."""
    pipe.multi()  # type: ignore[no-untyped-call]  # redis-py annotates everything but this


async def _members(pipe: Pipeline, key: str) -> list[str]:
    return [str(member) for member in await pipe.zrange(key, 0, -1)]


def _as_json(value: object) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def _as_texts(hotspot: Mapping[str, Any]) -> dict[FieldT, EncodableT]:
    """Return the fields of a hash: text as it is, anything else as JSON, null not at all."""
    texts: dict[FieldT, EncodableT] = {
        str(field): value if isinstance(value, str) else _as_json(value)
        for field, value in hotspot.items()
        if value is not None
    }
    return {**texts, "json": _as_json(hotspot)}
