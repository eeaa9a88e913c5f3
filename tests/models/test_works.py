import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.parameters import HOUR_MS, MINUTE_MS
from models.transitions import COLLAPSE, RETURN
from models.vocabulary import Stage
from models.works import DEPTH_STAGES, TOPIC, Work

BUCKET_MS = 5 * MINUTE_MS


def work() -> Work:
    return Work("topic:t", TOPIC, "t", first_ms=0, episode_ms=0)


def grown(*, hours: int, views: int, start: int = 0) -> Work:
    made = work()
    for bucket in range(start, start + hours * 12):
        made.last_ms = bucket * BUCKET_MS
        made.grow(bucket, BUCKET_MS, views, views, [1, 0, 0, 0])
    return made


@given(st.lists(st.tuples(st.integers(1, 90), st.integers(0, 9_000)), min_size=1, max_size=15))
def test_a_work_survives_the_changelog(steps: list[tuple[int, int]]) -> None:
    made, bucket = work(), 0
    for step, views in steps:
        bucket += step
        made.grow(bucket, BUCKET_MS, views, views // 2, [views, 1, 2, 3])
    made.enter(Stage.JUDGMENT, "contested", "active", "why")
    again = Work.from_dict(json.loads(json.dumps(made.to_dict())))
    assert again == made
    assert made.views == sum(views for _, views in steps)
    assert made.acted[1:] == [len(steps), 2 * len(steps), 3 * len(steps)]


def test_heat_is_the_rate_of_a_steady_stream_and_halves_in_six_hours_of_silence() -> None:
    made = grown(hours=72, views=99)
    assert made.heat == pytest.approx(100 * 12, rel=0.01)
    assert made.pace_fast_per_hour == pytest.approx(99 * 12, rel=0.01)
    later = made.last_bucket + 6 * HOUR_MS // BUCKET_MS
    assert made.heat_at(later, BUCKET_MS) == pytest.approx(made.heat / 2)
    assert made.heat_at(made.last_bucket - 5, BUCKET_MS) == made.heat


def test_it_collapses_at_a_tenth_of_its_peak() -> None:
    made = grown(hours=24, views=50)
    at = next(b for b in range(made.last_bucket, 10_000) if made.collapsed(b, BUCKET_MS))
    assert made.heat_at(at, BUCKET_MS) <= COLLAPSE * made.peak_heat
    assert made.heat_at(at - 1, BUCKET_MS) > COLLAPSE * made.peak_heat


def test_depth_is_all_three_junctures_in_any_order_within_one_episode() -> None:
    made = work()
    for stage in reversed(DEPTH_STAGES):
        assert not made.deep()
        made.enter(stage, "identification", "active", "why")
        made.enter(stage, "identification", "active", "why")
    assert made.deep()
    assert len(made.stages) == 3
    assert made.stage == "diffusion"
    made.fade()
    assert not made.deep()
    assert made.state == "faded"


def test_it_rests_after_fading_until_its_activity_has_tripled() -> None:
    made = grown(hours=24, views=400)
    made.confirmed = made.emerging = True
    made.fade()
    assert made.resting
    assert not made.confirmed
    assert not made.emerging
    start = made.last_bucket + 20 * 12
    before = made.views
    made.grow(start, BUCKET_MS, 5, 5, [0] * 4)
    assert made.resting
    lowest = made.heat
    bucket = start
    while made.resting:
        bucket += 1
        made.last_ms = bucket * BUCKET_MS
        made.grow(bucket, BUCKET_MS, 400, 400, [0] * 4)
        lowest = min(lowest, made.heat)
        assert bucket < start + 288
    assert made.heat >= RETURN * lowest
    assert (made.episode, made.state) == (2, "revived")
    assert made.progress_before_episode == made.progress > before
    assert made.episode_ms == bucket * BUCKET_MS
    assert made.peak_heat == made.heat


def test_a_stage_entered_while_it_rests_begins_the_new_episode() -> None:
    made = grown(hours=2, views=100)
    made.fade()
    made.enter(Stage.INTERACTION, "exclusion", "revived", "why")
    assert (made.resting, made.episode, made.stages) == (False, 2, [Stage.INTERACTION])
    assert (made.state, made.route, made.reason) == ("revived", "exclusion", "why")
    assert made.progress_before_episode == made.progress
