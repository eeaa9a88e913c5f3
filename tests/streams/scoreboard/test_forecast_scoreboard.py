"""What the forecasts' scoreboard counts, on data small enough to count by hand."""

import importlib.util
import json
import os
import re
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import polars as pl
import pytest
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st

from models.forecast_features import FEATURES
from models.forecast_training import FOLDS, SIZES, Examples, video_number
from models.parameters import Level
from models.report_building import MadeForecasts
from streams.measured_pages import DOCS, replaced
from streams.offline.training import Past
from streams.scoreboard import (
    bursts_told,
    forecast_page,
    forecast_sets,
    forecasts,
    stage_order,
)
from streams.scoreboard.__main__ import PAGE, SETS, main
from streams.scoreboard.detection_tweets import Curve, Point
from streams.scoreboard.forecast_judging import Said, judged
from streams.scoreboard.forecast_sets import HOUR_S, Watched
from streams.scoreboard.forecasts import Answer, Question

T0_S = 1_700_000_000
DAY_S = 24 * HOUR_S

Reading = tuple[str, float, int, str | None]
"""Video, hours since T0_S, views, badge."""

RIVAL = os.environ.get("SCOREBOARD_RIVAL", "")
"""Directory of somebody else's score.py and of the sets that it scores, where there is one."""


def counters(path: Path, rows: Sequence[Reading]) -> Path:
    """Write what was read of videos."""
    columns = {
        "bvid": [row[0] for row in rows],
        "snap_ts": [T0_S + int(row[1] * HOUR_S) for row in rows],
        "pub_ts": [T0_S] * len(rows),
        "view": [row[2] for row in rows],
        "rcmd_reason": [row[3] for row in rows],
        "title": [f"《{row[0]}》" for row in rows],
    }
    pl.DataFrame(columns, schema_overrides={"rcmd_reason": pl.String}).write_parquet(path)
    return path


def test_what_was_said_of_an_upload_counts_up_to_its_last_reading_below_the_level(
    tmp_path: Path,
) -> None:
    readings: list[Reading] = [
        ("hot", 1.0, 50, None),
        ("hot", 3.0, 90, None),
        ("hot", 9.0, 120, None),
    ]
    others: list[Reading] = [
        ("cold", 1.0, 10, None),
        ("cold", 4.0, 20, None),
        ("known", 1.0, 500, None),
    ]
    watched = forecast_sets.uploads(counters(tmp_path / "u.parquet", readings + others), 100)
    assert watched.videos == ["cold", "hot"]
    assert watched.hit.tolist() == [False, True]
    assert ((watched.until_s - T0_S) / HOUR_S).tolist() == [4, 3]
    assert np.isnan(watched.outcome_s[0])
    assert (watched.outcome_s[1] - T0_S) / HOUR_S == 9
    # 50 an hour after an hour's grace, and 90 in four.
    assert watched.rival.tolist() == [5.0, 25.0]


def test_a_badge_tells_a_million_too_and_the_first_days_of_a_list_are_left_out(
    tmp_path: Path,
) -> None:
    rows: list[Reading] = [
        ("old", 0.0, 900_000, None),
        ("badge", 48.0, 10, None),
        ("badge", 72.0, 998_000, "百万播放"),
        ("badge", 96.0, 1_200_000, None),
    ]
    watched = forecast_sets.popular(counters(tmp_path / "p.parquet", rows))
    assert watched.videos == ["badge"]
    assert watched.hit.tolist() == [True]
    assert (watched.until_s[0] - T0_S) / HOUR_S == 48
    assert (watched.outcome_s[0] - T0_S) / HOUR_S == 72


def test_a_cascade_is_judged_at_its_twentieth_share_unless_the_next_is_of_the_same_second(
    tmp_path: Path,
) -> None:
    steps = {"large": range(101), "small": range(25), "young": range(20), "tie": [*range(21), 20]}
    pairs = [(name, T0_S + at * HOUR_S) for name, of in steps.items() for at in of]
    path = tmp_path / "c.parquet"
    pl.DataFrame(pairs, schema=["cascade", "ts"], orient="row").sort("ts").write_parquet(path)
    watched = forecast_sets.cascades(path, 100)
    assert watched.videos == ["large", "small"]
    assert watched.hit.tolist() == [True, False]
    assert ((watched.until_s - T0_S) / HOUR_S).tolist() == [20, 20]
    assert watched.rival.tolist() == [20 / 21, 20 / 21]
    assert (watched.outcome_s[0] - T0_S) / HOUR_S == 100


