import numpy as np
import pytest
from building import BUCKET_MS, START_BUCKET, batch_of

from models.bucket_decision import Cohorts, decide_buckets
from models.cohorts import CohortVersion
from models.event_time import SourceClocks
from models.parameters import DAY_MS, HOUR_MS, Parameters
from models.undecided import Undecided
from models.video_epochs import summaries
from models.video_state import VideoTable
from models.vocabulary import Signal

PARAMETERS = Parameters(bucket_ms=BUCKET_MS)
EPOCH = START_BUCKET * BUCKET_MS // PARAMETERS.epoch_ms
EPOCH_START_MS = EPOCH * PARAMETERS.epoch_ms


def table_with(keys: list[str], visits: int = 8, *, epoch: int = EPOCH) -> VideoTable:
    """Return videos first seen an hour into an epoch, each with so many half-hour visits."""
    table = VideoTable()
    clocks = SourceClocks(BUCKET_MS, allowed_lateness_ms=DAY_MS)
    clocks.accept(0, 1, -1, 0)
    for number in range(visits):
        undecided = Undecided()
        time_ms = epoch * PARAMETERS.epoch_ms + HOUR_MS + number * HOUR_MS // 2
        counts = {"view": 100, "like": 10 + number % 2, "comment": 3, "share": 1}
        said = [
            {"video": video, "action": action, "count": count, "time_ms": time_ms}
            for video in range(len(keys))
            for action, count in counts.items()
        ]
        batch = batch_of(*said, videos=keys)
        undecided.add(batch, table.slots(keys), np.zeros(len(said), np.bool_), clocks, 0)
        cohorts = Cohorts.of(CohortVersion(0), table.platforms)
        decide_buckets(table, undecided, time_ms // BUCKET_MS, cohorts, PARAMETERS, log_c=99.0)
    return table


def test_sums_are_those_of_the_visits_and_restart_with_an_epoch() -> None:
    row = table_with(["p\x1fa"], 8).rows[0]
    # The first visit answers for its bucket, each other one for the half-hour since the last.
    hours = [5 / 60, *[0.5] * 7]
    assert (row["epoch_visits"], row["epoch_exposed"]) == (8, 800)
    assert row["epoch_span"] == pytest.approx(sum(hours))
    assert row["epoch_span_squared"] == pytest.approx(sum(h**2 for h in hours))
    assert row["epoch_acted"].tolist() == [84, 0, 24, 8]
    assert row["epoch_acted_squared"].tolist() == [4 * 100 + 4 * 121, 0, 72, 8]
    assert row["epoch_acted_squared_per_exposed"][Signal.INTERACTION] == pytest.approx(0.72)
    likes = [10 + number % 2 for number in range(8)]
    times = sum(k * h for k, h in zip(likes, hours, strict=True))
    assert row["epoch_acted_times_span"][0] == pytest.approx(times)
    # Ten half-hours in all: the eleventh lies in the next epoch.
    row = table_with(["p\x1fa"], 11).rows[0]
    assert (row["epoch_visits"], row["epoch_exposed"], row["epoch"]) == (1, 100, EPOCH + 1)
    assert row["epoch_acted"].tolist() == [10, 0, 3, 1]


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
