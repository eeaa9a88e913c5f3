"""Event times read from bytes: what is certain is what the authority says."""

from datetime import UTC, datetime, timedelta

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from models.events import RejectedEventError
from models.json_times import DIGITS_MAX, NO_NUMBER, rfc_3339_time, whole_number
from models.validation import rfc_3339_ms

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def read(text: str) -> int:
    """Return the time, NO_NUMBER when it is not certain; every cut of the text must not be."""
    value = text.encode() + b'"'
    data = np.frombuffer(bytearray(value + b"0123456789"), np.uint8)
    time_ms, at = rfc_3339_time(data, 0, len(value))
    if time_ms != NO_NUMBER:
        assert at == len(text)
    for end in range(len(value)):
        assert rfc_3339_time(data, 0, end)[0] == NO_NUMBER
    return int(time_ms)


@given(
    day=st.integers(0, 60_000),
    second=st.integers(0, 86_399),
    fraction=st.none() | st.text("0123456789", min_size=1, max_size=12),
    between=st.sampled_from("Tt "),
    zone=st.sampled_from(["Z", "z", "+08:00", "-03:30", "+00:00", "-23:59"]),
)
def test_every_ordinary_time_is_certain(
    day: int, second: int, fraction: str | None, between: str, zone: str
) -> None:
    at = EPOCH + timedelta(days=day + 1, seconds=second)
    dotted = "" if fraction is None else f".{fraction}"
    text = at.strftime(f"%Y-%m-%d{between}%H:%M:%S") + dotted + zone
    assert read(text) == rfc_3339_ms(text) >= 0


@given(
    text=st.from_regex(
        r"[0-9]{4}-[0-3]\d-[0-3]\d[T ][0-2]\d:\d\d:\d\d(Z|[+-]\d\d:\d\d)", fullmatch=True
    )
)
@example("2000-02-29T00:00:00Z")
@example("2100-02-29T00:00:00Z")
@example("2023-02-29T00:00:00Z")
@example("2024-02-29T00:00:00Z")
@example("2023-12-31T23:59:60Z")
@example("2023-12-31T24:00:00Z")
@example("2023-04-31T00:00:00Z")
@example("2023-00-10T00:00:00Z")
@example("2023-01-00T00:00:00Z")
@example("2023-01-01T00:00:00+24:00")
@example("2023-01-01T00:00:00+08:60")
@example("1970-01-01T00:00:00+08:00")
@example("1970-01-01T00:00:00Z")
@example("2023-01-01T00:00:00.Z")
@example("2023-01-01T00:00:00")
@example("2023-01-01T00:00:00Zx")
@example("2023-01-01T00:00:00+0800")
@example("2023/01/01T00:00:00Z")
@example("２023-01-01T00:00:00Z")
def test_what_is_certain_is_right(text: str) -> None:
    time_ms = read(text)
    try:
        expected = rfc_3339_ms(text)
    except RejectedEventError:
        expected = NO_NUMBER
    assert time_ms in {NO_NUMBER, expected}
    if expected >= 0 and ":60" not in text:
        assert time_ms == expected


@given(number=st.integers(0, 10**DIGITS_MAX - 1), behind=st.sampled_from([",", "}", " ", "x"]))
def test_every_whole_number(number: int, behind: str) -> None:
    data = np.frombuffer(bytearray(f"{number}{behind}99999999".encode()), np.uint8)
    length = len(str(number))
    assert whole_number(data, 0, len(data)) == (number, length)
    assert whole_number(data, 0, length) == (number, length)


@pytest.mark.parametrize("byte", [byte for byte in range(256) if byte not in b"0123456789.eE"])
def test_a_byte_that_is_no_digit_ends_a_number_wherever_it_stands(byte: int) -> None:
    for at in range(1, 12):
        data = np.frombuffer(bytearray(b"1" * at + bytes([byte]) + b"1" * 12), np.uint8)
        assert whole_number(data, 0, len(data)) == (int("1" * at), at)


@pytest.mark.parametrize(
    ("text", "number"),
    [
        *[(str(number), number) for number in (0, 1, 9, 10, 1_700_000_000_000)],
        ("9" * DIGITS_MAX, int("9" * DIGITS_MAX)),
        *[(text, NO_NUMBER) for text in ("", "-1", "-0", "01", "00", "1.0", "1e3", "1E3", "+1")],
        ("9" * (DIGITS_MAX + 1), NO_NUMBER),
        ("x", NO_NUMBER),
    ],
)
def test_whole_numbers(text: str, number: int) -> None:
    data = np.frombuffer(bytearray(text.encode() + b",1"), np.uint8)
    found, at = whole_number(data, 0, len(data))
    assert found == number
    if number != NO_NUMBER:
        assert at == len(text)
        assert whole_number(data, 0, len(text)) == (number, len(text))
