"""The grammar of JSON over bytes: certain only where Python's parser agrees."""

import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.json_syntax import (
    ESCAPED,
    HALF_PAIR,
    LEVELS_MAX,
    NOT_CERTAIN,
    PLAIN,
    string_end,
    value_end,
)

VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=12),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=9), inner),
    max_leaves=12,
)


def refuse(name: str) -> None:
    raise ValueError(name)


def is_json(text: bytes) -> bool:
    try:
        json.loads(text.decode(), parse_constant=refuse)
    except (ValueError, RecursionError):
        return False
    return True


def end_of(text: bytes, behind: bytes = b'"}') -> int:
    data = np.frombuffer(bytearray(text + behind), np.uint8)
    return int(value_end(data, 0, len(text)))


@given(
    value=VALUES,
    escaped=st.booleans(),
    gap=st.sampled_from(["", " ", "\n", "\t\r"]),
)
def test_all_that_python_writes_is_certain(value: object, escaped: bool, gap: str) -> None:
    text = json.dumps(value, ensure_ascii=escaped, separators=(f"{gap},{gap}", f"{gap}:{gap}"))
    encoded = text.encode("utf-8", "surrogatepass")
    assert end_of(encoded) == len(encoded)


@given(value=VALUES, escaped=st.booleans(), data=st.data())
def test_what_is_damaged_and_still_certain_is_json(
    value: object, escaped: bool, data: st.DataObject
) -> None:
    text = bytearray(json.dumps(value, ensure_ascii=escaped).encode("utf-8", "surrogatepass"))
    for _ in range(data.draw(st.integers(1, 3))):
        at = data.draw(st.integers(0, len(text)))
        text[at : at + data.draw(st.integers(0, 2))] = data.draw(
            st.binary(max_size=2) | st.sampled_from([b'"', b"\\", b",", b"]", b"}", b":", b"0"])
        )
    end = end_of(bytes(text))
    if end != NOT_CERTAIN:
        assert is_json(bytes(text[:end]))
        assert end == len(text) or not is_json(bytes(text)) or text[end:].isspace()
    elif is_json(bytes(text)):
        assert text[:1] in {b" ", b"\t", b"\n", b"\r"}  # a value begins with no white space


@given(st.binary(max_size=8))
def test_bytes_that_are_certain_are_utf8(raw: bytes) -> None:
    text = b'"' + raw.replace(b'"', b"") + b'"'
    if end_of(text) == len(text):
        assert is_json(text)
    elif b"\\" not in text and not any(byte < 0x20 for byte in text):
        with pytest.raises(UnicodeDecodeError):
            text.decode()


def test_every_character_is_certain() -> None:
    characters = [chr(code) for code in range(0x20, 0x110000) if not 0xD800 <= code <= 0xDFFF]
    text = "".join(characters).replace('"', "").replace("\\", "").encode() + b'"'
    data = np.frombuffer(bytearray(text), np.uint8)
    assert string_end(data, 0, len(text)) == (len(text) - 1, PLAIN)


@pytest.mark.parametrize(
    ("text", "marks"),
    [
        ("", PLAIN),
        ("abcdefgh", PLAIN),
        ("1234567博12345678", PLAIN),
        (r"\n\"\\\/\b\f\r\t", ESCAPED),
        (r"\u00e9\uABCD\uabcd", ESCAPED),
        (r"\ud83d\ude00", ESCAPED),
        (r"\uD83D\uDE00x", ESCAPED),
        (r"\ud83d", ESCAPED | HALF_PAIR),
        (r"\ud83dx\ude00", ESCAPED | HALF_PAIR),
        (r"\ude00\ud83d", ESCAPED | HALF_PAIR),
        (r"\ud83d\ud83d\ude00", ESCAPED | HALF_PAIR),
        (r"\\ud83d", ESCAPED),
    ],
)
def test_marks_of_strings(text: str, marks: int) -> None:
    encoded = text.encode() + b'"'
    for begin in range(9):  # every position within a word
        data = np.frombuffer(bytearray(b"," * begin + encoded), np.uint8)
        assert string_end(data, begin, len(data)) == (len(data) - 1, marks)
        assert string_end(data, begin, len(data) - 1)[0] == NOT_CERTAIN


@pytest.mark.parametrize(
    "text",
    [
        *[r"\x", r"\u12", r"\u12g4", r"\U0001", "\\", "\n", "\x00", "\x1f", "\t"],
    ],
)
def test_strings_that_are_none(text: str) -> None:
    data = np.frombuffer(bytearray(text.encode() + b'"'), np.uint8)
    assert string_end(data, 0, len(data))[0] == NOT_CERTAIN


def test_the_deepest_nesting() -> None:
    for opened, closed in ((b"[", b"]"), (b'{"a":', b"}"), (b'[{"a":', b"}]")):
        levels = LEVELS_MAX // len(closed)
        text = opened * levels + b"1" + closed * levels
        assert end_of(text) == len(text)
        assert end_of(b"[" + text + b"]") == NOT_CERTAIN
