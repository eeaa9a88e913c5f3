from dataclasses import replace

import pytest
from told_reports import START_BUCKET, report_of

from models.cohort_learning import EpochSummary
from models.report_log import ReportLog


def test_rows_are_taken_once_up_to_a_bucket_in_the_order_they_were_told() -> None:
    log = ReportLog(b"r/")
    rows = [{"video": "a", "bucket": 4}, {"video": "b", "bucket": 4}, {"video": "a", "bucket": 6}]
    one = report_of(*rows, through_bucket=6)
    two = report_of({"video": "c", "bucket": 6}, {"video": "c", "bucket": 7}, partition=1)
    for report in (two, one):
        log.add(report, b"")

    def taken(through: int) -> list[tuple[int, int, int]]:
        return [(part.report.partition, part.first, part.end) for part in log.take(through)]

    assert not taken(3)
    assert taken(4) == [(0, 0, 2)]
    assert taken(6) == [(1, 0, 1), (0, 2, 3)]
    assert taken(10) == [(1, 1, 2)]
    assert not taken(10)


def test_only_what_says_something_is_kept_and_only_until_it_is_saved_and_learned() -> None:
    log = ReportLog(b"r/")
    log.add(report_of(sequence=0), b"progress")
    assert not list(log.take_dirty())
    row = {"video": "a", "bucket": START_BUCKET}
    log.add(report_of(row, sequence=1), b"rows")
    ahead = replace(report_of(row, sequence=2), through_bucket=START_BUCKET - 1)
    log.add(ahead, b"ahead")
    summed = report_of(sequence=3)
    summed.summaries.append((9, "p", EpochSummary.empty()))
    log.add(summed, b"summary")
    written = dict(log.take_dirty())
    keys = [b"r/%012d" % number for number in range(3)]
    assert written == dict(zip(keys, (b"rows", b"ahead", b"summary"), strict=True))
    assert not list(log.take_dirty())
    log.drop(START_BUCKET - 1, 9)
    assert len(log) == 3
    log.drop(START_BUCKET, 8)
    assert dict(log.take_dirty()) == dict.fromkeys(keys[:2])
    log.drop(START_BUCKET, 9)
    assert dict(log.take_dirty()) == {keys[2]: None}


def test_no_report_takes_the_key_of_one_that_is_kept() -> None:
    log = ReportLog(b"r/")
    row = {"video": "a"}
    log.load(b"r/000000000007", report_of(row, sequence=3), 4, -1)
    log.add(report_of(row, sequence=3), b"told again")
    assert dict(log.take_dirty()) == {b"r/000000000008": b"told again"}
    assert len(log) == 2


def test_what_was_never_written_needs_no_removal() -> None:
    log = ReportLog(b"r/")
    log.add(report_of({"video": "a"}), b"rows")
    log.drop(START_BUCKET, -1)
    assert not list(log.take_dirty())
    assert not len(log)


@pytest.mark.parametrize("limit", ["SAVE_AFTER_BYTES", "SAVE_AFTER_REPORTS"])
def test_works_are_worth_saving_when_what_is_decided_has_grown(
    limit: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(f"models.report_log.{limit}", 2)
    log = ReportLog(b"r/")
    for sequence in range(3):
        log.load(b"r/%012d" % sequence, report_of({"video": "a"}, sequence=sequence), 1, -1)
    assert log.worth_saving(START_BUCKET)
    assert not log.worth_saving(START_BUCKET - 1)
    log.drop(START_BUCKET, -1)
    assert not log.worth_saving(START_BUCKET)
    assert set(dict(log.take_dirty()).values()) == {None}


def test_rows_that_works_were_saved_with_are_not_decided_again() -> None:
    log = ReportLog(b"r/")
    rows = [{"video": "a", "bucket": bucket} for bucket in (4, 5, 6)]
    log.load(b"r/000000000000", report_of(*rows, through_bucket=6), 1, 5)
    log.load(b"r/000000000001", report_of(*rows[:2], through_bucket=5), 1, 5)
    assert [(part.first, part.end) for part in log.take(10)] == [(2, 3)]
    assert len(log) == 2
