import asyncio
from collections.abc import AsyncIterator
from uuid import uuid4

import pytest
import pytest_asyncio
import redis

from streams.delivery.board_store import BoardStore
from streams.delivery.handling import CHANGES_LIMIT, Change, Handling, HandlingStore

pytestmark = pytest.mark.asyncio


@pytest_asyncio.fixture
async def prefix(redis_url: str) -> AsyncIterator[str]:
    name = f"test-{uuid4().hex}"
    yield name
    async with BoardStore(redis_url, name) as board:
        await board.clear()
    with redis.Redis.from_url(redis_url) as client:
        assert not list(client.scan_iter(match=f"{{{name}}}*"))


async def test_what_was_done_is_read_again(redis_url: str, prefix: str) -> None:
    async with HandlingStore(redis_url, prefix) as store:
        assert await store.read() == {}
        assert await store.version() == 0
        seen = Change(5, "李", "acknowledged", note="看到了")
        given, quiet = Change(6, "li", "assigned", to="wang"), Change(7, "li", "silenced", "", 99)
        assert (await store.change("topic:t", seen)).acknowledged_by == "李"
        after = await store.change("topic:t", given, quiet)
        assert after == Handling("李", "wang", 99, (quiet, given, seen))
        assert await store.read() == {"topic:t": after}
        assert await store.version() == 2
        undone = (Change(8, "li", what) for what in ("unacknowledged", "unassigned", "unsilenced"))
        after = await store.change("topic:t", *undone)
        assert (after.acknowledged_by, after.assigned_to, after.silenced_until_ms) == ("", "", 0)


async def test_changes_at_once_are_all_kept(redis_url: str, prefix: str) -> None:
    async with HandlingStore(redis_url, prefix) as one, HandlingStore(redis_url, prefix) as two:
        changes = [Change(i, f"n{i}", "acknowledged") for i in range(6)]
        stores = [one, two] * 3
        work = (s.change("a", c) for s, c in zip(stores, changes, strict=True))
        await asyncio.gather(*work)
        assert set((await one.read())["a"].changes) == set(changes)
        assert await two.version() == 6


async def test_changes_and_handled_hotspots_are_limited(
    redis_url: str, prefix: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("streams.delivery.handling.HANDLED_LIMIT", 5)
    async with HandlingStore(redis_url, prefix) as store:
        for i in range(8):
            await store.change(f"h{i}", Change(i, "li", "acknowledged"))
        for i in range(CHANGES_LIMIT + 3):
            await store.change("h7", Change(i, "li", "acknowledged"))
        found = await store.read()
    assert set(found) == {f"h{i}" for i in range(3, 8)}
    assert [c.at_ms for c in found["h7"].changes] == [*range(22, 2, -1)]


async def test_no_other_change_is_taken(redis_url: str, prefix: str) -> None:
    async with HandlingStore(redis_url, prefix) as store:
        with pytest.raises(ValueError, match="'forgotten' is no change"):
            await store.change("a", Change(1, "li", "forgotten"))
        assert await store.read() == {}
