import json
import os
import re
from pathlib import Path

import pytest
from click.testing import CliRunner

from models.events import DecodingLimits
from models.guidance_actions import validate_action
from models.guidance_rules import GuidanceLevel
from streams import cli
from streams.acting import action_line
from streams.commands.act import LEVELS
from streams.errors import UserError

AT_MS = 1_693_411_560_000
LATEST_MS = AT_MS + 1_000
SAID = {"level": "interaction", "kind": "pin_comment", "by": "", "note": "置顶"}


def line_of(subject: str, action_id: str | None = None, at: str | int = AT_MS) -> bytes:
    return action_line(subject, SAID, at, action_id, latest_ms=LATEST_MS)


def test_levels_are_those_of_guidance() -> None:
    assert [level.value for level in GuidanceLevel] == list(LEVELS)


@pytest.mark.parametrize(
    ("subject", "key"),
    [("DouYin/7/3", "douyin\x1f7/3"), ("topic:a/b", "topic:a/b"), ("topic:逃出:2", "topic:逃出:2")],
)
def test_a_video_or_a_topic_is_named(subject: str, key: str) -> None:
    action = validate_action(line_of(subject), latest_ms=LATEST_MS, limits=DecodingLimits())
    assert (action.subject, action.note, action.by) == (key, "置顶", "")
    assert action.taken_at_ms == AT_MS


def test_the_same_said_twice_has_one_id_and_another_has_another() -> None:
    ids = [json.loads(line_of(f"p/{video}"))["action_id"] for video in ("v", "v", "w")]
    assert ids[0] == ids[1] != ids[2]
    assert re.fullmatch("[0-9a-f]{32}", ids[0])
    assert json.loads(line_of("p/v", "mine"))["action_id"] == "mine"


@pytest.mark.parametrize("subject", ["v1", "topic:", "/v1", "p/", ""])
def test_a_wrong_subject_has_a_remedy(subject: str) -> None:
    with pytest.raises(UserError) as told:
        line_of(subject)
    assert "PLATFORM/VIDEO_ID" in "; ".join(told.value.lines)


def test_a_split_names_two_topics_and_they_differ() -> None:
    said = SAID | {"split_from": "另一个"}
    line = action_line("topic:逃出", said, AT_MS, None, latest_ms=LATEST_MS)
    action = validate_action(line, latest_ms=LATEST_MS, limits=DecodingLimits())
    assert (action.subject, action.split_from) == ("topic:逃出", "另一个")
    with pytest.raises(UserError, match="split_from needs another topic"):
        action_line("topic:另一个", said, AT_MS, None, latest_ms=LATEST_MS)


def test_an_action_that_is_yet_to_come_is_refused() -> None:
    with pytest.raises(UserError, match="time_too_far_ahead"):
        line_of("p/v", at="2031-01-01T00:00:00Z")


def test_a_file_of_actions_goes_with_a_backtest(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in [name for name in os.environ if name.startswith("HOTSPOTS_")]:
        monkeypatch.delenv(name)
    events, actions, alerts = (tmp_path / name for name in ("e.jsonl", "a.jsonl", "alerts.jsonl"))
    day_ms = 24 * 3_600_000
    views = [
        {"time": AT_MS + at, "platform": "p", "video_id": "v", "action": "view"}
        for at in (0, day_ms)
    ]
    views[0]["topics"] = ["t"]
    events.write_text("\n".join(map(json.dumps, views)) + "\n")
    actions.write_bytes(line_of("p/v") + b"\n")
    arguments = ["backtest", str(events), "--alerts", str(alerts), "--actions", str(actions)]
    ended = CliRunner().invoke(cli.hotspots, arguments)
    assert ended.exit_code == 0, ended.output
    (alert,) = [json.loads(line) for line in alerts.read_text().splitlines()]
    assert alert["type"] == "hotspot.guidance.effect"
    assert alert["data"]["reason"] == "not_followed_when_taken"
    actions.write_text("{}\n")
    ended = CliRunner().invoke(cli.hotspots, arguments)
    assert isinstance(ended.exception, UserError)
    assert "action_id" in str(ended.exception.lines)
