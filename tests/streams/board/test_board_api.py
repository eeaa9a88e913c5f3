import asyncio
import json
import os
import sys
from asyncio.subprocess import PIPE
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from uuid import uuid4

import aiohttp
import pytest
from board_serving import TIME_MS, TOKEN, alert, board, clear, environment, fill, hotspot, serving

from streams.board.server import HEADERS, hosts_of, listen, token_of
from streams.delivery.board_store import BoardStore
from streams.errors import UserError
from streams.settings import Settings, load_settings

pytestmark = pytest.mark.asyncio

ENTERED = {"stage": "judgment", "state": "active", "route": "identification"}
FIRST = alert("a1", "douyin/v", "hotspot.stage.entered", video_id="v", topics=["英雄"], **ENTERED)
SECOND = alert("a2", "topic:英雄", "hotspot.emerging", topic="英雄", probability=0.7)
WORK, OTHER = "topic:英雄", "video:weibo/x/1?&"
Told = tuple[str, str, Any]
AUTHORIZED = {"Authorization": f"Bearer {TOKEN}"}


@pytest.fixture(scope="module")
def prefix(redis_url: str) -> Iterator[str]:
    name = f"test-{uuid4().hex}"
    fill(redis_url, name, board(hotspot(WORK, 1), hotspot(OTHER, 2)), [FIRST, SECOND])
    yield name
    clear(redis_url, name)


@pytest.fixture(scope="module")
def page(redis_url: str, prefix: str) -> Iterator[str]:
    with serving(environment(redis_url, prefix)) as address:
        yield address


async def ask(
    method: str, url: str, *, headers: dict[str, str] | None = None, **more: object
) -> tuple[int, Any]:
    async with (
        aiohttp.ClientSession() as session,
        session.request(method, url, headers=headers, **more) as answer,
    ):
        is_json = answer.content_type == "application/json"
        return answer.status, await (answer.json() if is_json else answer.text())


def of(event: str) -> Callable[[Told], bool]:
    return lambda told: told[0] == event


async def events(
    page: str, wanted: Callable[[Told], bool], last_id: str | None = None
) -> list[Told]:
    """Event, id and data of what a stream tells up to what is wanted."""
    headers = {} if last_id is None else {"Last-Event-ID": last_id}
    found: list[Told] = []
    async with (
        asyncio.timeout(20),
        aiohttp.ClientSession(read_bufsize=2**20) as session,
        session.get(f"{page}api/v1/stream", headers=headers) as answer,
    ):
        assert answer.content_type == "text/event-stream"
        fields: dict[str, str] = {}
        while not (found and wanted(found[-1])):
            line = (await answer.content.readline()).decode().rstrip("\n")
            name, _, value = line.partition(": ")
            if name:
                fields[name] = value
            elif "event" in fields:
                found.append((fields["event"], fields.get("id", ""), json.loads(fields["data"])))
                fields = {}
    return found


async def test_the_board_its_alerts_and_stories_are_read_without_a_token(page: str) -> None:
    status, shown = await ask("GET", f"{page}api/v1/board")
    assert status == 200
    assert shown == board(hotspot(WORK, 1), hotspot(OTHER, 2)) | {"handling": shown["handling"]}
    status, told = await ask("GET", f"{page}api/v1/alerts", params={"count": 1})
    assert (status, told) == (200, {"alerts": [SECOND]})
    status, story = await ask("GET", f"{page}api/v1/hotspot", params={"hotspot_id": WORK})
    assert (status, story["hotspot"], story["story"]) == (200, hotspot(WORK, 1), [FIRST, SECOND])
    status, story = await ask("GET", f"{page}api/v1/hotspot", params={"hotspot_id": OTHER})
    assert (status, story["hotspot"]["rank"], story["story"]) == (200, 2, [])
    status, _ = await ask("GET", f"{page}api/v1/hotspot", params={"hotspot_id": "topic:no"})
    assert status == 404
    status, about = await ask("GET", f"{page}api/v1/about")
    assert (about["may_change"], about["may_act"]) == (True, False)


