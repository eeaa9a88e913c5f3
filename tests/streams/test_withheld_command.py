import asyncio
import json
from typing import Any

import pytest
from click.testing import CliRunner

from streams.cli import hotspots
from streams.delivery.board_store import BoardStore
from streams.errors import UserError

WITHHELD = [
    {
        "subject": "bilibili/v",
        "title": "逃出大英博物馆",
        "time_ms": 1_693_353_600_000,
        "probability": 0.8123,
        "score": 0.42,
        "bar": None,
        "reason": "budget_spent",
        "explanation": {},
    },
    {
        "subject": "topic:t",
        "title": "",
        "time_ms": 1_693_353_000_000,
        "probability": 0.7,
        "score": 0.3,
        "bar": 0.5,
        "reason": "score_below_bar",
        "explanation": {},
    },
]


async def write(redis_url: str, board_key: str, withheld: list[dict[str, Any]]) -> None:
    async with BoardStore(redis_url, board_key, expire_s=60) as store:
        await store.write_board({"time_ms": 1, "hotspots": [], "withheld": withheld})


def run(*arguments: str) -> str:
    result = CliRunner().invoke(hotspots, ["withheld", *arguments], catch_exceptions=False)
    assert result.exit_code == 0
    return result.output


def test_what_was_withheld_is_listed(redis_url: str, board_key: str) -> None:
    asyncio.run(write(redis_url, board_key, WITHHELD))
    first, second = run().splitlines()
    assert first == (
        "2023-08-30T00:00:00.000Z  probability 0.81, score 0.42 the budget was spent  bilibili/v  "
        "逃出大英博物馆"
    )
    assert second.endswith("probability 0.70, score 0.30 below 0.50  topic:t")
    assert [json.loads(line) for line in run("--json").splitlines()] == WITHHELD


def test_an_empty_list_says_so(redis_url: str, board_key: str) -> None:
    asyncio.run(write(redis_url, board_key, []))
    assert run() == "nothing was withheld\n"
    assert run("--json") == ""


@pytest.mark.usefixtures("board_key")
def test_without_a_board_there_is_a_remedy() -> None:
    with pytest.raises(UserError, match="there is no board"):
        run()
