"""The board as commands read it: what a worker has put into Redis last."""

import asyncio
from typing import Any

from streams.delivery.board_store import BoardStore
from streams.errors import UserError
from streams.settings import Settings, load_settings


def read_board() -> dict[str, Any]:
    """Return the board of HOTSPOTS_REDIS.

    Raises:
        UserError: HOTSPOTS_REDIS is not set or does not answer, or there is no board.
    """
    board = asyncio.run(_read(load_settings(needs=("redis",))))
    if board is None:
        raise UserError("there is no board", remedy="start a worker with this HOTSPOTS_REDIS")
    return board


async def _read(settings: Settings) -> dict[str, Any] | None:
    async with BoardStore(settings.redis, settings.board_key, settings.board_expire_s) as store:
        return await store.read_board()
