import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.forecast import FAST_HALF_LIFE_MS, SLOW_HALF_LIFE_MS
from models.parameters import HOUR_MS, MINUTE_MS
from models.transitions import ACTIVITY_HALF_LIFE_MS, COLLAPSE, RETURN
from models.vocabulary import Stage
from models.work_table import WorkTable
from models.works import DEPTH_STAGES, GROWTH, NOT_DUE, Work, deep, grow, new_works, set_due

BUCKET_MS = 5 * MINUTE_MS
ONE = np.zeros(1, np.int64)


def work() -> Work:
    return WorkTable().add("topic:t", "t")


def bring(made: Work, bucket: int, *growth: int) -> None:
    """Let a work grow by views, progress and events per signal."""
    amounts = np.zeros((made.slot + 1, GROWTH), np.int64)
    amounts[made.slot, : len(growth)] = growth
    grow(made._columns.rows, np.array([made.slot]), amounts, bucket, BUCKET_MS)  # noqa: SLF001 - as its table does
    assert not amounts.any()


def grown(*, hours: int, views: int, start: int = 0) -> Work:
    made = work()
    for bucket in range(start, start + hours * 12):
        made.row["last_ms"] = bucket * BUCKET_MS
        bring(made, bucket, views, views, 1)
    return made


def test_heat_is_the_rate_of_a_steady_stream_and_halves_in_six_hours_of_silence() -> None:
    made = grown(hours=72, views=99)
    heat = float(made.row["heat"])
    assert heat == pytest.approx(100 * 12, rel=0.01)
    assert made.row["pace_fast_per_hour"] == pytest.approx(99 * 12, rel=0.01)
    last = made.number("last_bucket")
    assert made.heat_at(last + 6 * HOUR_MS // BUCKET_MS, BUCKET_MS) == pytest.approx(heat / 2)
    assert made.heat_at(last - 5, BUCKET_MS) == heat


@given(
    st.lists(
        st.tuples(st.integers(1, 900), st.lists(st.integers(0, 9_000), min_size=6, max_size=6)),
        min_size=1,
        max_size=15,
    )
)
def test_growth_is_that_of_the_formulas_of_the_docs(steps: list[tuple[int, list[int]]]) -> None:
    made, bucket, last = work(), 1_000, None
    paces = [0.0, 0.0, 0.0]
    peak = trough = 0.0
    for later, (views, progress, *acted) in steps:
        bucket += later
        span_ms = (1 if last is None else later) * BUCKET_MS
        half_lives = (FAST_HALF_LIFE_MS, SLOW_HALF_LIFE_MS, ACTIVITY_HALF_LIFE_MS)
        amounts = (progress, progress, views + sum(acted))
        for number, (half_life_ms, amount) in enumerate(zip(half_lives, amounts, strict=True)):
            keep = 0.5 ** (span_ms / half_life_ms)
            if number == 2:
                trough = min(trough, paces[2] * keep)
            paces[number] = paces[number] * keep + (1 - keep) * amount / (span_ms / HOUR_MS)
        peak = max(peak, paces[2])
        bring(made, bucket, views, progress, *acted)
        last = bucket
    row = made.row
    names = ("pace_fast_per_hour", "pace_slow_per_hour", "heat")
    assert [float(row[name]) for name in names] == pytest.approx(paces, rel=1e-12)
    assert float(row["peak_heat"]) == pytest.approx(peak, rel=1e-12)
    assert float(row["trough_heat"]) == pytest.approx(trough, rel=1e-12)
    sums = np.sum([amounts for _, amounts in steps], axis=0).tolist()
    assert [int(row["views"]), int(row["progress"]), *row["acted"].tolist()] == sums
    assert made.number("last_bucket") == bucket


def test_it_collapses_at_a_tenth_of_its_peak_and_is_due_just_then() -> None:
    made = grown(hours=24, views=50)
    last = made.number("last_bucket")
    peak = float(made.row["peak_heat"])
    at = next(b for b in range(last, 10_000) if made.collapsed(b, BUCKET_MS))
    assert made.heat_at(at, BUCKET_MS) <= COLLAPSE * peak
    assert made.heat_at(at - 1, BUCKET_MS) > COLLAPSE * peak
    rows = made._columns.rows  # noqa: SLF001 - as its table does
    assert set_due(rows, ONE, last, BUCKET_MS) == NOT_DUE
    assert made.number("due_bucket") == NOT_DUE
    made.row["emerging"] = True
    assert set_due(rows, ONE, last, BUCKET_MS) == made.number("due_bucket") == at


def test_depth_is_all_three_junctures_in_any_order_within_one_episode() -> None:
    made = work()
    for stage in reversed(DEPTH_STAGES):
        assert not deep(made.row)
        made.enter(stage, "identification", "active", "why")
        made.enter(stage, "identification", "active", "why")
    assert deep(made.row)
    assert made.stages == list(DEPTH_STAGES)
    assert made.stage == "diffusion"
    made.fade()
    assert not deep(made.row)
    assert made.state == "faded"


def test_it_rests_after_fading_until_its_activity_has_tripled() -> None:
    made = grown(hours=24, views=400)
    made.row["confirmed"] = made.row["emerging"] = True
    made.fade()
    assert made.row["resting"]
    assert not made.row["confirmed"]
    assert not made.row["emerging"]
    start = made.number("last_bucket") + 20 * 12
    before = made.number("views")
    bring(made, start, 5, 5)
    assert made.row["resting"]
    lowest = float(made.row["heat"])
    bucket = start
    while made.row["resting"]:
        bucket += 1
        made.row["last_ms"] = bucket * BUCKET_MS
        bring(made, bucket, 400, 400)
        lowest = min(lowest, float(made.row["heat"]))
        assert bucket < start + 288
    assert made.row["heat"] >= RETURN * lowest
    assert (made.number("episode"), made.state) == (2, "revived")
    assert made.number("progress_before_episode") == made.number("progress") > before
    assert made.number("episode_ms") == bucket * BUCKET_MS
    assert made.row["peak_heat"] == made.row["heat"]


def test_a_stage_entered_while_it_rests_begins_the_new_episode() -> None:
    made = grown(hours=2, views=100)
    made.fade()
    made.enter(Stage.INTERACTION, "exclusion", "revived", "why")
    assert not made.row["resting"]
    assert (made.number("episode"), made.stages) == (2, [Stage.INTERACTION])
    assert (made.state, made.route, made.reason) == ("revived", "exclusion", "why")
    assert made.number("progress_before_episode") == made.number("progress")


def test_a_work_begins_where_the_model_begins() -> None:
    made = work()
    assert (made.stage, made.route, made.state) == ("presentation", "undecided", "active")
    assert new_works(2)["due_bucket"].tolist() == [NOT_DUE] * 2


def test_a_work_is_the_same_when_the_columns_have_moved() -> None:
    table = WorkTable()
    first = table.add("topic:a", "a")
    first.row["views"] = 7
    works = [table.add(f"topic:{number}", "") for number in range(5_000)]
    first.row["views"] += 1
    assert first.number("views") == table.rows["views"][first.slot] == 8
    assert table.remove(np.array([works[3].slot])) == ["topic:3"]
    again = table.add("topic:new", "")
    assert again.slot == works[3].slot
    assert again.row == new_works(1)[0]
