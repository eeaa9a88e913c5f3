"""A board's server as it runs, in a thread of its own, for tests that talk to it by HTTP."""

import asyncio
import threading
from collections.abc import Coroutine, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any

from streams.board.server import address_of, listen, server_of
from streams.delivery.board_store import BoardStore
from streams.settings import load_settings

TOKEN = "0123456789abcdef-token"  # noqa: S105 - it opens nothing but a test's server
TIME_MS = 1_693_400_000_000


def environment(redis_url: str, prefix: str, **more: str) -> dict[str, str]:
    own = {"REDIS": redis_url, "BOARD_KEY": prefix, "BOARD_TOKEN": TOKEN, "BOARD_PORT": "0"}
    return {f"HOTSPOTS_{name}": value for name, value in (own | more).items()}


@contextmanager
def serving(environ: dict[str, str]) -> Iterator[str]:
    """Serve until the end, and give the address."""
    settings = load_settings(environ, needs=("redis",))
    server = server_of(settings)
    listener = listen(settings)
    thread = threading.Thread(target=lambda: asyncio.run(server.serve([listener])))
    thread.start()
    try:
        yield address_of(listener)
    finally:
        server.end()
        thread.join(timeout=20)
        listener.close()
        assert not thread.is_alive()


def run(work: Coroutine[Any, Any, None]) -> None:
    """Run it in a thread: that of a test may have a loop already, as Playwright's does."""
    with ThreadPoolExecutor(1) as threads:
        threads.submit(asyncio.run, work).result()


def fill(redis_url: str, prefix: str, board: dict[str, Any], alerts: list[dict[str, Any]]) -> None:
    """Put a board and alerts into Redis, as a worker does."""

    async def put() -> None:
        async with BoardStore(redis_url, prefix) as store:
            await store.write_board(board)
            await store.record_alerts(alerts)

    run(put())


def clear(redis_url: str, prefix: str) -> None:
    async def remove() -> None:
        async with BoardStore(redis_url, prefix) as store:
            await store.clear()

    run(remove())


def hotspot(hotspot_id: str, rank: int, **more: object) -> dict[str, Any]:
    return {
        "hotspot_id": hotspot_id,
        "kind": hotspot_id.partition(":")[0],
        "title": hotspot_id.partition(":")[2],
        "rank": rank,
        "heat": 614.09,
        "stage": "interaction",
        "route": "contested",
        "state": "active",
        "reason": "response_and_intensity_above_cohort",
        "probability": 0.71,
        "emerging": True,
        "confirmed": False,
        "videos": 3,
        "discovered": 0,
        "views": 270_000,
        "platforms": ["douyin"],
        "take_up": [{"platform": "douyin", "since_ms": TIME_MS - 7_200_000, "after_ms": 0}],
        "also_known_as": [],
        "depth": 0.3,
        "cultural": None,
        "integrity": None,
        "screening": [],
        **more,
    }


def board(*hotspots: dict[str, Any], time_ms: int = TIME_MS) -> dict[str, Any]:
    return {
        "time_ms": time_ms,
        "hotspots": list(hotspots),
        "withheld": [],
        "discoveries": {},
        "actions": [],
        "views": {},
    }


def alert(name: str, subject: str, kind: str, **data: object) -> dict[str, Any]:
    about = {"platform": "douyin", "reason": "response_and_intensity_above_cohort", **data}
    return {
        "specversion": "1.0",
        "id": name,
        "source": "hotspots",
        "type": kind,
        "time": "2023-08-30T12:00:00.000Z",
        "subject": subject,
        "datacontenttype": "application/json",
        "data": about,
    }
