"""SipHash-2-4: the published vectors, and a slow implementation straight from the paper."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.identity import ABSENT_HASH, SipKey
from models.siphash import absorb, hash_spans, hash_texts

PAPER_KEY: SipKey = (0x0706050403020100, 0x0F0E0D0C0B0A0908)
ALL = 2**64 - 1
WORD = st.integers(0, ALL)


def rotated(word: int, bits: int) -> int:
    return (word << bits | word >> (64 - bits)) & ALL


def reference(key: SipKey, text: bytes) -> int:
    v = [
        key[0] ^ 0x736F6D6570736575,
        key[1] ^ 0x646F72616E646F6D,
        key[0] ^ 0x6C7967656E657261,
        key[1] ^ 0x7465646279746573,
    ]

    def rounds(count: int) -> None:
        for _ in range(count):
            v[0] = (v[0] + v[1]) & ALL
            v[2] = (v[2] + v[3]) & ALL
            v[1], v[3] = rotated(v[1], 13) ^ v[0], rotated(v[3], 16) ^ v[2]
            v[0] = rotated(v[0], 32)
            v[2] = (v[2] + v[1]) & ALL
            v[0] = (v[0] + v[3]) & ALL
            v[1], v[3] = rotated(v[1], 17) ^ v[2], rotated(v[3], 21) ^ v[0]
            v[2] = rotated(v[2], 32)

    padded = text + bytes(-(len(text) + 1) % 8) + bytes([len(text) % 256])
    for at in range(0, len(padded), 8):
        word = int.from_bytes(padded[at : at + 8], "little")
        v[3] ^= word
        rounds(2)
        v[0] ^= word
    v[2] ^= 0xFF
    rounds(4)
    return v[0] ^ v[1] ^ v[2] ^ v[3]


def hashed(key: SipKey, prefix: bytes, text: bytes) -> int:
    data = np.frombuffer(bytearray(b"before" + text + b"behind"), np.uint8)
    begin, length = np.array([6], np.int64), np.array([len(text)], np.int32)
    return int(hash_spans(data, begin, length, np.zeros(1, np.uint8), absorb(key, [prefix]))[0])


# The example of appendix A, and the first of the vectors of the authors' reference code.
@pytest.mark.parametrize(
    ("length", "expected"),
    [
        (15, 0xA129CA6149BE45E5),
        (0, 0x726FDB47DD0E0E31),
        (1, 0x74F839C593DC67FD),
        (2, 0x0D6C8009D9A94F5A),
        (3, 0x85676696D7FB7E2D),
        (4, 0xCF2794E0277187B7),
        (7, 0xAB0200F58B01D137),
        (8, 0x93F5F5799A932462),
    ],
)
def test_the_published_vectors(length: int, expected: int) -> None:
    text = bytes(range(length))
    assert reference(PAPER_KEY, text) == expected
    for cut in range(length + 1):
        assert hashed(PAPER_KEY, text[:cut], text[cut:]) == expected


@given(key=st.tuples(WORD, WORD), prefix=st.binary(max_size=40), text=st.binary(max_size=300))
def test_any_text_behind_any_prefix(key: SipKey, prefix: bytes, text: bytes) -> None:
    assert hashed(key, prefix, text) == reference(key, prefix + text)


@given(texts=st.lists(st.none() | st.text(st.characters(codec="utf-8"), max_size=40)))
def test_texts_and_only_what_is_absent_is_absent(texts: list[str | None]) -> None:
    expected = [ABSENT_HASH if text is None else reference((1, 2), text.encode()) for text in texts]
    assert hash_texts((1, 2), texts).tolist() == expected


def test_each_span_follows_its_own_prefix() -> None:
    data = np.frombuffer(bytearray(b"one two"), np.uint8)
    hashes = hash_spans(
        data,
        np.array([0, 4, 0, 4], np.int64),
        np.array([3, 3, -1, 0], np.int32),
        np.array([1, 0, 1, 0], np.uint8),
        absorb(PAPER_KEY, [b"first\x1f", b"the second\x1f"]),
    )
    texts = [b"the second\x1fone", b"first\x1ftwo", None, b"first\x1f"]
    expected = [ABSENT_HASH if text is None else reference(PAPER_KEY, text) for text in texts]
    assert hashes.tolist() == expected
