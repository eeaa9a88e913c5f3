"""One prefix of keys in Redis: connections, optimistic transactions, and what errors mean."""

import json
from collections.abc import Awaitable, Callable
from typing import Final, Self, TypeVar
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

from streams.errors import UserError

ATTEMPTS_LIMIT: Final = 10
"""Optimistic transactions tried in a row: several workers may write while a rebalance goes on."""
TIMEOUT_S: Final = 5.0
"""For connecting and for each answer: redis-py's own default since 8.0, stated here."""

Result = TypeVar("Result")


class BoardStoreError(UserError):
    """The board cannot be read or written."""


class RedisStore:
    """What is kept under one prefix; an asynchronous context manager.

    Every method raises `BoardStoreError`, in one line without the password, when Redis does not
    answer, refuses, or others write without end.
    """

    def __init__(self, url: str, key_prefix: str, branch: str = "") -> None:
        """Prepare a store; nothing is sent before the first call.

        `url` begins with redis://, rediss:// (TLS) or unix://, `branch` stands between the prefix
        and the names of the keys.
        """
        self._redis: Redis = Redis.from_url(
            url, decode_responses=True, socket_timeout=TIMEOUT_S, socket_connect_timeout=TIMEOUT_S
        )
        self._place = shown_address(url)
        self._tag = f"{{{key_prefix}}}{branch}"

    async def close(self) -> None:
        """Close the connections."""
        await self._redis.aclose()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

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


def begin(pipe: Pipeline) -> None:
    """From here on commands are queued; they run together at `execute`, or not at all."""
    pipe.multi()  # type: ignore[no-untyped-call]  # redis-py annotates everything but this


def as_json(value: object) -> str:
    """Return JSON without spaces, in UTF-8."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))