WATCHED = Watched(
    videos=["hit", "miss", "early"],
    start_s=np.full(3, float(T0_S)),
    until_s=T0_S + HOUR_S * np.array([30.0, 40.0, 4.0]),
    outcome_s=np.array([T0_S + 50.0 * HOUR_S, np.nan, T0_S + 5.0 * HOUR_S]),
    hit=np.array([True, False, True]),
    rival=np.array([3.0, 2.0, 1.0]),
    seen_s=[T0_S + HOUR_S * np.array([10.0, 30.0]), np.array([T0_S + 0.0]), np.array([T0_S + 0.0])],
)


def said(*rows: tuple[int, float, float]) -> Said:
    video, hours, probability = zip(*rows, strict=True)
    return Said(np.array(video), T0_S + HOUR_S * np.array(hours), np.array(probability))


def test_the_highest_in_time_is_judged_and_what_was_in_force_at_an_age() -> None:
    found = judged(
        WATCHED,
        said(
            (-1, 1.0, 1.0),
            (0, 5.0, 0.3),
            (0, 11.0, 0.7),
            (0, 31.0, 0.99),
            (1, 6.0, 0.5),
            (1, 41.0, 0.9),
            (2, 3.0, 0.4),
            (2, 4.5, 1.0),
        ),
        0.6,
    )
    assert found.said.tolist() == [0.7, 0.5, 0.4]
    scores = found.scores
    assert (scores.alerts.videos, scores.alerts.hits) == (1, 1)
    # Known from the reading at 30 hours on, 20 before the level was seen.
    assert found.leads_h.tolist() == [20.0]
    six, day = scores.calibration["6 h"], scores.calibration["24 h"]
    assert [(one.promised, one.happened, one.videos) for one in six] == [(0.3, 1, 1), (0.5, 0, 1)]
    assert [(one.promised, one.happened, one.videos) for one in day] == [(0.5, 0, 1), (0.7, 1, 1)]


def test_equal_scores_count_together_in_a_curve() -> None:
    recall, precision = forecast_page.precision_recall(
        np.array([0.9, 0.5, 0.5, 0.1]), np.array([True, True, False, False])
    )
    assert recall.tolist() == [0.5, 1.0]
    assert precision.tolist() == [1.0, 2 / 3]


def test_who_told_first_is_counted_of_all_that_was_shown() -> None:
    shown = dict.fromkeys(("a", "b", "c", "d"), 10.0 * HOUR_S)
    told = {"a": 4.0 * HOUR_S, "b": 10.0 * HOUR_S, "c": 12.0 * HOUR_S, "x": 0.0}
    found = stage_order.order("likes", "alert", shown, told)
    assert (found.videos, found.told_of, found.before, found.after) == (4, 3, 1, 1)
    assert found.lead_h == 0
    assert found.interval_h == (-2.0, 6.0)
    assert found.share_before[0] == 0.25
    nothing = stage_order.order("likes", "alert", shown, {})
    assert np.isnan(nothing.lead_h)
    rows = forecast_page.order_table([found, nothing]).splitlines()
    assert "1, 1, 1" in rows[2]
    assert rows[3].endswith("| - |")


def test_a_badge_is_held_against_alerts_and_stages_of_the_pipeline(tmp_path: Path) -> None:
    rows: list[Reading] = [
        ("old", 0.0, 10, "5万点赞"),
        ("new", 48.0, 10, None),
        ("new", 72.0, 20, None),
        ("new", 96.0, 30, "音乐·人气飙升"),
    ]
    counters(tmp_path / "popular.parquet", rows)
    event = {"time": T0_S * 1_000, "platform": "p", "video_id": "new", "action": "publish"}
    (tmp_path / "popular.jsonl").write_text(json.dumps(event) + "\n", "utf-8")
    told_s = {"new": T0_S + 50.0 * HOUR_S, "old": float(T0_S)}
    orders = {(one.shown, one.told): one for one in stage_order.beside_badges(tmp_path, told_s)}
    soaring = orders["soaring", stage_order.ALERT]
    # Told at 50 hours, known at 72, shown at 96.
    assert (soaring.videos, soaring.before, soaring.lead_h) == (1, 1, 24.0)
    assert orders["likes", stage_order.ALERT].videos == 0
    assert orders["soaring", stage_order.STAGE].told_of == 0


