"""What was told of a work beside the boards, on two videos that can be counted by hand."""

import json
from pathlib import Path

import polars as pl
import pytest
from click.testing import CliRunner

from models.alerts import AlertType
from models.forecasting import BASELINE
from models.parameters import Level
from models.vocabulary import Stage
from streams.scoreboard import case, case_page
from streams.scoreboard.case import Shown, Told

DAY_S = 86_400
T0_S = 1_693_113_067
WORK = "逃出"
LEVEL = Level("view", 10_000)


def told(kind: AlertType, known_s: float, stage: Stage | None = None, of: str = WORK) -> Told:
    figures = {
        "per_exposure": 0.2, "null_per_exposure": 0.1, "activity_per_hour": 5.0,
        "peak_per_hour": 50.0, "views": 3, "stages": ["judgment"],
    }  # fmt: skip
    data = {
        "figures": figures, "juncture": "outbreak", "signal": "identification",
        "probability": 0.9, "signals": ["it grows"],
    }  # fmt: skip
    return Told(kind, of, "第二集" if of != WORK else "", stage, known_s - 60, known_s, data)


def directory(path: Path) -> Path:
    """Write a case of two videos, read once a day, and a board."""
    events, rows = [], []
    for number, video in enumerate(("v1", "v2")):
        born_s = T0_S + number * DAY_S
        base = {"platform": "bilibili", "video_id": video}
        events.append({**base, "time": born_s * 1000, "action": "publish", "topics": [WORK]})
        for day in (1, 2):
            read_s = born_s + day * DAY_S
            hour = {**base, "action": "view", "count": 20_000}
            events += [
                {**hour, "time": (read_s - DAY_S + 3600 * h) * 1000} for h in range(1, 24, 4)
            ]
            common = {"platform": "bilibili", "item": video, "title": f"《{WORK}》第二集"}
            counted = {"ts": read_s, "pub_ts": born_s, "metric": "view", "value": "1"}
            rows.append(common | counted)
    for ts, item, place in (
        (10, f"{WORK}开播", "7"),
        (20, f"{WORK}开播", "3"),
        (30, "博物馆", "1"),
    ):
        topic = {"platform": "weibo", "item": item, "title": item, "pub_ts": None}
        rows.append(topic | {"ts": T0_S + ts, "metric": "board_pos", "value": place})
    asked = {"platform": "zhihu", "item": f"如何评价{WORK}", "title": "", "pub_ts": None}
    rows.append(asked | {"ts": T0_S, "metric": "hot_question_first_seen", "value": "99"})
    events.sort(key=lambda event: int(str(event["time"])))
    (path / "case.jsonl").write_text("".join(json.dumps(event) + "\n" for event in events))
    pl.DataFrame(rows).write_csv(path / "case.csv")
    return path


def test_a_topic_stands_on_a_board_from_its_first_place_on(tmp_path: Path) -> None:
    readings = pl.read_csv(directory(tmp_path) / "case.csv", infer_schema_length=None)
    assert case.work_of(tmp_path / "case.jsonl") == WORK
    assert case.boards(readings, WORK) == [
        Shown("zhihu", f"如何评价{WORK}", T0_S, None),
        Shown("weibo", f"{WORK}开播", T0_S + 10, 7),
    ]


def test_what_is_told_counts_from_the_reading_that_ends_the_interval(tmp_path: Path) -> None:
    readings = pl.read_csv(directory(tmp_path) / "case.csv", infer_schema_length=None)
    found = list(case.tell(tmp_path / "case.jsonl", readings, LEVEL, BASELINE))
    emerging = [one for one in found if one.kind is AlertType.EMERGING]
    first = {one.of: one for one in reversed(emerging)}
    assert first.keys() == {"v1", "v2", WORK}
    assert all(one.time_s < one.known_s for one in first.values())
    assert first["v1"].known_s == T0_S + DAY_S
    assert first["v2"].known_s == T0_S + 2 * DAY_S
    # The second video was not there yet: its readings say nothing of the work.
    assert first[WORK].known_s == T0_S + DAY_S


def test_leads_are_held_against_the_milestones_of_each_board() -> None:
    alerts = [
        told(AlertType.EMERGING, T0_S),
        told(AlertType.STAGE_ENTERED, T0_S + 7200, Stage.JUDGMENT, of="v2"),
    ]
    shown = [
        Shown("weibo", f"{WORK}预告片", T0_S + 3600, 13),
        Shown("weibo", WORK, T0_S + 3601, 4),
        Shown("douyin", WORK, T0_S + 9000, 2),
    ]
    rows = case_page.leads_table({LEVEL: alerts}, shown, WORK).splitlines()
    assert "emerging, 10,000: 08-27 13:11" in rows[0]
    assert "diffusion: never" in rows[0]
    assert [row.split("|")[1].strip() for row in rows[2:]] == ["Weibo #13: trailer", "Douyin #2:"]
    assert [cell.strip() for cell in rows[2].split("|")[3:-1]] == [
        "+1 h", "-1 h", "-", "-", "-",
    ]  # fmt: skip


def test_all_that_was_told_is_listed_in_the_order_in_which_it_was_known() -> None:
    alerts = [
        told(AlertType.FADED, T0_S + 3),
        told(AlertType.STAGE_ENTERED, T0_S + 1, Stage.JUDGMENT, of="v2"),
        told(AlertType.EMERGING, T0_S),
        told(AlertType.CONFIRMED, T0_S + 2),
    ]
    rows = case_page.told_table(alerts, WORK).splitlines()[2:]
    assert [row.split("|")[3].strip() for row in rows] == [
        "emerging", "outbreak: judgment", "confirmed", "faded",
    ]  # fmt: skip
    assert "| episode 2 |" in rows[1]
    assert "0.200 per view, ordinary up to 0.100" in rows[1]


def test_the_picture_has_a_lane_for_each_board_and_video(tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")
    alerts = [
        told(AlertType.EMERGING, T0_S),
        told(AlertType.STAGE_ENTERED, T0_S + 1, Stage.JUDGMENT, of="v2"),
        told(AlertType.EMERGING, T0_S + 2, of="v3"),
    ]
    shown = [Shown(board, f"{WORK}开播", T0_S + 9, 4) for board in case_page.BOARDS]
    path = tmp_path / "case.svg"
    case_page.draw({LEVEL: alerts, Level("view", 10**6): alerts}, shown, WORK, path)
    drawn = path.read_text("utf-8")
    for text in ("Weibo", "Zhihu", "the work", "episode 2", "#4 opening", "Other videos"):
        assert f">{text}<" in drawn
    assert WORK not in drawn


def test_a_directory_without_the_case_is_refused_with_what_it_lacks(tmp_path: Path) -> None:
    answer = CliRunner().invoke(case.main, [str(tmp_path)])
    assert answer.exit_code == 2
    assert "case.jsonl, case.csv, uploads.jsonl, popular.jsonl" in answer.output
