import asyncio
import json
from typing import Any

from click.testing import CliRunner

from streams.cli import hotspots
from streams.delivery.board_store import BoardStore

FIGURES = {
    "works": 3,
    "emerging": 1,
    "hotspots": 2,
    "activity_per_hour": 1234.5,
    "stages": {"presentation": 0, "judgment": 1, "interaction": 0, "diffusion": 2},
    "screening": {"original": 1},
}
VIEWS = {
    "time_ms": 1,
    "verticals": [{"vertical": "戏剧", **FIGURES}],
    "creators": [
        {
            "platform": "douyin",
            "creator_id": "jianbing",
            "mcn": "agency",
            "followers": {"before": 10, "now": 1_010, "gain": 1_000},
            **FIGURES,
        }
    ],
    "mcns": [],
}


async def write(redis_url: str, board_key: str, views: dict[str, Any]) -> None:
    async with BoardStore(redis_url, board_key, expire_s=60) as store:
        await store.write_board({"time_ms": 1, "hotspots": [], "views": views})


def run(*arguments: str) -> str:
    result = CliRunner().invoke(hotspots, ["views", *arguments], catch_exceptions=False)
    assert result.exit_code == 0
    return result.output


def test_views_are_shown_in_words_and_as_json(redis_url: str, board_key: str) -> None:
    asyncio.run(write(redis_url, board_key, VIEWS))
    told = "3 works, 1 emerging, 2 hotspots; 1 in judgment, 2 in diffusion; 1,234 an hour; "
    told += "flagged: original 1"
    assert run().splitlines() == [
        "verticals:",
        f"  戏剧: {told}",
        "creators:",
        f"  douyin/jianbing, of agency, +1,000 followers: {told}",
        "mcns: none",
    ]
    assert json.loads(run("--json")) == VIEWS


def test_before_the_first_look_there_are_none(redis_url: str, board_key: str) -> None:
    asyncio.run(write(redis_url, board_key, {}))
    assert run() == "verticals: none\ncreators: none\nmcns: none\n"