async def test_nothing_is_changed_without_the_token(page: str) -> None:
    wanted = {"hotspot_id": WORK, "by": "li", "acknowledged": True}
    before = await ask("GET", f"{page}api/v1/board")
    for headers in ({}, {"Authorization": "Bearer wrong"}, {"Authorization": f"Basic {TOKEN}"}):
        for path in ("handling", "actions"):
            url = f"{page}api/v1/{path}"
            status, said = await ask("POST", url, json=wanted, headers=headers)
            assert status == 401
            assert TOKEN not in str(said)
    assert await ask("GET", f"{page}api/v1/board") == before


async def test_a_hotspot_is_acknowledged_assigned_and_silenced_and_that_is_taken_back(
    page: str,
) -> None:
    url = f"{page}api/v1/handling"

    async def change(**wanted: object) -> dict[str, Any]:
        body = {"hotspot_id": OTHER, "by": "李", **wanted}
        status, said = await ask("POST", url, json=body, headers=AUTHORIZED)
        assert status == 200
        return dict(said)

    after = await change(acknowledged=True, assigned_to="wang", note="on it")
    assert (after["acknowledged_by"], after["assigned_to"]) == ("李", "wang")
    after = await change(silenced_for_ms=3_600_000)
    assert after["silenced_until_ms"] > TIME_MS
    _, shown = await ask("GET", f"{page}api/v1/board")
    assert shown["handling"][OTHER] == after
    _, story = await ask("GET", f"{page}api/v1/hotspot", params={"hotspot_id": OTHER})
    assert [c["what"] for c in story["handling"]["changes"]] == [
        "silenced",
        "assigned",
        "acknowledged",
    ]
    after = await change(acknowledged=False, assigned_to="", silenced_for_ms=0)
    assert (after["acknowledged_by"], after["assigned_to"]) == ("", "")
    assert after["silenced_until_ms"] == 0


@pytest.mark.parametrize(
    ("wanted", "status"),
    [
        ({"hotspot_id": "topic:no", "by": "li", "acknowledged": True}, 404),
        ({"hotspot_id": WORK, "acknowledged": True}, 422),
        ({"hotspot_id": WORK, "by": " \n", "acknowledged": True}, 422),
        ({"hotspot_id": WORK, "by": "li\ud800", "acknowledged": True}, 422),
        ({"hotspot_id": WORK, "by": "li", "silenced_for_ms": 10**12}, 422),
        ({"hotspot_id": WORK, "by": "li", "note": "n" * 1_001}, 422),
        ({"hotspot_id": WORK, "by": "li", "note": "n" * 20_000}, 413),
        ({"hotspot_id": WORK, "by": "li", "acknowledge": True}, 422),
    ],
)
async def test_what_is_no_change_is_refused(page: str, wanted: object, status: int) -> None:
    found, said = await ask("POST", f"{page}api/v1/handling", json=wanted, headers=AUTHORIZED)
    assert found == status, said


async def test_without_kafka_no_action_is_taken(page: str) -> None:
    wanted = {"hotspot_id": WORK, "by": "li", "level": "interaction", "kind": "pin_comment"}
    status, said = await ask("POST", f"{page}api/v1/actions", json=wanted, headers=AUTHORIZED)
    assert (status, said["detail"]) == (403, "actions cannot be told: HOTSPOTS_KAFKA is not set")


async def test_a_stream_goes_on_after_the_alert_that_was_seen_last(
    page: str, redis_url: str, prefix: str
) -> None:
    (first,) = await events(page, of("board"))
    assert first[0] == "board"
    assert [h["hotspot_id"] for h in first[2]["hotspots"]] == [WORK, OTHER]
    assert (await events(page, of("alert"), "a1"))[-1] == ("alert", "a2", SECOND)
    assert (await events(page, of("reset"), "no-more"))[-1][:2] == ("reset", "")
    third = alert("a3", "topic:英雄", "hotspot.confirmed", topic="英雄")
    told_third = asyncio.create_task(events(page, of("alert"), "a2"))
    is_later = asyncio.create_task(
        events(page, lambda told: told[2].get("time_ms") == TIME_MS + 5, "a2")
    )
    await asyncio.sleep(0.1)
    later = board(hotspot(WORK, 1, confirmed=True), time_ms=TIME_MS + 5)
    async with BoardStore(redis_url, prefix) as store:
        await store.record_alerts([third])
        await store.write_board(later)
    assert (await told_third)[-1] == ("alert", "a3", third)
    assert (await is_later)[-1][2]["hotspots"] == later["hotspots"]
    async with BoardStore(redis_url, prefix) as store:
        again = board(hotspot(WORK, 1), hotspot(OTHER, 2), time_ms=TIME_MS + 6)
        await store.write_board(again)


