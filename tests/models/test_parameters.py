import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.parameters import DAY_MS, HOUR_MS, MINUTE_MS, Level, Parameters
from models.vocabulary import Action

LEVELS = [a for a in Action if a not in (Action.RETRACT, Action.DELETE, Action.RESTORE)]


@given(action=st.sampled_from(LEVELS), count=st.integers(1, 10**12))
def test_a_level_is_read_as_it_is_written(action: Action, count: int) -> None:
    level = Level(action.value, count)
    assert Level.parse(str(level)) == level


@pytest.mark.parametrize(
    "text",
    [
        "",
        "view",
        "view:",
        ":5",
        "view:0",
        "view:-3",
        "view:1.5",
        "view: 5",
        "watch:10",
        "5",
        "retract:1",
    ],
)
def test_what_is_no_level_is_told(text: str) -> None:
    with pytest.raises(ValueError, match="level"):
        Level.parse(text)


@pytest.mark.parametrize(
    ("changes", "what"),
    [
        ({"bucket_ms": 0}, "bucket_ms"),
        ({"bucket_ms": 7 * MINUTE_MS}, "whole multiple"),
        ({"epoch_ms": 5 * HOUR_MS}, "divide a day"),
        ({"epoch_ms": 36 * HOUR_MS}, "divide a day"),
        ({"alarm_rate_per_video_day": 0.0}, "alarm_rate"),
        ({"alarm_rate_per_video_day": 1.0}, "alarm_rate"),
        ({"emerging_probability": 0.0}, "emerging_probability"),
        ({"emerging_probability": 1.0}, "emerging_probability"),
    ],
)
def test_numbers_that_contradict_each_other_are_told(changes: dict[str, float], what: str) -> None:
    with pytest.raises(ValueError, match=what):
        Parameters(**changes)  # type: ignore[arg-type]  # numbers of either kind


@pytest.mark.parametrize("epoch_ms", [HOUR_MS, 8 * HOUR_MS, DAY_MS, 7 * DAY_MS])
def test_epochs_that_divide_a_day_or_are_days_are_taken(epoch_ms: int) -> None:
    assert Parameters(epoch_ms=epoch_ms).epoch_ms == epoch_ms