def test_only_works_that_were_here_first_are_held_against_another_board(tmp_path: Path) -> None:
    counters(tmp_path / "popular.parquet", [("a", 10.0, 1, None), ("b", 10.0, 1, None)])
    hours = {"a": (0, 30), "b": (9, 3), "never": (0, None), "untold": (0, 9)}
    columns = {
        "work": list(hours),
        "first_bili_pub_ts": [T0_S + HOUR_S * one for one, _ in hours.values()],
        "first_weibo_ts": [
            None if one is None else T0_S + HOUR_S * one for _, one in hours.values()
        ],
    }
    pl.DataFrame(columns).write_parquet(tmp_path / "works.parquet")
    told_s = {"a": T0_S + 2.0 * HOUR_S, "b": float(T0_S)}
    found = stage_order.beside_board(tmp_path, told_s)
    assert (found.videos, found.told_of, found.before, found.lead_h) == (2, 1, 1, 20.0)


def test_alerts_inside_a_window_catch_it_and_the_others_are_false() -> None:
    rows = pl.DataFrame(
        {
            "series": ["s"] * 5,
            "ts": [T0_S, T0_S + HOUR_S, T0_S + 2 * HOUR_S, T0_S + 3 * HOUR_S, T0_S + 2 * DAY_S],
            "window": [None, 0, 0, None, 1],
        },
        schema_overrides={"window": pl.Int64},
    )
    times = (1.5, 2.0, 3.0)
    told = bursts_told.held_against(rows, [("s", T0_S + at * HOUR_S) for at in times])
    assert (told.windows, told.caught, told.false_alarms) == (2, 1, 1)
    assert (told.series_days, told.delay) == (2.0, 0.5)
    text = forecast_page.bursts_table({"all": told}, [Curve("z", [Point(1.0, 2, 0.25)])])
    assert "| all | 1 of 2: 0.50" in text
    assert "| z, its best threshold | 1 | 0.250 |" in text


def test_alerts_of_the_pipeline_are_counted_by_their_reason(tmp_path: Path) -> None:
    common = {"platform": "p", "video_id": "s"}
    lines = [{"time": T0_S * 1_000, "action": "publish"} | common]
    for minute in range(60):
        time_ms = (T0_S + 60 * minute) * 1_000
        lines.append({"time": time_ms, "action": "comment", "count": 20} | common)
    (tmp_path / "tweets.jsonl").write_text("\n".join(map(json.dumps, lines)), "utf-8")
    columns = {"series": ["s"] * 2, "ts": [T0_S, T0_S + DAY_S], "window": [None, 0]}
    pl.DataFrame(columns).write_parquet(tmp_path / "tweets.parquet")
    told = bursts_told.measure(tmp_path)
    everything = told.pop(bursts_told.EVERYTHING)
    # Rushing towards the level before the window: told once, and false.
    assert (everything.alerts, everything.false_alarms, everything.caught) == (1, 1, 0)
    assert list(told) == ["of it, `forecast_above_alert_level`"]


@given(st.lists(st.integers(0, 2**63 - 1), min_size=1, max_size=50), st.sampled_from([2, 5]))
def test_every_video_is_in_one_part_whatever_it_is_among(numbers: list[int], parts: int) -> None:
    found = forecasts.parted(np.array(numbers), parts)
    assert ((found >= 0) & (found < parts)).all()
    assert found.tolist() == [int(forecasts.parted(np.array([one]), parts)[0]) for one in numbers]


