import json
import sys
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from benchmarks import page
from benchmarks.__main__ import PAGE, PARTS
from benchmarks.latency import PARTITIONS, Sent
from benchmarks.measurement import Measurement, Summary
from benchmarks.processes import Cost, EngineError, MeasuredProcess
from benchmarks.truth import Difference, compare, counts_by_action, read_counts, totals
from benchmarks.workload import (
    ACTIONS,
    LINE_BYTES,
    WINDOW_MS,
    Workload,
    columns_of,
    lines_of,
    true_counts,
)
from models.vocabulary import ACTION_CODE
from streams.measured_pages import DOCS, replaced

SMALL = Workload(events=2_000, videos=50)


@pytest.fixture(scope="module")
def truth() -> pl.DataFrame:
    return true_counts(columns_of(SMALL))


def test_lines_say_what_the_truth_counts(truth: pl.DataFrame) -> None:
    events = [json.loads(line) for block in lines_of(SMALL, columns_of(SMALL)) for line in block]
    counted = pl.DataFrame(
        {
            "window_ms": [event["time"] // WINDOW_MS * WINDOW_MS for event in events],
            "video": [event["video_id"] for event in events],
            "action": [event["action"] for event in events],
            "count": [1] * len(events),
        }
    )
    assert compare(truth, counted).is_exact
    assert set(counted["action"]) <= set(ACTIONS)
    assert counted["window_ms"].n_unique() == 3


@pytest.mark.parametrize(("with_ids", "length"), [(False, LINE_BYTES), (True, LINE_BYTES + 30)])
def test_every_line_has_the_same_length(with_ids: bool, length: int) -> None:
    workload = Workload(events=500, videos=50, with_ids=with_ids)
    (block,) = lines_of(workload, columns_of(workload))
    assert {len(line) for line in block} == {length}
    if with_ids:
        assert len({json.loads(line)["event_id"] for line in block}) == 500


def test_comments_say_something_and_nothing_else_changes() -> None:
    plain, spoken = (
        Workload(events=5_000, videos=5),
        Workload(events=5_000, videos=5, with_texts=True),
    )
    (before,), (block,) = (list(lines_of(each, columns_of(each))) for each in (plain, spoken))
    events, plain_events = ([json.loads(line) for line in lines] for lines in (block, before))
    same = ("time", "platform", "video_id", "action", "actor_id")
    replies = 0
    known: dict[str, str] = {}
    for event, plain_event, line in zip(events, plain_events, before, strict=True):
        is_text = event["action"] in ("comment", "reply", "danmaku")
        assert is_text == ("text" in event)
        assert ("actor_region" in event) == ("comment_id" in event)
        assert len(line) == LINE_BYTES
        if "comment_id" in event:
            if parent := known.get(event.get("parent_id", "")):
                replies += 1
                assert parent == event["video_id"]
            known[event["comment_id"]] = event["video_id"]
        if event["actor_role"] == "ordinary":
            assert {name: event[name] for name in same} == {n: plain_event[n] for n in same}
    assert replies > 0
    assert 0.005 < np.mean([e["actor_role"] != "ordinary" for e in events if "text" in e]) < 0.06
    assert compare(true_counts(columns_of(plain)), true_counts(columns_of(spoken))).is_exact


def test_each_view_may_say_how_long_it_was_watched() -> None:
    workload = Workload(events=500, videos=50, with_watch=True)
    (block,) = lines_of(workload, columns_of(workload))
    events = [json.loads(line) for line in block]
    assert all(("watch_ms" in event) == (event["action"] == "view") for event in events)
    assert {event.get("watch_ms", 10_000) // 10_000 for event in events} == {1}


def test_bad_lines_are_in_no_count() -> None:
    workload = Workload(events=2_000, videos=50, bad_share=0.1)
    columns = columns_of(workload)
    (block,) = lines_of(workload, columns)
    bad = int(columns.bad.sum())
    assert bad > 100
    assert sum(len(line) != LINE_BYTES for line in block) == bad
    assert true_counts(columns)["count"].sum() == 2_000 - bad


def test_half_of_all_events_may_be_of_one_video() -> None:
    columns = columns_of(Workload(events=2_000, videos=50, hot_share=0.5))
    assert 900 < int((columns.video == 0).sum()) < 1_300


def test_every_video_can_be_named() -> None:
    columns = columns_of(Workload(events=2_000, videos=1_500, every_video=True))
    assert len(np.unique(columns.video)) == 1_500


@pytest.mark.parametrize("change", [-1, 1, 5])
def test_one_wrong_count_is_found(truth: pl.DataFrame, change: int) -> None:
    shift = pl.when(pl.int_range(pl.len()) == 17).then(change).otherwise(0)
    found = compare(truth, truth.with_columns(count=pl.col("count") + shift))
    assert not found.is_exact
    assert (found.lost, found.extra, found.keys) == (max(0, -change), max(0, change), 1)


def test_a_wrong_key_is_lost_and_extra(truth: pl.DataFrame) -> None:
    moved = truth.with_columns(
        pl.when(pl.int_range(pl.len()) == 3)
        .then(pl.lit("BV9999999999"))
        .otherwise(pl.col("video"))
        .alias("video")
    )
    found = compare(truth, moved)
    events = truth["count"][3]
    assert (found.lost, found.extra, found.keys) == (events, events, 2)
    assert str(found) == f"{events:,} lost, {events:,} extra"


def test_two_errors_do_not_cancel(truth: pl.DataFrame) -> None:
    shift = pl.when(pl.int_range(pl.len()) == 0).then(1).otherwise(0)
    back = pl.when(pl.int_range(pl.len()) == 1).then(1).otherwise(0)
    found = compare(truth, truth.with_columns(count=pl.col("count") + shift - back))
    assert (found.lost, found.extra) == (1, 1)


def test_parts_of_a_count_add_up(tmp_path: Path, truth: pl.DataFrame) -> None:
    for half in (0, 1):
        part = truth.with_columns(
            (pl.col("count") // 2 + half * (pl.col("count") % 2)).alias("count")
        )
        part.write_csv(tmp_path / f"{half}.tsv", separator="\t", include_header=False)
    assert compare(truth, read_counts(tmp_path)).is_exact
    (tmp_path / "1.tsv").unlink()
    assert compare(truth, read_counts(tmp_path)).lost > 0


def test_no_counts_at_all_are_an_error(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="no counts"):
        read_counts(tmp_path)


def test_counts_of_other_columns_are_refused(truth: pl.DataFrame) -> None:
    with pytest.raises(ValueError, match="cannot be held"):
        compare(truth, totals(truth))


def test_the_monitors_totals_are_compared_per_action(truth: pl.DataFrame) -> None:
    per_video: dict[str, list[int]] = {}
    for video, action, count in totals(truth).iter_rows():
        per_video.setdefault(video, [0] * len(ACTION_CODE))[ACTION_CODE[action]] = count
    assert compare(totals(truth), counts_by_action(per_video, ACTION_CODE)).is_exact
    next(iter(per_video.values()))[ACTION_CODE["view"]] += 1
    assert compare(totals(truth), counts_by_action(per_video, ACTION_CODE)).extra == 1


def measurement(engine: str, seconds: float, difference: Difference | None) -> Measurement:
    return Measurement(
        engine=engine,
        events=1_000_000,
        seconds=seconds,
        start_seconds=2.0,
        cost=Cost(cpu_s=2 * seconds, memory_bytes=1 << 28),
        difference=difference,
    )


def test_the_page_tells_ratios_wrong_counts_and_who_did_not_run() -> None:
    exact = Difference(0, 0, 0)
    ours = Summary(page.HOTSPOTS, "all of it", [measurement(page.HOTSPOTS, 1.0, exact)])
    flink = Summary(
        page.FLINK,
        "counts",
        [measurement(page.FLINK, 4.0, exact), measurement(page.FLINK, 2.0, Difference(3, 0, 1))],
    )
    absent = Summary("Pathway", "counts", [], "pip failed: no wheel")
    part = page.engines_part([ours, flink, absent], 4)
    row = next(line for line in part.splitlines() if line.startswith(f"| {page.FLINK}"))
    cells = [cell.strip() for cell in row.split("|")[2:-1]]
    assert cells == ["375,000", "188,000", "2.67", "2.67", "256", "1,000,000 × 2", "3 lost"]
    assert "2 times was the aim (reached)" in part
    assert "- Pathway: pip failed: no wheel" in part


def test_an_aim_that_is_missed_is_told() -> None:
    exact = Difference(0, 0, 0)
    ours = Summary(page.HOTSPOTS, "all of it", [measurement(page.HOTSPOTS, 1.0, exact)])
    flink = Summary(page.FLINK, "counts", [measurement(page.FLINK, 1.5, exact)])
    assert "(not reached)" in page.engines_part([ours, flink], 4)


def test_the_page_has_a_place_for_every_part() -> None:
    text = (DOCS / PAGE).read_text("utf-8")
    for name in PARTS:
        written = replaced(text, name, "a table")
        assert f"<!-- {name}: begin -->\n\na table\n\n<!-- {name}: end -->" in written
        assert replaced(written, name, "a table") == written


PROGRAM = """
import subprocess, sys, time
print("something else")
print("first", 10.5, flush=True)
subprocess.run([sys.executable, "-c", "sum(range(4_000_000))"], check=True)
print("done", 12.0, flush=True)
sys.stdin.readline()
open("counts", "w").write("written after the measurement")
sys.exit(int(sys.argv[1]))
"""


def test_what_a_program_says_and_costs_is_measured(tmp_path: Path) -> None:
    command = [sys.executable, "-c", PROGRAM, "0"]
    with MeasuredProcess(command, environment={}, directory=tmp_path, name="peer") as process:
        cost = process.wait_until_done(20)
        assert process.told == {"first": 10.5, "done": 12.0}
        assert not (tmp_path / "counts").exists()
        assert cost.cpu_s > 0.03, "its child's CPU is its own"
        assert cost.memory_bytes > 1 << 20
        process.ask_for_counts()
    assert (tmp_path / "counts").exists()
    assert "something else" in process.log_path.read_text()


def test_a_program_that_fails_is_an_error(tmp_path: Path) -> None:
    command = [sys.executable, "-c", "import sys; sys.exit('no such broker')"]
    with (
        MeasuredProcess(command, environment={}, directory=tmp_path, name="peer") as process,
        pytest.raises(EngineError, match="no such broker"),
    ):
        process.wait_until_done(20)


def test_a_program_that_writes_no_counts_is_an_error(tmp_path: Path) -> None:
    command = [sys.executable, "-c", PROGRAM, "3"]
    with MeasuredProcess(command, environment={}, directory=tmp_path, name="peer") as process:
        process.wait_until_done(20)
        with pytest.raises(EngineError, match="ended with 3"):
            process.ask_for_counts()


def test_a_bucket_is_decided_by_the_last_partition_to_show_its_end() -> None:
    sent = Sent()
    for partition in range(PARTITIONS):
        sent.appended.append((partition, 900, 1_000 + partition))
    assert sent.decided_ms(1_000) is None
    for partition, append_ms in enumerate((2_000, 2_500, 2_100, 2_050)):
        sent.appended.append((partition, 1_000, append_ms))
        sent.appended.append((partition, 1_100, append_ms + 700))
    assert sent.decided_ms(1_000) == 2_500
    assert sent.decided_ms(1_001) == 3_200
    assert sent.decided_ms(900) == 1_003
