"""The budget as the step of `hotspots` spends it: in order, once per episode, after restarts."""

import json
from collections import Counter
from typing import Any

import numpy as np
import pytest
from told_reports import BUCKET_MS, START_BUCKET, report_of

from models.alerts import ALERTS
from models.hotspots import HotspotsStep
from models.parameters import DAY_MS, HOUR_MS, Level, Parameters
from models.ranking import BOARD
from models.stage_reports import StageReport, encode_report
from models.withheld import WithheldReason
from streams.offline.pipeline import chunk_of

LEVEL = 1_000
PER_DAY = 4
HOUR = HOUR_MS // BUCKET_MS
DAY = DAY_MS // BUCKET_MS
BEGINS = START_BUCKET // DAY * DAY


def new_step(per_day: int = PER_DAY) -> HotspotsStep:
    level = Level("view", LEVEL)
    return HotspotsStep(0, Parameters(level=level, bucket_ms=BUCKET_MS, alerts_per_day=per_day))


def row(
    video: str, bucket: int, probability: float, so_far: int = 100, **more: object
) -> dict[str, Any]:
    numbers = {
        "video": f"p\x1f{video}",
        "bucket": bucket,
        "last_ms": bucket * BUCKET_MS + 7,
        "views": 10,
        "progress": 10,
        "total_views": so_far,
        "total_progress": so_far,
        "episode_progress": so_far,
        "probability": probability,
    }
    return {**numbers, **more}


def story(days: int = 3) -> list[StageReport]:
    """Every hour some videos emerge, of which some belong to a topic and some fade again."""
    random = np.random.default_rng(7)
    reports = []
    for sequence, bucket in enumerate(range(BEGINS, BEGINS + days * DAY, HOUR // 2)):
        rows = []
        for number in range(2):
            probability = float(random.uniform(0.6, 1.0))
            topic = {"profile": {"topics": [f"t{sequence // 4}"]}, "views": 450, "progress": 450}
            topics = topic if number else {}
            progress = int(random.integers(10, 900))
            rows.append(row(f"v{sequence}-{number}", bucket, probability, progress, **topics))
            again = f"v{max(sequence - 3, 0)}-{number}"
            rows.append(row(again, bucket, 0.9, int(random.integers(10, 900))))
        reports.append(report_of(*rows, sequence=sequence, through_bucket=bucket))
        reports[-1].rows["bucket"] = bucket
    return reports


def outcome(
    sizes: int, *, crash: bool = False, per_day: int = PER_DAY
) -> tuple[list[dict[str, Any]], Any, dict[str, Any]]:
    """Feed the story, so many reports at a time; a crash goes back to the rows of the last cut."""
    step, rows = new_step(per_day), dict[bytes, bytes]()
    alerts, board = list[dict[str, Any]](), None
    reports = [encode_report(report) for report in story()]
    for low in range(0, len(reports), sizes):
        step.process(chunk_of(reports[low : low + sizes], low))
        cut = step.cut()
        for key, value in cut.rows:
            if value is None:
                rows.pop(key, None)
            else:
                rows[key] = value
        for output in cut.outputs:
            if output.topic == ALERTS and output.value is not None:
                alerts.append(json.loads(output.value))
            elif output.topic == BOARD and output.value is not None:
                board = json.loads(output.value)
        if crash:
            step = new_step(per_day)
            for key, stored in rows.items():
                step.load(key, stored)
            step.recovered()
    emerged = [alert for alert in alerts if alert["type"] == "hotspot.emerging"]
    return emerged, board, step.roll_up.budget.to_dict()


def test_no_day_has_more_than_the_budget_and_nothing_is_told_twice() -> None:
    alerts, board, _ = outcome(1)
    everything, _, _ = outcome(1, per_day=0)
    assert len(everything) > 3 * len(alerts)
    spent = Counter(alert["time"][:10] for alert in alerts)
    assert set(spent.values()) <= set(range(PER_DAY + 1))
    assert sum(spent.values()) >= 2 * PER_DAY
    subjects = [alert["subject"] for alert in alerts]
    assert len(set(subjects)) == len(subjects)
    assert [a["time"] for a in alerts] == sorted(a["time"] for a in alerts)
    withheld = {one["subject"] for one in board["withheld"]}
    assert any(subject.startswith("topic:") for subject in withheld)
    assert not withheld & set(subjects)
    assert {one["reason"] for one in board["withheld"]} <= set(WithheldReason)
    for alert in alerts:
        assert alert["data"]["budget"]["score"] >= alert["data"]["budget"]["bar"]
        assert 1 <= alert["data"]["budget"]["told_today"] <= PER_DAY
    assert all("budget" not in alert["data"] for alert in everything)


@pytest.mark.parametrize("most", [2, 10_000])
def test_chunks_and_crashes_change_nothing(most: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("models.report_log.SAVE_AFTER_REPORTS", most)
    expected = outcome(1)
    for sizes, crash in ((3, True), (17, True), (1_000, False)):
        assert outcome(sizes, crash=crash) == expected, f"{sizes} at a time"


def tell(step: HotspotsStep, *reports: StageReport) -> list[tuple[str, str]]:
    step.process(chunk_of([encode_report(report) for report in reports], 0))
    outputs = step.cut().outputs
    alerts = [json.loads(o.value) for o in outputs if o.topic == ALERTS and o.value is not None]
    return [(alert["type"].removeprefix("hotspot."), alert["subject"]) for alert in alerts]


def said(sequence: int, bucket: int, *rows: dict[str, Any]) -> StageReport:
    return report_of(*rows, sequence=sequence, through_bucket=bucket)


@pytest.mark.parametrize("withheld", [True, False])
def test_whoever_was_not_told_of_a_topics_rise_is_not_told_of_its_fall(
    withheld: bool,
) -> None:
    # In the first hour of all a twenty-fourth of a day's alerts may be told.
    step = new_step(per_day=24 if withheld else 72)
    grown = {"views": 2 * LEVEL, "progress": 2 * LEVEL, "profile": {"topics": ["t"]}}
    rows = row("a", BEGINS, 0.9), row("b", BEGINS, 0.7, **grown)
    emerging = tell(step, said(0, BEGINS, *rows))
    topic = [("emerging", "p/b"), ("emerging", "topic:t")]
    assert emerging == [("emerging", "p/a"), *([] if withheld else topic)]
    kept = {one["subject"] for one in step.withheld.to_list()}
    assert kept == ({"p/b", "topic:t"} if withheld else set())
    work = step.roll_up.works.by_id["topic:t"]
    assert work.number("emerging") == 1
    assert work.number("told") == (not withheld)
    fallen = tell(step, said(1, BEGINS + 300))
    assert fallen == ([] if withheld else [("faded", "topic:t")])
    assert work.number("resting")


def test_a_withheld_video_is_told_once_when_it_rises() -> None:
    step = new_step(per_day=1)
    tell(step, said(0, BEGINS, row("a", BEGINS, 0.9)))
    assert tell(step, said(1, BEGINS + 1, row("b", BEGINS + 1, 0.7))) == []
    # Late in a day on which nothing else came, and little is to come.
    later = BEGINS + DAY + 20 * HOUR
    assert tell(step, said(2, later, row("b", later, 0.7))) == []
    assert tell(step, said(3, later + 1, row("b", later + 1, 0.72))) == [("emerging", "p/b")]
    assert tell(step, said(4, later + DAY, row("b", later + DAY, 0.9))) == []
    assert step.withheld.to_list() == []
