import pytest
from hypothesis import given
from hypothesis import strategies as st

from streams.durations import UNIT_MS, format_duration, parse_duration_ms


@given(st.integers(1, 10**9), st.sampled_from(sorted(UNIT_MS)))
def test_what_is_written_is_read_back(number: int, unit: str) -> None:
    milliseconds = number * UNIT_MS[unit]
    assert parse_duration_ms(f"{number}{unit}") == milliseconds
    assert parse_duration_ms(format_duration(milliseconds)) == milliseconds


@pytest.mark.parametrize(
    "text", ["", "7", "d", "-1d", "1.5h", "7 d", "0s", "1w", "7d12h", "٧d", "1e3s"]
)
def test_what_is_no_duration_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="is not a duration"):
        parse_duration_ms(text)
