import numpy as np
import pytest
from building import BUCKET_MS, START_BUCKET, visits_with

from models.parameters import HOUR_MS, Parameters
from models.video_epochs import add_visit, summaries
from models.video_state import VideoTable
from models.vocabulary import Signal

PARAMETERS = Parameters(bucket_ms=BUCKET_MS)
EPOCH = START_BUCKET * BUCKET_MS // PARAMETERS.epoch_ms
EPOCH_START_MS = EPOCH * PARAMETERS.epoch_ms


def table_with(keys: list[str], visits: int = 8, *, epoch: int = EPOCH) -> VideoTable:
    """Return videos first seen an hour into the epoch, each with so many half-hour visits."""
    table = VideoTable()
    slots = table.slots(keys)
    rows = table.rows[slots]
    for number in range(visits):
        visit = visits_with(
            len(keys), views=100, people=[10 + number % 2, 0, 3, 1], last_ms=EPOCH_START_MS
        )
        add_visit(rows, visit, np.full(len(keys), HOUR_MS // 2), epoch)
        rows["views"] += 100
        rows["acted"] += visit.acted.astype(np.int64)
    rows["first_ms"] = EPOCH_START_MS + HOUR_MS
    rows["last_ms"] = EPOCH_START_MS + 5 * HOUR_MS
    table.rows[slots] = rows
    return table


def test_sums_are_those_of_the_visits_and_restart_with_an_epoch() -> None:
    table = table_with(["p\x1fa"], 8)
    row = table.rows[0]
    assert (row["epoch_visits"], row["epoch_exposed"], row["epoch_span"]) == (8, 800, 4)
    assert row["epoch_span_squared"] == pytest.approx(8 / 4)
    assert row["epoch_acted"].tolist() == [84, 0, 24, 8]
    assert row["epoch_acted_squared"].tolist() == [4 * 100 + 4 * 121, 0, 72, 8]
    assert row["epoch_acted_squared_per_exposed"][Signal.INTERACTION] == pytest.approx(0.72)
    assert row["epoch_acted_times_span"].tolist() == [42, 0, 12, 4]
    rows = table.rows[:1].copy()
    visit = visits_with(1, views=7, people=[1, 0, 0, 0], last_ms=EPOCH_START_MS)
    add_visit(rows, visit, np.array([HOUR_MS]), EPOCH + 1)
    assert (rows["epoch_visits"][0], rows["epoch_exposed"][0], rows["epoch"][0]) == (
        1,
        7,
        EPOCH + 1,
    )
    assert rows["epoch_acted"][0].tolist() == [1, 0, 0, 0]


def test_every_platform_that_was_active_is_summarised_alone() -> None:
    hours = {"q": np.arange(24.0)}
    table = table_with(["q\x1fa", "p\x1fb", "q\x1fc"])
    found = summaries(table, EPOCH, hours, PARAMETERS)
    assert [(epoch, name) for epoch, name, _ in found] == [(EPOCH, "p"), (EPOCH, "q")]
    p, q = (summary for _, _, summary in found)
    assert (p.newcomers[0], q.newcomers[0]) == (1, 2)
    assert q.hours.tolist() == hours["q"].tolist()
    assert not p.hours.any()
    (alone,) = summaries(table_with(["p\x1fb"]), EPOCH, {}, PARAMETERS)
    assert alone[2].to_dict() == p.to_dict()


def test_videos_of_other_epochs_and_forgotten_ones_play_no_part() -> None:
    table = table_with(["p\x1fa", "p\x1fb"])
    assert not summaries(table, EPOCH + 1, {}, PARAMETERS)
    table.remove(table.slots(["p\x1fa"]))
    ((_, _, summary),) = summaries(table, EPOCH, {}, PARAMETERS)
    assert summary.newcomers[0] == 1


def test_partitions_sum_to_the_same_summary() -> None:
    keys = [f"p\x1fv{i}" for i in range(5)]
    ((_, _, whole),) = summaries(table_with(keys), EPOCH, {}, PARAMETERS)
    ((_, _, total),) = summaries(table_with(keys[:2]), EPOCH, {}, PARAMETERS)
    ((_, _, rest),) = summaries(table_with(keys[2:]), EPOCH, {}, PARAMETERS)
    total.add(rest)
    assert whole.to_dict() == total.to_dict()


def test_a_video_is_new_in_the_epoch_in_which_it_was_first_seen() -> None:
    table = table_with(["p\x1fa"])
    table.rows["first_ms"][0] = EPOCH_START_MS - 1
    ((_, _, summary),) = summaries(table, EPOCH, {}, PARAMETERS)
    assert summary.newcomers[0] == 0
    assert summary.propensity.any()


def test_intensity_is_counted_over_the_time_the_video_was_known() -> None:
    # Five of the six hours; 84 people identified: 16.8 an hour.
    ((_, _, summary),) = summaries(table_with(["p\x1fa"]), EPOCH, {}, PARAMETERS)
    (bin_,) = np.flatnonzero(summary.intensity[Signal.IDENTIFICATION].sum(axis=0)).tolist()
    low = 10 ** (-2 + (bin_ - 1) / 12)
    assert low <= 84 / 5 < low * 10 ** (1 / 12)
