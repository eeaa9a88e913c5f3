import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.packed_chunk import PackedChunk, packed
from models.steps import Chunk
from streams.transport.chunks import joined, pieces

values = st.lists(st.one_of(st.none(), st.binary(max_size=12)), max_size=20)


@st.composite
def chunks(draw: st.DrawFn) -> Chunk:
    """A chunk with gaps before, between and after its records."""
    contents = draw(values)
    low = draw(st.integers(0, 1_000))
    offsets: list[int] = []
    at = low
    for _ in contents:
        at += draw(st.integers(0, 3))
        offsets.append(at)
        at += 1
    keys: list[bytes | None] = [str(offset).encode() for offset in offsets]
    return Chunk(low, at + draw(st.integers(0, 3)), offsets, keys, contents, offsets.copy())


def unpacked(chunk: PackedChunk) -> Chunk:
    return Chunk(
        low_offset=chunk.low_offset,
        next_offset=chunk.next_offset,
        offsets=chunk.offset.tolist(),
        keys=[chunk.key(row) for row in range(len(chunk))],
        values=[chunk.value(row) for row in range(len(chunk))],
        append_ms=chunk.append_ms.tolist(),
    )


@given(chunk=chunks(), bytes_max=st.integers(1, 40))
def test_pieces_are_the_chunk(chunk: Chunk, bytes_max: int) -> None:
    """Law: joined again, the pieces are the chunk; none is larger than it may or empty of rows."""
    split = [unpacked(piece) for piece in pieces(packed(chunk), bytes_max=bytes_max)]
    assert joined(split) == chunk
    for piece in split:
        size = sum(len(value or b"") for value in piece.values)
        assert size <= bytes_max or len([value for value in piece.values if value]) == 1
        assert all(piece.low_offset <= offset < piece.next_offset for offset in piece.offsets)
    assert len(split) == 1 or all(piece.offsets for piece in split)


def test_what_does_not_follow_is_not_joined() -> None:
    first = Chunk(0, 3, [], [], [], [])
    with pytest.raises(ValueError, match="5 does not follow 3"):
        joined([first, Chunk(5, 6, [], [], [], [])])
    with pytest.raises(ValueError, match="no chunks"):
        joined([])
