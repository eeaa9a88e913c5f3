"""Closed sets of words, looked up by their bytes."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.events import FIELDS
from models.names import UNKNOWN, WORD_LENGTH_MAX, code_of, names_of
from models.vocabulary import ACTIONS, ROLES

SETS = [list(FIELDS), [action.value for action in ACTIONS], [role.value for role in ROLES]]


def found(text: bytes, words: list[str]) -> int:
    names = names_of(words)
    data = np.frombuffer(bytearray(b'"' + text + b'":'), np.uint8)
    return int(code_of(data, 1, len(text), names.words, names.codes))


@pytest.mark.parametrize("words", SETS)
def test_every_word_has_its_position(words: list[str]) -> None:
    assert [found(word.encode(), words) for word in words] == list(range(len(words)))


@given(text=st.binary(max_size=30), word=st.sampled_from(SETS[0]), cut=st.integers(0, 20))
def test_nothing_else_is_found(text: bytes, word: str, cut: int) -> None:
    for other in (text, word.encode()[:cut] + text, word.encode() + text, text + word.encode()):
        name = other.decode("latin-1")
        expected = SETS[0].index(name) if name in SETS[0] else UNKNOWN
        if b"\0" not in other:  # no string of JSON holds one unescaped
            assert found(other, SETS[0]) == expected


@pytest.mark.parametrize("words", [[""], ["x" * (WORD_LENGTH_MAX + 1)], list(map(str, range(99)))])
def test_what_does_not_fit_is_refused(words: list[str]) -> None:
    with pytest.raises(ValueError, match="does not fit"):
        names_of(words)
