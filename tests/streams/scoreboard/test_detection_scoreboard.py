"""What the scoreboards count, on data small enough to count by hand."""

import json
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from models.detectors.z_score import ZScore
from models.parameters import HOUR_MS, Level, Parameters
from streams.scoreboard import detection_page as page
from streams.scoreboard import detection_quiet, detection_tweets
from streams.scoreboard.detection_delays import Delay
from streams.scoreboard.detection_discoveries import Discoveries
from streams.scoreboard.detection_nulls import FalseAlarms
from streams.scoreboard.detection_tweets import Curve, Labelled, Point

T0_S = 1_700_000_000


def labelled(window: list[int]) -> Labelled:
    return Labelled("s", np.zeros(len(window)), np.array(window))


def test_alarms_inside_a_window_catch_it_once_and_outside_are_false() -> None:
    series = [labelled([-1, -1, 0, 0, -1, 1, -1, -1])]
    seen = [np.array([9.0, 0, 9, 9, 0, 0, 9, 9])]
    days = 8 / 288
    assert detection_tweets.judge(series, seen, 1.0, 1) == Point(1.0, 1, 3 / days)
    # Silent for two visits: the alarm at 7 is gone, too.
    assert detection_tweets.judge(series, seen, 1.0, 2) == Point(1.0, 1, 2 / days)
    assert detection_tweets.windows_of(series) == 2


def test_a_curve_tells_the_fewest_false_alarms_at_least_so_many_windows_cost() -> None:
    curve = Curve("d", [Point(1.0, 3, 0.5), Point(2.0, 2, 0.6), Point(3.0, 1, 0.1)])
    assert [curve.fewest_false(k) for k in (1, 2, 3, 4)] == [0.1, 0.5, 0.5, np.inf]


def test_a_sweep_finds_the_threshold_between_a_burst_and_the_rest() -> None:
    rng = np.random.default_rng(1)
    counts = rng.poisson(5.0, 2_000).astype(float)
    window = np.full(2_000, -1)
    counts[1_500] += 200
    window[1_490:1_510] = 0
    curve = detection_tweets.sweep(ZScore(), [Labelled("s", counts, window)], 12, "z")
    assert curve.fewest_false(1) == 0
    # Lower thresholds are looked at, too.
    assert max(point.false_per_day for point in curve.points) > 1


def test_quiet_stretches_are_what_lies_outside_the_windows(tmp_path: Path) -> None:
    data = tmp_path / "tweets.parquet"
    window = [None, None, 0, 0, None, None, 1, None]
    times = [T0_S + 300 * at for at in range(8)]
    pl.DataFrame(
        {"series": ["a"] * 8, "ts": times, "count": [1] * 8, "window": window},
        schema_overrides={"window": pl.Int16},
    ).write_parquet(data)
    quiet = detection_quiet.tweets(data, tmp_path / "none")
    spans = [(times[0], times[1]), (times[4], times[5]), (times[7], times[7])]
    assert dict(quiet.stretches) == {"a": spans}
    assert quiet.video_days == pytest.approx(600 / 86_400)


def test_stages_entered_in_quiet_stretches_are_counted_by_the_pipeline(tmp_path: Path) -> None:
    """One upload runs away at once: false if it is called ordinary, not counted if it is not."""
    events = tmp_path / "uploads.jsonl"
    common = {"platform": "p", "video_id": "hot"}
    lines = [{"time": T0_S * 1_000, "action": "publish"} | common]
    for minute in range(60):
        time = {"time": (T0_S + 60 * minute) * 1_000}
        lines += [time | common | {"action": "view", "count": 2_000}]
        lines += [time | common | {"action": "comment", "count": 400}]
    events.write_text("\n".join(map(json.dumps, lines)), "utf-8")
    data = tmp_path / "uploads.parquet"
    parameters = Parameters(epoch_ms=HOUR_MS, level=Level("view", 1_000_000))
    for views, count in ((900, 1), (120_000, 0)):
        columns = {
            "bvid": ["hot", "still"],
            "view": [views, 3],
            "pub_ts": [T0_S, T0_S],
            "snap_ts": [T0_S + 86_400, T0_S + 86_400],
        }
        pl.DataFrame(columns).write_parquet(data)
        quiet = detection_quiet.ordinary_uploads(data, events)
        for told in detection_quiet.measure(quiet, parameters):
            assert told.signals.get("interaction", 0) == count
            assert told.count + told.elsewhere >= 1
            assert told.video_days == 1 + (count > 0)


def test_a_promise_is_broken_when_even_the_lower_end_is_above_it() -> None:
    kept = FalseAlarms("n", "d", 0.1, 3, 10.0, (0.06, 0.88))
    assert not kept.is_broken
    assert FalseAlarms("n", "d", 0.05, 3, 10.0, (0.06, 0.88)).is_broken
    assert "**" not in page.nulls_table([kept])


def test_tables_say_who_was_never_told_and_who_not_always() -> None:
    told = [Delay("a", 2.0, 3.0, 3.5, 1.0, 2.2), Delay("b", 2.0, np.inf, 90.0, 0.25, 2.2)]
    text = page.delays_table([*told, Delay("c", 2.0, np.inf, 99.0, 0.0, 2.2)])
    rows = [[cell.strip() for cell in line.split("|")[1:3]] for line in text.splitlines()[2:]]
    assert [row[1] for row in rows] == ["2.2", "3.5", "> 90.0 (25% told)", "never"]


def test_discoveries_are_marked_where_they_are_false_beyond_chance() -> None:
    kept = Discoveries("a", 0.1, 0.12, 0.01, 1.0)
    broken = Discoveries("b", 0.1, 0.14, 0.01, 0.5)
    assert (kept.is_broken, broken.is_broken) == (False, True)
    rows = page.discoveries_table([kept, broken]).splitlines()[2:]
    assert rows == ["| a | 0.12 (100%) |", "| b | **0.14 (50%)** |"]