@pytest.mark.parametrize("parts", [forecasts.HALVES, forecasts.FIFTHS])
def test_parts_say_nothing_of_the_folds_that_are_made_in_training(parts: int) -> None:
    numbers = np.arange(parts * FOLDS * 7)
    together = Counter(
        zip((numbers % FOLDS).tolist(), forecasts.parted(numbers, parts).tolist(), strict=True)
    )
    assert len(together) == parts * FOLDS
    assert set(together.values()) == {7}


@pytest.mark.parametrize("parts", [forecasts.HALVES, forecasts.FIFTHS])
def test_no_video_is_forecast_by_what_has_seen_it(
    parts: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each model says how often it has seen a video; of those that it forecasts, never."""
    random = np.random.default_rng(1)
    keys = [f"p\x1fv{number}" for number in random.integers(0, 40, 300)]
    features = np.zeros((300, len(FEATURES)), np.float32)
    features[:, 0] = [int(key.partition("v")[2]) for key in keys]
    made = MadeForecasts(
        videos=keys,
        time_ms=np.arange(300),
        episode=np.full(300, -1),
        progress=np.full(300, 5),
        features=features,
        probability=np.zeros(300, np.float32),
    )
    past = Past(Level("view", 9), DAY_S * 1_000, [made])

    class Seen:
        def __init__(self, examples: Examples) -> None:
            self.videos = set(examples.features[:, 0].tolist())

        def probabilities(self, asked: np.ndarray) -> np.ndarray:
            return np.array([float(one in self.videos) for one in asked[:, 0].tolist()])

    taught: list[Seen] = []

    def train(examples: Examples, **_: object) -> Seen:
        taught.append(Seen(examples))
        return taught[-1]

    monkeypatch.setattr(forecasts, "train", train)
    question = Question("q", "a set", "views per hour", Level("view", 9), lambda _: WATCHED)
    number = np.array([video_number(key) for key in keys])
    one = forecasts.ReadSet(question, past, WATCHED, keys, number, said((0, 1.0, 0.5)))
    assert not forecasts.unseen(one, [one], SIZES, parts).any()
    assert len(taught) == parts
    assert all(len(each.videos) > 20 * (parts - 1) / parts for each in taught)


def answer() -> Answer:
    question = Question("q", "a set", "views per hour", Level("view", 9), lambda _: WATCHED)
    found = judged(WATCHED, said((0, 5.0, 0.7), (1, 5.0, 0.9), (2, 3.0, 0.1)), 0.6)
    return Answer(question, "regression", found, {})


def test_tables_say_what_was_counted_and_mark_broken_promises() -> None:
    rows = forecast_page.scores_table([answer()]).splitlines()
    assert rows[2].startswith("| **a set**: 2 of 3 | views per hour, in its place |")
    assert rows[3].endswith("| 2 | 0.50 (0.09 to 0.91), 0.50 | 0.50, 0.50 |")
    text = forecast_page.calibration_table([answer()])
    # One miss at 0.9 is no proof: its interval goes up to 0.79, which is 0.11 off.
    assert "**0.90: 0.00 (0.00 to 0.79), 1**" in text
    assert (
        forecast_page.leads_table([answer()])
        .splitlines()[2]
        .startswith("| q, regression | 1 | 40.0 ")
    )


def test_pictures_are_the_same_every_time(tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")
    taught = Answer(answer().question, "as shipped", answer().judged, {})
    first = forecast_page.draw([taught, answer()], tmp_path)
    drawn = [path.read_bytes() for path in first]
    assert [path.read_bytes() for path in forecast_page.draw([taught, answer()], tmp_path)] == drawn
    assert all(b"a set" in one for one in drawn)


def test_without_the_sets_one_line_says_what_is_missing(tmp_path: Path) -> None:
    for arguments in ([], [str(tmp_path)]):
        said_of = CliRunner().invoke(main, arguments)
        assert said_of.exit_code == 2
        lines = said_of.output.strip().splitlines()
        assert len(lines) == 1
        assert all(name in lines[0] for name in SETS)


@pytest.mark.parametrize(
    ("page", "mark"),
    [(PAGE, mark) for mark in ("scores", "calibration", "leads", "tweets", "order")]
    + [("budget.md", "budget")],
)
def test_pages_have_the_marks_and_the_pictures_that_the_command_writes(
    page: str, mark: str
) -> None:
    text = (DOCS / page).read_text("utf-8")
    assert "|---|" in text.partition(f"<!-- {mark}: begin -->")[2].partition("<!--")[0]
    assert "anew" in replaced(text, mark, "anew")
    for picture in re.findall(r"\]\(([\w-]+\.(?:svg|md))", text):
        assert (DOCS / picture).exists(), picture


def rival_of(directory: Path) -> ModuleType:
    spec = importlib.util.spec_from_file_location("score", directory / "score.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def watched_of(name: str, path: Path) -> Watched:
    if name == "newsongs":
        return forecast_sets.uploads(path, 10_000)
    return forecast_sets.popular(path) if name == "popular" else forecast_sets.cascades(path, 100)


@pytest.mark.skipif(not RIVAL, reason="SCOREBOARD_RIVAL names no directory of a score.py")
@pytest.mark.parametrize(
    ("name", "file"),
    [
        ("newsongs", "bili_newsongs_2024-dev.parquet"),
        ("popular", "bili_popular_2023-dev.parquet"),
        ("cascades", "share_cascades-dev.parquet"),
    ],
)
def test_the_figures_are_those_of_an_independent_score(
    name: str, file: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = Path(RIVAL) / file
    score: Any = rival_of(Path(RIVAL))
    items, baselines = getattr(score, f"{name}_items")(str(path))
    watched = watched_of(name, path)
    position = {video: at for at, video in enumerate(watched.videos)}
    assert set(map(str, items["item"])) <= set(position)
    chosen = np.array([position[str(item)] for item in items["item"]])
    assert watched.hit[chosen].tolist() == items["hit"].to_list()
    assert watched.until_s[chosen].tolist() == items["until"].to_list()
    np.testing.assert_allclose(watched.rival[chosen], items[baselines[0]].to_numpy())

    random = np.random.default_rng(1)
    video = np.sort(random.choice(chosen, 5 * len(chosen)))
    time_s = np.floor(
        watched.start_s[video] + random.random(len(video)) * 3 * DAY_S * (1 + watched.hit[video])
    )
    time_s = np.sort(time_s + video * 1e10) - video * 1e10
    probability = random.random(len(video)) ** 3
    forecasts, alerts = tmp_path / "f.jsonl", tmp_path / "a.jsonl"
    with forecasts.open("w", encoding="utf-8") as lines:
        for at, of in enumerate(video.tolist()):
            line = {
                "time": int(time_s[at]) * 1_000,
                "video_id": watched.videos[of],
                "probability": probability[at],
            }
            lines.write(json.dumps(line) + "\n")
    alerts.write_text("", "utf-8")
    judged_items = items.with_columns(pl.col("item").cast(pl.String))
    score.judge(judged_items, baselines, str(forecasts), str(alerts))
    printed = capsys.readouterr().out
    kept = Watched(
        videos=[watched.videos[at] for at in chosen.tolist()],
        start_s=watched.start_s[chosen],
        until_s=watched.until_s[chosen],
        outcome_s=watched.outcome_s[chosen],
        hit=watched.hit[chosen],
        rival=watched.rival[chosen],
        seen_s=[watched.seen_s[at] for at in chosen.tolist()],
    )
    back = np.full(len(watched.videos), -1)
    back[chosen] = np.arange(len(chosen))
    found = judged(kept, Said(back[video], time_s, probability), 0.6).scores
    ((ap, ratio),) = re.findall(r"forecasts +AP ([\d.]+).* hour ([\d.]+)", printed)
    assert found.average_precision[0] == pytest.approx(float(ap), abs=6e-4)
    assert found.ratio[0] == pytest.approx(float(ratio), abs=6e-4)
    if name == "cascades":
        return  # it knows no time of the outcome there, and we do
    for when, bins in found.calibration.items():
        (theirs,) = re.findall(rf"calibration at {when} .*?: (0\.\d\d: .*)", printed)
        ours = [f"{one.promised:.2f}: {one.happened:.2f} ({one.videos})" for one in bins]
        assert ", ".join(ours) == theirs
