"""What the fast path rests on: which lines are joined, and a bound on their keys."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.events import NESTING_MAX
from models.screening import screen

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=6),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner),
    max_leaves=8,
)


def keys_of(value: object) -> int:
    if isinstance(value, dict):
        return len(value) + sum(map(keys_of, value.values()))
    return sum(map(keys_of, value)) if isinstance(value, list) else 0


@given(
    values=st.lists(st.dictionaries(st.text('":\\ a', max_size=4), VALUES), max_size=6),
    separators=st.sampled_from([(",", ":"), (", ", ": "), (" ,\t", " \t:\r")]),
)
def test_the_bound_on_keys_holds(
    values: list[dict[str, object]], separators: tuple[str, str]
) -> None:
    texts = [json.dumps(value, separators=separators).encode() for value in values]
    lines = screen(texts, message_bytes_max=10**6)
    assert lines.joined.split(b"\n")[: len(texts)] == (texts or [b""])[: len(texts)]
    for value, bound in zip(values, lines.keys_max.tolist(), strict=True):
        assert keys_of(value) <= bound


@given(values=st.lists(st.binary(max_size=12) | st.sampled_from([b"{}", b'{"a":1}']), max_size=8))
def test_sound_lines_hold_no_newline_and_are_utf8_whatever_stands_beside_them(
    values: list[bytes],
) -> None:
    lines = screen(values, message_bytes_max=10)
    for value, sound in zip(values, lines.sound.tolist(), strict=True):
        if sound:
            assert b"\n" not in value
            assert len(value) <= 10
            value.decode()
        assert sound or value not in {b"{}", b'{"a":1}'}
        assert sound == screen([value], message_bytes_max=10).sound.tolist()[0]


@pytest.mark.parametrize(
    ("text", "sound"),
    [
        (rb'{"a":"\ud83d\ude00"}', True),
        (rb'{"a":"\uD83D\uDE00\u4e2d"}', True),
        (rb'{"a":"\ud83d"}', False),
        (rb'{"a":"\ude00\ud83d"}', False),
        (rb'{"a":"\\ud83d\ude00"}', False),
        (b'{"a":' + b"[" * NESTING_MAX + b"]" * NESTING_MAX + b"}", False),
        (b'{"a":"' + b"[" * NESTING_MAX + b'"}', True),
        (b'{"a":NaN}', False),
        (b'{"a": -Infinity}', False),
        (b'{"a": -1}', True),
        (b'{"a":1,}', False),
        (b'{"a":"\n"}', False),
        (b'{"a":"\t"}', False),
        (b'{"a":"\xff"}', False),
        ('{"a":"博物馆"}'.encode(), True),
        (b'[{"a":1}]', False),
        (b"", False),
        (b"{", False),
    ],
)
def test_lines_that_are_sound(text: bytes, sound: bool) -> None:
    good = b'{"a":1}'
    lines = screen([good, text, good], message_bytes_max=10**6)
    assert lines.sound.tolist() == [True, sound, True]
    assert screen([text], message_bytes_max=10**6).sound.tolist() == [sound]