async def test_every_answer_keeps_others_out(page: str) -> None:
    async with aiohttp.ClientSession() as session:
        for path in ("api/v1/board", "nowhere"):
            async with session.get(page + path) as answer:
                assert {name: answer.headers.get(name) for name in HEADERS} == HEADERS, path
                assert answer.status == (404 if path == "nowhere" else 200), path
        async with session.get(page, headers={"Host": "evil.example"}) as answer:
            assert answer.status == 400


async def test_a_redis_that_is_gone_is_said_and_its_address_is_not() -> None:
    with serving(environment("redis://me:secret@127.0.0.1:1/0", "gone")) as page:
        status, said = await ask("GET", f"{page}api/v1/board")
        assert (status, said) == (503, {"detail": "the board's Redis does not answer"})
        ((_, _, data),) = await events(page, of("trouble"))
        assert "127.0.0.1" not in data["detail"]


async def test_tokens_come_from_the_environment_or_a_file(tmp_path: Path) -> None:
    def settings(**given: str) -> Settings:
        own = {f"HOTSPOTS_{name}": value for name, value in given.items()}
        return load_settings(own, needs=())

    assert token_of(settings()) == ""
    assert token_of(settings(BOARD_TOKEN=TOKEN)) == TOKEN
    with pytest.raises(UserError, match="HOTSPOTS_BOARD_TOKEN is wrong") as caught:
        settings(BOARD_TOKEN="short")  # noqa: S106 - it is refused
    assert "short" not in str(caught.value)
    file = tmp_path / "token"
    given = settings(BOARD_TOKEN_FILE=str(file))
    for text, said in ((None, "cannot be read"), ("", "is empty"), ("short", "holds no token")):
        if text is not None:
            file.write_text(text)
        with pytest.raises(UserError, match=said):
            token_of(given)
    file.write_text(f"{TOKEN}\n")
    assert token_of(given) == TOKEN


async def test_the_command_ends_at_once_though_somebody_listens(
    redis_url: str, prefix: str
) -> None:
    environ = os.environ | environment(redis_url, prefix)
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "streams.cli", "board"), env=environ, stdout=PIPE, stderr=PIPE
    )
    assert process.stdout is not None
    line = (await asyncio.wait_for(process.stdout.readline(), 60)).decode()
    page = line.removeprefix("The board is on ").strip()
    async with (
        aiohttp.ClientSession(read_bufsize=2**20) as session,
        session.get(f"{page}api/v1/stream") as listening,
    ):
        assert await listening.content.readline() == b"event: board\n"
        process.terminate()
        _, said = await asyncio.wait_for(process.communicate(), 20)
        assert process.returncode == 0, said.decode()
        assert b"Traceback" not in said


async def test_whom_the_server_answers() -> None:
    def hosts(**given: str) -> list[str]:
        own = {f"HOTSPOTS_BOARD_{name}": value for name, value in given.items()}
        return hosts_of(load_settings(own, needs=()))

    assert hosts() == ["127.0.0.1", "localhost", "::1"]
    assert hosts(NAMES="b.example, c.example")[3:] == ["b.example", "c.example"]
    assert hosts(HOST="0.0.0.0") == ["*"]  # noqa: S104 - a setting that is looked at, nothing listens
    assert hosts(HOST="10.0.0.1", NAMES="b.example") == ["b.example", "10.0.0.1"]


async def test_an_address_that_cannot_be_served_is_said() -> None:
    given = load_settings({"HOTSPOTS_BOARD_HOST": "192.0.2.1"}, needs=())
    with pytest.raises(UserError, match=r"cannot be served on 192\.0\.2\.1:9465"):
        listen(given)
